"""What a run does about its lease, and after it, when the ledger is slow, locked or broken."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.domain.base import Changes
from syncer.engine.context import RunContext
from syncer.engine.opening import LOCK_PATIENCE, AccountInHand, leased
from syncer.ledger import LeaseLost, Ledger, LedgerError, LedgerReplaced, Locked, make_daily_copy
from syncer.ledger.owner import LEASE_TERM
from tests.support.world import World

SOMETHING = Changes(cursors={"a": "b"})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("SUPERFONE_API_KEY", "REPLY_API_KEY", "HIGHLEVEL_TOKEN"):
        monkeypatch.setenv(name, "key")
    made = World(tmp_path)
    yield made
    made.close()


def in_hand(world: World) -> AccountInHand:
    return AccountInHand(world.account, {}, world.open_ledger(), clock=world.now)


class Faulty:
    """Stands in for one method and fails a number of times first."""

    def __init__(self, sound: Any, error: BaseException, times: int) -> None:
        self.sound, self.error, self.left, self.calls = sound, error, times, 0

    def __call__(self, *given: Any, **more: Any) -> Any:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise self.error
        return self.sound(*given, **more)


@pytest.mark.parametrize("times", [1, 5, 10_000])
def test_a_locked_ledger_is_waited_for_beside_the_loop(
    world: World, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    account = in_hand(world)
    acquire = Faulty(account.ledger.acquire, Locked("acme.db"), times)
    monkeypatch.setattr(account.ledger, "acquire", acquire)
    ticks = []

    async def tick() -> None:
        while True:
            ticks.append(world.loop.time())
            await asyncio.sleep(0.1)

    async def run() -> None:
        others = asyncio.create_task(tick())
        try:
            async with leased(account) as context:
                context.record(SOMETHING)
        finally:
            others.cancel()

    if times > 100:
        with pytest.raises(Locked, match="another process keeps it locked"):
            world.do(run())
        assert world.loop.time() == pytest.approx(LOCK_PATIENCE.total_seconds(), abs=1)
    else:
        world.do(run())
        assert account.ledger.load().cursors == {"a": "b"}
    assert len(ticks) > min(times, 50)
    account.ledger.close()


def test_a_real_lock_is_noticed_at_once_and_outlived(world: World) -> None:
    account = in_hand(world)
    with closing(sqlite3.connect(account.ledger.where, isolation_level=None)) as other:

        async def let_go() -> None:
            await asyncio.sleep(1)
            other.execute("ROLLBACK")

        async def run() -> None:
            other.execute("BEGIN IMMEDIATE")
            later = asyncio.create_task(let_go())
            async with leased(account) as context:
                context.record(SOMETHING)
            await later

        world.do(run())
    assert account.ledger.load().cursors == {"a": "b"}
    account.ledger.close()


@pytest.mark.parametrize(
    ("error", "calls"),
    [(LedgerError("no room"), 8), (Locked("acme.db"), 8), (LeaseLost(), 1), (LedgerReplaced("x"), 1)],
)
def test_the_lease_is_kept_until_it_is_lost_whatever_goes_wrong_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception, calls: int
) -> None:
    account = in_hand(world)
    renew = Faulty(account.ledger.renew, error, 3)
    monkeypatch.setattr(account.ledger, "renew", renew)

    async def run() -> None:
        async with leased(account) as context:
            await asyncio.sleep(8.5 * LEASE_TERM.total_seconds() / 3)
            context.record(SOMETHING)

    world.do(run())
    assert renew.calls == calls
    account.ledger.close()


def test_a_lease_that_cannot_be_given_back_hides_nothing_and_locks_nobody_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = in_hand(world)

    async def run(*, broken: bool) -> RunContext:
        async with leased(account) as context:
            if broken:
                monkeypatch.setattr(account.ledger._database, "writing", Faulty(None, LedgerError("no room"), 9))
                msg = "what the run broke off for"
                raise LedgerError(msg)
            return context

    with pytest.raises(LedgerError, match="what the run broke off for"):
        world.do(run(broken=True))
    monkeypatch.undo()
    world.do(run(broken=False))
    account.ledger.close()


def test_what_fails_after_a_run_fails_no_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = in_hand(world)
    monkeypatch.setattr(account.ledger, "begin_day", Faulty(None, LedgerError("no room"), 1))

    async def run() -> None:
        async with leased(account) as context:
            context.record(SOMETHING)

    world.do(run())
    account.ledger.close()


def test_a_signal_after_a_run_takes_nothing_from_its_result(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account, tending = in_hand(world), asyncio.Event()

    async def tend(_account: object) -> None:
        tending.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("syncer.engine.opening.tend", tend)

    async def run() -> str:
        async with leased(account) as context:
            return context.run

    async def stopped() -> str:
        task = asyncio.ensure_future(run())
        await tending.wait()
        task.cancel()
        return await task

    assert world.do(stopped())
    account.ledger.close()


def test_the_ledger_is_tended_once_a_day(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    account = in_hand(world)
    account.settings = account.settings.model_copy(update={"ledger_backup": "daily"})
    forget = Faulty(account.ledger.forget, LedgerError(""), 0)
    monkeypatch.setattr(account.ledger, "forget", forget)

    async def run() -> None:
        async with leased(account):
            pass

    for _ in range(3):
        world.do(run())
    world.wait(days=1)
    for _ in range(3):
        world.do(run())
    assert forget.calls == 1
    assert [file.name for file in account.ledger.place.backups()] == [
        f"acme.db.backup-{world.now() - timedelta(days=age):%Y-%m-%d}" for age in (1, 0)
    ]
    world.wait(days=3650)
    world.do(run())
    assert forget.calls == 1, "a clock that is set forward makes nothing old"
    account.ledger.close()


@pytest.mark.parametrize("trouble", [LedgerError("no room"), asyncio.CancelledError()], ids=["error", "signal"])
def test_a_backup_that_fails_or_is_broken_off_is_made_later_on_the_same_day(
    world: World, monkeypatch: pytest.MonkeyPatch, trouble: BaseException
) -> None:
    account = in_hand(world)
    account.settings = account.settings.model_copy(update={"ledger_backup": "daily"})
    copy = Faulty(make_daily_copy, trouble, 1)
    monkeypatch.setattr("syncer.ledger.make_daily_copy", copy)

    async def run() -> None:
        async with leased(account):
            pass

    def runs(minutes: int) -> int:
        for _ in range(minutes):
            world.do(run())
            world.wait(minutes=1)
        return copy.calls

    # On a disk that is full, one try in each run would be one a minute.
    assert runs(59) == 1
    assert account.ledger.place.backups() == []
    assert runs(120) == 2
    assert len(account.ledger.place.backups()) == 1
    account.ledger.close()


def test_a_ledger_that_was_removed_is_made_anew_by_the_next_run(world: World) -> None:
    account = in_hand(world)

    async def run(*, swap: bool) -> None:
        async with leased(account) as context:
            context.record(SOMETHING)
            if swap:
                world.lose_ledger()
                with pytest.raises(LedgerReplaced):
                    context.record(Changes(cursors={"c": "d"}))

    world.do(run(swap=True))
    assert not Path(account.ledger.where).exists()
    world.do(run(swap=False))
    assert Ledger.open(f"sqlite:///{account.ledger.where}", name="acme", read_only=True).load().cursors == {"a": "b"}
    account.ledger.close()
