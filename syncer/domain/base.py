"""What the ledger holds, as values: the engine reads a `Base`, decides, and hands back `Changes`.

Nothing here knows SQL. Words of an enumeration are stored as they are and survive a restart.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.domain.cursors import BEHIND, FULL, LEFT, NEWCOMER, survivor
from syncer.domain.fields import Change
from syncer.domain.model import Kind, Record, Replica, Task
from syncer.domain.table import Table, as_table


class Action(StrEnum):
    """What an operation does to a CRM."""

    CREATE = "create"
    COMPLETE = "complete"
    EDIT = "edit"


class OpState(StrEnum):
    """How far an operation got."""

    SENT = "sent"
    """Stored before its request; found at the start of a run it means a crash: in doubt."""
    IN_DOUBT = "in_doubt"
    """The request may have been carried out; reading will tell."""
    DONE = "done"
    FAILED = "failed"
    """It surely was not carried out and may be planned again, not before ``not_before``."""
    PARKED = "parked"
    """The CRM refused it; planned again when ``fingerprint`` changes, or by ``syncer retry``."""


UNSETTLED = frozenset({OpState.SENT, OpState.IN_DOUBT})


EVERYBODY = ""
"""Stands for the contact in the visit to a CRM whose list of all tasks was read, nothing of it left out."""


LONGEST_WAIT = timedelta(hours=1)
"""Between two tries of what failed."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One intended write. ``contact`` is the contact's id in that CRM, ``remote_id`` the replica to complete
    or, once done, the one that was created.

    ``before`` is what a later reading is compared with: the ids of the contact's tasks that were open just
    before the request. ``seen`` are all ids that were there in a lane, elsewhere those that could not be understood.
    ``failures`` counts runs in a row that ended badly. ``changes`` are the fields that an edit changes.
    """

    id: str
    task: str
    system: str
    action: Action
    contact: str
    state: OpState
    created_at: datetime
    sent_at: datetime
    remote_id: str | None = None
    raw_type: str = ""
    due: datetime | None = None
    before: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    fingerprint: str = ""
    failures: int = 0
    not_before: datetime | None = None
    words: str = ""
    reason: str = ""
    run: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def slot(self) -> tuple[str, str, Action]:
        """At most one operation of a task, system and action is unsettled."""
        return (self.task, self.system, self.action)


@dataclass(frozen=True, slots=True)
class Failing:
    """Something of a CRM that could not be read in ``failures`` runs in a row, the first of them at ``since``.

    ``what`` and ``key`` name it as `syncer.reconcile.reading_list.ReadItem` does. ``garbled`` says that there was an
    answer, which could not be understood; ``words`` are the CRM's own.
    """

    system: str
    what: str
    key: str
    failures: int
    since: datetime
    words: str
    garbled: bool = False

    @property
    def place(self) -> tuple[str, str, str]:
        return (self.system, self.what, self.key)


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a task's history: what was seen, decided, sent or answered. Never changed, never deleted.

    ``what`` is a machine word (``seen``, ``adopted``, ``done``, ``superseded``, ``sent``, ``created``, …), ``who``
    is ``"us"`` or ``"them"``, ``detail`` a sentence for people.
    """

    at: datetime
    what: str
    who: str
    detail: str = ""
    task: str | None = None
    system: str | None = None
    remote_id: str | None = None
    run: str = ""


Likeness = tuple[str, Kind, str | None, datetime]
"""(person, kind, title, due): tasks that have the same are alike."""


def within(then: datetime, now: datetime, span: timedelta) -> bool:
    """Whether it is no longer ago than this; what lies ahead was written while the clock was wrong."""
    return timedelta(0) <= now - then < span


# By what the rows of a base are found, see `Table`. -----------------------------------------------------


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
    """A person or a key, where it is about one."""
    return (cursor.rpartition(":")[2] if cursor.startswith((BEHIND, LEFT, NEWCOMER)) else "",)


