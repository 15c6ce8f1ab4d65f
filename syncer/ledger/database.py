"""Transactions, and database errors as messages that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Engine, TextClause, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from syncer.domain.redact import unexpected
from syncer.ledger import direct
from syncer.ledger.errors import UNREADABLE, Conflict, LedgerError, Locked
from syncer.ledger.marks import BUSY_SECONDS
from syncer.ledger.place import Place
from syncer.ledger.questions import Ask

# SQLite names the columns of a broken rule, PostgreSQL its index.
_RULES: Final = {
    "replica.task, replica.system": "one_open_replica",
    "operation.task, operation.system, operation.action": "one_unsettled_operation",
}
_LOCK: Final = 0x5359_4E43
"""The first half of the key of our advisory locks on PostgreSQL. The second half is the ledger's schema."""
_LOCK_TIMEOUT: Final = "55P03"
_DAMAGE: Final = "malformed"
_RIGHTS: Final = "the owner and the mode of the file and its folder, and whether the disk is mounted read-only"
_ADVICE: Final = {
    "not a database": "it is no ledger; check the path, or move the file away and run again",
    "readonly": f"it cannot be written; check {_RIGHTS}",
    "unable to open": f"check {_RIGHTS}",
    "disk I/O error": "the disk has failed, or there is no room left on it",
    "is full": "there is no room left on the disk; make room, and the next run goes on",
}


class Database:
    """An engine with two kinds of transactions. ``where`` names it to people, without a password."""

    def __init__(self, engine: Engine, where: str, *, read_only: bool = False, place: Place | None = None) -> None:
        self.engine = engine
        self.where = where
        self.read_only = read_only
        self.place = place or Place()
        postgres = engine.dialect.name == "postgresql"
        # By default, each statement on PostgreSQL sees what was committed meanwhile, so two answers of one reading
        # could contradict each other.
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = engine.execution_options(**snapshot) if postgres else engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open one consistent view of the ledger. Raises `LedgerError`."""
        with self.translated(), self._readers.begin() as connection:
            _begin(connection, write=False)
            with understood(self.where, self.place):
                yield connection

    @contextmanager
    def writing(self, patience: float = BUSY_SECONDS) -> Iterator[Connection]:
        """Open one write transaction. It first waits for other writers for up to this number of seconds.

        Raises `LedgerError`, `Conflict`, and `LedgerReplaced` if the file is no longer the one that was opened.
        """
        if self.read_only:
            msg = f"the ledger {self.where} was opened for reading only"
            raise LedgerError(msg)
        # If somebody put another file there, we would write into one that nobody reads any more.
        self.place.check()
        with self.translated(), self.changing(patience) as connection:
            yield connection
        # The write has changed the file's time and size, by which another file in its place is noticed.
        self.place.wrote()

    @contextmanager
    def changing(self, patience: float = BUSY_SECONDS) -> Iterator[Connection]:
        """Open a write transaction for the schema: also in a read-only copy, and without translating errors."""
        with self.engine.begin() as connection:
            _begin(connection, write=True, patience=patience)
            yield connection

    def dispose(self) -> None:
        self.place.leave()
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn the driver's errors into `LedgerError` and `Conflict`. Errors of our own code are not changed."""
        try:
            yield
        except DBAPIError as error:
            raise told(self.where, self.place, error) from error
        # From what goes around SQLAlchemy, see `_begin_sqlite`.
        except sqlite3.Error as error:
            raise told(self.where, self.place, error) from error
        except StatementError as error:
            # An error of a column type, such as an instant without a zone: a bug of ours, not of the database.
            if error.orig is None:
                raise
            raise error.orig from None


def told(where: str, place: Place, error: Exception) -> LedgerError:
    """Return the driver's error, or that of a damaged value, as a message that says what to do."""
    if isinstance(error, UNREADABLE):
        return damaged(where, f"a value in it cannot be read ({unexpected(error)})", place)
    original = error.orig if isinstance(error, DBAPIError) else error
    # The first line only: in PostgreSQL's others stand values of the row.
    words = str(original).strip().partition("\n")[0]
    # Told apart: here not the disk is at fault, but two writers or a bug of ours. A trigger is none of our rules.
    by_trigger = getattr(original, "sqlite_errorname", "") == "SQLITE_CONSTRAINT_TRIGGER"
    if isinstance(error, IntegrityError | sqlite3.IntegrityError) and not by_trigger:
        return Conflict(where, _constraint(original, words))
    if "is locked" in words or getattr(original, "sqlstate", None) == _LOCK_TIMEOUT:
        return Locked(where)
    if _DAMAGE in words:
        return damaged(where, words, place)
    advice = next((advice for hint, advice in _ADVICE.items() if hint in words), "")
    return LedgerError(f"the ledger {where} cannot be used: {words}" + (f"; {advice}" if advice else ""))


@contextmanager
def understood(where: str, place: Place) -> Iterator[None]:
    """Raise `LedgerError` for a value that cannot be converted: in a block that only reads, that is damage."""
    try:
        yield
    except UNREADABLE as error:
        raise told(where, place, error) from error


def damaged(where: str, words: str, place: Place) -> LedgerError:
    """Return the message for a damaged ledger."""
    copies = place.backups()
    remedy = f"put its last copy back: syncer ledger restore {copies[-1]}" if copies else "restore a copy"
    return LedgerError(
        f"the ledger {where} cannot be used: {words}; it is damaged; {remedy}; "
        "or move it away and run again to rebuild it from the CRMs"
    )


def asking(connection: Connection) -> Ask:
    """Return a function that asks this connection in plain SQL."""

    def ask(sql: str, /, **values: object) -> Sequence[Sequence[Any]]:
        if connection.dialect.name == "sqlite":
            return direct.answer(connection, sql, values)
        return connection.execute(_statement(sql), values).all()

    return ask


@cache
def _statement(sql: str) -> TextClause:
    return text(sql)


def _begin(connection: Connection, *, write: bool, patience: float = BUSY_SECONDS) -> None:
    """Begin the transaction ourselves, so that writers wait for each other, but not longer than this."""
    if connection.dialect.name == "sqlite":
        _begin_sqlite(connection, "BEGIN IMMEDIATE" if write else "BEGIN", patience)
    elif write:
        # PostgreSQL locks single rows. Without this lock, two writers could both pass a check that only one may pass.
        # At least 1: PostgreSQL takes 0 for no limit.
        wait = f"SET LOCAL lock_timeout = {max(1, int(patience * 1000))}"
        connection.exec_driver_sql(f"{wait}; SELECT pg_advisory_xact_lock({_LOCK}, hashtext(current_schema()))")


def _begin_sqlite(connection: Connection, how: str, patience: float) -> None:
    """Begin at once. The driver would begin with the first write, and then SQLite cannot wait for other writers.

    This bypasses SQLAlchemy's statements and events, because either costs more time than SQLite's own work.
    """
    cursor = connection.connection.cursor()
    if patience == BUSY_SECONDS:
        cursor.execute(how)
        return
    cursor.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}").fetchall()
    try:
        cursor.execute(how)
    finally:
        # The connection goes back to the pool, and its next user expects the usual patience.
        cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}").fetchall()


def _constraint(error: object, words: str) -> str:
    named = getattr(getattr(error, "diag", None), "constraint_name", None)
    columns = words.partition("failed: ")[2] or words
    return str(named or _RULES.get(columns, columns))
