"""A Superfone lead has one open task besides its reminders, and only its newest one can be closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.superfone.sandbox_store import PERSON
from syncer.engine.run import Options
from syncer.engine.saved_plan import load, save
from tests.support.lanes import TAKEN, calls, slot
from tests.support.scenario import Make, waiting
from tests.support.strategies import at

ABOVE = ("superfone", "newer_above")


def test_of_three_tasks_the_one_due_first_is_shown_then_the_next(stage: Make) -> None:
    world = stage()
    _, _, contact = world.everywhere()
    _, second, _ = calls(world, contact, 5, 2, 8)

    report = world.good()
    assert slot(world) == ["Call at 2"]
    assert world.open() == (1, 3, 3)
    assert [item.reason.value for item in report.waiting] == ["slot_taken"] * 2
    world.quiet(2)

    world.highlevel.person_completes(second)
    world.good()
    assert slot(world) == ["Call at 5"]
    world.quiet()

    world.complete_in("superfone")
    world.good()
    assert slot(world) == ["Call at 8"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_waiting_task_that_is_due_earlier_takes_the_place_of_ours(stage: Make) -> None:
    world = stage()
    _, _, contact = world.everywhere()
    calls(world, contact, 5)
    world.good()
    [earlier] = calls(world, contact, 2)

    report = world.good()

    assert slot(world) == ["Call at 2"]
    assert world.open() == (1, 2, 2)
    assert waiting(report) == {TAKEN}
    assert report.incidents == ()
    world.quiet(2)

    world.highlevel.person_completes(earlier)
    world.good()
    assert slot(world) == ["Call at 5"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_hold_replaces_nothing(stage: Make) -> None:
    world = stage(superfone='slot = "hold"')
    _, _, contact = world.everywhere()
    calls(world, contact, 5)
    world.good()
    calls(world, contact, 2)

    report = world.good()

    assert slot(world) == ["Call at 5"]
    assert waiting(report) == {TAKEN}
    world.quiet()


def test_a_task_of_theirs_is_never_replaced(stage: Make) -> None:
    world = stage()
    lead, _, contact = world.everywhere()
    theirs = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9))
    world.good()
    calls(world, contact, 2)

    report = world.good()

    assert waiting(report) == {TAKEN}
    assert world.superfone.task(theirs).open
    assert world.open() == (1, 2, 2)
    world.quiet(2)

    world.superfone.person_completes(theirs)
    world.good()
    assert slot(world) == ["Call at 2"]
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize(("field", "value"), [("due", at(hours=6)), ("title", "Mine"), ("type", "BOOKING")])
def test_our_task_that_they_touched_is_theirs(stage: Make, field: str, value: object) -> None:
    world = stage()
    _, _, contact = world.everywhere()
    calls(world, contact, 5)
    world.good()
    [made] = world.superfone_open()
    world.superfone.touch(made.id, PERSON, **{field: value})
    calls(world, contact, 2)

    report = world.good()

    assert world.superfone.task(made.id).open
    assert waiting(report) == {TAKEN}
    world.quiet()


def test_an_automation_that_closes_nothing_leaves_two_open(stage: Make) -> None:
    world = stage()
    lead, _, contact = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9), closes_others=False)
    calls(world, contact, 2)

    report = world.good()

    assert world.open() == (2, 3, 3)
    assert waiting(report) == {TAKEN}
    world.quiet()

    older = world.superfone_open()[-1]
    [copy] = [task for task in world.reply_open() if task.due_to == older.due]
    world.reply.person_completes(str(copy.id))
    report = world.good()

    assert world.lane(lead) == ["SITE_VISIT", "FOLLOW_UP_CALL"]
    assert waiting(report) == {TAKEN, ABOVE}
    assert world.open() == (2, 2, 2)
    world.quiet()


def test_done_elsewhere_under_a_reminder_waits_until_the_reminder_is_closed(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=6))
    world.good()
    [call] = [task for task in world.reply_open() if task.task_type == "Call"]
    world.reply.person_completes(str(call.id))

    report = world.good()

    assert world.lane(lead) == ["REMINDER", "FOLLOW_UP_CALL"]
    assert waiting(report) == {ABOVE}
    assert world.open() == (2, 1, 1)
    world.quiet(2)

    [note] = world.reply_open()
    world.reply.person_completes(str(note.id))
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_done_elsewhere_under_a_reminder_is_closed_by_the_next_task(stage: Make) -> None:
    world = stage()
    lead, _, contact = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=6))
    calls(world, contact, 8)
    world.good()
    assert world.lane(lead) == ["REMINDER", "FOLLOW_UP_CALL"]
    [first] = [task for task in world.highlevel_open() if task.title.startswith("Follow-up call")]
    world.highlevel.person_completes(first.id)

    report = world.good()

    assert sorted(world.lane(lead)) == ["FOLLOW_UP_CALL", "REMINDER"]
    assert slot(world)[0] == "Call at 8"
    assert world.open() == (2, 2, 2)
    assert report.waiting == ()
    assert report.incidents == ()
    world.quiet(2)


def test_reminders_come_to_lie_on_top(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(hours=1))
    world.reply.person_creates(contact, "Call", world.due(hours=2))
    world.reply.person_creates(contact, "ToDo", world.due(hours=3))

    world.good()

    assert world.lane(lead) == ["REMINDER", "REMINDER", "FOLLOW_UP_CALL"]
    world.quiet()


def test_a_whole_stack_is_closed_from_its_top(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    for hours in (1, 2, 3):
        world.superfone.person_creates(lead, "REMINDER", world.due(hours=hours))
    world.good()
    assert world.open() == (4, 4, 4)

    world.complete_in("reply")
    report = world.good()

    assert world.open() == (0, 0, 0)
    assert report.completed["superfone"] == 4
    world.quiet()


def test_what_is_done_is_closed_down_to_the_first_that_is_not(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    for hours in (1, 2, 3, 4):
        world.superfone.person_creates(lead, "REMINDER", world.due(hours=hours))
    world.good()
    by_due = sorted(world.reply_open(), key=lambda task: task.due_to)
    for task in (by_due[0], by_due[2], by_due[3]):
        world.reply.person_completes(str(task.id))

    report = world.good()

    assert world.lane(lead) == ["REMINDER", "REMINDER"]
    assert waiting(report) == {ABOVE}
    assert world.open() == (2, 1, 1)
    world.quiet()

    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_saved_plan_puts_nothing_on_a_task_that_was_done_since(stage: Make, tmp_path: Path) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    save(tmp_path / "plan.json", [world.plan()])
    [saved] = load(tmp_path / "plan.json").accounts
    world.complete_in("highlevel")

    world.good(Options(select=saved.select))
    assert world.lane(lead) == ["BOOKING"]

    world.good()
    assert world.lane(lead) == ["REMINDER"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_todo_may_be_made_to_take_the_slot(stage: Make) -> None:
    world = stage(superfone='todo_type = "FOLLOW_UP_CALL"')
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(hours=2))
    world.reply.person_creates(contact, "Call", world.due(hours=4))

    report = world.good()

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert waiting(report) == {TAKEN}
    world.quiet(2)
    world.complete_in("superfone")
    world.good()
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_two_leads_do_not_wait_for_each_other(stage: Make) -> None:
    world = stage()
    first, _, one = world.everywhere()
    second, _, other = world.everywhere("Ravi", "+919876543211")
    calls(world, one, 1)
    calls(world, other, 1)

    world.good()

    assert (world.lane(first), world.lane(second)) == (["FOLLOW_UP_CALL"], ["FOLLOW_UP_CALL"])
    world.quiet()


def test_the_first_of_several_tasks_is_done_before_any_was_shown(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    theirs = world.superfone.person_creates(lead, "BOOKING", world.due(hours=9))
    waits = world.reply.person_creates(contact, "Call", world.due(hours=1))
    world.good()
    world.reply.person_completes(waits)
    world.good()
    assert world.open() == (1, 1, 1)
    world.superfone.person_completes(theirs)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_what_was_closed_before_we_saw_it_is_remembered_once(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    theirs = world.superfone.person_creates(lead, "BOOKING", world.due(), title="Done already")
    world.wait(seconds=30)
    world.superfone.person_completes(theirs)
    for hours in (9, 7, 5):
        world.reply.person_creates(contact, "Call", world.due(hours=hours))
        world.good(seconds=20)

    with world.open_ledger() as ledger:
        remembered = [view for view in ledger.tasks(state="done") if view.task.title == "Done already"]
    assert [[copy.system for copy in view.replicas] for view in remembered] == [["superfone"]]
