"""Instants and durations as text for users (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

_DAY: Final = 86400
_SPANS: Final = ((_DAY, "d"), (3600, "h"), (60, "min"))


def span(length: timedelta) -> str:
    """``35 s``, ``12 min``, ``3.5 h``, ``2 d``."""
    seconds = max(0.0, length.total_seconds())
    for unit, name in _SPANS:
        if seconds >= unit:
            return f"{seconds / unit:.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds:.0f} s"


def moment_at(at: datetime, zone: tzinfo, now: datetime, *, seconds: bool = False) -> str:
    """``19 May 14:00`` in a time zone, with the year if it is not the current one."""
    try:
        here = at.astimezone(zone)
    except OverflowError:
        # The first and the last day of the calendar have no local time in some zones.
        here = at
    year = "" if here.year == now.astimezone(zone).year else f" {here.year}"
    return f"{here.day} {here:%b}{year} {here:%H:%M:%S}" if seconds else f"{here.day} {here:%b}{year} {here:%H:%M}"
