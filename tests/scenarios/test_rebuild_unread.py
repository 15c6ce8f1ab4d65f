"""A lost ledger is rebuilt while a CRM, a list, or a search does not show everything yet."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest

from adapters.sandbox import Fault
from tests.support.lasting import no_single_task, unreachable
from tests.support.lost_ledgers import task_without_a_due
from tests.support.scenario import PHONE, Make, Stage, attention, waiting

SYSTEMS = ("superfone", "reply", "highlevel")


@pytest.mark.parametrize("twin_window", ["60s", "0"])
@pytest.mark.parametrize("late", SYSTEMS)
def test_a_task_without_a_due_where_one_crm_is_read_late(stage: Make, late: str, twin_window: str) -> None:
    world = stage(sync=f'twin_window = "{twin_window}"')
    task_without_a_due(world)
    world.good()
    world.lose_ledger()
    with unreachable(getattr(world, late)):
        world.again()

    world.again(3)

    assert world.open() == (1, 1, 1)
    with world.open_ledger() as ledger:
        assert len(ledger.tasks(state="open")) == 1
    world.quiet()


def test_a_task_without_a_due_waits_for_what_of_a_list_was_not_read(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)
    world.good()
    world.lose_ledger()

    with patch.object(world.reply, "fault", no_single_task):
        world.again(2)

    world.again(3)

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_task_without_a_due_waits_also_where_the_search_does_not_show_it_yet(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)
    world.good()
    world.highlevel.lag = timedelta(minutes=5)
    world.lose_ledger()
    with patch.object(world.reply, "fault", no_single_task):
        world.again(2)

    world.wait(minutes=5)
    world.again(3)

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_task_without_a_due_waits_for_no_crm_that_was_read_before(stage: Make) -> None:
    world = stage()
    world.everywhere()
    world.good()
    task_without_a_due(world)

    with unreachable(world.reply):
        world.again()

    assert world.open() == (1, 0, 1)


def test_a_task_without_a_due_waits_for_no_crm_that_keeps_no_markers(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)

    with unreachable(world.superfone):
        world.again()

    assert world.open() == (0, 1, 1)


def test_two_tasks_with_one_due_are_still_two_where_superfone_is_read_late(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    for about in ("price", "date"):
        world.highlevel.person_creates(person, f"Ring about the {about}", world.due(hours=20))
    world.good()
    before = world.open()
    world.lose_ledger()
    with unreachable(world.superfone):
        world.again()

    world.again(3)

    assert world.open() == before == (1, 2, 2)
    world.quiet()


def test_nothing_is_made_of_a_copy_whose_origin_is_yet_unread(stage: Make) -> None:
    """A copy in HighLevel does not tell that it is of an e-mail: what looks like a call would become one."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    before = world.open()
    world.lose_ledger()
    with unreachable(world.reply):
        report = world.again()
    assert waiting(report) == {("highlevel", "unread")}

    world.again(2)

    assert world.open() == before == (0, 1, 1)
    assert world.quiet().waiting == ()


@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("hours", [2, 90])
def test_which_of_two_with_one_marker_is_ours_is_not_guessed(stage: Make, hours: int, mirrored: bool) -> None:
    """People duplicate a task with its text; ours is told by what it was made from, once that can be read."""
    world = stage()
    _, contact, person = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    copy = world.highlevel_open()[0]
    world.highlevel.person_creates(person, "Ring about it", world.due(hours=hours), copy.body)
    if mirrored:
        world.good()
    world.lose_ledger()
    with unreachable(world.reply):
        report = world.again()
    assert ("highlevel", "unread") in waiting(report)

    world.again(2)

    assert world.open() == (1, 2, 2)
    assert world.quiet().waiting == ()


def mail_and_its_duplicate(world: Stage) -> None:
    """A task of Reply's, our copy in HighLevel, a duplicate of that with its text, a lost ledger, a late search."""
    _, contact, person = world.everywhere()
    world.highlevel.lag = timedelta(minutes=5)
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    copy = world.highlevel_open()[0]
    world.highlevel.person_creates(person, "Ring about it", world.due(hours=90), copy.body)
    world.lose_ledger()


def test_what_the_search_does_not_show_yet_is_told_apart_by_what_the_others_show(stage: Make) -> None:
    world = stage()
    mail_and_its_duplicate(world)

    world.again()

    assert world.open() == (1, 2, 2)
    world.quiet(2)


