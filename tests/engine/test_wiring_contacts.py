"""What the reading of contacts passes on: who is let go, who is asked for again, and when nobody is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import Fault
from syncer.contract.errors import Unavailable
from syncer.domain.base import Changes
from syncer.domain.cursors import UNSTORED
from syncer.domain.model import Record
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import ConnectionState
from syncer.engine import opening
from syncer.engine.context import RunContext
from syncer.engine.observe_contacts import MISSING_RECHECK, _read_again, let_go, recheck_doubtful
from syncer.engine.opening import AccountInHand
from syncer.engine.reporting import _with_people
from syncer.reconcile.contact_linking import Ambiguity
from tests.support.scenario import PHONE, Make, Stage

OURS = Record("superfone", "1", "Asha", (PHONE,))
OTHER = Record("superfone", "2", "Ravi", (PHONE,))
Finds = tuple[Record, ...] | Unavailable


def in_a_run(world: Stage, finds: Finds, work: Callable[[RunContext], Awaitable[Any]]) -> tuple[RunContext, list[str]]:
    """Do this in a run that knows one lead, where every look-up finds the same; the numbers that were asked for."""
    asked: list[str] = []

    async def find(phone: str) -> tuple[Record, ...]:
        asked.append(phone)
        if isinstance(finds, Unavailable):
            raise finds
        return finds

    async def do(hand: AccountInHand) -> RunContext:
        async with opening.leased(hand) as context:
            context.connections["superfone"].adapter.find_contacts = find  # type: ignore[assignment, method-assign]
            context.record(Changes(records={OURS.key: OURS}, links={OURS.key: "asha"}))
            await work(context)
            return context

    return world.do(world._with_account(do)), asked


@pytest.mark.parametrize(
    ("finds", "others_are_read", "gone"),
    [
        (Unavailable("busy"), True, False),
        ((OURS,), True, False),
        ((), False, False),
        ((), True, True),
        ((OTHER,), False, True),
    ],
)
def test_a_lead_is_let_go_only_where_its_number_leads_elsewhere_and_its_crm_knows_somebody(
    stage: Make, finds: Finds, *, others_are_read: bool, gone: bool
) -> None:
    note = f"{UNSTORED}superfone:1"

    async def go(context: RunContext) -> None:
        context.record(Changes(cursors={note: "5"}))
        connection = context.connections["superfone"]
        if others_are_read:
            connection.seen.lanes["7"] = ()
        await let_go(context, connection, "1")

    context, _ = in_a_run(stage(), finds, go)
    assert (context.base.records[OURS.key].phones == ()) is gone
    assert (context.base.links[OURS.key] != "asha") is gone
    assert (OURS.key in context.visits) is gone, "what is gone was read, and holds up nobody"
    assert (context.base.cursors[note] == "") is gone, "nothing waits there for a read that finds nobody"


@pytest.mark.parametrize("hindered", ["", "spent", "unavailable"])
def test_whoever_is_in_doubt_is_asked_for_again_and_not_with_every_run(stage: Make, hindered: str) -> None:
    world = stage()

    async def twice(context: RunContext) -> None:
        connection = context.connections["superfone"]
        context.ambiguities = (Ambiguity((OURS.key, OTHER.key), (PHONE,)),)
        connection.spent = hindered == "spent"
        if hindered == "unavailable":
            connection.stop(ConnectionState.UNAVAILABLE, "busy")
        await recheck_doubtful(context, connection)
        world.wait(seconds=(MISSING_RECHECK - timedelta(seconds=5)).total_seconds())
        await recheck_doubtful(context, connection)

    _, asked = in_a_run(world, (OTHER,), twice)
    assert asked == ([] if hindered else [PHONE])


@pytest.mark.parametrize("now", ["as before", "another number", "deleted", "unreadable"])
def test_what_a_doubtful_contact_shows_by_itself_is_stored(stage: Make, now: str) -> None:
    """Its list may not be read for an hour, and people have corrected the contact."""
    world = stage()
    person = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    before = Record("highlevel", person, "Asha Rao", (PHONE,), ("asha@example.com",))

    async def go(context: RunContext) -> None:
        context.record(Changes(records={before.key: before}, links={before.key: "asha"}))
        if now == "another number":
            world.highlevel.person_edits_contact(person, phone="+919876500009")
        elif now == "deleted":
            world.highlevel.person_deletes_contact(person)
        elif now == "unreadable":
            world.fail("highlevel", "contact", Fault.FORBIDDEN)
        await _read_again(context, context.connections["highlevel"], {before.key})
        with world.open_ledger() as ledger:
            assert ledger.load().records == context.base.records, "in the ledger, too"

    context, _ = in_a_run(world, (), go)
    phones = {"as before": (PHONE,), "another number": ("+919876500009",), "deleted": (), "unreadable": (PHONE,)}
    assert context.base.records[before.key].phones == phones[now]
    assert (before.key in context.confirmed) is (now in {"as before", "another number"})


def test_a_command_in_a_sentence_can_be_typed_as_it_is(stage: Make) -> None:
    """The task has the number of a contact."""

    async def nothing(_context: RunContext) -> None:
        pass

    context, _ = in_a_run(stage(), (), nothing)
    words = "superfone:1 is ambiguous; to try again: syncer retry superfone:1"
    item = _with_people(context, Item("superfone:1", "superfone", Reason.AMBIGUOUS_CONTACT, words))
    assert item.detail == "Asha (superfone:1) is ambiguous; to try again: syncer retry superfone:1"
