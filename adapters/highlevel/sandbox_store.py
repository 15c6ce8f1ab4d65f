"""The tasks and contacts of the simulated HighLevel, how it checks bodies, and how it shows its objects (pure)."""

from __future__ import annotations

import hashlib
import re
import string
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, ValidationError
from pydantic.alias_generators import to_camel

from adapters.instants import read_iso
from adapters.sandbox import Reply, json_reply

_ALPHABET: Final = string.ascii_letters + string.digits
_ERROR_NAMES: Final = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 429: "Throttled"}
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SandboxTask:
    """One version of a task: ``due`` as HighLevel writes it, ``contact`` ``None`` for a task without a contact."""

    id: str
    contact: str | None
    title: str
    body: str | None
    due: str | None
    assigned_to: str | None
    added: datetime
    updated: datetime
    completed: bool = False
    deleted: bool = False
    every: timedelta | None = None

    def completing(self) -> dict[str, Any]:
        """The fields that a completion changes. A recurring task stays open and moves to its next date."""
        if self.every is None or self.due is None or self.completed:
            return {"completed": True}
        return {"due": wire_instant(read_iso(self.due) + self.every)}

    @property
    def cursor(self) -> list[object]:
        """The sort key of the list: the greatest is the newest, and comes first."""
        return [int(self.added.timestamp() * 1000), self.id]

    def api(self) -> dict[str, object]:
        """The task as the calls under a contact return it: without null values, and without times except the due."""
        shown = {
            "id": self.id,
            "title": self.title,
            "body": self.body,
            "assignedTo": self.assigned_to,
            "dueDate": self.due,
            "completed": self.completed,
            "contactId": self.contact,
        }
        return {name: value for name, value in shown.items() if value is not None}

    def row(self, location_id: str, cursor: list[object] | None) -> dict[str, object]:
        """The task as the search returns it: ``_id`` for ``id``, with times, and with empty names of the contact."""
        # No other call returns times.
        row = {name: value for name, value in self.api().items() if name != "id"}
        status = "completed" if self.completed else "to_do"
        row |= {
            "_id": self.id,
            "locationId": location_id,
            "deleted": self.deleted,
            "dateAdded": wire_instant(self.added),
            "dateUpdated": wire_instant(self.updated),
            "updatedAt": wire_instant(self.updated),
            "status": status,
            "statusGroup": status,
            # Often empty even if the contact has a name, so no name must be taken from here.
            "contactDetails": {"firstName": None, "lastName": None},
        }
        if self.assigned_to is not None:
            row["assignedToUserDetails"] = {"id": self.assigned_to, "firstName": None, "lastName": None}
        return row | ({"searchAfter": cursor} if cursor else {})


@dataclass(frozen=True, slots=True)
class SandboxContact:
    """One version of a contact. Missing values are empty texts. ``also`` are numbers that no call returns."""

    id: str
    added: datetime
    updated: datetime
    first: str = ""
    last: str = ""
    email: str = ""
    phone: str = ""
    also: tuple[str, ...] = ()
    deleted: bool = False

    @property
    def cursor(self) -> list[object]:
        return [int(self.added.timestamp() * 1000), self.id]

    @property
    def name(self) -> str:
        return f"{self.first} {self.last}".strip()

    def api(self, location_id: str) -> dict[str, object]:
        """The contact as most calls return it. Missing values are left out."""
        shown = {
            "id": self.id,
            "locationId": location_id,
            "name": self.name,
            "firstName": self.first,
            "lastName": self.last,
            "fullNameLowerCase": self.name.lower(),
            "email": self.email,
            "emailLowerCase": self.email.lower(),
            "phone": self.phone,
            "dateAdded": wire_instant(self.added),
            "dateUpdated": wire_instant(self.updated),
        }
        return {name: value for name, value in shown.items() if value} | {"tags": []}

    def row(self, location_id: str, cursor: list[object] | None) -> dict[str, object]:
        """The contact as the search returns it."""
        row = self.api(location_id) | {"additionalEmails": []}
        row["contactName"] = row.pop("name", None)
        return row | ({"searchAfter": cursor} if cursor else {})


class SearchHistory(Generic[T]):
    """A value and its earlier versions, to simulate a lagging index."""

    def __init__(self, at: datetime, value: T) -> None:
        self._states: list[tuple[datetime, T]] = [(at, value)]

    @property
    def now(self) -> T:
        return self._states[-1][1]

    def put(self, at: datetime, value: T) -> T:
        """Change the value, and keep the earlier version."""
        self._states.append((at, value))
        return value

    def as_of(self, moment: datetime) -> T | None:
        """The value at that time; ``None`` if it did not exist yet."""
        return next((value for at, value in reversed(self._states) if at <= moment), None)


