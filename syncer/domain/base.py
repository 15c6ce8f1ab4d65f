"""The ledger's content as plain values: the engine reads a `Base`, decides, and returns `Changes`.

Nothing here knows SQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from syncer.domain.cursors import BEHIND, ELSEWHERE, FULL, KEPT, LEFT, NEWCOMER, UNSTORED, survivor
from syncer.domain.events import Event
from syncer.domain.model import Kind, Record, Replica, Task
from syncer.domain.operations import Action, Operation
from syncer.domain.table import Table, as_table
from syncer.domain.task_ids import Marker

EVERYBODY = ""
"""The contact id of a visit that read the CRM's whole list of tasks."""


@dataclass(frozen=True, slots=True)
class Failing:
    """An item of a CRM that could not be read in ``failures`` runs in a row, the first of them at ``since``.

    ``what`` and ``key`` name the item, as in `syncer.reconcile.read_items.ReadItem`. ``garbled`` is true if there
    was an answer that could not be understood. ``words`` is the CRM's own error text. ``contact`` is the contact of a
    task, or empty if it is not known.
    """

    system: str
    what: str
    key: str
    failures: int
    since: datetime
    words: str
    garbled: bool = False
    contact: str = ""

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.system, self.what, self.key)


Likeness = tuple[str, Kind, str | None, datetime]
"""(link id, kind, title, due). Tasks with the same likeness are counted to detect a loop with an automation."""


def within(then: datetime, now: datetime, span: timedelta) -> bool:
    """Whether ``then`` is less than ``span`` ago."""
    # An instant in the future was stored while the clock was wrong, so it proves nothing.
    return timedelta(0) <= now - then < span


# The indexes of a base, see `Table`. --------------------------------------------------------------------


def _by_person(_key: str, task: Task) -> tuple[str]:
    return (task.contact,)


def _by_task(_key: tuple[str, str], replica: Replica) -> tuple[str]:
    return (replica.task,)


def _by_contact(_key: tuple[str, str], replica: Replica) -> tuple[tuple[str, str]]:
    return ((replica.system, replica.contact),)


def _by_its_task(_key: str, operation: Operation) -> tuple[str]:
    return (operation.task,)


def _by_its_contact(_key: str, operation: Operation) -> tuple[tuple[str, str]]:
    return ((operation.system, operation.contact),)


def _by_keys(_key: tuple[str, str], record: Record) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*record.phones, *record.emails)))


def _by_link(_key: tuple[str, str], link: str) -> tuple[str]:
    return (link,)


def _by_whose(alike: Likeness, _number: int) -> tuple[str]:
    return (alike[0],)


def _by_what_it_is_about(cursor: str, _value: str) -> tuple[str]:
    """The link, the contact key or the contact at the end of the cursor's name, or an empty text."""
    about = cursor.startswith((BEHIND, ELSEWHERE, KEPT, LEFT, NEWCOMER, UNSTORED))
    return (cursor.rpartition(":")[2] if about else "",)


