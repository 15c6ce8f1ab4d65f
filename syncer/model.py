"""The canonical model: what a task, a contact and a replica are, whichever CRM they come from.

Vocabulary
----------
task        one thing to do for one contact; it keeps the kind of its origin for life
replica     a task's copy in one CRM, known by (system, remote id)
record      one CRM's contact (a Superfone lead, a Reply contact, a HighLevel contact)
link        one person: the records of several CRMs that are the same one
reading     what a CRM answered about a task, before anything is concluded from it
draft       what is to be created in a CRM

All types are frozen, all instants are timezone-aware UTC, all systems are lower-case names of adapters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar

T = TypeVar("T")

MARKER_PREFIX: Final = "syncer:"
_MARKER: Final = re.compile(
    r"<(?P<tag>\w++)[^<>]*+>\s*syncer:(?P<inside>[0-9A-Za-z]{26})\s*</(?P=tag)>"
    r"|<br\s*/?>\s*syncer:(?P<after>[0-9A-Za-z]{26})(?=\s*(?:<|$))"
    r"|^[ \t]*(?:<[^<>]*>)*syncer:(?P<line>[0-9A-Za-z]{26})(?:<[^<>]*>)*[ \t\r]*$",
    re.MULTILINE,
)


class Kind(StrEnum):
    """What is to be done. Superfone names all calls, visits and reminders apart; the others know fewer."""

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
        """How a person would name it, for titles that no CRM gave."""
        return _LABELS[self]

    @property
    def family(self) -> str:
        """Kinds of one family may be two CRMs' words for the same task."""
        return _FAMILIES.get(self, self.value)

    def compatible(self, other: Kind) -> bool:
        """Whether the two may be one task seen through two CRMs."""
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

_FAMILIES: Final[dict[Kind, str]] = {
    Kind.FOLLOW_UP_CALL: "call",
    Kind.FIRST_CALL: "call",
    Kind.CALLBACK: "call",
    Kind.SITE_VISIT: "visit",
    Kind.BOOKING: "visit",
    Kind.REMINDER: "note",
    Kind.TODO: "note",
}

MESSAGE_KINDS: Final = frozenset({Kind.EMAIL, Kind.SMS, Kind.WHATSAPP, Kind.LINKEDIN})


class State(StrEnum):
    """What a task is, and what a CRM says that its copy is. Completed beats cancelled beats open."""

    OPEN = "open"
    CANCELLED = "cancelled"
    DONE = "done"


class ReplicaState(StrEnum):
    """What we last agreed that a replica is. All words survive a restart."""

    OPEN = "open"
    DONE = "done"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    """Closed by the creation of another task, which says nothing about this one."""
    GONE = "gone"
    """The CRM says, in two different runs, that there is no such task."""


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do for one contact.

    ``contact`` is a link's id. ``due_synthetic`` marks a due that we made because the origin had none: it
    never flows back. ``put_back`` is set while a task of theirs, closed by a race of ours, waits to be made
    again. ``assignee`` is the name of an entry of ``[[users]]``.
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
    first_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replica:
    """A task's copy in one CRM, with the fields as last agreed.

    ``made`` says that our create made it; ``ours`` that nobody has touched it since. ``exclusive`` is true
    where its CRM keeps at most one such task open for a contact. ``misses`` counts the runs, one after
    another, in which the read of this one task said that it is gone.
    """

    system: str
    remote_id: str
    task: str
    contact: str
    state: ReplicaState = ReplicaState.OPEN
    made: bool = False
    ours: bool = False
    exclusive: bool = False
    sequence: bool = False
    raw_type: str = ""
    title: str | None = None
    due: datetime | None = None
    misses: int = 0

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)


@dataclass(frozen=True, slots=True)
class Reading:
    """One task as a CRM gave it. Nothing has been concluded from it yet.

    ``raw_type`` is the CRM's own word, verbatim. ``kind_known`` is false where ``kind`` was
    only guessed from a title, because the CRM has no types. ``body`` never contains the marker line; ``marker`` is the
    task id that it named. ``whole`` is false for a list row that lacks the body and must be read by itself
    before anything is made of it. ``mirrored`` is false for what runs by itself and is none of our business.
    ``created_by`` and ``updated_by`` are the CRM's user ids as text.
    """

    system: str
    remote_id: str
    contact: str | None
    state: State
    kind: Kind
    raw_type: str
    title: str | None = None
    body: str | None = None
    marker: str | None = None
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

    @property
    def number(self) -> tuple[int, str]:
        """Its id as what it is sorted by where a CRM counts them up: a longer number is a newer one."""
        return (len(self.remote_id), self.remote_id)


@dataclass(frozen=True, slots=True)
class Record:
    """One contact of one CRM, its keys normalised: phones in E.164, e-mails in lower case.

    A key that is invalid is no key and is left out. Shape of ``phones``: the primary number first.
    """

    system: str
    remote_id: str
    name: str = ""
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something a CRM sent that could not be understood; ``received`` is a short, redacted excerpt."""

    system: str
    remote_id: str | None
    detail: str
    received: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be created in one CRM: the canonical fields, and the contact's id there.

    ``marker`` is the line that lets the answer be found again; adapters of CRMs that give no body back
    leave it out. ``assignee`` is the CRM's own user id. ``now`` is our clock when the draft was made.
    """

    task: str
    contact: str
    contact_name: str
    kind: Kind
    title: str
    body: str | None
    due: datetime
    now: datetime
    assignee: str | None = None
    notify_at: datetime | None = None

    @property
    def marker(self) -> str:
        return f"{MARKER_PREFIX}{self.task}"


@dataclass(frozen=True, slots=True)
class TaskRef:
    """Where one replica is: some CRMs need the contact to address a task."""

    system: str
    remote_id: str
    contact: str


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """A list that was read whole. ``unreadable`` are its rows that could not be understood."""

    rows: tuple[T, ...]
    unreadable: tuple[Unreadable, ...] = field(default=())


def split_marker(text: str | None) -> tuple[str | None, str | None]:
    """Take our marker line off a body: ``(body without it, task id)``; ``None`` for what is not there.

    The last marker counts, all marker lines are removed. Carriage returns, and HTML that an editor made of
    the lines, are tolerated.
    """
    if text is None:
        return None, None
    last = None
    for match in _MARKER.finditer(text):
        last = match["inside"] or match["after"] or match["line"]
    return (_MARKER.sub("", text).strip() or None), last
