"""From a URL to a database."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from syncer.ledger.database import Database
from syncer.ledger.errors import LedgerError
from syncer.ledger.place import FilePlace, ServerPlace
from syncer.ledger.sqlite import look_at, open_file

_PATIENCE: Final = {
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""How soon a PostgreSQL server that says nothing is given up: without these after minutes, or hours."""

ABANDONED: Final = "60s"
"""After how long the server ends a transaction in which nothing happens: else what it locked would stay locked for
hours where the machine has lost its power or its network."""


def connect(url: str, *, read_only: bool = False) -> Database:
    """A database for ``sqlite:///path`` or ``postgresql+psycopg://…``; a SQLite file is created if need be.

    With ``read_only`` a SQLite file that is not there is an empty ledger in memory. Raises `LedgerError`.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        # Taken as it is: SQLAlchemy would decode percent signs, which are part of a file's name.
        return open_file(rest.removeprefix("/"), read_only=read_only)
    if scheme in {"postgresql", "postgresql+psycopg"}:
        return _connect_postgres(_parse(url), read_only=read_only)
    raise _bad_url()


def locate(url: str) -> FilePlace | None:
    """Where the ledger's file is, or would be; ``None`` for a server's. Raises `LedgerError` for what is not ours."""
    scheme, _, name = url.partition("://")
    if scheme != "sqlite":
        return None
    place = FilePlace(Path(name.removeprefix("/")))
    # Where it is damaged, or no database at all, a copy can be put there, and what is there is kept.
    with suppress(sqlite3.Error):
        look_at(place)
    return place


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise _bad_url() from None


def _bad_url() -> LedgerError:
    # Without the URL, which may hold a password.
    return LedgerError("the ledger's url must begin with sqlite:/// or postgresql+psycopg://")


def _connect_postgres(url: URL, *, read_only: bool) -> Database:
    where = url.set(drivername="postgresql").render_as_string(hide_password=True).partition("?")[0]
    try:
        # A daemon's connections lie idle between its runs, and a server or a firewall may end them.
        engine = create_engine(_patient(url), hide_parameters=True, pool_pre_ping=True)
    except ImportError as error:
        msg = f"the ledger {where} needs the PostgreSQL driver; run: pip install 'crm-task-syncer[postgresql]'"
        raise LedgerError(msg) from error
    event.listen(engine, "connect", _set_up)
    return Database(engine, where, read_only=read_only, place=ServerPlace())


def _patient(url: URL) -> URL:
    """With the settings that keep a server that fell silent from stopping everything; the URL may have others."""
    missing = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    return url.set(drivername="postgresql+psycopg").update_query_dict(missing)


def _set_up(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED}'")
    connection.commit()
