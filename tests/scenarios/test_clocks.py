"""Our clock is set, forward and back: no grace is cut short, and nothing waits for the clock to get there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import PHONE, Make, Stage, attention, waiting

YEARS = timedelta(days=3653)
MEETS = "create_missing_contacts = true"


def set_clock(world: Stage, monkeypatch: pytest.MonkeyPatch, by: timedelta) -> None:
    """Our clock, not that of the CRMs, differs so much from now on."""
    monkeypatch.setattr(world, "now", lambda: type(world).now(world) + by)


@pytest.mark.parametrize("by", [timedelta(minutes=2), timedelta(days=1), YEARS, -timedelta(hours=1), -YEARS])
def test_a_create_that_may_still_arrive_is_not_repeated_because_the_clock_was_set(
    stage: Make, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", world.due(hours=48))
    world.fail("reply", "create", Fault.LOST_REQUEST)
    world.again()
    set_clock(world, monkeypatch, by)

    assert ("reply", "in_doubt") in waiting(world.again(2, seconds=4))
    assert world.open() == (1, 0, 1)

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("by", [timedelta(days=1), -timedelta(hours=1)])
def test_a_contact_that_may_still_arrive_is_not_made_again_because_the_clock_was_set(
    stage: Make, monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    world = stage(reply=MEETS)
    world.superfone.add_lead("Asha", [PHONE], ["asha@example.com"])
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring", world.due(hours=48))
    world.fail("reply", "new contact", Fault.LOST_REQUEST)
    world.again()
    set_clock(world, monkeypatch, by)

    world.again(2, seconds=4)
    assert not world.reply.contacts()

    world.again(3)
    assert len(world.reply.contacts()) == 1


def test_what_was_read_while_the_clock_was_ahead_is_read_again(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = stage()
    world.everywhere()
    set_clock(world, monkeypatch, YEARS)
    world.good()
    monkeypatch.undo()

    world.good()

    with world.open_ledger() as ledger:
        assert max(ledger.load().visits.values()) <= world.now()


def test_a_ledger_that_was_put_back_while_the_clock_was_ahead(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read after the clock is right again counts, though it is dated before the restoration."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.good()
    set_clock(world, monkeypatch, YEARS)
    with world.open_ledger() as ledger:
        ledger.exchange("fingerprint", ledger.cursors()["fingerprint"], "another file")
    world.again()
    monkeypatch.undo()
    world.again(2)
    world.reply.person_creates(contact, "Call", world.due())

    report = world.good()

    assert (waiting(report), attention(report)) == (set(), set())
    assert world.open() == (1, 1, 1)
