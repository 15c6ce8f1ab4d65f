"""Connections: files that only their owner reads, transactions, and errors that say what to do."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, StatementError
from sqlalchemy.pool import QueuePool, StaticPool

from syncer.ledger.errors import Conflict, LedgerError

BUSY_SECONDS: Final = 30
_RULES: Final = {
    "replica.task, replica.system": "one_open_replica",
    "operation.task, operation.system, operation.action": "one_unsettled_operation",
}
_ADVICE: Final = {
    "not a database": "it is no ledger; check the path, or move the file away and run again",
    "malformed": "it is damaged; restore a copy, or move it away and run again to rebuild it from the CRMs",
    "locked": "another process keeps it locked; try again when that has ended",
    "readonly": "it may not be written; check the owner and the mode of the file and its folder",
    "is full": "there is no room left on the disk",
}


class Database:
    """An engine with two kinds of transactions. ``where`` names it to people, without a password."""

    def __init__(self, engine: Engine, where: str, *, read_only: bool = False) -> None:
        self.engine = engine
        self.where = where
        self.read_only = read_only
        postgres = engine.dialect.name == "postgresql"
        snapshot = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._readers = engine.execution_options(**snapshot) if postgres else engine

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view of the ledger. Raises `LedgerError`."""
        with self.translated(), self._readers.begin() as connection:
            _begin(connection, "BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """One transaction that waits for other writers first. Raises `LedgerError`, `Conflict`."""
        if self.read_only:
            msg = f"the ledger {self.where} was opened for reading only"
            raise LedgerError(msg)
        with self.translated(), self.changing() as connection:
            yield connection

    @contextmanager
    def changing(self) -> Iterator[Connection]:
        """What `writing` does, for the schema: also in a copy that is for reading only, and errors as they are."""
        with self.engine.begin() as connection:
            _begin(connection, "BEGIN IMMEDIATE")
            yield connection

    def dispose(self) -> None:
        self.engine.dispose()

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Turn what the driver raises into `LedgerError` and `Conflict`; a bug of ours stays what it is."""
        try:
            yield
        except DBAPIError as error:
            raise _translate(error, error.orig, self.where) from error
        except sqlite3.Error as error:
            raise _translate(error, error, self.where) from error
        except StatementError as error:
            if error.orig is None:
                raise
            raise error.orig from None


def connect(url: str, *, read_only: bool = False) -> Database:
    """A database for ``sqlite:///path`` or ``postgresql+psycopg://…``; a SQLite file is created if need be.

    With ``read_only`` a SQLite file that is not there is an empty ledger in memory. Raises `LedgerError`.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        # Taken as it is: SQLAlchemy would decode percent signs, which are part of a file's name.
        return _connect_sqlite(rest.removeprefix("/"), read_only=read_only)
    if scheme in {"postgresql", "postgresql+psycopg"}:
        return _connect_postgres(_parse(url), read_only=read_only)
    raise _bad_url()


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):
        raise _bad_url() from None


def _bad_url() -> LedgerError:
    # Without the URL, which may hold a password.
    return LedgerError("the ledger's url must begin with sqlite:/// or postgresql+psycopg://")


def memory(where: str, content: sqlite3.Connection | None = None, *, read_only: bool = False) -> Database:
    """A SQLite database in memory, with a copy of ``content``."""

    def open_memory() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        if content is not None:
            content.backup(connection)
        return connection

    return Database(_sqlite_engine(open_memory, StaticPool), where, read_only=read_only)


def _connect_sqlite(name: str, *, read_only: bool) -> Database:
    if name in {"", ":memory:"}:
        return memory("in memory", read_only=read_only)
    path = Path(name)
    if not path.parent.is_dir():
        msg = f"the ledger {path} cannot be opened: the folder {path.parent} does not exist"
        raise LedgerError(msg)
    if read_only and not path.exists():
        return memory(str(path), read_only=True)
    if not read_only:
        _make_private(path)
    return Database(_sqlite_engine(_opener(path, read_only=read_only), QueuePool), str(path), read_only=read_only)


def _make_private(path: Path) -> None:
    """Create the file before SQLite does, for its owner alone; SQLite gives its -wal and -shm the same mode."""
    try:
        # Only a file that is new may be opened and closed here: closing it drops every lock that this
        # process, in another thread, holds on it.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        _tighten(path)
    except OSError as error:
        msg = f"the ledger {path} cannot be created: {error.strerror}"
        raise LedgerError(msg) from error


def _tighten(path: Path) -> None:
    if not path.is_file():
        msg = f"the ledger {path} is no file"
        raise LedgerError(msg)
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            if os.name == "posix" and file.stat().st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            msg = f"others can read the ledger {file}, and that cannot be changed: {error.strerror}"
            raise LedgerError(msg) from error


def _opener(path: Path, *, read_only: bool) -> Callable[[], sqlite3.Connection]:
    uri = f"file:{quote(os.fspath(path.absolute()))}?mode={'ro' if read_only else 'rw'}"

    def open_file() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA foreign_keys=ON").close()
            connection.execute("PRAGMA synchronous=FULL").close()
            if not read_only:
                _keep_log(connection)
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return open_file


def _keep_log(connection: sqlite3.Connection) -> None:
    """Write-ahead logging. A new file changes over once, and then SQLite does not wait for others by itself."""
    end = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > end:
                raise
            sleep(0.005)
        else:
            return


def _sqlite_engine(creator: Callable[[], sqlite3.Connection], pool: type[QueuePool | StaticPool]) -> Engine:
    return create_engine("sqlite+pysqlite://", creator=creator, poolclass=pool, hide_parameters=True)


def _begin(connection: Connection, how: str) -> None:
    """Begin in SQLite by ourselves: the driver would begin late, and a reader that starts to write cannot wait.

    Neither through SQLAlchemy's statements nor its events, either of which costs more than SQLite's own work.
    """
    if connection.dialect.name == "sqlite":
        connection.connection.cursor().execute(how)


def _connect_postgres(url: URL, *, read_only: bool) -> Database:
    where = url.set(drivername="postgresql").render_as_string(hide_password=True).partition("?")[0]
    try:
        engine = create_engine(url.set(drivername="postgresql+psycopg"), hide_parameters=True)
    except ImportError as error:
        msg = f"the ledger {where} needs the PostgreSQL driver; run: pip install 'syncer[postgresql]'"
        raise LedgerError(msg) from error
    event.listen(engine, "connect", _utc_session)
    return Database(engine, where, read_only=read_only)


def _utc_session(connection: Any, _record: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _translate(error: Exception, original: object, where: str) -> LedgerError:
    words = str(original).strip().partition("\n")[0]
    if isinstance(error, IntegrityError):
        return Conflict(where, _constraint(original, words))
    advice = next((advice for hint, advice in _ADVICE.items() if hint in words), "")
    return LedgerError(f"the ledger {where} cannot be used: {words}" + (f"; {advice}" if advice else ""))


def _constraint(error: object, words: str) -> str:
    named = getattr(getattr(error, "diag", None), "constraint_name", None)
    columns = words.partition("failed: ")[2] or words
    return str(named or _RULES.get(columns, columns))
