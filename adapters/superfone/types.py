"""Superfone's task types and their kinds. Settings may name them (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from syncer.domain.model import MESSAGE_KINDS, Kind

SYSTEM: Final = "superfone"
REMINDER: Final = "REMINDER"
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
# Superfone has no type for a message that is to be sent.
CREATABLE: Final = frozenset(Kind) - MESSAGE_KINDS


def wire_type(kind: Kind, todo_type: str) -> str | None:
    """Superfone's type for a kind; ``None`` for kinds that Superfone does not have."""
    return todo_type if kind is Kind.TODO else _TYPES.get(kind)


def exclusive_kinds(todo_type: str) -> frozenset[Kind]:
    """The kinds of which a lead can have one open task: all that do not become reminders."""
    return frozenset(kind for kind in CREATABLE if wire_type(kind, todo_type) != REMINDER)
