"""Instants and durations as text for users (pure)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final

_DAY: Final = 86400
# The seconds of a unit, the decimal places that are told, and how many of it are one of the next unit.
_UNITS: Final = ((1, 0, 60, "s"), (60, 1, 60, "min"), (3600, 1, 24, "h"))
_DUE: Final = re.compile(
    r"“[^”]*”|(\bdue(?: is| was| stays)? |, and was |; the task has | → )"
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00))"
)
"""A due date as it stands in sentences of ours, or a quotation: what people typed stays as it is."""


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


def with_local_dues(words: str, zone: tzinfo, now: datetime) -> str:
    """Return a sentence of a report or of the history, with its due dates in a time zone.

    They are stored in UTC: programs read them, and the account's time zone may change.
    """

    def shown(found: re.Match[str]) -> str:
        return f"{found[1]}{moment_at(datetime.fromisoformat(found[2]), zone, now)}" if found[2] else found[0]

    return _DUE.sub(shown, words)
