"""The simulated CRMs of a daemon's month, in a process of their own: what they remember is in no figure."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, cast

import httpx

from adapters.http.sandbox_transport import SandboxTransport
from adapters.sandbox import Broken, Call, Reply, Sandbox
from tests.support.months import Office
from tests.support.world import World

_SPAWN: Final = multiprocessing.get_context("spawn")
_ACT: Final = "act"
PEOPLE: Final = 200
"""Each of them gets about twenty tasks in a month."""


class FarOffice(Office):
    """An office whose CRMs and people live in another process, on the clock of this one."""

    def __init__(self, world: World) -> None:
        self._time = world.loop.time
        self._systems = tuple(world.sandboxes)
        self._pipe, theirs = _SPAWN.Pipe()
        _SPAWN.Process(target=_live, args=(theirs,), daemon=True).start()

    def transports(self) -> Mapping[str, httpx.AsyncBaseTransport]:
        return {system: SandboxTransport(cast("Sandbox", _FarSandbox(self, system))) for system in self._systems}

    def forget_requests(self) -> None:
        """They are forgotten as they come."""

    def act(self) -> None:
        self.ask(_ACT, None)

    def ask(self, system: str, call: Call | None) -> Reply | None:
        """Send one call to a sandbox. Raises `Broken`."""
        self._pipe.send((self._time(), system, call))
        answer: Reply | Broken | None = self._pipe.recv()
        if isinstance(answer, Broken):
            raise answer
        return answer


class _FarSandbox:
    def __init__(self, office: FarOffice, system: str) -> None:
        self._office = office
        self._system = system

    def exchange(self, call: Call) -> Reply | None:
        return self._office.ask(self._system, call)


def _live(pipe: Connection) -> None:
    """Answer calls until the other end is closed."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        office = Office(world, PEOPLE)
        while True:
            try:
                time, system, call = pipe.recv()
            except EOFError:
                return
            world.loop.advance(time - world.loop.time())
            pipe.send(_answer(world, office, system, call))


def _answer(world: World, office: Office, system: str, call: Call | None) -> Reply | Broken | None:
    if call is None:
        office.act()
        return None
    office.forget_requests()
    try:
        return world.sandboxes[system].exchange(call)
    except Broken as broken:
        return broken
