"""Our machine's clock, which people set, beside the world's, which is always right."""

from __future__ import annotations

from datetime import datetime, timedelta


class OurClock:
    """How far our machine's clock is ahead of the world's: now, in the last run, and at most, in both directions."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)
        self.ever_off = (timedelta(0), timedelta(0))
        self._ahead_in_the_run = timedelta(0)

    def set_ahead(self, seconds: float) -> None:
        """Set the clock fast by this many seconds."""
        self.ahead = timedelta(seconds=seconds)
        self.ever_off = (min(self.ever_off[0], self.ahead), max(self.ever_off[1], self.ahead))

    @property
    def was_set_since(self) -> bool:
        """Whether it was set since the last run began."""
        return self.ahead != self._ahead_in_the_run

    def run_begins(self) -> None:
        """Note how far the clock is off when a run begins, for its report has times of that clock."""
        self._ahead_in_the_run = self.ahead

    def true_time(self, ours: datetime) -> datetime:
        """Convert a time of our clock in the last run to the world's clock."""
        return ours - self._ahead_in_the_run
