"""Ledgers and values for the ledger's tests."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from syncer.domain.base import Base, Changes
from syncer.domain.events import Event
from syncer.domain.model import Kind, Replica, Task
from syncer.domain.operations import Action, Operation, OpState
from syncer.engine.opening import seeded_bytes
from syncer.ledger import Ledger, Owner
from tests.support import postgresql

DATABASES: Final = ("sqlite", "postgresql")
NOW: Final = datetime(2026, 5, 19, 8, 30, 0, 123456, tzinfo=UTC)
DAY: Final = timedelta(days=1)
TERM: Final = timedelta(minutes=2)


def make_task(task: str = "01A", contact: str = "c1", **fields: Any) -> Task:
    values: dict[str, Any] = {"kind": Kind.FOLLOW_UP_CALL, "title": "Call", "body": None, "due": NOW, "origin": "reply"}
    return Task(task, contact, **(values | fields))


def make_replica(remote_id: str = "1", task: str = "01A", system: str = "reply", **fields: Any) -> Replica:
    return Replica(system, remote_id, task, "7", **fields)


def make_operation(name: str = "op1", task: str = "01A", state: OpState = OpState.SENT, **fields: Any) -> Operation:
    values: dict[str, Any] = {"system": "reply", "action": Action.CREATE, "created_at": NOW, "sent_at": NOW}
    return Operation(id=name, task=task, contact="7", state=state, **(values | fields))


@contextmanager
def database_url(kind: str, folder: Path, *, tables: bool = True) -> Iterator[str]:
    """The URL of an empty ledger, on PostgreSQL with or without its ``tables``. Skips if there is no PostgreSQL."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'acme.db'}"
        return
    with postgresql.empty_ledger() if tables else postgresql.empty_schema() as url:
        yield url


HERE: Final = Owner("here", "machine", 1, 100.0)
RANDOM: Final = seeded_bytes(7)


def alive(_owner: Owner) -> bool:
    return True


def run_once(path: Path, now: datetime = NOW) -> Base:
    """What a run at this instant starts from."""
    with Ledger.open(f"sqlite:///{path}", name="acme", clock=lambda: now) as ledger:
        base = ledger.acquire(HERE, now, TERM, alive, run=f"run {now}", random_bytes=RANDOM)
        ledger.finish_run(f"run {now}", now, "ok", {}, token=HERE.token)
    return base


def open_at(path: Path, *, read_only: bool = False) -> Ledger:
    return Ledger.open(f"sqlite:///{path}", name="acme", read_only=read_only, clock=lambda: NOW)


def tidied(path: Path) -> None:
    """Write the write-ahead log into the file, as another process may do at any time."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint").fetchall()


def healthy(path: Path) -> bool:
    with closing(sqlite3.connect(path)) as connection:
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")


def killed(path: Path, *, checkpoint: bool, run: str = "one", events: Iterable[Event] = ()) -> None:
    """What is left after a run that was killed: a log beside the file."""
    with open_at(path) as ledger:
        ledger.acquire(HERE, NOW, TERM, alive, run=run, random_bytes=RANDOM)
        if checkpoint:
            tidied(path)
        ledger.store(Changes(cursors={"a": "b"}, events=[*events]), token=HERE.token)
        for name in ("acme.db", "acme.db-wal"):
            shutil.copyfile(path.with_name(name), path.with_name(f"left-{name}"))
    for name in ("acme.db", "acme.db-wal"):
        path.with_name(f"left-{name}").replace(path.with_name(name))


MANY: Final = [Event(NOW, "seen", "them", "word " * 300, "reply:1")] * 300
"""Enough lines of history to change most pages of a small ledger."""


def tidied_in_part(path: Path, part: float) -> None:
    """Write this part of the log into the file, as SQLite has done in the midst of a checkpoint."""
    log = path.with_name("acme.db-wal").read_bytes()
    # https://www.sqlite.org/fileformat2.html#the_write_ahead_log
    size = int.from_bytes(log[8:12], "big")
    frames = [log[at : at + 24 + size] for at in range(32, len(log), 24 + size)]
    # SQLite writes the last frame of each page, in the order of the pages.
    pages = sorted({int.from_bytes(frame[:4], "big"): frame[24:] for frame in frames}.items())
    with path.open("r+b") as file:
        for number, page in pages[: int(len(pages) * part)]:
            file.seek((number - 1) * size)
            file.write(page)


def swapped_in(path: Path, copy: Path) -> None:
    copy.replace(path)


def written_over(path: Path, copy: Path) -> None:
    path.write_bytes(copy.read_bytes())