class Refusal(Exception):
    """Raised to answer the call with an error."""

    def __init__(self, status: int, message: str | list[str], **more: object) -> None:
        super().__init__(str(message))
        self.reply = refusal(status, message, **more)


def refusal(status: int, message: str | list[str], **more: object) -> Reply:
    """An error body as documented: a list of messages for 422, else one message."""
    name = _ERROR_NAMES.get(status, "Unprocessable Entity")
    return json_reply(status, {"statusCode": status, "message": message, "error": name, **more})


class _Body(BaseModel):
    # Public client code was answered with 422 for unknown keys.
    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel)


class CreateTaskBody(_Body):
    """CreateTaskParams of the API document."""

    title: StrictStr = Field(min_length=1)
    due_date: StrictStr
    completed: StrictBool
    body: StrictStr | None = None
    assigned_to: StrictStr | None = None


class UpdateTaskBody(_Body):
    """UpdateTaskBody of the API document; nothing is required."""

    title: StrictStr | None = Field(default=None, min_length=1)
    due_date: StrictStr | None = None
    completed: StrictBool | None = None
    body: StrictStr | None = None
    assigned_to: StrictStr | None = None


class CompletedBody(_Body):
    """UpdateTaskStatusParams of the API document."""

    completed: StrictBool


class TaskSearchBody(_Body):
    """TaskSearchParamsDto of the API document. ``searchAfter`` is known from public client code."""

    contact_id: list[StrictStr] | None = None
    completed: StrictBool | None = None
    assigned_to: list[StrictStr] | None = None
    query: StrictStr = ""
    limit: StrictInt = Field(default=25, ge=1)
    skip: StrictInt = Field(default=0, ge=0)
    business_id: StrictStr | None = None
    search_after: list[Any] | None = None


class ContactSearchBody(_Body):
    """The contact search, without filters and sorting."""

    location_id: StrictStr
    page_limit: StrictInt = Field(ge=1, le=500)
    page: StrictInt | None = Field(default=None, ge=1)
    search_after: list[Any] | None = None
    query: StrictStr = Field(default="", max_length=75)


class CreateContactBody(_Body):
    """The simulated part of CreateContactDto of the API document."""

    location_id: StrictStr
    first_name: StrictStr | None = None
    last_name: StrictStr | None = None
    name: StrictStr | None = None
    email: StrictStr | None = None
    phone: StrictStr | None = None

    def names(self) -> dict[str, str]:
        """First and last name, if the body has them."""
        first, _, last = (self.name or "").partition(" ")
        names = {"first": self.first_name or first, "last": self.last_name or last}
        return {name: value for name, value in names.items() if value}


def checked(model: type[M], body: Any) -> M:
    """The validated body. Raises `Refusal` with 422 and one message for each error."""
    values = body if isinstance(body, dict) else {}
    # The published API document allows no null.
    nulls = [f"{name} must not be null" for name, value in values.items() if value is None]
    if nulls:
        raise Refusal(422, nulls)
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise Refusal(422, [_complaint(item["type"], item["loc"], item["msg"]) for item in error.errors()]) from None


def _complaint(kind: str, where: tuple[int | str, ...], message: str) -> str:
    name = ".".join(str(part) for part in where)
    if kind == "extra_forbidden":
        return f"property {name} should not exist"
    return f"{name} should not be empty" if kind == "missing" else f"{name}: {message}"


def checked_due(text: str) -> str:
    """A due as it will be shown. Raises `Refusal` if it is not an instant."""
    try:
        return wire_instant(read_iso(text))
    except ValueError:
        raise Refusal(422, ["dueDate must be a valid ISO 8601 date string"]) from None


def wire_instant(moment: datetime) -> str:
    """An instant in HighLevel's form: ``2021-07-08T02:30:00.000Z``."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def make_id(seed: str, number: int) -> str:
    """Twenty letters and digits, always the same for a seed and a number."""
    # Not random, so that a simulated history can be replayed.
    digest = hashlib.sha256(f"{seed}:{number}".encode()).digest()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:20])


def same_phone(one: str, other: str) -> bool:
    """Whether two spellings are the same number. Without its plus it is another number."""
    return bool(one) and re.sub(r"[^\d+]", "", one) == re.sub(r"[^\d+]", "", other)


def is_after(cursor: list[object], mark: list[Any]) -> bool:
    """Whether a row comes after the one with this mark, newest first."""
    try:
        return cursor < mark
    except TypeError:
        raise Refusal(422, ["searchAfter is invalid"]) from None
