"""Copies of a ledger's file: made while it is in use, and put back when it is not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from syncer.files import beside, keep_name, refuse_link
from syncer.ledger import stale
from syncer.ledger.errors import LedgerError, Locked
from syncer.ledger.holder import LEASE
from syncer.ledger.place import FilePlace, Place
from syncer.ledger.sqlite import is_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

KEPT: Final = 2
"""How many daily copies stay."""

_PAGES: Final = 2000
_AS_COPY: Final = (
    # So that whoever opens it, wherever that is, knows that it is a copy, and that nobody runs it.
    "UPDATE cursor SET value = '' WHERE name IN ('fingerprint', 'daemon')",
    f"DELETE FROM lease WHERE name = '{LEASE}'",  # noqa: S608 - a constant
)
_IDENTITY: Final = "SELECT name, value FROM cursor WHERE name LIKE 'identity:%'"


class Ended(Exception):
    """Somebody asked for the end before the copy was whole."""


def copy(source: Path, target: Path, *, ended: Callable[[], bool] = lambda: False) -> None:
    """A consistent copy, with what lies in a log beside it, in one step; who writes meanwhile is not held up.

    What is at ``target`` must be a ledger, or nothing. Raises `LedgerError`, and `Ended`.
    """
    _check_target(source, target)
    with _told(target), _draft(target) as draft:
        _copy_pages(source, draft, ended)
        draft.replace(target)
        stale.put_log_aside(target)
        keep_name(target)


def daily(place: Place, day: date, *, ended: Callable[[], bool] = lambda: False) -> Path | None:
    """The day's copy beside the ledger, and no more than `KEPT` of them; ``None`` if there was one already.

    A server's ledger is copied by its own tools.
    """
    if not isinstance(place, FilePlace):
        return None
    target = place.path.with_name(f"{place.path.name}.backup-{day.isoformat()}")
    if target.is_file() and not target.is_symlink():
        return None
    copy(place.path, target, ended=ended)
    # What is dated later was made by a clock that was ahead.
    made = sorted(place.backups(), key=lambda path: (path.name <= target.name, path.name))
    for old in made[:-KEPT]:
        with suppress(OSError):
            old.unlink()
    return target


def put_back(source: Path, place: FilePlace) -> Path | None:
    """Put a copy in the ledger's place; where the present one is now. Nobody may have the ledger open.

    Raises `LedgerError` for what is no ledger, for a damaged one, and for one of another account; `Locked` where
    somebody has it open.
    """
    _check_source(source)
    _check_account(source, place.path)
    with _told(place.path), _draft(place.path) as draft:
        _copy_pages(source, draft, lambda: False)
        if not place.path.exists():
            draft.replace(place.path)
            stale.put_log_aside(place.path)
            return None
        with stale.alone(place.path) as nobody_else:
            if not nobody_else:
                raise Locked(str(place.named))
            return _swap(draft, place.path)


def _swap(draft: Path, path: Path) -> Path:
    kept = path.with_name(f"{path.name}.before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
    # Its log goes with it: the two are one ledger.
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
        msg = f"{target} cannot be written: the folder {target.parent} does not exist"
        raise LedgerError(msg)
    if not target.exists():
        return
    if target.samefile(source):
        msg = f"{target} is the ledger itself; name another file"
        raise LedgerError(msg)
    _check_ledger(target, "it is not overwritten; name another file")


def _check_source(source: Path) -> None:
    if not source.is_file():
        msg = f"there is no file {source}"
        raise LedgerError(msg)
    _check_ledger(source, "nothing was changed")


def _check_ledger(path: Path, what: str) -> None:
    try:
        if path.stat().st_size and is_ledger(path):
            return
    except (sqlite3.Error, LedgerError, OSError):
        pass
    msg = f"{path} is no ledger; {what}"
    raise LedgerError(msg)


def _check_account(source: Path, present: Path) -> None:
    """Refuse a ledger that belongs to other remote accounts, where both say to which they belong."""
    here, there = _identities(present), _identities(source)
    for name in sorted(here.keys() & there.keys()):
        if here[name] != there[name]:
            system = name.partition(":")[2]
            msg = (
                f"{source} is the ledger of another account: there {system} is {there[name]}, here it is {here[name]}; "
                "nothing was changed"
            )
            raise LedgerError(msg)


def _identities(path: Path) -> Mapping[str, str]:
    if not path.exists():
        return {}
    try:
        with closing(sqlite3.connect(f"{stale.uri_of(path)}?mode=ro", uri=True)) as connection:
            return dict(connection.execute(_IDENTITY).fetchall())
    except sqlite3.Error:
        # A damaged one cannot tell, and is what a copy is put back for.
        return {}


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A new file beside the target, ours alone, which is gone afterwards if it was not put there."""
    draft = beside(target)
    os.close(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
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
        closing(sqlite3.connect(f"{stale.uri_of(source)}?mode=ro", uri=True, isolation_level=None)) as reader,
        closing(sqlite3.connect(draft, isolation_level=None)) as writer,
    ):
        # Within one reading what others write is not seen, so that the copy need never begin anew.
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        reader.backup(writer, pages=_PAGES, progress=step, sleep=0)
        reader.execute("ROLLBACK")
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
    """Turn what the disk and SQLite raise into `LedgerError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"the copy {where} cannot be written: {words}"
        raise LedgerError(msg) from error
