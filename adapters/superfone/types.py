"""Superfone's types of tasks, and which kinds they stand for: what a setting may name (pure)."""

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
CREATABLE: Final = frozenset(Kind) - MESSAGE_KINDS


def wire_type(kind: Kind, todo_type: str) -> str | None:
    """The type that a task of this kind is created with; ``None`` for kinds that Superfone does not have."""
    return todo_type if kind is Kind.TODO else _TYPES.get(kind)


def exclusive_kinds(todo_type: str) -> frozenset[Kind]:
    """The kinds of which a lead has one open task at most: all that do not become reminders."""
    return frozenset(kind for kind in CREATABLE if wire_type(kind, todo_type) != REMINDER)
