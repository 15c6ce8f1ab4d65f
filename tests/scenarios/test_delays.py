"""How long a change took to arrive: from the instant that its CRM names, else from when it was seen."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.support.scenario import Make, Stage

OTHERS = {
    "superfone": ["highlevel", "reply"],
    "reply": ["highlevel", "superfone"],
    "highlevel": ["reply", "superfone"],
}


def delays(world: Stage, **span: float) -> dict[str, list[int]]:
    """By CRM, the whole seconds that a run tells after so long a time."""
    told: dict[str, Any] = world.good(None, **span).as_json()
    return {system: [int(one) for one in found] for system, found in sorted(told.get("delays", {}).items())}


def make(world: Stage, system: str) -> str:
    lead, contact, person = world.everywhere()
    if system == "superfone":
        return str(world.superfone.person_creates(lead, "REMINDER", world.due()))
    if system == "reply":
        return world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    return world.highlevel.person_creates(person, "Ring", world.due())


def test_a_copy_took_so_long_since_its_task_was_made(stage: Make) -> None:
    for system, others in OTHERS.items():
        world = stage()
        make(world, system)
        assert delays(world, seconds=100) == {other: [100] for other in others}
        assert delays(world, seconds=100) == {}


def test_a_completion_took_so_long_since_superfone_says_that_somebody_finished_the_task(stage: Make) -> None:
    """Reply and HighLevel do not say when, so it counts from when it was seen."""
    for system, since in (("superfone", 100), ("reply", 0), ("highlevel", 0)):
        world = stage()
        task = make(world, system)
        world.good()
        sandbox: Any = world.sandboxes[system]
        sandbox.person_completes(task)
        assert delays(world, seconds=100) == {other: [since] for other in OTHERS[system]}


def test_a_completion_that_waited_took_so_long_since_it_was_seen(stage: Make) -> None:
    """In the meantime the other copy was closed by us, which is not what it is counted from."""
    world = stage()
    task = make(world, "reply")
    world.good()
    world.superfone.person_creates(world.superfone.leads()[0].id, "REMINDER", world.due(hours=9))
    world.good()
    [above] = [one.id for one in world.superfone_open() if one.created_by != world.superfone_open()[-1].created_by]
    world.reply.person_completes(task)
    assert delays(world, seconds=100) == {"highlevel": [0]}
    world.superfone.person_completes(above)
    assert delays(world, seconds=300)["superfone"] == [300]


def test_a_crm_whose_clock_is_ahead_makes_no_delay_below_zero(stage: Make) -> None:
    world = stage()
    world.superfone.clock = lambda: world.now() + timedelta(minutes=5)
    make(world, "superfone")
    assert delays(world, seconds=100) == {"highlevel": [0], "reply": [0]}
