"""Whom people assign a task to, in whichever copy, is told to the other copies that can show it."""

from __future__ import annotations

from functools import partial

import pytest

from adapters.sandbox import Fault
from tests.support.editing import USERS
from tests.support.scenario import PHONE, Make, waiting


@pytest.mark.parametrize("before", [678, None])
def test_a_copy_of_ours_that_somebody_assigned_in_superfone_is_theirs(stage: Make, before: int | None) -> None:
    world = stage(more=USERS)
    world.superfone.add_lead("Asha", [PHONE], assignee=before)
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    person = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    ours = world.superfone_open()[0].id
    world.superfone.person_assigns(ours, 679)
    world.highlevel.person_reschedules(task, world.due(hours=30))
    assert waiting(world.good()) == {("reply", "not_editable"), ("superfone", "not_editable")}
    assert [one.id for one in world.superfone_open()] == [ours]
    assert world.highlevel.task(task).assigned_to == "userRavi"
    world.quiet()


def test_an_assignee_travels_where_both_are_mapped(stage: Make) -> None:
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    [copy] = world.highlevel_open()
    [mine] = world.reply_open()
    mine.assigned_user_id = 42
    world.good()
    assert world.highlevel.task(copy.id).assigned_to == "userRavi"
    world.highlevel.person_assigns(copy.id, "userAsha")
    report = world.good()
    assert ("reply", "not_editable") in waiting(report)
    world.highlevel.person_assigns(copy.id, "stranger")
    world.quiet()
    assert (str(mine.id), mine.assigned_user_id) == (task, 42)


@pytest.mark.parametrize("where", ["highlevel", "reply"])
def test_an_assignee_that_is_changed_while_the_create_is_in_doubt_is_an_edit(stage: Make, where: str) -> None:
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.fail("highlevel", "create", Fault.LOST_ANSWER)
    unreachable = partial(world.fail, "highlevel", "tasks of contact", Fault.ERROR_BEFORE, times=9)
    world.afterwards("highlevel", "create", unreachable)
    assert ("highlevel", "in_doubt") in waiting(world.again())
    [copy] = world.highlevel_open()
    assert copy.assigned_to == "userAsha"
    if where == "highlevel":
        world.highlevel.person_assigns(copy.id, "userRavi")
    else:
        world.reply.person_assigns(task, 42)
        world.again()
    world.heal()
    assert (("reply", "not_editable") in waiting(world.good())) == (where == "highlevel")
    assert [one.assigned_to for one in world.highlevel_open()] == ["userRavi"]
    world.quiet(2)


def test_a_task_assigned_while_its_create_in_reply_is_in_doubt_is_listed_as_not_editable_there(stage: Make) -> None:
    """Reply takes no assignee from us, so the copy is the key's user's, as before the task was assigned."""
    world = stage(more=USERS)
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.fail("reply", "create", Fault.LOST_ANSWER)
    world.afterwards("reply", "create", partial(world.fail, "reply", "tasks", Fault.ERROR_BEFORE, times=9))
    assert ("reply", "in_doubt") in waiting(world.again())
    world.highlevel.person_assigns(task, "userRavi")
    world.again()
    world.heal()
    assert waiting(world.good()) == {("reply", "not_editable")}
    world.reply.person_assigns(str(world.reply_open()[0].id), 42)
    assert waiting(world.good()) == set()
    world.quiet(2)


def test_an_assignee_that_is_given_in_a_copy_reaches_the_others_though_the_task_had_it_before(stage: Make) -> None:
    """Superfone and Reply chose assignees by themselves when the copies were created."""
    world = stage(more=USERS)
    world.superfone.add_lead("Asha", [PHONE], assignee=678)
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    person = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.highlevel.person_assigns(task, "userRavi")
    assert waiting(world.good()) == set()
    assert [one.assigned_user_id for one in world.reply_open()] == [41]
    world.superfone.person_assigns(world.superfone_open()[0].id, 679)
    assert waiting(world.good()) == {("reply", "not_editable")}
    assert world.highlevel.task(task).assigned_to == "userRavi"
    world.quiet()


def test_a_copy_that_is_open_again_is_owed_the_assignee_that_the_task_took_while_it_was_closed(stage: Make) -> None:
    world = stage(more=USERS, sync='cancelled = "keep"')
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [copy] = world.reply_open()
    world.reply.person_cancels(str(copy.id))
    world.good()
    world.highlevel.person_assigns(task, "userRavi")
    world.good()
    world.reply.person_reopens(str(copy.id))
    assert ("reply", "not_editable") in waiting(world.good())
    world.quiet(2)


def test_a_copy_that_is_there_again_is_given_the_assignee_that_the_task_took_while_it_was_gone(stage: Make) -> None:
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    [copy] = world.highlevel_open()
    world.highlevel.person_deletes(copy.id)
    world.again(2)
    world.reply.person_assigns(task, 42)
    world.good()
    world.highlevel.person_restores(copy.id)
    world.again(2)
    assert [one.assigned_to for one in world.highlevel_open()] == ["userRavi"]
    world.quiet(2)


def test_a_copy_that_is_open_again_with_another_assignee_changed_by_people_gives_it_to_the_others(stage: Make) -> None:
    world = stage(more=USERS, sync='cancelled = "keep"')
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [copy] = world.reply_open()
    world.reply.person_cancels(str(copy.id))
    world.good()
    world.reply.person_assigns(str(copy.id), 42)
    world.reply.person_reopens(str(copy.id))
    world.again(2)
    assert world.highlevel.task(task).assigned_to == "userRavi"
    world.quiet(2)
