"""How CRMs keep dues: to the second, to the minute, or as days of a time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncer.domain.dues import Dues
from syncer.domain.policy import Policy
from tests.support.strategies import a_reading, a_task

SECONDS = Dues()
MINUTES = Dues(timedelta(minutes=1))
DAYS = Dues(zone=ZoneInfo("Asia/Kolkata"))


def at(second: float = 0, *, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 5, 20, hour, minute, tzinfo=UTC) + timedelta(seconds=second)


@pytest.mark.parametrize(
    ("sent", "read", "same"),
    [
        (at(), at(), True),
        (at(), at(0.999), True),
        (at(0.999), at(), True),
        (at(), at(1), False),
        (at(), None, False),
        (None, at(), False),
        (None, None, True),
    ],
)
def test_a_due_may_come_back_without_its_fraction_of_a_second(
    sent: datetime | None, read: datetime | None, *, same: bool
) -> None:
    assert SECONDS.same(sent, read) is same


@pytest.mark.parametrize(("second", "same"), [(0, True), (59, True), (60, False), (-59, True), (-60, False)])
def test_minutes_may_be_cut_off_or_rounded(second: int, *, same: bool) -> None:
    assert MINUTES.same(at(), at(second)) is same


def test_days_are_those_of_the_time_zone() -> None:
    """In Kolkata it is five and a half hours later."""
    day = at(hour=18, minute=29)
    assert DAYS.of_day(date(2026, 5, 20)) == day
    assert DAYS.day(day) == date(2026, 5, 20)
    assert DAYS.is_day(day)
    assert DAYS.same(day, at(hour=9))
    assert DAYS.same(at(hour=9), day)
    assert not DAYS.same(day, at(hour=18, minute=30))
    assert not DAYS.same(day, None)


def test_what_has_a_time_is_compared_by_the_time_though_a_due_may_be_a_day() -> None:
    assert not DAYS.is_day(at(hour=9))
    assert not DAYS.same(at(hour=9), at(hour=10))
    assert not SECONDS.is_day(at(hour=18, minute=29))
    assert not SECONDS.same(at(hour=9), at(hour=18, minute=29))


def test_where_every_due_is_a_day_no_time_counts() -> None:
    days = Dues(timedelta(days=1), ZoneInfo("Asia/Kolkata"))
    assert days.same(at(hour=9), at(hour=10))
    assert not days.same(at(hour=18), at(hour=19)), "it is midnight between them"


@pytest.mark.parametrize("end", [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)])
def test_the_ends_of_time_are_no_days(end: datetime) -> None:
    assert not DAYS.is_day(end)
    assert not Dues(zone=ZoneInfo("America/Havana")).same(end, at())


@pytest.mark.parametrize("name", ["Africa/Cairo", "America/Nuuk", "America/Havana", "Asia/Beirut", "UTC"])
def test_a_day_stands_for_an_instant_of_that_day_though_clocks_change(name: str) -> None:
    """In some zones they change at midnight, so that an evening has no 23:59, or two."""
    days = Dues(zone=ZoneInfo(name))
    for count in range(2 * 365):
        day = date(2024, 1, 1) + timedelta(days=count)
        assert days.day(days.of_day(day)) == day
        assert days.day(days.of_day(day) + timedelta(minutes=1)) == day + timedelta(days=1)


@pytest.mark.parametrize(
    ("one", "other", "minutes", "same"),
    [
        ("seconds", "seconds", 0.5, False),
        ("seconds", "minutes", 0.5, True),
        ("minutes", "seconds", 1, False),
        ("days", "seconds", 300, True),
        ("minutes", "days", 300, True),
        ("days", "days", 1440, False),
        ("minutes", "seconds", 300, False),
    ],
)
def test_two_crms_are_compared_by_what_both_can_tell(one: str, other: str, minutes: float, *, same: bool) -> None:
    policy = Policy(systems=(), routes={}, dues={"minutes": MINUTES, "days": DAYS})
    day = "days" in (one, other)
    due = at(hour=18, minute=29) if day else at()
    task = a_task(due=due, origin=one)
    reading = a_reading(other, "1", due=due - timedelta(minutes=minutes))
    assert policy.same_due(reading, task) is policy.same_due(task, reading) is same


@pytest.mark.parametrize(
    ("sent", "shown", "kept"),
    [
        (at(second=37), at(second=37), True),
        (at(second=37), at(), True),
        (at(second=37), at(minute=1), True),
        (at(second=37), at(second=36), False),
        (at(), at(minute=1), False),
        (at(second=37), at(minute=2), False),
        (at(second=37), None, False),
        (None, None, True),
    ],
)
def test_a_crm_may_keep_no_more_than_the_minute_of_what_it_is_sent(
    sent: datetime | None, shown: datetime | None, *, kept: bool
) -> None:
    assert Dues().keeps(sent, shown) is kept
