"""The ledger is lost between a completion and the moment when it was carried on everywhere."""

from __future__ import annotations

from tests.support.scenario import Make


def test_what_waits_in_the_lane_to_be_completed_is_not_made_again(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    note = world.reply.person_creates(contact, "ToDo", world.due(hours=3), "Note")
    world.good()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9), title="newer")
    world.good()
    world.reply.person_completes(note)
    world.good()
    assert world.open() == (2, 1, 1)

    world.lose_ledger()
    world.again(3)

    assert world.open() == (2, 1, 1)


def test_a_twin_that_was_finished_while_the_ledger_was_lost_makes_the_task_done(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=3), title="Note")
    world.reply.person_creates(contact, "ToDo", world.due(hours=3), "Note")
    world.good()
    assert world.open() == (1, 1, 1)

    world.lose_ledger()
    world.complete_in("reply")
    world.again(3)

    assert world.open() == (0, 0, 0)
