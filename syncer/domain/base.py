"""What the ledger holds, as values: the engine reads a `Base`, decides, and hands back `Changes`.

Nothing here knows SQL. Words of an enumeration are stored as they are and survive a restart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.domain.model import Kind, Record, Replica, Task


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

IDENTITY = "identity:"
"""Begins the name of the cursor that has whose remote account a CRM showed with the first run."""

FULL = "full:"
"""Begins the name of the cursor of a CRM that had no room for what was created last: each run tries one create."""

NEWCOMER = "newcomer:"
"""Begins the name of the cursor that has when a CRM was last asked to make a contact with this key."""

LEFT = "left:"
"""Begins the name of the cursor, ``left:<system>:<link>``, that has the keys of a person's contact that is gone."""

EVERYBODY = ""
"""Stands for the contact in the visit to a CRM whose list of all tasks was read, nothing of it left out."""

BEHIND = "behind:"
"""Begins the name of the cursor of a person for whom something was written that this ledger does not know."""

COMPANY = "company"
"""The cursor that says that another ledger may write beside this one: its markers are in tasks made since."""

OTHER_LEDGER = "other_ledger"
"""The cursor that has the id of another ledger that writes for the same account."""

LONGEST_WAIT = timedelta(hours=1)
"""Between two tries of what failed."""


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


def survivor(link: str, merged: Mapping[str, str]) -> str:
    """The link that this one is a part of by now."""
    seen = {link}
    while (link := merged.get(link, link)) not in seen:
        seen.add(link)
    return link


def cursors_after(cursors: Mapping[str, str], merged: Mapping[str, str]) -> dict[str, str]:
    """What becomes of the cursors that name a person, where links became part of others."""
    changed: dict[str, str] = {}
    for name, value in cursors.items():
        begin, _, link = name.rpartition(":")
        if not value or link not in merged or not name.startswith((BEHIND, LEFT)):
            continue
        changed[name] = ""
        now = f"{begin}:{survivor(link, merged)}"
        words = (*changed.get(now, cursors.get(now, "")).split(), *value.split())
        changed[now] = " ".join(dict.fromkeys(words))
    return changed


@dataclass(slots=True)
class Base:
    """What all sides last agreed on, as loaded for one run: the tasks that may still matter.

    ``tasks`` are those that are open, have an open replica or an unsettled operation, and those asked for by
    id; ``replicas`` all replicas of these, and those asked for by key. ``operations`` are the unsettled and the parked
    or failed ones, the latest for each task, system and action. ``records`` are all known contacts, ``links`` gives
    the link of each linked one. ``lookups`` tells
    when a (system, key) was last asked for and not found, ``visits`` when the tasks of a (system, contact) were last
    read one contact at a time. ``cursors`` are small named values. ``failing`` is what could not be read when it was
    last tried. ``unreported`` are incidents of runs that broke off before they could report them. ``recent`` counts the
    tasks, closed ones too, that were first seen within a day and are alike. ``behind`` are the persons for whom nothing
    may be written in this run, because something was that the ledger does not know.
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
    recent: Counter[Likeness] = field(default_factory=Counter)
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
        for key, link in self.links.items():
            self.links[key] = survivor(link, merged)
        for task in list(self.tasks.values()):
            if task.contact in merged:
                self.tasks[task.id] = replace(task, contact=survivor(task.contact, merged))
        self.behind = {survivor(link, merged) for link in self.behind}
        recent = Counter[Likeness]()
        for (link, kind, title, due), number in self.recent.items():
            recent[survivor(link, merged), kind, title, due] += number
        self.recent = recent

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
