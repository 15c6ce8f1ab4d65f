"""A run for the contacts that a CRM told of: the same laws, on a small part of the world."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from adapters.sandbox import Call, Fault
from syncer.cli.errors import Stopped
from syncer.cli.hints import look_at_hints
from syncer.cli.last_run import broken_off
from syncer.domain.report import Exit
from syncer.engine.connection import is_scarce
from syncer.engine.opening import AccountInHand
from syncer.engine.part import Part, run_part
from syncer.ledger import HintBook
from syncer.ledger.hints import CONTACT, PHONE, TASK, Delivered, Hint
from syncer.reconcile.guard import Limits
from tests.support.parts import MANY, look
from tests.support.scenario import Make, Stage, name_of

OTHER = "+919876543211"


def total(counts: dict[str, int]) -> int:
    return sum(counts.values())


@pytest.fixture
def known(stage: Make) -> tuple[Stage, tuple[str, str, str]]:
    """A world in which a whole run has seen two people."""
    world = stage()
    person = world.everywhere()
    world.everywhere("Ravi", OTHER)
    world.good()
    return world, person


Known = tuple[Stage, tuple[str, str, str]]


def test_a_task_is_made_everywhere_for_that_contact_alone(known: Known) -> None:
    world, (_, _, contact) = known
    ravi = world.highlevel.add_contact("Meera", "Rao", "meera@example.com", "+919876543212")
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.highlevel.person_creates(ravi, "Call Meera", world.due())
    asked = len(world.reply.calls)
    part = look(world, "highlevel", contact)
    assert part.report["created"] == {"superfone": 1, "reply": 1}
    assert world.open() == (1, 1, 2)
    assert len(world.reply.calls) - asked <= 6, "no list of all is read"
    assert part.unknown == []
    world.good()
    world.quiet()


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_a_completion_is_carried_over_wherever_it_was_made(known: Known, system: str) -> None:
    world, (lead, other, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    assert world.open() == (1, 1, 1)
    world.complete_in(system)
    key = {"superfone": lead, "reply": other, "highlevel": contact}[system]
    part = look(world, system, key)
    assert total(part.report["completed"]) == 2
    assert sorted(part.report["delays"]) == sorted(part.report["completed"])
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_an_event_that_is_not_true_does_nothing(known: Known) -> None:
    world, (lead, other, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    for system, key in (("superfone", lead), ("reply", other), ("highlevel", contact)):
        part = look(world, system, key)
        assert (part.report["created"], part.report["completed"]) == ({}, {})
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_told_again_and_again_nothing_is_doubled(known: Known) -> None:
    world, (_, other, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    for _ in range(3):
        look(world, "highlevel", contact, contact)
        look(world, "reply", other)
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_task_whose_contact_is_not_named_is_found_by_search(known: Known) -> None:
    world, (_, _, contact) = known
    task = world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.wait(minutes=1)
    part = look(world, "highlevel", task, what=TASK)
    assert world.open() == (1, 1, 1)
    assert part.unresolved == []
    world.highlevel.person_completes(task)
    look(world, "highlevel", task, what=TASK)
    assert world.open() == (0, 0, 0)
    assert [hint.key for hint in look(world, "highlevel", "nobody-knows", what=TASK).unresolved] == ["nobody-knows"]
    world.quiet()


def test_a_list_is_not_read_for_an_event_once_half_of_a_days_budget_is_used_up(stage: Make) -> None:
    """Read for each of many events, it would use up the rest, and nothing could be read until the next day."""
    world = stage()
    others, _, its_own = world.account.path.read_text().rpartition('rate = "1000/s"')
    world.account.path.write_text(f'{others}rate = ["1000/s", "12/h"]{its_own}')
    world.reload()

    async def work(account: AccountInHand) -> tuple[list[Part], dict[str, bool], float]:
        hints = [Hint("highlevel", TASK, "nobody-knows", 1, world.now())]
        parts = [await run_part(account, hints, MANY) for _ in range(9)]
        wires = {system: adapter.wire for system, adapter in account.adapters.items()}
        scarce = {system: is_scarce(wire) for system, wire in wires.items()}
        return parts, scarce, wires["highlevel"].budgets()["3600s"]

    parts, scarce, used = world.do(world._with_account(work))

    assert parts[0].unresolved
    assert parts[-1].unknown, "it is left to the next whole run"
    assert scarce == {"superfone": False, "reply": False, "highlevel": True}
    assert 0.5 <= used < 1


def test_who_is_not_known_is_left_to_a_whole_run(known: Known) -> None:
    world, _ = known
    meera = world.highlevel.add_contact("Meera", "Rao", "meera@example.com", "+919876543212")
    world.highlevel.person_creates(meera, "Call Meera", world.due())
    part = look(world, "highlevel", meera, "nobody")
    assert [hint.key for hint in part.unknown] == [meera, "nobody"]
    assert world.open() == (0, 0, 1)


def test_who_may_exist_twice_is_left_to_a_whole_run(known: Known) -> None:
    """Another ledger has copied the task to the second contact."""
    world, (lead, _, _) = known
    second = world.highlevel.add_contact("Asha", email="asha@example.com", phone="+919876543210")
    world.good()
    due = world.due(hours=30)
    task = world.superfone.person_creates(lead, "REMINDER", due)
    world.highlevel.person_creates(second, "Remind", due, f"syncer:1zzzzzzzzz:superfone:{task}")
    part = look(world, "superfone", lead)
    assert [hint.key for hint in part.unknown] == [str(lead)]
    world.again()
    assert world.open() == (1, 1, 1)


def test_a_lost_ledger_makes_nothing_again_of_what_was_finished(stage: Make) -> None:
    """An event comes before the new ledger has read the finished copies of a person."""
    world = stage()
    _, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    world.complete_in("reply")
    world.complete_in("superfone")
    world.lose_ledger()
    world.fail("highlevel", "tasks", Fault.ERROR_BEFORE, times=10)
    world.again()
    world.heal()
    made = [write for write in world.written() if write.endswith("create")]

    assert look(world, "highlevel", contact).report["created"] == {}

    world.again(3)
    assert [write for write in world.written() if write.endswith("create")] == made


def test_a_lost_answer_is_settled_and_never_repeated(known: Known) -> None:
    world, (_, _, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    for system in ("superfone", "reply"):
        world.fail(system, "create", Fault.LOST_ANSWER)
    look(world, "highlevel", contact)
    for _ in range(3):
        look(world, "highlevel", contact)
    assert world.open() == (1, 1, 1)
    assert (world.count("superfone", "create"), world.count("reply", "create")) == (1, 1)
    world.good()
    world.quiet()


def test_a_crm_that_cannot_be_read_gets_nothing(known: Known) -> None:
    world, (_, _, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    world.complete_in("highlevel")
    world.good()
    before = world.count("reply", "create")
    world.highlevel.person_creates(contact, "Call again", world.due())
    world.reply.fault = lambda _call: Fault.ERROR_BEFORE
    part = look(world, "highlevel", contact)
    assert part.report["created"] == {"superfone": 1}
    assert world.count("reply", "create") == before
    world.reply.fault = lambda _call: None
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_copy_that_is_gone_is_not_completed_before_a_whole_run_has_asked_for_it(known: Known) -> None:
    """The CRM would refuse it, and the refusal would stand under attention although the copy was only deleted."""
    world, (_, _, contact) = known
    task = world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    [copy] = world.reply_open()
    world.reply.person_deletes(str(copy.id))
    world.highlevel.person_completes(task)
    assert look(world, "highlevel", contact).report["completed"] == {"superfone": 1}
    assert world.count("reply", "complete") == 0
    world.good()
    world.quiet()


def test_a_small_run_tries_one_create_where_the_storage_is_full_too(stage: Make) -> None:
    world = stage()
    contacts = []
    for number in range(6):
        _, _, contact = world.everywhere(f"Person{number}", f"+9198765{number:05d}")
        world.highlevel.person_creates(contact, f"Ask {number}", world.due(hours=40 - number))
        contacts.append(contact)
    world.superfone.storage_full = True
    world.again()
    tried = world.count("superfone", "create")
    look(world, "highlevel", *contacts)
    assert world.count("superfone", "create") == tried + 1
    world.superfone.storage_full = False
    look(world, "highlevel", *contacts)
    world.good()
    assert world.open() == (6, 6, 6)


def test_limits_hold_for_small_runs_too(known: Known) -> None:
    world, (_, _, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    part = look(world, "highlevel", contact, limits=Limits(1, 500))
    assert part.report["created"] == {}
    assert world.open() == (0, 0, 1)
    world.good()
    world.quiet()


def test_what_was_overwritten_in_a_small_run_is_reported_once_by_the_next_whole_run(known: Known) -> None:
    """Nobody sees the report of a small run."""
    world, (_, _, contact) = known
    task = world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    [copy] = world.reply_open()
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.meanwhile("reply", "task", lambda: world.reply.person_reschedules(str(copy.id), world.due(hours=40)))
    look(world, "highlevel", contact)
    told = [one for _ in range(3) for one in world.good().overwritten]
    assert [(one.system, one.by) for one in told] == [("reply", "highlevel")]


def test_of_two_changes_the_later_one_wins_though_an_event_came_first(known: Known) -> None:
    """One contact's list does not show when a task was changed, and the list of all tasks does."""
    world, (_, _, contact) = known
    task = world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.wait(seconds=5)
    world.superfone.person_reschedules(world.superfone_open()[0].id, world.due(hours=40))
    assert [hint.key for hint in look(world, "highlevel", contact).unknown] == [contact]
    told = [one for _ in range(3) for one in world.good().overwritten]
    assert [(one.system, one.by) for one in told] == [("highlevel", "superfone")]


