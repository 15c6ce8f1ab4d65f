"""Rows that nobody understands: what is told apart from them goes on, and nothing is written in their lanes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lasting import crowd, damage_in_reply, forbid, named, of_tasks
from tests.support.scenario import Make, Stage, attention, details, waiting


def damage(world: Stage, task: int) -> None:
    """From now on, this Superfone task's row makes no sense."""

    def edit(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            if row["id"] == task:
                row["task_status"] = "SNOOZED"

    world.mangle("superfone", "tasks of contact", edit)


def damage_in_highlevel(world: Stage, task: str, **values: Any) -> None:
    """From now on, every list of HighLevel shows these values in this task's row."""

    def edit(answer: Any) -> None:
        for row in answer["tasks"]:
            if task in {row.get("id"), row.get("_id")}:
                row |= values

    world.mangle("highlevel", "tasks", edit)
    world.mangle("highlevel", "tasks of contact", edit)


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


# one person's tasks in a CRM that lists all of them ---------------------------------------------------


def test_two_tasks_that_nobody_can_read_hold_their_person_up_no_longer_than_one(stage: Make) -> None:
    """After a lost ledger all of a person's tasks are read: what fails of them is counted side by side."""
    world = stage()
    _, contact, other = world.everywhere()
    hidden = world.reply.person_creates(contact, "Call", world.due(hours=1))
    world.good()
    world.reply.person_completes(hidden)
    damaged = world.reply.person_creates(contact, "ToDo", world.due(hours=2))
    forbid(world, "reply", of_tasks([hidden]))
    damage_in_reply(world, damaged)
    world.lose_ledger()
    world.highlevel.person_creates(other, "Ring", world.due(hours=3))
    assert world.open() == (1, 1, 2)

    world.good()
    assert ("reply", "unread") in waiting(world.good())
    assert "unread" not in {reason for _, reason in waiting(world.good())}
    world.quiet(2)


@pytest.mark.parametrize("values", [{"dueDate": "whenever"}, {"title": 7}])
@pytest.mark.parametrize("is_known", [True, False])
def test_a_task_beside_a_row_that_nobody_understands_is_copied(
    stage: Make, values: dict[str, Any], *, is_known: bool
) -> None:
    """It is told from that row by the due, or because the ledger knows whose copy the row is."""
    world = stage()
    _, contact, person = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(hours=48))
    world.good()
    [copy] = world.highlevel_open()
    damaged = copy.id if is_known else world.highlevel.person_creates(person, "Remind", due=world.due(hours=30))
    damage_in_highlevel(world, damaged, **values)
    world.reply.person_creates(contact, "ToDo", world.due(hours=58))

    world.again()

    assert world.open() == (2, 2, 2 if is_known else 3)
    world.quiet(2)


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_what_may_be_a_lost_ledgers_copy_of_anything_is_waited_for_in_three_runs(stage: Make, system: str) -> None:
    """Not even the due of the only copy with a marker can be read."""
    world = stage()
    _, contact, person = world.everywhere()
    if system == "reply":
        world.highlevel.person_creates(person, "Ring", due=world.due(hours=48))
    else:
        world.reply.person_creates(contact, "Call", world.due(hours=48))
    world.good()
    if system == "reply":
        damage_in_reply(world, str(world.reply_open()[0].id))
    else:
        damage_in_highlevel(world, world.highlevel_open()[0].id, dueDate="whenever")
    world.lose_ledger()

    for _ in range(2):
        assert (system, "unread") in waiting(world.again())
        assert world.open() == (1, 1, 1)

    assert (system, "unread") not in waiting(world.again())
    world.quiet(2)


def test_a_row_that_shows_its_due_is_told_from_what_is_copied_beside_it(stage: Make) -> None:
    """It is no copy of what is due at another time, so a new person's other tasks do not wait for it."""
    world = stage()
    lead, _, person = world.everywhere()
    broken = world.highlevel.person_creates(person, "Ring", due=world.due(hours=48))
    damage_in_highlevel(world, broken, title=7)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    report = world.again()
    assert ("highlevel", "unreadable") in attention(report)
    assert world.open() == (1, 1, 2)


def test_what_people_make_in_a_damaged_lane_that_was_read_before_is_copied_elsewhere(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    broken = world.superfone.person_creates(lead, "REMINDER", world.due(hours=1))
    world.good()
    damage(world, broken)
    world.wait(seconds=30)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=2))
    world.again()
    assert world.open() == (2, 2, 2)
