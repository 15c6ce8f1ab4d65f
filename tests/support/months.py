"""A daemon that serves three sandboxes for as long as one likes, on a clock that jumps."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

import httpx

from adapters.http.sandbox_transport import SandboxTransport
from syncer.cli.commands.runs import run_and_record
from syncer.cli.daemon import serve
from syncer.cli.session import Session
from syncer.config.loader import build_adapters
from syncer.domain.report import Report
from syncer.engine.opening import AccountInHand
from tests.support.world import World

Look = Callable[[int], None]
"""Called after each run with its number, from 1 on."""


class Office:
    """Three CRMs, and people who complete all that is open and add a call for the next of so many contacts, in turn.

    A lead's list shows all the tasks that it ever had, so reading it takes more the more often its turn comes.
    """

    def __init__(self, world: World, people: int = 5) -> None:
        self._world = world
        self._people = [world.everywhere(f"Asha{number}", f"+9198765{number:05d}") for number in range(people)]
        self._acts = 0

    def transports(self) -> Mapping[str, httpx.AsyncBaseTransport]:
        """Connections into the CRMs, by the names of the CRMs."""
        return {system: SandboxTransport(sandbox) for system, sandbox in self._world.sandboxes.items()}

    def forget_requests(self) -> None:
        """Forget which requests came."""
        for sandbox in self._world.sandboxes.values():
            sandbox.calls.clear()

    def act(self) -> None:
        """People complete what is open in HighLevel and add a call in Reply."""
        world = self._world
        _, contact, _ = self._people[self._acts % len(self._people)]
        self._acts += 1
        for task in [task for task in world.highlevel.tasks() if not task.completed]:
            world.highlevel.person_completes(task.id)
        world.reply.person_creates(contact, "Call", world.due(hours=5), body=f"Call {self._acts}")


def serve_for(
    folder: Path, runs: int, look: Look, office: Callable[[World], Office] = Office, *, minutes: int = 1
) -> None:
    """This many runs of the daemon, so many minutes apart. People act every ten minutes; then a run has work to do."""
    world = World(folder, sync=f'interval = "{minutes}m"')
    runs_between_acts = 10 // minutes
    crms = office(world)
    done = 0

    async def counted(run: Callable[..., object], *args: object) -> Report:
        nonlocal done
        report = await run(*args)  # type: ignore[misc]
        done += 1
        # What the sandboxes remember of it is theirs, not the daemon's.
        crms.forget_requests()
        if done % runs_between_acts == 0:
            crms.act()
        look(done)
        if done == runs:
            os.kill(os.getpid(), signal.SIGTERM)
        return report  # type: ignore[no-any-return]

    with _plugged(world, crms, counted):
        assert world.do(serve(Session((world.account.path,), quiet=True, json=True))) == 143
    world.close()


@contextmanager
def _plugged(world: World, office: Office, counted: Callable[..., object]) -> Iterator[None]:
    """The daemon's connections lead into the sandboxes, and its clock is theirs."""
    with (
        patch("syncer.cli.at_once.build_adapters", partial(build_adapters, transports=office.transports())),
        patch("syncer.cli.serving.AccountInHand", partial(AccountInHand, clock=world.now)),
        patch("syncer.cli.serving.run_and_record", partial(counted, run_and_record)),
    ):
        yield


def objects() -> int:
    """How many objects there are that may hold others."""
    gc.collect()
    return len(gc.get_objects())
