"""What the runs of the last day did, by hour. New runs are added to the sums, so a page reads only these."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

from syncer.ledger import RunLine

HOURS: Final = 24
_HOUR: Final = timedelta(hours=1)


@dataclass(slots=True)
class Hour:
    """One hour: ``requests`` by CRM, confirmed writes, and their ``delays`` in seconds."""

    begins: datetime
    requests: Counter[str] = field(default_factory=Counter)
    created: int = 0
    completed: int = 0
    edited: int = 0
    delays: list[float] = field(default_factory=list)


class Day:
    """The last 24 hours of one account. ``seen`` is the number of the last run that was added."""

    def __init__(self) -> None:
        self.seen = 0
        self._hours: dict[datetime, Hour] = {}

    def add(self, runs: Iterable[RunLine]) -> None:
        """Add runs that ended since the last call."""
        for run in runs:
            self.seen = max(self.seen, run.number)
            # Hours of UTC: in a local zone one of them is missing in spring and comes twice in autumn.
            begins = run.started_at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            hour = self._hours.setdefault(begins, Hour(begins))
            report = run.report
            for system, found in report.get("connections", {}).items():
                hour.requests[system] += found["reads"] + found["writes"]
            hour.created += sum(report.get("created", {}).values())
            hour.completed += sum(report.get("completed", {}).values())
            hour.edited += sum(report.get("edited", {}).values())
            for delays in report.get("delays", {}).values():
                hour.delays += delays

    def hours(self, now: datetime) -> list[Hour]:
        """Return the last 24 hours, oldest first, and forget older ones."""
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        # Hours without a run are shown, too: an empty place says that nothing ran.
        wanted = [last - _HOUR * back for back in reversed(range(HOURS))]
        self._hours = {begins: hour for begins, hour in self._hours.items() if begins >= wanted[0]}
        return [self._hours.get(begins) or Hour(begins) for begins in wanted]


def percentile(values: Sequence[float], part: float) -> float | None:
    """Return the smallest value that at least this part of the values do not exceed; ``None`` if there are none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else None
