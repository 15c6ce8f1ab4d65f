"""A message about an alarm goes once, whatever happens to the ledger, the account file or the daemon while it goes."""

from __future__ import annotations

import asyncio
from pathlib import Path
from unittest.mock import Mock

import pytest

from syncer.config.schema import Account
from syncer.domain.alarms import AlarmName
from syncer.ledger import AlarmBook, Ledger, Locked
from syncer.web import watch as watches
from syncer.web.alarms.facts import alarms_of
from syncer.web.watch import Watch
from tests.support.alarms import DAMAGED, FINE, REFUSED, Damage, Slowly, Watched, here, watch


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return watch(tmp_path, monkeypatch)


async def fails(served: Watch, account: Account) -> None:
    """The account is served, and its run fails, which is told."""
    served.take_up(account)
    await served.begin(account, {})
    await served.failed(account.name, "no", "the ledger is full")
    served.open(Mock())


@pytest.mark.parametrize("arrives", [True, False])
def test_a_message_from_memory_is_sent_once_though_it_is_stored_while_it_is_on_its_way(
    watched: Watched, arrives: bool
) -> None:
    """The check that stored it forgot that it was being sent, so it was sent again from the ledger."""
    watched.run(FINE)
    damage = Damage(watched)

    async def mended() -> None:
        damage.mend()
        watched.told.broken = not arrives
        await watched.keeper.judge()

    watched.told.meanwhile = mended
    watched.look(DAMAGED)
    watched.told.broken = False
    watched.restart()
    watched.run(FINE)
    assert watched.told.states == (["ledger begun", "ledger ended"] if arrives else [])
    watched.wait(minutes=1)
    for _ in range(3):
        watched.tell()
    watched.run(FINE)
    assert watched.told.states == ["ledger begun", "ledger ended"]


def test_a_message_from_memory_is_sent_once_though_it_is_stored_just_before(watched: Watched) -> None:
    """What was found in the ledger and what had been in memory were one message."""
    watched.run(FINE)
    damage = Damage(watched)
    asyncio.run(watched.keeper.judge(DAMAGED))
    damage.mend()

    async def both_at_once() -> None:
        await asyncio.gather(watched.keeper.tell(), watched.keeper.judge())

    watched.keeper._apart = Slowly()
    asyncio.run(both_at_once())
    watched.run(FINE)
    watched.tell()
    assert watched.told.states == ["ledger begun", "ledger ended"]


@pytest.mark.parametrize("arrives", [True, False])
def test_a_message_is_sent_once_though_the_ledger_cannot_be_written_when_it_was_sent(
    watched: Watched, arrives: bool
) -> None:
    """The ledger kept the message, so it was sent again."""
    watched.run(FINE)
    damaged: list[Damage] = []

    async def damages() -> None:
        damaged.append(Damage(watched))
        watched.told.broken = not arrives

    watched.told.meanwhile = damages
    watched.run(REFUSED)
    watched.tell()
    assert watched.told.states == (["unauthorized begun"] if arrives else [])
    watched.told.broken = False
    damaged[0].mend()
    assert watched.keeper.has_news, "what became of the message is still to be stored"
    watched.tell()
    watched.wait(minutes=1)
    watched.tell()
    watched.restart()
    watched.tell()
    assert watched.told.states == ["unauthorized begun"]


def test_news_are_looked_for_again_if_the_ledger_was_locked(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that was stored while another process held the ledger was told with the next one only."""
    with monkeypatch.context() as locked:
        locked.setattr(AlarmBook, "tellings", Mock(side_effect=Locked("acme.db")))
        watched.run(REFUSED)
    assert watched.told == []
    assert watched.keeper.has_news
    watched.tell()
    assert watched.told.states == ["unauthorized begun"]


def with_a_new_ledger(watched: Watched) -> Account:
    """The account as no daemon has served it before: a `Watch` has the real clock."""
    return watched.account.model_copy(update={"ledger_url": f"sqlite:///{watched.account.path.parent / 'new.db'}"})


def test_what_is_wrong_with_a_ledger_is_not_over_because_the_daemon_begins_again(watched: Watched) -> None:
    """It told that the trouble had ended, and with the first run that it had begun."""
    watched.look("there is no room on the disk")
    watched.restart()
    watched.look()
    watched.look("there is no room on the disk")
    assert watched.told.states == ["ledger begun"]
    with Ledger.open(watched.account.ledger_url, name="acme") as ledger:
        assert set(alarms_of(ledger, watched.account, watched.now)) == {AlarmName.LEDGER}, (
            "status --check tells it, too"
        )
    watched.restart()
    watched.wait(minutes=1)
    watched.run(FINE)
    assert watched.told.states == ["ledger begun", "ledger ended"]


async def some_beats() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_message_from_memory_is_sent_once_though_the_account_file_changes(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The account was taken up anew, and what was known about its alarms without the ledger was forgotten."""
    monkeypatch.setattr(watches, "BEAT", 0)
    account, name = watched.account, watched.account.name
    Damage(watched)

    async def story() -> None:
        served = Watch(here)
        served.take_up(account)
        served.open(Mock())
        await served.failed(name, "no", DAMAGED)
        await some_beats()
        served.leave(name)
        await some_beats()
        served.take_up(account.model_copy(update={"region": "DE"}))
        await served.failed(name, "no", DAMAGED)
        await some_beats()
        await served.close()

    asyncio.run(story())
    assert watched.told.states == ["ledger begun"]


def test_a_message_that_is_on_its_way_when_the_daemon_ends_is_not_sent_by_the_next_one(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon did not wait for what became of it."""
    monkeypatch.setattr(watches, "BEAT", 0)
    account = with_a_new_ledger(watched)

    async def first_daemon() -> None:
        served, on_its_way, arrives = Watch(here), asyncio.Event(), asyncio.Event()

        async def slowly() -> None:
            on_its_way.set()
            await arrives.wait()

        watched.told.meanwhile = slowly
        await fails(served, account)
        await on_its_way.wait()
        asyncio.get_running_loop().call_later(0.01, arrives.set)
        await served.close()

    async def second_daemon() -> None:
        served = Watch(here)
        await fails(served, account)
        await some_beats()
        await served.close()

    asyncio.run(first_daemon())
    asyncio.run(second_daemon())
    assert watched.told.states == ["ledger begun"]


def test_a_message_that_does_not_arrive_holds_up_no_end(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watches, "BEAT", 0)
    monkeypatch.setattr(watches, "LAST_WORDS", 0.01)
    account = with_a_new_ledger(watched)

    async def story() -> None:
        served, on_its_way = Watch(here), asyncio.Event()

        async def never() -> None:
            on_its_way.set()
            await asyncio.Event().wait()

        watched.told.meanwhile = never
        await fails(served, account)
        await on_its_way.wait()
        await served.close()

    asyncio.run(story())
    assert watched.told == []
