"""What a ledger forgets because it is old changes nothing of what runs do."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.superfone.sandbox_store import API_USER
from tests.support.races import incidents
from tests.support.scenario import Make, Stage, attention, make_stages

stage = pytest.fixture(make_stages, name="stage")
SYSTEMS = ("superfone", "reply", "highlevel")


def forgetful(stage: Make) -> Stage:
    """A world whose history is kept for a day."""
    world = stage()
    world.account = world.account.model_copy(update={"ledger_keep": timedelta(days=1)})
    return world


@pytest.mark.parametrize("origin", SYSTEMS)
@pytest.mark.parametrize("again", SYSTEMS)
def test_a_copy_that_is_reopened_long_after_its_task_was_done_is_a_new_task(
    stage: Make, origin: str, again: str
) -> None:
    """It was taken for a copy of a lost ledger's finished task: completed again, or held."""
    world = forgetful(stage)
    lead, contact, person = world.everywhere()
    if origin == "superfone":
        world.superfone.person_creates(lead, "BOOKING", world.due(hours=3))
    elif origin == "reply":
        world.reply.person_creates(contact, "Meeting", world.due(hours=3), "Ring")
    else:
        world.highlevel.person_creates(person, "Ring", world.due(hours=3))
    world.good()
    assert world.open() == (1, 1, 1)
    [call], [task], [todo] = world.superfone_open(), world.reply_open(), world.highlevel_open()
    world.complete_in(origin)
    world.good()
    world.quiet(10, hours=12)

    if again == "superfone":
        world.superfone.person_reopens(call.id)
    elif again == "reply":
        world.reply.person_reopens(str(task.id))
    else:
        world.highlevel.person_reopens(todo.id)
    world.again(2)

    assert world.open() == (1, 1, 1)
    assert attention(world.quiet()) == set()


@pytest.mark.parametrize("twins", [False, True])
def test_a_finished_task_that_our_create_closed_in_a_lane_stays_finished(stage: Make, twins: bool) -> None:
    """Once it was forgotten, it looked like one that our create closed by mistake, and was put back everywhere."""
    world = forgetful(stage)
    lead, contact, _ = world.everywhere()
    due = world.due(hours=9)
    first = world.reply.person_creates(contact, "Call", due, "First")
    if twins:
        world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due)
    world.good()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=30))
    world.good()
    world.reply.person_creates(contact, "Call", world.due(days=20), "Second")
    world.wait(seconds=30)
    world.reply.person_completes(first)
    world.again(2)
    assert world.lane(lead) == ["FOLLOW_UP_CALL", "REMINDER"]
    assert world.open() == (2, 2, 2)

    world.quiet(10, hours=12)

    assert world.open() == (2, 2, 2)
    assert incidents(world) == []


def test_what_a_person_finished_in_a_lane_just_before_our_create_stays_finished(stage: Make) -> None:
    """Our API key is that person's. What was closed before we saw it was forgotten, and then put back everywhere."""
    world = forgetful(stage)
    lead, contact, _ = world.everywhere()
    world.good()
    world.reply.person_creates(contact, "Call", world.due(days=20), "Second")

    def a_booking_is_made_and_done() -> None:
        task = world.superfone.person_creates(lead, "BOOKING", world.due(hours=3), by=API_USER)
        world.loop.advance(0.5)
        world.superfone.person_completes(task, by=API_USER)
        world.loop.advance(0.3)

    world.meanwhile("superfone", "tasks of contact", a_booking_is_made_and_done)
    world.good()
    assert world.open() == (1, 1, 1)

    world.quiet(10, hours=12)

    assert world.open() == (1, 1, 1)
    assert incidents(world) == []
