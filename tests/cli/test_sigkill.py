"""The real process, ended by SIGKILL at each of its writes: after it took effect, before it was answered."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.sandbox import Call, Reply, Sandbox
from tests.support.cli_kit import Command, Served


class Executioner:
    """Kills a command when its n-th write has taken effect."""

    def __init__(self, served: Served, number: int) -> None:
        self._left = number
        self.command: Command | None = None
        for box in served.sandboxes:
            box.after = self._watch(box)

    def _watch(self, box: Sandbox) -> Callable[[Call, Reply], None]:
        def after(call: Call, _reply: Reply) -> None:
            if not box.is_write(call):
                return
            self._left -= 1
            if self._left == 0 and self.command is not None:
                self.command.send(signal.SIGKILL)

        return after


def open_tasks(served: Served, lead: int) -> tuple[int, int, int]:
    """How many tasks are open in each CRM."""
    return (
        len(served.superfone.open_tasks(lead)),
        sum(task.status == "New" for task in served.reply.tasks()),
        sum(not task.completed for task in served.highlevel.tasks()),
    )


@pytest.mark.parametrize("number", [1, 2])
def test_a_create_is_not_repeated(served: Served, number: int) -> None:
    lead, _, contact = served.person()
    served.task(contact)
    _killed_at(served, number)
    assert open_tasks(served, lead) == (1, 1, 1)


@pytest.mark.parametrize("number", [1, 2])
def test_a_completion_is_not_repeated(served: Served, number: int) -> None:
    lead, _, contact = served.person()
    task = served.task(contact)
    later = served.task(contact, "Visit Asha", hours=9)
    assert served.do("sync", "--once").status == 0
    served.highlevel.person_completes(task)
    _killed_at(served, number)
    assert open_tasks(served, lead) == (1, 1, 1), f"{later} is open everywhere, {task} nowhere"


def _killed_at(served: Served, number: int) -> None:
    """A run killed at a write, two that mend what it left, and one that has nothing to do."""
    served.configure(sync='doubt_grace = "0s"')
    executioner = Executioner(served, number)
    executioner.command = served.start("sync", "--once")
    assert executioner.command.status == -signal.SIGKILL
    for _ in range(2):
        assert served.do("sync", "--once").status == 0
    before = served.writes()
    assert served.do("sync", "--once").status == 0
    assert served.writes() == before
    assert Path(served.folder / "acme.db").stat().st_mode & 0o077 == 0
