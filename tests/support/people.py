"""People whose keys change, for scenarios."""

from __future__ import annotations

from tests.support.scenario import Stage

RAVI = "+919876543211"
NEW = "+919876543219"
OFFICE = "+912223456789"
AMBIGUOUS = "ambiguous_contact"
NOWHERE = {("superfone", AMBIGUOUS), ("reply", AMBIGUOUS)}


def two_people(world: Stage) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Asha and Ravi, each in all three CRMs, and everything known."""
    asha, ravi = world.everywhere(), world.everywhere("Ravi", RAVI)
    world.good()
    return asha, ravi
