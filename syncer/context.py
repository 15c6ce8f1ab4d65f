"""What one run has in hand: connections, base, what was seen, and the one door to the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import structlog

from adapters.base import (
    Adapter,
    BadAnswer,
    BudgetSpent,
    Capabilities,
    InDoubt,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.contacts import Ambiguity
from syncer.merge import merge
from syncer.model import Listing, Reading, Record, State, Unreadable
from syncer.observations import ConnectionState, Seen
from syncer.policy import Policy
from syncer.reasons import Item
from syncer.state import Base, Changes, Event, Operation
from syncer.superseded import maybe_superseded

if TYPE_CHECKING:
    from syncer.ledger import Ledger

_T = TypeVar("_T")
_log = structlog.get_logger("syncer.run")

FAILURES_UNTIL_UNAVAILABLE = 3


class Clock(Protocol):
    """Our own wall clock; a simulation has another one."""

    def __call__(self) -> datetime:
        """The present instant, in UTC."""


@dataclass(slots=True)
class Connection:
    """One CRM during one run: its adapter, what was seen of it, and whether it can still be used."""

    adapter: Adapter
    seen: Seen = field(default_factory=Seen)
    spent: bool = False
    failures_in_row: int = 0
    reads_before: int = 0
    writes_before: int = 0

    @property
    def system(self) -> str:
        return self.adapter.system

    @property
    def usable(self) -> bool:
        return self.seen.state is ConnectionState.OK

    async def attempt(self, reading: Awaitable[_T], what: str, *, whole: bool = False) -> _T | None:
        """Read; ``None`` if that failed, which is remembered and reported, and from which nothing follows.

        ``whole`` marks a read without which the connection is of no use in this run. A single task's or
        contact's failing read stops nobody else, unless several fail in a row. `Missing` goes through.
        """
        try:
            answer = await reading
        except Unauthorized as error:
            self.stop(ConnectionState.UNAUTHORIZED, error.words)
        except BudgetSpent as error:
            self.spent = True
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        except (Unavailable, InDoubt, NotSent) as error:
            self.failures_in_row += 1
            self.seen.unreached.append(Unreadable(self.system, None, f"{what}: {error.words}"))
            unreachable = isinstance(error, NoConnection)
            if whole or unreachable or self.failures_in_row >= FAILURES_UNTIL_UNAVAILABLE:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        except (BadAnswer, Refused) as error:
            self.seen.unreadable.append(Unreadable(self.system, None, f"{what}: {error.words}"))
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        else:
            self.failures_in_row = 0
            return answer
        return None

    async def read_contact(self, contact: str) -> Listing[Reading] | None:
        """One contact's tasks, every one of them; ``None`` if that failed. `Missing` goes through."""
        listing = await self.attempt(self.adapter.list_contact_tasks(contact), f"the tasks of contact {contact}")
        if listing is not None and listing.unreadable:
            self.seen.unreadable += listing.unreadable
            return None
        return listing

    def stop(self, state: ConnectionState, words: str) -> None:
        """Use this connection no more in this run; nothing is inferred from that."""
        if self.usable:
            self.seen.state = state
            self.seen.message = words
            _log.warning("connection.stopped", system=self.system, state=state.value, words=words)


