"""The ledger is lost while a CRM is down. What told in one run of a copy there is not read again in the next one."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make, Stage, attention

TASKS = ("tasks", "tasks of contact", "task")
EVERYTHING = (*TASKS, "contacts", "contact", "identity")


def _is_down_at_first(world: Stage, system: str, calls: tuple[str, ...] = EVERYTHING) -> None:
    """Lose the ledger. Two runs cannot read this CRM, and the next ones can."""
    world.lose_ledger()
    for name in calls:
        world.fail(system, name, Fault.ERROR_BEFORE, times=200)
    world.again(2)
    world.heal()
    world.again(2)
    world.quiet(2)


def test_a_copy_in_superfone_of_what_was_finished_is_no_new_task(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.good()
    world.complete_in("reply")

    _is_down_at_first(world, "highlevel")

    assert world.open() == (0, 0, 0)


def test_a_task_without_a_due_is_not_made_again(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", None)
    world.good()

    _is_down_at_first(world, "reply")

    assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("calls", [TASKS, EVERYTHING])
def test_a_copy_of_a_finished_task_without_a_due_is_no_new_task(stage: Make, calls: tuple[str, ...]) -> None:
    """It has the due that we made up for it."""
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", None)
    world.good()
    world.complete_in("highlevel")

    _is_down_at_first(world, "reply", calls)

    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("done", [True, False])
def test_a_copy_of_the_next_date_is_not_taken_for_one_of_the_date_before(stage: Make, *, done: bool) -> None:
    """This ledger made it for the only task that it saw at that place. Later Reply shows that it was the second one."""
    world = stage()
    world.reply.add_contact("Asha", "asha@example.com", "+919876543210")
    person = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
    task = world.highlevel.person_creates(person, "Remind her", world.due(hours=1))
    world.again()
    world.complete_in("reply")
    world.again()
    world.highlevel.person_reopens(task)
    world.highlevel.person_reschedules(task, world.due(days=7))
    world.again(2)
    assert world.open() == (0, 1, 1)
    world.superfone.add_lead("Asha", ["+919876543210"], ["asha@example.com"])
    world.lose_ledger()
    for name in EVERYTHING:
        world.fail("reply", name, Fault.ERROR_BEFORE, times=200)
    world.again(2)
    assert world.open() == (1, 1, 1)
    if done:
        world.superfone.person_completes(world.superfone_open()[0].id)
    world.heal()
    report = world.again(3)
    # Somebody may have reopened it in HighLevel since, so what is open there waits for people.
    assert world.open() == ((0, 0, 1) if done else (1, 1, 1))
    assert (("highlevel", "done_or_reopened") in attention(report)) is done
    world.quiet(2)
