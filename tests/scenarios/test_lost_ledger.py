"""A lost ledger: the tasks end as they would have ended with it, or are told."""

from __future__ import annotations

import pytest

from tests.support.ledger_world import SYSTEMS, Ledgers, Worlds
from tests.support.scenario import waiting


def lose(world: Ledgers) -> None:
    world.lose_ledger()
    world.quiet(3)


def test_a_finished_mail_does_not_come_back(worlds: Worlds) -> None:
    world = worlds()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.runs()
    world.finish("highlevel", world.highlevel_open()[0].id)
    assert ("reply", "not_completable") in waiting(world.runs())

    lose(world)

    assert world.open() == (0, 1, 0)


def test_a_finished_call_of_a_read_only_sequence_does_not_come_back(worlds: Worlds) -> None:
    world = worlds(reply='sequence_tasks = "read_only"')
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring", sequence=7)
    world.runs()
    world.finish("highlevel", world.highlevel_open()[0].id)
    world.runs()
    before = world.open()

    lose(world)

    assert world.open() == before == (0, 1, 0)


def test_a_finished_call_under_a_newer_reminder_does_not_come_back(worlds: Worlds) -> None:
    world = worlds()
    world.make("superfone")
    world.runs()
    world.wait(minutes=1)
    world.make("superfone", hours=9, title="Note", reminder=True)
    world.runs()
    world.finish("highlevel", next(task.id for task in world.highlevel_open() if task.title == "Ring Asha"))
    assert ("superfone", "newer_above") in waiting(world.runs())
    before = world.open()

    lose(world)

    assert world.open() == before == (2, 1, 1)


@pytest.mark.parametrize("closed", [system for system in SYSTEMS if system != "superfone"])
def test_a_completion_that_was_not_sent_yet(worlds: Worlds, closed: str) -> None:
    world = worlds()
    world.make("superfone")
    world.runs()
    copy = world.highlevel_open()[0].id if closed == "highlevel" else str(world.reply_open()[0].id)
    world.finish(closed, copy)
    world.lose_ledger()

    world.runs(2)

    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("twin_window", ["60s", "0"])
@pytest.mark.parametrize("origin", SYSTEMS)
def test_lost_after_rescheduling(worlds: Worlds, origin: str, twin_window: str) -> None:
    world = worlds(sync=f'twin_window = "{twin_window}"')
    task = world.make(origin)
    world.runs()
    due = world.due(hours=77)
    if origin == "superfone":
        world.superfone.person_reschedules(int(task), due)
    elif origin == "reply":
        world.reply.person_reschedules(task, due)
    else:
        world.highlevel.person_reschedules(task, due)
    world.runs()

    lose(world)

    assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("twin_window", ["60s", "0"])
@pytest.mark.parametrize("reminder", [False, True], ids=["calls", "reminders"])
@pytest.mark.parametrize("origin", SYSTEMS)
@pytest.mark.parametrize("off", SYSTEMS)
def test_two_of_one_due_in_an_account_of_two(
    worlds: Worlds, origin: str, off: str, reminder: bool, twin_window: str
) -> None:
    if origin == off:
        pytest.skip("that CRM is off")
    world = worlds(sync=f'twin_window = "{twin_window}"')
    world.without(off)
    for title in ("Price", "Date"):
        world.make(origin, title=title, reminder=reminder)
        world.wait(seconds=1)
    if origin == "superfone" and not reminder:
        assert world.open()[0] == 1, "a lead has one open call"
    world.runs(2)
    before = world.open()

    lose(world)

    assert world.open() == before
