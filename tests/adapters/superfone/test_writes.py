"""Creating and completing, and whose account it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import Fault, json_reply
from adapters.superfone.adapter import SuperfoneAdapter
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.adapter import Identity
from syncer.contract.errors import InDoubt, NothingOpen, Refused, WrongAccount
from syncer.domain.model import Kind, Listing, Reading, State, TaskRef
from tests.support.superfone_kit import (
    DUE,
    NOW,
    PHONE,
    ROW,
    SuperfoneClock,
    Work,
    add,
    against,
    complete,
    create,
    draft,
    find,
    listing,
    saying,
    within,
)


@pytest.mark.parametrize("kind", [Kind.FOLLOW_UP_CALL, Kind.CALLBACK, Kind.SITE_VISIT, Kind.REMINDER])
def test_a_created_task_comes_back_as_it_was_meant(room: SuperfoneSandbox, kind: Kind) -> None:
    notify_at = NOW + timedelta(hours=1)
    wanted = draft(12345, kind, body="Bring two copies.", notify_at=notify_at)

    async def both(adapter: SuperfoneAdapter) -> tuple[Reading, Listing[Reading]]:
        return await adapter.create_task(wanted), await adapter.list_contact_tasks("12345")

    made, tasks = within(room, both)
    assert tasks.rows == (made,)
    assert (made.kind, made.due, made.state, made.contact) == (kind, DUE, State.OPEN, "12345")
    assert (made.title, made.body, made.created_by, made.notify_at) == (None, None, "1", notify_at)
    assert room.task(made.remote_id).note == "Ask for the contract\nBring two copies."


def test_a_reminder_that_is_too_late_by_their_clock_is_left_out() -> None:
    room = SuperfoneSandbox(SuperfoneClock(NOW + timedelta(minutes=10)))
    room.add_lead("Asha", [PHONE])
    wanted = draft(12345, notify_at=NOW + timedelta(minutes=5))
    made = within(room, lambda adapter: adapter.create_task(wanted))
    assert room.task(made.remote_id).open
    assert [status for _, status in room.calls] == [400, 200]


def test_what_is_refused_for_another_reason_is_not_sent_again(room: SuperfoneSandbox) -> None:
    with pytest.raises(Refused):
        within(room, lambda adapter: adapter.create_task(draft(999, notify_at=NOW + timedelta(hours=1))))
    with pytest.raises(Refused):
        within(room, lambda adapter: adapter.create_task(draft("a-lead")))
    assert len(room.calls) == 2


def test_a_todo_takes_the_configured_type(room: SuperfoneSandbox) -> None:
    made = within(room, lambda adapter: adapter.create_task(draft(12345, Kind.TODO)), todo_type="FIRST_CALL")
    assert (made.raw_type, made.exclusive) == ("FIRST_CALL", True)
    made = within(room, lambda adapter: adapter.create_task(draft(12345, Kind.TODO)))
    assert (made.raw_type, made.exclusive) == ("REMINDER", False)


def test_kinds_without_a_type_are_refused_unsent(room: SuperfoneSandbox) -> None:
    with pytest.raises(Refused):
        within(room, lambda adapter: adapter.create_task(draft(12345, Kind.EMAIL)))
    assert room.calls == []


def test_the_stack(room: SuperfoneSandbox) -> None:
    """A create closes what was in the slot; a completion closes the top, which is the reminder here."""
    theirs = room.person_creates(12345, "SITE_VISIT", DUE)
    reminder = room.person_creates(12345, "REMINDER", DUE)
    made = within(room, create)
    assert not room.task(theirs).open
    late = room.person_creates(12345, "REMINDER", DUE)
    closed = [within(room, complete) for _ in range(3)]
    assert [task.remote_id for task in closed] == [str(late), made.remote_id, str(reminder)]
    assert {task.state for task in closed} == {State.DONE}
    with pytest.raises(NothingOpen):
        within(room, complete)


def test_a_completion_has_no_body(room: SuperfoneSandbox) -> None:
    room.person_creates(12345, "BOOKING", DUE)
    within(room, complete)
    assert [call.body for call, _ in room.calls] == [b""]


@pytest.mark.parametrize("answer", [{"id": 99}, {"id": "99", "type": None, "customer_id": None}])
def test_a_terse_answer_to_a_create_is_filled_from_the_request(answer: dict[str, Any]) -> None:
    made = against(saying(201, {"data": answer}), create)
    assert (made.remote_id, made.raw_type, made.due) == ("99", "FOLLOW_UP_CALL", DUE)
    assert (made.state, made.contact, made.created_at) == (State.OPEN, "12345", None)


@pytest.mark.parametrize("work", [create, complete])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        {},
        {"data": None},
        {"data": [ROW]},
        {"data": {**ROW, "id": None}},
        {"data": {**ROW, "task_status": "SNOOZED"}},
        {"data": {**ROW, "customer_id": 6}},
    ],
)
def test_a_success_that_cannot_be_read_is_in_doubt(work: Work, body: object) -> None:
    with pytest.raises(InDoubt):
        against(saying(200, body), work)


def test_a_completion_that_says_open_is_in_doubt() -> None:
    with pytest.raises(InDoubt, match="4567"):
        against(saying(200, {"data": ROW}), complete)


def test_the_organisation_is_learned_and_then_kept(room: SuperfoneSandbox) -> None:
    room.person_creates(12345, "BOOKING", DUE)

    async def main(adapter: SuperfoneAdapter) -> None:
        assert (await adapter.identity()).id is None
        await find(adapter)
        assert adapter.expected_identity == "42"
        assert await adapter.identity() == Identity("42", "organisation 42")
        room.org_id = 43
        for work in (find, listing, complete, create, add):
            with pytest.raises(WrongAccount) as caught:
                await work(adapter)
            assert (caught.value.expected, caught.value.found) == ("42", "43")

    within(room, main)


def test_the_ledgers_organisation_is_asked_for(room: SuperfoneSandbox) -> None:
    async def main(adapter: SuperfoneAdapter) -> None:
        adapter.expected_identity = "7"
        with pytest.raises(WrongAccount, match="42"):
            await find(adapter)
        assert (await adapter.identity()).id == "7"

    within(room, main)


def test_check_proves_the_key_and_the_address(room: SuperfoneSandbox) -> None:
    checks = within(room, lambda adapter: adapter.check())
    assert [check.ok for check in checks] == [True, True]
    assert {call.method for call, _ in room.calls} == {"GET"}


def test_check_with_a_lead_1(room: SuperfoneSandbox) -> None:
    other = SuperfoneSandbox(room.clock, first_lead=1)
    other.add_lead("Asha", [PHONE])
    assert [check.ok for check in within(other, lambda adapter: adapter.check())] == [True, True]


def test_check_says_what_is_wrong(room: SuperfoneSandbox) -> None:
    room.api_key = "changed"
    (check,) = within(room, lambda adapter: adapter.check())
    assert not check.ok
    assert check.detail == "UnAuthorized, Please Provide Valid API Key"
    assert "Superfone team" in check.advice
    checks = against(saying(404, b"<html>nothing here</html>"), lambda adapter: adapter.check())
    assert [check.ok for check in checks] == [False]
    assert "base_url" in checks[0].advice
    (check,) = against(saying(503, b"busy"), lambda adapter: adapter.check())
    assert not check.ok
    (check,) = against(saying(429, {"message": "Too Many Requests"}), lambda adapter: adapter.check())
    assert "no more requests for now" in check.advice


def test_check_does_not_say_that_a_refused_number_proves_the_key() -> None:
    checks = against(saying(400, {"message": "phone is malformed"}), lambda adapter: adapter.check())
    assert (checks[0].ok, checks[0].detail) == (None, "phone is malformed")
    assert len(checks) == 2


@pytest.mark.parametrize(
    ("status", "words", "ok", "advice"),
    [
        (404, "Lead not found", True, ""),
        (404, "Cannot GET /lead/1/task", False, "superfone.base_url"),
        (400, "lead_id must be a number", False, "superfone.base_url"),
        (401, "UnAuthorized, Please Provide Valid API Key", False, "superfone.api_key"),
        (403, "not allowed", False, "superfone.api_key"),
        (503, "busy", False, "superfone.base_url"),
    ],
)
def test_check_of_the_task_calls(room: SuperfoneSandbox, status: int, words: str, *, ok: bool, advice: str) -> None:
    honest, answer = room.handle, json_reply(status, {"message": words})
    room.handle = lambda call: answer if call.path.endswith("/task") else honest(call)  # type: ignore[method-assign]
    key, tasks = within(room, lambda adapter: adapter.check())
    assert (key.ok, tasks.ok, tasks.what) == (True, ok, "list the tasks of a lead")
    assert advice in tasks.advice
    assert bool(tasks.advice) is not ok
    assert tasks.detail == ("it answers" if ok else words)


def test_check_without_the_right_to_read_tasks(room: SuperfoneSandbox) -> None:
    room.fault = lambda call: Fault.UNAUTHORIZED if call.path.endswith("/task") else None
    checks = within(room, lambda adapter: adapter.check())
    assert [check.ok for check in checks] == [True, False]


def test_what_superfone_cannot_do(room: SuperfoneSandbox) -> None:
    cannot: list[Work] = [
        lambda adapter: adapter.list_tasks(),
        lambda adapter: adapter.get_task(TaskRef("superfone", "1", "2")),
        lambda adapter: adapter.list_contacts(),
        lambda adapter: adapter.get_contact("1"),
    ]
    for work in cannot:
        with pytest.raises(NotImplementedError):
            within(room, work)
    assert room.calls == []


def test_requests_are_counted(room: SuperfoneSandbox) -> None:
    async def main(adapter: SuperfoneAdapter) -> tuple[int, int]:
        assert adapter.system == "superfone"
        assert adapter.capabilities.notes
        await find(adapter)
        await listing(adapter)
        await create(adapter)
        return adapter.wire.reads, adapter.wire.writes

    assert within(room, main) == (2, 1)
