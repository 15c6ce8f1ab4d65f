"""The ledger is lost while a CRM is down. What told in one run of a copy there is not read again in the next one."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make, Stage

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