@dataclass(slots=True)
class Base:
    """What all sides last agreed on, as loaded for one run: the tasks that may still matter.

    ``tasks`` are those that are open, have an open replica or an unsettled operation, and those asked for by id;
    ``replicas`` all replicas of these, and those asked for by key. ``operations`` are the unsettled and the parked or
    failed ones, the latest for each task, system and action, and of tasks asked for the creates that were carried out.
    ``records`` are all known contacts, ``links`` gives the link of each linked one. ``lookups`` tells when a (system,
    key) was last asked for and not found, ``visits`` when the tasks of a (system, contact) were last read one contact
    at a time. ``cursors`` are small named values. ``failing`` is what could not be read when it was last tried.
    ``unreported`` are incidents of runs that broke off before they could report them. ``recent`` counts the tasks,
    closed ones too, that were first seen within a day and are alike. ``behind`` are the persons for whom nothing may be
    written in this run, because something was that the ledger does not know.

    What is asked for each operation or contact is answered from indexes, which are in step with these dictionaries
    whoever changes them: each is made a `Table`. To replace one, make another base.
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
    """See `syncer.domain.ledger_ids`; empty where no run was made with this ledger yet."""
    former_ids: frozenset[str] = frozenset()
    """What it was called before its file was copied or put back."""
    restored_at: datetime | None = None
    """When the ledger was found to be a copy that was put back: what happened before then it may not know."""
    put_forward: timedelta = timedelta(0)
    """By how much our clock was put forward since the last run."""
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
        """A base whose tasks, replicas, operations, links, cursors and counts may be changed, and this one is not."""
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
        """Take over what was stored, or in a plan would have been."""
        self.links.update(changes.links)
        self.records.update(changes.records)
        self.tasks.update(changes.tasks)
        if changes.merged:
            self._follow(changes.merged)
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
        """What was a link's that became part of another one is that one's."""
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
                self.recent[theirs] = self.recent.get(theirs, 0) + self.recent.pop(alike)
        self.behind = {survivor(link, merged) for link in self.behind}

    # questions -------------------------------------------------------------------------------------

    def asked_to_make(self, system: str, key: str) -> datetime | None:
        """When the CRM was last asked to make a contact with this key."""
        asked = self.cursors.get(f"{NEWCOMER}{system}:{key}")
        return None if asked is None else datetime.fromisoformat(asked)

    def may_arrive(self, system: str, keys: Iterable[str], now: datetime, grace: timedelta) -> bool:
        """Whether that was so lately, for any of these keys, that the contact may still be made."""
        instants = (self.asked_to_make(system, key) for key in keys)
        return any(asked is not None and within(asked, now, grace) for asked in instants)

    def is_full(self, system: str) -> bool:
        """Whether the CRM had no room for what was created last."""
        return bool(self.cursors.get(FULL + system))

    def copies_of(self, task: str) -> list[Replica]:
        """The task's replicas, whatever has become of them."""
        return as_table(self.replicas).by(_by_task, task)

    def copies(self, task: str, system: str) -> list[Replica]:
        """Those in one CRM."""
        return [replica for replica in self.copies_of(task) if replica.system == system]

    def replicas_of(self, system: str, contact: str) -> list[Replica]:
        """The replicas that are tasks of one contact."""
        return as_table(self.replicas).by(_by_contact, (system, contact))

    def operations_of(self, task: str) -> list[Operation]:
        """The operations on one task."""
        return as_table(self.operations).by(_by_its_task, task)

    def operations_in(self, slot: tuple[str, str, Action]) -> list[Operation]:
        """Those of one task, system and action."""
        return [operation for operation in self.operations_of(slot[0]) if operation.slot == slot]

    def unsettled(self, system: str, contact: str) -> list[Operation]:
        """The operations on a contact's tasks that may have been carried out."""
        found = as_table(self.operations).by(_by_its_contact, (system, contact))
        return [operation for operation in found if operation.state in UNSETTLED]

    def tasks_of(self, link: str) -> list[Task]:
        """The tasks of one person."""
        return as_table(self.tasks).by(_by_person, link)

    def contacts_of(self, link: str) -> tuple[tuple[str, str], ...]:
        """The (system, id) of one person in each CRM."""
        return as_table(self.links).keys_by(_by_link, link)

    def records_of(self, link: str) -> list[Record]:
        """What every CRM knows of one person."""
        return [self.records[key] for key in sorted(self.contacts_of(link)) if key in self.records]

    def records_with(self, key: str) -> list[Record]:
        """The contacts that have this phone number or e-mail."""
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
        """What tasks of one person that were first seen within a day look like."""
        return as_table(self.recent).keys_by(_by_whose, link)

    def narrowed(self, contact: str | None, tasks: Iterable[str], records: Iterable[tuple[str, str]] = ()) -> Base:
        """Only the tasks of one link, and these others: what one lane or one contact is decided from.

        And of everything else only what is about the persons of these, and about those of these ``records``.
        """
        own = () if contact is None else (task.id for task in self.tasks_of(contact))
        wanted = dict.fromkeys(task for task in (*own, *tasks) if task in self.tasks)
        named = dict.fromkeys(records)
        linked = (self.links.get(key) for key in named)
        persons = dict.fromkeys(
            link for link in (contact, *linked, *(self.tasks[task].contact for task in wanted)) if link is not None
        )
        places = dict.fromkeys((*(key for link in persons for key in self.contacts_of(link)), *named))
        known = {key: self.records[key] for key in places if key in self.records}
        keys = dict.fromkeys(key for record in known.values() for key in (*record.phones, *record.emails))
        return replace(
            self,
            tasks={task: self.tasks[task] for task in wanted},
            replicas={copy.key: copy for task in wanted for copy in self.copies_of(task)},
            operations={op.id: op for task in wanted for op in self.operations_of(task)},
            records=known,
            links={key: self.links[key] for key in places if key in self.links},
            cursors={name: self.cursors[name] for about in ("", *persons, *keys) for name in self.cursors_about(about)},
            recent={alike: self.recent[alike] for link in persons for alike in self.recent_of(link)},
        )


@dataclass(slots=True)
class Changes:
    """What is to be stored in one transaction: whole new values, keyed as in `Base`.

    ``forgotten`` are replicas to be removed (after ``syncer retry``), ``links`` are new or moved links,
    ``merged`` tells which link became part of which. ``readable`` is what fails no more.
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
