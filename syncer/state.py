"""What the ledger holds, as values: the engine reads a `Base`, decides, and hands back `Changes`.

Nothing here knows SQL. Words of an enumeration are stored as they are and survive a restart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.model import Record, Replica, Task


class Action(StrEnum):
    """What an operation does to a CRM."""

    CREATE = "create"
    COMPLETE = "complete"


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

OUR_USER = "user:"
"""Begins the name of the cursor that has whom a CRM names as the maker of what we make there."""

HOLD = "hold:"
"""Begins the name of the cursor that stops all creates in a CRM until the instant that it holds."""

NEWCOMER = "newcomer:"
"""Begins the name of the cursor that has when a CRM was last asked to make a contact with this key."""

EVERYBODY = ""
"""Stands for the contact in the visit to a CRM whose list of all tasks was read, nothing of it left out."""

LONGEST_WAIT = timedelta(hours=1)
"""Between two tries of what failed, or of creates in a CRM that is full."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One intended write. ``contact`` is the contact's id in that CRM, ``remote_id`` the replica to complete
    or, once done, the one that was created.

    ``before`` is what a later reading is compared with: the ids of the contact's tasks that were open just
    before the request. ``seen`` are all ids that were there. ``failures`` counts runs in a row that ended badly.
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

    @property
    def slot(self) -> tuple[str, str, Action]:
        """At most one operation of a task, system and action is unsettled."""
        return (self.task, self.system, self.action)

    def is_due(self, due: datetime | None) -> bool:
        """Whether a reading's due is the one that was sent; CRMs may drop fractions of a second."""
        if due is None or self.due is None:
            return due is self.due
        return abs(due - self.due) < timedelta(seconds=1)


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


def within(then: datetime, now: datetime, span: timedelta) -> bool:
    """Whether it is no longer ago than this; what lies ahead was written while the clock was wrong."""
    return timedelta(0) <= now - then < span


@dataclass(slots=True)
class Base:
    """What all sides last agreed on, as loaded for one run: the tasks that may still matter.

    ``tasks`` are those that are open, have an open replica or an unsettled operation, and those asked for by
    id; ``replicas`` all replicas of these, and those asked for by key. ``operations`` are the unsettled and the parked
    or failed ones, the latest for each task, system and action. ``records`` are all known contacts, ``links`` gives
    the link of each linked one. ``lookups`` tells
    when a (system, key) was last asked for and not found, ``visits`` when the tasks of a (system, contact) were last
    read one contact at a time. ``cursors`` are small named values. ``unreported`` are incidents of runs that broke off
    before they could report them.
    """

    tasks: dict[str, Task] = field(default_factory=dict)
    replicas: dict[tuple[str, str], Replica] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    records: dict[tuple[str, str], Record] = field(default_factory=dict)
    links: dict[tuple[str, str], str] = field(default_factory=dict)
    lookups: dict[tuple[str, str], datetime] = field(default_factory=dict)
    visits: dict[tuple[str, str], datetime] = field(default_factory=dict)
    cursors: dict[str, str] = field(default_factory=dict)
    unreported: list[Event] = field(default_factory=list)
    empty: bool = True
    """Whether the ledger has never held a task."""

    def update(self, changes: Changes) -> None:
        """Take over what was stored, or in a plan would have been."""
        self.links.update(changes.links)
        self.records.update(changes.records)
        if changes.merged:
            for task in list(self.tasks.values()):
                if task.contact in changes.merged:
                    self.tasks[task.id] = replace(task, contact=changes.merged[task.contact])
        self.tasks.update(changes.tasks)
        self.empty = self.empty and not changes.tasks
        for key in changes.forgotten:
            self.replicas.pop(key, None)
        self.replicas.update(changes.replicas)
        self.operations.update(changes.operations)
        self.lookups.update(changes.lookups)
        self.visits.update(changes.visits)
        self.cursors.update(changes.cursors)

    def asked_to_make(self, system: str, key: str) -> datetime | None:
        """When the CRM was last asked to make a contact with this key."""
        asked = self.cursors.get(f"{NEWCOMER}{system}:{key}")
        return None if asked is None else datetime.fromisoformat(asked)

    def may_arrive(self, system: str, keys: Iterable[str], now: datetime, grace: timedelta) -> bool:
        """Whether that was so lately, for any of these keys, that the contact may still be made."""
        instants = (self.asked_to_make(system, key) for key in keys)
        return any(asked is not None and within(asked, now, grace) for asked in instants)

    def copies(self, task: str, system: str) -> list[Replica]:
        """The task's replicas in one CRM, whatever has become of them."""
        return [replica for replica in self.replicas.values() if (replica.task, replica.system) == (task, system)]

    def narrowed(self, contact: str | None, tasks: Iterable[str]) -> Base:
        """Only the tasks of one link, and these others: what one lane or one contact is decided from."""
        wanted = {task.id for task in self.tasks.values() if task.contact == contact} | (set(tasks) & set(self.tasks))
        return replace(
            self,
            tasks={task: self.tasks[task] for task in wanted},
            replicas={key: replica for key, replica in self.replicas.items() if replica.task in wanted},
            operations={key: op for key, op in self.operations.items() if op.task in wanted},
        )


@dataclass(slots=True)
class Changes:
    """What is to be stored in one transaction: whole new values, keyed as in `Base`.

    ``forgotten`` are replicas to be removed (after ``syncer retry``), ``links`` are new or moved links,
    ``merged`` tells which link became part of which.
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
    forgotten: set[tuple[str, str]] = field(default_factory=set)
