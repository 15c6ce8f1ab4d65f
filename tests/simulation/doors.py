"""The doors between the engine and the world: what happens at which moment.

The engine meets the world in two places only: a request to a CRM, and a transaction of the ledger. Each time it does is
a *moment*. Moments are counted within a run, and the history says what happens at which moment: somebody acts, a fault,
the end of the process.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from functools import partial

from adapters.sandbox import Call, Fault, Reply, Sandbox
from tests.simulation.network import Network
from tests.simulation.outcome import ProcessKilled
from tests.support.clock import VirtualLoop


class Doors:
    """The doors of one world. ``at`` maps the number of a moment in the coming run to what happens there.

    ``swapped``: the ledger's file was replaced during the run; ``sent_swapped``: before the current request was sent.
    """

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.network = Network()
        self.before_write: Callable[[str, Call], None] = lambda _system, _call: None
        self.automation: Callable[[str], None] = lambda _system: None
        self.after_call: Callable[[str, Call, Reply], None] = lambda _system, _call, _reply: None
        self.at: dict[int, Callable[[], Fault | None]] = {}
        self.moments = 0
        self.rush: Callable[[str], None] | None = None
        self.outages: dict[str, list[Fault]] = {}
        self.arriving = False
        self.swapped = self.sent_swapped = False
        self._sleeps: float | None = None
        self._guest_runs = False
        self._underway: list[tuple[asyncio.TimerHandle, partial[None]]] = []
        self._late: float | None = None
        self._verdict: Exception | None = None
        self._dead = self._faulty = False

    @property
    def on_its_way(self) -> set[str]:
        """The CRMs at which a delayed request has not arrived yet."""
        now, underway = self.loop.time(), self._underway
        return {arrive.args[0].system for timer, arrive in underway if timer.when() > now and not timer.cancelled()}

    def kill(self) -> None:
        """Kill the process at this moment."""
        self._dead = True
        raise ProcessKilled

    def fail(self, fault: Fault) -> Fault:
        """Let the current request meet this fault."""
        self._faulty = True
        return fault

    def answer_strangely(self, what: str) -> None:
        """Let the next request get this answer."""
        self._faulty = True
        self.network.strange = what

    def delay(self, seconds: float) -> None:
        """Let the connection of the next write break, and the write take effect only after this time."""
        self._late = seconds

    def freeze(self, seconds: float) -> None:
        """Suspend the process after the next transaction or answer, and let another one make a run meanwhile."""
        self._sleeps = seconds

    def _sleep(self) -> None:
        """Suspend the process here, if that was asked for."""
        raise NotImplementedError

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
            raise ProcessKilled
        if self._guest_runs:
            return None
        self.moments += 1
        happening = self.at.pop(self.moments, None)
        return happening() if happening is not None else None

    def _moment_in_the_ledger(self) -> None:
        self._moment()

    def _watch(self, system: str, sandbox: Sandbox) -> None:
        def at_the_door(call: Call) -> Fault | None:
            self.sent_swapped = self.swapped
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
            if sandbox.is_write(call):
                self.automation(system)
            self._moment()
            self._sleep()

        sandbox.fault = at_the_door
        sandbox.before = before
        sandbox.after = after
