"""Tasks that cannot be read, or are said not to exist: they are named, and nothing else follows."""

from __future__ import annotations

from adapters.sandbox import Fault
from tests.scenario import Make, attention
from tests.scenario import make_stages as _stage  # noqa: F401 - the fixture `stage`


def test_a_task_that_cannot_be_read_is_named(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=4)

    report = world.good()
    assert [(item.system, item.reason) for item in report.attention] == [("reply", "unread")]
    assert f"task {task}: " in report.attention[0].detail

    world.good()
    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


def test_an_origin_outside_its_route_is_missed_too(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ManualEmail", world.due())
    world.good()
    world.reply.person_deletes(task)
    world.quiet()

    assert attention(world.quiet()) == {("reply", "replica_missing")}
    assert world.open() == (0, 0, 1)


def test_a_copy_that_is_there_again_and_finished_is_finished_everywhere(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    copy = world.highlevel_open()[0].id
    world.highlevel.person_completes(copy)
    world.highlevel.person_deletes(copy)
    world.quiet()
    assert attention(world.quiet()) == {("highlevel", "replica_missing")}

    world.highlevel.person_restores(copy)
    world.good()

    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()
