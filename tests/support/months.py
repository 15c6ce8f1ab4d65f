"""A daemon that serves three sandboxes for as long as one likes, on a clock that jumps."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from unittest.mock import patch

from syncer.cli.commands.runs import run_and_record
from syncer.cli.daemon import serve
from syncer.cli.session import Session
from syncer.config.loader import build_adapters
from syncer.domain.report import Report
from syncer.engine.opening import AccountInHand
from tests.support.world import World

Look = Callable[[int], None]
"""Called after each run with its number, from 1 on."""


def serve_for(folder: Path, runs: int, look: Look) -> None:
    """This many runs of the daemon, a minute apart. Every tenth run has something to do, and completes a task."""
    world = World(folder, sync='interval = "60s"')
    people = [world.everywhere(f"Asha{number}", f"+9198765{number:05d}") for number in range(5)]
    done = 0

    def act() -> None:
        _, contact, _ = people[done // 10 % len(people)]
        for task in [task for task in world.highlevel.tasks() if not task.completed]:
            world.highlevel.person_completes(task.id)
        world.reply.person_creates(contact, "Call", world.due(hours=5), body=f"Call {done}")

    async def counted(run: Callable[..., object], *args: object) -> Report:
        nonlocal done
        report = await run(*args)  # type: ignore[misc]
        done += 1
        # What the sandboxes remember of it is theirs, not the daemon's.
        for sandbox in world.sandboxes.values():
            sandbox.calls.clear()
        if done % 10 == 0:
            act()
        look(done)
        if done == runs:
            os.kill(os.getpid(), signal.SIGTERM)
        return report  # type: ignore[no-any-return]

    with _plugged(world, counted):
        assert world.do(serve(Session((world.account.path,), quiet=True, json=True))) == 143
    world.close()


@contextmanager
def _plugged(world: World, counted: Callable[..., object]) -> Iterator[None]:
    """The daemon's connections lead into the sandboxes, and its clock is theirs."""
    transports = {system: world.door(sandbox) for system, sandbox in world.sandboxes.items()}
    with (
        patch("syncer.cli.at_once.build_adapters", partial(build_adapters, transports=transports)),
        patch("syncer.cli.daemon.AccountInHand", partial(AccountInHand, clock=world.now)),
        patch("syncer.cli.daemon.run_and_record", partial(counted, run_and_record)),
    ):
        yield


def objects() -> int:
    """How many objects there are that may hold others."""
    gc.collect()
    return len(gc.get_objects())