@dataclass(slots=True)
class Base:
    """What all CRMs last agreed on, as loaded for one run. Only tasks that may still change are loaded.

    tasks       open tasks, tasks with an open replica or an unsettled operation, and tasks requested by id
    replicas    all replicas of these tasks, and replicas requested by key
    operations  the unsettled ones; the latest parked or failed one of each slot; for tasks requested by id, also the
                creates that were carried out
    records     all known contacts, by (system, contact id)
    links       the link id of each linked contact, by (system, contact id)
    lookups     when a (system, contact key) was last searched and not found
    visits      when the tasks of a (system, contact id) were last read
    cursors     small named values, see `syncer.domain.cursors`
    failing     items that could not be read in the last run
    unreported  incidents and overwritten values of runs that stopped before they could report them
    recent      how many tasks of one likeness were first seen within a day, closed tasks included
    behind      links for which nothing may be written in this run: something was written for them that this ledger
                does not know

    The questions below are asked for every operation and every contact, so they are answered from indexes. Each
    dictionary becomes a `Table`, which updates its indexes on every change. Do not assign another dictionary to a
    field of an existing base, for that one would have no indexes: make another base.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    replicas: dict[tuple[str, str], Replica] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    lookups: dict[tuple[str, str], datetime] = field(default_factory=dict)
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    failing: dict[tuple[str, str, str], Failing] = field(default_factory=dict)
    unreported: list[Event] = field(default_factory=list)
    recent: dict[Likeness, int] = field(default_factory=dict)
    ledger_id: str = ""
    ledger_made_at: datetime | None = None
    """See `syncer.domain.ledger_ids`. Empty before the first run with this ledger."""
    former_ids: frozenset[str] = frozenset()
    """The ids of this ledger before its file was copied or restored."""
    restored_at: datetime | None = None
    """When the ledger was found to be a restored copy. It may lack what happened before that instant."""
    is_whole: bool = field(default=False, compare=False)
    """Whether the ledger knew no task and no replica but these: then it need not be asked for any other."""
    broken_off: int = 0
    """How many of the last runs in a row were interrupted before they could report anything."""
    put_forward: timedelta = timedelta(0)
    """How far our clock was set forward since the last run."""
    behind: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tasks = as_table(self.tasks)
        self.replicas = as_table(self.replicas)
        self.operations = as_table(self.operations)
        self.records = as_table(self.records)
        self.links = as_table(self.links)
        self.cursors = as_table(self.cursors)
        self.recent = as_table(self.recent)

    def copy(self) -> Base:
        """A base whose tasks, replicas, operations, links, cursors and counts can change without changing this one."""
        # What a merge writes to. It only reads the other fields, so both bases share them.
        return replace(
            self,
            tasks=Table(self.tasks),
            replicas=Table(self.replicas),
            operations=Table(self.operations),
            links=Table(self.links),
            cursors=Table(self.cursors),
            recent=Table(self.recent),
        )

    # changes ---------------------------------------------------------------------------------------

    def update(self, changes: Changes) -> None:
        """Apply changes that were stored, or that a plan only pretends to store."""
        self.links.update(changes.links)
        self.records.update(changes.records)
        self.tasks.update(changes.tasks)
        if changes.merged:
            # After links and tasks: these may still name a link that has ended.
            self._follow(changes.merged)
        # In the order in which the ledger stores them.
        for key in changes.forgotten:
            self.replicas.pop(key, None)
        self.replicas.update(changes.replicas)
        self.operations.update(changes.operations)
        self.lookups.update(changes.lookups)
        self.visits.update(changes.visits)
        self.cursors.update(changes.cursors)
        for place in changes.readable:
            self.failing.pop(place, None)
        self.failing.update(changes.failing)

    def _follow(self, merged: Mapping[str, str]) -> None:
        """Move everything of a merged link to the link that remains."""
        for link in merged:
            now = survivor(link, merged)
            if now == link:
                continue
            for key in self.contacts_of(link):
                self.links[key] = now
            for task in self.tasks_of(link):
                self.tasks[task.id] = replace(task, contact=now)
            for alike in self.recent_of(link):
                theirs = (now, *alike[1:])
                # Added up, because a loop may show only in the sum of both.
                self.recent[theirs] = self.recent.get(theirs, 0) + self.recent.pop(alike)
        # If one of the two persons waits, the tasks of both do: nothing tells whose the unknown write was.
        self.behind = {survivor(link, merged) for link in self.behind}

    # questions -------------------------------------------------------------------------------------

    def wrote(self, marker: Marker) -> bool:
        """Whether this ledger wrote the marker, by its id or a former one."""
        return marker.ledger == self.ledger_id or marker.ledger in self.former_ids

    def asked_to_make(self, system: str, key: str) -> datetime | None:
        """When the CRM was last asked to make a contact with this key."""
        asked = self.cursors.get(f"{NEWCOMER}{system}:{key}")
        return None if asked is None else datetime.fromisoformat(asked)

    def may_arrive(self, system: str, keys: Iterable[str], now: datetime, grace: timedelta) -> bool:
        """Whether a contact with one of these keys was requested less than ``grace`` ago and may still appear."""
        instants = (self.asked_to_make(system, key) for key in keys)
        return any(asked is not None and within(asked, now, grace) for asked in instants)

    def is_full(self, system: str) -> bool:
        """Whether the CRM rejected the last create because its storage is full."""
        return bool(self.cursors.get(FULL + system))

    def copies_of(self, task: str) -> list[Replica]:
        """All replicas of the task, closed and gone ones included."""
        return as_table(self.replicas).by(_by_task, task)

    def copies(self, task: str, system: str) -> list[Replica]:
        """The task's replicas in one CRM."""
        return [replica for replica in self.copies_of(task) if replica.system == system]

    def replicas_of(self, system: str, contact: str) -> list[Replica]:
        """The replicas that belong to one contact of a CRM."""
        return as_table(self.replicas).by(_by_contact, (system, contact))

    def operations_of(self, task: str) -> list[Operation]:
        """The operations on one task."""
        return as_table(self.operations).by(_by_its_task, task)

    def operations_in(self, slot: tuple[str, str, Action]) -> list[Operation]:
        """The operations of one slot."""
        return [operation for operation in self.operations_of(slot[0]) if operation.slot == slot]

    def latest(self, slot: tuple[str, str, Action]) -> Operation | None:
        """The latest operation of a slot, which decides what happens next there."""
        # By id where two were made in one instant: whichever it is, every run must take the same one.
        return max(self.operations_in(slot), key=lambda op: (op.created_at, op.id), default=None)

    def unsettled(self, system: str, contact: str) -> list[Operation]:
        """The operations on one contact's tasks of which it is not known whether they were carried out."""
        found = as_table(self.operations).by(_by_its_contact, (system, contact))
        return [operation for operation in found if operation.is_unsettled]

    def tasks_of(self, link: str) -> list[Task]:
        """The tasks of one person."""
        return as_table(self.tasks).by(_by_person, link)

    def contacts_of(self, link: str) -> tuple[tuple[str, str], ...]:
        """The (system, contact id) of one person in each CRM."""
        return as_table(self.links).keys_by(_by_link, link)

    def records_of(self, link: str) -> list[Record]:
        """The records of one person in all CRMs."""
        # An index has its keys in the order in which they were stored. No decision may depend on that.
        return [self.records[key] for key in sorted(self.contacts_of(link)) if key in self.records]

    def records_with(self, key: str) -> list[Record]:
        """The records that have this phone number or e-mail."""
        return as_table(self.records).by(_by_keys, key)

    def neighbours(self, record: tuple[str, str]) -> set[tuple[str, str]]:
        """The contacts that share a key or the person with this one."""
        known = self.records.get(record)
        keys = () if known is None else (*known.phones, *known.emails)
        link = self.links.get(record)
        return {other.key for key in keys for other in self.records_with(key)} | set(
            () if link is None else self.contacts_of(link)
        )

    def cursors_about(self, person: str) -> tuple[str, ...]:
        """The names of the small values that are about this person, or about this key."""
        return as_table(self.cursors).keys_by(_by_what_it_is_about, person)

    def recent_of(self, link: str) -> tuple[Likeness, ...]:
        """The likenesses of one person's tasks that were first seen within a day."""
        return as_table(self.recent).keys_by(_by_whose, link)

    def narrowed(self, contact: str | None, tasks: Iterable[str], records: Iterable[tuple[str, str]] = ()) -> Base:
        """A part of this base: the tasks of one link and the given ones, and everything about their persons.

        ``records`` adds the persons of these (system, contact id). A lane is planned again before each write; with a
        part of the base that costs the same, however many tasks the account has.
        """
        own = () if contact is None else (task.id for task in self.tasks_of(contact))
        # Dictionaries and not sets: the order of a set changes from process to process, and with it that of the plan.
        wanted = dict.fromkeys(task for task in (*own, *tasks) if task in self.tasks)
        named = dict.fromkeys(records)
        linked = (self.links.get(key) for key in named)
        persons = dict.fromkeys(
            link for link in (contact, *linked, *(self.tasks[task].contact for task in wanted)) if link is not None
        )
        places = dict.fromkeys((*(key for link in persons for key in self.contacts_of(link)), *named))
        known = {key: self.records[key] for key in places if key in self.records}
        # Some cursors are about a contact, or about a key: a contact that was asked for and may still arrive.
        keys = dict.fromkeys(key for record in known.values() for key in (*record.phones, *record.emails))
        about = dict.fromkeys(("", *persons, *keys, *(contact for _, contact in places)))
        return replace(
            self,
            tasks={task: self.tasks[task] for task in wanted},
            replicas={copy.key: copy for task in wanted for copy in self.copies_of(task)},
            operations={op.id: op for task in wanted for op in self.operations_of(task)},
            records=known,
            links={key: self.links[key] for key in places if key in self.links},
            # Those about nobody belong to every part.
            cursors={name: self.cursors[name] for one in about for name in self.cursors_about(one)},
            recent={alike: self.recent[alike] for link in persons for alike in self.recent_of(link)},
        )


@dataclass(slots=True)
class Changes:
    """What is to be stored in one transaction: whole new values, with the same keys as in `Base`.

    ``forgotten`` are replicas to remove (after ``syncer retry``). ``links`` are new or changed links. ``merged`` maps
    a link that ended to the link that it became part of. ``readable`` are items that can be read again.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    replicas: dict[tuple[str, str], Replica] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    merged: dict[str, str] = field(default_factory=dict)
    lookups: dict[tuple[str, str], datetime] = field(default_factory=dict)
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    failing: dict[tuple[str, str, str], Failing] = field(default_factory=dict)
    readable: set[tuple[str, str, str]] = field(default_factory=set)
    forgotten: set[tuple[str, str]] = field(default_factory=set)