def test_the_lane_keeps_its_rules(known: Known) -> None:
    world, (lead, _, contact) = known
    first = world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.good()
    world.highlevel.person_creates(contact, "Call again", world.due(hours=30))
    look(world, "highlevel", contact)
    assert world.open() == (1, 2, 2), "the second one waits for its slot"
    world.highlevel.person_completes(first)
    look(world, "highlevel", contact)
    assert world.open() == (1, 1, 1)
    assert len(world.lane(lead)) == 1
    world.quiet()


def test_it_is_no_run_that_says_how_the_account_stands(known: Known) -> None:
    world, (_, _, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    before = world.open_ledger().last_run()
    look(world, "highlevel", contact)
    after = world.open_ledger().last_run()
    assert before is not None
    assert after is not None
    assert (after.id, after.report) == (before.id, before.report)


@pytest.mark.parametrize("discovery", ["contacts", "linked"])
def test_a_lead_that_an_event_names_is_watched_from_then_on(stage: Make, discovery: str) -> None:
    """Nobody asks again for its number before the next day, or nobody ever asks, as its contact has no task."""
    world = stage(superfone=f'discovery = "{discovery}"')
    world.everywhere()
    world.highlevel.add_contact("Ravi", "Rao", "ravi@example.com", OTHER)
    world.good()
    lead = world.superfone.add_lead("Ravi", [OTHER])
    world.superfone.person_creates(lead, "BOOKING", world.due())
    assert [hint.key for hint in look(world, "superfone", lead).unknown] == [str(lead)]
    world.good()
    assert world.open() == (1, 0, 0)

    part = look(world, "superfone", OTHER.removeprefix("+91"), what=PHONE)

    assert len(part.unknown) == 1, "a whole run is wanted"
    world.good()
    assert world.open() == (1, 0, 1)
    asked = len(world.superfone.calls)
    assert look(world, "superfone", OTHER, what=PHONE).unknown == []
    assert len(world.superfone.calls) == asked, "it is known by now"


def test_a_number_that_its_crm_could_not_be_asked_for_is_kept(known: Known) -> None:
    """Only this event names the lead: no whole run would ever read it."""
    world, _ = known
    world.superfone.add_lead("Meera", ["+919876543212"])
    world.superfone.fault = lambda _call: Fault.ERROR_BEFORE
    part = look(world, "superfone", "+919876543212", "+919876543213", what=PHONE)
    assert [hint.key for hint in part.unread] == ["+919876543212", "+919876543213"]
    assert part.unresolved == part.unknown == []
    world.superfone.fault = lambda _call: None
    assert len(look(world, "superfone", "+919876543212", what=PHONE).unknown) == 1


@pytest.mark.parametrize("answers_first", [True, False])
def test_numbers_are_no_longer_asked_for_where_a_crm_has_answered_nothing(known: Known, answers_first: bool) -> None:
    """Each of them would take a time-out. A CRM that has answered may only have trouble with that number."""
    world, _ = known
    numbers = [f"+9198765432{number}" for number in (20, 21, 22)]
    asked: list[str] = []

    def fault(call: Call) -> Fault | None:
        if name_of("superfone", call) != "find":
            return None
        asked.append(call.query["phone"])
        first = answers_first and asked[-1] == numbers[0]
        return None if first else Fault.ERROR_BEFORE

    world.superfone.fault = fault
    part = look(world, "superfone", *numbers, what=PHONE)
    assert set(asked) == set(numbers if answers_first else numbers[:1])
    assert [hint.key for hint in part.unread] == (numbers[1:] if answers_first else numbers)


def test_a_lead_that_could_not_be_read_is_looked_at_again(known: Known) -> None:
    """Nothing else tells that a quiet lead has news: whole runs read it in turn, which may take hours."""
    world, (lead, _, contact) = known
    world.superfone.fault = lambda _call: Fault.ERROR_BEFORE
    assert [hint.key for hint in look(world, "superfone", lead).unread] == [str(lead)]
    assert look(world, "highlevel", contact).unread == [], "its list shows it to the next whole run"
    world.superfone.fault = lambda _call: None
    assert look(world, "superfone", lead).unread == []


@pytest.mark.parametrize("number", ["+919876543299", "nobody", ""])
def test_a_number_that_leads_to_nobody_does_nothing(known: Known, number: str) -> None:
    world, _ = known
    assert look(world, "superfone", number, what=PHONE).unknown == []
    world.quiet()


class Signal:
    """In place of `Stop`: a signal comes while a CRM answers."""

    def __init__(self, world: Stage) -> None:
        self._world = world

    async def finish(self, work: Coroutine[Any, Any, Any], _adapters: object) -> Any:
        task = asyncio.ensure_future(work)
        self._world.meanwhile("reply", "create", lambda: task.cancel())
        await asyncio.wait({task})
        raise Stopped(Exit.SIGTERM)


def test_a_small_run_that_a_signal_ended_does_not_look_like_one_that_was_killed(known: Known) -> None:
    world, (_, _, contact) = known
    world.highlevel.person_creates(contact, "Call Asha", world.due())

    async def work(account: AccountInHand) -> None:
        now = world.now()
        HintBook(account.ledger).store([Delivered("highlevel", ((CONTACT, contact),), None)], now)
        with pytest.raises(Stopped):
            await look_at_hints(account, {}, Signal(world))  # type: ignore[arg-type]

    world.do(world._with_account(work))
    with world.open_ledger(read_only=True) as ledger:
        last = broken_off(ledger.runs(1))
    assert getattr(last, "message", None) == "stopped by SIGTERM; everything is stored"
    world.good()
    assert world.open() == (1, 1, 1)
