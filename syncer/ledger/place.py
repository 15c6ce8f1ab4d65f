"""The place of a ledger: whether the file was replaced while it is open, and whether it is a copy."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from syncer.files import write_private
from syncer.ledger import stale
from syncer.ledger.errors import LedgerReplaced

if TYPE_CHECKING:
    from sqlalchemy import Connection

_MACHINE_ID: Final = Path("/etc/machine-id")
_NOTE: Final = re.compile(rb"(\d{1,15}) (-1|\d{1,15}) (-1|\d{1,15})\n")
_LONGEST_NOTE: Final = 64
_NUMBERS: Final = (
    "SELECT oid::text || '/' || 'cursor'::regclass::oid::text FROM pg_database WHERE datname = current_database()"
)


class Place:
    """A ledger in memory, and the base class of other places."""

    local = False
    """Whether only processes of this machine can have it open."""

    def check(self) -> None:
        """Raise `LedgerReplaced` if the open ledger is no longer the one that the account names."""

    def wrote(self) -> None:
        """Called after a transaction of ours was committed."""

    @contextmanager
    def connecting(self) -> Iterator[None]:
        """Wrap each opening of a connection."""
        yield

    def leave(self) -> None:
        """Called before all connections are closed."""

    def fingerprint(self, connection: Connection) -> str:
        """Return a text that identifies this place. A ledger that has stored another one is a copy."""
        del connection
        return ""

    def runs_noted(self) -> int:
        """Return the number of runs noted beside the ledger, or 0. A ledger that counts fewer is an old copy."""
        return 0

    def note_runs(self, runs: int) -> None:
        """Note this number of runs beside the ledger."""

    def backups(self) -> list[Path]:
        """Return the backups that we made beside the ledger, oldest first."""
        return []


class ServerPlace(Place):
    """A PostgreSQL server. A restored dump creates the tables again, so that they get new object ids."""

    def fingerprint(self, connection: Connection) -> str:
        return str(connection.exec_driver_sql(_NUMBERS).scalar_one())


class _File(NamedTuple):
    """The identity of a file: which one it is, and when and at what size it was last written."""

    device: int
    number: int
    size: int
    written: int

    @property
    def key(self) -> tuple[int, int]:
        return (self.device, self.number)


class FilePlace(Place):
    """A file of this machine. Beside it is ``<file>.last``, with the number of its runs and its age (`stale.Age`).

    ``named`` is the path in the account file, ``path`` is where it leads. A file that was put in its place has another
    inode. A file that was copied over it has another time of writing, and a lower age if it is an old copy.
    """

    local = True

    def __init__(self, named: Path) -> None:
        self.named = named
        self.path = Path(os.path.realpath(named))
        self._side = self.path.with_name(f"{self.path.name}.last")
        self._open: _File | None = None
        self._log_path = stale.log_of(self.path)
        self._log: tuple[int, int] | None = None
        self._age = stale.Age()
        self._overwritten = False

    def check(self) -> None:
        if self._open is None:
            return
        found = _look(self.named)
        # The log, too: another one beside the file means that ours was taken away, and what was committed with it.
        if found is None or found.key != self._open.key or self._log not in {None, _key(self._log_path)}:
            raise LedgerReplaced(str(self.named))
        if found != self._open:
            # Another process of ours may have moved the log into the file. That never lowers the age; an old copy does.
            if stale.is_older_copy(self.path, self._age):
                self._overwritten = True
                raise LedgerReplaced(str(self.named))
            self._note(found)

    def wrote(self) -> None:
        found, self._log = _look(self.path), _key(self._log_path)
        # What we wrote ourselves is no sign that somebody replaced the file.
        if self._open is not None and found is not None and found != self._open and found.key == self._open.key:
            self._note(found)

    def _note(self, found: _File) -> None:
        """Note the file as it is now. Its age only grows, even where it cannot be told in the midst of a checkpoint."""
        self._open, self._age = found, max(self._age, stale.age_of(self.path))

    @contextmanager
    def connecting(self) -> Iterator[None]:
        before = _look(self.named)
        yield
        after = _look(self.named)
        # SQLite opens by path. The file may have been replaced in the same moment.
        expected = self._open or before
        if after is None or expected is None or after.key != expected.key:
            raise LedgerReplaced(str(self.named))
        if self._open is None:
            # SQLite writes into a new file as soon as it is opened.
            self._open, self._age = after, stale.age_of(self.path)
            stale.opened(after.key)

    def leave(self) -> None:
        if self._open is None:
            return
        try:
            self.check()
        except LedgerReplaced:
            if self._overwritten:
                # SQLite would write the rest of its log into a file that the log does not belong to.
                stale.take_what_is_there(self.path)
        stale.closed(self._open.key)
        self._open, self._log, self._overwritten = None, None, False

    def fingerprint(self, connection: Connection) -> str:
        """Return a hash of the machine's id and the file's inode. It is hashed because a machine's id is private."""
        del connection
        words = f"syncer ledger {_machine()} {self.path.stat().st_ino}"
        return hashlib.sha256(words.encode()).hexdigest()[:24]

    def runs_noted(self) -> int:
        return self._noted()[0]

    def note_runs(self, runs: int) -> None:
        """Note the number of runs. If that fails, an old copy can be recognised only by its inode."""
        try:
            # No run waits for the disk here: a note that a power cut loses only leaves an old copy unnoticed.
            write_private(self._side, b"%d %d %d\n" % (runs, *self._age), durable=False)
        except OSError as error:
            stale.logger().debug("ledger.runs_not_noted", file=str(self._side), words=error.strerror)

    def backups(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{_plain(self.path.name)}.backup-????-??-??"))

    def settle(self) -> None:
        """Before the file is opened, put aside a log that does not belong to it. Raises `OSError`."""
        stale.settle(self.path, self._noted()[1])

    def _noted(self) -> tuple[int, stale.Age]:
        try:
            # Whatever somebody put there, a link or a pipe, must not hold up a run.
            file = os.open(self._side, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
        except OSError:
            return 0, stale.Age()
        try:
            found = _NOTE.fullmatch(os.read(file, _LONGEST_NOTE))
        except OSError:
            found = None
        finally:
            os.close(file)
        if found is None:
            return 0, stale.Age()
        runs, *age = map(int, found.groups())
        return runs, stale.Age(*age)


def _look(path: Path) -> _File | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return _File(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _key(path: Path) -> tuple[int, int] | None:
    found = _look(path)
    return None if found is None else found.key


def _plain(name: str) -> str:
    """Escape the characters of a file name that have a meaning in a glob pattern."""
    return "".join(f"[{letter}]" if letter in "[*?" else letter for letter in name)


@cache
def _machine() -> str:
    """Return an id of this machine that survives a reboot."""
    try:
        if text := _MACHINE_ID.read_text("ascii").strip():
            return text
    except (OSError, UnicodeDecodeError):
        pass
    node = uuid.getnode()
    # Python's documentation: with this bit set, the number is random and changes with each start.
    return "" if node >> 40 & 1 else f"{node:012x}"
