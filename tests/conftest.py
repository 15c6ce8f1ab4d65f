"""How hard hypothesis tries, a server for the whole run, and a log that no test leaves changed.

``HYPOTHESIS_PROFILE`` is ``deterministic`` (the default), ``dev`` or ``ci``. ``pytest --fast`` collects the tests of
the pure parts alone.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Generator, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import stamina.instrumentation
import structlog
from hypothesis import HealthCheck, settings

from tests.support import postgresql

if TYPE_CHECKING:
    from tests.support.cli_kit import Served, Zygote
    from tests.support.ledger_world import Worlds
    from tests.support.scenario import Make

# Two workers share few cores: a deadline would measure the machine, not the code.
_COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

settings.register_profile("deterministic", _COMMON, derandomize=True, max_examples=40, database=None)
settings.register_profile("dev", _COMMON, max_examples=50, print_blob=True)
settings.register_profile("ci", _COMMON, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "deterministic"))


HERE: Final = Path(__file__).parent

FAST: Final = (
    "test_*.py",
    "domain/*",
    "contract/*",
    "reconcile/*",
    "config/test_config*.py",
    "config/test_hostile_config.py",
    "config/test_registry.py",
    "engine/test_context.py",
    "cli/test_screens.py",
    "cli/test_setup.py",
    "web/test_access.py",
    "web/test_alarm_rules.py",
    "adapters/test_instants.py",
    "adapters/test_text.py",
    "adapters/*/test_mapping.py",
    "adapters/*/test_wire.py",
)
"""What ``--fast`` collects. `tests.test_speeds` checks that nothing of it uses a sandbox, a ledger or a process."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="the tests of the pure parts alone")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a slow module out before it is imported; ``None`` lets pytest decide."""
    if not config.getoption("--fast") or not fnmatch(collection_path.name, "test_*.py"):
        return None
    return None if is_fast(collection_path) else True


def is_fast(module: Path) -> bool:
    """Whether ``--fast`` collects this test module."""
    name = module.relative_to(HERE).as_posix()
    return any(fnmatch(name, pattern) for pattern in FAST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Three workers for two cores: the tests of processes and sockets mostly wait. Those of ``--fast`` never do."""
    cores = os.cpu_count() or 1
    return cores if config.getoption("--fast") else (3 * cores + 1) // 2


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        postgresql.prepare()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collecting makes a million objects, and all of them stay: there is no garbage to look for, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


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


@pytest.fixture(autouse=True)
def _no_wait_for_the_disk() -> Iterator[None]:
    """A killed process loses nothing without it; only a power cut would, which no test is."""
    # Fast tests do not load it.
    sqlite: Any = sys.modules.get("syncer.ledger.sqlite")
    if sqlite is None:
        yield
        return
    before, sqlite.SYNCHRONOUS = sqlite.SYNCHRONOUS, "OFF"
    yield
    sqlite.SYNCHRONOUS = before


@pytest.fixture(autouse=True)
def _no_error_of_ours_is_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours with one person's tasks, or one row, costs no more than that. Here it ends the test."""
    unforeseen: Any = sys.modules.get("syncer.contract.unforeseen")
    if unforeseen is not None:
        monkeypatch.setattr(unforeseen, "tell", _raise)


def _raise(error: Exception, _places: list[str], _event: str = "") -> None:
    raise error


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


# What tests ask for by name. Imported when it is asked for: it brings the whole engine.


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes worlds for a scenario: ``stage(reply='sequence_tasks = "read_only"')``."""
    from tests.support.scenario import make_stages

    yield from make_stages(tmp_path, monkeypatch)


@pytest.fixture
def own_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Whoever is left out after an error of ours does not end the test: their contacts, for each error."""
    from tests.support.own_errors import expect_errors

    yield from expect_errors(monkeypatch)


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worlds]:
    """Makes worlds in which ledgers are lost and put back."""
    from tests.support.ledger_world import make_worlds

    yield from make_worlds(tmp_path, monkeypatch)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """HighLevel's contacts come in small pages."""
    from tests.support.long_lists import make_pages_small

    make_pages_small(monkeypatch)


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    """Starts commands quickly: one for all modules, because to import everything takes longer than most commands."""
    from tests.support.cli_kit import start_zygote

    yield from start_zygote()


@pytest.fixture
def served(tmp_path: Path, zygote: Zygote) -> Iterator[Served]:
    """The three sandboxes on sockets, an account for them, and the command line."""
    from tests.support.cli_kit import serve

    yield from serve(tmp_path, zygote)
