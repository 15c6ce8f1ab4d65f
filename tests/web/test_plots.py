"""Plots, and the day that they show."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from syncer.ledger import RunLine
from syncer.web.charts import charts_of
from syncer.web.day import HOURS, Day, percentile
from syncer.web.plots import Series, bars, lines
from tests.support.account_files import ALL, KEYS, load

NOW = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
MARKS = [datetime(2026, 5, 19, tzinfo=UTC) + timedelta(hours=hour) for hour in range(HOURS)]


def run(number: int, ago: timedelta, **report: object) -> RunLine:
    began = NOW - ago
    return RunLine(number, f"run{number}", began, began + timedelta(seconds=1), "ok", report)


def shapes(drawing: str, tag: str) -> list[ET.Element]:
    root = ET.fromstring(drawing)  # noqa: S314 - our own
    return list(root.iter(tag))


def test_the_day_adds_up_by_the_hour_and_forgets_what_is_older() -> None:
    day = Day()
    connections = {"reply": {"reads": 3, "writes": 1}}
    day.add([run(1, timedelta(hours=25), created={"reply": 9}), run(2, timedelta(minutes=50), connections=connections)])
    day.add(
        [run(3, timedelta(minutes=40), connections=connections, created={"reply": 2}, delays={"reply": [4.0, 8.0]})]
    )
    day.add([run(4, timedelta(minutes=5), edited={"reply": 1, "highlevel": 2}, completed={"reply": 4, "superfone": 3})])
    hours = day.hours(NOW)
    assert len(hours) == HOURS
    assert day.seen == 4
    assert (hours[-1].edited, hours[-1].completed) == (3, 7)
    assert sum(hour.created for hour in hours) == 2
    assert hours[-2].requests == {"reply": 8}
    assert hours[-2].delays == [4.0, 8.0]
    assert hours[-1].created == 0


def test_percentiles() -> None:
    assert percentile([], 0.5) is None
    assert percentile([3, 1, 2], 0.5) == 2
    assert percentile(range(1, 101), 0.95) == 95


def test_bars_stand_on_one_another_and_say_their_numbers() -> None:
    series = [Series("created", "first", [2.0] * HOURS), Series("completed", "second", [0.0] * 23 + [2.0])]
    drawing = bars("In words.", MARKS, series, str)
    found = shapes(drawing, "rect")
    assert len(found) == HOURS + 1
    assert found[-1].findtext("title") == "23:00: 2 completed"
    assert float(found[-1].attrib["y"]) < float(found[-2].attrib["y"])
    assert shapes(drawing, "svg")[0].attrib["aria-label"] == "In words."


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, "1"), (1, "1"), (2, "2"), (7, "8"), (9, "10"), (10, "10"), (11, "15"), (30, "30"), (300, "300"), (301, "400")],
)
def test_the_highest_bar_ends_below_a_round_number(most: float, top: str) -> None:
    """That number stands left of the grid, and the bar is as high as it says."""
    series = [Series("n", "first", [None] * 23 + [most]), Series("m", "second", [0.0] * HOURS)]
    drawing = bars("", MARKS, series, "{:g}".format)
    upper, lower = [mark for mark in shapes(drawing, "text") if mark.attrib["text-anchor"] == "end"]
    assert (upper.text, lower.text) == (top, "0")
    grid = [line.attrib for line in shapes(drawing, "line")]
    assert all(float(mark.attrib["x"]) < float(grid[0]["x1"]) for mark in (upper, lower))
    heights = [float(line["y1"]) for line in grid]
    for rect in shapes(drawing, "rect"):
        share = float(rect.attrib["height"]) / (heights[-1] - heights[0])
        assert share == pytest.approx(most / float(top), abs=0.01)
        assert float(rect.attrib["y"]) + float(rect.attrib["height"]) == pytest.approx(heights[-1], abs=0.11)


def test_a_line_has_gaps_where_nothing_was() -> None:
    values = [None] * 3 + [1.0, 2.0] + [None] * 2 + [5.0] + [None] * 16
    drawing = lines("In words.", MARKS, [Series("half", "first", values)], str)
    assert len(shapes(drawing, "polyline")) == 1
    assert len(shapes(drawing, "circle")) == 3


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Australia/Eucla", "America/New_York"])
def test_the_hours_are_named_evenly_at_round_times(zone: str) -> None:
    begins = [hour.begins.astimezone(ZoneInfo(zone)) for hour in Day().hours(NOW)]
    drawing = bars("In words.", begins, [Series("created", "first", [1.0] * HOURS)], str)
    marks = [mark for mark in shapes(drawing, "text") if (mark.text or "").endswith(":00")]
    assert len(marks) in {4, 5}
    assert {mark.text for mark in marks} == {"00:00", "06:00", "12:00", "18:00"}
    places = [float(mark.attrib["x"]) for mark in marks]
    assert {round(after - before) for before, after in pairwise(places)} == {70}
    assert min(places) >= 40
    assert max(places) <= 320


def test_an_hour_that_is_left_out_keeps_its_place() -> None:
    some = [MARKS[0], MARKS[1], MARKS[5]]
    first, second, last = (
        float(rect.attrib["x"]) for rect in shapes(bars("", some, [Series("n", "first", [1.0] * 3)], str), "rect")
    )
    assert last - first == pytest.approx(5 * (second - first), abs=0.5)


def test_what_a_crm_is_called_is_text() -> None:
    drawing = bars('<script>"', MARKS, [Series("<b>", "first", [1.0] * HOURS)], str)
    assert "<script>" not in drawing
    assert shapes(drawing, "rect")[0].findtext("title") == "00:00: 1 <b>"


@pytest.mark.parametrize("more", [0, 1, 2, 3])
def test_every_crm_s_requests_are_drawn_however_many_crms_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: int
) -> None:
    """An account with adapters of others had a fifth CRM, which the legend and the bars left out."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    account = load(tmp_path, ALL)
    others = {f"crm{number}": account.connections["reply"] for number in range(more)}
    account = account.model_copy(update={"connections": {**account.connections, **others}})
    day = Day()
    day.add(
        [run(1, timedelta(minutes=5), connections={name: {"reads": 3, "writes": 1} for name in account.connections})]
    )
    requests = charts_of(day.hours(NOW), account)[-1]
    assert ", ".join(name for name, _ in requests.legend) == "Superfone, Reply.io, HighLevel" + "".join(
        f", crm{number}" for number in range(more)
    )
    drawn = [one.findtext("title") or "" for one in shapes(requests.drawing, "rect")]
    assert sum(int(words.split()[1]) for words in drawn) == 4 * len(account.connections)
    assert len({look for _, look in requests.legend}) == len(requests.legend) == len(drawn)


def test_the_words_below_the_plots_say_what_happened_in_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    account = load(tmp_path, ALL)
    quiet = charts_of(Day().hours(NOW), account)[1]
    assert quiet.words == "nothing was created or completed in the last 24 hours"
    hours = Day().hours(NOW)
    hours[-1].created, hours[-2].completed, hours[-3].edited = 1200, 3, 1
    hours[-1].delays.extend([4.0, 4.0, 4.0, 90.0])
    changes, delays, _ = charts_of(hours, account)
    assert changes.words == "1,200 created, 3 completed and 1 edited in the last 24 hours"
    assert delays.words == "half of the changes within 4 s, 95 % within 1.5 min"
