"""A lost ledger is rebuilt, and a finished copy that tells what was done cannot be read at first."""

from __future__ import annotations

from unittest.mock import patch

import pytest

from adapters.sandbox import Call, Fault
from syncer.domain.report import Exit
from syncer.engine.run import Options
from tests.support.lasting import damage_in_reply, forbid, no_single_task, of_tasks, unreachable
from tests.support.lost_ledgers import task_without_a_due
from tests.support.scenario import Make, Stage, attention, waiting


def only_copy_is_finished(world: Stage, *, dated: bool) -> None:
    """A task whose only copy, in Reply, is finished. The ledger is lost: no other marker tells of it."""
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due() if dated else None)
    world.fail("superfone", "create", Fault.ERROR_BEFORE)
    world.again()
    world.complete_in("reply")
    world.lose_ledger()


@pytest.mark.parametrize(("name", "skip"), [("task", 0), ("tasks", 1)], ids=["the task", "the person's list"])
@pytest.mark.parametrize("dated", [True, False])
def test_a_finished_copy_that_fails_to_be_read_at_first_is_not_made_again(
    stage: Make, dated: bool, name: str, skip: int
) -> None:
    world = stage()
    only_copy_is_finished(world, dated=dated)
    world.fail("reply", name, Fault.ERROR_BEFORE, times=20, skip=skip)
    report = world.again()
    assert ("reply", "unread") in waiting(report)
    world.heal()

    world.again(3)

    assert world.open()[:2] == (0, 0)
    assert len(world.reply.tasks()) == 1


def test_a_finished_copy_in_a_crm_that_was_down_at_first_is_not_made_again(stage: Make) -> None:
    world = stage()
    only_copy_is_finished(world, dated=True)
    with unreachable(world.reply):
        world.again()

    world.again(3)

    assert world.open()[:2] == (0, 0)
    assert len(world.reply.tasks()) == 1


def test_what_was_read_before_a_run_was_stopped_does_not_tell_that_all_was_read(stage: Make) -> None:
    world = stage()
    only_copy_is_finished(world, dated=True)
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=20)
    assert world.sync(Options(allow_creates=0)).exit is Exit.LIMIT
    world.heal()

    world.again()

    assert len(world.reply.tasks()) == 1


def test_a_finished_task_that_nobody_can_read_is_not_waited_for_longer_than_three_runs(stage: Make) -> None:
    world = stage()
    only_copy_is_finished(world, dated=True)
    with patch.object(world.reply, "fault", no_single_task):
        world.again(2)
        assert world.open() == (1, 0, 1)
        world.again()
        assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("closed", ["Finished", "Cancelled"])
def test_a_closed_copy_that_can_be_read_again_after_all_tells_what_it_knows(stage: Make, closed: str) -> None:
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    [copy] = world.reply_open()
    copy.status = closed
    world.lose_ledger()
    with patch.object(world.reply, "fault", no_single_task):
        world.again(4)

    report = world.again()

    assert "done_or_reopened" in {reason for _, reason in attention(report)}
    world.quiet()


def test_a_task_without_a_due_whose_copy_nobody_can_read_waits_alone(stage: Make) -> None:
    """It never had a marker and has no due, so it is nobody's copy, and other tasks are copied beside it."""
    world = stage()
    lead, contact, _ = world.everywhere()
    task_without_a_due(world)
    world.superfone.person_creates(lead, "BOOKING", world.due(hours=70))
    world.good()
    [copy] = [task.id for task in world.reply_open() if "highlevel" in str(task.template["body"])]
    forbid(world, "reply", of_tasks([str(copy)]))
    world.lose_ledger()
    world.reply.person_creates(contact, "ToDo", world.due(hours=58))
    world.again(2)

    assert ("highlevel", "unread") in waiting(world.again())

    assert world.open() == (2, 3, 3)
    world.quiet()


def test_a_task_without_a_due_waits_for_the_only_copy_that_could_tell_of_a_lost_ledger(stage: Make) -> None:
    world = stage()
    world.reply.add_contact("Asha", "asha@example.com", "+919876543210")
    world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
    task_without_a_due(world)
    world.good()
    [copy] = [task.id for task in world.reply_open()]
    forbid(world, "reply", of_tasks([str(copy)]))
    world.lose_ledger()

    assert ("highlevel", "unread") in waiting(world.again(4))

    assert world.count("reply", "create") == 1
    world.quiet()


def test_a_finished_copy_tells_of_a_lost_ledger_also_beside_a_row_that_cannot_be_understood(stage: Make) -> None:
    """The origin is out of reach, so nothing else tells that the copy in Superfone is one, and of what is done."""
    world = stage()
    _, contact, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    world.complete_in("reply")
    damaged = world.reply.person_creates(contact, "ToDo", world.due(hours=90), "Ask for the key")
    damage_in_reply(world, damaged)
    world.lose_ledger()
    with unreachable(world.highlevel):
        report = world.again()
    assert ("superfone", "unread") in waiting(report)

    report = world.again(3)

    # Its origin may have been opened again meanwhile.
    assert ("highlevel", "done_or_reopened") in attention(report)
    assert world.open() == (0, 1, 1)
    assert world.count("reply", "create") == 1
    world.quiet()


@pytest.mark.parametrize("finished", ["reply", "highlevel"])
def test_a_copy_in_a_lane_that_can_be_read_only_later_is_finished_with_its_task(stage: Make, finished: str) -> None:
    """Everything else of the person was read by then, so only the lane is new."""
    world = stage()
    lead, _, person = world.everywhere()
    world.everywhere("Ravi", "+919876543211")
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [copy] = world.reply_open()
    world.lose_ledger()

    def failing(call: Call) -> Fault | None:
        return Fault.ERROR_BEFORE if f"/lead/{lead}/task" in call.path else None

    with patch.object(world.superfone, "fault", failing):
        with unreachable(world.reply):
            world.again()
        world.again()
        if finished == "reply":
            world.reply.person_completes(str(copy.id))
        else:
            world.highlevel.person_completes(task)

    world.again(3)
    assert world.open() == (0, 0, 0)
    assert len(world.reply.tasks()) == len(world.highlevel.tasks()) == 1
    world.quiet()
