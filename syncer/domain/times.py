"""Instants and durations as text for users (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Final

_DAY: Final = 86400
# The seconds of a unit, the decimal places that are told, and how many of it are one of the next unit.
_UNITS: Final = ((1, 0, 60, "s"), (60, 1, 60, "min"), (3600, 1, 24, "h"))


def span(length: timedelta) -> str:
    """``35 s``, ``12 min``, ``3.5 h``, ``2 d``."""
    seconds = max(0.0, length.total_seconds())
    for unit, places, full, name in _UNITS:
        # Judged after rounding, or 59.6 s would be told as 60 s.
        if (number := round(seconds / unit, places)) < full:
            return f"{number:.1f}".removesuffix(".0") + f" {name}"
    return f"{seconds / _DAY:.1f}".removesuffix(".0") + " d"


def moment_at(at: datetime, zone: tzinfo, now: datetime, *, seconds: bool = False) -> str:
    """``19 May 14:00`` in a time zone, with the year if it is not the current one."""
    try:
        here = at.astimezone(zone)
    except OverflowError:
        # The first and the last day of the calendar have no local time in some zones.
        here = at
    year = "" if here.year == now.astimezone(zone).year else f" {here.year}"
    return f"{here.day} {here:%b}{year} {here:%H:%M:%S}" if seconds else f"{here.day} {here:%b}{year} {here:%H:%M}"
