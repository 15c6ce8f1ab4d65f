"""The fields of a task that people edit, and their values (pure).

Values are canonical: a due is an instant in UTC, title and body are text without the marker line, an assignee is the
name of an entry of ``[[users]]`` or, in one CRM, that CRM's own user id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from syncer.domain.dues import Dues


class TaskField(StrEnum):
    """What travels when it is changed. The kind never does."""

    DUE = "due"
    TITLE = "title"
    BODY = "body"
    ASSIGNEE = "assignee"


Value = datetime | str | None
"""``None`` stands for none; of a body, an empty text does, so that none and unread are told apart."""


@dataclass(frozen=True, slots=True)
class Change:
    """A field of one copy that is to be given another value."""

    field: TaskField
    old: Value
    new: Value


Same = Callable[[TaskField, Value, Value], bool]
"""Whether two values of a field are one, as far as a CRM changes values by itself."""

TRUNCATED: Final = 200
"""A title that was cut has kept so many characters at least."""
_TO_THE_SECOND: Final = Dues()
_WORD_JOINER: Final = "\u2060"


def stored(value: Value) -> str | None:
    """A value as text."""
    return value.isoformat() if isinstance(value, datetime) else value


def restored(field: TaskField, text: str | None) -> Value:
    """The value of a text that `stored` made."""
    return datetime.fromisoformat(text) if field is TaskField.DUE and text is not None else text


def same_value(field: TaskField, one: Value, other: Value) -> bool:
    """Whether two values of a field are one where a CRM keeps plain text: white space around words does not count."""
    if isinstance(one, datetime) or isinstance(other, datetime):
        return _TO_THE_SECOND.same(*(value if isinstance(value, datetime) else None for value in (one, other)))
    if field is TaskField.ASSIGNEE:
        return (one or "") == (other or "")
    return same_words(field, _words(one), _words(other))


def same_words(field: TaskField, one: str, other: str) -> bool:
    """Whether two texts, of one space between words each, are one; a title may have been cut short."""
    if one == other:
        return True
    short, long = sorted((one, other), key=len)
    return field is TaskField.TITLE and len(short) >= TRUNCATED and long.startswith(short)


def words_of(text: str) -> str:
    """A text with one space between words, and without what keeps a CRM from reading a template."""
    return " ".join(text.replace(_WORD_JOINER, "").split())


def _words(value: Value) -> str:
    return words_of(value) if isinstance(value, str) else ""


def in_order(fields: Iterable[TaskField]) -> list[TaskField]:
    """As people are told of them."""
    wanted = set(fields)
    return [field for field in TaskField if field in wanted]