def test_nothing_is_made_beside_what_the_search_does_not_show_yet_and_cannot_be_told_apart(stage: Make) -> None:
    world = stage()
    mail_and_its_duplicate(world)
    world.superfone.person_creates(world.superfone.leads()[0].id, "SITE_VISIT", world.due(hours=50), title="Visit")
    with patch.object(world.reply, "fault", no_single_task):
        report = world.again()

    assert ("highlevel", "unread") in waiting(report)
    assert world.open() == (1, 1, 2)
    world.wait(minutes=5)
    world.again(3)
    assert world.open() == (1, 3, 3)
    world.quiet()


def test_a_copy_in_superfone_of_what_is_finished_is_no_origin_while_the_other_copy_is_unread(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    world.complete_in("highlevel")
    world.lose_ledger()
    with unreachable(world.reply):
        report = world.again()
    assert waiting(report) == {("superfone", "unread")}

    world.again(3)

    assert world.open() == (0, 0, 0)
    assert len(world.highlevel.tasks()) == 1


def test_a_copy_in_superfone_of_what_was_put_off_is_no_origin_while_the_other_copy_is_unread(stage: Make) -> None:
    """Who made it has made nothing that a marker names: it may be our user."""
    world = stage()
    _, contact, _ = world.everywhere()
    other, _, _ = world.everywhere("Ravi", "+919876543211")
    world.superfone.person_creates(other, "FOLLOW_UP_CALL", world.due(hours=50), title="Price")
    world.reply.person_creates(contact, "ToDo", world.due(), "Ask for the key")
    world.good()
    before = world.open()
    put_off = next(task for task in world.reply_open() if task.task_type == "ToDo")
    world.reply.person_reschedules(str(put_off.id), world.due(hours=30))
    world.lose_ledger()
    with unreachable(world.highlevel):
        report = world.again()
    assert ("superfone", "unread") in waiting(report)

    world.again(3)

    assert world.open() == before == (2, 2, 2)


def test_a_copy_that_people_delete_after_it_was_listed_is_not_a_task_of_its_own(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    copy = world.highlevel_open()[0]
    world.lose_ledger()
    world.meanwhile("highlevel", "tasks of contact", lambda: world.highlevel.person_deletes(copy.id))

    world.again(3)

    assert len(world.reply_open()) == 1
    assert world.superfone_open() == []


def test_a_copy_that_people_delete_after_its_marker_was_read_still_tells_what_was_written(stage: Make) -> None:
    """The task has no due, so without that marker the copy in Superfone would look like another task."""
    world = stage()
    task_without_a_due(world)
    world.good()
    copy = str(world.reply_open()[0].id)
    world.lose_ledger()
    world.afterwards("reply", "task", lambda: world.reply.person_deletes(copy))

    report = world.again(3)

    assert world.open() == (1, 0, 1)
    assert attention(report) == {("reply", "replica_missing")}


def test_who_is_known_in_one_crm_alone_is_read_elsewhere_first_too(stage: Make) -> None:
    """The ledger is lost while Superfone is down: the copy in HighLevel is all that there is of this person."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    world.highlevel.add_contact("Asha", "", "", PHONE)
    task = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    assert world.open() == (1, 0, 1)
    world.superfone.person_reschedules(task, world.due(hours=30))
    world.lose_ledger()
    world.fail("superfone", "find", Fault.ERROR_BEFORE, times=1000)
    world.again(2)
    world.heal()
    world.again(3, minutes=11)
    assert world.open() == (1, 0, 1)
    world.superfone.person_completes(task)
    world.again(2)
    assert world.open() == (0, 0, 0)


def test_who_has_no_lead_does_not_wait_for_superfone_while_it_is_down(stage: Make) -> None:
    """The number was searched for in the run before, so nothing of this person is left to read there."""
    world = stage()
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    assert world.open() == (0, 1, 1)
    world.complete_in("highlevel")
    world.lose_ledger()
    with unreachable(world.reply):
        world.again()

    with unreachable(world.superfone):
        world.again()

    assert world.open() == (0, 0, 0)


def test_what_is_deleted_between_its_list_and_its_own_read_keeps_nobody_waiting(stage: Make) -> None:
    """After a lost ledger finished tasks are read, too, for their markers. What is gone carries none."""
    world = stage()
    lead, contact, _ = world.everywhere()
    gone = world.reply.person_creates(contact, "Call", world.due(hours=3), "Ring")
    world.reply.person_completes(gone)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    world.lose_ledger()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.meanwhile("reply", "task", lambda: world.reply.person_deletes(gone), skip=1)
    world.again()
    assert not any(str(task.id) == gone for task in world.reply.tasks())
    assert world.open() == (2, 2, 2)
    world.quiet()
