"""Small plots as SVG, so that a page needs no script and no other host (pure).

Colours are classes of the style sheet, which has a light and a dark form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from math import floor, log10
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 320
HEIGHT: Final = 124
_LEFT: Final = 40
_TOP: Final = 10
_FLOOR: Final = HEIGHT - 22
_MARKS_EVERY: Final = 6
"""Every how many hours, from midnight on, a plot has a mark."""
_HOUR: Final = timedelta(hours=1)
_STEPS: Final = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
_TIMES: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Series:
    """One value for each hour, or ``None`` for an hour without one. ``look`` is the class in the style sheet."""

    name: str
    look: str
    values: Sequence[float | None]


def bars(label: str, hours: Sequence[datetime], series: Sequence[Series], unit: Callable[[float], str]) -> Markup:
    """Stacked bars, one for each hour. ``hours`` are the beginnings of the hours, oldest first.

    ``label`` tells in words what the plot shows. The hours are in the time zone in which they are named.
    """
    totals = [sum(one.values[place] or 0 for one in series) for place in range(len(hours))]
    top = _nice(max(totals, default=0))
    return _plot(label, hours, top, unit, Markup("").join(_bars(hours, series, top)))


def lines(label: str, hours: Sequence[datetime], series: Sequence[Series], unit: Callable[[float], str]) -> Markup:
    """Draw lines of seconds, with a gap where a value is missing."""
    most = max((value for one in series for value in one.values if value is not None), default=0)
    top = next((step for step in _TIMES if step >= most), _nice(most))
    return _plot(label, hours, top, unit, Markup("").join(_lines(hours, series, top)))


def _bars(hours: Sequence[datetime], series: Sequence[Series], top: float) -> Iterator[Markup]:
    axis = _Axis(hours)
    for place, hour in enumerate(hours):
        ground = float(_FLOOR)
        for one in series:
            value = one.values[place] or 0
            if not value:
                continue
            # At least one pixel: a bar that nobody sees would say that nothing happened.
            height = max(1.0, (_FLOOR - _TOP) * value / top)
            ground -= height
            yield Markup(
                '<rect class="{look}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1">'
                "<title>{hour}: {value:g} {name}</title></rect>"
            ).format(
                look=one.look,
                x=axis.x(hour) + axis.step * 0.15,
                y=ground,
                width=axis.step * 0.7,
                height=height,
                hour=f"{hour:%H:%M}",
                value=value,
                name=one.name,
            )


def _lines(hours: Sequence[datetime], series: Sequence[Series], top: float) -> Iterator[Markup]:
    axis = _Axis(hours)
    for one in series:
        points = [
            (place, axis.x(hours[place]) + axis.step / 2, _FLOOR - (_FLOOR - _TOP) * value / top)
            for place, value in enumerate(one.values)
            if value is not None
        ]
        # The difference of place and number stays the same until an hour is missing, so each group is one piece without
        # a gap.
        for _, run in groupby(enumerate(points), lambda numbered: numbered[1][0] - numbered[0]):
            piece = [(x, y) for _, (_, x, y) in run]
            # A value between two gaps has no line, only its point.
            if len(piece) > 1:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in piece)
                yield Markup('<polyline class="line {}" points="{}"/>').format(one.look, path)
            for x, y in piece:
                yield Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="2.5"/>').format(one.look, x, y)


def _plot(label: str, hours: Sequence[datetime], top: float, unit: Callable[[float], str], inside: Markup) -> Markup:
    grid = Markup("").join(
        Markup('<line class="grid" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>').format(_LEFT, y, WIDTH, y)
        for y in (_TOP, (_TOP + _FLOOR) / 2, _FLOOR)
    )
    marks = Markup("").join(
        Markup('<text class="mark" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(x, HEIGHT - 6, name)
        for x, name in _Axis(hours).marks()
    )
    heights = Markup('<text class="mark" x="{0}" y="{1}" text-anchor="end">{2}</text>').format(
        _LEFT - 6, _TOP + 4, unit(top)
    ) + Markup('<text class="mark" x="{0}" y="{1}" text-anchor="end">0</text>').format(_LEFT - 6, _FLOOR + 3)
    return Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>').format(
        WIDTH, HEIGHT, escape(label), grid, inside, marks, heights
    )


class _Axis:
    """The time from left to right: each hour is as wide as any other, whether or not something happened in it."""

    def __init__(self, hours: Sequence[datetime]) -> None:
        self._begins = hours[0] if hours else None
        self._hours = 1 + round((hours[-1] - hours[0]) / _HOUR) if hours else 1
        self.step = (WIDTH - _LEFT) / self._hours

    def x(self, at: datetime) -> float:
        return _LEFT if self._begins is None else _LEFT + self.step * ((at - self._begins) / _HOUR)

    def marks(self) -> Iterator[tuple[float, str]]:
        """Where which time of the day is, for round hours."""
        if self._begins is None:
            return
        # Zones may differ from UTC by half an hour, so that no hour of UTC begins at a round one.
        first = self._begins + (_HOUR - timedelta(minutes=self._begins.minute)) % _HOUR
        for hour in range(self._hours + 1):
            at = (first.astimezone(UTC) + hour * _HOUR).astimezone(first.tzinfo)
            if at.hour % _MARKS_EVERY == 0 and (x := self.x(at)) <= WIDTH:
                yield x, f"{at:%H:%M}"


def _nice(value: float) -> float:
    """Return the next round number that is not less."""
    if value <= 1:
        return 1
    scale = 10.0 ** floor(log10(value))
    # The small part undoes errors of floating point, by which 0.3 would be more than 3 * 0.1.
    return next(step * scale for step in _STEPS if step * scale >= value * (1 - 1e-9))
