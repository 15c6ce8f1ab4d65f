"""Scenarios in which several tasks want one lead's slot."""

from __future__ import annotations

from tests.support.scenario import Stage

TAKEN = ("superfone", "slot_taken")
"""What waits for the slot is listed so."""


def calls(world: Stage, contact: str, *hours: int) -> list[str]:
    """Calls in HighLevel, due so many hours from now."""
    return [world.highlevel.person_creates(contact, f"Call at {hour}", world.due(hours=hour)) for hour in hours]


def slot(world: Stage) -> list[str]:
    """What the notes of Superfone's open tasks begin with, newest first."""
    return [(task.note or task.title or "").split("\n")[0] for task in world.superfone_open()]
