"""Completing a task in Reply: once, by its id, and what a refusal means."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from adapters.sandbox import Call, Fault
from syncer.contract.errors import InDoubt, Refused, Unavailable
from syncer.domain.model import State
from tests.support.clock import run_virtual
from tests.support.reply_world import DUE, WHOLE, ReplyWorld, answering, ref


@pytest.mark.parametrize("status", [400, 409])
def test_completing_what_somebody_has_closed_is_its_reading(status: int) -> None:
    world = ReplyWorld()
    world.crm.finished_status = status
    done, cancelled = (world.crm.person_creates(None, "Call", DUE) for _ in range(2))
    world.crm.person_completes(done)
    world.crm.person_cancels(cancelled)
    assert asyncio.run(world.reply.complete_task(ref(done))).state is State.DONE
    assert asyncio.run(world.reply.complete_task(ref(cancelled))).state is State.CANCELLED


def test_a_refused_completion_of_an_open_task_is_refused_in_replys_words() -> None:
    world = ReplyWorld()
    task_id = world.crm.person_creates(None, "Call", DUE)
    refuse_completions(world)
    with pytest.raises(Refused, match=r"is Archived task\.cannotComplete"):
        asyncio.run(world.reply.complete_task(ref(task_id)))


def test_a_task_that_moves_to_its_next_date_comes_back_open() -> None:
    world = ReplyWorld()
    task_id = world.crm.person_creates(None, "Call", DUE, every=timedelta(days=7))
    after = asyncio.run(world.reply.complete_task(ref(task_id)))
    assert (after.state, after.due) == (State.OPEN, DUE + timedelta(days=7))
    assert world.paths() == [f"POST /tasks/{task_id}/complete", f"GET /tasks/{task_id}"]


def test_an_answer_from_before_the_completion_is_settled_by_reading() -> None:
    after = asyncio.run(answering(WHOLE, {**WHOLE, "status": 1}).complete_task(ref("5")))
    assert after.state is State.DONE


@pytest.mark.parametrize("again", [b"", {"id": 6}, {**WHOLE, "id": 6}])
def test_an_open_task_that_cannot_be_read_again_is_in_doubt(again: object) -> None:
    with pytest.raises(InDoubt, match="reading it again failed"):
        asyncio.run(answering(WHOLE, again).complete_task(ref("5")))


def refuse_completions(world: ReplyWorld) -> None:
    """Somebody reopens the task right after Reply has refused to complete it."""

    def finish(call: Call) -> None:
        if call.path.endswith("/complete"):
            world.crm.person_cancels(call.path.split("/")[2], "Archived")

    def reopen(call: Call, _reply: object) -> None:
        if call.path.endswith("/complete"):
            world.crm.person_reopens(call.path.split("/")[2])

    world.crm.before, world.crm.after = finish, reopen


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE])
def test_a_refused_completion_that_cannot_be_looked_into_is_in_doubt(fault: Fault) -> None:
    world = ReplyWorld()
    task_id = world.crm.person_creates(None, "Call", DUE)
    world.crm.person_completes(task_id)
    world.crm.fault = lambda call: fault if call.method == "GET" else None
    with pytest.raises(InDoubt, match=r"cannotComplete; reading the task again failed"):
        run_virtual(world.reply.complete_task(ref(task_id)))


@pytest.mark.parametrize(("given_resolution", "sent"), [(2, 2), ("negative", 2), ("toCall", 1), (0, 0)])
def test_a_call_resolution_is_sent_for_calls_only(given_resolution: object, sent: int) -> None:
    world = ReplyWorld(call_resolution=given_resolution)
    call, visit = (world.crm.person_creates(None, kind, DUE) for kind in ("Call", "Meeting"))
    asyncio.run(world.reply.complete_task(ref(call)))
    asyncio.run(world.reply.complete_task(ref(visit)))
    assert world.sent(f"/tasks/{call}/complete") == {"callResolution": sent}
    assert world.sent(f"/tasks/{visit}/complete") == {}


def test_without_a_configured_resolution_none_is_sent() -> None:
    world = ReplyWorld()
    call = world.crm.person_creates(None, "Call", DUE)
    asyncio.run(world.reply.complete_task(ref(call)))
    assert world.paths() == [f"POST /tasks/{call}/complete"]
    assert world.sent(f"/tasks/{call}/complete") == {}


def test_a_completion_that_needs_the_type_first_is_not_sent_where_it_cannot_be_read() -> None:
    world = ReplyWorld(call_resolution=1)
    done, other = (world.crm.person_creates(None, "Call", DUE) for _ in range(2))
    world.crm.person_completes(done)
    assert asyncio.run(world.reply.complete_task(ref(done))).state is State.DONE
    world.crm.fault = lambda _call: Fault.ERROR_BEFORE
    with pytest.raises(Unavailable):
        run_virtual(world.reply.complete_task(ref(other)))
    assert not any(path.startswith("POST") for path in world.paths())
