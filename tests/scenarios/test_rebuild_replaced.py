"""The ledger is lost after copies in Superfone were replaced. A copy that a newer one closed has finished nothing."""

from __future__ import annotations

from tests.support.scenario import Make, attention, waiting


def test_a_task_that_was_put_off_and_then_replaced_waits_for_its_place(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.good()
    later = world.due(hours=9)
    world.reply.person_reschedules(task, later)
    world.good()
    theirs = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=2))
    world.good()

    world.lose_ledger()
    world.again(3)

    assert attention(world.good()) == set()
    assert waiting(world.good()) == {("superfone", "slot_taken")}
    world.superfone.person_completes(theirs)
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.superfone_open()[0].due == later
    world.quiet(2)


def test_a_task_that_was_put_off_while_another_took_its_place_waits_for_it(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    first = world.reply.person_creates(contact, "Call", world.due(hours=5), "Ring")
    world.good()
    soon, later = world.due(hours=4), world.due(hours=6)
    world.reply.person_creates(contact, "Call", soon, "Send the plan")
    world.good()
    world.reply.person_reschedules(first, later)
    world.good()

    world.lose_ledger()
    world.again(3)

    assert attention(world.good()) == set()
    assert world.open() == (1, 2, 2)
    [sooner] = world.superfone_open()
    assert sooner.due == soon
    world.complete_in("superfone")
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.superfone_open()[0].due == later
    world.quiet(2)
