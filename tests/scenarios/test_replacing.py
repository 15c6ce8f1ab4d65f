"""Who closed a task that our create was to replace: we, or somebody in the moment between two readings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox import Fault
from adapters.superfone.sandbox_store import API_USER, PERSON
from tests.support.parts import look
from tests.support.scenario import Make


@pytest.mark.parametrize(("by", "seconds"), [(PERSON, 0), (PERSON, 10), (API_USER, 10)])
def test_ours_is_done_just_before_we_replace_it(stage: Make, by: int, seconds: float) -> None:
    """Another actor than our create's tells that it was not closed by it, and so does another time."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=6), "Later")
    world.good()
    [made] = world.superfone_open()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Sooner")

    def act() -> None:
        world.superfone.person_completes(made.id, by)
        world.wait(seconds=seconds)

    world.meanwhile("superfone", "create", act)
    world.again(2)

    assert world.open() == (1, 1, 1)
    assert "Sooner" in (world.superfone_open()[0].note or "")
    world.quiet(2)


def test_what_is_put_back_reminds_as_theirs_did(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    due = world.due(hours=8)

    def act() -> None:
        theirs = world.superfone.person_creates(lead, "BOOKING", due)
        world.superfone.touch(theirs, PERSON, notify_at=due - timedelta(hours=2))

    world.meanwhile("superfone", "create", act)
    world.again(2)

    [put_back] = world.superfone_open()
    assert (put_back.type, put_back.created_by) == ("BOOKING", API_USER)
    assert put_back.notify_at == due - timedelta(hours=2)


def test_in_a_full_account_one_replacement_is_tried_a_run(stage: Make) -> None:
    """A replacement is a create. It is said why it waits, and when there is room again, all are made."""
    world = stage()
    contacts = [world.everywhere(f"Person{number}", f"+9198765{number:05d}")[1] for number in range(6)]
    tasks = [world.reply.person_creates(contact, "Call", world.due(hours=6)) for contact in contacts]
    world.good()
    world.superfone.storage_full = True
    due = world.due(hours=30)
    for task in tasks:
        world.reply.person_reschedules(str(task), due)
    world.again()
    sent = world.count("superfone", "create")
    for run in (1, 2, 3):
        report = world.good()
        assert world.count("superfone", "create") == sent + run
        assert [item.reason for item in report.waiting] == ["storage_full"] * 6
        assert report.attention == ()

    world.superfone.storage_full = False
    world.again(2)
    assert {task.due for task in world.superfone_open()} == {due}
    assert world.open() == (6, 6, 6)
    world.quiet()


def test_a_small_run_tries_one_replacement_in_a_full_account(stage: Make) -> None:
    world = stage()
    contacts = [world.everywhere(f"Person{number}", f"+9198765{number:05d}")[2] for number in range(6)]
    tasks = [world.highlevel.person_creates(contact, "Call", world.due(hours=6)) for contact in contacts]
    world.good()
    world.superfone.storage_full = True
    for task in tasks:
        world.highlevel.person_reschedules(str(task), world.due(hours=30))
    world.again()
    tried = world.count("superfone", "create")
    look(world, "highlevel", *contacts)
    assert world.count("superfone", "create") == tried + 1


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GATEWAY_404, Fault.GARBAGE])
def test_a_copy_that_was_made_again_is_in_doubt_until_its_lane_can_be_read(stage: Make, fault: Fault) -> None:
    """Two open copies of one task are never stored, and the new one is not made a second time."""
    world = stage()
    _, _, contact = world.everywhere()
    task = world.highlevel.person_creates(contact, "Call", world.due(hours=6))
    world.good()
    due = world.due(hours=9)
    world.highlevel.person_reschedules(task, due)
    world.afterwards("superfone", "create", lambda: world.fail("superfone", "tasks of contact", fault, times=20))

    report = world.again()

    assert report.edited["superfone"] == 0
    world.heal()
    world.again(2)
    assert [copy.due for copy in world.superfone_open()] == [due]
    assert world.count("superfone", "create") == 2
    assert world.open() == (1, 1, 1)
    world.quiet()
