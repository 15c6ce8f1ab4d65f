"""Somebody acts between our reading and our writing, in any CRM."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_done_by_them_just_before_our_complete(stage: Make, system: str) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.superfone.person_completes(task)
    world.meanwhile(system, "complete", lambda: world.complete_in(system))

    world.good()

    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_deleted_by_them_just_before_our_complete(stage: Make, system: str) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.superfone.person_completes(task)

    def delete() -> None:
        if system == "reply":
            world.reply.person_deletes(str(world.reply_open()[0].id))
        else:
            world.highlevel.person_deletes(world.highlevel_open()[0].id)

    world.meanwhile(system, "complete", delete)
    world.again(3)

    assert world.open() == (0, 0, 0)
    world.quiet(2)


def test_cancelled_in_reply_just_before_our_complete(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.superfone.person_completes(task)
    copy = str(world.reply_open()[0].id)
    world.meanwhile("reply", "complete", lambda: world.reply.person_cancels(copy))

    world.good()

    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_the_origin_is_done_just_before_our_create(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        world.reply.person_creates(contact, "Call", world.due())
        world.meanwhile(system, "create", lambda: world.complete_in("reply"))
    else:
        world.superfone.person_creates(lead, "BOOKING", world.due())
        world.meanwhile(system, "create", lambda: world.complete_in("superfone"))

    world.again(2)

    assert world.open() == (0, 0, 0)
    world.quiet(2)


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_somebody_writes_the_same_down_just_before_our_create(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    due = world.due()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due)

    def act() -> None:
        if system == "reply":
            world.reply.person_creates(contact, "Call", due)
        else:
            world.highlevel.person_creates(person, "Ring Asha", due)

    world.meanwhile(system, "create", act)
    world.again(3)

    assert len(set(world.open()[1:])) == 1
    assert world.open()[0] == 1
    world.quiet(2)


def test_their_task_is_done_after_the_race_and_before_it_is_put_back(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    world.fail("superfone", "create", Fault.UNAUTHORIZED, skip=1, times=1)
    world.meanwhile("superfone", "create", lambda: world.superfone.person_creates(lead, "BOOKING", world.due()))
    world.again()
    world.again()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))
    world.again(3)

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_a_second_race_while_the_first_is_put_right(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    for raw_type in ("BOOKING", "SITE_VISIT"):
        world.meanwhile(
            "superfone",
            "create",
            lambda raw_type=raw_type: world.superfone.person_creates(lead, raw_type, world.due()),  # type: ignore[misc]
            skip=int(raw_type == "SITE_VISIT"),
        )

    world.again(4)

    assert world.lane(lead) == ["BOOKING"]
    assert world.open() == (1, 3, 3)
    world.quiet(2)
    for left in (2, 1, 0):
        world.complete_in("superfone")
        world.good()
        assert world.open() == (min(left, 1), left, left)
    world.quiet()
