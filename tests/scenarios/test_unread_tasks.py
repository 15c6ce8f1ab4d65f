"""Tasks that can never be read are named, and hold up nobody but their contact, and that one for three runs only."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from tests.support.lasting import always, crowd, forbid, named, of_tasks
from tests.support.scenario import Make, attention, details, waiting

SYSTEMS = ("superfone", "reply", "highlevel")


@pytest.mark.parametrize("count", [1, 2, 3, 10])
@pytest.mark.parametrize("refusal", ["503", "403", "garbage"])
def test_reply_tasks_that_always_fail_delay_nobody_else(stage: Make, count: int, refusal: str) -> None:
    world = stage()
    people = crowd(world, 14)
    tasks = [
        world.reply.person_creates(contact, "Call", world.due(hours=1 + n)) for n, (_, contact, _) in enumerate(people)
    ]
    broken = tasks[:count]
    if refusal == "403":
        forbid(world, "reply", of_tasks(broken))
    else:
        always(world, "reply", of_tasks(broken), Fault.ERROR_BEFORE if refusal == "503" else Fault.GARBAGE)

    report = world.good()

    assert report.connections["reply"].state == "ok"
    assert world.open() == (14 - count, 14, 14 - count)
    world.again()
    told = named(world.good(), "reply", "unreadable" if refusal == "garbage" else "failing")
    assert len(told) == count
    assert all(any(f"task {task}: " in line for line in told) for task in broken)
    if refusal == "403":
        assert all("not yours" in line for line in told)


@pytest.mark.parametrize("refusal", ["503", "403", "garbage"])
def test_an_unreadable_task_holds_its_contact_up_for_three_runs_only(stage: Make, refusal: str) -> None:
    """What is unknown may be the copy that is about to be made; after three runs nobody waits for it any more."""
    world = stage()
    lead, contact, _ = world.everywhere()
    broken = [world.reply.person_creates(contact, "ToDo", world.due(hours=9))]
    if refusal == "403":
        forbid(world, "reply", of_tasks(broken))
    else:
        always(world, "reply", of_tasks(broken), Fault.ERROR_BEFORE if refusal == "503" else Fault.GARBAGE)
    world.superfone.person_creates(lead, "BOOKING", world.due())

    report = world.good()
    assert world.open() == (1, 1, 1)
    assert ("reply", "unread") in waiting(report)
    world.good()
    world.good()
    assert world.open() == (1, 2, 1)
    world.quiet(2)

    # Completions of the contact's other tasks went through all the time, and still do.
    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 1, 0)


def test_a_lost_create_waits_for_three_runs_for_a_task_that_nobody_can_read_and_is_due_at_another_time(
    stage: Make,
) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.fail("reply", "create", Fault.LOST_REQUEST)
    world.again()
    forbid(world, "reply", of_tasks([world.reply.person_creates(contact, "ToDo", world.due(hours=9))]))

    world.again(2)
    assert world.open() == (1, 1, 1)
    world.again(2)

    assert world.open() == (1, 2, 1)


def test_a_known_copy_that_cannot_be_read_alone_is_named_with_its_task(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.good()
    forbid(world, "reply", of_tasks([task]))
    world.loop.advance(60)
    world.reply.person_completes(task)

    report = world.again(3)

    assert report.exit is Exit.DONE
    [item] = [item for item in report.attention if item.reason == "failing"]
    assert item.task is not None
    assert world.open() == (1, 0, 1)


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_copy_that_vanished_and_cannot_be_asked_for_stays_as_it_was(stage: Make, system: str) -> None:
    world = stage()
    (lead, _, _), (other, _, _) = crowd(world, 2)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    task = world.superfone.person_creates(other, "BOOKING", world.due())
    world.good()
    if system == "reply":
        gone = str(world.reply_open()[0].id)
        world.reply.person_deletes(gone)
    else:
        gone = world.highlevel_open()[0].id
        world.highlevel.person_deletes(gone)
    forbid(world, system, of_tasks([gone]))
    world.loop.advance(60)
    world.superfone.person_completes(task)

    for _ in range(4):
        report = world.good()

    assert ("superfone", "unread") not in waiting(report)
    assert attention(report) == {(system, "failing")}
    open_in = dict(zip(SYSTEMS, world.open(), strict=True))
    assert open_in == {"superfone": 1, "reply": 1, "highlevel": 1, system: 0}


def test_a_task_that_a_list_shows_on_a_contact_that_is_gone_is_named(stage: Make) -> None:
    """HighLevel finds a task by its contact only, and people can restore a task whose contact was deleted."""
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.highlevel.person_deletes_contact(person)
    world.good()
    world.highlevel.person_restores(task)

    for _ in range(3):
        report = world.quiet()
        assert waiting(report) == {("highlevel", "unread")}
        assert f"HighLevel task {task}: " in details(report)

    world.highlevel.person_moves(task, world.highlevel.add_contact("Asha", "Rao", "asha@example.com"))
    assert waiting(world.good()) == set()
    assert world.open()[1:] == (1, 1)
