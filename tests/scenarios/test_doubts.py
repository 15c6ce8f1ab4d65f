"""A write of which nobody knows whether it took effect: what is taken for its trace, and what is not."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from adapters.sandbox import Fault
from adapters.superfone.sandbox_store import API_USER, PERSON
from tests.support.lasting import damage_in_reply
from tests.support.scenario import PHONE, Make, name_of, waiting


def test_a_create_is_not_repeated_while_a_row_of_its_contact_cannot_be_read(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", Fault.LOST_ANSWER)

    def edit(answer: Any) -> None:
        for row in answer["items"]:
            row["status"] = "Sleeping"

    honest = world.reply.handle
    world.mangle("reply", "tasks", edit)
    for _ in range(3):
        assert ("reply", "in_doubt") in waiting(world.again())
    assert world.count("reply", "create") == 1

    world.reply.handle = honest  # type: ignore[method-assign]
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_a_row_that_nobody_could_read_before_the_request_is_not_what_that_made(stage: Make) -> None:
    """It may be due at any time, for as long as it cannot be read: no create in doubt waits for it."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    damaged = world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    damage_in_reply(world, damaged)
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", Fault.LOST_REQUEST)
    assert ("reply", "in_doubt") in waiting(world.again())

    world.wait(minutes=1)
    world.good()

    assert world.open() == (2, 3, 2)
    world.quiet(2)


@pytest.mark.parametrize(("raw_type", "hours"), [("SITE_VISIT", 5), ("FOLLOW_UP_CALL", 9)])
def test_a_task_of_theirs_that_only_resembles_our_lost_create_is_theirs(stage: Make, raw_type: str, hours: int) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    dues = {hour: world.due(hours=hour) for hour in (5, 9)}
    world.reply.person_creates(contact, "Call", dues[5])
    world.fail("superfone", "create", Fault.LOST_REQUEST)
    world.again()
    theirs = world.superfone.person_creates(lead, raw_type, dues[hours])

    report = world.good()
    assert waiting(report) == {("superfone", "slot_taken")}
    assert world.open() == (1, 2, 2)
    world.quiet(2)

    world.superfone.person_completes(theirs)
    world.good()
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_history_with_the_type_and_the_due_of_our_lost_create_is_history(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    due = world.due()
    world.superfone.person_completes(world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due))
    world.wait(hours=1)
    world.reply.person_creates(contact, "Call", due)
    world.fail("superfone", "create", Fault.LOST_REQUEST)

    world.again()
    world.good()

    assert world.open() == (1, 1, 1)
    assert world.count("superfone", "create") == 2
    world.quiet(2)


