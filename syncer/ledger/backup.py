"""Back up a ledger's file while it is in use, and restore it when it is not."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncer.files import beside, keep_name, make_draft, refuse_link
from syncer.ledger import stale
from syncer.ledger.errors import LedgerError, Locked
from syncer.ledger.holder import LEASE
from syncer.ledger.place import FilePlace, Place
from syncer.ledger.sqlite import is_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT: Final = 2
"""How many daily backups are kept."""

# After so many pages (8 MB) the copy looks whether it is to end.
_PAGES: Final = 2000
_AS_COPY: Final = (
    # A program that opens the backup anywhere must see that it is a copy, and that no run holds it.
    "UPDATE cursor SET value = '' WHERE name IN ('fingerprint', 'daemon')",
    f"DELETE FROM lease WHERE name = '{LEASE}'",  # noqa: S608 - a constant
)
_IDENTITY: Final = "SELECT name, value FROM cursor WHERE name LIKE 'identity:%'"
_PLACE: Final = "SELECT name, value FROM cursor WHERE name = 'fingerprint' AND value <> ''"
_NAME_ANOTHER: Final = "it is not overwritten; name another file"


class Ended(Exception):
    """The backup was stopped before it was complete."""


def copy(source: Path, target: Path, *, ended: Callable[[], bool] = lambda: False) -> None:
    """Make a consistent copy, including what is in the log. Writers are not delayed.

    ``target`` must be a ledger or not exist. Raises `LedgerError`, and `Ended`.
    """
    _check_readable(source, "no copy was made of it")
    _check_target(source, target)
    with _told(target), _draft(target) as draft:
        _copy_pages(source, draft, ended)
        draft.replace(target)
        # A log beside it belongs to the file that was there before.
        stale.put_log_aside(target)
        keep_name(target)


def daily(place: Place, day: date, *, ended: Callable[[], bool] = lambda: False) -> Path | None:
    """Make the day's backup beside the ledger and keep the last `KEPT`; ``None`` if there was one already.

    A ledger on a server is backed up by the server's own tools.
    """
    if not isinstance(place, FilePlace):
        return None
    target = place.path.with_name(f"{place.path.name}.backup-{day.isoformat()}")
    if target.is_file() and not target.is_symlink():
        return None
    copy(place.path, target, ended=ended)
    # A backup with a later date was made while our clock was ahead.
    made = sorted(place.backups(), key=lambda path: (path.name <= target.name, path.name))
    for old in made[:-KEPT]:
        with suppress(OSError):
            old.unlink()
    return target


def put_back(source: Path, place: FilePlace) -> Path | None:
    """Restore a backup. Returns where the present ledger was moved to. No process may have the ledger open.

    Raises `LedgerError` if the backup is no ledger, damaged, or another account's, and `Locked` if a process has the
    ledger open.
    """
    _check_source(source)
    _check_account(source, place.path, "nothing was changed")
    with _told(place.path), _draft(place.path) as draft:
        _copy_pages(source, draft, lambda: False)
        if not place.path.exists():
            draft.replace(place.path)
            stale.put_log_aside(place.path)
            return None
        with stale.alone(place.path) as nobody_else:
            # SQLite would go on writing into the file that was moved away, and nobody would read it again.
            if not nobody_else:
                raise Locked(str(place.named))
            return _swap(draft, place.path)


def _swap(draft: Path, path: Path) -> Path:
    kept = path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    # The log is moved, too, because it is part of the ledger.
    # A link and not a move, so that there is a ledger at this path at every moment.
    os.link(path, kept)
    log = stale.log_of(path)
    if log.exists():
        log.rename(stale.log_of(kept))
    draft.replace(path)
    stale.put_log_aside(path)
    keep_name(path)
    return kept


def _check_target(source: Path, target: Path) -> None:
    try:
        refuse_link(target)
    except OSError as error:
        msg = f"{target} cannot be written: {error.strerror}"
        raise LedgerError(msg) from error
    if not target.parent.is_dir():
        msg = f"{target} cannot be written: the folder {target.parent} does not exist; create it"
        raise LedgerError(msg)
    if not target.exists():
        return
    if target.samefile(source):
        msg = f"{target} is the ledger itself; name another file"
        raise LedgerError(msg)
    _check_ledger(target, _NAME_ANOTHER)
    if _asked(target, _PLACE):
        msg = f"{target} is a ledger that a program uses, and not a backup; {_NAME_ANOTHER}"
        raise LedgerError(msg)
    _check_account(target, source, _NAME_ANOTHER)


def _check_source(source: Path) -> None:
    if not source.is_file():
        msg = f"there is no file {source}"
        raise LedgerError(msg)
    _check_ledger(source, "nothing was changed")


def _check_readable(path: Path, what: str) -> None:
    # SQLite only says that it cannot open the file.
    if path.exists() and not os.access(path, os.R_OK):
        msg = f"{path} cannot be read: {os.strerror(errno.EACCES)}; {what}"
        raise LedgerError(msg)


def _check_ledger(path: Path, what: str) -> None:
    _check_readable(path, what)
    try:
        # For SQLite, an empty file is a database.
        if path.stat().st_size and is_ledger(path):
            return
    except (sqlite3.Error, LedgerError, OSError):
        pass
    msg = f"{path} is no ledger; {what}"
    raise LedgerError(msg)


def _check_account(other: Path, present: Path, what: str) -> None:
    """Refuse a ledger that belongs to other CRM accounts, if both ledgers tell which ones they belong to."""
    here, there = _asked(present, _IDENTITY), _asked(other, _IDENTITY)
    for name in sorted(here.keys() & there.keys()):
        if here[name] != there[name]:
            system = name.partition(":")[2]
            words = f"there [{system}] is {there[name]}, here it is {here[name]}"
            msg = f"{other} is the ledger of another account: {words}; {what}"
            raise LedgerError(msg)


def _asked(path: Path, query: str) -> Mapping[str, str]:
    """Return the cursors that this query finds in the ledger of this path."""
    if not path.exists():
        return {}
    try:
        with closing(stale.open_to_read(path)) as connection:
            return dict(connection.execute(query).fetchall())
    except sqlite3.Error:
        # A damaged ledger cannot tell, and is the reason to restore a backup.
        return {}


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Open a new private file beside the target. It is deleted afterwards if it was not moved to the target."""
    draft = beside(target)
    make_draft(draft, target)
    try:
        yield draft
    finally:
        for file in (draft, draft.with_name(f"{draft.name}-journal")):
            with suppress(OSError):
                file.unlink()


def _copy_pages(source: Path, draft: Path, ended: Callable[[], bool]) -> None:
    def step(_status: int, _remaining: int, _total: int) -> None:
        if ended():
            raise Ended

    with (
        closing(stale.open_to_read(source, isolation_level=None)) as reader,
        closing(sqlite3.connect(draft, isolation_level=None)) as writer,
    ):
        # Within one read transaction the writes of others are not seen, so that the copy never has to start again.
        reader.execute("BEGIN")
        # BEGIN alone sees nothing yet: SQLite takes its view with the first read.
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=_PAGES, progress=step, sleep=0)
        reader.execute("ROLLBACK")
        # A backup must be one file, and a log would be a second one.
        writer.execute("PRAGMA journal_mode = DELETE").fetchall()
        for statement in _AS_COPY:
            writer.execute(statement)
        found = writer.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            msg = f"the ledger {source} is damaged: {' '.join(str(found).split())}; no copy was made of it"
            raise LedgerError(msg)
    with draft.open("rb") as written:
        os.fsync(written.fileno())


@contextmanager
def _told(where: Path) -> Iterator[None]:
    """Turn errors of the disk and of SQLite into `LedgerError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"the copy {where} cannot be written: {words}"
        raise LedgerError(msg) from error
