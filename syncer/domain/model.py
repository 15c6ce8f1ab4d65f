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
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, Generic, TypeVar
from urllib.parse import quote, unquote

from syncer.domain.fields import TaskField, Value

T = TypeVar("T")

MARKER_PREFIX: Final = "syncer:"
MARKER_TOKEN: Final = r"[0-9a-z]{10}:[0-9A-Za-z_-]{1,40}:[0-9A-Za-z_.%~-]{1,400}"  # noqa: S105 - no password
"""What follows the prefix: the ledger that wrote it, and the task's id. In ASCII, so that no editor changes it."""
_MARKER: Final = re.compile(
    rf"<(?P<tag>\w++)[^<>]*+>\s*+syncer:(?P<inside>{MARKER_TOKEN})\s*+</(?P=tag)>"
    rf"|<br\s*+/?>\s*+syncer:(?P<after>{MARKER_TOKEN})(?=\s*+(?:<|$))"
    rf"|^[ \t]*+(?:<[^<>]*+>)*+syncer:(?P<line>{MARKER_TOKEN})(?:<[^<>]*+>)*+[ \t\r]*+$",
    re.MULTILINE,
)
_INCARNATION: Final = re.compile(r"~([2-9]|[1-9][0-9]{1,8})\Z")


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


def place_of(system: str, remote_id: str) -> str:
    """Where a task is in a CRM, as one text. The id of a task is the place where it was first seen."""
    return f"{system}:{remote_id}"


def split_task_id(task: str) -> tuple[str, int]:
    """A task's place, and which task of that place it is: ``"reply:5~2"`` is the second one of ``"reply:5"``."""
    match = _INCARNATION.search(task)
    return (task, 1) if match is None else (task[: match.start()], int(match[1]))


def next_task_id(task: str) -> str:
    """The id of the task that follows at the same place, after this one was reopened there."""
    place, number = split_task_id(task)
    return f"{place}~{number + 1}"


@dataclass(frozen=True, slots=True)
class Marker:
    """The line in a copy that tells whose copy it is.

    ``ledger`` is the short id of the ledger that wrote it; such ids sort by when their ledgers were made. ``task`` is
    the id of the task, and so names a place that can be read.
    """

    ledger: str
    task: str

    @property
    def line(self) -> str:
        """``syncer:1k2m9ab3xq:reply:5``; what an editor might change in a remote id is percent-encoded."""
        system, _, remote_id = self.task.partition(":")
        return f"{MARKER_PREFIX}{self.ledger}:{system}:{quote(remote_id, safe='~')}"

    @property
    def place(self) -> tuple[str, str]:
        """(system, remote id) of the task's origin."""
        system, _, remote_id = split_task_id(self.task)[0].partition(":")
        return system, remote_id

    @classmethod
    def read(cls, token: str) -> Marker:
        """The marker that this text, of the form `MARKER_TOKEN`, stands for."""
        ledger, system, remote_id = token.split(":", 2)
        return cls(ledger, f"{system}:{unquote(remote_id)}")


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do for one contact.

    ``id`` is the place where it was first seen, as `place_of` writes it; a task that is reopened there gets the next
    one of that place (`next_task_id`). ``held`` is a reason for which no copies are made of it. ``contact`` is a
    link's id. ``due_synthetic`` marks a due that we made because the origin had none: it never flows back.
    ``put_back`` is set while a task of theirs, closed by a race of ours, waits to be made again. ``assignee`` is the
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


@dataclass(frozen=True, slots=True)
class Replica:
    """A task's copy in one CRM, with the fields as last agreed.

    ``made`` says that our create made it; ``ours`` that nobody has touched it since. ``exclusive`` is true
    where its CRM keeps at most one such task open for a contact. ``misses`` counts the runs, one after
    another, in which the read of this one task said that it is gone. ``title``, ``due``, ``body`` and ``assignee``
    (the CRM's own user id) are its base, what it showed last; of the latter two ``None`` is not known, and nothing is
    an empty text. ``owed`` are the fields in which it is yet to be given the task's value, ``typed`` those whose base
    people typed there; see `syncer.reconcile.edits.base` for their words.
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
    body: str | None = None
    assignee: str | None = None
    owed: tuple[str, ...] = ()
    typed: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return (self.system, self.remote_id)


@dataclass(frozen=True, slots=True)
class Reading:
    """One task as a CRM gave it. Nothing has been concluded from it yet.

    ``raw_type`` is the CRM's own word, verbatim. ``kind_known`` is false where ``kind`` was
    only guessed from a title, because the CRM has no types. ``body`` never contains the marker line; ``marker`` is
    what it said. ``whole`` is false for a list row that lacks the body and must be read by itself
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
        """What it shows of a field; a body that is not there is an empty one."""
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
        """What the id of a task begins with that was first seen here."""
        return place_of(self.system, self.remote_id)

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
    """Something a CRM sent that could not be understood; ``received`` is a short, redacted excerpt.

    ``contact`` is whose task it is, and ``due`` when it is due, where that can be read.
    """

    system: str
    remote_id: str | None
    detail: str
    received: str = ""
    contact: str | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be created in one CRM: the canonical fields, and the contact's id there.

    ``marker`` lets the answer be found again, its ``line`` being the last one of the text; adapters of CRMs that
    give no body back leave it out. ``assignee`` is the CRM's own user id. ``now`` is our clock when the draft was made.
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
    """What is to be changed in one task, by field: the ``wanted`` values, and those that it is ``expected`` to show.

    An assignee is the CRM's own user id. ``marker`` is that of a copy of ours, whose line a text that is written ends
    with; a text that has one keeps it, and nothing else gets one. ``now`` is our clock when the edit was made.
    """

    wanted: Mapping[TaskField, Value]
    expected: Mapping[TaskField, Value]
    kind: Kind
    now: datetime
    marker: Marker | None = None


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


def split_marker(text: str | None) -> tuple[str | None, Marker | None]:
    """Take our marker line off a body: ``(body without it, the marker)``; ``None`` for what is not there.

    The last marker counts, all marker lines are removed. Carriage returns, and HTML that an editor made of
    the lines, are tolerated.
    """
    if text is None:
        return None, None
    last = None
    for match in _MARKER.finditer(text):
        last = match["inside"] or match["after"] or match["line"]
    return (_MARKER.sub("", text).strip() or None), Marker.read(last) if last else None
