"""A CRM that keeps only the minutes of a due: what it makes of ours is no edit, and is written once."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.sandbox import Fault
from tests.support.editing import edits, everywhere
from tests.support.scenario import Make, Stage

ROUNDED = {"cut": timedelta(0), "rounded": timedelta(seconds=30)}


def in_minutes(world: Stage, system: str, how: str) -> None:
    """From now on this CRM keeps whole minutes."""
    sandbox = world.reply if system == "reply" else world.highlevel
    sandbox.stores_due = lambda due: (due + ROUNDED[how]).replace(second=0, microsecond=0)


def made_elsewhere(world: Stage, system: str, due: datetime) -> str:
    _, prospect, person = world.everywhere()
    if system == "reply":
        return world.highlevel.person_creates(person, "Ring", due)
    return world.reply.person_creates(prospect, "Call", due, "Ring")


def due_at_its_origin(world: Stage, system: str, task: str) -> datetime:
    if system == "reply":
        return datetime.fromisoformat(world.highlevel.task(task).due or "")
    return next(one.due_to for one in world.reply_open() if str(one.id) == task)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER])
@pytest.mark.parametrize("how", ROUNDED)
@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_what_a_crm_makes_of_a_due_does_not_reach_its_origin(
    stage: Make, system: str, how: str, fault: Fault | None
) -> None:
    world = stage()
    in_minutes(world, system, how)
    due = world.due().replace(second=37, microsecond=0)
    task = made_elsewhere(world, system, due)
    if fault is not None:
        world.fail(system, "create", fault)
    world.again(3)
    assert due_at_its_origin(world, system, task) == due
    assert world.open() == (1, 1, 1)
    assert edits(world) == []
    world.quiet(2)


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER])
@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_due_whose_minute_the_copy_shows_already_is_written_once(
    stage: Make, system: str, fault: Fault | None
) -> None:
    world = stage()
    in_minutes(world, system, "cut")
    due = world.due().replace(second=0, microsecond=0)
    task = made_elsewhere(world, system, due.replace(second=12))
    world.again(2)
    later = due.replace(second=40)
    if system == "reply":
        world.highlevel.person_reschedules(task, later)
    else:
        world.reply.person_reschedules(task, later)
    if fault is not None:
        world.fail(system, "edit", fault)
    world.again(2)
    assert due_at_its_origin(world, system, task) == later
    report = world.quiet(3)
    assert not report.waiting
    assert not report.attention


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_after_a_lost_ledger_a_due_without_its_seconds_is_no_other_due(stage: Make, system: str) -> None:
    world = stage()
    in_minutes(world, system, "cut")
    due = world.due().replace(second=37, microsecond=0)
    task = made_elsewhere(world, system, due)
    world.again(2)
    world.lose_ledger()
    reports = [world.again() for _ in range(3)]
    assert due_at_its_origin(world, system, task) == due
    assert [one for report in reports for one in report.overwritten] == []
    assert edits(world) == []
    world.quiet(2)


def test_a_person_who_moves_a_copy_by_minutes_still_moves_the_task(stage: Make) -> None:
    world = stage()
    in_minutes(world, "reply", "cut")
    task, copy, _ = everywhere(world)
    later = copy.due_to + timedelta(minutes=1)
    world.reply.person_reschedules(str(copy.id), later)
    world.again(2)
    assert due_at_its_origin(world, "reply", task) == later
    world.quiet(2)
