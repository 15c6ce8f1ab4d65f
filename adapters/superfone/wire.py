"""Superfone's own shapes, checked, and both directions between them and the canonical model (pure).

What an answer must have to be understood is strict: id, type, status, the instants that order a lane. What is only
shown to people is lenient: a title of an unknown shape is no title. Unknown fields are ignored.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    JsonValue,
    ValidationError,
    ValidatorFunctionWrapHandler,
    model_validator,
)
from pydantic import WrapValidator as Wrap

from adapters.http import excerpt
from adapters.instants import read_instant, write_instant
from adapters.redact import redact
from adapters.text import title_text
from syncer.keys import email_key, phone_key
from syncer.model import MESSAGE_KINDS, Draft, Kind, Reading, Record, State, Unreadable, split_marker

SYSTEM: Final = "superfone"
REMINDER: Final = "REMINDER"
NOTIFY_MARGIN: Final = timedelta(minutes=1)

TaskType = Literal["FOLLOW_UP_CALL", "FIRST_CALL", "CALLBACK_REQUEST", "SITE_VISIT", "REMINDER", "BOOKING"]

KINDS: Final[Mapping[str, Kind]] = {
    "FOLLOW_UP_CALL": Kind.FOLLOW_UP_CALL,
    "FIRST_CALL": Kind.FIRST_CALL,
    "CALLBACK_REQUEST": Kind.CALLBACK,
    "SITE_VISIT": Kind.SITE_VISIT,
    "REMINDER": Kind.REMINDER,
    "BOOKING": Kind.BOOKING,
}
_TYPES: Final = {kind: raw_type for raw_type, kind in KINDS.items()}
_STATES: Final = {"PENDING": State.OPEN, "COMPLETE": State.DONE}
CREATABLE: Final = frozenset(Kind) - MESSAGE_KINDS


def wire_type(kind: Kind, todo_type: str) -> str | None:
    """The type that a task of this kind is created with; ``None`` for kinds that Superfone does not have."""
    return todo_type if kind is Kind.TODO else _TYPES.get(kind)


def exclusive_kinds(todo_type: str) -> frozenset[Kind]:
    """The kinds of which a lead has one open task at most: all that do not become reminders."""
    return frozenset(kind for kind in CREATABLE if wire_type(kind, todo_type) != REMINDER)


def read_id(value: object) -> str:
    """A 64-bit id, sent as a number or as digits, as text; raises `ValueError`."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        return str(int(value))
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63:
        return str(value)
    msg = "expected a whole number"
    raise ValueError(msg)


def _read_state(value: object) -> State:
    state = _STATES.get(value.strip().upper()) if isinstance(value, str) else None
    if state is None:
        msg = "expected PENDING or COMPLETE"
        raise ValueError(msg)
    return state


