"""Scenarios in which a ledger is lost."""

from __future__ import annotations

from tests.support.scenario import Stage


def lost(world: Stage, *, tasks: int) -> None:
    """Lose the ledger. The next runs must write nothing and find this many open tasks again."""
    world.lose_ledger()
    world.quiet(2)
    with world.open_ledger() as ledger:
        assert len(ledger.tasks(state="open")) == tasks


def task_without_a_due(world: Stage) -> None:
    """Somebody creates a task in HighLevel."""
    if not world.highlevel.contacts():
        world.everywhere()
    world.highlevel.person_creates(world.highlevel.contacts()[0].id, "Ring Asha", None, "about parking")
