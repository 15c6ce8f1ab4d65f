"""Models of HighLevel's answers (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StringConstraints,
    model_validator,
)

from adapters.http.answers import ErrorBody
from adapters.instants import hinted_instant, read_instant
from adapters.text import title_text

SYSTEM: Final = "highlevel"


def _blank_as_none(value: object) -> object:
    return (value.strip() or None) if isinstance(value, str) else value


def _text_or_none(value: object) -> object:
    return title_text(value) if isinstance(value, str) else None


def _line(value: object) -> object:
    return title_text(value) if isinstance(value, str) else value


def _count_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _email_texts(value: object) -> list[str]:
    items = value if isinstance(value, list) else []
    texts = [item.get("email") if isinstance(item, dict) else item for item in items]
    return [text for text in texts if isinstance(text, str)]


# Strict where a wrong value would decide something (an id, a due), loose where people only read it.
Id = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-Za-z_-]{1,128}$")]
OptionalId = Annotated[Id | None, BeforeValidator(_blank_as_none)]
OptionalText = Annotated[str | None, BeforeValidator(_blank_as_none)]
Title = Annotated[str | None, BeforeValidator(_line)]
LooseText = Annotated[str | None, BeforeValidator(_text_or_none)]
Instant = Annotated[datetime | None, BeforeValidator(read_instant)]
LooseInstant = Annotated[datetime | None, BeforeValidator(hinted_instant)]


class _Wire(BaseModel):
    """Base of all objects. Null counts as missing; unknown fields are ignored."""

    # Without the input, because errors are logged and the input is a customer's.
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        # It is not documented which fields may be null, and which are left out.
        return {name: value for name, value in data.items() if value is not None} if isinstance(data, dict) else data


class CreatedTask(_Wire):
    """The task in the answer to a create. ``completed`` may be missing, because we sent it.

    Searches call the id ``_id``, all other calls ``id``. ``dateAdded``, ``dateUpdated`` and ``updatedAt`` are
    undocumented, occur only in searches, and are used as hints.
    """

    id: Id = Field(validation_alias=AliasChoices("id", "_id"))
    title: Title = None
    body: OptionalText = None
    # Strict: else a number or a word that looks like a truth value would close tasks.
    completed: StrictBool | None = None
    due: Instant = Field(default=None, validation_alias="dueDate")
    contact: OptionalId = Field(default=None, validation_alias="contactId")
    assignee: LooseText = Field(default=None, validation_alias="assignedTo")
    deleted: StrictBool | None = None
    added: LooseInstant = Field(default=None, validation_alias="dateAdded")
    # Only a hint, for a task has no version. It moves with any field, also with our own writes.
    updated: LooseInstant = Field(default=None, validation_alias=AliasChoices("updatedAt", "dateUpdated"))


class WireTask(CreatedTask):
    """A task with its state. Only a deleted one may lack it."""

    @model_validator(mode="after")
    def _has_a_state(self) -> Self:
        if self.completed is None and not self.deleted:
            msg = "completed is missing"
            raise ValueError(msg)
        return self


class TaskAnswer(_Wire):
    """``{"task": {…}}``."""

    task: WireTask


class CreatedTaskAnswer(_Wire):
    """``{"task": {…}}`` after a create."""

    task: CreatedTask


class TaskRows(_Wire):
    """``{"tasks": […]}``. Each row is validated by itself, so that a bad row does not spoil the others.

    The published API document says that the rows of a search are arrays; real rows are objects. Both are read.
    """

    tasks: list[Any]

    def rows(self) -> list[Any]:
        """The rows, with one level of nesting removed."""
        return [row for item in self.tasks for row in (item if isinstance(item, list) else [item])]


class WireContact(_Wire):
    """A contact in any answer. The fields of the name and of further e-mails differ between calls."""

    id: Id = Field(validation_alias=AliasChoices("id", "_id"))
    first_name: LooseText = Field(default=None, validation_alias="firstName")
    last_name: LooseText = Field(default=None, validation_alias="lastName")
    full_name: LooseText = Field(default=None, validation_alias=AliasChoices("contactName", "name"))
    first_lower: LooseText = Field(default=None, validation_alias="firstNameLowerCase")
    last_lower: LooseText = Field(default=None, validation_alias="lastNameLowerCase")
    full_lower: LooseText = Field(default=None, validation_alias="fullNameLowerCase")
    email: LooseText = Field(default=None, validation_alias=AliasChoices("email", "emailLowerCase"))
    more_emails: Annotated[list[str], BeforeValidator(_email_texts)] = Field(
        default=[], validation_alias="additionalEmails"
    )
    phone: LooseText = None
    deleted: StrictBool | None = None

    @property
    def name(self) -> str:
        """The name as a person wrote it. The lower-case copies are used only if there is nothing else."""
        written = _joined(self.first_name, self.last_name) or self.full_name
        return written or self.full_lower or _joined(self.first_lower, self.last_lower)


def _joined(*parts: str | None) -> str:
    return " ".join(part for part in parts if part)


class ContactAnswer(_Wire):
    """``{"contact": {…}}``."""

    contact: WireContact


class MaybeContactAnswer(_Wire):
    """``{"contact": {…}}``, ``{"contact": null}`` or ``{}``."""

    contact: WireContact | None = None


class ContactRows(_Wire):
    """``{"contacts": […], "total": …}``. ``total`` is known from samples only, and may be missing."""

    contacts: list[Any]
    total: Annotated[int | None, BeforeValidator(_count_or_none)] = None


class _Clash(_Wire):
    contact: Id = Field(validation_alias="contactId")


class DuplicateRefusal(_Wire):
    """The 400 of a location that does not allow duplicates. It names the existing contact."""

    meta: _Clash


def row_id(raw: object) -> str | None:
    """The id of a row that has not been validated."""
    # A search calls it `_id`, everything else `id`.
    candidates = (raw.get("id"), raw.get("_id")) if isinstance(raw, dict) else ()
    return next((value for value in candidates if isinstance(value, str) and value), None)


def row_key(raw: object) -> str:
    """A key for a row that has not been validated."""
    return row_id(raw) or repr(raw)


def own_error(_status: int, body: ErrorBody) -> bool:
    """Whether this is a documented error: ``message``, a text or a list of texts; in version 3 an object ``error``."""
    if body is None:
        return False
    message, error = body.get("message"), body.get("error")
    texts = message if isinstance(message, list) else [message]
    # A 422 has a list of messages, and everything else has one.
    said = bool(texts) and all(isinstance(text, str) and text for text in texts)
    return said or (isinstance(error, dict) and isinstance(error.get("message"), str))
