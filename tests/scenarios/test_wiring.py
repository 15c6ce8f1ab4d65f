"""What one module says must reach another: scenarios in which it makes a difference whether it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from adapters.http.client import Http
from adapters.reply.adapter import ReplyAdapter
from adapters.sandbox import Call, Fault
from adapters.superfone.sandbox_store import API_USER, PERSON
from syncer.cli.signals import Stop, Stopped
from syncer.contract.errors import BadAnswer
from syncer.domain.base import Changes
from syncer.domain.cursors import OUR_USER
from syncer.domain.model import Draft, Reading
from syncer.domain.operations import OpState
from syncer.domain.report import Exit
from syncer.engine.context import RunContext, _both
from syncer.engine.observe_persons import CLOSED_READ
from syncer.engine.progress import Progress, Work
from syncer.engine.run import Options, run
from syncer.ledger import LeaseLost
from syncer.reconcile.merge import Merged
from tests.support.long_lists import PAGE
from tests.support.scenario import Make, StagedLedger, name_of


def test_no_request_leaves_once_the_lease_is_lost(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked for at the last moment before each write: its intent was stored while we still had it."""
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    store = StagedLedger.store

    def store_and_lose(ledger: StagedLedger, changes: Changes, *, token: str | None, now: object = None) -> None:
        store(ledger, changes, token=token, now=None)
        if token is not None and any(op.state is OpState.SENT for op in changes.operations.values()):
            ledger.release(token)

    monkeypatch.setattr(StagedLedger, "store", store_and_lose)
    world.wait(minutes=1)
    with pytest.raises(LeaseLost):
        world.sync()
    assert world.written() == []


