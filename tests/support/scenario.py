"""What scenarios are told with: a world in which requests take time, faults and people can be put on any call, and
the process can die at any step that leaves a trace."""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
import structlog

from adapters.highlevel.sandbox_store import SandboxTask as HighLevelTask
from adapters.reply.sandbox_store import SandboxTask as ReplyTask
from adapters.sandbox import Call, Fault, Reply
from adapters.superfone.sandbox_store import SandboxTask as SuperfoneTask
from syncer.domain.base import Changes
from syncer.domain.report import Exit, Report
from syncer.engine.run import Options
from syncer.ledger import Ledger
from tests.support.disk import memory
from tests.support.world import SECRETS, World

Make = Callable[..., "Stage"]
LATENCY: Final = 0.05
PHONE: Final = "+919876543210"

_CALLS: Final = {
    "superfone": (
        ("GET", r".*/lead", "find"),
        ("POST", r".*/lead", "new contact"),
        ("GET", r".*/task", "tasks of contact"),
        ("POST", r".*/task/complete", "complete"),
        ("POST", r".*/task", "create"),
    ),
    "reply": (
        ("GET", r"/whoami", "identity"),
        ("POST", r"/tasks/filter", "tasks"),
        ("POST", r"/tasks/\d+/complete", "complete"),
        ("POST", r"/tasks", "create"),
        ("PUT", r"/tasks/\d+", "edit"),
        ("GET", r"/tasks/\d+", "task"),
        ("GET", r"/contacts", "contacts"),
        ("GET", r"/contacts/\d+", "contact"),
        ("POST", r"/contacts", "new contact"),
    ),
    "highlevel": (
        ("POST", r".*/tasks/search", "tasks"),
        ("POST", r"/contacts/search", "contacts"),
        ("GET", r"/contacts/search/duplicate", "find"),
        ("POST", r"/contacts/", "new contact"),
        ("PUT", r".*/completed", "complete"),
        ("PUT", r"/contacts/\w+/tasks/\w+", "edit"),
        ("POST", r"/contacts/\w+/tasks", "create"),
        ("GET", r"/contacts/\w+/tasks", "tasks of contact"),
        ("GET", r"/contacts/\w+/tasks/\w+", "task"),
        ("GET", r"/contacts/\w+", "contact"),
    ),
}


def name_of(system: str, call: Call) -> str:
    """What a call is for, in the same word for every CRM."""
    for method, path, name in _CALLS[system]:
        if call.method == method and re.fullmatch(path, call.path):
            return name
    return f"{call.method} {call.path}"


class Killed(BaseException):
    """The process is gone."""


class Heart:
    """Counts the steps that leave a trace, and stops at the one that it is told."""

    def __init__(self) -> None:
        self.steps = 0
        self.stops_at: int | None = None

    @property
    def stopped(self) -> bool:
        return self.stops_at is not None and self.steps >= self.stops_at

    def beat(self) -> None:
        """Count one step. Raises `Killed` at the last one."""
        self.steps += 1
        self.check()

    def check(self) -> None:
        """Nothing is done after the last step."""
        if self.stopped:
            raise Killed


class StagedLedger(Ledger):
    """A ledger whose process may die after each of its transactions.

    It stays open from run to run and serves one world after the other: preparing its statements anew costs more than
    a run.
    """

    heart = Heart()

    def store(self, changes: Changes, *, token: str | None, now: datetime | None = None) -> None:
        self.heart.check()
        super().store(changes, token=token, now=now)
        self.heart.beat()

    def release(self, token: str) -> None:
        if not self.heart.stopped:
            super().release(token)

    def close(self) -> None:
        """Not yet."""

    def start_afresh(self, clock: Callable[[], datetime]) -> None:
        """As if it had just been created."""
        self._database.dispose()
        file = Path(self.where)
        for old in file.parent.glob(f"{file.name}-*"):
            old.unlink()
        shutil.copy(file.with_suffix(".empty"), file)
        self._clock = clock
        self._steady = lambda: clock().timestamp()


def _staged_ledger() -> StagedLedger:
    """One that no world has in hand."""
    if _idle:
        return _idle.pop()
    file = Path(_ledgers().name) / f"{next(_numbers)}.db"
    ledger = StagedLedger.open(f"sqlite:///{file}", name="acme")
    assert isinstance(ledger, StagedLedger)
    ledger._database.dispose()
    shutil.copy(file, file.with_suffix(".empty"))
    return ledger


