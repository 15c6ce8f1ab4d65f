"""Merge one field of one task (pure).

The input is the task's value, and for each copy its base, what was read and when it was changed. The result is the new
value, the copies that are to get it, and the values that were overwritten.

A copy was changed if it differs from its own base. If several copies were changed, one of the changes wins:

1. the origin's, if its CRM does not report when it was made
2. else the latest one, of those whose CRM reports when
3. else one that is chosen by its place, so that the same readings give the same result

This is a total order, so copies that are read one after another give the same result as copies that are read together.
A change that the task took before another copy was read takes part, too.
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
    """Whether a copy is still to get the task's value."""

    NO = ""
    YES = "owed"
    """The copy was read since the task took that value. What people change there now is newer than the value."""
    UNSEEN = "unseen"
    """The copy was not read since. What people changed there meanwhile competes with the value."""
    IN_DOUBT = "in doubt"
    """Our write of the value may have been carried out. What people changed there wins, but they may never have seen
    the value, so it is told."""


@dataclass(frozen=True, slots=True)
class Side:
    """One field of one copy.

    ``base`` is what its CRM showed last, and ``known`` is false if that is not known. ``now`` is what was read, if
    ``read`` is true, and ``at`` is when that was changed, if the CRM reports it. ``typed`` is true if people typed the
    base, and ``since`` is when. ``shows`` is false if the CRM has no such field; then the copy is owed nothing.
    Closed copies take part, too, and get what they are owed if they are open again.
    """

    place: str
    base: Value = None
    now: Value = None
    known: bool = True
    read: bool = False
    origin: bool = False
    shows: bool = True
    owed: Owed = Owed.NO
    at: datetime | None = None
    typed: bool = False
    since: datetime | None = None
    same: Callable[[Value, Value], bool] = field(default=lambda one, other: one == other, compare=False)

    @property
    def shown(self) -> Value:
        """What the copy shows now, as far as it is known."""
        return self.now if self.read else self.base


@dataclass(frozen=True, slots=True)
class Lost:
    """A value that somebody typed at ``place``, and that was overwritten by what was typed at ``by``."""

    place: str
    value: Value
    by: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FieldMerge:
    """The task's value of the field. ``winner`` is the place of the change that the task took, or ``None``.

    ``changed`` are the places where people changed the field. ``owed`` has an entry for each place.
    """

    value: Value
    winner: str | None
    changed: tuple[str, ...]
    owed: dict[str, Owed]
    lost: tuple[Lost, ...]


@dataclass(frozen=True, slots=True)
class _Change:
    side: Side
    value: Value
    at: datetime | None

    @property
    def rank(self) -> tuple[bool, bool, datetime, bool, str]:
        origin = self.side.origin
        return (origin and self.at is None, self.at is not None, self.at or _NEVER, origin, self.side.place)


def is_changed(task_field: TaskField, side: Side) -> bool:
    """Whether people changed the field there since it was last read.

    Removing a due date, a title or an assignee does not count, so that no other copy loses it.
    """
    if not (side.read and side.known) or side.same(side.base, side.now):
        return False
    return side.now not in (None, "") or task_field is TaskField.BODY


def merge_field(task_field: TaskField, value: Value, sides: Iterable[Side]) -> FieldMerge:
    """Merge the field, given the task's ``value`` and all copies in any order."""
    sides = sorted(sides, key=lambda side: side.place)
    changed = [side for side in sides if is_changed(task_field, side)]
    changes = [_Change(side, side.now, side.at) for side in changed]
    # None of these copies was read since the task took its value, so nothing tells which change came first. The value
    # competes with them, as it would if all copies had been read together.
    is_unseen = bool(changed) and all(side.owed in (Owed.UNSEEN, Owed.IN_DOUBT) for side in changed)
    pending = _pending(value, sides) if is_unseen else []
    # What people typed over a write of ours in doubt wins. They may never have seen our value, so it is told as lost.
    people_win = any(side.owed is Owed.IN_DOUBT for side in changed)
    best = max(changes if people_win else changes + pending, key=lambda change: change.rank, default=None)
    # What is pending is the task's value already.
    taken = best is not None and not best.side.same(value, best.value)
    new = best.value if best is not None and taken else value
    # Also if the task had this value before: a CRM may have chosen another assignee when the copy was created.
    typed = any(side.same(side.now, new) for side in changed)
    lost = tuple(
        Lost(change.side.place, change.value, best.side.place, change.at)
        for change in changes + pending
        if best is not None and not _alike(change, best)
    )
    owed = {side.place: _owed(side, new, typed=typed, changed=side in changed) for side in sides}
    winner = best.side.place if best is not None and taken else None
    return FieldMerge(new, winner, tuple(side.place for side in changed), owed, lost)


def _pending(value: Value, sides: list[Side]) -> list[_Change]:
    """Return the change that the task took before and that not every copy has yet: wherever it was typed, and when.

    There is none if nobody typed the task's value. Then it gives way to every change.
    """
    return [_Change(side, value, side.since) for side in sides if side.typed and side.same(side.base, value)]


def _alike(one: _Change, other: _Change) -> bool:
    return any(change.side.same(one.value, other.value) for change in (one, other))


def _owed(side: Side, value: Value, *, typed: bool, changed: bool) -> Owed:
    # No copy was read after this value was read where it was typed, even if the task or the copy had it before. So a
    # change that is read next may be just as old.
    if (typed and not changed) or (side.owed is Owed.UNSEEN and not side.read):
        return Owed.UNSEEN
    if (side.known or side.read) and side.same(side.shown, value):
        return Owed.NO
    if changed:
        return Owed.UNSEEN
    if side.owed is Owed.UNSEEN:
        return Owed.YES if side.shows else Owed.NO
    return Owed.NO if side.owed is Owed.IN_DOUBT else side.owed
