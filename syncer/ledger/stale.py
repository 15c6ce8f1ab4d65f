"""A write-ahead log that does not belong to the file it lies beside: somebody put an older copy there.

SQLite takes such a log for the file's own, and so makes one database of two. The log is never thrown away: it is
put aside, as ``<file>-wal.stale-<time>``.
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

from syncer.files import beside

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
    """This process has the file with this device and number open."""
    _open[key] += 1


def closed(key: tuple[int, int]) -> None:
    _open[key] -= 1


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody has the database open, who could not open it either meanwhile."""
    found = path.stat()
    # To close a file drops all locks that this process has on it, SQLite's too.
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
    """How far a file has come, whatever lies in a log beside it: its runs and the last event that it ever had.

    SQLite moves what is in the log into the file again and again, so that this only ever grows.
    """

    runs: int = -1
    event: int = -1


def age_of(path: Path) -> Age:
    """The least of all ages for what is no ledger.

    SQLite reads it without locks, for to close a file that one has opened oneself drops the locks of one's process.
    """
    try:
        with closing(sqlite3.connect(f"{uri_of(path)}?mode=ro&immutable=1", uri=True)) as connection:
            runs, event = (connection.execute(query).fetchone() for query in _AGE)
            return Age(int(runs[0]) if runs else 0, int(event[0]) if event else 0)
    except (sqlite3.Error, ValueError):
        return Age()


def settle(path: Path, least: Age) -> None:
    """Put the log aside if the file was once as old as this and no longer is. Raises `OSError`."""
    try:
        if log_of(path).stat().st_size == 0 or age_of(path) >= least:
            return
    except FileNotFoundError:
        return
    with alone(path) as nobody_else:
        # A process that has it open notices by itself.
        if nobody_else:
            put_log_aside(path)


def put_log_aside(path: Path) -> Path | None:
    """Where the file's log is now, if there was one. Raises `OSError`."""
    log, aside = log_of(path), None
    if log.exists():
        aside = log.with_name(f"{log.name}.stale-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
        log.rename(aside)
        logger().warning("ledger.stale_log", file=str(log), moved_to=str(aside))
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}-shm").unlink()
    return aside


def take_what_is_there(path: Path) -> None:
    """Make a file of its own of what was copied over an open ledger; whoever has the old one open is cut off from it.

    SQLite leaves a file alone that is no longer where it was opened. Where that cannot be done, nothing is.
    """
    draft = beside(path)
    try:
        before = path.stat()
        os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        shutil.copyfile(path, draft)
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            draft.unlink()
            return
        put_log_aside(path)
        draft.replace(path)
    except OSError as error:
        logger().warning("ledger.not_settled", file=str(path), words=error.strerror)
        with suppress(OSError):
            draft.unlink()


def uri_of(path: Path) -> str:
    """The path as SQLite takes it, without options."""
    return f"file:{quote(os.fspath(path.absolute()))}"


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def logger() -> Any:
    """The ledger's log, imported when there is something to tell: to look at a ledger tells nothing."""
    import structlog

    return structlog.get_logger("syncer.ledger")
