"""The stage: three CRMs, one ledger, the real engine, and every place where something may go wrong.

The engine meets the world at two doors only: a request to a CRM, and a transaction of the ledger. A *moment*
is one passage through a door, counted within a run; whatever is to happen at a moment (somebody acts, a fault,
the end of the process) hangs there.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Fault, Reply, Sandbox, SandboxTransport
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.config import build_adapters, load_account
from syncer.ledger import Busy, LeaseLost, Ledger, Owner
from syncer.opening import AccountInHand, seeded_bytes
from syncer.report import Report
from syncer.run import Options, run
from tests.clock import START, VirtualLoop
from tests.simulation.disk import ProcessLedger, ledger_file

ACCOUNT = """
[account]
name = "acme"
[sync]
max_creates_per_run = 10000
{sync}
[superfone]
api_key = "env:SUPERFONE_API_KEY"
base_url = "http://localhost:1"
rate = "100000/s"
{superfone}
[reply]
api_key = "env:REPLY_API_KEY"
base_url = "http://localhost:2"
rate = "100000/s"
{reply}
[highlevel]
token = "env:HIGHLEVEL_TOKEN"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "http://localhost:3"
rate = "100000/s"
{highlevel}
[[highlevel.kind_rules]]
match = "(?i)remind"
kind = "reminder"
"""

SECRETS = {
    "SUPERFONE_API_KEY": "superfone-key",
    "REPLY_API_KEY": "reply-key",
    "HIGHLEVEL_TOKEN": "highlevel-token",
}


class Killed(BaseException):
    """The process ended here: nothing that it still does reaches the world."""


@dataclass(slots=True)
class Outcome:
    """How a run ended: with a report, killed, or turned away because another one holds the lease."""

    report: Report | None = None
    killed: bool = False
    busy: bool = False
    faulty: bool = False

    @property
    def undisturbed(self) -> bool:
        """Whether it ended by itself, and no request of it met a fault."""
        return self.report is not None and not self.faulty

    @property
    def clean(self) -> bool:
        """Whether it read everything and did what it meant to."""
        return self.report is not None and self.report.exit == 0 and not self.faulty


class _SlowTransport(SandboxTransport):
    """Answers after a moment of virtual time, so that what may overlap does."""

    def __init__(self, sandbox: Sandbox, chance: Callable[[], float]) -> None:
        super().__init__(sandbox)
        self._chance = chance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        await asyncio.sleep(self._chance() * 0.4)
        return response


class Stage:
    """One world. ``at`` maps a moment's number in the coming run to what happens there."""

    def __init__(self, seed: int, settings: dict[str, str]) -> None:
        self.seed = seed
        self.loop = VirtualLoop()
        self.skew = timedelta(0)
        self.superfone = SuperfoneSandbox(lambda: self.now() + self.skew)
        self.reply = ReplySandbox(self.now)
        self.highlevel = HighLevelSandbox(lambda: self.now() - self.skew)
        self.reply.namesakes = True
        self.sandboxes: dict[str, Sandbox] = {
            "superfone": self.superfone,
            "reply": self.reply,
            "highlevel": self.highlevel,
        }
        self.before_write: Callable[[str, Call], None] = lambda _system, _call: None
        self.after_call: Callable[[str, Call, Reply], None] = lambda _system, _call, _reply: None
        self.at: dict[int, Callable[[], Fault | None]] = {}
        self.moments = 0
        self.rush: Callable[[str], None] | None = None
        self.outages: dict[str, list[Fault]] = {}
        self.arriving = False
        self.lapsed = False
        self.guests: list[Outcome] = []
        self._sleeps: float | None = None
        self._guest_runs = False
        self._underway: list[tuple[asyncio.TimerHandle, Callable[[], None]]] = []
        self._late: float | None = None
        self._verdict: Exception | None = None
        self._dead = False
        self._faulty = False
        self._processes = 0
        self._random = random.Random(seed)
        self._file = ledger_file()
        self._file.lose()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "acme.toml"
            path.write_text(ACCOUNT.format_map(defaultdict(str, settings)))
            self.account = load_account(path)
        for system, sandbox in self.sandboxes.items():
            self._watch(system, sandbox)
        self._start_process()

    def now(self) -> datetime:
        return START + timedelta(seconds=self.loop.time())

    def shorten_pages(self, rows: int, *, counted: bool) -> None:
        """Lists of all three CRMs come in pages of so many rows; 0 leaves them as they are."""
        if not rows:
            return
        self.superfone.page_clamp = self.reply.top_cap = rows
        self.highlevel.page_clamp = self.highlevel.contact_page_clamp = rows
        self.highlevel.task_cursors = self.highlevel.contact_cursors = not counted

    def wait(self, seconds: float) -> None:
        """Let time pass, and what was under way arrive."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        self._file.database.door = lambda: None
        self.loop.close()

    def lose_ledger(self) -> None:
        """The database is gone, though not in the moment in which a request is still under way."""
        self._file.lose()
        self._start_process()

    @property
    def ledger(self) -> Ledger:
        return self._hand.ledger

    def task_of(self, system: str, remote_id: str) -> str | None:
        """The id by which the ledger knows the task of a copy."""
        return self._file.task_of(system, remote_id)

    # runs ------------------------------------------------------------------------------------------

    def run(self) -> Outcome:
        """One run."""
        self._begin()
        outcome: Outcome = self._finish(self._one(self._hand))
        return outcome

    def two_runs(self) -> tuple[Outcome, Outcome]:
        """Two runs that start at the same instant."""
        self._begin()

        async def both() -> tuple[Outcome, Outcome]:
            first, second = await asyncio.gather(self._one(self._hand), self._one(self._hand))
            return first, second

        first, second = self._finish(both())
        return first, second

    def _begin(self) -> None:
        self.moments = 0
        self._faulty = self.lapsed = False
        self.guests = []

    def _finish(self, work: Any) -> Any:
        asyncio.set_event_loop(self.loop)
        try:
            outcome = self.loop.run_until_complete(work)
            if self._verdict is not None:
                raise self._verdict
            return outcome
        except BaseException:
            # The judge has spoken in the middle of a run: nothing of it may go on.
            self._dead = True
            raise
        finally:
            self.at = {}
            self._late = self._sleeps = self.rush = None
            self.outages = {}
            if self._dead:
                self._bury()

    async def _one(self, hand: AccountInHand) -> Outcome:
        try:
            report = await run(hand, Options())
        except Busy:
            return Outcome(busy=True)
        except LeaseLost:
            return Outcome(killed=True)
        except Killed:
            return Outcome(killed=True)
        return Outcome(report, faulty=self._faulty and not self._guest_runs)

    def _bury(self) -> None:
        """Let what is left of the dead process fail unseen, then start another one."""
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception, Killed):
                self.loop.run_until_complete(task)
        self._dead = False
        self._start_process()

    def _start_process(self) -> None:
        """Nothing in memory outlives a process, and its lease is a dead one's."""
        self._file.database.door = self._ledger_door
        self._file.database.stored = self._sleep
        ledger = ProcessLedger(self._file.database, "acme", self.now)
        self._hand = self._process(ledger, alive=lambda owner: owner.token in ledger.taken)

    def _process(self, ledger: Ledger, alive: Callable[[Owner], bool]) -> AccountInHand:
        transports = {
            system: _SlowTransport(sandbox, self._random.random) for system, sandbox in self.sandboxes.items()
        }
        self._processes += 1
        return AccountInHand(
            self.account,
            build_adapters(self.account, transports),
            ledger,
            clock=self.now,
            random_bytes=seeded_bytes(self.seed * 1009 + self._processes),
            alive=alive,
        )

    # doors -----------------------------------------------------------------------------------------

    def kill(self) -> None:
        """End the process at this instant."""
        self._dead = True
        raise Killed

    def fail(self, fault: Fault) -> Fault:
        """Let the request that is at the door meet this fault."""
        self._faulty = True
        return fault

    def delay(self, seconds: float) -> None:
        """From here on, let the next write take effect only some time after its connection has broken."""
        self._late = seconds

    def freeze(self, seconds: float) -> None:
        """From the next transaction or answer on, let the process stand still, and another one do a run."""
        self._sleeps = seconds

    def _sleep(self) -> None:
        if self._sleeps is None or self._guest_runs:
            return
        fell_asleep, wakes = self.loop.time(), self.loop.time() + self._sleeps
        self.loop.advance(self._sleeps)
        self._sleeps, self._guest_runs, lapsed = None, True, self.lapsed
        self.lapsed = False
        for timer, arrive in self._underway:
            # What is on its way does not sleep.
            if fell_asleep < timer.when() <= wakes and not timer.cancelled():
                timer.cancel()
                arrive()
        mine, self.loop = self.loop, VirtualLoop()
        self.loop.advance(mine.time())
        guest = self._process(Ledger(self._file.database, "acme", self.now), alive=lambda _owner: True)
        # What sleeps is in the middle of a step of its loop, and a thread steps through one loop at a time.
        asyncio.events._set_running_loop(None)
        try:
            outcome = self.loop.run_until_complete(self._one(guest))
            mine.advance(self.loop.time() - mine.time())
        finally:
            self.loop.close()
            self.loop, self._guest_runs = mine, False
            asyncio.events._set_running_loop(mine)
        self.lapsed = lapsed or outcome.report is not None
        self.guests.append(outcome)

    def _outage(self, system: str) -> Fault | None:
        faults = self.outages.get(system)
        return self.fail(faults.pop()) if faults else None

    def _delayed(self, sandbox: Sandbox, call: Call) -> bool:
        if self._late is None or not sandbox.is_write(call):
            return False
        self._faulty = True
        arrive = partial(self._arrive, sandbox, call)
        self._underway.append((self.loop.call_later(self._late, arrive), arrive))
        self._late = None
        return True

    def _arrive(self, sandbox: Sandbox, call: Call) -> None:
        self.arriving = True
        try:
            self.before_write(sandbox.system, call)
            self.after_call(sandbox.system, call, sandbox.handle(call))
        except Exception as verdict:  # noqa: BLE001 - the loop would swallow what is raised in a callback of its own
            self._verdict = verdict
        finally:
            self.arriving = False

    def _moment(self) -> Fault | None:
        if self._dead:
            raise Killed
        if self._guest_runs:
            return None
        self.moments += 1
        happening = self.at.pop(self.moments, None)
        return happening() if happening is not None else None

    def _ledger_door(self) -> None:
        self._moment()

    def _watch(self, system: str, sandbox: Sandbox) -> None:
        def at_the_door(call: Call) -> Fault | None:
            if self._guest_runs:
                return None
            fault = self._moment() or self._outage(system)
            return Fault.LOST_REQUEST if fault is None and self._delayed(sandbox, call) else fault

        def before(call: Call) -> None:
            if not sandbox.is_write(call):
                return
            lead = re.search(r"/lead/(\d+)/task", call.path)
            if self.rush is not None and lead and not self._guest_runs:
                rush, self.rush = self.rush, None
                rush(lead[1])
            self.before_write(system, call)

        def after(call: Call, reply: Reply) -> None:
            self.after_call(system, call, reply)
            self._moment()
            self._sleep()

        sandbox.fault = at_the_door
        sandbox.before = before
        sandbox.after = after
