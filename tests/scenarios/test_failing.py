"""What fails again and again is tried once an hour, is listed, and holds up nothing else."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.lasting import always, crowd, of_tasks
from tests.support.scenario import Make, attention


def test_five_runs_in_a_row_then_once_an_hour(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", Fault.ERROR_BEFORE, times=99)
    report = world.again(5)
    report = world.again(1)
    assert ("reply", "failing") in attention(report)
    sent = world.count("reply", "create")
    world.again(10)
    assert world.count("reply", "create") == sent
    world.again(2, minutes=61)
    assert world.count("reply", "create") in {sent + 1, sent + 2}

    world.heal()
    world.retry()
    world.again(2)
    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


def test_one_failing_task_holds_up_no_other(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    other, _, _ = world.everywhere("Ravi", "+919876543211")
    world.superfone.person_creates(lead, "BOOKING", world.due(hours=1))
    world.superfone.person_creates(other, "BOOKING", world.due(hours=2))
    world.fail("reply", "create", Fault.ERROR_BEFORE)

    world.again()

    assert world.open() == (2, 1, 2)
    world.again(2)
    assert world.open() == (2, 2, 2)
    world.quiet()


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE])
def test_a_task_that_cannot_be_read_before_its_completion_holds_up_no_other(stage: Make, fault: Fault) -> None:
    """With a call resolution, Reply's tasks are read just before they are completed."""
    world = stage(reply='call_resolution = "positive"')
    people = crowd(world, 3)
    for hour, (_, _, contact) in enumerate(people):
        world.highlevel.person_creates(contact, f"Ring {hour}", world.due(hours=hour + 1))
    world.good()
    first = min(world.reply_open(), key=lambda task: task.due_to)
    always(world, "reply", of_tasks([str(first.id)]), fault)
    world.complete_in("highlevel")

    report = world.again()

    assert [task.id for task in world.reply_open()] == [first.id]
    assert report.connections["reply"].state == "ok"
    report = world.again(5)
    assert ("reply", "failing") in attention(report)
