"""What the runs of the last day did, hour by hour: added up as they end, so that a page reads only the new ones."""

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
    """One hour: ``requests`` by CRM, writes that were confirmed, and their ``delays`` in seconds."""

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
        """Add runs that ended since."""
        for run in runs:
            self.seen = max(self.seen, run.number)
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
        """The 24 hours that end with the present one, oldest first; what is older is forgotten."""
        last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        wanted = [last - _HOUR * back for back in reversed(range(HOURS))]
        self._hours = {begins: hour for begins, hour in self._hours.items() if begins >= wanted[0]}
        return [self._hours.get(begins) or Hour(begins) for begins in wanted]


def percentile(values: Sequence[float], part: float) -> float | None:
    """The value that this part of all do not exceed; ``None`` of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(part * len(ordered)) - 1)] if ordered else None