def _or_none(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


def _text(value: object) -> str | None:
    """A text as one line; ``None`` for nothing, and for what is no text."""
    return title_text(value) if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    """The texts of a list, or the one text that stands in its place; whatever else is there is left out."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _phones(value: object) -> list[str]:
    items = value if isinstance(value, list) else []
    return _texts([item.get("phone") if isinstance(item, dict) else item for item in items])


def _several(value: object) -> object:
    """One thing, a list of them, or one of the ways to say that there is none, as a list."""
    if value is None:
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if item not in (None, {}, [])]


Id = Annotated[str, BeforeValidator(read_id)]
Instant = Annotated[datetime | None, BeforeValidator(read_instant)]
Lenient = Wrap(_or_none)
Text = Annotated[str | None, BeforeValidator(_text)]


class WireTask(BaseModel):
    """A task, as create, complete and list give it."""

    id: Id
    type: str
    task_status: Annotated[State, BeforeValidator(_read_state)]
    org_id: Id | None = None
    customer_id: Id | None = None
    title: Text = None
    due_date: Instant = None
    notify_at: Annotated[Instant, Lenient] = None
    assignee_user_id: Annotated[Id | None, Lenient] = None
    created_by: Id | None = None
    updated_by: Id | None = None
    created_at: Instant = None
    updated_at: Instant = None

    def belongs_to(self, lead: str) -> bool:
        """Whether nothing says that it is another lead's."""
        return self.customer_id in (None, lead)


class WireRow(WireTask):
    """A task in a list, where its creation decides its place: one that stands for none misleads as none does."""

    created_at: Annotated[datetime, BeforeValidator(read_instant)]


class WireLead(BaseModel):
    """A lead, as far as it concerns us. ``phones`` begins with the primary number, as far as samples show."""

    id: Id
    org_id: Id | None = None
    first_name: Text = None
    last_name: Text = None
    business_name: Text = None
    email: Annotated[list[str], BeforeValidator(_texts)] = Field(default=[])
    phones: Annotated[list[str], BeforeValidator(_phones)] = Field(default=[])


class TaskAnswer(BaseModel):
    """What create and complete answer."""

    data: dict[str, JsonValue]


class LeadAnswer(BaseModel):
    """What a lookup answers; how it says that there is no such lead is not documented.

    Superfone's documentation: every success has ``data``, and ``success`` as its message.
    """

    data: Annotated[list[WireLead], BeforeValidator(_several)] = Field(default=[])

    @model_validator(mode="before")
    @classmethod
    def _is_a_success(cls, answer: Any) -> Any:
        if isinstance(answer, dict) and "data" not in answer and answer.get("message") != "success":
            msg = "data is missing"
            raise ValueError(msg)
        return answer


class TaskPage(BaseModel):
    """One page of a lead's tasks, its rows unread."""

    rows: list[JsonValue]
    total_pages: Annotated[int, Field(ge=0)]
    total_items: Annotated[int, Field(ge=0)]


class PageAnswer(BaseModel):
    """What list answers."""

    data: TaskPage


def create_body(draft: Draft, raw_type: str) -> dict[str, str]:
    """The body of a create.

    Superfone's documentation: there is no title field; ``notify_at`` must be in the future and not after
    ``due_date``. The margin is for their clock, which may be ahead of ours. A marker that the text carries is
    left out: it could not be read back, and a person would see it.
    """
    body = {"type": raw_type, "due_date": write_instant(draft.due)}
    text, _marker = split_marker(draft.body)
    note = "\n".join(part.strip() for part in (draft.title, text) if part and part.strip())
    if note:
        body["customer_note"] = note
    if draft.notify_at is not None and draft.now + NOTIFY_MARGIN < draft.notify_at <= draft.due:
        body["notify_at"] = write_instant(draft.notify_at)
    return body


def contact_body(record: Record, phone: str) -> dict[str, object]:
    """The body that creates a lead; names and e-mail only where there are any."""
    first, _, last = record.name.strip().partition(" ")
    optional = {"first_name": first, "last_name": last.strip(), "email": list(record.emails)}
    return {
        "customer_phone": phone,
        "create_customer_if_customer_phone_not_found": True,
        **{name: value for name, value in optional.items() if value},
    }


def read_task(task: WireTask, lead: str) -> Reading:
    """A task in canonical terms. A type that we do not know is a to-do, and counts as no reminder."""
    raw_type = task.type.strip().upper()
    return Reading(
        system=SYSTEM,
        remote_id=task.id,
        contact=lead,
        state=task.task_status,
        kind=KINDS.get(raw_type, Kind.TODO),
        raw_type=task.type,
        title=task.title,
        due=task.due_date,
        assignee=task.assignee_user_id,
        notify_at=task.notify_at,
        exclusive=raw_type != REMINDER,
        created_at=task.created_at,
        updated_at=task.updated_at,
        created_by=task.created_by,
        updated_by=task.updated_by,
    )


def read_lead(lead: WireLead, region: str) -> Record:
    """A lead in canonical terms, its keys normalised, the primary number first."""
    names = " ".join(part for part in (lead.first_name, lead.last_name) if part)
    phones = (phone_key(phone, region) for phone in lead.phones)
    emails = (email_key(email) for email in lead.email)
    return Record(
        system=SYSTEM,
        remote_id=lead.id,
        name=names or lead.business_name or "",
        phones=tuple(dict.fromkeys(phone for phone in phones if phone)),
        emails=tuple(dict.fromkeys(email for email in emails if email)),
    )


def row_key(index: int, row: JsonValue) -> str:
    """What tells one row of a list from another: its id, else its place on the page and its whole text."""
    return _id_of(row) or f"{index}:{json.dumps(row, sort_keys=True)}"


def unreadable(row: JsonValue, detail: str, lead: str) -> Unreadable:
    """A row of this lead's list that could not be understood, with its id if at least that could be read."""
    return Unreadable(SYSTEM, _id_of(row), detail, excerpt(json.dumps(row).encode()), lead)


def describe(error: ValidationError) -> str:
    """The first thing that is wrong, without what was received."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the task"
    return redact(f"{where}: {first['msg']}")


def _id_of(row: JsonValue) -> str | None:
    try:
        return read_id(row.get("id")) if isinstance(row, dict) else None
    except ValueError:
        return None
