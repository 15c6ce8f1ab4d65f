"""The ledger of one account: the only door to what the engine remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

from syncer.ledger import lease, people, reading, runs, writing
from syncer.ledger.database import Database
from syncer.ledger.opening import open_database
from syncer.ledger.owner import Owner, process_alive
from syncer.ledger.people import Counts, TaskView
from syncer.ledger.runs import Run
from syncer.state import Base, Changes, Event


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Ledger:
    """One account's state, in SQLite or PostgreSQL. Every method is one transaction, and raises `LedgerError`.

    ``name`` is the account's. ``clock`` dates what the caller gives no instant for.
    """

    def __init__(self, database: Database, name: str, clock: Callable[[], datetime]) -> None:
        self.name = name
        self._database = database
        self._clock = clock
        self._token: str | None = None
        self._term: timedelta | None = None
        self._until: datetime | None = None

    @classmethod
    def open(cls, url: str, *, name: str, read_only: bool = False, clock: Callable[[], datetime] = _utc_now) -> Ledger:
        """Open ``sqlite:///path`` or ``postgresql+psycopg://…``, and create or upgrade what is there.

        A SQLite file is readable by its owner alone; its folder must exist. With ``read_only`` nothing is created
        or written: a ledger that does not exist is empty, an older one is upgraded in memory.
        """
        return cls(open_database(url, read_only=read_only), name, clock)

    @property
    def where(self) -> str:
        """The path or the address, without a password."""
        return self._database.where

    def close(self) -> None:
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def load(self) -> Base:
        """What a run starts from, without a lease: see `Base`."""
        with self._database.reading() as connection:
            return reading.load(connection)

    def extend(self, base: Base, *, replicas: Iterable[tuple[str, str]] = (), tasks: Iterable[str] = ()) -> None:
        """Add to ``base`` these tasks and those of these replicas, where they exist, with all `Base` has for a task."""
        with self._database.reading() as connection:
            reading.extend(connection, base, replicas=replicas, tasks=tasks)

    def store(self, changes: Changes, *, token: str | None, now: datetime | None = None) -> None:
        """Write all changes or none. Raises `LeaseLost` if the lease is not held by ``token``, and `Conflict`.

        The lease is extended by its term, from ``now``. Without a token no lease is needed. Without changes
        nothing happens at all.
        """
        if writing.is_empty(changes):
            return
        now = now or self._clock()
        with self._database.writing() as connection:
            if token is not None and self._term is not None:
                lease.renew(connection, token, now + self._term)
            elif token is not None:
                lease.check(connection, token)
            writing.store(connection, changes, now)
        if token is not None and self._term is not None:
            self._token, self._until = token, now + self._term

    def acquire(
        self,
        owner: Owner,
        now: datetime,
        term: timedelta,
        alive: Callable[[Owner], bool] = process_alive,
        *,
        run: str | None = None,
    ) -> Base:
        """Take the lease until ``now + term``, if it is free, has expired, or its owner is dead; else raise `Busy`.

        Gives what a run starts from, and notes that ``run`` has begun. ``alive`` is asked about an owner on the same
        machine only; elsewhere an owner loses it with its term.
        """
        with self._database.writing() as connection:
            lease.acquire(connection, owner, now, term, alive)
            base = reading.load(connection)
            base.unreported = people.incidents(connection, runs.unreported(connection))
            if run is not None:
                runs.start(connection, run, now)
        self._token, self._term, self._until = owner.token, term, now + term
        return base

    def renew(self, token: str, now: datetime, term: timedelta) -> None:
        """Keep the lease until ``now + term``; raise `LeaseLost` if it is not held by ``token``."""
        with self._database.writing() as connection:
            lease.renew(connection, token, now + term)
        self._token, self._term, self._until = token, term, now + term

    def hold(self, token: str) -> None:
        """Raise `LeaseLost` unless the lease is still held by ``token``.

        The database is asked, and the lease kept, only if its term is over: until then nobody can have taken it.
        A process that slept for longer, with its machine or by itself, so learns of it.
        """
        now = self._clock()
        if self._term is not None and (token != self._token or self._until is None or now >= self._until):
            self.renew(token, now, self._term)

    def release(self, token: str) -> None:
        """Give the lease back; nothing happens if it is not held by ``token``."""
        if token != self._token:
            return
        with self._database.writing() as connection:
            lease.release(connection, token)
        self._token = None

    def finish_run(
        self, run: str, finished_at: datetime, status: str, report: dict[str, Any], *, token: str | None = None
    ) -> None:
        """The run has ended, and gives its lease back. ``report`` is whatever JSON can hold.

        Both or neither: the next run tells what this one saw, unless this one still can.
        """
        with self._database.writing() as connection:
            runs.finish(connection, run, finished_at, status, report)
            if token is not None:
                lease.release(connection, token)
        if token is not None:
            self._token = None

    def last_run(self) -> Run | None:
        """The run that began last, finished or not."""
        return next(iter(self.runs(1)), None)

    def runs(self, limit: int = 20) -> list[Run]:
        """The last runs, the newest first."""
        with self._database.reading() as connection:
            return runs.recent(connection, limit)

    def tasks(self, contact: str | None = None, state: str | None = None, system: str | None = None) -> list[TaskView]:
        """Tasks by due; ``contact`` is part of a name, a phone number, an e-mail or a link, ``system`` has a copy."""
        with self._database.reading() as connection:
            return people.tasks(connection, contact=contact, state=state, system=system)

    def history(self, task: str) -> list[Event]:
        """One task's events, oldest first."""
        with self._database.reading() as connection:
            return people.history(connection, task)

    def had_copy(self, task: str, system: str) -> bool:
        """Whether a copy of the task was ever known there, also one that was forgotten since."""
        with self._database.reading() as connection:
            return people.had_copy(connection, task, system)

    def find(self, reference: str) -> str | None:
        """A task's id, by itself, by its unambiguous beginning (6 characters or more), or by ``system:remote id``."""
        with self._database.reading() as connection:
            return people.find(connection, reference)

    def counts(self) -> Counts:
        """How many there are of everything."""
        with self._database.reading() as connection:
            return people.counts(connection)

    def free(self, task: str | None = None) -> int:
        """Let what is parked, failed, gone or held be tried again; how many things were freed."""
        with self._database.writing() as connection:
            return people.free(connection, task, self._clock())
