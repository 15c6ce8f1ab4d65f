"""Persons with more texts than one run has the time to read are read over several runs after a lost ledger."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.scenarios.test_slow import slow
from tests.support.lasting import crowd
from tests.support.scenario import Make, Stage


def kept(world: Stage) -> dict[str, str]:
    with world.open_ledger(read_only=True) as ledger:
        cursors = ledger.load().cursors
    return {name: value for name, value in cursors.items() if name.startswith("kept:") and value}


def long_history(stage: Make, tasks: int, seconds: int) -> tuple[Stage, str]:
    """A person with so many finished tasks and a copied one, a lost ledger, and a new task. Also its id."""
    world = stage(sync=f'run_limit = "{seconds}s"')
    _, contact, _ = world.everywhere()
    for hour in range(tasks):
        world.reply.person_completes(world.reply.person_creates(contact, "Call", world.due(hours=hour + 1)))
    world.reply.person_creates(contact, "ToDo", world.due(hours=50), body="Ring Asha")
    world.good()
    assert world.open() == (1, 1, 1)
    slow(world)
    world.lose_ledger()
    return world, world.reply.person_creates(contact, "ToDo", world.due(hours=70), body="Ask Asha")


@pytest.mark.parametrize(("tasks", "seconds", "runs"), [(4, 10, 3), (8, 20, 2), (20, 20, 5), (20, 30, 3)])
def test_more_finished_tasks_than_a_run_can_read(stage: Make, tasks: int, seconds: int, runs: int) -> None:
    world, _ = long_history(stage, tasks, seconds)

    world.again(runs)

    assert world.open() == (2, 2, 2)
    world.quiet(2)
    assert kept(world) == {}


def test_more_open_tasks_than_a_run_can_read(stage: Make) -> None:
    world = stage(sync='run_limit = "20s"')
    [(lead, contact, _)] = crowd(world, 1)
    for number in range(40):
        world.reply.person_creates(contact, "ToDo", world.due(hours=1) + timedelta(minutes=number))
    world.good()
    slow(world)
    world.lose_ledger()

    world.again(6)

    assert kept(world) == {}
    world.superfone.person_completes(world.superfone.open_tasks(lead)[0].id)
    world.again(2)
    assert world.open() == (39, 39, 39)


def test_each_text_is_read_once(stage: Make) -> None:
    world, _ = long_history(stage, 20, 20)
    before = world.count("reply", "task")

    world.again(4)

    with world.open_ledger(read_only=True) as ledger:
        runs = len(ledger.runs(limit=10))
    assert runs == 4
    # A few are read for their turn, one in each run.
    assert world.count("reply", "task") - before <= 22 + 2 * runs


def test_what_people_type_into_a_kept_text_travels(stage: Make) -> None:
    world, new = long_history(stage, 20, 20)
    world.again()
    [value] = kept(world).values()
    assert "Ask Asha" in value
    world.reply.person_edits_body(new, "Ask Meera")
    world.again(6)

    assert "Ask Meera" in {task.title for task in world.highlevel_open()}
    assert "Ask Asha" not in {task.title for task in world.highlevel_open()}


def test_a_kept_text_of_a_task_that_was_finished_since_is_read_again(stage: Make) -> None:
    world, new = long_history(stage, 20, 20)
    world.again()
    [value] = kept(world).values()
    assert "Ask Asha" in value
    world.reply.person_completes(new)
    world.again(6)

    assert "Ask Asha" not in {task.title for task in world.highlevel.tasks()}
    assert world.open() == (1, 1, 1)
