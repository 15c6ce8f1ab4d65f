"""Dues that show what a CRM keeps of them, for the trials of creating and of editing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from adapters.conformance.bench import Bench
from adapters.conformance.trial import in_hours
from syncer.contract.adapter import Capabilities
from syncer.domain.dues import DAY


def is_kept(can: Capabilities, due: datetime | None, wanted: datetime) -> bool:
    """Whether a due was kept as exactly as is declared. Only where every due is a day may its time be lost."""
    if due is None:
        return False
    return can.dues.same(due, wanted) and (can.due_step >= DAY or abs(due - wanted) < can.due_step)


def some_dues(bench: Bench) -> list[datetime]:
    """Dues to the second, late in the evening, and early on the following day."""
    zone = bench.adapter.capabilities.due_zone or UTC
    # Late in the evening, a due that is cut, rounded or read in another zone lands on another day.
    evening = in_hours(5).astimezone(zone).replace(hour=23, minute=48)
    return [in_hours(5), evening, evening + timedelta(minutes=30)]
