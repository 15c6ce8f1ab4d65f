"""How CRMs keep dues, and when two dues are the same (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

SECOND: Final = timedelta(seconds=1)
"""What every CRM keeps; fractions of a second are dropped."""
LAST_MINUTE: Final = timedelta(minutes=1)
_LONGEST_DAY: Final = timedelta(hours=26)
"""A day on which clocks go back has 25 hours, and one that a time zone repeats does not matter."""


@dataclass(frozen=True, slots=True)
class Dues:
    """How one CRM keeps dues: cut off or rounded to a ``step``, or as days without a time, in the time zone ``zone``.

    In the model a due is always an instant. One that is a day is the beginning of its last minute, so that what is due
    on a day is not overdue before the evening, wherever it is copied to.
    """

    step: timedelta = SECOND
    zone: tzinfo | None = None

    @property
    def reach(self) -> timedelta:
        """The largest distance of two instants that may be one due here."""
        return self.step if self.zone is None else _LONGEST_DAY

    def day(self, due: datetime) -> date:
        """The day of an instant, where dues are days."""
        return due.astimezone(self.zone).date()

    def of_day(self, day: date) -> datetime:
        """The instant that stands for a day: the beginning of its last minute, in UTC."""
        # From the next midnight back: in some years, a zone has no 23:59 on one evening, or has it twice.
        midnight = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return midnight.astimezone(UTC) - LAST_MINUTE

    def same(self, due: datetime | None, other: datetime | None) -> bool:
        """Whether two dues look the same here; no due is only like no due."""
        if due is None or other is None:
            return due is other
        if self.zone is not None:
            return self.day(due) == self.day(other)
        return abs(due - other) < self.step

    def coarser(self, other: Dues) -> Dues:
        """Of two ways to keep dues the one that tells fewer of them apart."""
        return max(self, other, key=lambda dues: (dues.zone is not None, dues.step))
