"""CRMs, and single things, that hang or dribble."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import httpx
import pytest

from adapters.http.sandbox_transport import SandboxTransport
from adapters.sandbox import Call, Fault, Sandbox
from syncer.domain.report import Exit
from syncer.engine.opening import AccountInHand
from syncer.engine.part import Part, run_part
from syncer.ledger.hints import CONTACT, Hint
from syncer.reconcile.guard import Limits
from tests.support.lasting import crowd, of_leads
from tests.support.scenario import Make, Stage, attention, waiting

OTHERS = {"superfone": ("reply", "highlevel"), "reply": ("superfone", "highlevel"), "highlevel": ("superfone", "reply")}


class Hanging(httpx.AsyncBaseTransport):
    """A door behind which some calls are answered after a time, or never."""

    def __init__(self, sandbox: Sandbox, hangs: Callable[[Call], bool], seconds: float, *, ends: bool) -> None:
        self._door = SandboxTransport(sandbox)
        self._hangs = hangs
        self._seconds = seconds
        self._ends = ends

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = Call(request.method, request.url.path, dict(request.url.params))
        if self._hangs(call):
            await asyncio.sleep(self._seconds)
            if self._ends:
                raise httpx.ReadTimeout("it took too long", request=request)
        return await self._door.handle_async_request(request)


def hang(
    world: Stage, system: str, hangs: Callable[[Call], bool], seconds: float = 10**9, *, ends: bool = False
) -> None:
    """From now on, such calls are answered after this time, or given up then by the client."""
    honest = world.door
    world.door = lambda one: Hanging(one, hangs, seconds, ends=ends) if one.system == system else honest(one)


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_a_crm_that_hangs_keeps_the_others_waiting_for_half_a_minute_at_most(stage: Make, system: str) -> None:
    world = stage()
    people = crowd(world, 12)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    hang(world, system, lambda _call: True)
    source, target = OTHERS[system]
    world.complete_in(source)
    began = world.loop.time()

    report = world.again(seconds=5)

    assert report.connections[system].state == "unavailable"
    assert report.exit is Exit.PARTIAL
    assert report.completed[target] == 12
    assert world.loop.time() - began < 50
    assert {where for where, reason in waiting(report) if reason == "unavailable"} == {system}


@pytest.mark.parametrize("system", ["superfone", "reply"])
def test_a_crm_that_hangs_keeps_a_run_for_events_waiting_no_longer(stage: Make, system: str) -> None:
    world = stage()
    people = crowd(world, 12)
    for _, _, contact in people:
        world.highlevel.person_creates(contact, "Ring", world.due())
    world.good()
    hang(world, system, lambda _call: True, 10, ends=True)
    world.complete_in("highlevel")
    hints = [Hint("highlevel", CONTACT, contact, 1, world.now()) for _, _, contact in people]

    async def work(account: AccountInHand) -> tuple[Part, float]:
        began = world.loop.time()
        return await run_part(account, hints, Limits(500, 500)), world.loop.time() - began

    part, seconds = world.do(world._with_account(work))

    assert sum(part.report["completed"].values()) == 12
    assert seconds < 90


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_crm_that_hangs_from_the_first_run_on(stage: Make, system: str) -> None:
    world = stage()
    for lead, _, _ in crowd(world, 3):
        world.superfone.person_creates(lead, "BOOKING", world.due())
    hang(world, system, lambda _call: True)

    report = world.again()

    assert report.connections[system].state == "unavailable"
    assert sorted(world.open()) == [0, 3, 3]
    assert report.duration_s < 60


def test_leads_are_read_beside_a_list_that_hangs(stage: Make) -> None:
    world = stage()
    people = crowd(world, 3)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    hang(world, "reply", lambda call: call.path.startswith("/contacts"))
    read: list[float] = []
    world.meanwhile("superfone", "tasks of contact", lambda: read.append(world.loop.time()), times=3)
    began = world.loop.time()

    world.again(seconds=5)

    assert len(read) == 3
    assert max(read) - began < 10


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_list_that_dribbles_is_given_up(stage: Make, system: str) -> None:
    world = stage()
    world.reply.top_cap = world.highlevel.page_clamp = 2
    people = crowd(world, 12)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    hang(world, system, lambda call: "task" in call.path, 25)
    began = world.loop.time()

    report = world.again(seconds=5)

    assert report.connections[system].state == "unavailable"
    assert world.loop.time() - began < 60


def test_a_long_list_of_an_honest_crm_is_read_to_its_end(stage: Make) -> None:
    world = stage()
    world.reply.top_cap = 2
    for _, contact, _ in crowd(world, 60):
        world.reply.person_creates(contact, "Call", world.due())
    hang(world, "reply", lambda call: call.path.endswith("/filter"), 2)

    world.good()

    assert world.open() == (60, 60, 60)


@pytest.mark.parametrize("count", [1, 3, 10])
def test_leads_that_hang_cost_their_time_out_once_and_nobody_else(stage: Make, count: int) -> None:
    world = stage()
    people = crowd(world, 40)
    for lead, _, _ in (*people[:count], *people[20:23], people[-1]):
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    hang(world, "superfone", of_leads([lead for lead, _, _ in people[:count]]), 10, ends=True)
    world.complete_in("highlevel")
    world.again(2)
    assert len(world.superfone_open()) == count
    world.everywhere("Dina", "+919876543219")

    began = world.loop.time()
    _, contact, _ = people[-1]
    world.reply.person_creates(contact, "Call", world.due())
    report = world.again(seconds=5)

    assert report.created["superfone"] == 1
    assert world.loop.time() - began < 60


def _in_doubt(world: Stage, count: int) -> list[str]:
    """Leads in each of which a create is in doubt; there are others beside them."""
    people = crowd(world, count + 3)[:count]
    for _, contact, _ in people:
        world.reply.person_creates(contact, "Call", world.due())
    world.fail("superfone", "create", Fault.LOST_REQUEST, times=count)
    world.again()
    return [lead for lead, _, _ in people]


def test_leads_in_doubt_that_hang_are_read_side_by_side(stage: Make) -> None:
    world = stage()
    leads = _in_doubt(world, 8)
    hang(world, "superfone", of_leads(leads), 10, ends=True)
    began = world.loop.time()

    reports = [world.again(seconds=5) for _ in range(3)]

    assert world.loop.time() - began < 3 * 30
    assert ("superfone", "unread") in waiting(reports[0])
    assert ("superfone", "failing") not in attention(reports[1])
    assert ("superfone", "failing") in attention(reports[2])
