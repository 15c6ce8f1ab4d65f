"""How CRMs keep dues, and when two dues are the same (pure).

In the model a due is always an instant. A day without a time becomes the beginning of the day's last minute, so that
the copies are not overdue before the evening. A CRM that keeps days reads this instant as the day again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final

SECOND: Final = timedelta(seconds=1)
"""Every CRM keeps seconds. Fractions of a second may be dropped."""
MINUTE: Final = timedelta(minutes=1)
DAY: Final = timedelta(days=1)
LAST_MINUTE: Final = MINUTE
_ENDS: Final = (1, 9999)
"""The first and the last year of `datetime`: arithmetic there overflows."""
_LONGEST_DAY: Final = timedelta(hours=26)
"""A day on which the clocks go back has 25 hours; one more is a margin."""


@dataclass(frozen=True, slots=True)
class Dues:
    """How one CRM keeps dues.

    Dues are cut off or rounded to ``step``. If ``zone`` is set, a due may also be a day of that zone, without a time.
    If the step is a `DAY`, every due is a day.
    """

    step: timedelta = SECOND
    zone: tzinfo | None = None

    @property
    def reach(self) -> timedelta:
        """The largest distance between two instants that may be the same due here."""
        return self.step if self.zone is None else max(self.step, _LONGEST_DAY)

    def day(self, due: datetime) -> date:
        """The day of an instant, in the zone of this CRM."""
        try:
            return due.astimezone(self.zone).date()
        # Some zones have no local time at the very beginning and end of the calendar.
        except OverflowError:
            return due.date()

    def of_day(self, day: date) -> datetime:
        """The instant that stands for a day: the beginning of its last minute, in UTC."""
        # Counted back from the next midnight: if the clocks change in the evening, 23:59 may not exist or exist twice.
        midnight = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return midnight.astimezone(UTC) - LAST_MINUTE

    def is_day(self, due: datetime) -> bool:
        """Whether this due is a day without a time."""
        return self.zone is not None and due.year not in _ENDS and due == self.of_day(self.day(due))

    def same(self, due: datetime | None, other: datetime | None) -> bool:
        """Whether this CRM shows two dues as the same. ``None`` is the same as ``None`` only."""
        if due is None or other is None:
            return due is other
        if self.zone is None or not (self.step >= DAY or self.is_day(due) or self.is_day(other)):
            # Not equal: some CRMs cut fractions off, others round them, and a list may show more of them than the task
            # itself.
            return abs(due - other) < self.step
        # One of them is a day, which does not say at what time.
        return self.day(due) == self.day(other)

    def keeps(self, sent: datetime | None, shown: datetime | None) -> bool:
        """Whether a due that was sent may be shown like this here: the same, or cut or rounded to a whole minute."""
        if self.same(sent, shown):
            return True
        whole = shown is not None and not (shown.second or shown.microsecond)
        return sent is not None and shown is not None and whole and abs(sent - shown) < MINUTE

    def coarser(self, other: Dues) -> Dues:
        """Of two CRMs' ways to keep dues, the less exact one."""
        # What the less exact one cannot show must not look like an edit in the other one.
        return max(self, other, key=lambda dues: dues.reach)
