"""An edit needs a read of its task just before, and that may fail."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from tests.support.editing import everywhere
from tests.support.lasting import always, of_tasks
from tests.support.scenario import Make, attention


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE])
@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_an_edit_that_fails_is_no_run_as_if_all_were_well(stage: Make, system: str, fault: Fault) -> None:
    """Nothing else of that CRM has to wait for it."""
    world = stage()
    task, copy, _ = everywhere(world)
    if system == "reply":
        world.highlevel.person_reschedules(task, world.due(hours=30))
        always(world, system, of_tasks([str(copy.id)]), fault)
    else:
        world.reply.person_reschedules(str(copy.id), world.due(hours=30))
        always(world, system, of_tasks([task]), fault)

    report = world.again()

    assert (report.exit, report.connections[system].state) == (Exit.PARTIAL, "ok")
    report = world.again(6)
    assert (system, "failing") in attention(report)
