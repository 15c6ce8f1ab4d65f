"""SQLite files. Ours can be read by their owner only. Files that are not ours are never changed."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Engine, create_engine, make_url
from sqlalchemy.pool import QueuePool, StaticPool
from sqlalchemy.util import LRUCache

from syncer.files import refuse_link
from syncer.ledger.database import Database, damaged
from syncer.ledger.errors import LedgerError
from syncer.ledger.marks import APPLICATION_ID, BUSY_SECONDS
from syncer.ledger.place import FilePlace, Place
from syncer.ledger.stale import has_log, log_of, open_to_read, uri_of, without_log

SYNCHRONOUS: Final = "FULL"
"""With this setting, what is committed has reached the disk and survives a power cut."""


def memory(
    where: str,
    content: sqlite3.Connection | None = None,
    *,
    read_only: bool = False,
    place: Place | None = None,
) -> Database:
    """Return a SQLite database in memory, with a copy of ``content``. ``place`` is where the original is."""

    def open_memory() -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA foreign_keys=ON")
        _lower_every_letter(connection)
        if content is not None:
            content.backup(connection)
        return connection

    # One connection for all: another one would be another database, and empty.
    return Database(sqlite_engine(open_memory, StaticPool), where, read_only=read_only, place=place)


def open_file(name: str, *, read_only: bool) -> Database:
    """Open a ledger's file. It is created if it is missing, unless ``read_only``. Raises `LedgerError`."""
    if name in {"", ":memory:"}:
        return memory("in memory", read_only=read_only)
    named = Path(name)
    if not named.parent.is_dir():
        msg = f"the ledger {named} cannot be opened: the folder {named.parent} does not exist; create it"
        raise LedgerError(msg)
    place = FilePlace(named)
    database = Database(
        sqlite_engine(opener(place.path, read_only=read_only, place=place), QueuePool),
        str(named),
        read_only=read_only,
        place=place,
    )
    with database.translated():
        # Whoever only looks creates no file. A ledger that is not there yet is an empty one.
        if not look_at(place) and read_only:
            return memory(str(named), read_only=True)
    if not read_only:
        _make_ready(place)
    return database


def is_ledger(path: Path) -> bool:
    """Whether the file is a ledger. An empty database is none. The file is not changed.

    Raises `sqlite3.Error` if it is no database, and `LedgerError` if it is the database of another program.
    """
    # If there is a log, SQLite has to create files of its own to read it. Else ``immutable`` keeps it from doing so.
    try:
        ours, tables = _look_into(path, open_to_read if has_log(path) else without_log)
        is_clear = ours or "alembic_version" not in tables
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_CORRUPT:
            raise
        is_clear = False
    if not is_clear:
        # That look takes no lock, and another process may be creating or writing the ledger right now. This one waits
        # until it has finished.
        ours, tables = _look_into(path, open_to_read)
    if tables and not ours:
        words = ", ".join(sorted(tables)[:5])
        msg = f"the database {path} has tables of another program ({words}); name another ledger"
        raise LedgerError(msg)
    return ours


def _look_into(path: Path, opened: Callable[..., sqlite3.Connection]) -> tuple[bool, list[str]]:
    """Whether the database is marked as ours, and the names of its tables."""
    with closing(opened(path, timeout=BUSY_SECONDS)) as connection:
        ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
        return ours, [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]


def check_whole(connection: Connection, where: str, place: Place) -> None:
    """Raise `LedgerError` if the file is damaged. This is checked if the file was replaced."""
    found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    if found != "ok":
        raise damaged(where, " ".join(str(found).split()), place)


def look_at(place: FilePlace) -> bool:
    """Whether a ledger exists there. Raises `LedgerError` for a file that is not ours, without changing it."""
    named, path = place.named, place.path
    linked = named.is_symlink()
    if not path.exists() and not linked:
        return False
    if not path.is_file():
        msg = f"the ledger {named} is a folder or a device, not a file; name another ledger"
        raise LedgerError(msg)
    # Through a link, SQLite would write our tables into any empty file that the link names.
    if not is_ledger(path) and linked:
        msg = f"the ledger {named} is a link to {path}, which is no ledger; remove the link, or name another ledger"
        raise LedgerError(msg)
    return True


