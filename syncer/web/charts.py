"""The plots of an account's page, each with a sentence that says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.times import span
from syncer.web.day import Hour, percentile
from syncer.web.plots import Series, bars, lines

_CHANGES: Final = ("created", "completed", "edited")
_LOOKS: Final = ("first", "second", "third", "fourth")
"""The classes of the style sheet that have a colour of their own."""


@dataclass(frozen=True, slots=True)
class Chart:
    """One plot: a heading, a legend (name, look), the drawing, and a line of text under it."""

    heading: str
    legend: list[tuple[str, str]]
    drawing: Markup
    words: str


def charts_of(hours: Sequence[Hour], account: Account) -> list[Chart]:
    """Return the plots of the last 24 hours, in the account's time zone."""
    marks = [hour.begins.astimezone(account.zone) for hour in hours]
    return [_changes(hours, marks), _delays(hours, marks), _requests(hours, marks, tuple(account.connections))]


def _changes(hours: Sequence[Hour], marks: Sequence[datetime]) -> Chart:
    created, completed, edited = (sum(getattr(hour, name) for hour in hours) for name in _CHANGES)
    series = [
        Series(name, look, [getattr(hour, name) for hour in hours])
        for name, look in zip(_CHANGES, _LOOKS[: len(_CHANGES)], strict=True)
    ]
    words = f"{created:,} created, {completed:,} completed and {edited:,} edited in the last 24 hours"
    return _chart(
        "Changes made in the CRMs", series, bars(f"Bar chart by hour: {words}.", marks, series, _count), words
    )


def _delays(hours: Sequence[Hour], marks: Sequence[datetime]) -> Chart:
    series = [
        Series("half within", "first", [percentile(hour.delays, 0.5) for hour in hours]),
        Series("95 % within", "second", [percentile(hour.delays, 0.95) for hour in hours]),
    ]
    every = [seconds for hour in hours for seconds in hour.delays]
    # Of all changes together: percentiles of hours cannot be averaged.
    middle, late = percentile(every, 0.5), percentile(every, 0.95)
    words = "nothing was created or completed in the last 24 hours"
    if middle is not None and late is not None:
        words = f"half of the changes within {_seconds(middle)}, 95 % within {_seconds(late)}"
    return _chart(
        "Delay until the last CRM is changed",
        series,
        lines(f"Line chart by hour: {words}.", marks, series, _seconds),
        words,
    )


def _requests(hours: Sequence[Hour], marks: Sequence[datetime], systems: Sequence[str]) -> Chart:
    shown = _by_look(systems)
    series = [
        Series(", ".join(map(label_of, some)), look, [sum(hour.requests[system] for system in some) for hour in hours])
        for some, look in zip(shown, _LOOKS[: len(shown)], strict=True)
    ]
    totals = [f"{sum(hour.requests[system] for hour in hours):,} to {label_of(system)}" for system in systems]
    words = ", ".join(totals)
    drawing = bars(f"Bar chart by hour: requests in the last 24 hours, {words}.", marks, series, _count)
    return _chart("Requests", series, drawing, words)


def _by_look(systems: Sequence[str]) -> list[Sequence[str]]:
    """Return the CRMs as they are drawn: each by itself, but the last ones together if there are too few colours."""
    alone = len(systems) if len(systems) <= len(_LOOKS) else len(_LOOKS) - 1
    return [*([system] for system in systems[:alone]), *([systems[alone:]] if systems[alone:] else [])]


def _chart(heading: str, series: Sequence[Series], drawing: Markup, words: str) -> Chart:
    return Chart(heading, [(one.name, one.look) for one in series], drawing, words)


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _seconds(value: float) -> str:
    return span(timedelta(seconds=value))
