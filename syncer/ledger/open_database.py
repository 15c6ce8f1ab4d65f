"""Open a ledger's database with the schema that this program knows."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from syncer.ledger.connect import connect
from syncer.ledger.database import Database
from syncer.ledger.errors import LedgerError
from syncer.ledger.marks import HEAD
from syncer.ledger.schema import migrate, version
from syncer.ledger.sqlite import memory
from syncer.ledger.stale import open_to_read


def open_database(url: str, *, read_only: bool) -> Database:
    """Open the database of a URL. It is created or upgraded if needed, unless ``read_only``. Raises `LedgerError`."""
    database = connect(url, read_only=read_only)
    try:
        with database.translated():
            if not read_only:
                migrate(database)
                return database
            return _as_it_should_be(database)
    # An open file is counted, and would count as open for as long as this process lives.
    except BaseException:
        database.dispose()
        raise


def _as_it_should_be(database: Database) -> Database:
    """Return a database with the current schema, for reading. The stored database is not changed."""
    stored = version(database.engine)
    if stored == HEAD:
        return database
    # A server's database cannot be copied to upgrade the copy, as a file can.
    if stored is not None and database.engine.dialect.name != "sqlite":
        msg = f"the ledger {database.where} is of an older version; run `syncer sync --once` to upgrade it first"
        raise LedgerError(msg)
    copy = memory(database.where, read_only=True) if stored is None else _copy(database)
    database.dispose()
    try:
        migrate(copy)
    except BaseException:
        copy.dispose()
        raise
    return copy


def _copy(database: Database) -> Database:
    path = database.where
    with closing(open_to_read(Path(path))) as content:
        copy = memory(path, content, read_only=True, place=database.place)
        # The copy is made with the first connection.
        copy.engine.connect().close()
    return copy
