"""What happens to a task that people gave to another contact before it is certain that they did."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.sandbox import Fault
from tests.support.editing import USERS
from tests.support.lasting import unreachable
from tests.support.scenario import Make, attention, waiting
from tests.support.two_persons import OTHER, Two

MOVED = "other_contact"


@pytest.mark.parametrize("runs", [0, 1])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_what_is_closed_for_the_first_contact_stays_open_for_the_other(stage: Make, origin: str, runs: int) -> None:
    world = stage()
    two = Two(world, origin)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    if runs:
        world.again(runs)
    world.reply.person_completes(str(world.reply_open()[0].id))
    assert ("reply", "next_run") in waiting(world.again()) or runs
    world.again(3)
    assert two.open() == ((0, 0, 0), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("runs", [0, 1])
@pytest.mark.parametrize("system", ["highlevel", "reply"])
def test_what_is_closed_for_the_other_contact_stays_open_for_the_first(stage: Make, system: str, runs: int) -> None:
    world = stage()
    two = Two(world)
    copy = two.copy if system == "highlevel" else str(world.reply_open()[0].id)
    crm, contact = (world.highlevel, two.ravi[2]) if system == "highlevel" else (world.reply, two.ravi[1])
    crm.person_moves(copy, contact)
    if runs:
        world.again(runs)
    crm.person_completes(copy)
    report = world.again(4)
    assert two.open() == ((1, 1, 0) if system == "highlevel" else (1, 0, 1), (0, 0, 0))
    assert attention(report)
    world.quiet(2)


def test_a_copy_that_moves_before_its_task_is_completed_there_stays_open(stage: Make) -> None:
    """It was finished for the first contact, when the second had nothing to do with it."""
    world = stage()
    two = Two(world)
    world.reply.person_completes(str(world.reply_open()[0].id))
    world.fail("highlevel", "complete", Fault.ERROR_BEFORE)
    world.again()
    world.heal()
    assert two.open() == ((0, 0, 1), (0, 0, 0))
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)
    assert two.open() == ((0, 0, 0), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_what_is_typed_in_a_copy_that_moves_after_its_task_is_done_reaches_the_other_contacts_copies(
    stage: Make, origin: str
) -> None:
    """A finished task takes no edits. What is typed in the copy is for the other contact."""
    world = stage()
    two = Two(world, origin)
    world.superfone.person_completes(world.superfone.open_tasks(two.asha[0])[0].id)
    with unreachable(world.highlevel):
        world.again()
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.highlevel.person_reschedules(two.copy, due := world.due(hours=50))
    world.highlevel.person_retitles(two.copy, "Ring Ravi")
    world.again(5)
    assert two.open() == ((0, 0, 0), (1, 1, 1))
    assert {task.due for task in world.superfone_open()} == {due}
    [copy] = world.reply_open()
    assert copy.due_to == due
    assert "Ring Ravi" in str(copy.template)
    assert attention(world.quiet(2)) == set()


def test_a_copy_that_is_deleted_for_the_other_contact_ends_no_task(stage: Make) -> None:
    world = stage(sync='deleted = "close"')
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again()
    world.highlevel.person_deletes(two.copy)
    report = world.again(4)
    assert two.open() == ((1, 1, 0), (0, 0, 0))
    assert ("highlevel", "replica_missing") in attention(report)
    world.quiet(2)


def test_a_task_that_moves_while_the_search_is_behind_is_not_taken_for_deleted(stage: Make) -> None:
    """A read by its old contact finds no task, and the search does not show its new contact yet."""
    world = stage(sync='deleted = "close"')
    two = Two(world)
    world.highlevel.lag = timedelta(minutes=5)
    world.quiet(minutes=5)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    report = world.again(4)
    assert two.open() == ((1, 1, 0), (0, 0, 1))
    assert ("highlevel", "unread") in waiting(report)
    world.again(4, minutes=5)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("origin", ["highlevel", "reply"])
@pytest.mark.parametrize("sync", ["", 'deleted = "close"'])
def test_a_search_that_shows_an_earlier_contact_again_moves_nothing_back(stage: Make, sync: str, origin: str) -> None:
    """Another machine of HighLevel's may answer, and be further behind than the one before."""
    world = stage(sync=sync)
    two = Two(world, origin)
    world.wait(minutes=10)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    world.highlevel.person_deletes(two.copy)
    world.highlevel.lag = timedelta(minutes=8)
    world.quiet(3)
    world.again(4, minutes=8)
    assert two.open() == ((1, 1, 0), (0, 0, 0) if sync else (1, 1, 0))


def test_a_deleted_copy_ends_its_task_once_the_search_has_caught_up(stage: Make) -> None:
    world = stage(sync='deleted = "close"')
    two = Two(world)
    world.highlevel.lag = timedelta(minutes=5)
    world.quiet(minutes=5)
    world.highlevel.person_deletes(two.copy)
    world.again(4)
    assert two.open()[0] == (1, 1, 0)
    world.again(2, minutes=5)
    assert two.open()[0] == (0, 0, 0)
    world.quiet(2)


def test_a_copy_that_is_deleted_for_the_first_contact_ends_nothing_for_the_other(stage: Make) -> None:
    world = stage(sync='deleted = "close"')
    two = Two(world)
    reply = str(world.reply_open()[0].id)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again()
    world.reply.person_deletes(reply)
    world.again(4)
    assert two.open()[1] == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("runs", [1, 2])
