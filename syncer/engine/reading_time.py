"""Divide a run's time for reading, so that each kind of item has a part of it in every run.

Whatever may take all the time in each run, such as many leads with an open task, leaves some for what is read after it.
Otherwise the rest would never be read.
"""

from __future__ import annotations

import asyncio
from math import inf
from typing import Final

from syncer.engine.connection import Connection
from syncer.engine.context import RunContext

READING_SHARE: Final = 0.5
"""The share of a run's time for reading, so that a first run with much to read still writes something."""
URGENT_SHARE: Final = 0.5
"""The largest share of the time for reading that contacts get in which somebody may wait for something."""
NEWCOMERS_SHARE: Final = 0.6
"""The largest share of the rest for finding contacts, and for those that came too late for the share before."""
FAILING_SHARE: Final = 0.1
"""The least share of the time left then for items that failed before, and as much for copies that were gone."""
PERSONS_SHARE: Final = 0.2
"""The least share of the time left then for reading persons whose tasks the ledger may not know."""
LEAST_FOR_PERSONS: Final = 15.0
"""The least seconds for them: what is read of a person counts only if it is everything."""
TEXTS_SHARE: Final = 0.05
"""The largest share of a run's time for reading texts again in turn."""
LEAST_LATE: Final = 3.0
"""The least seconds for each of these, so that each run reads some of them."""
LONG_ENOUGH: Final = 15.0
"""Seconds that are enough for items that failed before if pauses are short."""
LEAST_READING: Final = 60.0
"""The least seconds for reading, even in a short run, if no request budget has to be waited for."""


class ReadingTime:
    """The time for reading of one run, in seconds. ``None`` stands for no limit."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._began = _now()
        # If runs before this one were broken off, there may not be so much time.
        self._least = LEAST_READING * 0.5**context.base.broken_off
        left = context.time_left(READING_SHARE)
        self._until = None if left is None else self._began + left
        self._ends: dict[str, float] = {}

    def left(self, share: float = 1.0) -> float | None:
        """Return the seconds left for reading, or a share of them."""
        return None if self._until is None else max(0.0, (self._until - _now()) * share)

    def longest(self) -> float | None:
        """Return the seconds after which reading ends. The share of a short run would be too short to read anything."""
        left = self.left()
        return None if left is None else max(left, self._began + self._least - _now())

    def part(self, share: float, least: float) -> float | None:
        """Return the seconds for what is read last: all that is left, but at least this share of the rest of the run.

        That share of a short run may be too short for a single item. So it is ``least`` seconds, or half of the rest.
        """
        left, run = self.left(), self._context.time_left()
        return None if left is None or run is None else max(left, run * share, min(least, run / 2))

    def allow(self, connection: Connection, seconds: float | None) -> None:
        """Let the next items take this long: no request waits longer for the CRM's budget, and none begins after it."""
        connection.spent = False
        connection.adapter.wire.set_deadline(seconds)
        is_short = self._until is not None and self._until - self._began < self._least
        self._ends[connection.system] = inf if seconds is None or is_short else _now() + seconds

    def is_over(self, connection: Connection) -> bool:
        """Whether the time that was allowed for the present items is over."""
        return _now() >= self._ends.get(connection.system, inf)


def shorter(*limits: float | None) -> float | None:
    """Return the shortest of these times, in seconds."""
    return min((some for some in limits if some is not None), default=None)


def _now() -> float:
    return asyncio.get_running_loop().time()
