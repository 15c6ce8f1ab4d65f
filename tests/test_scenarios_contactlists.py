"""A list of contacts that is too long to be read with every run."""

from __future__ import annotations

from adapters.highlevel.paging import CONTACT_PAGE
from tests.scenario import Make
from tests.scenario import make_stages as _stage  # noqa: F401 - the fixture `stage`


def test_a_contact_that_was_added_since_the_list_was_read_is_asked_for(stage: Make) -> None:
    world = stage()
    for number in range(CONTACT_PAGE + 1):
        world.highlevel.add_contact("", "", f"person{number}@example.com")
    world.good()
    listed = world.count("highlevel", "contacts")
    world.highlevel.add_contact("Asha", "", "asha@example.com")
    contact = world.reply.add_contact("Asha", "asha@example.com")
    world.reply.person_creates(contact, "Call", world.due())

    world.good(seconds=10)

    assert world.count("highlevel", "contacts") == listed
    assert world.open() == (0, 1, 1)
    world.quiet()