def test_what_is_typed_for_one_contact_is_not_written_for_the_other(stage: Make, runs: int) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(runs)
    [left] = [task for task in world.reply_open() if str(task.contact_id) == two.asha[1]]
    world.reply.person_edits_body(str(left.id), "Ring Asha")
    world.again(3)
    assert [task.title for task in world.highlevel_open()] == ["Ring"]
    world.highlevel.person_retitles(two.copy, "Ring Ravi")
    world.again(2)
    titles = {str(task.contact_id): str(task.template["body"]).split("\n")[0] for task in world.reply_open()}
    assert titles == {two.asha[1]: "Ring Asha", two.ravi[1]: "Ring Ravi"}
    world.quiet(2)


def test_who_is_named_for_one_contact_is_not_written_for_the_other(stage: Make) -> None:
    world = stage(more=USERS)
    two = Two(world, "reply")
    world.reply.person_assigns(two.task, 41)
    world.again(2)
    assert world.highlevel.task(two.copy).assigned_to == "userAsha"
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.reply.person_assigns(two.task, 42)
    world.again(4)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    assert world.highlevel.task(two.copy).assigned_to == "userAsha"
    world.quiet(2)


@pytest.mark.parametrize("field", ["due", "title"])
@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_what_is_typed_in_one_of_two_copies_that_are_moved_reaches_the_other(
    stage: Make, system: str, field: str
) -> None:
    world = stage()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    world.superfone.person_creates(asha[0], "BOOKING", world.due())
    world.again(2)
    [copy], [other] = world.reply_open(), world.highlevel_open()
    world.reply.person_moves(str(copy.id), ravi[1])
    world.highlevel.person_moves(other.id, ravi[2])
    due = world.due(hours=40)
    match system, field:
        case "reply", "due":
            world.reply.person_reschedules(str(copy.id), due)
        case "reply", _:
            world.reply.person_edits_body(str(copy.id), "Ring Ravi")
        case _, "due":
            world.highlevel.person_reschedules(other.id, due)
        case _:
            world.highlevel.person_retitles(other.id, "Ring Ravi")
    world.again(4)
    if field == "due":
        assert {task.due_to for task in world.reply_open()} == {due}
        assert {datetime.fromisoformat(task.due or "") for task in world.highlevel_open()} == {due}
    else:
        assert {str(task.template["body"]).split("\n")[0] for task in world.reply_open()} == {"Ring Ravi"}
        assert {task.title for task in world.highlevel_open()} == {"Ring Ravi"}
    world.quiet(2)


def test_a_write_for_the_first_contact_does_not_put_it_off(stage: Make) -> None:
    """After the write, only what belongs to that contact is merged."""
    world = stage()
    two = Two(world)
    remind = world.reply.person_creates(two.asha[1], "ToDo", world.due(hours=30), "Remind")
    world.good()
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.reply.person_completes(remind)
    world.good()
    [left] = [task for task in world.reply_open() if str(task.contact_id) == two.asha[1]]
    world.reply.person_edits_body(str(left.id), "Ring Asha")
    world.again()
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    assert [task.title for task in world.highlevel_open()] == ["Ring"]
    world.quiet(2)


def test_one_that_was_closed_before_a_run_found_it_with_the_other_contact_ends_nothing(stage: Make) -> None:
    """HighLevel says that the first contact has no such task. Later it is found among those of the other one."""
    world = stage()
    two = Two(world, "reply")
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.highlevel.person_completes(two.copy)
    world.again(2)
    assert two.open() == ((1, 1, 0), (0, 0, 0))
    world.reply.person_creates(two.ravi[1], "Call", world.due(hours=30), "Ring Ravi")
    report = world.again(3)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    assert ("highlevel", "replica_missing") in attention(report)
    world.quiet(2)


def test_a_copy_that_the_first_contact_has_lost_is_made_for_the_other(stage: Make) -> None:
    world = stage()
    two = Two(world, "reply")
    world.highlevel.person_deletes(two.copy)
    world.again(2)
    world.reply.person_moves(str(world.reply_open()[0].id), two.ravi[1])
    report = world.again(3)
    assert two.open() == ((1, 0, 0), (1, 1, 1))
    assert {reason for _, reason in attention(report)} == {MOVED}
    world.quiet(2)


def test_copies_that_the_first_contact_has_lost_are_made_for_the_other_though_nothing_is_left(stage: Make) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_deletes(two.copy)
    world.superfone.person_deletes_lead(two.asha[0])
    world.again(2)
    world.reply.person_moves(str(world.reply_open()[0].id), two.ravi[1])
    report = world.again(3)
    assert (len(world.superfone_open()), len(world.reply_open()), len(world.highlevel_open())) == (1, 1, 1)
    assert not attention(report)
    world.quiet(2)


def test_one_that_is_closed_there_while_it_is_read_ends_nothing(stage: Make) -> None:
    """Nothing was known of the other contact before, so all of that person's tasks are read, closed ones included."""
    world = stage()
    two = Two(world)
    world.reply.person_creates(two.ravi[1], "Call", world.due(hours=30), "Ring Ravi")
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.meanwhile("highlevel", "tasks", lambda: world.highlevel.person_completes(two.copy))
    world.again(4)
    assert two.open()[0] == (1, 1, 0)
    world.quiet(2)
