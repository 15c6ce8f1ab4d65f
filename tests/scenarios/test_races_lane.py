"""Somebody acts in a lane between our reading and our writing, where a request may close another task."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from adapters.superfone.sandbox_store import API_USER
from tests.support.races import RACE, a_task_below_a_reminder_to_be_closed, incidents, tell_little
from tests.support.scenario import Make, details, name_of


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
@pytest.mark.parametrize("slot", ["earliest_due", "hold"])
def test_a_task_made_just_before_our_create_is_put_back(stage: Make, slot: str, fault: Fault | None) -> None:
    world = stage(superfone=f'slot = "{slot}"')
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Ours")
    due = world.due(hours=8)
    world.meanwhile("superfone", "create", lambda: world.superfone.person_creates(lead, "BOOKING", due))
    if fault is not None:
        world.fail("superfone", "create", fault)

    report = world.again()
    assert incidents(world) == RACE
    assert "closed by a write of ours" in details(report)
    assert sum(report.completed.values()) == 0

    world.again(2)
    assert world.lane(lead) == ["BOOKING"]
    assert world.superfone_open()[0].due == due
    assert world.open() == (1, 2, 2)
    world.quiet(2)

    world.complete_in("superfone")
    world.good()
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("sibling_actor", [True, False])
def test_a_known_task_of_theirs_touched_just_before_we_replace_ours(stage: Make, sibling_actor: bool) -> None:
    world = stage()
    world.superfone.sibling_actor = sibling_actor
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=6), "Later")
    world.good()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Sooner")

    def act() -> None:
        world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9))

    world.meanwhile("superfone", "create", act)
    world.again()
    assert incidents(world) == RACE
    world.again(2)
    assert world.lane(lead) == ["SITE_VISIT"]
    assert world.open() == (1, 3, 3)
    world.quiet(2)

    for left in (2, 1, 0):
        world.complete_in("superfone")
        world.good()
        assert world.open() == (min(left, 1), left, left)
    world.quiet()


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE])
@pytest.mark.parametrize("known", [True, False])
def test_a_reminder_made_just_before_our_complete_is_put_back(stage: Make, known: bool, fault: Fault | None) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    due = world.due(hours=9)
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_creates(lead, "REMINDER", due))
    if fault is not None:
        world.fail("superfone", "complete", fault)

    report = world.again()
    assert incidents(world) == RACE, report.as_json()
    world.again(3)

    assert world.lane(lead) == ["REMINDER"]
    assert world.superfone_open()[0].due == due
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER])
def test_of_two_equal_reminders_made_just_before_our_complete_the_one_that_it_hit_is_put_back(
    stage: Make, fault: Fault | None
) -> None:
    """The other one was there beside it: it is no copy of it that somebody made again."""
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    due = world.due(hours=9)

    def act() -> None:
        for _ in range(2):
            world.superfone.person_creates(lead, "REMINDER", due, title="Send the plan")
        world.wait(seconds=1)

    world.meanwhile("superfone", "complete", act)
    if fault is not None:
        world.fail("superfone", "complete", fault)

    world.again()
    assert incidents(world) == RACE
    world.again(3)

    assert world.lane(lead).count("REMINDER") == 2
    assert len(world.reply_open()) == 2
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_a_task_that_takes_the_slot_just_before_our_complete_is_put_back(stage: Make, fault: Fault | None) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    due = world.due(hours=9)
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_creates(lead, "SITE_VISIT", due))
    if fault is not None:
        world.fail("superfone", "complete", fault)

    world.again()
    assert incidents(world) == RACE
    world.again(3)

    assert world.lane(lead) == ["SITE_VISIT"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_done_by_them_just_before_our_complete_which_hits_the_reminder_below(stage: Make, fault: Fault | None) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    below = world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.wait(seconds=30)
    top = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_completes(top))
    if fault is not None:
        world.fail("superfone", "complete", fault)

    world.again()
    assert incidents(world) == RACE
    assert not world.superfone.task(below).open
    world.again(3)

    assert world.lane(lead) == ["REMINDER"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_what_they_finish_below_just_before_our_complete_is_done(stage: Make, fault: Fault | None) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    below = a_task_below_a_reminder_to_be_closed(world, lead, seconds=5)

    def finish() -> None:
        world.superfone.person_completes(below)
        world.wait(seconds=1)

    world.meanwhile("superfone", "complete", finish)
    if fault is not None:
        world.fail("superfone", "complete", fault)

    assert world.again(seconds=5).incidents == ()
    world.again()
    assert world.open() == (0, 0, 0)
    assert world.quiet(2).incidents == ()


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_what_they_finish_below_just_after_our_complete_is_done(stage: Make, fault: Fault) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())
    world.good()
    reminder = world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    world.good()
    world.reply.person_completes(reminder)
    world.fail("superfone", "complete", fault)

    def come_before_we_look() -> None:
        world.fail("superfone", "tasks of contact", Fault.ERROR_BEFORE, times=4)

    world.afterwards("superfone", "complete", come_before_we_look)
    world.again()
    [call] = world.superfone_open()
    world.superfone.person_completes(call.id)

    assert world.again(seconds=5).incidents == ()
    world.again()
    assert world.open() == (0, 0, 0)
    assert world.quiet(2).incidents == ()


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_of_what_they_finish_below_and_make_above_our_complete_hits_the_latter(
    stage: Make, fault: Fault | None
) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    below = a_task_below_a_reminder_to_be_closed(world, lead, minutes=1)

    def act() -> None:
        world.superfone.person_completes(below)
        world.wait(seconds=5)
        world.superfone.person_creates(lead, "FIRST_CALL", world.due(hours=3))
        world.wait(seconds=5)

    world.meanwhile("superfone", "complete", act)
    if fault is not None:
        world.fail("superfone", "complete", fault)

    world.again()
    assert incidents(world) == RACE
    world.again(3)
    assert world.lane(lead) == ["FIRST_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER])
def test_made_and_done_by_our_own_user_just_before_our_create(stage: Make, fault: Fault | None) -> None:
    """Its times and its actor look as if our create had closed it; but it was closed when the lane was read before."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Ours")

    def act() -> None:
        task = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=8))
        world.superfone.person_completes(task, by=API_USER)

    world.meanwhile("superfone", "tasks of contact", act)
    if fault is not None:
        world.fail("superfone", "create", fault)
    world.good()
    assert incidents(world) == []
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_done_by_them_while_our_complete_is_still_on_its_way(stage: Make) -> None:
    """It hits whatever is on top when it arrives: nothing of ours may be there before it can arrive no more."""
    world = stage()
    lead, contact, _ = world.everywhere()
    reminder = world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.good()
    world.complete_in("highlevel")
    world.reply.person_creates(contact, "ToDo", world.due(hours=5), "Another")
    world.fail("superfone", "complete", Fault.LOST_REQUEST)
    assert details(world.again())
    late, _ = next(found for found in reversed(world.superfone.calls) if name_of("superfone", found[0]) == "complete")

    world.superfone.person_completes(reminder)
    world.again(seconds=5)
    world.superfone.handle(late)
    world.again(3)
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_what_our_create_replaced_waits_where_rows_tell_little(stage: Make) -> None:
    world = stage()
    tell_little(world, "updated_by", "updated_at")
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=6), "Later")
    world.good()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Sooner")
    world.good()
    assert world.open() == (1, 2, 2)
    world.quiet(2)
    assert world.open() == (1, 2, 2)


@pytest.mark.parametrize("untold", [["updated_by"], ["updated_at"], ["updated_by", "updated_at"]])
def test_what_our_complete_hit_is_found_where_rows_tell_little(stage: Make, untold: list[str]) -> None:
    world = stage()
    tell_little(world, *untold)
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.wait(seconds=30)
    top = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_completes(top))
    world.fail("superfone", "complete", Fault.LOST_ANSWER)

    world.again()
    assert incidents(world) == RACE
    world.again(3)
    assert world.lane(lead) == ["REMINDER"]
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.ERROR_AFTER])
def test_done_by_them_just_before_our_complete_with_nothing_else_open(stage: Make, fault: Fault | None) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_completes(task))
    if fault is not None:
        world.fail("superfone", "complete", fault)

    report = world.again()

    assert report.incidents == ()
    world.again()
    assert world.open() == (0, 0, 0)
    assert world.quiet(2).incidents == ()