@dataclass(slots=True)
class RunContext:
    """One run of one account. ``token`` is the lease's; without one nothing is stored, as in a plan."""

    run: str
    started_at: datetime
    connections: dict[str, Connection]
    policy: Policy
    base: Base
    ledger: Ledger
    token: str | None
    clock: Clock
    new_id: Callable[[], str]
    deadline: float | None = None
    ambiguities: tuple[Ambiguity, ...] = ()
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Which contacts' tasks were read and when, to be stored with what is merged from them."""
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    failed: list[Item] = field(default_factory=list)
    created: Counter[str] = field(default_factory=Counter)
    completed: Counter[str] = field(default_factory=Counter)

    @property
    def capabilities(self) -> dict[str, Capabilities]:
        return {system: connection.adapter.capabilities for system, connection in self.connections.items()}

    @property
    def seen(self) -> dict[str, Seen]:
        return {system: connection.seen for system, connection in self.connections.items()}

    @property
    def out_of_time(self) -> bool:
        return self.deadline is not None and asyncio.get_running_loop().time() >= self.deadline

    def time_left(self, share: float = 1.0) -> float | None:
        """Seconds until the run's end, or a share of them; ``None`` without a limit."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - asyncio.get_running_loop().time()) * share

    def record(self, changes: Changes) -> None:
        """Store, then believe: the base in memory never runs ahead of the ledger."""
        if self.token is not None:
            self.ledger.store(changes, token=self.token, now=self.clock())
        self.base.update(changes)

    def extend(self, rows: Iterable[Reading]) -> None:
        """Load what the ledger knows of these tasks and of the markers that they carry.

        Of closed tasks, only those that a newer one may have closed can still mean something.
        """
        rows = list(rows)
        suspects = set[str]()
        for system in {row.system for row in rows}:
            lane_policy = self.connections[system].adapter.capabilities.lane
            if lane_policy is not None:
                suspects |= {row.remote_id for row in maybe_superseded(rows, lane_policy.supersede_window)}
        readings = [row for row in rows if row.state is State.OPEN or row.remote_id in suspects]
        unknown = {reading.key for reading in readings} - set(self.base.replicas)
        markers = {reading.marker for reading in readings if reading.marker} - set(self.base.tasks)
        if unknown or markers:
            self.ledger.extend(self.base, replicas=unknown, tasks=markers)

    def merge_contact(
        self,
        system: str,
        contact: str,
        listing: Listing[Reading],
        *,
        operation: Operation | None = None,
        closed_by_us: Iterable[str] = (),
        hit_by_us: Iterable[str] = (),
        history: Iterable[str] = (),
        also: Changes | None = None,
    ) -> None:
        """Merge one contact's tasks as just read, storing with it, in one transaction, what led to the reading."""
        self.extend(listing.rows)
        changes = also or Changes()
        if operation is not None:
            changes.operations[operation.id] = operation
        replicas = {reading.key for reading in listing.rows} & set(self.base.replicas)
        named = {self.base.replicas[key].task for key in replicas} | {r.marker for r in listing.rows if r.marker}
        narrow = self.base.narrowed(self.base.links.get((system, contact)), [*named, *changes.tasks])
        narrow.tasks.update(changes.tasks)
        narrow.replicas.update(changes.replicas)
        narrow.operations = {**narrow.operations, **changes.operations}
        seen = Seen(
            readings={reading.remote_id: reading for reading in listing.rows},
            lanes={contact: listing.rows},
            closed_by_us={*closed_by_us, *hit_by_us},
            hit_by_us=set(hit_by_us),
            history=set(history),
        )
        elsewhere = {other: connection.seen.without_readings() for other, connection in self.connections.items()}
        merged = merge(
            narrow,
            {**elsewhere, system: seen},
            self.capabilities,
            self.policy,
            now=self.clock(),
            run=self.run,
            new_id=self.new_id,
        )
        self.record(_both(changes, merged.changes))
        self.connections[system].seen.lanes[contact] = listing.rows
        self.incidents += merged.incidents
        self.leave_alone(merged.undecided)

    def leave_alone(self, contacts: Iterable[tuple[str, str]]) -> None:
        """Make nothing for these (system, contact) in this run: something of theirs could not be told yet."""
        for system, contact in contacts:
            self.connections[system].seen.unread.add(contact)

    def records_of(self, link: str) -> list[Record]:
        """What every CRM knows of one person."""
        return [record for key, record in sorted(self.base.records.items()) if self.base.links.get(key) == link]

    def event(self, operation: Operation, what: str, detail: str, remote_id: str | None = None) -> Event:
        """A line of history about one operation."""
        return Event(
            self.clock(),
            what,
            "us",
            detail,
            operation.task,
            operation.system,
            remote_id or operation.remote_id,
            self.run,
        )


def _both(first: Changes, second: Changes) -> Changes:
    """What both say, the second having the last word."""
    return Changes(
        tasks={**first.tasks, **second.tasks},
        replicas={**first.replicas, **second.replicas},
        operations={**first.operations, **second.operations},
        events=[*first.events, *second.events],
        records={**first.records, **second.records},
        links={**first.links, **second.links},
        merged={**first.merged, **second.merged},
        lookups={**first.lookups, **second.lookups},
        visits={**first.visits, **second.visits},
        cursors={**first.cursors, **second.cursors},
        forgotten=first.forgotten | second.forgotten,
    )


class Locks:
    """One lock for each name, made when it is first asked for."""

    def __init__(self) -> None:
        self._locks: dict[object, asyncio.Lock] = {}

    def __call__(self, name: object) -> AbstractAsyncContextManager[None]:
        return self._locks.setdefault(name, asyncio.Lock())


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Do all of this at once; the first error ends the rest and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        raise _first(errors) from None


async def for_each(items: Iterable[_T], work: Callable[[_T], Awaitable[None]], *, at_once: int = 8) -> None:
    """Do the work for every item, a few at a time, started in order."""
    todo = list(items)
    waiting = iter(todo)

    async def worker() -> None:
        for item in waiting:
            await work(item)

    await together(worker() for _ in range(min(at_once, len(todo))))


async def to_the_end(step: Coroutine[Any, Any, _T]) -> _T:
    """Finish this step even if the run is told to stop in the middle of it."""
    task = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
