"""When two dues are the same (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

SAME_DUE = timedelta(seconds=1)
"""CRMs drop fractions of a second."""


def same_due(due: datetime | None, other: datetime | None) -> bool:
    """Whether two dues are one; no due is only like no due."""
    if due is None or other is None:
        return due is other
    return abs(due - other) < SAME_DUE
