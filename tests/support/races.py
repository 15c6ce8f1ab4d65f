"""What races leave behind, and rows that tell little of it."""

from __future__ import annotations

from typing import Any

from tests.support.scenario import Stage

RACE = [("superfone", "closed_by_race")]


def incidents(world: Stage) -> list[tuple[str, str]]:
    """What the last run had to admit."""
    with world.open_ledger() as ledger:
        run = ledger.last_run()
        assert run is not None
        return [(item["system"], item["reason"]) for item in run.report["incidents"]]


def a_task_below_a_reminder_to_be_closed(world: Stage, lead: str, **span: float) -> int:
    """Theirs, in the lane's slot; the reminder on top of it is done in Reply. ``span`` is the wait for our run."""
    below = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.wait(seconds=10)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.good(None, **span)
    [copy] = [task for task in world.reply_open() if task.task_type == "ToDo"]
    world.reply.person_completes(str(copy.id))
    return below


def tell_little(world: Stage, *untold: str) -> None:
    """Superfone's lists say nothing of these fields."""

    def forget(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            row.update(dict.fromkeys(untold))

    world.mangle("superfone", "tasks of contact", forget)
