"""The state of one run: connections, base, what was seen, and the only way to write to the ledger."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base, Changes
from syncer.domain.cursors import LINKED
from syncer.domain.events import Event
from syncer.domain.model import Listing, Reading, Record, State
from syncer.domain.operations import Operation
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item
from syncer.domain.report import TaskName
from syncer.domain.snapshot import Seen
from syncer.domain.task_ids import next_task_id
from syncer.engine.connection import Connection
from syncer.engine.progress import Progress
from syncer.reconcile.closures import NONE, Effects, maybe_superseded
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.edits.travel import Overwritten
from syncer.reconcile.merge import Merged, merge

if TYPE_CHECKING:
    from syncer.ledger import Ledger

_T = TypeVar("_T")

AT_ONCE: Final = 8
"""How many items of one CRM are read or written at the same time."""
ONE_BY_ONE: Final = 60.0
"""With so few seconds or fewer, work that takes several requests and waits for the CRM's budget is done one by one.

If all of it took turns, the time could be over before any of it is finished, in every run.
"""


class Clock(Protocol):
    """Our wall clock. A simulation brings its own."""

    def __call__(self) -> datetime:
        """Return the current time in UTC."""


@dataclass(slots=True)
class RunContext:
    """One run of one account. ``token`` is the token of the lease. Without one nothing is stored, as in a plan."""

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
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while an event of a CRM waits for the end of this run."""
    ambiguities: tuple[Ambiguity, ...] = ()
    ambiguous: tuple[Ambiguity, ...] = ()
    """The ambiguities that the records show."""
    learned: Changes = field(default_factory=Changes)
    """What was learned of contacts and is not stored yet. It is stored in batches."""
    changed_records: set[tuple[str, str]] | None = None
    """The records whose keys or links changed since they were last linked; ``None`` if all are to be linked anew."""
    doubted: frozenset[tuple[str, str]] | None = None
    """The records that were ambiguous when the last run ended, if that is known."""
    doubts: list[Ambiguity] = field(default_factory=list)
    """Ambiguities that only a search of this run has shown. The stored records do not show them."""
    confirmed: set[tuple[str, str]] = field(default_factory=set)
    """The (system, contact) whose keys were read in this run."""
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When each contact's tasks were read, to be stored with what is merged from them."""
    named: set[tuple[str, str]] = field(default_factory=set)
    """The places named by the markers that were read before any person's tasks are read in full."""
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    attention: list[Item] = field(default_factory=list)
    failed: list[Item] = field(default_factory=list)
    created: Counter[str] = field(default_factory=Counter)
    completed: Counter[str] = field(default_factory=Counter)
    delays: list[tuple[str, float]] = field(default_factory=list)
    """For each confirmed operation: its CRM, and the seconds since the change that it copies."""
    edited: Counter[str] = field(default_factory=Counter)
    overwritten: list[Overwritten] = field(default_factory=list)
    turned: dict[str, str] = field(default_factory=dict)
    """By cursor: how far this run has read. Stored with what is merged from it: the next run continues after it."""
    planned_as: dict[str, TaskName] = field(default_factory=dict)
    """By task: what a saved plan calls those of its tasks that were left out. The ledger may not know them."""
    left_out: dict[str, str] = field(default_factory=dict)
    """The persons with whose tasks we met an error of ours, in words. See `syncer.engine.own_errors`."""
    own_errors: int = 0
    """How many errors of ours have left out somebody."""

    def person(self, system: str, contact: str) -> str:
        """Return the person of a contact, as ``left_out`` names them."""
        return self.base.links.get((system, contact), f"{system}:{contact}")

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
        """Return the seconds until the run's end, or a share of them; ``None`` without a limit."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - asyncio.get_running_loop().time()) * share

    def is_due(self, operation: Operation, due: datetime | None) -> bool:
        """Whether this is the due date that was sent, as its CRM stores it."""
        return self.policy.dues_of(operation.system).keeps(operation.due, due)

    def record(self, changes: Changes) -> None:
        """Store the changes, then update the base. So no request depends on anything that a crash could lose."""
        noted = self.noted(changes)
        # Stored first: if that fails, the base in memory must not know more than the ledger.
        self.store(noted)
        self.base.update(noted)

    def noted(self, changes: Changes) -> Changes:
        """Return the changes, and add which records are to be linked again."""
        return self._note_records(changes) if changes.records or changes.links or changes.merged else changes

    def store(self, changes: Changes) -> None:
        """Write the changes to the ledger and leave the base as it is."""
        if self.token is not None:
            self.ledger.store(changes, token=self.token, now=self.clock())

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Store what is learned of contacts in this block when it ends, also after an error."""
        try:
            yield
        finally:
            self.store_learned()

    def store_learned(self, *, at_least: int = 1) -> None:
        """Store what was learned of contacts, if there is at least so much."""
        learned = self.learned
        if len(learned.records) + len(learned.lookups) >= at_least:
            self.learned = Changes()
            self.record(learned)

    def _note_records(self, changes: Changes) -> Changes:
        """Note the records whose keys or links change, and those that share their old keys.

        If the run ends before they are linked, the next run links all records.
        """
        # The old neighbours count, too: when one of two loses the key that both had, the other is ambiguous no more.
        if self.changed_records is not None:
            for key in {*changes.records, *changes.links}:
                self.changed_records |= {key, *self.base.neighbours(key)}
            for link in changes.merged:
                self.changed_records.update(self.base.contacts_of(link))
        if not self.base.cursors.get(LINKED):
            return changes
        return replace(changes, cursors={**changes.cursors, LINKED: ""})

    def extend(self, rows: Iterable[Reading], *, whole: bool = False) -> None:
        """Load what the ledger knows of these tasks, of their places, and of the tasks that their markers name.

        Closed tasks are loaded only if a newer task may have closed them, because others change nothing. ``whole``
        loads all.
        """
        rows = list(rows)
        suspects = set[str]()
        for system in {row.system for row in rows}:
            lane_policy = self.connections[system].adapter.capabilities.lane
            if lane_policy is not None:
                suspects |= {row.remote_id for row in maybe_superseded(rows, lane_policy.supersede_window)}
        readings = [row for row in rows if whole or row.state is State.OPEN or row.marker or row.remote_id in suspects]
        markers = [reading.marker for reading in readings if reading.marker]
        # A run does not load closed tasks. Without its origin, a copy with a marker would look like another ledger's.
        wanted = {reading.key for reading in readings} | {marker.place for marker in markers}
        unknown = {key for key in wanted if key not in self.base.replicas}
        tasks = {marker.task for marker in markers} | {reading.place for reading in readings if reading.key in unknown}
        self._load(unknown, self._unknown(tasks))

    def _load(self, replicas: set[tuple[str, str]], tasks: set[str]) -> None:
        """Load these tasks, and the later tasks of the same places."""
        while (replicas or tasks) and not self.base.is_whole:
            self.ledger.extend(self.base, replicas=replicas, tasks=tasks)
            replicas = set()
            # A marker may name a task that was reopened since, and so became another one of the same place.
            tasks = self._unknown(next_task_id(task) for task in tasks if task in self.base.tasks)

    def _unknown(self, tasks: Iterable[str]) -> set[str]:
        # A set difference with the keys would walk over all tasks of the base.
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
        """Merge one contact's tasks that were just read, and store the result.

        ``operation`` and ``also`` are stored in the same transaction. ``effects`` are what our own writes did since the
        tasks were last read. ``whole`` is false if these are not all tasks of the contact.
        """
        self.extend(listing.rows)
        changes = also or Changes()
        if operation is not None:
            # In one transaction: a process may die between two.
            changes.operations[operation.id] = operation
        narrow = self._part_of_base(system, contact, listing.rows, changes)
        seen = Seen(
            readings={reading.remote_id: reading for reading in listing.rows},
            # One task that was read by itself says nothing of the order of its lane.
            lanes={contact: listing.rows} if whole else {},
        )
        # The other CRMs are passed without their readings, which were merged before.
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
            visits=self.visits,
        )
        self.record(_both(changes, merged.changes))
        if whole:
            self.connections[system].seen.lanes[contact] = listing.rows
        self.believe(merged)

    def _part_of_base(self, system: str, contact: str, rows: Sequence[Reading], changes: Changes) -> Base:
        """Return what the base knows of this contact's person and of these rows, with the changes."""
        base, markers = self.base, [row.marker for row in rows if row.marker]
        keys = (*(row.key for row in rows), *(marker.place for marker in markers))
        named = {base.replicas[key].task for key in keys if key in base.replicas} | {marker.task for marker in markers}
        contacts = [(system, contact), *((system, row.contact or contact) for row in rows)]
        # Only this person's part of the base is merged: merging everything after each write would take far too long.
        narrow = base.narrowed(base.links.get((system, contact)), [*named, *changes.tasks], contacts)
        # The merge must know what is stored with it. Else the copy that was just found would be an unknown task.
        narrow.tasks.update(changes.tasks)
        narrow.replicas.update(changes.replicas)
        narrow.operations.update(changes.operations)
        return narrow

    def believe(self, merged: Merged) -> None:
        """Take over the result of a merge after it was stored."""
        self.incidents += merged.incidents
        self.overwritten += merged.overwritten
        # The merge wrote to a copy, see `Base.copy`. What it counted there would be lost with it.
        self.base.recent.update(merged.base.recent)
        # Only added to: a merge of one contact cannot show that the other CRMs were read.
        self.base.behind |= merged.base.behind
        self.leave_alone(merged.undecided)

    def leave_untold(self, events: Iterable[Event], stored: Iterable[Event]) -> None:
        """Report nothing of those events that are not stored, because the next run finds it again and reports it."""
        kept = {id(event) for event in stored}
        left = [event for event in events if id(event) not in kept]
        values = {Overwritten.of(event) for event in left if event.lost}
        hit = {(event.task, event.detail) for event in left if event.what == "incident"}
        self.overwritten = [one for one in self.overwritten if one not in values]
        self.incidents = [item for item in self.incidents if (item.task, item.detail) not in hit]

    def leave_alone(self, contacts: Iterable[tuple[str, str]]) -> None:
        """Create nothing for these (system, contact) in this run, because one of their tasks is still unclear."""
        for system, contact in contacts:
            self.connections[system].seen.unread.add(contact)

    def records_of(self, link: str) -> list[Record]:
        """Return the records of one person in all CRMs."""
        return self.base.records_of(link)

    def event(self, operation: Operation, what: str, detail: str, remote_id: str | None = None) -> Event:
        """Return a line of history about one operation."""
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
    """Join two sets of changes. The second one wins."""
    return Changes(
        # Field by field. A test sees to it that no field of `Changes` is forgotten here.
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
    """One lock for each name, created when it is first used."""

    def __init__(self) -> None:
        self._locks: dict[object, asyncio.Lock] = {}

    def __call__(self, name: object) -> AbstractAsyncContextManager[None]:
        # Never removed: a run has as many as contacts and tasks that it writes to, and ends with them.
        return self._locks.setdefault(name, asyncio.Lock())


async def together(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of these at the same time. The first error cancels the others and is raised unchanged."""
    try:
        async with asyncio.TaskGroup() as group:
            for one in work:
                group.create_task(one)
    except BaseExceptionGroup as errors:
        # As without a group: callers catch a lost lease or a wrong account by its class.
        raise _first(errors) from None


async def for_each(items: Iterable[_T], work: Callable[[_T], Awaitable[None]], *, at_once: int = AT_ONCE) -> None:
    """Do the work for every item, a few at a time. Items are started in order."""
    todo = list(items)
    waiting = iter(todo)

    async def worker() -> None:
        # One iterator for all workers, so each item is taken once.
        for item in waiting:
            await work(item)

    await together(worker() for _ in range(min(at_once, len(todo))))


async def to_the_end(step: Coroutine[Any, Any, _T]) -> _T:
    """Finish this step even if the run is cancelled in the middle of it."""
    # A write that is cut off between its request and its outcome would be in doubt for no reason.
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
