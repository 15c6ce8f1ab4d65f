"""Open a database from its URL."""

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
"""Settings for a PostgreSQL server that does not answer. Without them, a connection would wait for minutes or hours."""

ABANDONED: Final = "60s"
"""After this time the server ends an idle transaction. Otherwise its locks would last for hours after our machine lost
its power or network."""


def connect(url: str, *, read_only: bool = False) -> Database:
    """Open ``sqlite:///path`` or ``postgresql+psycopg://…``. A missing SQLite file is created.

    With ``read_only``, a missing SQLite file is opened as an empty ledger in memory. Raises `LedgerError`.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        # The path is taken as it is: SQLAlchemy would decode percent signs, which are part of a file's name.
        return open_file(rest.removeprefix("/"), read_only=read_only)
    if scheme in {"postgresql", "postgresql+psycopg"}:
        return _connect_postgres(_parse(url), read_only=read_only)
    raise _bad_url()


def locate(url: str) -> FilePlace | None:
    """Return the path of the ledger's file, or ``None`` for a server. Raises `LedgerError` if it is not ours."""
    scheme, _, name = url.partition("://")
    if scheme != "sqlite":
        return None
    place = FilePlace(Path(name.removeprefix("/")))
    # A damaged file, or one that is no database, can still be replaced by a backup, and is kept.
    with suppress(sqlite3.Error):
        look_at(place)
    return place


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise _bad_url() from None


def _bad_url() -> LedgerError:
    # The message leaves out the URL, which may contain a password.
    return LedgerError("the ledger's url must begin with sqlite:/// or postgresql+psycopg://")


def _connect_postgres(url: URL, *, read_only: bool) -> Database:
    # Without the parameters, which may have a password, too.
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
    """Return the URL with `_PATIENCE`, unless it has settings of its own."""
    missing = {name: value for name, value in _PATIENCE.items() if name not in url.query}
    return url.set(drivername="postgresql+psycopg").update_query_dict(missing)


def _set_up(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{ABANDONED}'")
    # Else the settings would be lost when the first transaction is rolled back.
    connection.commit()
