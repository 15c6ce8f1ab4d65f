"""What the overview says of each account in one line for each reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.sandbox import Fault
from tests.support.shown_page import ShownPage, words_of
from tests.support.world import World


@pytest.mark.usefixtures("simulation")
def test_a_line_names_the_task_and_the_person_or_whom_it_can(tmp_path: Path) -> None:
    world = World(tmp_path)
    _, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, "Call again", world.due())
    world.sync()
    world.highlevel.add_contact("Asha Two", phone="+919876543210")
    world.highlevel.person_creates(contact, "Call later", world.due(hours=9))
    world.sync()
    world.reply.fault = lambda call: Fault.GARBAGE if "/contacts" in call.path else None
    world.wait(days=2)
    world.sync()

    words = words_of(ShownPage(world).get("/"))

    assert "Ambiguous contact Asha Two Unreadable Reply.io" in words
    assert "Slot taken Call later, Asha Rao" in words
    world.close()
