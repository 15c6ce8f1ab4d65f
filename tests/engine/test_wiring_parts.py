"""What one module passes to the next: one small test for each connection that no scenario would notice."""

from __future__ import annotations

import pytest

from adapters.http.network import CONNECTIONS, network
from adapters.sandbox import Fault
from syncer.domain.base import Base, Changes
from syncer.domain.cursors import BEHIND, LEFT
from syncer.domain.model import Kind, Record, State
from syncer.domain.report import Exit
from syncer.engine import opening
from syncer.engine.linking import link
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options
from syncer.reconcile.obstacles import FAILURES_UNTIL_ATTENTION
from tests.support.rebuilding import copies_of, from_yesterday, rebuilt
from tests.support.scenario import Make, name_of
from tests.support.strategies import LANE, TYPED, a_base, a_replica, a_task


@pytest.mark.parametrize("note", [BEHIND, f"{LEFT}superfone:"])
def test_what_was_noted_of_two_persons_is_kept_when_they_turn_out_to_be_one(stage: Make, note: str) -> None:
    world = stage()
    one = Record("superfone", "1", "Asha", ("+919876500001",), ("asha@example.com",))
    other = Record("highlevel", "x", "Asha Rao", (), ("asha@example.com",))

    async def join(hand: AccountInHand) -> Base:
        async with opening.leased(hand) as context:
            strangers = {one.key: "person1", other.key: "person2"}
            noted = {f"{note}{person}": f"of-{person}" for person in strangers.values()}
            context.record(Changes(records={one.key: one, other.key: other}, links=strangers, cursors=noted))
            link(context)
            return context.ledger.load()

    base = world.do(world._with_account(join))
    (person,) = set(base.links.values())
    kept = {name: set(words.split()) for name, words in base.cursors.items() if name.startswith(note) and words}
    assert kept == {f"{note}{person}": {"of-person1", "of-person2"}}


def test_what_was_mistaken_for_a_task_says_what_it_is_in_its_history() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, *others = (from_yesterday(row) for row in copies_of(task))
    mistaken = a_task(f"{LANE}:{in_lane.remote_id}", origin=LANE, kind=Kind.REMINDER, title=None)
    base = a_base(mistaken, replicas=[a_replica(mistaken, LANE, in_lane.remote_id)])
    found = rebuilt(in_lane, *others, base=base)
    assert found.base.replicas[in_lane.key].task == task.id
    assert found.base.tasks[mistaken.id].state is State.CANCELLED
    joined = [event for event in found.changes.events if event.what == "joined"]
    assert [(event.task, event.system, event.remote_id) for event in joined] == [(mistaken.id, *in_lane.key)]
    assert task.id in joined[0].detail


def test_no_more_connections_are_opened_than_requests_may_be_under_way() -> None:
    pool = network("http://127.0.0.1:1")._pool  # type: ignore[attr-defined]
    assert (pool._max_connections, pool._max_keepalive_connections) == (CONNECTIONS, CONNECTIONS)


def test_a_contact_that_may_have_been_made_again_and_again_is_tried_once_an_hour(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.fail("reply", "new contact", Fault.ERROR_BEFORE, times=99)
    assert world.again().exit is Exit.PARTIAL
    world.again(7)
    assert world.count("reply", "new contact") == FAILURES_UNTIL_ATTENTION
    world.again(hours=1)
    assert world.count("reply", "new contact") == FAILURES_UNTIL_ATTENTION + 1


@pytest.mark.parametrize("crm", ["superfone", "reply"])
def test_a_contact_that_was_just_made_is_known_and_not_read_again(stage: Make, crm: str) -> None:
    world = stage(**{crm: "create_missing_contacts = true"})
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    with world.open_ledger() as ledger:
        before = set(ledger.load().records)
    world.again()
    with world.open_ledger() as ledger:
        base = ledger.load()
    (made,) = [record for key, record in base.records.items() if key[0] == crm and key not in before]
    assert made.emails == ("asha@example.com",)
    assert base.links[made.key] == base.links["highlevel", contact]
    calls = [name_of(crm, call) for call, _ in world.sandboxes[crm].calls]
    assert not {"find", "contact", "contacts"} & set(calls[calls.index("new contact") + 1 :]), calls


def test_whoever_is_found_just_before_they_are_made_gets_the_task_in_the_same_run(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.meanwhile("reply", "contacts", lambda: world.reply.add_contact("Asha", "asha@example.com", None), skip=2)
    world.again()
    assert world.count("reply", "new contact") == 0
    (found,) = world.reply.contacts()
    assert [str(task.contact_id) for task in world.reply_open()] == [str(found.id)]
    with world.open_ledger() as ledger:
        base = ledger.load()
    assert base.links["reply", str(found.id)] == base.links["highlevel", contact]


def test_a_plan_says_of_each_operation_what_it_is_about(stage: Make) -> None:
    world = stage()
    lead, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, "Ring about the flat", world.due())
    world.good()
    (in_superfone,), (in_reply,), (origin,) = world.superfone_open(), world.reply_open(), world.highlevel_open()
    world.complete_in("highlevel")
    report = world.plan()
    assert report.operations is not None
    places = (f"highlevel:{origin.id}", f"reply:{in_reply.id}", f"superfone:{in_superfone.id}")
    said = {op.system: (op.action, op.title, op.remote_id, op.sources) for op in report.operations}
    assert said == {
        "superfone": ("complete", "Ring about the flat", str(in_superfone.id), places),
        "reply": ("complete", "Ring about the flat", str(in_reply.id), places),
    }
    assert lead


def test_a_plan_counts_what_is_asked_again_before_anything_is_made(stage: Make) -> None:
    """A lead's number is asked for again, unless this run has just done that."""
    world = stage()
    _, _, contact = world.everywhere()
    task = world.highlevel.person_creates(contact, "Ring", world.due())
    world.good()
    world.highlevel.person_completes(task)
    world.good()
    world.highlevel.person_creates(contact, "Ring again", world.due(hours=9))
    world.wait(minutes=1)
    cost, read = world.plan().cost["superfone"], world.count("superfone", "tasks of contact")
    world.sync()
    finds = world.count("superfone", "find")
    assert finds == 2, "once when the lead was found, once before the second create"
    assert cost.requests == 1 + 1 + 3
    assert read


def test_a_run_that_a_limit_stopped_is_the_last_run(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    report = world.sync(Options(allow_creates=0))
    assert report.exit is Exit.LIMIT
    with world.open_ledger() as ledger:
        last = ledger.last_run()
    assert last is not None
    assert last.report["message"] == report.message != ""


def test_a_completion_that_hit_another_task_leaves_no_run_as_if_all_were_well(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.complete_in("reply")
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_creates(lead, "REMINDER", world.due()))
    report = world.again()
    assert report.incidents
    assert report.exit is Exit.PARTIAL
