"""A process that is ended again and again before its run has ended gets its work done all the same."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from syncer.cli import last_run
from syncer.cli.commands.runs import recorded
from syncer.engine.opening import AccountInHand, leased, limit_of
from syncer.engine.run import run
from tests.scenarios.test_slow import slow
from tests.support.lasting import crowd
from tests.support.parts import look
from tests.support.scenario import Make, Stage


def is_broken_off(world: Stage, *, seconds: float) -> bool:
    """Begin a run, and end its process after so many seconds unless it has ended. Returns whether it had not."""

    async def work(account: AccountInHand) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await run(account)
        except TimeoutError:
            return True
        return False

    world.wait(seconds=5)
    return world.do(world._with_account(work))


def new_texts(world: Stage, people: list[tuple[str, str, str]]) -> None:
    for _, contact, _ in people:
        world.reply.person_creates(contact, "Call", world.due())


def closed_in_lanes(world: Stage, people: list[tuple[str, str, str]]) -> None:
    for lead, _, _ in people[:50]:
        world.superfone.person_completes(world.superfone.open_tasks(lead)[0].id)


def closed_in_reply(world: Stage, _people: list[tuple[str, str, str]]) -> None:
    world.complete_in("reply")


def lost_ledger(world: Stage, people: list[tuple[str, str, str]]) -> None:
    world.lose_ledger()
    new_texts(world, people)


@pytest.mark.parametrize("what", [new_texts, closed_in_lanes, closed_in_reply, lost_ledger])
def test_a_daemon_that_is_restarted_each_minute_writes_after_a_few_minutes(stage: Make, what: object) -> None:
    """Nothing is written before everything was read, and that takes longer."""
    world = stage()
    people = crowd(world, 80)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due(hours=9))
    world.good()
    before = world.writes()
    slow(world)
    what(world, people)  # type: ignore[operator]

    assert is_broken_off(world, seconds=60)
    for _ in range(4):
        is_broken_off(world, seconds=60)

    assert world.writes() >= before + 5


@pytest.mark.parametrize(
    ("allowed", "broken_off", "seconds"),
    [(600, 0, 600), (600, 1, 300), (600, 4, 37.5), (600, 20, 20), (15, 3, 15), (0, 0, 0), (0, 5, 112.5)],
)
def test_how_long_a_run_may_take_after_others_that_were_broken_off(
    allowed: int, broken_off: int, seconds: float
) -> None:
    assert limit_of(timedelta(seconds=allowed), broken_off) == seconds


@pytest.mark.parametrize("what", [new_texts, closed_in_lanes, closed_in_reply])
def test_also_where_the_crms_answer_slowly(stage: Make, what: object, monkeypatch: pytest.MonkeyPatch) -> None:
    world = stage()
    people = crowd(world, 80)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due(hours=9))
    world.good()
    before = world.writes()
    monkeypatch.setattr("tests.support.scenario.LATENCY", 1.5)
    what(world, people)  # type: ignore[operator]

    for _ in range(6):
        is_broken_off(world, seconds=60)

    assert world.writes() >= before + 5


@pytest.mark.parametrize("how", ["ended", "killed", "failed"])
def test_runs_for_a_few_persons_are_none_that_were_broken_off(stage: Make, how: str) -> None:
    """After any number of them a whole run has all of its time, also if an error ended each of them."""
    world = stage()
    _, _, contact = world.everywhere()
    world.good()

    async def fails(account: AccountInHand) -> None:
        with recorded(account) if how == "failed" else suppress(OSError):
            async with leased(account, part=True):
                raise OSError

    async def broken_off(account: AccountInHand) -> int:
        async with leased(account) as context:
            return context.base.broken_off

    for _ in range(3):
        if how == "ended":
            look(world, "highlevel", contact)
        else:
            with suppress(OSError):
                world.do(world._with_account(fails))
        world.wait(minutes=1)
    with world.open_ledger(read_only=True) as ledger:
        assert (last_run.broken_off(ledger.runs(1)) is None) is (how == "ended")
    assert world.do(world._with_account(broken_off)) == 0
    assert world.do(world._with_account(broken_off)) == 1
