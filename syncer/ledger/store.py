"""The ledger of one account: the only way to read and write what the engine stores."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from types import TracebackType
from typing import Any, ClassVar, Final, Self

from sqlalchemy import Connection

from syncer.domain.base import Base, Changes
from syncer.ledger import clocks, identity, lease, people, reading, retention, runs, standing, writing
from syncer.ledger.answers import Answers
from syncer.ledger.database import Database, asking, understood
from syncer.ledger.errors import Busy, LedgerReplaced
from syncer.ledger.holder import Judge, Now
from syncer.ledger.identity import LedgerIdentity
from syncer.ledger.marks import BUSY_SECONDS
from syncer.ledger.open_database import open_database
from syncer.ledger.owner import Owner, current_owner, process_alive, steady_clock
from syncer.ledger.place import Place
from syncer.ledger.questions import Ask
from syncer.ledger.sqlite import check_whole

TEND_AGAIN: Final = timedelta(hours=1)
"""After this time a backup that failed or was broken off is tried again. A disk may stay full for long."""


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class Ledger(Answers):
    """One account's state, in SQLite or PostgreSQL. Every method is one transaction, and raises `LedgerError`.

    ``name`` is the account's name. ``clock`` gives the time where the caller passes none.
    """

    # Of the class, because a process may have the same ledger open several times.
    _going: ClassVar[set[str]] = set()
    """The tokens of this process whose runs have not ended."""

    def __init__(
        self,
        database: Database,
        name: str,
        clock: Callable[[], datetime] = utc_now,
        *,
        steady: Callable[[], float] | None = None,
        reopen: Callable[[], Database] | None = None,
    ) -> None:
        self.name = name
        self._database = database
        self._clock = clock
        # A caller with its own clock, such as a test, lets time jump. The steady clock must jump with it.
        self._steady = steady or (steady_clock if clock is utc_now else lambda: clock().timestamp())
        self._reopen = reopen
        self._moved = False
        self._token: str | None = None
        self._term: timedelta | None = None
        self._until = 0.0

    @classmethod
    def open(
        cls,
        url: str,
        *,
        name: str,
        read_only: bool = False,
        clock: Callable[[], datetime] = utc_now,
        steady: Callable[[], float] | None = None,
    ) -> Self:
        """Open ``sqlite:///path`` or ``postgresql+psycopg://…``, and create or upgrade what is there.

        A SQLite file is readable by its owner alone; its folder must exist. With ``read_only`` nothing is created
        or written: a ledger that does not exist is empty, an older one is upgraded in memory.
        """

        def reopen() -> Database:
            return open_database(url, read_only=read_only)

        return cls(reopen(), name, clock, steady=steady, reopen=reopen)

    def reopen_if_moved(self) -> bool:
        """Open the file again if it was removed, replaced or restored. Returns whether it was. `acquire` calls this."""
        if not self._moved:
            try:
                self._database.place.check()
            except LedgerReplaced:
                # Kept until the file could be opened again: once it is closed, its place has nothing to compare with.
                self._moved = True
        if not self._moved:
            return False
        if self._reopen is None:
            raise LedgerReplaced(self.where)
        self._database.dispose()
        self._database = self._reopen()
        # The lease was stored in the file that is gone.
        self._moved, self._token = False, None
        return True

    @property
    def where(self) -> str:
        """The path or the address, without a password."""
        return self._database.where

    @property
    def database(self) -> Database:
        """The database, for `AlarmBook`, `HintBook` and `Pages`."""
        return self._database

    @property
    def place(self) -> Place:
        """Where it lies."""
        return self._database.place

    def close(self) -> None:
        self._end_lease(self._token)
        self._database.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def load(self) -> Base:
        """Load what a run starts from, without a lease. See `Base`."""
        with self._database.reading() as connection:
            return reading.load(connection, self._clock())

    def extend(self, base: Base, *, replicas: Iterable[tuple[str, str]] = (), tasks: Iterable[str] = ()) -> None:
        """Add these tasks, and the tasks of these replicas, to ``base`` with everything that `Base` has for a task."""
        with self._database.reading() as connection:
            reading.extend(connection, base, replicas=replicas, tasks=tasks)

    def store(self, changes: Changes, *, token: str | None, now: datetime | None = None) -> None:
        """Write all changes or none. Raises `LeaseLost` if the lease is not held by ``token``, and `Conflict`.

        The lease is extended by its term, from ``now``. Without a token no lease is needed. Without changes
        nothing happens at all.
        """
        # A run that finds nothing new must cost no write to the disk.
        if writing.is_empty(changes):
            return
        now = now or self._clock()
        with self._database.writing() as connection:
            # The lease is renewed along with what is stored anyway, which costs no commit of its own.
            if token is not None and self._term is not None:
                end = self._renew(connection, token, now, self._term)
            elif token is not None:
                lease.check(connection, token)
            writing.store(connection, changes, now)
        if token is not None and self._term is not None:
            # Only after the commit: what was rolled back has not extended the lease.
            self._token, self._until = token, end

    def acquire(
        self,
        owner: Owner,
        now: datetime,
        term: timedelta,
        alive: Callable[[Owner], bool] = process_alive,
        *,
        run: str | None = None,
        part: bool = False,
        random_bytes: Callable[[int], bytes] = os.urandom,
        patience: float = BUSY_SECONDS,
    ) -> Base:
        """Take the lease until ``now + term`` if it is free, has expired, or its owner is dead, else raise `Busy`.

        Returns what a run starts from, and notes that ``run`` has begun, for a few contacts only if ``part`` is true.
        ``alive`` is called only for an owner on the same machine; any other owner loses the lease when its term ends. A
        ledger without an id, or one that is a copy, gets a new id from ``now`` and ``random_bytes``. A file that was
        replaced is opened again. Raises `Locked` if other writers take longer than ``patience`` seconds.
        """
        self.reopen_if_moved()
        # Taken before the transaction, so that we never count on the lease for longer than it is stored.
        end = self._steady() + term.total_seconds()
        try:
            with self._database.writing(patience) as connection, understood(self.where, self.place):
                self._take_lease(connection, owner, now, term, alive, run)
                own = self._identify(connection, now, random_bytes)
                forward = self._put_forward(connection, owner, now)
                writing.store_cursors(connection, {**own, **clocks.noted(owner.machine, now, self._steady())})
                clocks.bring_back(connection, now)
                people.free_again(connection, now)
                base = reading.load(connection, now)
                base.put_forward = forward
                broken_off = runs.broken_off(connection)
                # A run for a few contacts ends soon. It says nothing of how long a whole one may take.
                base.broken_off = sum(broken_off.values())
                base.unreported = people.unreported(connection, [*broken_off, *runs.parts_to_tell(connection)])
                if run is not None:
                    # In the transaction of the lease: a run that dies at once is known to have begun.
                    runs.start(connection, run, now, part=part)
        except Busy as busy:
            self._bound(busy, now, term)
            raise
        self._token, self._term, self._until = owner.token, term, end
        # Only after the commit: a token that never got the lease must not count as a run of ours.
        self._going.add(owner.token)
        # After the commit: a number beside the file that is higher than the ledger's own marks it as an old copy.
        self._database.place.note_runs(identity.runs_of(own))
        return base

    def foresee(self, now: datetime, random_bytes: Callable[[int], bytes] = os.urandom) -> Base:
        """Return what `acquire` would return, without taking or writing anything."""
        with self._database.reading() as connection:
            base = reading.load(connection, now)
            base.put_forward = self._put_forward(connection, current_owner(""), now)
            own = self._identify(connection, now, random_bytes)
            identity.fill(base, {**reading.cursors(connection), **own})
        return base

    def take_over(
        self,
        owner: Owner,
        now: datetime,
        alive: Callable[[Owner], bool] = process_alive,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> LedgerIdentity:
        """Make this ledger the only one of its account: its new id sorts before all others.

        Raises `Busy` during a run, because the run uses the old id.
        """
        self.reopen_if_moved()
        own = identity.taking_over(now, random_bytes)
        with self._database.writing() as connection:
            # Taken and released within the transaction, only to make sure that nobody runs.
            self._take_lease(connection, owner, now, timedelta(0), alive)
            cursors = self._identify(connection, now, random_bytes)
            writing.store_cursors(connection, {**cursors, **identity.as_only_one(own)})
            lease.release(connection, owner.token)
        self._database.place.note_runs(identity.runs_of(cursors))
        return own

    def _put_forward(self, connection: Connection, owner: Owner, now: datetime) -> timedelta:
        return clocks.put_forward(reading.cursors(connection), owner.machine, now, self._steady())

    def _identify(self, connection: Connection, now: datetime, random_bytes: Callable[[int], bytes]) -> dict[str, str]:
        place, cursors = self._database.place, reading.cursors(connection)
        own = identity.identify(cursors, place.fingerprint(connection), place.runs_noted(), now, random_bytes)
        if identity.is_copy(own) and connection.dialect.name == "sqlite":
            # Whoever copied the file may have done so while it was being written.
            check_whole(connection, self.where, place)
        return own

    def _take_lease(
        self,
        connection: Connection,
        owner: Owner,
        now: datetime,
        term: timedelta,
        alive: Callable[[Owner], bool],
        run: str | None = None,
    ) -> None:
        lease.acquire(connection, owner, self._now(asking(connection), now, term), self._judge(alive), run)

    def _judge(self, alive: Callable[[Owner], bool]) -> Judge:
        return Judge(alive, self._going, local=self._database.place.local)

    def _now(self, ask: Ask, now: datetime, term: timedelta) -> Now:
        """Return the current time: the server's, if several machines may use the ledger, else our own."""
        # A caller with its own clock, such as a test, decides for the server, too.
        if self._database.engine.dialect.name == "postgresql" and self._clock is utc_now:
            # Not ``now()``, which is when the transaction began: since then it may have waited for others.
            [(now,)] = ask("SELECT clock_timestamp()")
        return Now(now, self._steady(), term)

    def _bound(self, busy: Busy, now: datetime, term: timedelta) -> None:
        """Shorten a lease that lasts longer than a term, because its holder's clock was wrong."""
        with self._database.reading() as connection:
            latest = self._now(asking(connection), now, term).at + term
        if busy.expires_at is not None and busy.expires_at > latest:
            with self._database.writing() as connection:
                lease.shorten(connection, busy.owner.token, latest)

    def renew(self, token: str, now: datetime, term: timedelta) -> None:
        """Renew the lease until ``now + term``. Raises `LeaseLost` if it is not held by ``token``."""
        with self._database.writing() as connection:
            until = self._renew(connection, token, now, term)
        self._token, self._term, self._until = token, term, until

    def _renew(self, connection: Connection, token: str, now: datetime, term: timedelta) -> float:
        """Renew the lease, and return its end by the steady clock."""
        present = self._now(asking(connection), now, term)
        lease.renew(connection, token, present)
        return present.steady + term.total_seconds()

    def hold(self, token: str) -> None:
        """Raise `LeaseLost` unless the lease is still held by ``token``, `LedgerReplaced` if the file was replaced.

        The lease is renewed only if its term is over. Before that, no other process can have taken it, but it may have
        been deleted from the ledger. After that, for example when the machine slept, the renewal finds out.
        """
        # First: the lease below may be held in a file that nobody reads any more.
        self._database.place.check()
        if self._term is None:
            return
        if token != self._token or self._steady() >= self._until:
            self.renew(token, self._clock(), self._term)
            return
        with self._database.reading() as connection:
            lease.look(connection, token)

    def release(self, token: str) -> None:
        """Release the lease. Nothing happens if it is not held by ``token``."""
        if token != self._token:
            return
        self._end_lease(token)
        # A file that took the place of ours does not have our lease.
        with suppress(LedgerReplaced), self._database.writing() as connection:
            lease.release(connection, token)

    def _end_lease(self, token: str | None) -> None:
        """Note that this run has ended, so that this process can take the lease even if it is still stored."""
        if token is not None:
            self._going.discard(token)
        if token == self._token:
            self._token = None

    def finish_run(
        self, run: str, finished_at: datetime, status: str, report: dict[str, Any], *, token: str | None = None
    ) -> None:
        """Store the report of a finished run and release its lease, in one transaction. ``report`` must be valid JSON.

        If neither was stored, the next run reports the incidents of this one.
        """
        with self._database.writing() as connection:
            runs.finish(connection, run, finished_at, status, report)
            if token is not None:
                lease.release(connection, token)
        self._end_lease(token)

    def begin_day(self, day: date, now: datetime) -> date | None:
        """Note that the ledger is cleaned up and backed up now. Returns the day on which it was cleaned up before.

        ``None`` if that was today, and `date.min` if it never was. Without `end_day`, the next try is in an hour.
        """
        with self._database.reading() as connection:
            before, again_at = identity.tended_on(reading.cursors(connection))
        waits = timedelta(0) if again_at is None else again_at - now
        # Nearly every run finds the same day, and then writes nothing.
        if (before == day and again_at is None) or timedelta(0) < waits <= TEND_AGAIN:
            return None
        with self._database.writing() as connection:
            writing.store_cursors(connection, identity.tended(day, now + TEND_AGAIN))
        return before or date.min

    def end_day(self, day: date) -> None:
        """Note that everything was done that `begin_day` has begun."""
        with self._database.writing() as connection:
            writing.store_cursors(connection, identity.tended(day))

    def forget(self, keep: timedelta, now: datetime) -> bool:
        """Delete some of what is older than ``keep``. Returns whether there may be more."""
        with self._database.writing() as connection:
            return retention.forget(connection, now, keep)

    def exchange(self, name: str, before: str, after: str) -> bool:
        """Set a cursor if its value is ``before`` (empty: none). Returns whether it was: of two, only one succeeds."""
        with self._database.writing() as connection:
            return standing.exchange(connection, name, before, after)

    @contextmanager
    def _asking(self) -> Iterator[Ask]:
        with self._database.reading() as connection:
            yield asking(connection)

    def _present(self, ask: Ask) -> Now:
        return self._now(ask, self._clock(), timedelta(0))

    def free(self, task: str | None = None) -> int:
        """Let parked, failed, gone and held items be tried again. Returns how many there were."""
        with self._database.writing() as connection:
            return people.free(connection, task, self._clock())