def _make_ready(place: FilePlace) -> None:
    """Create the file before SQLite does, readable by its owner only. SQLite gives its -wal and -shm the same mode."""
    path = place.path
    _refuse_links(path)
    try:
        # Only a new file may be opened and closed here: closing a file drops all locks that this process has on it,
        # also those of other threads.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        _tighten(path)
    except OSError as error:
        msg = f"the ledger {path} cannot be created: {error.strerror}"
        raise LedgerError(msg) from error
    try:
        place.settle()
    except OSError as error:
        msg = f"the ledger {path} was restored; its old log {log_of(path)} cannot be moved away: {error.strerror}"
        raise LedgerError(msg) from error


def _refuse_links(path: Path) -> None:
    """Refuse links at the paths of SQLite's own files: SQLite would change the mode of a file that is not ours."""
    for suffix in ("-wal", "-shm", "-journal"):
        file = Path(f"{path}{suffix}")
        try:
            refuse_link(file)
        except OSError as error:
            msg = f"the ledger {path} cannot be opened: {file} is not our file ({error.strerror}); remove it"
            raise LedgerError(msg) from error


def _tighten(path: Path) -> None:
    for file in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            if os.name == "posix" and file.stat().st_mode & 0o077:
                file.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            msg = f"others can read the ledger; run: chmod 600 {file} (we may not: {error.strerror})"
            raise LedgerError(msg) from error


def opener(path: Path, *, read_only: bool, place: Place | None = None) -> Callable[[], sqlite3.Connection]:
    """Return a function that opens a connection to the file."""
    # Never with mode=rwc: if the file was removed, SQLite would create an empty ledger in its place, and everything
    # would look new.
    uri = f"{uri_of(path)}?mode=rw"
    place = place or Place()

    def open_file() -> sqlite3.Connection:
        with place.connecting():
            # Our own statements begin transactions. A ledger may be opened in one thread and used in another.
            how: Any = {"timeout": BUSY_SECONDS, "isolation_level": None, "check_same_thread": False}
            connection = open_to_read(path, **how) if read_only else sqlite3.connect(uri, uri=True, **how)
        try:
            connection.execute("PRAGMA foreign_keys=ON").close()
            connection.execute(f"PRAGMA synchronous={SYNCHRONOUS}").close()
            _lower_every_letter(connection)
            if not read_only:
                _keep_log(connection)
                place.wrote()
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    return open_file


def _lower_every_letter(connection: sqlite3.Connection) -> None:
    """Let ``lower`` know all letters, as in PostgreSQL. SQLite's own knows those of English only."""
    connection.create_function("lower", 1, lambda text: None if text is None else str(text).lower(), deterministic=True)


def _keep_log(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. A new file is switched once, and SQLite does not wait for other processes then."""
    end = monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL").close()
            # The connection that switches a file opens the log only when it reads. Until then it holds no lock, and
            # another process that closes its own last connection deletes the log.
            connection.execute("SELECT 1 FROM sqlite_master").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > end:
                raise
            sleep(0.005)
        else:
            return


def sqlite_engine(creator: Callable[[], sqlite3.Connection], pool: type[QueuePool | StaticPool]) -> Engine:
    """Return an engine with these connections. All engines of a process share what they know of their statements.

    A ledger is opened for each run, and to compile the statements anew would take longer than to execute them.
    """
    dialect = _dialect()
    # SQLAlchemy describes a connection in more detail than `sqlite3` does.
    connect: Any = creator
    return Engine(
        pool(connect, dialect=dialect),
        dialect,
        make_url(_URL),
        hide_parameters=True,
        execution_options={"compiled_cache": COMPILED},
    )


_URL: Final = "sqlite+pysqlite://"
COMPILED: Final = LRUCache[Any, Any](200)
"""The statements that were compiled in this process, the latest ones. A daemon needs some sixty."""


@cache
def _dialect() -> Dialect:
    engine = create_engine(_URL)
    # With its first connection the dialect learns which SQLite this is.
    engine.connect().close()
    engine.dispose()
    return engine.dialect
