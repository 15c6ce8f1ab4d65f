"""Lanes with rows that nobody understands: what is told apart goes on, and nothing is written there."""

from __future__ import annotations

from typing import Any

from tests.support.lasting import crowd, named
from tests.support.scenario import Make, Stage, attention, details, waiting


def damage(world: Stage, task: int) -> None:
    """From now on, this Superfone task's row makes no sense."""

    def edit(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            if row["id"] == task:
                row["task_status"] = "SNOOZED"

    world.mangle("superfone", "tasks of contact", edit)


def test_what_people_close_in_a_damaged_lane_is_closed_elsewhere(stage: Make) -> None:
    """A reminder closes nothing and nothing closes it; nor can what is older have closed a newer task."""
    world = stage()
    lead, _, _ = world.everywhere()
    broken = world.superfone.person_creates(lead, "REMINDER", world.due(hours=1))
    world.wait(seconds=30)
    reminder = world.superfone.person_creates(lead, "REMINDER", world.due(hours=2))
    world.wait(seconds=30)
    call = world.superfone.person_creates(lead, "BOOKING", world.due(hours=3))
    world.good()
    assert world.open() == (3, 3, 3)
    damage(world, broken)
    world.loop.advance(60)
    world.superfone.person_completes(reminder)
    world.superfone.person_completes(call)

    report = world.good()

    assert world.open() == (1, 1, 1)
    assert ("superfone", "unreadable") in attention(report)
    assert "SNOOZED" in details(report)
    assert report.incidents == ()
    assert report.connections["superfone"].state == "ok"


def test_what_may_have_been_superseded_by_a_row_nobody_understands_is_not_done(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due(hours=3))
    world.good()
    world.loop.advance(60)
    newer = world.superfone.person_creates(lead, "FIRST_CALL", world.due(hours=4))
    damage(world, newer)

    for _ in range(5):
        world.good()
        assert world.open() == (1, 1, 1)

    assert ("superfone", "unreadable") in attention(world.good())
    assert world.written() == ["reply create", "highlevel create"]


def test_nothing_is_written_in_a_damaged_lane_and_everything_in_the_others(stage: Make) -> None:
    world = stage()
    (lead, one, _), (other, two, _) = crowd(world, 2)
    broken = world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    damage(world, broken)
    world.reply.person_creates(one, "Call", world.due())
    world.reply.person_creates(two, "Call", world.due())

    for _ in range(4):
        report = world.good()

    assert world.lane(lead) == ["REMINDER"]
    assert world.lane(other) == ["FOLLOW_UP_CALL"]
    assert ("superfone", "unread") in waiting(report)
    assert any(f"the tasks of contact {lead}: " in line for line in named(report, "superfone", "unreadable"))
