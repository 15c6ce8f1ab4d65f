"""What is due on a day, without a time: it is like whatever is due that day, and its time is learned elsewhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from syncer.domain.dues import Dues
from tests.support.matching import one_task, shown_in
from tests.support.strategies import (
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    at,
    merged,
    read_back,
    seen_of,
)

DAYS = Dues(timedelta(minutes=1), ZoneInfo("Asia/Kolkata"))
KEEPS_DAYS = replace(POLICY, dues={PLAIN: DAYS})
DAY = DAYS.of_day(DAYS.day(at(hours=5)))
TASK = a_task(f"{PLAIN}:1", origin=PLAIN, due=DAY)
ORIGIN = a_replica(TASK, PLAIN, "1", due=DAY)
KNOWN = a_base(TASK, replicas=[ORIGIN])


def test_a_twin_tells_the_time_of_what_is_due_on_a_day() -> None:
    found = merged(KNOWN, seen_of(a_reading(TYPED, "x", due=at(hours=5))), policy=KEEPS_DAYS)
    assert one_task(found).due == at(hours=5)
    assert TYPED in shown_in(found, TASK.id)


def test_what_is_due_on_another_day_is_another_task() -> None:
    found = merged(KNOWN, seen_of(a_reading(TYPED, "x", due=at(hours=29))), policy=KEEPS_DAYS)
    assert len(found.base.tasks) == 2


def test_where_no_due_is_a_day_that_minute_is_like_no_other() -> None:
    assert len(merged(KNOWN, seen_of(a_reading(TYPED, "x", due=at(hours=5)))).base.tasks) == 2


def test_two_that_fit_a_day_are_neither() -> None:
    two = seen_of(a_reading(TYPED, "x", due=at(hours=4)), a_reading(TYPED, "y", due=at(hours=5)))
    assert len(merged(KNOWN, two, policy=KEEPS_DAYS).base.tasks) == 3


@pytest.mark.parametrize(("shown", "due"), [(DAY, at(hours=5)), (at(hours=6), at(hours=6))])
def test_an_origin_that_shows_the_same_day_does_not_take_the_time_back(shown: object, due: object) -> None:
    """Once it shows a time, or another day, that counts."""
    base = a_base(replace(TASK, due=at(hours=5)), replicas=[ORIGIN])
    read = read_back(ORIGIN, TASK, due=shown)
    assert one_task(merged(base, seen_of(read), policy=KEEPS_DAYS)).due == due
