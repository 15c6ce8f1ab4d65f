"""The process is killed after each write and each transaction of a run with a race, or one that makes contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.editing import everywhere
from tests.support.scenario import Make, Stage

MOST_STEPS = 50


def a_race(world: Stage) -> None:
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    world.meanwhile("superfone", "create", lambda: world.superfone.person_creates(lead, "BOOKING", world.due()))


def a_race_to_be_put_right(world: Stage) -> None:
    a_race(world)
    world.again()


def a_race_before_a_complete(world: Stage) -> None:
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("highlevel")
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_creates(lead, "REMINDER", world.due()))


def contacts_are_made(world: Stage) -> None:
    create = "create_missing_contacts = true"
    world.configure(superfone=create, reply=create)
    person = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")
    world.highlevel.person_creates(person, "Ring", world.due())


def a_conflict(world: Stage) -> None:
    """Two people typed a due date between two runs: one replaces the other."""
    task, copy, _ = everywhere(world)
    world.reply.person_reschedules(str(copy.id), world.due(hours=40))
    world.highlevel.person_reschedules(task, world.due(hours=30))


def killed_at_every_step(stage: Make, tell: Callable[[Stage], None]) -> Iterator[tuple[Stage, int]]:
    """The story's world after a run that was killed at a step, for each of them, and after one that was not."""
    for step in range(1, MOST_STEPS):
        world = stage()
        tell(world)
        world.wait(minutes=1)
        killed = world.sync_until_killed(step)
        yield world, step
        if not killed:
            return
    pytest.fail("the story is longer than it should be")


STORIES: list[tuple[Callable[[Stage], None], tuple[int, int, int]]] = [
    (a_race_to_be_put_right, (1, 2, 2)),
    (a_race_before_a_complete, (1, 1, 1)),
    (contacts_are_made, (1, 1, 1)),
]


@pytest.mark.parametrize(("tell", "end"), STORIES, ids=[tell.__name__ for tell, _ in STORIES])
def test_killed_at_every_step(stage: Make, tell: Callable[[Stage], None], end: tuple[int, int, int]) -> None:
    for world, step in killed_at_every_step(stage, tell):
        world.again(2)
        assert world.open() == end, f"killed at step {step}"
        assert len(world.reply.contacts()) == len(world.highlevel.contacts()) == len(world.superfone.leads()) == 1
        world.quiet()


def test_killed_at_every_step_of_a_completion_that_hit_another_before_they_close_the_right_one(stage: Make) -> None:
    """What is closed last is what was meant, and yet it was not our request that closed it."""
    for world, step in killed_at_every_step(stage, a_race_before_a_complete):
        [lead] = world.superfone.leads()
        tasks = world.superfone.tasks(lead.id)
        for task in tasks:
            if task.open and task.type == "BOOKING":
                world.superfone.person_completes(task.id)
        world.again(2)
        theirs = [task.type for task in tasks if task.type == "REMINDER"]
        assert world.lane(lead.id) == theirs, f"killed at step {step}"


def test_a_race_is_put_right_and_reported_wherever_the_process_is_killed(stage: Make) -> None:
    """What a run saw and did not live to tell is told by the next one, once."""
    for world, step in killed_at_every_step(stage, a_race):
        world.again(2)
        with world.open_ledger() as ledger:
            told = [len(run.report.get("incidents", ())) for run in ledger.runs()]
        assert sum(told) == 1, f"killed at step {step}"
        assert world.open() == (1, 2, 2), f"killed at step {step}"
        world.quiet()


def test_an_overwritten_value_is_reported_wherever_the_process_is_killed(stage: Make) -> None:
    """Once, and with the same words as by a run that lives."""
    reports = []
    for world, _ in killed_at_every_step(stage, a_conflict):
        world.again(2)
        with world.open_ledger() as ledger:
            reports.append([one for run in ledger.runs() for one in run.report.get("overwritten", ())])
    [undisturbed] = reports[-1]
    assert (undisturbed["system"], undisturbed["field"], undisturbed["by"]) == ("reply", "due", "highlevel")
    assert reports == [[undisturbed]] * len(reports)
