"""Faults of one thing that last, and the things they are put on."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch

from adapters.sandbox import Call, Fault, Reply, Sandbox
from syncer.domain.report import Report
from tests.support.scenario import Stage


def always(world: Stage, system: str, fits: Callable[[Call], bool], fault: Fault) -> None:
    """From now on, every such call goes wrong."""
    sandbox = world.sandboxes[system]
    honest = sandbox.fault
    sandbox.fault = lambda call: honest(call) or (fault if fits(call) else None)


def forbid(world: Stage, system: str, fits: Callable[[Call], bool]) -> None:
    """From now on, every such call is answered with a 403."""
    sandbox = world.sandboxes[system]
    honest = sandbox.handle
    sandbox.handle = lambda call: Reply(403, b'{"message": "not yours"}') if fits(call) else honest(call)  # type: ignore[method-assign]


def damage_in_reply(world: Stage, task: str) -> None:
    """From now on, Reply's list shows a due of this task that nobody understands."""

    def edit(answer: Any) -> None:
        for row in answer["items"]:
            if str(row["id"]) == task:
                row["dueTo"] = "whenever"

    world.mangle("reply", "tasks", edit)


def of_leads(leads: list[str]) -> Callable[[Call], bool]:
    """Calls that list the tasks of these leads."""
    return lambda call: call.method == "GET" and any(re.fullmatch(rf".*/lead/{lead}/task", call.path) for lead in leads)


def of_tasks(tasks: list[str]) -> Callable[[Call], bool]:
    """Calls that read one of these tasks by itself."""
    return lambda call: call.method == "GET" and call.path.rsplit("/", 1)[-1] in tasks and "/tasks/" in call.path


def crowd(world: Stage, count: int) -> list[tuple[str, str, str]]:
    return [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(count)]


def named(report: Report, system: str, reason: str) -> list[str]:
    """The details of the items under attention with this reason."""
    return [item.detail for item in report.attention if (item.system, item.reason) == (system, reason)]


def unreachable(crm: Sandbox) -> AbstractContextManager[object]:
    """A CRM that cannot be reached for a while."""
    return patch.object(crm, "fault", lambda _call: Fault.NO_CONNECTION)


def no_single_task(call: Call) -> Fault | None:
    """Lists can be read, and no task by itself."""
    return Fault.ERROR_BEFORE if "/tasks/" in call.path and call.method == "GET" else None
