"""How hard hypothesis tries: ``HYPOTHESIS_PROFILE`` is ``deterministic`` (the default), ``dev`` or ``ci``."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Two workers share few cores: a deadline would measure the machine, not the code.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

settings.register_profile("deterministic", _COMMON, derandomize=True, max_examples=100, database=None)
settings.register_profile("dev", _COMMON, max_examples=50, print_blob=True)
settings.register_profile("ci", _COMMON, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))
