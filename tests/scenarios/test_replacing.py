"""Who closed a task that our create was to replace: we, or somebody in the moment between two readings."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.superfone.sandbox_store import API_USER, PERSON
from tests.support.scenario import Make


@pytest.mark.parametrize(("by", "seconds"), [(PERSON, 0), (PERSON, 10), (API_USER, 10)])
def test_ours_is_done_just_before_we_replace_it(stage: Make, by: int, seconds: float) -> None:
    """Another actor than our create's tells that it was not closed by it, and so does another time."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=6), "Later")
    world.good()
    [made] = world.superfone_open()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Sooner")

    def act() -> None:
        world.superfone.person_completes(made.id, by)
        world.wait(seconds=seconds)

    world.meanwhile("superfone", "create", act)
    world.again(2)

    assert world.open() == (1, 1, 1)
    assert "Sooner" in (world.superfone_open()[0].note or "")
    world.quiet(2)


def test_what_is_put_back_reminds_as_theirs_did(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    due = world.due(hours=8)

    def act() -> None:
        theirs = world.superfone.person_creates(lead, "BOOKING", due)
        world.superfone.touch(theirs, PERSON, notify_at=due - timedelta(hours=2))

    world.meanwhile("superfone", "create", act)
    world.again(2)

    [put_back] = world.superfone_open()
    assert (put_back.type, put_back.created_by) == ("BOOKING", API_USER)
    assert put_back.notify_at == due - timedelta(hours=2)
