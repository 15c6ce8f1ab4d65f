"""The process is killed after each write and each transaction, and started again."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.scenario import Make, Stage
from tests.scenario import make_stages as _stage  # noqa: F401 - the fixture `stage`

MOST_STEPS = 50


def a_call_and_a_reminder_in_reply(world: Stage) -> None:
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())
    world.reply.person_creates(contact, "ToDo", world.due(hours=7))


def done_in_reply(world: Stage) -> None:
    a_call_and_a_reminder_in_reply(world)
    world.good()
    world.complete_in("reply")


def ours_is_replaced(world: Stage) -> None:
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Later", world.due(hours=5))
    world.good()
    world.highlevel.person_creates(person, "Sooner", world.due(hours=2))


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


STORIES: list[tuple[Callable[[Stage], None], tuple[int, int, int]]] = [
    (a_call_and_a_reminder_in_reply, (2, 2, 2)),
    (done_in_reply, (0, 0, 0)),
    (ours_is_replaced, (1, 2, 2)),
    (a_race, (1, 2, 2)),
    (a_race_to_be_put_right, (1, 2, 2)),
    (a_race_before_a_complete, (1, 1, 1)),
    (contacts_are_made, (1, 1, 1)),
]


@pytest.mark.parametrize(("tell", "end"), STORIES, ids=[tell.__name__ for tell, _ in STORIES])
def test_killed_at_every_step(stage: Make, tell: Callable[[Stage], None], end: tuple[int, int, int]) -> None:
    for step in range(1, MOST_STEPS):
        world = stage()
        tell(world)
        world.wait(minutes=1)
        killed = world.sync_until_killed(step)
        world.again(2)
        assert world.open() == end, f"killed at step {step}"
        assert len(world.reply.contacts()) == len(world.highlevel.contacts()) == len(world.superfone.leads()) == 1
        world.quiet()
        if not killed:
            return
    pytest.fail("the story is longer than it should be")
