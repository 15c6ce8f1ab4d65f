"""The disk of the simulation: a ledger that can be lost, and in which something can happen at each transaction."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection as SqlConnection
from sqlalchemy.pool import StaticPool

from syncer.domain.base import Base
from syncer.ledger import Ledger, LedgerReplaced, Owner
from syncer.ledger.database import Database
from syncer.ledger.marks import BUSY_SECONDS
from syncer.ledger.place import Place
from syncer.ledger.sqlite import opener, sqlite_engine
from tests.support.disk import memory

_ARE_ONE = """
SELECT 1 FROM record AS one JOIN record AS other ON other.link = one.link
WHERE one.system = ? AND one.remote_id = ? AND other.system = ? AND other.remote_id = ?
"""
_IS_COPY_OF = "SELECT task FROM replica WHERE system = ? AND remote_id = ?"
_GAVE_WAY = "SELECT system, remote_id, detail FROM event WHERE what = 'overwritten'"
_TOLD_OF_A_RACE = """
SELECT event.task FROM event JOIN run ON run.id = event.run
WHERE event.what = 'incident' AND run.number = (SELECT MAX(number) FROM run)
AND (run.report LIKE '%"incidents":%' OR run.lists LIKE '%"incidents":%')
"""
_WAS_COPY_OF = "SELECT task FROM event WHERE system = ? AND remote_id = ? AND task IS NOT NULL ORDER BY id DESC LIMIT 1"


class Shelf(Place):
    """The place of the simulated file: which file it is, and how many runs are noted beside it.

    ``swapped`` is true after the file was replaced, until the ledger is opened again.
    """

    local = True

    def __init__(self) -> None:
        self.number = 0
        self.noted = 0
        self.swapped = False

    def check(self) -> None:
        if self.swapped:
            raise LedgerReplaced("the simulation's ledger")

    def fingerprint(self, connection: SqlConnection) -> str:
        del connection
        return f"file {self.number}"

    def runs_noted(self) -> int:
        return self.noted

    def note_runs(self, runs: int) -> None:
        self.noted = runs


class LedgerFile:
    """One SQLite file that can be lost. ``number`` is its machine.

    Its SQLAlchemy engine is used for all histories, because compiling the statements takes longer than a history.
    """

    def __init__(self, number: int) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=memory())
        self._path = Path(self._folder.name) / "acme.db"
        self._template = Path(self._folder.name) / "template.db"
        Ledger.open(f"sqlite:///{self._template}", name="acme").close()
        engine = sqlite_engine(self._connect, StaticPool)
        self.shelf = Shelf()
        self.database = _Doored(engine, f"the simulation's ledger {number}", place=self.shelf)
        self._reader: sqlite3.Connection | None = None
        self._aside: bytes | None = None
        self._number = number
        self.lose()

    def _connect(self) -> Any:
        return opener(self._path, read_only=False)()

    def lose(self) -> None:
        """Replace the ledger by an empty one."""
        self._clear()
        shutil.copyfile(self._template, self._path)
        self.shelf.number, self.shelf.noted, self.shelf.swapped = self._number * 1000, 0, False
        self._aside = None

    def put_aside(self) -> None:
        """Keep a copy, as `ledger backup` would."""
        copied = sqlite3.connect(":memory:")
        with closing(copied), closing(sqlite3.connect(self._path)) as present:
            present.backup(copied)
            self._aside = copied.serialize()

    def put_back(self, *, under: bool) -> bool:
        """Replace the file by the copy, if there is one, also ``under`` a process that has it open."""
        if self._aside is None:
            return False
        self._clear()
        self._path.write_bytes(self._aside)
        self.shelf.number += 1
        self.shelf.swapped = under
        return True

    def open_again(self) -> None:
        """Let the next process open the present file."""
        self.database.engine.dispose()
        self.shelf.swapped = False

    def _clear(self) -> None:
        self.database.engine.dispose()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        for file in self._path.parent.glob("acme.db*"):
            file.unlink()

    def task_of(self, system: str, remote_id: str) -> str | None:
        """Return the task id of a copy, from the replicas or else from the history, without the engine."""
        if self._reader is None:
            self._reader = sqlite3.connect(self._path)
        for query in (_IS_COPY_OF, _WAS_COPY_OF):
            if found := self._reader.execute(query, (system, remote_id)).fetchone():
                return str(found[0])
        return None

    def are_one(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Whether these two contacts, each by its CRM and id, are linked, without the engine."""
        if self._reader is None:
            self._reader = sqlite3.connect(self._path)
        return self._reader.execute(_ARE_ONE, (*one, *other)).fetchone() is not None

    def overwritten(self) -> list[tuple[str, str, str]]:
        """Return (system, remote id, words) of every overwritten value, without the engine."""
        if self._reader is None:
            self._reader = sqlite3.connect(self._path)
        return [tuple(row) for row in self._reader.execute(_GAVE_WAY).fetchall()]

    def told_of_a_race(self) -> set[str]:
        """Return the tasks of the incidents of the last run, if its report is stored, without the engine."""
        if self._reader is None:
            self._reader = sqlite3.connect(self._path)
        return {str(task) for (task,) in self._reader.execute(_TOLD_OF_A_RACE).fetchall()}


class _Doored(Database):
    """A database that calls ``door`` just before each commit. A process that is killed there loses the transaction.

    A kill after a commit has the same effect as one at the next door, so there is no door after it. ``stored`` is
    called there to suspend the process.
    """

    door: Callable[[], None] = staticmethod(lambda: None)
    stored: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def writing(self, patience: float = BUSY_SECONDS) -> Iterator[SqlConnection]:
        with super().writing(patience) as connection:
            yield connection
            self.door()
        self.stored()


class ProcessLedger(Ledger):
    """Remembers which leases its process took. All others belong to dead processes."""

    def __init__(self, file: LedgerFile, name: str, clock: Callable[[], datetime], steady: Callable[[], float]) -> None:
        def reopen() -> Database:
            file.shelf.swapped = False
            return file.database

        super().__init__(file.database, name, clock, steady=steady, reopen=reopen)
        self.taken: set[str] = set()

    def acquire(self, owner: Owner, *given: Any, **more: Any) -> Base:
        base = super().acquire(owner, *given, **more)
        self.taken.add(owner.token)
        return base


_files: dict[int, LedgerFile] = {}


def ledger_file(number: int = 0) -> LedgerFile:
    """Return the file of a simulated machine. One world at a time uses it."""
    if number not in _files:
        _files[number] = LedgerFile(number)
    return _files[number]
