"""The stage: three CRMs, the ledgers, and the runs of the real engine. What goes wrong comes in through its `Doors`."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Sandbox
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.config.loader import build_adapters, load_account
from syncer.engine.opening import AccountInHand, seeded_bytes
from syncer.engine.run import Options, run
from syncer.ledger import Busy, LeaseLost, Ledger, LedgerError, Owner
from tests.simulation.account import account_file, limits_in
from tests.simulation.actions import SYSTEMS
from tests.simulation.clocks import OurClock
from tests.simulation.disk import ProcessLedger, ledger_file
from tests.simulation.doors import Doors
from tests.simulation.network import SlowTransport
from tests.simulation.outcome import Outcome, ProcessKilled
from tests.support.clock import START, VirtualLoop

NO_OPTIONS = Options()
PROCESS = ContextVar("process", default=0)
"""Which process a request comes from."""


class SimulationStage(Doors):
    """One world.

    ``lapsed``: the processes whose lease another one took in this run, which is not that of another machine's ledger.
    """

    def __init__(self, seed: int, settings: dict[str, str], systems: tuple[str, ...] = SYSTEMS) -> None:
        super().__init__()
        self.seed = seed
        self.skew = timedelta(0)
        self.superfone = SuperfoneSandbox(lambda: self.now() + self.skew)
        self.reply = ReplySandbox(self.now)
        self.highlevel = HighLevelSandbox(lambda: self.now() - self.skew)
        self.reply.namesakes = True
        self.highlevel.duplicates_refused = False
        every: dict[str, Sandbox] = {"superfone": self.superfone, "reply": self.reply, "highlevel": self.highlevel}
        self.sandboxes = {system: every[system] for system in systems}
        self.lapsed = set[int]()
        self.running = False
        self.our_clock = OurClock()
        self.sequences = "read_only" if "read_only" in settings.get("reply", "") else "sync"
        self.limits = limits_in(settings)
        self.guests: list[Outcome] = []
        self._processes = 0
        self._random = random.Random(seed)
        self._files = [ledger_file()]
        self._files[0].lose()
        self._hands: dict[int, AccountInHand] = {}
        self._current = 0
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "acme.toml"
            path.write_text(account_file(settings, systems))
            self.account = load_account(path)
        for system, sandbox in self.sandboxes.items():
            self._watch(system, sandbox)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.loop.time())

    def ours_now(self) -> datetime:
        """Return the time by our machine's clock."""
        return self.now() + self.our_clock.ahead

    def _steady(self) -> float:
        """Return the seconds of a monotonic clock."""
        return self.loop.time()

    def shorten_pages(self, rows: int, *, counted: bool) -> None:
        """Limit the pages of all lists to this many rows; 0 is no limit."""
        if not rows:
            return
        self.superfone.page_clamp = self.reply.top_cap = rows
        self.highlevel.page_clamp = self.highlevel.contact_page_clamp = rows
        self.highlevel.task_cursors = self.highlevel.contact_cursors = not counted

    def wait(self, seconds: float) -> None:
        """Let time pass, and let delayed requests arrive."""
        asyncio.set_event_loop(self.loop)
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self) -> None:
        for file in self._files:
            file.database.door = lambda: None
            file.database.stored = lambda: None
        self.loop.close()

    def lose_ledger(self) -> None:
        """Delete the database. No run is in progress."""
        self._files[0].lose()
        self._hands.clear()

    def retry(self, task: str) -> None:
        """Like ``syncer retry`` for one task."""
        self._hand(0).ledger.free(task)

    def put_aside(self) -> None:
        """Copy the ledger's file."""
        self._files[0].put_aside()

    def put_back(self, *, under: bool) -> bool:
        """Replace the file by its copy, ``under`` a running process or between two. Returns whether it was done."""
        if done := self._files[0].put_back(under=under):
            self.swapped = self.swapped or under
            if not under:
                self._hands.clear()
        return done

    def is_ours(self, system: str, remote_id: str) -> bool:
        """Whether our ledger knows this copy."""
        return self._files[0].task_of(system, remote_id) is not None

    def task_of(self, system: str, remote_id: str) -> str | None:
        """Return the task id of a copy in the ledger of the last run, or else in another one."""
        found = (file.task_of(system, remote_id) for file in (self._files[self._current], *self._files))
        return next(filter(None, found), None)

    def are_one(self, one: tuple[str, str], other: tuple[str, str]) -> bool:
        """Whether these two contacts, each by its CRM and id, are one person in a ledger."""
        return any(file.are_one(one, other) for file in self._files)

    def overwritten(self) -> list[tuple[str, str, str]]:
        """Return (system, remote id, words) of every overwritten value in the histories of the ledgers."""
        return [told for file in self._files for told in file.overwritten()]

    def told_of_a_race(self) -> set[str]:
        """Return the tasks of the incidents in the report that the last run stored, before it was killed perhaps."""
        return self._files[self._current].told_of_a_race()

    def is_known_to_all(self, system: str, remote_id: str) -> bool:
        """Whether every ledger knows the task of a copy."""
        return all(file.task_of(system, remote_id) for file in self._files)

    # runs ------------------------------------------------------------------------------------------

    def run(self, *, ledger: int = 0, options: Options = NO_OPTIONS) -> Outcome:
        """Make one run on the machine with this ledger."""
        self._begin(ledger)
        outcome: Outcome = self._finish(self._one(self._hand(ledger), options))
        return outcome

    def two_runs(self) -> tuple[Outcome, Outcome]:
        """Make two runs at the same instant with one ledger."""
        return self._both(0)

    def two_machines(self) -> tuple[Outcome, Outcome]:
        """Make two runs at the same instant, each with its own ledger."""
        return self._both(1)

    def _both(self, other: int) -> tuple[Outcome, Outcome]:
        self._begin(0)
        hands = (self._hand(0), self._hand(other))

        async def both() -> tuple[Outcome, Outcome]:
            first, second = await asyncio.gather(*(self._one(hand) for hand in hands))
            return first, second

        first, second = self._finish(both())
        return first, second

    def _begin(self, ledger: int) -> None:
        self._current = ledger
        self.moments = 0
        self.our_clock.run_begins()
        self._faulty, self.lapsed = False, set()
        self.guests = []
        self.network.begin(self.sandboxes.values())

    def _finish(self, work: Any) -> Any:
        asyncio.set_event_loop(self.loop)
        self.running = True
        try:
            outcome = self.loop.run_until_complete(work)
            if self._verdict is not None:
                raise self._verdict
            return outcome
        except BaseException:
            # A law was broken in the middle of a run, so the run must not go on.
            self._dead = True
            raise
        finally:
            self.at = {}
            self.running = False
            self.network.strange = None
            self._late = self._sleeps = self.rush = None
            self.outages = {}
            if self._dead:
                self._bury()
            if self.swapped:
                self._files[0].open_again()
                self._hands.clear()
                self.swapped = False

    async def _one(self, hand: AccountInHand, options: Options = NO_OPTIONS) -> Outcome:
        PROCESS.set(id(hand))
        try:
            report = await run(hand, options)
        except Busy:
            return Outcome(busy=True)
        except LeaseLost:
            return Outcome(killed=True)
        except ProcessKilled:
            return Outcome(killed=True)
        except LedgerError:
            if not self.swapped:
                raise
            return Outcome(killed=True)
        return Outcome(report, faulty=self._faulty and not self._guest_runs, ailing=self.network.ailing_systems)

    def _bury(self) -> None:
        """End the tasks of the dead process without a trace, then start another one."""
        for task in sorted(asyncio.all_tasks(self.loop), key=lambda task: (len(task.get_name()), task.get_name())):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception, ProcessKilled):
                self.loop.run_until_complete(task)
        self._dead = False
        self._hands.clear()

    def _hand(self, number: int) -> AccountInHand:
        """Return the process of this machine. After a kill it is a new one, and the lease is a dead process's."""
        if number not in self._hands:
            if number == len(self._files):
                self._files.append(ledger_file(number))
                self._files[number].lose()
            database = self._files[number].database
            database.door, database.stored = self._moment_in_the_ledger, self._sleep
            ledger = ProcessLedger(self._files[number], "acme", self.ours_now, self._steady)
            self._hands[number] = self._process(ledger, alive=lambda owner: owner.token in ledger.taken)
        return self._hands[number]

    def _process(self, ledger: Ledger, alive: Callable[[Owner], bool]) -> AccountInHand:
        transports = {
            system: SlowTransport(sandbox, self.network, self._random.random)
            for system, sandbox in self.sandboxes.items()
        }
        self._processes += 1
        return AccountInHand(
            self.account,
            build_adapters(self.account, transports),
            ledger,
            clock=self.ours_now,
            random_bytes=seeded_bytes(self.seed * 1009 + self._processes),
            alive=alive,
        )

    def _sleep(self) -> None:
        if self._sleeps is None or self._guest_runs:
            return
        fell_asleep, wakes = self.loop.time(), self.loop.time() + self._sleeps
        self.loop.advance(self._sleeps)
        self._sleeps, self._guest_runs, self._faulty = None, True, True
        for timer, arrive in self._underway:
            # A request that was already sent is not suspended with the process.
            if fell_asleep < timer.when() <= wakes and not timer.cancelled():
                timer.cancel()
                arrive()
        mine, self.loop = self.loop, VirtualLoop()
        self.loop.advance(mine.time())
        guest = self._process(
            Ledger(self._files[self._current].database, "acme", self.ours_now, steady=self._steady),
            alive=lambda _owner: True,
        )
        # The suspended loop is in the middle of a step, and a thread can run only one loop at a time.
        asyncio.events._set_running_loop(None)
        try:
            outcome = self.loop.run_until_complete(self._one(guest))
            mine.advance(self.loop.time() - mine.time())
        finally:
            self.loop.close()
            self.loop, self._guest_runs = mine, False
            asyncio.events._set_running_loop(mine)
        if outcome.report is not None:
            self.lapsed.add(id(self._hands[self._current]))
        self.guests.append(outcome)
