"""The fields of a task that people edit, and their values (pure).

Values are canonical. A due is an instant in UTC. Title and body are text without the marker line. A task's assignee is
the name of an entry of ``[[users]]``; a replica's assignee is the CRM's own user id.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from syncer.domain.dues import Dues


class TaskField(StrEnum):
    """The fields whose changes are copied to the other CRMs. The kind never changes."""

    DUE = "due"
    TITLE = "title"
    BODY = "body"
    ASSIGNEE = "assignee"


Value = datetime | str | None
"""``None`` means no value. A replica's body and assignee use an empty text for that: ``None`` means unread there."""


@dataclass(frozen=True, slots=True)
class Change:
    """A new value for one field of a replica."""

    field: TaskField
    old: Value
    new: Value


Same = Callable[[TaskField, Value, Value], bool]
"""Whether two values of a field are the same, apart from what the CRM itself changes in values."""

_TO_THE_SECOND: Final = Dues()
_WORD_JOINER: Final = "\u2060"


def stored(value: Value) -> str | None:
    """The value as text, as the ledger stores it."""
    return value.isoformat() if isinstance(value, datetime) else value


def restored(field: TaskField, text: str | None) -> Value:
    """The value that `stored` turned into this text."""
    return datetime.fromisoformat(text) if field is TaskField.DUE and text is not None else text


def same_value(field: TaskField, one: Value, other: Value) -> bool:
    """Whether two values of a field are the same in a CRM that keeps plain text. White space is not compared."""
    if isinstance(one, datetime) or isinstance(other, datetime):
        return _TO_THE_SECOND.same(*(value if isinstance(value, datetime) else None for value in (one, other)))
    if field is TaskField.ASSIGNEE:
        return (one or "") == (other or "")
    return _words(one) == _words(other)


def words_of(text: str) -> str:
    """The text with single spaces, one form of each accent, and without the word joiners that we put between braces."""
    # Reply would replace ``{{name}}`` by a variable, so its adapter separates the braces. Some programs store a letter
    # with its accent as one character and others as two, which nobody sees.
    return unicodedata.normalize("NFC", " ".join(text.replace(_WORD_JOINER, "").split()))


def _words(value: Value) -> str:
    return words_of(value) if isinstance(value, str) else ""


def in_order(fields: Iterable[TaskField]) -> list[TaskField]:
    """The fields in the order in which users see them."""
    wanted = set(fields)
    return [field for field in TaskField if field in wanted]
