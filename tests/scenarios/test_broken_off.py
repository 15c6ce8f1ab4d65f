"""A whole run, or one for a few persons, is ended at its requests and transactions; the next runs finish its work."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.sandbox import Call, Sandbox
from syncer.cli.last_run import broken_off
from syncer.engine.opening import AccountInHand
from syncer.engine.part import run_part
from syncer.engine.run import run
from syncer.ledger import LeaseLost, Ledger, LedgerReplaced
from syncer.ledger.hints import CONTACT, Hint
from syncer.reconcile.guard import Limits
from tests.support.scenario import Heart, Killed, Make, Stage

EVERY = 8
"""Every which step is tried in each way. 1 tries all, which takes a minute."""
MOST_STEPS = 80


async def whole(account: AccountInHand, _contact: str, _world: Stage) -> None:
    await run(account)


async def for_one_person(account: AccountInHand, contact: str, world: Stage) -> None:
    await run_part(account, [Hint("highlevel", CONTACT, contact, 1, world.now())], Limits(500, 500))


Run = Callable[[AccountInHand, str, Stage], Awaitable[None]]


def a_bit_of_everything(world: Stage) -> str:
    """Prepare a run that completes, edits and creates. Returns the person's contact in HighLevel."""
    _, contact, person = world.everywhere()
    done = world.highlevel.person_creates(person, "Ring", world.due(hours=3))
    put_off = world.highlevel.person_creates(person, "Remind", world.due(hours=9))
    world.good()
    world.highlevel.person_completes(done)
    world.highlevel.person_reschedules(put_off, world.due(hours=12))
    world.reply.person_creates(contact, "ToDo", world.due(hours=20), body="Ask")
    world.wait(minutes=1)
    return person


class Breaker:
    """Ends the run of a world when it begins its n-th request or transaction."""

    def __init__(self, world: Stage, at: int, way: str) -> None:
        self.reached = False
        self.error: BaseException | None = None
        self.writes = 0
        self._world = world
        self._steps_left = at
        self._way: Callable[[], None] = getattr(self, f"_{way}")
        self._task: asyncio.Task[None] | None = None
        self._backup = Path(f"{world._ledger.where}.before")
        with closing(sqlite3.connect(world._ledger.where)) as ledger, closing(sqlite3.connect(self._backup)) as backup:
            ledger.backup(backup)

    def run(self, kind: Run, contact: str) -> None:
        """Make the run. What ended it is in ``error``, ``None`` for nothing or a signal."""
        world, honest = self._world, Ledger.store

        def store(ledger: Ledger, *given: Any, **named: Any) -> None:
            self._step()
            honest(ledger, *given, **named)

        async def work(account: AccountInHand) -> None:
            self._task = asyncio.create_task(kind(account, contact, world))  # type: ignore[arg-type]
            await asyncio.wait([self._task])
            self.error = None if self._task.cancelled() else self._task.exception()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Ledger, "store", store)
            for sandbox in world.sandboxes.values():
                patch.setattr(sandbox, "before", self._before(sandbox))
            try:
                world.do(world._with_account(work))
            except Killed as killed:
                self.error = killed
        world.heart = Heart()
        world.alive = lambda _owner: False

    def _before(self, sandbox: Sandbox) -> Callable[[Call], None]:
        honest = sandbox.before

        def before(call: Call) -> None:
            self._step()
            honest(call)

        return before

    def _step(self) -> None:
        self._world.heart.check()
        self._steps_left -= 1
        if self._steps_left == 0:
            self.reached, self.writes = True, self._world.writes()
            self._way()

    def _signal(self) -> None:
        assert self._task is not None
        self._task.cancel()

    def _killed(self) -> None:
        self._world.heart.stops_at = 0
        self._world.heart.check()

    def _lease_lost(self) -> None:
        with closing(sqlite3.connect(self._world._ledger.where)) as other, other:
            other.execute("DELETE FROM lease")

    def _replaced(self) -> None:
        self._backup.replace(self._world._ledger.where)


@pytest.mark.parametrize(
    ("way", "errors"),
    [
        ("signal", type(None)),
        ("killed", (Killed, type(None))),
        ("lease_lost", (LeaseLost, type(None))),
        ("replaced", LedgerReplaced),
    ],
)
@pytest.mark.parametrize("kind", [whole, for_one_person])
def test_ended_at_a_step(stage: Make, kind: Run, way: str, errors: type | tuple[type, ...]) -> None:
    for at in range(1 + len(way) % EVERY, MOST_STEPS, EVERY):
        world = stage()
        contact = a_bit_of_everything(world)
        breaker = Breaker(world, at, way)
        breaker.run(kind, contact)
        if not breaker.reached:
            assert at > 20
            return
        assert isinstance(breaker.error, errors), f"{way} at step {at}"
        in_flight = 3 if way == "signal" else 1
        assert world.writes() <= breaker.writes + in_flight, f"no request is begun: {way} at step {at}"
        if way == "lease_lost" and breaker.error is not None:
            with world.open_ledger(read_only=True) as ledger:
                assert broken_off(ledger.runs(1)) is not None
        world.again(4)
        assert world.open() == (2, 2, 2), f"{way} at step {at}"
        assert len(world.written()) == 9, f"{way} at step {at}: nothing is written twice"
        world.quiet()
    pytest.fail("the run is longer than it should be")


@pytest.mark.parametrize("kind", [whole, for_one_person])
def test_ended_by_its_limit(stage: Make, kind: Run) -> None:
    written = set()
    for milliseconds in range(50, 1300, 150):
        world = stage()
        contact = a_bit_of_everything(world)
        world.configure(sync=f'run_limit = "{milliseconds}ms"')
        world.do(world._with_account(lambda account: kind(account, contact, world)))  # type: ignore[arg-type, return-value]  # noqa: B023
        written.add(world.writes())
        world.configure()
        world.again(4)
        assert world.open() == (2, 2, 2), f"ended after {milliseconds} ms"
        assert len(world.written()) == 9, f"ended after {milliseconds} ms: nothing is written twice"
        world.quiet()
    assert len(written) > 3, "it was ended at several of its writes"