def test_what_a_completion_hit_is_not_judged_while_a_row_of_the_lane_cannot_be_read(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    due = world.due(hours=9)
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_creates(lead, "REMINDER", due))
    world.fail("superfone", "complete", Fault.LOST_ANSWER)

    def edit(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            if row["type"] == "REMINDER":
                row["task_status"] = "SNOOZED"

    honest = world.superfone.handle
    world.mangle("superfone", "tasks of contact", edit)
    for _ in range(3):
        assert ("superfone", "in_doubt") in waiting(world.again())

    world.superfone.handle = honest  # type: ignore[method-assign]
    assert [item.reason for item in world.again().incidents] == ["closed_by_race"]
    world.again(2)
    assert world.lane(lead) == ["REMINDER"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_the_grace_counts_from_when_the_request_was_sent_not_from_when_it_had_to_wait(stage: Make) -> None:
    world = stage()
    world.reply.retry_after = 60
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", Fault.THROTTLED)
    world.fail("reply", "create", Fault.LOST_REQUEST)

    assert ("reply", "in_doubt") in waiting(world.again())
    late = [call for call, _ in world.reply.calls if name_of("reply", call) == "create"][-1]
    assert ("reply", "in_doubt") in waiting(world.again(seconds=5))
    world.reply.handle(late)

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_a_duplicate_of_a_copy_that_is_gone_is_not_taken_for_its_successor(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    [copy] = world.highlevel_open()
    world.highlevel.person_deletes(copy.id)
    world.quiet(2)
    duplicate = world.highlevel.person_creates(person, "Again", world.due(hours=9), copy.body)
    world.highlevel.person_completes(duplicate)
    assert world.retry() == 1
    world.fail("highlevel", "create", Fault.LOST_REQUEST)

    world.again()
    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_what_a_person_finished_before_our_late_completion_arrived_stays_finished(stage: Make) -> None:
    """Whom Superfone names for us was learnt from another lead's task."""
    world = stage()
    lead, _, person = world.everywhere()
    _, contact, _ = world.everywhere("Ravi", "+919876543211")
    world.reply.person_creates(contact, "Call", world.due())
    reminder = world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    [copy] = [task for task in world.highlevel_open() if task.contact == person]
    world.highlevel.person_completes(copy.id)
    world.fail("superfone", "complete", Fault.LOST_REQUEST)
    world.again(seconds=10)
    call = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.wait(seconds=5)
    world.superfone.person_completes(call)
    world.wait(seconds=5)
    world.superfone.person_completes(reminder, by=API_USER)

    report = world.again()

    assert report.incidents == ()
    assert world.lane(lead) == []
    assert world.quiet(2).waiting == ()


@pytest.mark.parametrize("edited", [False, True])
def test_a_copy_that_they_edited_before_we_knew_of_it_is_theirs(stage: Make, edited: bool) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=9))
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    unreachable = partial(world.fail, "superfone", "tasks of contact", Fault.NO_CONNECTION, times=8)
    world.afterwards("superfone", "create", unreachable)
    world.again()
    world.heal()
    (ours,) = world.superfone.open_tasks(lead)
    if edited:
        world.superfone.person_retitles(ours.id, "Ring in the evening")
    world.reply.person_creates(contact, "Call", world.due(hours=5))

    report = world.good()

    assert world.superfone.task(ours.id).open is edited
    assert world.open() == (1, 2, 2)
    assert waiting(report) == {("superfone", "slot_taken")}
    world.quiet()


@pytest.mark.parametrize("raw_type", ["Call", "ToDo"])
@pytest.mark.parametrize(("known", "called"), [(True, False), (False, False), (False, True)])
def test_a_copy_in_a_lane_that_they_moved_before_we_knew_of_it_is_the_copy(
    stage: Make, known: bool, called: bool, raw_type: str
) -> None:
    """Nothing but its due date differs from what was sent, and whoever made it may be our user."""
    world = stage()
    lead, contact, _ = world.everywhere()
    _, other, _ = world.everywhere("Ravi", "+919876543211")
    if known:
        world.reply.person_creates(other, "Call", world.due())
        world.good()
    count = len(world.superfone_open()) + 1
    world.reply.person_creates(contact, raw_type, world.due(hours=9))
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    unreachable = partial(world.fail, "superfone", "tasks of contact", Fault.NO_CONNECTION, times=8)
    world.afterwards("superfone", "create", unreachable)
    world.again()
    world.heal()
    (ours,) = world.superfone.open_tasks(lead)
    moved = world.due(hours=5)
    world.superfone.person_reschedules(ours.id, moved)
    if called:
        # Only the note tells people what it is about.
        world.superfone.person_retitles(ours.id, (ours.note or "").partition("\n")[0])

    assert waiting(world.good()) == set()

    assert world.open() == (count, count, count)
    [copy] = [task for task in world.reply_open() if task.contact_id == int(contact)]
    assert copy.due_to == moved
    world.quiet(2)


@pytest.mark.parametrize("by", [API_USER, PERSON])
@pytest.mark.parametrize("seconds", [5, 45])
def test_a_task_that_was_made_too_late_or_by_somebody_else_is_not_what_they_moved(
    stage: Make, by: int, seconds: int
) -> None:
    """The request was lost. A person may work with our key, too, but nothing of ours arrives after the grace."""
    world = stage()
    _, other, _ = world.everywhere("Ravi", "+919876543211")
    world.reply.person_creates(other, "Call", world.due())
    world.good()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    world.fail("superfone", "create", Fault.LOST_REQUEST)
    world.again()
    world.wait(seconds=seconds)
    theirs = world.superfone.person_creates(lead, "REMINDER", world.due(hours=7), by=by)
    world.wait(seconds=1)
    world.superfone.person_reschedules(theirs, world.due(hours=5))
    world.again(2)
    taken = by == API_USER and seconds < 30
    assert len(world.superfone.open_tasks(lead)) == (1 if taken else 2)
    world.quiet()


def test_as_long_as_our_user_is_unknown_a_task_with_another_title_is_not_what_we_made(stage: Make) -> None:
    """Superfone keeps no title of ours. Somebody makes a task of our type and due while our request is on its way."""
    world = stage()
    (lead, contact, _), due = world.everywhere(), world.due()
    world.reply.person_creates(contact, "Call", due, "Ring Asha")
    world.fail("superfone", "create", Fault.LOST_REQUEST)
    world.again()
    theirs = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due, title="Send the plan")

    report = world.good()

    assert waiting(report) == {("superfone", "slot_taken")}
    assert world.open() == (1, 2, 2)
    world.superfone.person_completes(theirs)
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_what_a_lost_ledger_made_and_somebody_finished_does_not_tell_who_we_are_not(stage: Make) -> None:
    """Of what is finished nothing tells that it was a copy, but its maker may be our user: it has no title."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    contact = world.reply.add_contact("Asha", "", PHONE)
    task = world.reply.person_creates(contact, "Call", world.due(), "Ring Asha")
    world.good()
    world.reply.person_completes(task)
    world.good()
    world.lose_ledger()
    world.reply.person_creates(contact, "Call", world.due(hours=9), "Send the plan")
    world.fail("superfone", "create", Fault.LOST_ANSWER)

    world.again()

    assert world.open() == (1, 1, 0)
    world.complete_in("reply")
    world.good()
    assert world.lane(lead) == []
    world.quiet()


def test_a_due_that_the_list_showed_before_a_lost_completion_is_no_next_date(stage: Make) -> None:
    """The task itself could not be read in time. What moved before the request was not moved by it."""
    world = stage()
    _, _, person = world.everywhere()
    origin = world.highlevel.person_creates(person, "Ring", due=world.due())
    world.good()
    [copy] = world.reply_open()
    world.reply.person_completes(str(copy.id))
    world.highlevel.person_reschedules(origin, world.due(hours=9))
    world.fail("highlevel", "task", Fault.ERROR_BEFORE, times=4)
    world.fail("highlevel", "complete", Fault.LOST_REQUEST)
    assert ("highlevel", "in_doubt") in waiting(world.again())

    world.good()

    assert world.open() == (0, 0, 0)
    world.quiet(2)


@pytest.mark.parametrize("done", [False, True])
def test_a_copy_whose_contact_is_deleted_while_its_create_is_in_doubt_is_known_by_its_marker(
    stage: Make, done: bool
) -> None:
    """Reply keeps the task without its contact, whose list of tasks shows nothing then."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", Fault.LOST_ANSWER)
    world.afterwards("reply", "create", lambda: world.fail("reply", "tasks", Fault.ERROR_BEFORE, times=9))
    assert ("reply", "in_doubt") in waiting(world.again())
    world.reply.person_deletes_contact(contact)
    world.heal()
    if done:
        world.complete_in("superfone")
    world.again(2)
    if not done:
        assert waiting(world.quiet()) == set()
        assert world.open() == (1, 1, 1)
        world.complete_in("superfone")
    world.again(2)
    assert world.open() == (0, 0, 0)
    assert waiting(world.quiet(2)) == set()


def test_a_text_of_ours_that_people_paste_into_a_task_without_a_contact_is_no_copy(stage: Make) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [copy] = world.reply_open()
    text = str(copy.template["body"])
    world.reply.person_creates(contact, "Call", world.due(hours=9), text)
    pasted = max(world.reply_open(), key=lambda one: one.id)
    world.reply.person_moves(str(pasted.id), None)
    world.good()
    world.complete_in("highlevel")
    world.again(2)
    assert [one.id for one in world.reply_open()] == [pasted.id]
    assert waiting(world.quiet()) == {("reply", "without_contact")}
