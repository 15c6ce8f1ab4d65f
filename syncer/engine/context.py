"""What one run has in hand: connections, base, what was seen, and the one door to the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base, Changes, Event, Operation
from syncer.domain.cursors import LINKED
from syncer.domain.model import Listing, Reading, Record, State, next_task_id
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item
from syncer.domain.snapshot import Seen
from syncer.engine.connection import Connection
from syncer.engine.progress import Progress
from syncer.reconcile.closures import NONE, Effects, maybe_superseded
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.edits.travel import Overwritten
from syncer.reconcile.merge import Merged, merge

if TYPE_CHECKING:
    from syncer.ledger import Ledger

_T = TypeVar("_T")


class Clock(Protocol):
    """Our own wall clock; a simulation has another one."""

    def __call__(self) -> datetime:
        """The present instant, in UTC."""


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
    progress: Progress = field(default_factory=Progress)
    ambiguities: tuple[Ambiguity, ...] = ()
    ambiguous: tuple[Ambiguity, ...] = ()
    """Those of them that the records show."""
    learned: Changes = field(default_factory=Changes)
    """What was learned of contacts, and is stored with more of it."""
    changed_records: set[tuple[str, str]] | None = None
    """Whose keys or links changed since everybody was looked at to find who is one person; ``None`` if none was."""
    doubts: list[Ambiguity] = field(default_factory=list)
    """Ambiguities that only a search of this run has shown: what is known by heart does not."""
    confirmed: set[tuple[str, str]] = field(default_factory=set)
    """(system, contact) whose keys were read in this run."""
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """Which contacts' tasks were read and when, to be stored with what is merged from them."""
    named: set[tuple[str, str]] = field(default_factory=set)
    """The places that the markers name which were read before anybody's tasks are read in full."""
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    attention: list[Item] = field(default_factory=list)
    failed: list[Item] = field(default_factory=list)
    created: Counter[str] = field(default_factory=Counter)
    completed: Counter[str] = field(default_factory=Counter)
    delays: list[tuple[str, float]] = field(default_factory=list)
    """Of each confirmed operation, its CRM and the seconds since what it carries over was done."""
    edited: Counter[str] = field(default_factory=Counter)
    overwritten: list[Overwritten] = field(default_factory=list)
    turned: dict[str, str] = field(default_factory=dict)
    """By CRM: the last of the tasks whose texts were read again in this run, in turn."""

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

    def is_due(self, operation: Operation, due: datetime | None) -> bool:
        """Whether this is the due that was sent, as its CRM keeps it."""
        return self.policy.dues_of(operation.system).same(due, operation.due)

    def record(self, changes: Changes) -> None:
        """Store, then believe: nothing is sent that rests on more than the ledger holds."""
        noted = self.noted(changes)
        self.store(noted)
        self.base.update(noted)

    def noted(self, changes: Changes) -> Changes:
        """The changes, with what follows from them for who is to be looked at again."""
        return self._note_records(changes) if changes.records or changes.links or changes.merged else changes

    def store(self, changes: Changes) -> None:
        """Write them, without believing anything."""
        if self.token is not None:
            self.ledger.store(changes, token=self.token, now=self.clock())

    @contextmanager
    def learning(self) -> Iterator[None]:
        """What is learned of contacts meanwhile is stored at the end, however that comes."""
        try:
            yield
        finally:
            self.store_learned()

    def store_learned(self, *, at_least: int = 1) -> None:
        """Store what was learned of contacts, if it is so much."""
        learned = self.learned
        if len(learned.records) + len(learned.lookups) >= at_least:
            self.learned = Changes()
            self.record(learned)

    def _note_records(self, changes: Changes) -> Changes:
        """Remember whose keys or links change, and who shares those that they have until then.

        A run that breaks off here tells the next one that everybody is to be looked at.
        """
        if self.changed_records is not None:
            for key in {*changes.records, *changes.links}:
                self.changed_records |= {key, *self.base.neighbours(key)}
            for link in changes.merged:
                self.changed_records.update(self.base.contacts_of(link))
        if not self.base.cursors.get(LINKED):
            return changes
        return replace(changes, cursors={**changes.cursors, LINKED: ""})

    def extend(self, rows: Iterable[Reading], *, whole: bool = False) -> None:
        """Load what the ledger knows of these tasks, of their places, and of the markers that they carry.

        Of closed tasks, only those that a newer one may have closed can still mean something; ``whole`` loads all.
        """
        rows = list(rows)
        suspects = set[str]()
        for system in {row.system for row in rows}:
            lane_policy = self.connections[system].adapter.capabilities.lane
            if lane_policy is not None:
                suspects |= {row.remote_id for row in maybe_superseded(rows, lane_policy.supersede_window)}
        readings = [row for row in rows if whole or row.state is State.OPEN or row.marker or row.remote_id in suspects]
        markers = [reading.marker for reading in readings if reading.marker]
        wanted = {reading.key for reading in readings} | {marker.place for marker in markers}
        unknown = {key for key in wanted if key not in self.base.replicas}
        tasks = {marker.task for marker in markers} | {reading.place for reading in readings if reading.key in unknown}
        self._load(unknown, self._unknown(tasks))

    def _load(self, replicas: set[tuple[str, str]], tasks: set[str]) -> None:
        """Load these, and where a task of a place was there before, those that followed at the same place."""
        while (replicas or tasks) and not self.base.is_whole:
            self.ledger.extend(self.base, replicas=replicas, tasks=tasks)
            replicas = set()
            tasks = self._unknown(next_task_id(task) for task in tasks if task in self.base.tasks)

    def _unknown(self, tasks: Iterable[str]) -> set[str]:
        # A difference from the keys of a dictionary would walk over all of them.
        return {task for task in tasks if task not in self.base.tasks}

    def merge_contact(
        self,
        system: str,
        contact: str,
        listing: Listing[Reading],
        *,
        operation: Operation | None = None,
        effects: Effects = NONE,
        also: Changes | None = None,
        whole: bool = True,
    ) -> None:
        """Merge one contact's tasks as just read, storing with it, in one transaction, what led to the reading.

        ``effects`` is what our own writes did to them since they were read before. They are all of the contact's tasks,
        unless it is not ``whole``.
        """
        self.extend(listing.rows)
        changes = also or Changes()
        if operation is not None:
            changes.operations[operation.id] = operation
        base, markers = self.base, [row.marker for row in listing.rows if row.marker]
        keys = (*(reading.key for reading in listing.rows), *(marker.place for marker in markers))
        named = {base.replicas[key].task for key in keys if key in base.replicas} | {marker.task for marker in markers}
        contacts = [(system, contact), *((system, row.contact or contact) for row in listing.rows)]
        narrow = base.narrowed(base.links.get((system, contact)), [*named, *changes.tasks], contacts)
        narrow.tasks.update(changes.tasks)
        narrow.replicas.update(changes.replicas)
        narrow.operations.update(changes.operations)
        seen = Seen(
            readings={reading.remote_id: reading for reading in listing.rows},
            lanes={contact: listing.rows} if whole else {},
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
            effects={system: effects},
        )
        self.record(_both(changes, merged.changes))
        if whole:
            self.connections[system].seen.lanes[contact] = listing.rows
        self.believe(merged)

    def believe(self, merged: Merged) -> None:
        """Go on by what a merge found, once it is stored."""
        self.incidents += merged.incidents
        self.overwritten += merged.overwritten
        self.base.recent.update(merged.base.recent)
        self.base.behind |= merged.base.behind
        self.leave_alone(merged.undecided)

    def leave_alone(self, contacts: Iterable[tuple[str, str]]) -> None:
        """Make nothing for these (system, contact) in this run: something of theirs could not be told yet."""
        for system, contact in contacts:
            self.connections[system].seen.unread.add(contact)

    def records_of(self, link: str) -> list[Record]:
        """What every CRM knows of one person."""
        return self.base.records_of(link)

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
        failing={**first.failing, **second.failing},
        readable=first.readable | second.readable,
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
