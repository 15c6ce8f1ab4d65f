"""How a run's time for reading is divided, in virtual time (pure)."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.reading_time import ReadingTime, shorter
from tests.support.clock import run_virtual


def told_in(limit: float | None, *, waits: float = 0.0, broken_off: int = 0) -> tuple[float | None, ...]:
    """After so many seconds: what is left for reading, half of it, the longest, and two parts for what comes last."""

    async def ask() -> tuple[float | None, ...]:
        time = reading_time(limit, broken_off)
        await asyncio.sleep(waits)
        return (time.left(), time.left(0.5), time.longest(), time.part(0.1, 3.0), time.part(0.5, 15.0))

    return run_virtual(ask())


def reading_time(limit: float | None, broken_off: int = 0) -> ReadingTime:
    loop = asyncio.get_running_loop()
    began = loop.time()

    def time_left(share: float = 1.0) -> float | None:
        return None if limit is None else max(0.0, began + limit - loop.time()) * share

    return ReadingTime(
        cast("RunContext", SimpleNamespace(base=SimpleNamespace(broken_off=broken_off), time_left=time_left))
    )


@pytest.mark.parametrize(
    ("limit", "waits", "broken_off", "expected"),
    [
        (None, 0, 0, (None, None, None, None, None)),
        (600, 0, 0, (300, 150, 300, 300, 300)),
        (600, 290, 0, (10, 5, 10, 31, 155)),
        (600, 300, 0, (0, 0, 0, 30, 150)),
        (600, 580, 0, (0, 0, 0, 3, 10)),
        (600, 596, 0, (0, 0, 0, 2, 2)),
        (20, 0, 0, (10, 5, 60, 10, 10)),
        (20, 10, 0, (0, 0, 50, 3, 5)),
        (20, 0, 1, (10, 5, 30, 10, 10)),
        (20, 0, 3, (10, 5, 10, 10, 10)),
    ],
)
def test_each_kind_has_its_part(limit: float | None, waits: float, broken_off: int, expected: tuple[Any, ...]) -> None:
    assert told_in(limit, waits=waits, broken_off=broken_off) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("limit", "seconds", "over"),
    [
        (None, None, []),
        (None, 5.0, [5.0, 6.0]),
        (600, 5.0, [5.0, 6.0]),
        (600, None, []),
        # In a run so short, nothing but the CRM's budget ends the reading.
        (119, 5.0, []),
        (120, 5.0, [5.0, 6.0]),
    ],
)
def test_nothing_more_is_begun_after_the_time_that_was_allowed(
    limit: float | None, seconds: float | None, over: list[float]
) -> None:
    told: list[float | None] = []
    wire = SimpleNamespace(set_deadline=told.append)
    connection = cast("Connection", SimpleNamespace(system="reply", spent=True, adapter=SimpleNamespace(wire=wire)))

    async def watch() -> list[float]:
        time = reading_time(limit)
        assert not time.is_over(connection)
        time.allow(connection, seconds)
        ended = []
        for second in range(1, 7):
            await asyncio.sleep(1)
            ended += [float(second)] if time.is_over(connection) else []
        return ended

    assert run_virtual(watch()) == over
    assert not connection.spent
    assert told == [seconds]


@pytest.mark.parametrize(
    ("limits", "expected"), [((3.0, None, 2.0), 2.0), ((None, 0.0), 0.0), ((None,), None), ((), None)]
)
def test_the_shortest_of_some_times(limits: tuple[float | None, ...], expected: float | None) -> None:
    assert shorter(*limits) == expected
