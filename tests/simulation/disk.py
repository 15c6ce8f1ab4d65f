"""The disk of the simulation: a ledger that can be lost, and whose transactions pass a door."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.engine import Connection as SqlConnection
from sqlalchemy.pool import StaticPool

from syncer.ledger import Ledger, Owner
from syncer.ledger.database import Database, _opener, _sqlite_engine
from syncer.state import Base

_IS_COPY_OF = "SELECT task FROM replica WHERE system = ? AND remote_id = ?"
_WAS_COPY_OF = "SELECT task FROM event WHERE system = ? AND remote_id = ? AND task IS NOT NULL ORDER BY id DESC LIMIT 1"


class LedgerFile:
    """One SQLite file that can be lost, behind an engine that lives as long as the process: compiling its
    statements anew for every history would take longer than the histories."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - a folder of our own is made in it
        self._folder = tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None)
        self._path = Path(self._folder.name) / "acme.db"
        self._template = Path(self._folder.name) / "template.db"
        Ledger.open(f"sqlite:///{self._template}", name="acme").close()
        engine = _sqlite_engine(self._connect, StaticPool)
        self.database = _Doored(engine, "the simulation's ledger")
        self._reader: sqlite3.Connection | None = None
        self.lose()

    def _connect(self) -> Any:
        return _opener(self._path, read_only=False)()

    def lose(self) -> None:
        """Back to a ledger that never held anything."""
        self.database.engine.dispose()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        for file in self._path.parent.glob("acme.db*"):
            file.unlink()
        shutil.copyfile(self._template, self._path)

    def task_of(self, system: str, remote_id: str) -> str | None:
        """The id of the task whose copy this is, or was when it was last told of: read without the engine."""
        if self._reader is None:
            self._reader = sqlite3.connect(self._path)
        for query in (_IS_COPY_OF, _WAS_COPY_OF):
            if found := self._reader.execute(query, (system, remote_id)).fetchone():
                return str(found[0])
        return None


class _Doored(Database):
    """A database whose transactions pass a door just before they are committed: who dies there loses them.

    For who dies, what is true after a commit is true until the next door, so that it needs none of its own.
    ``stored`` is called there, for who only sleeps.
    """

    door: Callable[[], None] = staticmethod(lambda: None)
    stored: Callable[[], None] = staticmethod(lambda: None)

    @contextmanager
    def writing(self) -> Iterator[SqlConnection]:
        with super().writing() as connection:
            yield connection
            self.door()
        self.stored()


class ProcessLedger(Ledger):
    """Remembers which leases its process took: all others are dead ones'."""

    def __init__(self, database: Database, name: str, clock: Callable[[], datetime]) -> None:
        super().__init__(database, name, clock)
        self.taken: set[str] = set()

    def acquire(self, owner: Owner, *given: Any, **more: Any) -> Base:
        base = super().acquire(owner, *given, **more)
        self.taken.add(owner.token)
        return base


_files: list[LedgerFile] = []


def ledger_file() -> LedgerFile:
    """This process's; one world at a time has it."""
    if not _files:
        _files.append(LedgerFile())
    return _files[0]
