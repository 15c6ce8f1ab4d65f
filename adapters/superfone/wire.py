"""Superfone's own shapes, checked (pure).

What an answer must have to be understood is strict: id, type, status, the instants that order a lane. What is only
shown to people is lenient: a title of an unknown shape is no title. Unknown fields are ignored.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Annotated, Any, Final

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

from adapters.instants import read_instant
from adapters.text import title_text
from syncer.domain.model import State
from syncer.domain.redact import redact

BAD_REQUEST: Final = 400


_STATES: Final = {"PENDING": State.OPEN, "COMPLETE": State.DONE}


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


def row_id(row: JsonValue) -> str | None:
    """The id of a row that has not been checked."""
    try:
        return read_id(row.get("id")) if isinstance(row, dict) else None
    except ValueError:
        return None


def row_key(index: int, row: JsonValue) -> str:
    """What tells one row of a list from another: its id, else its place on the page and its whole text."""
    return row_id(row) or f"{index}:{json.dumps(row, sort_keys=True)}"


def describe(error: ValidationError) -> str:
    """The first thing that is wrong, without what was received."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the task"
    return redact(f"{where}: {first['msg']}")
