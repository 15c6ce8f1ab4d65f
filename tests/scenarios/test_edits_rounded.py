"""A CRM that keeps only the minutes of a due: what it makes of ours is no edit, and is written once."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from adapters.sandbox import Call, Fault, Reply
from tests.support.editing import edits, everywhere
from tests.support.scenario import Make, Stage, attention

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


def lanes_in_minutes(world: Stage) -> None:
    """From now on Superfone shows whole minutes."""
    honest = world.superfone.handle

    def handle(call: Call) -> Reply:
        reply = honest(call)
        return replace(reply, body=re.sub(rb'("due_date": ?"[^"]+T\d\d:\d\d:)\d\d', rb"\g<1>00", reply.body))

    world.superfone.handle = handle  # type: ignore[method-assign]


def lost_with_minutes(world: Stage, kind: str) -> None:
    """A task of Reply with its copies, and nobody knows of them any more."""
    lanes_in_minutes(world)
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, kind, world.due().replace(second=37), "Ring")
    world.good()
    world.quiet()


@pytest.mark.parametrize("kind", ["Call", "ToDo"])
def test_a_copy_in_a_lane_without_its_seconds_is_known_after_a_lost_ledger(stage: Make, kind: str) -> None:
    world = stage()
    lost_with_minutes(world, kind)
    world.lose_ledger()
    report = world.quiet(3)
    assert attention(report) == set()
    world.complete_in("reply")
    world.again(2)
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("kind", ["Call", "ToDo"])
def test_a_copy_in_a_lane_without_its_seconds_that_is_done_is_done_after_a_lost_ledger(stage: Make, kind: str) -> None:
    world = stage()
    lost_with_minutes(world, kind)
    world.complete_in("superfone")
    world.lose_ledger()
    report = world.again(3)
    # Nothing tells whether people have reopened the origin.
    assert world.open() == (0, 1, 0)
    assert attention(report) == {("reply", "done_or_reopened")}
    world.quiet(2)


def test_two_tasks_of_one_minute_have_their_copies_after_a_lost_ledger(stage: Make) -> None:
    world = stage()
    lanes_in_minutes(world)
    _, contact, _ = world.everywhere()
    due = world.due()
    for second in (12, 37):
        world.reply.person_creates(contact, "ToDo", due.replace(second=second), f"Task {second}")
    world.good()
    world.lose_ledger()
    assert attention(world.quiet(3)) == set()
    assert world.open() == (2, 2, 2)
