"""Merge one field of one task: base, readings and times to its new value, what is owed to whom, what was lost (pure).

Whoever changed it is found by comparing each copy with its own base. Of several, one wins:

1. the origin, where its CRM does not tell when
2. else the latest of those whose CRM tells when
3. else any, by its place, so that the same readings give the same result

That is a total order: copies that are read one after another give what copies that are read together give. A change
that the task took before a copy was read again stands in for the copies that show it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from syncer.domain.fields import TaskField, Value

_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class Owed(StrEnum):
    """Whether a copy is yet to be given the task's value."""

    NO = ""
    YES = "owed"
    """It was read since the task took that value: what people change there now is newer."""
    UNSEEN = "unseen"
    """It was not: what they changed there meanwhile is another change of the same time."""


@dataclass(frozen=True, slots=True)
class Side:
    """One copy, as far as one field is concerned.

    ``base`` is what its CRM showed last, ``known`` whether that is known; ``now`` is what was read, if it was ``read``.
    ``at`` is when the change that was just read was made, where its CRM tells. ``typed`` says that people typed the
    base there, and ``since`` when. ``shows`` says that the field has a place there; without one nothing is owed.
    """

    place: str
    base: Value = None
    now: Value = None
    known: bool = True
    read: bool = False
    open: bool = True
    origin: bool = False
    shows: bool = True
    owed: Owed = Owed.NO
    at: datetime | None = None
    typed: bool = False
    since: datetime | None = None
    same: Callable[[Value, Value], bool] = field(default=lambda one, other: one == other, compare=False)

    @property
    def shown(self) -> Value:
        """What it shows, as far as is known."""
        return self.now if self.read else self.base


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that somebody typed at ``place``, and that gave way to what was typed at ``by``."""

    place: str
    value: Value
    by: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FieldMerge:
    """The task's value of the field. ``winner`` is the place of the change that it took, if it took one.

    ``changed`` are the places where it was changed. ``owed`` has every place that was given.
    """

    value: Value
    winner: str | None
    changed: tuple[str, ...]
    owed: dict[str, Owed]
    lost: tuple[Lost, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    side: Side | None
    value: Value
    at: datetime | None

    @property
    def place(self) -> str:
        return self.side.place if self.side is not None else ""

    @property
    def rank(self) -> tuple[bool, bool, datetime, bool, str]:
        origin = self.side is not None and self.side.origin
        return (origin and self.at is None, self.at is not None, self.at or _NEVER, origin, self.place)


def is_changed(task_field: TaskField, side: Side) -> bool:
    """Whether people changed the field there since it was last read.

    That a due, a title or an assignee was taken away changes no other copy.
    """
    if not (side.read and side.known) or side.same(side.base, side.now):
        return False
    return side.now not in (None, "") or task_field is TaskField.BODY


def merge_field(task_field: TaskField, value: Value, sides: Iterable[Side]) -> FieldMerge:
    """What becomes of the field, given the task's ``value`` and all copies, in any order."""
    sides = sorted(sides, key=lambda side: side.place)
    changed = [side for side in sides if is_changed(task_field, side)]
    changes = [_Change(side, side.now, side.at) for side in changed]
    if changes and all(side.owed is Owed.UNSEEN for side in changed):
        changes.append(_pending(value, sides))
    best = max(changes, key=lambda change: change.rank, default=None)
    taken = best is not None and best.side in changed and not best.side.same(value, best.value)
    new = best.value if best is not None and taken else value
    lost = tuple(
        Lost(change.place, change.value, best.place, change.at)
        for change in changes
        if best is not None and change.side is not None and not _alike(change, best)
    )
    owed = {side.place: _owed(side, new, taken=taken, changed=side in changed) for side in sides}
    winner = best.place if best is not None and taken else None
    return FieldMerge(new, winner, tuple(side.place for side in changed), owed, lost)


def _pending(value: Value, sides: list[Side]) -> _Change:
    """The change that the task took before, which not every copy has yet; known by where it was typed."""
    typed = [_Change(side, value, side.since) for side in sides if side.typed and side.same(side.base, value)]
    return max(typed, key=lambda change: change.rank, default=_Change(None, value, None))


def _alike(one: _Change, other: _Change) -> bool:
    sides = [change.side for change in (one, other) if change.side is not None]
    return one is other or any(side.same(one.value, other.value) for side in sides)


def _owed(side: Side, value: Value, *, taken: bool, changed: bool) -> Owed:
    if not side.open:
        return Owed.NO
    if (side.known or side.read) and side.same(side.shown, value):
        return Owed.NO
    if taken or changed:
        return Owed.UNSEEN
    if side.owed is Owed.UNSEEN and side.read:
        return Owed.YES if side.shows else Owed.NO
    return side.owed
