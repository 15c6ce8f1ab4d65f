"""Whether two things that CRMs show are alike, as far as they can show them (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from syncer.domain.model import Reading, Replica, Task
from syncer.domain.titles import same_title

SAME_DUE = timedelta(seconds=1)
"""CRMs drop fractions of a second."""


def is_like(reading: Reading, known: Reading | Task | Replica) -> bool:
    """Whether title and due are the same."""
    return same_due(reading.due, known.due) and same_title(reading.title, known.title)


def unlikeness(reading: Reading, known: Reading | Task) -> tuple[bool, bool]:
    """Of several with one marker, the lowest is ours: what is as the task is, then what is called as it is."""
    return (not is_like(reading, known), not same_title(reading.title, known.title))


def same_due(due: datetime | None, other: datetime | None) -> bool:
    """Whether two dues are one; no due is only like no due."""
    if due is None or other is None:
        return due is other
    return abs(due - other) < SAME_DUE
