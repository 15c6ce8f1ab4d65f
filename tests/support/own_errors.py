"""Errors of ours in the pure part, with the tasks of somebody only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from syncer.contract import unforeseen
from syncer.domain.report import Report
from tests.support.scenario import Make, Stage

BOOKING = "BOOKING"


def expect_errors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Errors of ours do not end this test. Yields the contacts of whoever was left out, a text for each error."""
    told: list[str] = []

    def tell(error: Exception, places: list[str], event: str = "person.left_out") -> None:
        told.append(" ".join(places))
        unforeseen.log_seldom(error, places, event)

    monkeypatch.setattr(unforeseen, "tell", tell)
    yield told


def raise_for(
    bug: pytest.MonkeyPatch,
    owner: Any,
    name: str,
    who: str | tuple[str, ...],
    whose: Callable[..., str | None],
    error: Exception | None = None,
) -> None:
    """From now on, this function raises for these: for what ``whose`` makes of its arguments."""
    sound = getattr(owner, name)

    def broken(*arguments: Any, **named: Any) -> Any:
        if whose(*arguments) in ((who,) if isinstance(who, str) else who):
            raise error or KeyError("a bug")
        return sound(*arguments, **named)

    bug.setattr(owner, name, broken)


def failing(report: Report) -> list[tuple[str | None, str]]:
    """(task, system) of everything that was left out."""
    return [(item.task, item.system) for item in report.attention if item.reason == "program_error"]


def people(stage: Make, number: int = 3, **settings: str) -> tuple[Stage, list[tuple[str, str, str]]]:
    """A world, and persons who are in all three CRMs: the ids of each, in Superfone, Reply and HighLevel."""
    world = stage(**settings)
    return world, [world.everywhere(f"Person{one}", f"+9198765{one:05d}") for one in range(number)]


def booked(stage: Make, number: int = 3) -> tuple[Stage, list[tuple[str, str, str]]]:
    """The same, and each of these persons has a booking in Superfone."""
    world, persons = people(stage, number)
    for lead, _, _ in persons:
        world.superfone.person_creates(lead, BOOKING, world.due())
    return world, persons
