"""An account with tasks, and its site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.shown_page import EVIL, ShownPage
from tests.support.world import World


@pytest.fixture
def world(tmp_path: Path, simulation: None) -> Iterator[World]:
    """Somebody's task is everywhere, another one of theirs waits, and one person is nowhere else."""
    world = World(tmp_path)
    _, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, EVIL, world.due(), "About <b>the</b> flat")
    world.highlevel.person_creates(contact, "Call again", world.due(hours=9))
    nobody = world.highlevel.add_contact("Nobody", EVIL, "nobody@example.com", "")
    world.highlevel.person_creates(nobody, "Send the plan", world.due())
    world.sync()
    yield world
    world.close()


@pytest.fixture
def shown(world: World) -> ShownPage:
    return ShownPage(world)
