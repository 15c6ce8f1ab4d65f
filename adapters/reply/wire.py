"""Models of Reply's answers: enumerations in both dialects, tasks, contacts, pages.

Older pages of Reply's documentation write enumerations as integers, newer ones as camelCase strings. Both are read,
ignoring case; the setting ``dialect`` says which one is written. An undocumented status is an error, not a guess. An
unknown task type is kept verbatim.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictStr, ValidationError
from pydantic.alias_generators import to_camel

from adapters.instants import hinted_instant, read_instant
from adapters.reply.words import CREATION_SOURCE, STATUS, TASK_TYPE

# Ids are integers today. Older pages of Reply's documentation show letters and digits.
_ID: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_SHOWN: Final = 40


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _read_id(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or _ID.fullmatch(value) is None:
        msg = f"expected an id, not {_shown(value)}"
        raise ValueError(msg)
    return value


def _read_status(value: object) -> str:
    # A guess would be one of two errors: taken for open, a closed task is copied; taken for closed, its copies are
    # completed.
    name = STATUS.read(value)
    if name is None:
        msg = f"unknown task status {_shown(value)}"
        raise ValueError(msg)
    return name


def _read_type(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, str)) or value == "":
        msg = f"expected a task type, not {_shown(value)}"
        raise ValueError(msg)
    # Reply may add types, and a task of an unknown one is still to be done.
    return TASK_TYPE.read(value) or str(value)


def _read_instant(value: object) -> datetime | None:
    """An instant. Some samples of Reply have no offset; these are UTC."""
    try:
        return read_instant(value)
    except ValueError:
        msg = f"expected an instant, not {_shown(value)}"
        raise ValueError(msg) from None


RemoteId = Annotated[str, BeforeValidator(_read_id)]
Status = Annotated[str, BeforeValidator(_read_status)]
TaskType = Annotated[str, BeforeValidator(_read_type)]
Instant = Annotated[datetime | None, BeforeValidator(_read_instant)]
Hint = Annotated[datetime | None, BeforeValidator(hinted_instant)]
Source = Annotated[str | None, BeforeValidator(CREATION_SOURCE.read)]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, alias_generator=to_camel, hide_input_in_errors=True)


class ContactRef(_Wire):
    """The contact of a list row."""

    id: RemoteId


class Template(_Wire):
    """The text of a task. In finished tasks the variables are replaced."""

    body: StrictStr | None = None


class WireTask(_Wire):
    """A task, from a list or by itself.

    A list row has ``contact``, and lacks ``contactId``, ``template``, ``creationSource``, ``createdAt`` and
    ``isFailed``. ``startAt`` is only needed to send it back.
    """

    id: RemoteId
    task_type: TaskType
    status: Status
    assigned_user_id: RemoteId | None = None
    contact: ContactRef | None = None
    contact_id: RemoteId | None = None
    start_at: Hint = None
    # Strict, unlike the start: a due that is misread would be copied everywhere.
    due_to: Instant = None
    created_at: Instant = None
    creation_source: Source = None
    sequence_id: RemoteId | None = None
    is_scheduled: StrictBool | None = None
    is_failed: StrictBool | None = None
    template: Template | None = None


class Contact(_Wire):
    """A contact. ``phone`` is free text."""

    id: RemoteId
    first_name: StrictStr | None = None
    last_name: StrictStr | None = None
    email: StrictStr | None = None
    phone: StrictStr | None = None


class Page(_Wire):
    """One page of any list. Only ``hasMore`` says whether it is the last; there is no total."""

    items: list[Any]
    # Strict: a list that ends too early looks as if the rest of its tasks were gone.
    has_more: StrictBool


class WhoAmI(_Wire):
    """The user of the key."""

    user_id: RemoteId


def row_id(row: Any) -> str | None:
    """The id of a list row, even if nothing else in it can be read."""
    try:
        return _read_id(row["id"]) if isinstance(row, dict) and "id" in row else None
    except ValueError:
        return None


def row_contact(row: Any) -> str | None:
    """The contact of a list row, even if nothing else in it can be read."""
    if not isinstance(row, dict):
        return None
    # A row of a list names the contact in an object, a whole task by `contactId`.
    contact = row.get("contact")
    return row_id(contact) or row_id({"id": row.get("contactId")})


def row_due(row: Any) -> datetime | None:
    """The due of a list row, even if nothing else in it can be read."""
    return hinted_instant(row.get("dueTo")) if isinstance(row, dict) else None


def row_key(row: Any) -> str:
    """A key for a list row: its id, or else its whole content."""
    return row_id(row) or f"row {json.dumps(row, sort_keys=True)}"


def complaint(error: ValidationError) -> str:
    """The first error of a row, in one line."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "the row"
    return f"{where}: {first['msg']}"


def instant(moment: datetime) -> str:
    """``2026-05-19T08:30:00Z``"""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def number(remote_id: str) -> int | str:
    """An id as Reply writes it, an integer. Any other text is sent as it is, and Reply answers with an error."""
    return int(remote_id) if remote_id.isascii() and remote_id.isdigit() else remote_id
