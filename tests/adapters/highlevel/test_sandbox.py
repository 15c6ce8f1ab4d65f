"""The simulated HighLevel by itself: what is publicly known of the real one."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.sandbox import Call
from tests.support.clock import START
from tests.support.highlevel_kit import DUE, LOCATION, HighLevelClock, a_clock, a_contact, a_sandbox  # noqa: F401 - fixtures

HEADERS = {"authorization": "Bearer highlevel-token", "version": "2021-07-28"}
NEW_TASK = {"title": "Call", "dueDate": "2020-10-25T11:00:00Z", "completed": False}


def call(
    sandbox: HighLevelSandbox, method: str, path: str, body: object = None, query: dict[str, str] | None = None
) -> tuple[int, Any]:
    content = b"" if body is None else json.dumps(body).encode()
    reply = sandbox.handle(Call(method, path, query or {}, HEADERS, content))
    return reply.status, json.loads(reply.body)


def search(sandbox: HighLevelSandbox, **body: object) -> list[dict[str, Any]]:
    status, answer = call(sandbox, "POST", f"/locations/{LOCATION}/tasks/search", body)
    assert status == 201
    rows: list[dict[str, Any]] = answer["tasks"]
    return rows


class TestDoor:
    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ({}, "Invalid token"),
            ({**HEADERS, "authorization": "Bearer other"}, "Invalid token"),
            ({"authorization": HEADERS["authorization"]}, "version header was not found."),
            ({**HEADERS, "version": "2020-01-01"}, "version header is invalid"),
        ],
    )
    def test_token_and_version(self, sandbox: HighLevelSandbox, headers: dict[str, str], words: str) -> None:
        reply = sandbox.handle(Call("GET", "/contacts/C1", {}, headers))
        assert reply.status == 401
        assert words in reply.body.decode()

    def test_a_missing_scope_is_a_401(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.scopes = frozenset({"contacts.readonly"})
        assert call(sandbox, "GET", f"/contacts/{contact}/tasks")[0] == 200
        status, answer = call(sandbox, "POST", f"/contacts/{contact}/tasks", NEW_TASK)
        assert (status, answer["message"]) == (401, "The token is not authorized for this scope.")

    def test_another_location(self, sandbox: HighLevelSandbox) -> None:
        assert call(sandbox, "POST", "/locations/other/tasks/search", {})[0] == 403

    @pytest.mark.parametrize("path", ["/contacts/tasks/search", "/tasks/search", "/contacts/C1/tasks/T1/completed"])
    def test_no_such_address(self, sandbox: HighLevelSandbox, path: str) -> None:
        status, answer = call(sandbox, "POST", path, {})
        assert (status, answer["message"]) == (404, f"Cannot POST {path}")

    def test_budgets_are_told(self, sandbox: HighLevelSandbox) -> None:
        headers = sandbox.handle(Call("GET", "/", {}, HEADERS)).headers
        assert headers["X-RateLimit-Interval-Milliseconds"] == "10000"
        assert headers["X-RateLimit-Remaining"] == "99"
        throttled = sandbox.throttled()
        assert (throttled.status, throttled.headers["X-RateLimit-Remaining"]) == (429, "0")
        assert "Retry-After" not in throttled.headers

    def test_searches_are_no_writes(self, sandbox: HighLevelSandbox) -> None:
        writes = {
            (method, path): sandbox.is_write(Call(method, path))
            for method, path in [
                ("POST", f"/locations/{LOCATION}/tasks/search"),
                ("POST", "/contacts/search"),
                ("GET", "/contacts/search/duplicate"),
                ("POST", "/contacts/"),
                ("POST", "/contacts/C1/tasks"),
                ("PUT", "/contacts/C1/tasks/T1/completed"),
            ]
        }
        assert list(writes.values()) == [False, False, False, True, True, True]

    def test_ids_are_the_same_every_time(self) -> None:
        made = [
            [box.add_contact(), box.add_contact()] for box in (HighLevelSandbox(HighLevelClock()) for _ in range(2))
        ]
        assert made[0] == made[1]
        assert made[0][0] != made[0][1]
        assert all(len(one) == 20 and one.isalnum() for one in made[0])


class TestTasks:
    def test_create_read_complete_reopen_change_delete(self, sandbox: HighLevelSandbox, contact: str) -> None:
        status, answer = call(sandbox, "POST", f"/contacts/{contact}/tasks", NEW_TASK | {"body": "text"})
        assert status == 201
        task = answer["task"]
        assert task == {
            "id": task["id"],
            "title": "Call",
            "body": "text",
            "dueDate": "2020-10-25T11:00:00.000Z",
            "completed": False,
            "contactId": contact,
        }
        path = f"/contacts/{contact}/tasks/{task['id']}"
        assert call(sandbox, "GET", path) == (200, {"task": task})
        assert call(sandbox, "PUT", f"{path}/completed", {"completed": True})[1]["task"]["completed"] is True
        assert call(sandbox, "PUT", f"{path}/completed", {"completed": False})[1]["task"]["completed"] is False
        assert call(sandbox, "PUT", path, {"title": "Visit"})[1]["task"] == task | {"title": "Visit"}
        assert call(sandbox, "DELETE", path) == (200, {"succeded": True})
        assert call(sandbox, "GET", path)[0] == 400
        assert call(sandbox, "GET", f"/contacts/{contact}/tasks") == (200, {"tasks": []})

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"contactId": "C1"}, "property contactId should not exist"),
            ({"status": "open"}, "property status should not exist"),
            ({"due_date": "x"}, "property due_date should not exist"),
            ({"title": ""}, "title"),
            ({"title": 7}, "title"),
            ({"dueDate": "soon"}, "dueDate must be a valid ISO 8601 date string"),
            ({"completed": "false"}, "completed"),
            ({"body": None}, "body must not be null"),
        ],
    )
    def test_bodies_are_checked(
        self, sandbox: HighLevelSandbox, contact: str, change: dict[str, Any], words: str
    ) -> None:
        status, answer = call(sandbox, "POST", f"/contacts/{contact}/tasks", NEW_TASK | change)
        assert status == 422
        assert any(words in message for message in answer["message"])
        assert sandbox.tasks() == []

    @pytest.mark.parametrize("name", ["title", "dueDate", "completed"])
    def test_required_fields(self, sandbox: HighLevelSandbox, contact: str, name: str) -> None:
        body = {key: value for key, value in NEW_TASK.items() if key != name}
        status, answer = call(sandbox, "POST", f"/contacts/{contact}/tasks", body)
        assert (status, answer["message"]) == (422, [f"{name} should not be empty"])

    def test_a_task_is_found_under_its_contact_only(self, sandbox: HighLevelSandbox, contact: str) -> None:
        other, task = sandbox.add_contact("Ravi"), sandbox.person_creates(contact, "Call")
        assert call(sandbox, "GET", f"/contacts/{other}/tasks/{task}")[0] == 400
        sandbox.person_moves(task, other)
        assert call(sandbox, "GET", f"/contacts/{other}/tasks/{task}")[1]["task"]["contactId"] == other
        sandbox.person_deletes_contact(other)
        assert sandbox.task(task).deleted


class TestTaskSearch:
    def test_rows(self, sandbox: HighLevelSandbox, contact: str) -> None:
        task = sandbox.person_creates(contact, "Call", DUE, "text")
        sandbox.person_assigns(task, "U1")
        (row,) = search(sandbox, completed=False)
        assert "id" not in row
        assert (row["_id"], row["locationId"], row["contactId"]) == (task, LOCATION, contact)
        assert (row["status"], row["completed"], row["deleted"]) == ("to_do", False, False)
        assert row["contactDetails"] == {"firstName": None, "lastName": None}
        assert row["assignedToUserDetails"]["id"] == "U1"
        assert row["searchAfter"] == [int(START.timestamp() * 1000), task]
        sandbox.task_cursors = False
        assert "searchAfter" not in search(sandbox)[0]

    def test_filters(self, sandbox: HighLevelSandbox, contact: str) -> None:
        other = sandbox.add_contact("Ravi")
        call_task, visit, done = (
            sandbox.person_creates(contact, "Call"),
            sandbox.person_creates(other, "Visit"),
            sandbox.person_creates(other, "Done"),
        )
        sandbox.person_completes(done)

        def found(**body: object) -> set[str]:
            return {row["_id"] for row in search(sandbox, **body)}

        assert found() == {call_task, visit, done}
        assert found(completed=True) == {done}
        assert found(contactId=[contact]) == {call_task}
        assert found(query="vis") == {visit}
        assert found(assignedTo=["U1"]) == set()

    def test_the_default_page_is_25(self, sandbox: HighLevelSandbox, contact: str) -> None:
        for number in range(30):
            sandbox.person_creates(contact, f"Call {number}")
        assert len(search(sandbox)) == 25
        assert len(search(sandbox, skip=25)) == 5
        assert len(search(sandbox, limit=30)) == 30

    @pytest.mark.parametrize(
        "body", [{"page": 1}, {"limit": "5"}, {"skip": -1}, {"completed": "no"}, {"searchAfter": ["x"]}]
    )
    def test_bodies_are_checked(self, sandbox: HighLevelSandbox, contact: str, body: dict[str, Any]) -> None:
        sandbox.person_creates(contact, "Call")
        assert call(sandbox, "POST", f"/locations/{LOCATION}/tasks/search", body)[0] == 422

    def test_the_index_is_behind_in_everything(
        self, sandbox: HighLevelSandbox, clock: HighLevelClock, contact: str
    ) -> None:
        sandbox.lag = timedelta(seconds=10)
        task = sandbox.person_creates(contact, "Call", DUE)
        shown = []
        acts: tuple[Callable[[], None], ...] = (
            lambda: sandbox.person_retitles(task, "Visit"),
            lambda: sandbox.person_reschedules(task, None),
            lambda: sandbox.person_completes(task),
            lambda: sandbox.person_reopens(task),
            lambda: sandbox.person_deletes(task),
            lambda: None,
        )
        for act in acts:
            clock.tick(10)
            shown += [(row["title"], "dueDate" in row, row["completed"], row["deleted"]) for row in search(sandbox)]
            act()
        assert shown == [
            ("Call", True, False, False),
            ("Visit", True, False, False),
            ("Visit", False, False, False),
            ("Visit", False, True, False),
            ("Visit", False, False, False),
            ("Visit", False, False, True),
        ]


class TestContacts:
    @pytest.mark.parametrize(
        "body",
        [
            {"locationId": LOCATION},
            {"pageLimit": 1},
            {"locationId": LOCATION, "pageLimit": 501},
            {"locationId": LOCATION, "pageLimit": 1, "page": 1, "searchAfter": [1, "x"]},
            {"locationId": LOCATION, "pageLimit": 500, "page": 21},
            {"locationId": LOCATION, "pageLimit": 1, "limit": 1},
        ],
    )
    def test_the_search_is_strict(self, sandbox: HighLevelSandbox, body: dict[str, Any]) -> None:
        assert call(sandbox, "POST", "/contacts/search", body)[0] == 422

    def test_the_search(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.add_contact("Ravi")
        body = {"locationId": LOCATION, "pageLimit": 10, "query": "asha"}
        status, answer = call(sandbox, "POST", "/contacts/search", body)
        assert (status, answer["total"]) == (200, 1)
        (row,) = answer["contacts"]
        assert (row["id"], row["contactName"], row["phone"]) == (contact, "Asha Rao", "+919876543210")

    def test_the_look_up(self, sandbox: HighLevelSandbox, contact: str) -> None:
        def found(**query: str) -> object:
            answer = call(sandbox, "GET", "/contacts/search/duplicate", query={"locationId": LOCATION, **query})[1]
            return answer["contact"] and answer["contact"]["id"]

        assert found(email="ASHA@example.com") == contact
        assert found(number="+91 98765 43210") == contact
        assert found(number=" 919876543210") is None
        assert found() is None
        assert call(sandbox, "GET", "/contacts/search/duplicate")[0] == 422

    def test_a_new_contact_needs_a_key(self, sandbox: HighLevelSandbox) -> None:
        assert call(sandbox, "POST", "/contacts/", {"locationId": LOCATION, "name": "Asha"})[0] == 400
        assert call(sandbox, "POST", "/contacts/", {"locationId": "other", "email": "a@example.com"})[0] == 403

    def test_a_clash_names_who_is_there(self, sandbox: HighLevelSandbox, contact: str) -> None:
        body = {"locationId": LOCATION, "phone": "+919876543210"}
        status, answer = call(sandbox, "POST", "/contacts/", body)
        assert (status, answer["meta"]["contactId"], answer["meta"]["matchingField"]) == (400, contact, "phone")
        sandbox.duplicates_refused = False
        status, answer = call(sandbox, "POST", "/contacts/", body)
        assert (status, answer["contact"]["id"] == contact) == (201, False)

    def test_a_further_number_is_matched_and_not_shown(self, sandbox: HighLevelSandbox) -> None:
        ravi = sandbox.add_contact("Ravi", phone="+919876500000", also=("+919876543210",))
        query = {"locationId": LOCATION, "number": "+919876543210"}
        answer = call(sandbox, "GET", "/contacts/search/duplicate", query=query)[1]
        assert answer["contact"]["id"] == ravi
        assert "+919876543210" not in str(answer)

    def test_a_task_that_recurs_moves_on(self, sandbox: HighLevelSandbox, contact: str) -> None:
        due = datetime(2026, 5, 19, 9, tzinfo=UTC)
        task = sandbox.person_creates(contact, "Call", due, every=timedelta(days=7))
        answer = call(sandbox, "PUT", f"/contacts/{contact}/tasks/{task}/completed", {"completed": True})[1]
        assert (answer["task"]["completed"], answer["task"]["dueDate"]) == (False, "2026-05-26T09:00:00.000Z")
        sandbox.person_completes(task)
        assert (sandbox.task(task).completed, sandbox.task(task).due) == (False, "2026-06-02T09:00:00.000Z")

    def test_an_edited_contact(self, sandbox: HighLevelSandbox, contact: str) -> None:
        sandbox.person_edits_contact(contact, phone="+911234567890")
        assert call(sandbox, "GET", f"/contacts/{contact}")[1]["contact"]["phone"] == "+911234567890"
        assert [one.phone for one in sandbox.contacts()] == ["+911234567890"]
