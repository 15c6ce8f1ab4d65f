"""How hard hypothesis tries, a server for the whole run, and a log that no test leaves changed.

``HYPOTHESIS_PROFILE`` is ``deterministic`` (the default), ``dev`` or ``ci``. ``pytest --fast`` collects the tests of
the pure parts alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

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


FAST: Final = (
    "test_architecture.py",
    "test_cli_screens.py",
    "test_closures.py",
    "test_config*.py",
    "test_contacts*.py",
    "test_context.py",
    "test_files.py",
    "test_firstsight*.py",
    "test_guard.py",
    "test_hostile_config.py",
    "test_identity.py",
    "test_imports.py",
    "test_instants.py",
    "test_keys.py",
    "test_lane.py",
    "test_merge*.py",
    "test_model.py",
    "test_plan*.py",
    "test_policy.py",
    "test_readinglist.py",
    "test_readme.py",
    "test_rebuild*.py",
    "test_redact.py",
    "test_registry.py",
    "test_reply_mapping.py",
    "test_settings.py",
    "test_speeds.py",
    "test_state.py",
    "test_text.py",
    "test_titles.py",
    "test_*_wire.py",
)
"""What ``--fast`` collects. `tests.test_speeds` checks that nothing of it uses a sandbox, a ledger or a process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="the tests of the pure parts alone")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a slow module out before it is imported; ``None`` lets pytest decide."""
    if not config.getoption("--fast") or not fnmatch(collection_path.name, "test_*.py"):
        return None
    return True if not is_fast(collection_path.name) else None


def is_fast(name: str) -> bool:
    """Whether ``--fast`` collects the test module of this name."""
    return any(fnmatch(name, pattern) for pattern in FAST)


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgresql.prepare()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish() -> None:
    postgresql.leave()


def pytest_unconfigure(config: pytest.Config) -> None:
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
