"""Models of Superfone's answers (pure).

Fields that decide something are strict: id, type, status, and the instants that order a lane. Fields that are only
shown to people are lenient: a title of an unknown form is no title. Unknown fields are ignored.
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


# Any other state makes the row unreadable: taken for open it would be copied, taken for closed it would close copies.
_STATES: Final = {"PENDING": State.OPEN, "COMPLETE": State.DONE}


def read_id(value: object) -> str:
    """A 64-bit id as text. It may be sent as a number or as digits. Raises `ValueError`."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,19}", value):
        # "007" and 7 are the same id.
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
    """A text as one line; ``None`` if it is empty or not a text."""
    return title_text(value) if isinstance(value, str) else None


def _texts(value: object) -> list[str]:
    """The texts of a list, or a single text as a list. Other values are left out."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _phones(value: object) -> list[str]:
    items = value if isinstance(value, list) else []
    return _texts([item.get("phone") if isinstance(item, dict) else item for item in items])


def _several(value: object) -> object:
    """A value, a list of values, or any form of nothing, as a list."""
    if value is None:
        return []
    return [item for item in (value if isinstance(value, list) else [value]) if item not in (None, {}, [])]


Id = Annotated[str, BeforeValidator(read_id)]
Instant = Annotated[datetime | None, BeforeValidator(read_instant)]
Lenient = Wrap(_or_none)
Text = Annotated[str | None, BeforeValidator(_text)]


class WireTask(BaseModel):
    """A task, as create, complete and list return it."""

    id: Id
    type: str
    task_status: Annotated[State, BeforeValidator(_read_state)]
    org_id: Id | None = None
    customer_id: Id | None = None
    title: Text = None
    due_date: Instant = None
    notify_at: Annotated[Instant, Lenient] = None
    assignee_user_id: Annotated[Id | None, Lenient] = None
    # Not lenient: who made and who closed a task tells whether it was superseded or done.
    created_by: Id | None = None
    updated_by: Id | None = None
    created_at: Instant = None
    updated_at: Instant = None

    def belongs_to(self, lead: str) -> bool:
        """Whether the task is this lead's. A task without a lead is accepted."""
        # A list is asked for by lead, so a row that names none is that lead's.
        return self.customer_id in (None, lead)


class WireRow(WireTask):
    """A task in a list. ``created_at`` is required, because it orders the lane."""

    # Without it nothing tells which open task is the newest, and so which one a completion would hit.
    created_at: Annotated[datetime, BeforeValidator(read_instant)]


class WireLead(BaseModel):
    """The fields of a lead that are used. In the documented samples ``phones`` begins with the primary number."""

    id: Id
    org_id: Id | None = None
    first_name: Text = None
    last_name: Text = None
    business_name: Text = None
    email: Annotated[list[str], BeforeValidator(_texts)] = Field(default=[])
    phones: Annotated[list[str], BeforeValidator(_phones)] = Field(default=[])


class TaskAnswer(BaseModel):
    """The answer to create and complete."""

    data: dict[str, JsonValue]


class LeadAnswer(BaseModel):
    """The answer to a lookup. How a missing lead is answered is not documented.

    Every documented success has ``data``, and the message ``success``.
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
    """One page of a lead's tasks. The rows are parsed one by one, so that one bad row does not spoil the page."""

    rows: list[JsonValue]
    total_pages: Annotated[int, Field(ge=0)]
    # If it changes between two pages, rows have moved, and some may be missing.
    total_items: Annotated[int, Field(ge=0)]


class PageAnswer(BaseModel):
    """The answer to list."""

    data: TaskPage


def row_id(row: JsonValue) -> str | None:
    """The id of a row that has not been checked."""
    try:
        return read_id(row.get("id")) if isinstance(row, dict) else None
    except ValueError:
        return None


def row_key(index: int, row: JsonValue) -> str:
    """A key for a row of a list: its id, or else its position on the page and its text."""
    # Two equal rows without an id are two rows, or the list would seem to lack one of its total.
    return row_id(row) or f"{index}:{json.dumps(row, sort_keys=True)}"


def describe(error: ValidationError) -> str:
    """The first error, without the value that was received."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the task"
    return redact(f"{where}: {first['msg']}")
