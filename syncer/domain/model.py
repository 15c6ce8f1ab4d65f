"""The canonical model: what a task, a contact and a replica are, whichever CRM they come from.

Vocabulary
----------
task        one thing to do for one contact; it always keeps the kind of its origin
replica     a task's copy in one CRM, identified by (system, remote id)
record      a contact in one CRM (a Superfone lead, a Reply contact, a HighLevel contact)
link        one person: the records of several CRMs that belong to the same person
reading     what a CRM answered about a task, before anything is concluded from it
draft       a task that is to be created in a CRM

Ids and markers are in `syncer.domain.task_ids`.

All types are frozen. All instants are timezone-aware UTC. A system is the lower-case name of an adapter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

from syncer.domain.fields import TaskField, Value
from syncer.domain.task_ids import Marker, place_of
from syncer.domain.titles import short

T = TypeVar("T")


class Kind(StrEnum):
    """What is to be done. Superfone has types for all calls, visits and reminders; the other CRMs have fewer."""

    FOLLOW_UP_CALL = "follow_up_call"
    FIRST_CALL = "first_call"
    CALLBACK = "callback"
    SITE_VISIT = "site_visit"
    BOOKING = "booking"
    REMINDER = "reminder"
    TODO = "todo"
    EMAIL = "email"
    SMS = "sms"
    WHATSAPP = "whatsapp"
    LINKEDIN = "linkedin"

    @property
    def label(self) -> str:
        """The kind for users. It becomes the title of a task without a title."""
        return _LABELS[self]

    @property
    def family(self) -> str:
        """Kinds of the same family may be the same task in two CRMs."""
        # A message has no family: an e-mail to be written is never the same task as an SMS.
        return _FAMILIES.get(self, self.value)

    def compatible(self, other: Kind) -> bool:
        """Whether two tasks of these kinds may be the same task in two CRMs."""
        return self.family == other.family


_LABELS: Final[dict[Kind, str]] = {
    Kind.FOLLOW_UP_CALL: "Follow-up call",
    Kind.FIRST_CALL: "First call",
    Kind.CALLBACK: "Call back",
    Kind.SITE_VISIT: "Site visit",
    Kind.BOOKING: "Booking",
    Kind.REMINDER: "Reminder",
    Kind.TODO: "To-do",
    Kind.EMAIL: "E-mail",
    Kind.SMS: "SMS",
    Kind.WHATSAPP: "WhatsApp message",
    Kind.LINKEDIN: "LinkedIn message",
}

# Superfone has three kinds of calls, and Reply has one: a twin may have another kind in another CRM.
_FAMILIES: Final[dict[Kind, str]] = {
    Kind.FOLLOW_UP_CALL: "call",
    Kind.FIRST_CALL: "call",
    Kind.CALLBACK: "call",
    Kind.SITE_VISIT: "visit",
    Kind.BOOKING: "visit",
    Kind.REMINDER: "note",
    Kind.TODO: "note",
}

# Completing one sends nothing: it only records a message, which perhaps nobody sent.
MESSAGE_KINDS: Final = frozenset({Kind.EMAIL, Kind.SMS, Kind.WHATSAPP, Kind.LINKEDIN})


class State(StrEnum):
    """The state of a task, and of a copy as its CRM reports it. Done takes precedence over cancelled, then open."""

    OPEN = "open"
    CANCELLED = "cancelled"
    DONE = "done"


class ReplicaState(StrEnum):
    """The state of a replica as the ledger stores it."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """Closed because another task was created. The task itself is not done."""
    GONE = "gone"
    """The CRM reported in two different runs that there is no such task."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do for one contact.

    ``id`` is the place where the task was first seen, see `place_of`. If the task is reopened there, a new task with
    the id `next_task_id` begins. ``contact`` is a link's id. ``held`` is a `Reason` for which no copies are made.
    ``due_synthetic`` marks a due that we chose because the origin had none; it is never written to the origin.
    ``put_back`` is set while a task that our write closed by mistake waits to be created again. ``assignee`` is the
    name of an entry of ``[[users]]``.
    """

    id: str
    contact: str
    kind: Kind
    title: str | None
    body: str | None
    due: datetime
    origin: str
    state: State = State.OPEN
    due_synthetic: bool = False
    assignee: str | None = None
    notify_at: datetime | None = None
    put_back: bool = False
    held: str = ""
    first_seen: datetime | None = None

    @property
    def name(self) -> str:
        """What people call it, cut where it is long."""
        return short(self.full_name)

    @property
    def full_name(self) -> str:
        """What people call it: its title, else its kind."""
        return self.title or self.kind.label


@dataclass(frozen=True, slots=True)
class Replica:
    """A task's copy in one CRM, with its fields as last read or written.

    ``made`` is true if we created it; ``ours`` if nobody has changed it since. ``exclusive`` is true if the CRM allows
    only one such task open for a contact. ``misses`` counts the runs in a row in which the read of this task said that
    it does not exist. ``title``, ``due``, ``body`` and ``assignee`` (the CRM's own user id) are the base: what the CRM
    showed last. A body or an assignee that is ``None`` is unknown; an empty text means that there is none. ``owed`` are
    the fields that still have to be written here. ``typed`` are the fields whose base was typed by people here. Both
    are explained in `syncer.reconcile.edits.base`.
    """

    system: str
    remote_id: str
    task: str
    contact: str
    state: ReplicaState = ReplicaState.OPEN
    # Two flags, because they end at different times. `made` tells a copy from an origin for good. `ours` ends with the
    # first change of theirs, and tells what a lane may replace.
    made: bool = False
    ours: bool = False
    exclusive: bool = False
    sequence: bool = False
    raw_type: str = ""
    title: str | None = None
    due: datetime | None = None
    misses: int = 0
    body: str | None = None
    assignee: str | None = None
    owed: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)


@dataclass(frozen=True, slots=True)
class Reading:
    """One task as a CRM returned it. Nothing has been concluded from it yet.

    ``raw_type`` is the CRM's own type, verbatim. ``kind_known`` is false if the CRM has no types and ``kind`` was
    guessed from the title. ``marker`` was read from the body; ``body`` does not contain it. ``whole`` is false for a
    list row without its body: such a task is read by itself before copies are made. ``mirrored`` is false for a task
    that the CRM runs automatically; it is ignored. ``created_by`` and ``updated_by`` are the CRM's user ids as text.
    """

    system: str
    remote_id: str
    contact: str | None
    state: State
    kind: Kind
    raw_type: str
    title: str | None = None
    body: str | None = None
    marker: Marker | None = None
    due: datetime | None = None
    assignee: str | None = None
    notify_at: datetime | None = None
    exclusive: bool = False
    sequence: bool = False
    mirrored: bool = True
    kind_known: bool = True
    whole: bool = True
    created_at: datetime | None = None
    updated_at: datetime | None = None
    created_by: str | None = None
    updated_by: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)

    def shown(self, field: TaskField) -> Value:
        """The value of a field. No body and no assignee are an empty text."""
        match field:
            case TaskField.DUE:
                return self.due
            case TaskField.TITLE:
                return self.title
            case TaskField.BODY:
                return self.body or ""
            case TaskField.ASSIGNEE:
                return self.assignee or ""

    @property
    def place(self) -> str:
        """The place of this task, see `place_of`."""
        return place_of(self.system, self.remote_id)

    @property
    def number(self) -> tuple[int, str]:
        """A sort key for CRMs that count their ids up: a longer number is newer."""
        # By length first, because as text "1000" sorts before "999". Ids need not be numbers, so `int` is no way.
        return (len(self.remote_id), self.remote_id)


@dataclass(frozen=True, slots=True)
class Record:
    """One contact of one CRM.

    ``phones`` are in E.164, the primary number first. ``emails`` are in lower case. Invalid keys are left out.
    """

    system: str
    remote_id: str
    name: str = ""
    # A key that is invalid for anybody (a placeholder, an extension) is no key: it would join people who have nothing
    # in common.
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something from a CRM that could not be understood. ``received`` is a short, redacted excerpt.

    ``contact`` and ``due`` are set as far as they could be read.
    """

    system: str
    remote_id: str | None
    detail: str
    received: str = ""
    contact: str | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """A task to create in one CRM: the canonical fields, and the contact's id there.

    The adapter writes ``marker.line`` as the last line of the text, so that the task can be found if the answer is
    lost. Adapters of CRMs that do not return the text leave it out. ``assignee`` is the CRM's own user id. ``now`` is
    the time by our clock.
    """

    marker: Marker
    contact: str
    kind: Kind
    title: str
    body: str | None
    due: datetime
    now: datetime
    assignee: str | None = None
    notify_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Fields to change in one task: the ``wanted`` values, and the values that the CRM is ``expected`` to show before.

    An assignee is the CRM's own user id. ``marker`` is set for a copy that we created: a text that is written ends
    with its line. A text that already has a marker keeps it. An origin never gets one. ``now`` is the time by our
    clock.
    """

    wanted: Mapping[TaskField, Value]
    expected: Mapping[TaskField, Value]
    kind: Kind
    now: datetime
    marker: Marker | None = None


@dataclass(frozen=True, slots=True)
class TaskRef:
    """The address of one replica. Some CRMs need the contact to address a task."""

    system: str
    remote_id: str
    contact: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that was read to its end. ``unreadable`` are the rows that could not be understood."""

    rows: tuple[T, ...]
    unreadable: tuple[Unreadable, ...] = field(default=())
