"""How hard hypothesis tries, a server for the whole run, and a log that no test leaves changed.

``HYPOTHESIS_PROFILE`` is ``deterministic`` (the default), ``dev`` or ``ci``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import stamina.instrumentation
import structlog
from hypothesis import HealthCheck, settings

from tests import postgresql

# Two workers share few cores: a deadline would measure the machine, not the code.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

settings.register_profile("deterministic", _COMMON, derandomize=True, max_examples=40, database=None)
settings.register_profile("dev", _COMMON, max_examples=50, print_blob=True)
settings.register_profile("ci", _COMMON, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgresql.prepare()


def pytest_unconfigure(config: pytest.Config) -> None:
    postgresql.leave()
    if not hasattr(config, "workerinput"):
        postgresql.end()


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """Commands that run inside a test set up the log of the whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)
    stamina.instrumentation.set_on_retry_hooks(None)


@pytest.fixture
def simulation() -> Iterator[None]:
    """The simulation's secrets and its silence, for one test; the log is put right for every test."""
    # Not for all tests: it imports the whole engine.
    from tests.simulation.__main__ import prepare

    environment = dict(os.environ)
    prepare(for_good=False)
    yield
    os.environ.clear()
    os.environ.update(environment)
