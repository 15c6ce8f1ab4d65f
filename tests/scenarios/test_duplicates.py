"""What people do with tasks that are held: second copies of a task, and what an automation makes again and again."""

from __future__ import annotations

import pytest

from adapters.superfone.sandbox_store import API_USER
from tests.support.scenario import Make, Stage, attention

DUPLICATE = ("reply", "duplicate")


def duplicated(world: Stage) -> tuple[str, str, str]:
    """A task of HighLevel's with two copies in Reply: (HighLevel's id, our copy, the second one)."""
    _, contact, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [copy] = world.reply_open()
    second = world.reply.person_creates(contact, "Call", copy.due_to, copy.template["body"])
    assert attention(world.good()) == {DUPLICATE}
    return task, str(copy.id), second


def looped(world: Stage) -> list[str]:
    """Five equal tasks of HighLevel's, of which the last two are held. In the order in which they were seen."""
    _, _, person = world.everywhere()
    due, tasks = world.due(hours=90), []
    for _ in range(5):
        tasks.append(world.highlevel.person_creates(person, "Ring", due))
        report = world.good()
    assert len(report.attention) == 2
    return tasks


def test_a_second_copy_that_was_deleted_is_told_no_more(stage: Make) -> None:
    world = stage()
    _, _, second = duplicated(world)
    world.reply.person_deletes(second)

    world.again(2)

    assert attention(world.quiet()) == set()
    assert world.retry() == 0
    assert world.open() == (1, 1, 1)
    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("deleted", ["keep", "close"])
def test_of_two_copies_the_one_that_is_left_is_the_tasks(stage: Make, deleted: str) -> None:
    """Nobody can see which of the two we made: people delete either of them, and go on with the other."""
    world = stage(sync=f'deleted = "{deleted}"')
    _, copy, second = duplicated(world)
    world.reply.person_deletes(copy)

    world.again(3)

    assert attention(world.quiet()) == set()
    world.highlevel.person_reschedules(world.highlevel_open()[0].id, world.due(hours=30))
    world.good()
    assert [one.due_to for one in world.reply_open()] == [world.superfone_open()[0].due]
    world.reply.person_completes(second)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet(2)


def test_the_copy_that_is_left_keeps_its_marker_when_its_text_is_written(stage: Make) -> None:
    """Only the marker tells a ledger that knows nothing whose copy it is."""
    world = stage()
    _, copy, _ = duplicated(world)
    world.reply.person_deletes(copy)
    world.again(3)
    world.highlevel.person_retitles(world.highlevel_open()[0].id, "Ring twice")
    world.good()
    [left] = world.reply_open()
    assert "Ring twice" in left.template["body"]
    assert "syncer:" in left.template["body"]
    world.lose_ledger()
    world.again(3)
    assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("deleted", ["keep", "close"])
def test_the_copy_that_is_left_may_be_finished_before_a_run_has_seen_that_it_is_left(stage: Make, deleted: str) -> None:
    world = stage(sync=f'deleted = "{deleted}"')
    _, copy, second = duplicated(world)
    world.reply.person_deletes(copy)
    world.again(2)
    world.reply.person_completes(second)

    world.good()

    assert world.open() == (0, 0, 0)
    assert attention(world.quiet()) == set()


@pytest.mark.parametrize("deleted", ["keep", "close"])
@pytest.mark.parametrize("runs", [0, 1, 2, 3])
def test_both_copies_that_are_deleted_one_after_the_other_are_deleted(stage: Make, runs: int, deleted: str) -> None:
    world = stage(sync=f'deleted = "{deleted}"')
    _, copy, second = duplicated(world)
    world.reply.person_deletes(copy)
    for _ in range(runs):
        world.again()
    world.reply.person_deletes(second)

    world.again(4)

    assert world.open() == ((0, 0, 0) if deleted == "close" else (1, 0, 1))
    assert attention(world.quiet()) == (set() if deleted == "close" else {("reply", "replica_missing")})


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("deleted", ["keep", "close"])
def test_of_two_copies_in_superfone_the_one_that_is_left_is_the_tasks(stage: Make, deleted: str, first: bool) -> None:
    world = stage(highlevel='default_kind = "reminder"', sync=f'deleted = "{deleted}"')
    lead, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    [mine] = world.superfone_open()
    second = world.superfone.person_creates(lead, "REMINDER", mine.due, by=API_USER)
    assert attention(world.good()) == {("superfone", "duplicate")}
    world.superfone.person_deletes(mine.id if first else second)

    world.again(3)

    assert attention(world.quiet()) == set()
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)


def test_a_second_copy_that_is_back_is_a_second_copy_again(stage: Make) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.good()
    [copy] = world.highlevel_open()
    second = world.highlevel.person_creates(person, "Ring", world.due(), copy.body)
    world.highlevel.person_reschedules(second, world.reply_open()[0].due_to)
    assert attention(world.good()) == {("highlevel", "duplicate")}
    world.highlevel.person_deletes(second)
    world.again(3)
    assert attention(world.quiet()) == set()
    world.highlevel.person_restores(second)

    world.again(2)

    assert attention(world.quiet()) == {("highlevel", "duplicate")}
    assert world.open() == (1, 1, 2), lead


@pytest.mark.parametrize("deleted", ["keep", "close"])
def test_a_task_of_a_loop_that_was_deleted_does_not_come_back(stage: Make, deleted: str) -> None:
    """People clean up behind their automation, and then free what is held, as they are told."""
    world = stage(sync=f'deleted = "{deleted}"')
    *kept, one, other = looped(world)
    world.highlevel.person_deletes(one)
    world.again(3)
    assert attention(world.quiet()) == {("highlevel", "loop")}

    world.retry()
    world.again(3)

    assert {task.id for task in world.highlevel_open()} == {*kept, other}
    assert world.open() == (1, 4, 4)
    assert attention(world.quiet()) == set()


def test_a_loop_that_was_stopped_stays_so_after_a_lost_ledger(stage: Make) -> None:
    world = stage()
    looped(world)
    world.lose_ledger()

    world.again(4)

    assert world.open() == (1, 3, 5)
    assert attention(world.quiet()) == {("highlevel", "loop")}
