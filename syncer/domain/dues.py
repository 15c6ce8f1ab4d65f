"""How CRMs keep dues, and when two dues are the same (pure).

In the model a due is always an instant. For a due that is a day without a time, the day's last minute stands: it is
not overdue before the evening, wherever it is copied to. Where dues may be days, what is due in that minute is one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

SECOND: Final = timedelta(seconds=1)
"""What every CRM keeps; fractions of a second are dropped."""
DAY: Final = timedelta(days=1)
LAST_MINUTE: Final = timedelta(minutes=1)
_ENDS: Final = (1, 9999)
_LONGEST_DAY: Final = timedelta(hours=26)
"""A day on which clocks go back has 25 hours."""


@dataclass(frozen=True, slots=True)
class Dues:
    """How one CRM keeps dues: cut off or rounded to a ``step``; with a ``zone`` a due may be a day of that zone.

    With a step of a `DAY` every due is one.
    """

    step: timedelta = SECOND
    zone: tzinfo | None = None

    @property
    def reach(self) -> timedelta:
        """The largest distance of two instants that may be one due here."""
        return self.step if self.zone is None else max(self.step, _LONGEST_DAY)

    def day(self, due: datetime) -> date:
        """The day of an instant."""
        try:
            return due.astimezone(self.zone).date()
        except OverflowError:
            return due.date()

    def of_day(self, day: date) -> datetime:
        """The instant that stands for a day: the beginning of its last minute, in UTC."""
        # From the next midnight back: in some zones there is an evening without 23:59, or with two.
        midnight = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return midnight.astimezone(UTC) - LAST_MINUTE

    def is_day(self, due: datetime) -> bool:
        """Whether this due is a day without a time."""
        return self.zone is not None and due.year not in _ENDS and due == self.of_day(self.day(due))

    def same(self, due: datetime | None, other: datetime | None) -> bool:
        """Whether two dues look the same here; no due is only like no due."""
        if due is None or other is None:
            return due is other
        if self.zone is None or not (self.step >= DAY or self.is_day(due) or self.is_day(other)):
            return abs(due - other) < self.step
        return self.day(due) == self.day(other)

    def coarser(self, other: Dues) -> Dues:
        """Of two ways to keep dues the one that tells fewer of them apart."""
        return max(self, other, key=lambda dues: dues.reach)
