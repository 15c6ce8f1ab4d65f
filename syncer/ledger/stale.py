"""Put aside a write-ahead log that does not belong to the file beside it, because somebody put an older copy there.

SQLite would apply such a log to the file and mix two databases. The log is never deleted, but renamed to
``<file>-wal.stale-<time>``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from syncer.files import beside, make_draft
from syncer.ledger.errors import UNREADABLE

try:
    import fcntl
except ImportError:  # pragma: no cover - Windows lets nobody replace a file that is open
    fcntl = None  # type: ignore[assignment]

# https://www.sqlite.org/src/file/src/os.h: the bytes that SQLite locks, of which everybody who has a database with a
# log open holds one.
_LOCKED_BYTES: Final = (0x4000_0000, 512)
_AGE: Final = ("SELECT value FROM cursor WHERE name = 'runs'", "SELECT seq FROM sqlite_sequence WHERE name = 'event'")
_open: Final[Counter[tuple[int, int]]] = Counter()


def opened(key: tuple[int, int]) -> None:
    """Note that this process has the file with this device and inode open."""
    _open[key] += 1


def closed(key: tuple[int, int]) -> None:
    _open[key] -= 1


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Hold the database so that no process can open it. Yields whether no process has it open."""
    found = path.stat()
    # Closing a file drops all locks of this process on it, including SQLite's.
    if fcntl is None or _open[(found.st_dev, found.st_ino)] > 0:
        yield False
        return
    file = os.open(path, os.O_RDWR)
    try:
        start, length = _LOCKED_BYTES
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, length, start)
    except OSError:
        yield False
    else:
        yield True
    finally:
        os.close(file)


class Age(NamedTuple):
    """The age of a file without its log: the number of its runs, and its last event.

    It only grows, because SQLite regularly moves the log into the file.
    """

    runs: int = -1
    event: int = -1


def age_of(path: Path) -> Age:
    """Return the age of a file, and the lowest age if it is no ledger."""
    try:
        with closing(without_log(path)) as connection:
            runs, event = (connection.execute(query).fetchone() for query in _AGE)
            return Age(int(runs[0]) if runs else 0, int(event[0]) if event else 0)
    except (sqlite3.Error, *UNREADABLE):
        return Age()


def without_log(path: Path, **how: Any) -> sqlite3.Connection:
    """Open the file as it is without its log.

    SQLite reads it without locks. Opening and closing the file ourselves would drop the locks of this process.
    """
    connection: sqlite3.Connection = sqlite3.connect(f"{uri_of(path)}?mode=ro&immutable=1", uri=True, **how)
    return connection


def is_older_copy(path: Path, least: Age) -> bool:
    """Whether the file is whole without its log, and younger than the age that it once had.

    While SQLite writes the log into the file, and after a process was killed in that moment, the file is damaged
    without the log. Then nothing can be told: the log must stay, because only with it is the file whole again.
    """
    before = _written(path)
    return age_of(path) < least and _is_whole(path) and _written(path) == before


def _written(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns)


def _is_whole(path: Path) -> bool:
    """Whether the file is an undamaged database without its log, or no database of SQLite's at all."""
    try:
        with closing(without_log(path)) as connection:
            # Not the quick check: an index may be older than its table.
            return bool(connection.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    except sqlite3.Error as error:
        return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_NOTADB


def settle(path: Path, least: Age) -> None:
    """Put the log aside if an older copy of the ledger was put beside it. Raises `OSError`."""
    try:
        if log_of(path).stat().st_size == 0 or not is_older_copy(path, least):
            return
    except FileNotFoundError:
        return
    with alone(path) as nobody_else:
        # A process that has the file open notices the change itself.
        if nobody_else:
            put_log_aside(path)


def put_log_aside(path: Path) -> Path | None:
    """Put the file's log aside. Returns its new path, or ``None`` if there was none. Raises `OSError`."""
    log, aside = log_of(path), None
    if log.exists():
        aside = log.with_name(f"{log.name}.stale-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
        log.rename(aside)
        logger().warning("ledger.stale_log", file=str(log), moved_to=str(aside))
    with suppress(FileNotFoundError):
        # The index of the log that is gone. SQLite makes a new one.
        path.with_name(f"{path.name}-shm").unlink()
    return aside


def take_what_is_there(path: Path) -> None:
    """Replace a ledger that was copied over by a new file with the same content.

    This cuts off processes that still have the old ledger open: SQLite does not write to a file that is no longer at
    the path where it was opened. On errors nothing is changed.
    """
    draft = beside(path)
    try:
        before = _written(path)
        make_draft(draft, path)
        shutil.copyfile(path, draft)
        if _written(path) != before:
            # Somebody is still copying. The next look finds all of it.
            draft.unlink()
            return
        put_log_aside(path)
        draft.replace(path)
    except OSError as error:
        logger().warning("ledger.not_settled", file=str(path), words=error.strerror)
        with suppress(OSError):
            draft.unlink()


def open_to_read(path: Path, **how: Any) -> sqlite3.Connection:
    """Open a ledger's file for reading only, also on a disk or in a folder where we may not write.

    ``how`` is passed to `sqlite3.connect`.
    """
    log, index = log_of(path), path.with_name(f"{path.name}-shm")
    # SQLite needs these two files beside one that has a log, and creates them if they are missing. Whoever has it open
    # for writing has made them, so that nobody has it open without them.
    can_lock = os.access(path.parent, os.W_OK) or (log.exists() and index.exists())
    if not can_lock and not has_log(path):
        return without_log(path, **how)
    # The index of the log is in memory if there are no locks.
    uri = f"{uri_of(path)}?mode=ro" + ("" if can_lock else "&vfs=unix-none")
    connection: sqlite3.Connection = sqlite3.connect(uri, uri=True, **how)
    if not can_lock:
        connection.execute("PRAGMA locking_mode=EXCLUSIVE").close()
    return connection


def uri_of(path: Path) -> str:
    """Return the path as a URI for SQLite, without options."""
    return f"file:{quote(os.fspath(path.absolute()))}"


def has_log(path: Path) -> bool:
    """Whether something is in the log beside this file."""
    log = log_of(path)
    return log.exists() and log.stat().st_size > 0


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def logger() -> Any:
    """Return the ledger's logger. It is imported on first use, because commands that only read log nothing."""
    import structlog

    return structlog.get_logger("syncer.ledger")
