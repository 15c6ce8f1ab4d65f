"""The sandbox says what Superfone's documentation says, to the word."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from adapters.sandbox import Call, Reply
from adapters.superfone.sandbox import SuperfoneSandbox
from tests.support.superfone_kit import DUE, NOW, PHONE, SuperfoneClock, sandbox

API = "/enterprise/api/lead"
ALLOWED = "FOLLOW_UP_CALL, FIRST_CALL, CALLBACK_REQUEST, SITE_VISIT, REMINDER, BOOKING"
TASK = {"type": "FOLLOW_UP_CALL", "due_date": "2026-05-20T15:00:00Z"}


def send(
    room: SuperfoneSandbox,
    method: str,
    path: str,
    body: Any = None,
    *,
    key: str | None = "superfone-key",
    **query: str,
) -> Reply:
    headers = {} if key is None else {"x-api-key": key}
    return room.handle(Call(method, path, query, headers, b"" if body is None else json.dumps(body).encode()))


def data(reply: Reply) -> Any:
    assert reply.status == 200, reply.body
    answer = json.loads(reply.body)
    assert answer["message"] == "success"
    return answer["data"]


@pytest.fixture
def room() -> SuperfoneSandbox:
    made = sandbox()
    assert made.add_lead("Asha", [PHONE, "+912223456789"], ["asha@example.com"]) == 12345
    return made


REFUSALS: list[tuple[str, str, Any, dict[str, str], int, str]] = [
    ("POST", "/x/task", TASK, {}, 400, "lead_id must be a number"),
    ("POST", "/12345/task", None, {}, 400, "Request body is empty"),
    ("POST", "/12345/task", {}, {}, 400, "Request body is empty"),
    ("POST", "/12345/task", {"due_date": "2026-05-20T15:00:00Z"}, {}, 400, "type is required"),
    (
        "POST",
        "/12345/task",
        {**TASK, "type": "EMAIL"},
        {},
        400,
        f'type "EMAIL" is not available for creation. Allowed: {ALLOWED}',
    ),
    ("POST", "/12345/task", {"type": "BOOKING"}, {}, 400, "due_date is required"),
    ("POST", "/999/task", TASK, {}, 404, "Lead not found"),
    ("POST", "/x/task/complete", None, {}, 400, "lead_id must be a number"),
    ("POST", "/12345/task/complete", None, {}, 400, "No open task found for this lead"),
    ("POST", "/999/task/complete", None, {}, 404, "Lead not found"),
    ("GET", "/x/task", None, {}, 400, "lead_id must be a number"),
    ("GET", "/12345/task", None, {"page_size": "abc"}, 400, "page_size must be a positive integer"),
    ("GET", "/12345/task", None, {"page_size": "0"}, 400, "page_size must be a positive integer"),
    ("GET", "/12345/task", None, {"page_size": "21"}, 400, "page_size cannot exceed 20"),
    ("GET", "/999/task", None, {}, 404, "Lead not found"),
    ("POST", "", {"first_name": "Asha"}, {}, 400, "Customer phone is required to identify the record to update"),
    ("POST", "", {"customer_phone": "+14155550100"}, {}, 400, "Customer not found"),
]


@pytest.mark.parametrize(("method", "path", "body", "query", "status", "message"), REFUSALS)
def test_refusals(
    room: SuperfoneSandbox, method: str, path: str, body: Any, query: dict[str, str], status: int, message: str
) -> None:
    reply = send(room, method, API + path, body, **query)
    assert (reply.status, json.loads(reply.body)) == (status, {"message": message})


@pytest.mark.parametrize("key", [None, "", "another"])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("GET", "/x/task"), ("POST", "/x/task/complete")]
)
def test_the_key_is_looked_at_first(room: SuperfoneSandbox, key: str | None, method: str, path: str) -> None:
    reply = send(room, method, API + path, key=key)
    assert reply.status == 401
    assert json.loads(reply.body) == {"message": "UnAuthorized, Please Provide Valid API Key"}


def test_a_full_account_refuses_tasks(room: SuperfoneSandbox) -> None:
    room.storage_full = True
    reply = send(room, "POST", f"{API}/12345/task", TASK)
    assert (reply.status, json.loads(reply.body)) == (404, {"message": "Lead storage is full"})
    assert room.tasks(12345) == ()


def test_a_created_task_looks_like_the_documented_sample() -> None:
    room = SuperfoneSandbox(SuperfoneClock(NOW, timedelta(0)))
    lead = room.add_lead("Asha", [PHONE])
    assert data(send(room, "POST", f"{API}/{lead}/task", {**TASK, "customer_note": "Asked for a discount."})) == {
        "id": 4567,
        "org_id": 42,
        "customer_id": 12345,
        "title": None,
        "type": "FOLLOW_UP_CALL",
        "type_name": None,
        "due_date": "2026-05-20T15:00:00.000Z",
        "notify_at": "2026-05-20T14:50:00.000Z",
        "notify": True,
        "task_status": "PENDING",
        "status": "ACTIVE",
        "assignee_user_id": 678,
        "created_by": 1,
        "updated_by": None,
        "created_at": "2026-05-19T08:30:00.000Z",
        "updated_at": "2026-05-19T08:30:00.000Z",
    }
    assert room.task(4567).note == "Asked for a discount."


def test_a_completed_task_looks_like_the_documented_sample(room: SuperfoneSandbox) -> None:
    data(send(room, "POST", f"{API}/12345/task", TASK))
    closed = data(send(room, "POST", f"{API}/12345/task/complete"))
    assert "type_name" not in closed
    assert (closed["task_status"], closed["status"], closed["updated_by"]) == ("COMPLETE", "COMPLETE", 1)


@pytest.mark.parametrize(
    ("raw_type", "notify_at"),
    [
        ("REMINDER", "2026-05-20T15:00:00.000Z"),
        ("FIRST_CALL", "2026-05-19T08:30:00.000Z"),
        ("BOOKING", "2026-05-20T14:50:00.000Z"),
    ],
)
def test_default_notifications(raw_type: str, notify_at: str) -> None:
    room = SuperfoneSandbox(SuperfoneClock(NOW, timedelta(0)))
    lead = room.add_lead("Asha", [PHONE])
    assert data(send(room, "POST", f"{API}/{lead}/task", {**TASK, "type": raw_type}))["notify_at"] == notify_at


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"notify_at": "2026-05-20T15:00:01Z"}, "notify_at"),
        ({"notify_at": "2026-05-19T08:30:00Z"}, "notify_at"),
        ({"notify_at": "soon"}, "notify_at"),
        ({"due_date": "tomorrow"}, "due_date"),
    ],
)
def test_dates_that_cannot_be_are_refused(room: SuperfoneSandbox, changes: dict[str, str], words: str) -> None:
    reply = send(room, "POST", f"{API}/12345/task", {**TASK, **changes})
    assert reply.status == 400
    assert words in json.loads(reply.body)["message"]


def test_a_new_task_closes_the_others_but_no_reminder(room: SuperfoneSandbox) -> None:
    first = room.person_creates(12345, "SITE_VISIT", DUE)
    reminder = room.person_creates(12345, "REMINDER", DUE)
    made = data(send(room, "POST", f"{API}/12345/task", TASK))
    assert [task.id for task in room.open_tasks(12345)] == [made["id"], reminder]
    closed = room.task(first)
    assert (closed.open, closed.updated_by) == (False, 1)
    assert closed.updated_at == room.task(made["id"]).created_at


def test_a_reminder_closes_nothing(room: SuperfoneSandbox) -> None:
    call = room.person_creates(12345, "FIRST_CALL", DUE)
    data(send(room, "POST", f"{API}/12345/task", {**TASK, "type": "REMINDER"}))
    assert room.task(call).open


def test_the_rule_and_its_trace_are_switchable(room: SuperfoneSandbox) -> None:
    first = room.person_creates(12345, "BOOKING", DUE)
    room.auto_complete = False
    second = room.person_creates(12345, "BOOKING", DUE)
    assert room.task(first).open
    room.auto_complete, room.sibling_actor = True, False
    room.person_creates(12345, "BOOKING", DUE)
    assert not room.task(first).open
    assert (room.task(second).open, room.task(second).updated_by) == (False, None)


def test_complete_closes_the_newest_of_any_type(room: SuperfoneSandbox) -> None:
    call = room.person_creates(12345, "FOLLOW_UP_CALL", DUE)
    reminder = room.person_creates(12345, "REMINDER", DUE)
    closed = [data(send(room, "POST", f"{API}/12345/task/complete"))["id"] for _ in range(2)]
    assert closed == [reminder, call]


def test_lists_are_paged_newest_first(room: SuperfoneSandbox) -> None:
    made = [room.person_creates(12345, "REMINDER", DUE) for _ in range(25)]
    first, second = (data(send(room, "GET", f"{API}/12345/task", page=str(page))) for page in (1, 2))
    assert [row["id"] for row in first["rows"] + second["rows"]] == made[::-1]
    assert (first["total_pages"], first["total_items"], second["current_page"], second["page_size"]) == (2, 25, 2, 20)
    assert data(send(room, "GET", f"{API}/12345/task", page="3"))["rows"] == []


def test_leads_are_found_by_any_number(room: SuperfoneSandbox) -> None:
    for phone in (PHONE, "+912223456789"):
        lead = data(send(room, "GET", API, phone=phone))
        assert (lead["id"], lead["first_name"], lead["email"]) == (12345, "Asha", ["asha@example.com"])
        assert lead["phones"][0] == {"phone": PHONE, "customer_id": 12345}


@pytest.mark.parametrize(("way", "status"), [("404", 404), ("400", 400), ("null", 200)])
def test_ways_to_say_that_there_is_no_lead(
    room: SuperfoneSandbox, way: Literal["404", "400", "null"], status: int
) -> None:
    room.no_lead = way
    assert send(room, "GET", API, phone="+14155550100").status == status


def test_upsert_matches_the_primary_number_alone(room: SuperfoneSandbox) -> None:
    changed = data(send(room, "POST", API, {"customer_phone": PHONE, "first_name": "Mira"}))
    assert (changed["id"], changed["first_name"], changed["email"]) == (12345, "Mira", ["asha@example.com"])
    flag = {"create_customer_if_customer_phone_not_found": True}
    other = data(send(room, "POST", API, {"customer_phone": "+912223456789", **flag}))
    assert other["id"] != 12345
    room.storage_full = True
    assert send(room, "POST", API, {"customer_phone": "+14155550100", **flag}).status == 404


def test_people_change_tasks_and_leave_their_trace(room: SuperfoneSandbox) -> None:
    task = room.person_creates("12345", "BOOKING", DUE, "Sign")
    room.person_completes(str(task), by=7)
    assert (room.task(task).open, room.task(task).updated_by) == (False, 7)
    room.person_reopens(task)
    room.person_reschedules(task, DUE + timedelta(hours=1, microseconds=1500))
    room.person_retitles(task, None)
    now = room.task(task)
    assert (now.open, now.title, now.due) == (True, None, datetime(2026, 5, 20, 16, 0, 0, 1000, tzinfo=UTC))
    assert now.updated_at > now.created_at
    room.person_deletes(task)
    assert room.tasks(12345) == ()
    with pytest.raises(KeyError):
        room.task(task)


def test_who_writes(room: SuperfoneSandbox) -> None:
    assert room.is_write(Call("POST", API))
    assert not room.is_write(Call("GET", API))
    assert send(room, "DELETE", f"{API}/12345/task").status == 404