@cache
def _ledgers() -> TemporaryDirectory[str]:
    """The folder of the ledgers of this process, in memory: they are few, and written to all the time."""
    return TemporaryDirectory(dir=memory())


_idle: list[StagedLedger] = []
_numbers = count()


@dataclass(slots=True)
class _Mishap:
    """What happens to the next ``times`` calls of this name, after the first ``skip``."""

    system: str
    name: str
    fault: Fault | None
    act: Callable[[], object] | None
    times: int
    skip: int
    after: bool = False

    def due(self, system: str, call: Call, *, after: bool) -> bool:
        if (system, name_of(system, call), after) != (self.system, self.name, self.after) or self.times == 0:
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Stage(World):
    """A world with mishaps. Every request takes a moment, so that no two things happen at the same instant."""

    def __init__(self, folder: Path, ledger: StagedLedger, *, seed: int = 0, **settings: str) -> None:
        self._ledger = ledger
        super().__init__(folder, seed=seed, **settings)
        self.lose_ledger()
        self.heart = Heart()
        self.fragile = False
        self._mishaps: list[_Mishap] = []
        for system, sandbox in self.sandboxes.items():
            sandbox.fault = self._fault_of(system)
            sandbox.before = self._before(system)
            sandbox.after = self._after(system)

    # mishaps ---------------------------------------------------------------------------------------

    def fail(self, system: str, name: str, fault: Fault, *, times: int = 1, skip: int = 0) -> None:
        """The next calls of this name go wrong."""
        self._mishaps.append(_Mishap(system, name, fault, None, times, skip))

    def heal(self) -> None:
        """No more mishaps."""
        self._mishaps.clear()

    def meanwhile(self, system: str, name: str, act: Callable[[], object], *, times: int = 1, skip: int = 0) -> None:
        """Just before the next call of this name takes effect, somebody acts."""
        self._mishaps.append(_Mishap(system, name, None, act, times, skip))

    def afterwards(self, system: str, name: str, act: Callable[[], object], *, times: int = 1, skip: int = 0) -> None:
        """Just after the next call of this name took effect, somebody acts."""
        self._mishaps.append(_Mishap(system, name, None, act, times, skip, after=True))

    def _fault_of(self, system: str) -> Callable[[Call], Fault | None]:
        def fault(call: Call) -> Fault | None:
            self.loop.advance(LATENCY)
            if self.fragile:
                self.heart.check()
            for mishap in self._mishaps:
                if mishap.fault is not None and mishap.due(system, call, after=False):
                    return mishap.fault
            return None

        return fault

    def _before(self, system: str) -> Callable[[Call], None]:
        def before(call: Call) -> None:
            for mishap in self._mishaps:
                if mishap.act is not None and not mishap.after and mishap.due(system, call, after=False):
                    mishap.act()
                    self.loop.advance(LATENCY)

        return before

    def _after(self, system: str) -> Callable[[Call, Reply], None]:
        def after(call: Call, _reply: Reply) -> None:
            if self.fragile and self.sandboxes[system].is_write(call):
                self.heart.beat()
            for mishap in self._mishaps:
                if mishap.act is not None and mishap.after and mishap.due(system, call, after=True):
                    self.loop.advance(LATENCY)
                    mishap.act()

        return after

    def mangle(self, system: str, name: str, edit: Callable[[Any], None]) -> None:
        """From now on, this edits the JSON of every answer to a call of this name."""
        sandbox = self.sandboxes[system]
        honest = sandbox.handle

        def handle(call: Call) -> Reply:
            reply = honest(call)
            if name_of(system, call) != name:
                return reply
            answer = json.loads(reply.body)
            edit(answer)
            return replace(reply, body=json.dumps(answer).encode())

        sandbox.handle = handle  # type: ignore[method-assign]

    # the process dies ------------------------------------------------------------------------------

    def reload(self) -> None:
        super().reload()
        self.account = self.account.model_copy(update={"ledger_url": f"sqlite:///{self._ledger.where}"})

    def open_ledger(self, *, read_only: bool = False) -> Ledger:
        if read_only:
            return super().open_ledger(read_only=True)
        self._ledger.heart = self.heart
        return self._ledger

    def lose_ledger(self) -> None:
        self._ledger.start_afresh(self.now)

    def close(self) -> None:
        _idle.append(self._ledger)
        super().close()

    def sync_until_killed(self, step: int) -> bool:
        """One run whose process dies at this step; returns whether it did. Its lease stays, with a dead owner."""
        self.fragile, self.heart = True, Heart()
        self.heart.stops_at = step
        try:
            self.sync()
        except Killed:
            return True
        finally:
            self.fragile, self.heart = False, Heart()
            self.alive = lambda _owner: False
        return False

    # runs ------------------------------------------------------------------------------------------

    def good(self, options: Options | None = None, **span: float) -> Report:
        """A run, after a minute or this time, that must go well."""
        self.wait(**(span or {"minutes": 1}))
        report = self.sync(options)
        assert report.exit is Exit.DONE, report.as_json()
        return report

    def quiet(self, runs: int = 1, **span: float) -> Report:
        """Runs that must succeed and write nothing. Returns the last report."""
        for _ in range(runs):
            written = self.written()
            report = self.good(None, **span)
            assert self.written() == written
        return report

    def again(self, runs: int = 1, **span: float) -> Report:
        """Runs that may write and may fail. Returns the last report."""
        for _ in range(runs):
            self.wait(**(span or {"minutes": 1}))
            report = self.sync()
        return report

    def written(self) -> list[str]:
        """Every write that reached a CRM, in no order across CRMs."""
        return [
            f"{system} {name_of(system, call)}"
            for system, sandbox in self.sandboxes.items()
            for call, _ in sandbox.calls
            if sandbox.is_write(call)
        ]

    def count(self, system: str, name: str) -> int:
        """How many calls of this name have reached a CRM."""
        return sum(name_of(system, call) == name for call, _ in self.sandboxes[system].calls)

    def retry(self, task: str | None = None) -> int:
        """Like ``syncer retry``. Returns how many items were freed."""
        with self.open_ledger() as ledger:
            return ledger.free(task)

    # what is open ----------------------------------------------------------------------------------

    def lane(self, lead: str | int) -> list[str]:
        """The types of a lead's open tasks, newest first."""
        return [task.type for task in self.superfone.open_tasks(lead)]

    def reply_open(self) -> list[ReplyTask]:
        return [task for task in self.reply.tasks() if task.status == "New"]

    def highlevel_open(self) -> list[HighLevelTask]:
        return [task for task in self.highlevel.tasks() if not task.completed and not task.deleted]

    def superfone_open(self) -> list[SuperfoneTask]:
        return [task for lead in self.superfone.leads() for task in self.superfone.open_tasks(lead.id)]

    def open(self) -> tuple[int, int, int]:
        """How many tasks are open in Superfone, Reply and HighLevel."""
        return len(self.superfone_open()), len(self.reply_open()), len(self.highlevel_open())

    def complete_in(self, system: str) -> None:
        """A person completes everything that is open in one CRM."""
        self.loop.advance(60)
        if system == "superfone":
            for task in self.superfone_open():
                self.superfone.person_completes(task.id)
        elif system == "reply":
            for row in self.reply_open():
                self.reply.person_completes(str(row.id))
        else:
            for one in self.highlevel_open():
                self.highlevel.person_completes(one.id)


def waiting(report: Report) -> set[tuple[str, str]]:
    """(system, reason) of what waits."""
    return {(item.system, item.reason.value) for item in report.waiting}


def attention(report: Report) -> set[tuple[str, str]]:
    """(system, reason) of all items under attention."""
    return {(item.system, item.reason.value) for item in report.attention}


def details(report: Report) -> str:
    """Everything that the report says in words."""
    return "\n".join(item.detail for item in (*report.waiting, *report.attention, *report.incidents))


def make_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Stage]]:
    """Makes worlds: ``stage(reply='sequence_tasks = "read_only"')``."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    made: list[Stage] = []

    def make(**settings: Any) -> Stage:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Stage(folder, _staged_ledger(), **settings))
        return made[-1]

    logs = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield make
    structlog.configure(**logs)
    for one in made:
        one.close()
