"""Edits when something is not known: an answer was lost, a value has just changed, a text or a ledger was not read."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import pytest
from pydantic import SecretStr

from adapters.sandbox import Fault
from adapters.superfone.abilities import capabilities_of
from adapters.superfone.adapter import SuperfoneAdapter
from adapters.superfone.settings import SuperfoneSettings
from syncer.contract.adapter import Completes
from tests.support.editing import body_of, dues, everywhere
from tests.support.scenario import Make, waiting


def test_a_third_value_just_before_the_write_is_a_conflict_too(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    first, second = world.due(hours=30), world.due(hours=40)
    world.highlevel.person_reschedules(task, first)
    world.meanwhile("reply", "task", lambda: world.reply.person_reschedules(str(copy.id), second), skip=1)
    report = world.good()
    assert len(report.overwritten) + len(world.good().overwritten) == 1
    assert len(dues(world)) == 1
    world.quiet(2)


def test_of_two_changes_the_loser_is_told_though_a_search_shows_the_first_one_late(stage: Make) -> None:
    world = stage()
    task, copy, ours = everywhere(world)
    world.wait(minutes=10)
    world.highlevel.person_reschedules(task, world.due(hours=40))
    world.superfone.person_reschedules(ours, world.due(hours=30))
    world.highlevel.lag = timedelta(minutes=5)
    world.fail("highlevel", "tasks", Fault.ERROR_BEFORE, times=4)
    world.again()
    world.heal()
    reports = [world.again() for _ in range(6)]
    assert len([one for report in reports for one in report.overwritten]) == 1
    assert copy.due_to == datetime.fromisoformat(world.highlevel.task(task).due or "")
    world.quiet(2)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.ERROR_BEFORE])
@pytest.mark.parametrize(("system", "name"), [("reply", "edit"), ("highlevel", "edit"), ("superfone", "create")])
def test_an_edit_whose_answer_is_lost_is_settled_by_reading(stage: Make, fault: Fault, system: str, name: str) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    later = world.due(hours=30)
    if system == "highlevel":
        world.reply.person_reschedules(str(copy.id), later)
    else:
        world.highlevel.person_reschedules(task, later)
    world.fail(system, name, fault)
    report = world.again()
    world.again(2)
    assert dues(world) == {later}
    assert world.open() == (1, 1, 1)
    assert report.overwritten == ()
    world.quiet(2)


@pytest.mark.parametrize("fault", [Fault.LOST_ANSWER, Fault.ERROR_BEFORE])
def test_a_person_who_edits_after_our_lost_edit_wins(stage: Make, fault: Fault) -> None:
    """Nothing tells whether they have ever seen our value, so that is told as overwritten."""
    world = stage()
    task, copy, _ = everywhere(world)
    first, second = world.due(hours=30), world.due(hours=40)
    world.highlevel.person_reschedules(task, first)
    world.fail("reply", "edit", fault)
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=4, skip=2)
    world.again()
    world.heal()
    world.reply.person_reschedules(str(copy.id), second)
    reports = [world.again() for _ in range(2)]
    assert dues(world) == {second}
    told = [(one.system, one.value, one.by) for report in reports for one in report.overwritten]
    assert told == [("highlevel", f"{first:%FT%TZ}", "reply")]
    world.quiet(2)


def test_an_edit_that_never_came_is_not_counted_once_people_finish_the_task(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.reply.person_reschedules(str(copy.id), world.due(hours=30))
    world.fail("highlevel", "edit", Fault.ERROR_BEFORE)
    reports = [world.again()]
    world.heal()
    world.highlevel.person_completes(task)
    reports += [world.again() for _ in range(3)]
    assert sum(report.edited["highlevel"] for report in reports) == 0
    assert world.open() == (0, 0, 0)
    world.quiet(2)


def test_a_value_taken_while_an_edit_is_in_doubt_competes_with_what_people_typed_there(stage: Make) -> None:
    """Which of the two they typed first, nothing tells: one wins, and the other is told."""
    world = stage()
    task, copy, _ = everywhere(world)
    first, second, third = world.due(hours=30), world.due(hours=40), world.due(hours=50)
    world.highlevel.person_reschedules(task, first)
    world.fail("reply", "edit", Fault.LOST_ANSWER)
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=40, skip=2)
    world.again()
    world.highlevel.person_reschedules(task, second)
    world.again()
    world.heal()
    world.reply.person_reschedules(str(copy.id), third)
    reports = [world.again() for _ in range(3)]
    [shown] = dues(world)
    [lost] = {second, third} - {shown}
    assert [one.value for report in reports for one in report.overwritten] == [f"{lost:%FT%TZ}"]
    world.quiet(2)


def test_after_a_lost_ledger_the_origin_counts_and_the_other_value_is_told(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.lose_ledger()
    marker = str(copy.template["body"]).split("\n")[-1]
    world.reply.person_edits_body(str(copy.id), f"Meet\nBring the plan\n{marker}")
    reports = [world.again() for _ in range(3)]
    assert world.highlevel.task(task).title == "Ring"
    assert body_of(copy)[0] == "Ring"
    told = [(one.system, one.value) for report in reports for one in report.overwritten]
    assert told == [("reply", "Meet")]
    world.quiet(2)


def test_a_text_whose_turn_failed_is_read_in_the_next_run(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    marker = str(copy.template["body"]).split("\n")[-1]
    world.reply.person_edits_body(str(copy.id), f"Meet\nBring the plan\n{marker}")
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=4)
    world.again()
    assert world.highlevel.task(task).title == "Ring"
    world.again(2)
    assert world.highlevel.task(task).title == "Meet"
    world.quiet()


def test_nothing_is_made_again_for_a_person_in_doubt(stage: Make) -> None:
    world = stage()
    task, _, ours = everywhere(world)
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.superfone.person_renumbers_lead(world.superfone.leads()[0].id, ["+919876500000"])
    report = world.again()
    assert [one.id for one in world.superfone_open()] == [ours]
    assert ("superfone", "ambiguous_contact") in waiting(report)


@pytest.mark.parametrize(("system", "name"), [("reply", "edit"), ("superfone", "create")])
def test_what_is_changed_while_an_edit_is_in_doubt_is_still_owed(stage: Make, system: str, name: str) -> None:
    world = stage()
    task, _, _ = everywhere(world)
    first, second = world.due(hours=30), world.due(hours=40)
    world.highlevel.person_reschedules(task, first)
    world.fail(system, name, Fault.LOST_ANSWER)
    read = "task" if system == "reply" else "tasks of contact"
    world.wait(minutes=1)
    world.fail(system, read, Fault.ERROR_BEFORE, times=40, skip=1)
    world.sync()
    world.highlevel.person_reschedules(task, second)
    world.again()
    world.heal()
    world.again(3)
    assert dues(world) == {second}
    world.quiet(2)


def test_a_title_that_is_given_in_superfone_while_the_create_is_in_doubt_is_an_edit(stage: Make) -> None:
    """Superfone takes no title from us, so a copy that has one got it from people."""
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    unreachable = partial(world.fail, "superfone", "tasks of contact", Fault.ERROR_BEFORE, times=9)
    world.afterwards("superfone", "create", unreachable)
    assert ("superfone", "in_doubt") in waiting(world.again())
    world.superfone.person_retitles(world.superfone_open()[0].id, "Ring twice")
    world.heal()
    world.good()
    assert world.highlevel.task(task).title == "Ring twice"
    world.quiet(2)


def test_a_copy_that_is_made_again_in_a_lane_is_found_however_its_crm_completes(
    stage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a completion names its task, the old copy was read, and not what the lost create had made."""
    named = replace(capabilities_of(SuperfoneSettings(api_key=SecretStr("key"))), completes=Completes.TASK)
    monkeypatch.setattr(SuperfoneAdapter, "capabilities", property(lambda _self: named))
    world = stage()
    task, _, _ = everywhere(world)
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    world.again(3)
    assert len(dues(world)) == 1
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_a_copy_whose_replacement_was_in_doubt_gets_the_due_that_the_task_has_by_now(stage: Make) -> None:
    """Superfone could not be read after the answer was lost, and the due was moved once more meanwhile."""
    world = stage()
    task, copy, _ = everywhere(world)
    first, second = world.due(hours=30), world.due(hours=50)
    world.highlevel.person_reschedules(task, first)
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    unread = partial(world.fail, "superfone", "tasks of contact", Fault.ERROR_BEFORE, times=100)
    world.meanwhile("superfone", "create", unread)
    world.again()
    world.highlevel.person_reschedules(task, second)
    world.again()
    assert copy.due_to == second
    assert [one.due for one in world.superfone_open()] == [first]
    world.heal()

    world.again(3)

    assert dues(world) == {second}
    assert world.open() == (1, 1, 1)
    world.quiet(2)
