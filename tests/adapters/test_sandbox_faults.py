"""What can be made to go wrong in every sandbox for good: one call, one thing, the answer to a create."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, Literal

import pytest
from starlette.types import Message

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Fault, Reply, application
from adapters.superfone.sandbox import SuperfoneSandbox
from tests.support.clock import START

HEADERS = {
    "x-api-key": "a key",
    "authorization": "Bearer a key",
    "version": "2021-07-28",
}


class Room:
    """One sandbox with two contacts, two tasks of the first and one of the second."""

    def __init__(self, system: str) -> None:
        self.crm: Any
        body: dict[str, object]
        if system == "superfone":
            self.crm = SuperfoneSandbox(lambda: START, api_key="a key")
            self.asha = self.crm.add_lead("Asha", ["+919876543210"])
            other = self.crm.add_lead("Ravi", ["+919876543211"])
            made = [(self.asha, "REMINDER"), (self.asha, "BOOKING"), (other, "BOOKING")]
            self.tasks = [
                self.crm.person_creates(lead, kind, START + timedelta(hours=n + 1))
                for n, (lead, kind) in enumerate(made)
            ]
            self.list_call = self.call("GET", f"/enterprise/api/lead/{self.asha}/task")
            body = {"type": "REMINDER", "due_date": "2026-07-01T09:00:00Z"}
            self.create_call = self.call("POST", f"/enterprise/api/lead/{self.asha}/task", body)
        elif system == "reply":
            self.crm = ReplySandbox(lambda: START, api_key="a key")
            self.asha, other = self.crm.add_contact("Asha"), self.crm.add_contact("Ravi")
            self.tasks = [
                self.crm.person_creates(who, "Call", START + timedelta(hours=n + 1))
                for n, who in enumerate([self.asha, self.asha, other])
            ]
            self.list_call = self.call("POST", "/tasks/filter", {})
            times = {"startAt": "2026-06-01T09:00:00Z", "dueTo": "2026-07-01T09:00:00Z"}
            body = {"taskType": 2, "template": {"body": "x"}, "contactId": int(self.asha), **times}
            self.create_call = self.call("POST", "/tasks", body)
        else:
            self.crm = HighLevelSandbox(lambda: START, token="a key")
            self.asha, other = self.crm.add_contact("Asha"), self.crm.add_contact("Ravi")
            self.tasks = [
                self.crm.person_creates(who, "Call", START + timedelta(hours=n + 1))
                for n, who in enumerate([self.asha, self.asha, other])
            ]
            self.list_call = self.call("GET", f"/contacts/{self.asha}/tasks")
            body = {"title": "x", "dueDate": "2026-07-01T09:00:00Z", "completed": False}
            self.create_call = self.call("POST", f"/contacts/{self.asha}/tasks", body)

    def call(self, method: str, path: str, body: object = None) -> Call:
        return Call(method, path, {}, HEADERS, b"" if body is None else json.dumps(body).encode())

    def rows(self, reply: Reply) -> dict[str, dict[str, Any]]:
        """The tasks that an answer shows, by id."""
        return {str(row["id"]): row for row in _tasks_in(json.loads(reply.body))}


def _tasks_in(shown: Any) -> list[dict[str, Any]]:
    if isinstance(shown, list):
        return [task for item in shown for task in _tasks_in(item)]
    if not isinstance(shown, dict):
        return []
    if shown.keys() & {"dueDate", "dueTo", "due_date"}:
        return [shown]
    return [task for value in shown.values() for task in _tasks_in(value)]


@pytest.fixture(params=["superfone", "reply", "highlevel"])
def room(request: pytest.FixtureRequest) -> Room:
    return Room(request.param)


def test_a_lasting_fault_is_of_those_calls_alone(room: Room) -> None:
    room.crm.lasting.append((room.list_call.method, room.list_call.path, Fault.ERROR_BEFORE))
    assert [room.crm.exchange(room.list_call).status for _ in range(3)] == [503, 503, 503]
    assert room.crm.exchange(room.create_call).status in {200, 201}
    assert len(room.crm.tasks(room.asha) if room.crm.system == "superfone" else room.crm.tasks()) >= 3


def test_a_lasting_fault_of_any_method(room: Room) -> None:
    room.crm.lasting.append(("", ".*", Fault.FORBIDDEN))
    for call in (room.list_call, room.create_call):
        reply = room.crm.exchange(call)
        assert reply.status == 403
        assert json.loads(reply.body)


def test_what_is_garbled_is_garbled_wherever_it_is_shown(room: Room) -> None:
    first, second = map(str, room.tasks[:2])
    room.crm.garbled[first] = {"status": 77, "task_status": 77, "completed": 77}
    rows = room.rows(room.crm.exchange(room.list_call))
    assert 77 in rows[first].values()
    assert 77 not in rows[second].values()


@pytest.mark.parametrize(("fault", "status"), [(Fault.GATEWAY_404, 404), (Fault.GATEWAY_200, 200)])
def test_a_gateways_page(room: Room, fault: Fault, status: int) -> None:
    before = len(room.rows(room.crm.exchange(room.list_call)))
    room.crm.fault = lambda _call: fault
    reply = room.crm.exchange(room.create_call)
    assert reply.status == status
    assert reply.body.startswith(b"<!DOCTYPE html>")
    room.crm.fault = lambda _call: None
    assert len(room.rows(room.crm.exchange(room.list_call))) == before, "nothing happened"


def test_a_byte_order_mark(room: Room) -> None:
    plain = room.crm.exchange(room.list_call).body
    room.crm.fault = lambda _call: Fault.BOM
    assert room.crm.exchange(room.list_call).body == b"\xef\xbb\xbf" + plain


@pytest.mark.parametrize("lie", ["task", "contact", "due"])
def test_a_create_that_lies(room: Room, lie: Literal["task", "contact", "due"]) -> None:
    room.crm.lying_create = lie
    (shown,) = room.rows(room.crm.exchange(room.create_call)).values()
    whose = str(shown.get("contactId", shown.get("customer_id")))
    due = next(str(shown[name]) for name in ("dueDate", "dueTo", "due_date") if name in shown)
    assert (str(shown["id"]) in map(str, room.tasks)) == (lie == "task")
    assert (whose != str(room.asha)) == (lie == "contact")
    assert (not due.startswith("2026-07-01T09:00:00")) == (lie == "due")


def test_a_client_that_dies_while_it_sends_is_no_error_of_the_server() -> None:
    crm = ReplySandbox(lambda: START)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        pass

    scope = {"type": "http", "method": "POST", "path": "/tasks", "query_string": b"", "headers": []}
    asyncio.run(application(crm)(scope, receive, send))
    assert not crm.calls