def test_a_pause_that_a_crm_asked_for_before_a_create_ends_with_the_run(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.reply.retry_after = 100
    stop = Stop()

    def told_to_stop() -> None:
        stop.exit_status = Exit.SIGTERM
        stop.end()

    def throttled(call: Call) -> Fault | None:
        if name_of("reply", call) != "create":
            return None
        world.loop.call_later(1, told_to_stop)
        return Fault.THROTTLED

    unhindered, world.reply.fault = world.reply.fault, throttled
    world.wait(minutes=1)
    began = world.now()
    with pytest.raises(Stopped):
        world.do(world._with_account(lambda hand: stop.finish(run(hand, Options()), hand.adapters.values())))
    assert world.now() - began < timedelta(minutes=1)
    world.reply.fault = unhindered
    world.again(2)
    assert world.open() == (1, 1, 1)


def test_who_we_are_is_learned_from_what_we_made(stage: Make) -> None:
    """By it, a lane's task is known for a second ledger's, and a completion for a person's."""
    world = stage()
    _, _, contact = world.everywhere("Asha", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.good()
    with world.open_ledger() as ledger:
        known = {name: who for name, who in ledger.load().cursors.items() if name.startswith(OUR_USER)}
    assert known.keys() >= {f"{OUR_USER}superfone"}
    assert all(known.values())


def test_two_changes_of_one_step_keep_what_both_say() -> None:
    """Field by field, so that no new one is forgotten."""
    two: dict[str, Any] = {"dict": ({"a": 1}, {"b": 2}), "list": (["a"], ["b"]), "set": ({"a"}, {"b"})}
    for field in fields(Changes):
        first, second = (Changes(), Changes())
        kind = type(getattr(first, field.name)).__name__
        for changes, value in zip((first, second), two[kind], strict=True):
            setattr(changes, field.name, value)
        assert len(getattr(_both(first, second), field.name)) == 2, field.name


@pytest.mark.parametrize("lost", [Fault.LOST_REQUEST, Fault.LOST_ANSWER])
@pytest.mark.parametrize("known", [True, False])
def test_what_our_own_user_did_by_hand_is_not_what_our_lost_create_made(stage: Make, lost: Fault, known: bool) -> None:
    """The key is a person's, who uses the app too: what was in the lane before the request was not made by it."""
    world = stage()
    lead, contact, _ = world.everywhere()
    if known:
        other = world.everywhere("Ravi", "+919876500001")
        world.reply.person_creates(other[1], "Call", world.due())
        world.good()
    due = world.due()
    by_hand = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due, by=API_USER)
    world.superfone.person_completes(by_hand)
    world.wait(hours=2)
    world.superfone.person_completes(world.superfone.person_creates(lead, "BOOKING", world.due(), by=API_USER))
    world.wait(hours=1)
    world.reply.person_creates(contact, "Call", due)
    world.fail("superfone", "create", lost)
    world.again()
    world.again(2, hours=1)
    assert len(world.superfone.open_tasks(lead)) == 1
    assert len(world.superfone.tasks(lead)) == 3


def test_lists_alone_have_the_time_that_a_list_may_take(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    asked: dict[str, set[bool]] = {}
    read = Http.read

    async def noting(http: Http, method: str, path: str, **more: Any) -> Any:
        name = name_of(http.system, Call(method, f"/{path.lstrip('/')}"))
        asked.setdefault(f"{http.system} {name}", set()).add(bool(more.get("page")))
        return await read(http, method, path, **more)

    monkeypatch.setattr(Http, "read", noting)
    world.good()
    world.reply.person_creates(contact, "Call", world.due(hours=9), body="Ring")
    world.good()
    lists = {name for name in asked if name.endswith((" tasks", " contacts", " tasks of contact"))}
    assert len(lists) >= 5
    assert asked == {name: {name in lists} for name in asked}


@pytest.mark.parametrize("who", [PERSON, API_USER])
def test_what_somebody_finished_just_before_our_create_was_not_closed_by_it(stage: Make, who: int) -> None:
    """It is closed in the lane that our create goes into, a moment earlier: its times alone would say otherwise."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.good()
    world.reply.person_creates(contact, "Call", world.due(), body="Ring")
    theirs = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(hours=9), by=who)
    world.wait(minutes=1)
    world.meanwhile("superfone", "tasks of contact", lambda: world.superfone.person_completes(theirs, by=who))
    report = world.again()
    assert report.incidents == ()
    reports = [world.again() for _ in range(3)]
    assert [one.incidents for one in reports] == [(), (), ()]
    assert len(world.superfone.tasks(lead)) == 2
    assert world.open() == (1, 1, 1)


def test_an_old_title_or_due_that_a_search_shows_is_not_believed_where_the_task_cannot_be_read(stage: Make) -> None:
    """Until the task itself confirms it, a list's row changes nothing."""
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(task, later)
    world.highlevel.person_retitles(task, "Ring again")
    world.good()
    world.highlevel.lag = timedelta(minutes=2, seconds=30)
    world.fail("highlevel", "task", Fault.ERROR_BEFORE, times=20)
    world.again()
    with world.open_ledger(read_only=True) as ledger:
        assert [(view.task.title, view.task.due) for view in ledger.tasks()] == [("Ring again", later)]
    world.heal()
    world.again(2)
    with world.open_ledger(read_only=True) as ledger:
        assert [(view.task.title, view.task.due) for view in ledger.tasks()] == [("Ring again", later)]


@pytest.mark.parametrize(
    ("fault", "state"), [(Fault.UNAUTHORIZED, "unauthorized"), (Fault.NO_CONNECTION, "unavailable")]
)
def test_a_crm_that_refuses_to_make_a_contact_is_asked_for_nothing_more(stage: Make, fault: Fault, state: str) -> None:
    world = stage(reply="create_missing_contacts = true")
    for number in range(3):
        lead = world.superfone.add_lead(f"P{number}", [f"+91987654321{number}"], [f"p{number}@example.com"])
        world.superfone.person_creates(lead, "BOOKING", world.due())
        world.highlevel.add_contact(f"P{number}", "", f"p{number}@example.com", f"+91987654321{number}")
    world.fail("reply", "new contact", fault, times=100)
    report = world.again()
    assert report.connections["reply"].state == state
    assert report.exit is Exit.PARTIAL
    assert world.open() == (3, 0, 3)
    world.heal()
    world.again(2)
    assert world.open() == (3, 3, 3)


@pytest.mark.usefixtures("small_pages")
def test_who_came_after_a_long_list_was_read_is_read_by_their_task(stage: Make) -> None:
    world = stage()
    for number in range(PAGE + 1):
        world.highlevel.add_contact(f"Person{number}", "Rao", f"p{number}@example.com", "")
    world.good()
    lists = world.count("highlevel", "contacts")
    lead = world.superfone.add_lead("Asha", ["+919876500001"], ["asha@example.com"])
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.good(seconds=5)
    world.good(seconds=5)
    assert world.count("highlevel", "contacts") == lists
    assert len(world.superfone.open_tasks(lead)) == 1


def test_whatever_else_a_write_raises_is_settled_by_reading(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """No error of an adapter says that nothing was done, but for those that are known to say so."""
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    create = ReplyAdapter.create_task

    async def unheard_of(adapter: ReplyAdapter, draft: Draft) -> Reading:
        await create(adapter, draft)
        raise BadAnswer("an answer unheard of", system="reply")

    monkeypatch.setattr(ReplyAdapter, "create_task", unheard_of)
    report = world.again()
    assert report.created["reply"] == 1
    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_where_a_task_cannot_be_told_yet_nothing_is_made_for_its_contact(stage: Make) -> None:
    """Whatever a merge leaves undecided holds up the creates for that contact, for the rest of the run."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    believe = RunContext.believe
    seen: list[set[str]] = []

    def undecided(context: RunContext, merged: Merged) -> None:
        believe(context, replace(merged, undecided={("reply", contact)}))
        seen.append(context.seen["reply"].unread)

    with patch.object(RunContext, "believe", undecided):
        world.again()
    assert seen
    assert all(contact in unread for unread in seen)
    assert world.open() == (1, 0, 1)
    world.again()
    assert world.open() == (1, 1, 1)


def test_what_was_closed_lately_and_is_known_stays_what_it_was(stage: Make) -> None:
    """A closed task of a lane is not loaded with a run: before our create it is looked for in the ledger."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), body="First")
    world.good()
    world.complete_in("superfone")
    world.good()
    world.reply.person_creates(contact, "Call", world.due(hours=9), body="Ring")
    world.good()
    with world.open_ledger() as ledger:
        assert sorted(view.task.state for view in ledger.tasks()) == ["done", "open"]
    assert world.open() == (1, 1, 1)


def test_of_a_persons_closed_tasks_the_newest_are_read(stage: Make) -> None:
    """After the ledger was lost, each takes a request."""
    world = stage()
    _, contact, _ = world.everywhere()
    closed = []
    for number in range(CLOSED_READ + 3):
        closed.append(world.reply.person_creates(contact, "Call", world.due(hours=number + 1), body=f"Ring {number}"))
        world.reply.person_completes(closed[-1])
    theirs = world.reply.person_creates(contact, "Call", world.due(hours=90), body="Open")
    world.again()
    read = {call.path.rpartition("/")[2] for call, _ in world.reply.calls if name_of("reply", call) == "task"}
    assert read == {str(theirs), *(str(one) for one in closed[3:])}
    assert world.open() == (1, 1, 1)


def test_whoever_watches_is_told_what_a_run_is_doing(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    told: list[str] = []
    counted: list[tuple[str, str, int]] = []

    class Watched(Progress):
        def __call__(self, stage: str) -> None:
            told.append(stage)

        @contextmanager
        def work(self, system: str, what: str, total: int = 0, **more: Any) -> Iterator[Work]:
            with super().work(system, what, total, **more) as work:
                yield work
            assert work.part[0] == total or not total
            if total:
                counted.append((system, what, total))

    world.do(world._with_account(lambda hand: run(replace(hand, progress=Watched()), Options())))
    assert {("reply", "creating tasks", 1), ("highlevel", "creating tasks", 1)} <= set(counted)
    assert told == [
        "opening the connections",
        "settling what is in doubt",
        "reading the CRMs",
        "doing 2 operations",
    ]
    copy = next(iter(world.reply.tasks()))
    world.reply.person_reschedules(str(copy.id), world.due(hours=50))
    world.do(world._with_account(lambda hand: run(replace(hand, progress=Watched()), Options())))
    assert ("highlevel", "changing tasks", 1) in counted
