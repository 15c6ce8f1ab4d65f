"""The Reply sandbox is what Reply's documentation says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Call, Reply
from tests.support.clock import START
from tests.support.reply_world import DUE, due_in

TASK_FIELDS = {
    *("id", "taskType", "status", "assignedUserId", "creationSource", "createdAt", "startAt", "dueTo", "isFailed"),
    *("isScheduled", "contactId", "linkedInTaskType", "sequenceId", "sequenceStepId", "sequenceStepDisplayName"),
    *("finishedAt", "template", "content", "deliveryInfo"),
}
ROW_FIELDS = {
    *("id", "taskType", "status", "linkedInTaskType", "assignedUserId", "contact", "startAt", "dueTo", "finishedAt"),
    *("isScheduled", "sequenceId", "sequenceStepId"),
}
CREATE: dict[str, Any] = {
    "taskType": 2,
    "startAt": "2026-05-19T08:30:00Z",
    "dueTo": "2026-05-19T10:30:00Z",
    "template": {"body": "Call"},
}


class Client:
    """Calls to one sandbox."""

    def __init__(self, **options: Any) -> None:
        self.now = START
        self.crm = ReplySandbox(lambda: self.now, **options)

    def call(self, method: str, path: str, body: object = None, **query: object) -> tuple[int, Any]:
        reply = self.raw(method, path, body, **query)
        return reply.status, json.loads(reply.body)

    def raw(self, method: str, path: str, body: object = None, **query: object) -> Reply:
        content = b"" if body is None else json.dumps(body).encode()
        texts = {name: str(value) for name, value in query.items()}
        return self.crm.exchange(Call(method, path, texts, {"x-api-key": self.crm.api_key}, content))

    def listed(self, **rules: object) -> list[int]:
        status, found = self.call("POST", "/tasks/filter", rules)
        assert status == 200
        return [row["id"] for row in found["items"]]


def test_a_wrong_key_gets_an_empty_401() -> None:
    client = Client(api_key="right")
    for headers in ({}, {"x-api-key": "wrong"}, {"authorization": "Bearer wrong"}):
        reply = client.crm.exchange(Call("GET", "/whoami", {}, headers))
        assert (reply.status, reply.body, reply.headers["www-authenticate"]) == (401, b"", "Bearer")
    assert client.crm.exchange(Call("GET", "/whoami", {}, {"authorization": "Bearer right"})).status == 200


def test_each_header_can_be_the_only_one() -> None:
    bearer, key = Client(auth="bearer"), Client(auth="x-api-key")
    assert bearer.raw("GET", "/whoami").status == 401
    assert key.raw("GET", "/whoami").status == 200
    assert key.crm.exchange(Call("GET", "/whoami", {}, {"authorization": "Bearer reply-key"})).status == 401


def test_problems_are_problem_json_with_a_code() -> None:
    reply = Client().raw("GET", "/tasks/999")
    assert (reply.status, reply.headers["content-type"]) == (404, "application/problem+json")
    assert json.loads(reply.body)["code"] == "task.notFound"
    throttled = Client().crm.throttled()
    assert (throttled.status, throttled.headers["retry-after"]) == (429, "20")


def test_the_shapes_are_those_of_the_documentation() -> None:
    client = Client()
    contact = client.crm.add_contact("Asha B", "asha@example.com", "+919876543210")
    status, made = client.call("POST", "/tasks", {**CREATE, "contactId": int(contact)})
    assert status == 201
    assert set(made) == TASK_FIELDS
    assert (made["taskType"], made["status"], made["creationSource"], made["content"]) == (2, 0, 0, None)
    assert made["deliveryInfo"] == {"email": None, "phoneNumber": "+919876543210", "linkedInUrl": None}
    _status, found = client.call("POST", "/tasks/filter", {})
    assert set(found) == {"items", "hasMore"}
    assert set(found["items"][0]) == ROW_FIELDS
    assert found["items"][0]["contact"] == {"id": int(contact), "fullName": "Asha B"}
    assert client.call("GET", "/tasks")[1] == found


def test_the_strings_dialect_is_camel_case() -> None:
    client = Client(dialect="strings")
    _status, made = client.call("POST", "/tasks", {**CREATE, "taskType": "manualEmail"})
    assert (made["taskType"], made["status"], made["creationSource"]) == ("manualEmail", "new", "user")
    assert client.listed(taskType=7) == client.listed(status="NEW") == [made["id"]]


def test_a_strict_sandbox_reads_its_own_dialect_alone() -> None:
    assert Client(strict=True).raw("POST", "/tasks/filter", {"status": "new"}).status == 400
    assert Client(strict=True, dialect="strings").raw("POST", "/tasks/filter", {"status": 0}).status == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({}, 200),
        ({"top": 1000}, 200),
        ({"top": 1001}, 400),
        ({"top": 0}, 400),
        ({"skip": -1}, 400),
        ({"top": "x"}, 400),
    ],
)
def test_pages_have_a_limit(query: dict[str, object], status: int) -> None:
    client = Client()
    assert client.raw("POST", "/tasks/filter", {}, **query).status == status


def test_a_page_has_25_rows_unless_asked_otherwise() -> None:
    client = Client()
    for _ in range(30):
        client.crm.person_creates(None, "Call", DUE)
    _status, first = client.call("POST", "/tasks/filter", {})
    _status, second = client.call("POST", "/tasks/filter", {}, skip=25, top=5)
    assert (len(first["items"]), first["hasMore"]) == (25, True)
    assert (len(second["items"]), second["hasMore"]) == (5, False)


def test_the_filter_is_about_the_start_and_looks_a_year_ahead() -> None:
    client = Client()
    near = int(client.crm.person_creates(None, "Call", due_in(24 * 800)))
    far = int(client.crm.person_creates(None, "Call", due_in(24 * 801), start=START + timedelta(days=366)))
    assert client.listed() == [near]
    assert client.listed(to="2100-01-01T00:00:00Z") == [near, far]
    assert client.listed(**{"from": "2026-06-01T00:00:00", "to": "2100-01-01T00:00:00Z"}) == [far]
    assert client.raw("POST", "/tasks/filter", {"from": "2026-06-01T00:00:00Z", "to": "2026-05-01"}).status == 400


def test_the_filters_rules() -> None:
    client = Client()
    contact = client.crm.add_contact("Asha")
    call = int(client.crm.person_creates(contact, "Call", DUE))
    visit = int(client.crm.person_creates(None, "Meeting", due_in(-1), sequence=9))
    linkedin = client.call("POST", "/tasks", {**CREATE, "taskType": 5, "linkedInTaskType": 1})[1]["id"]
    client.crm.person_completes(str(call))
    assert client.listed(status=1) == client.listed(contactId=int(contact)) == client.listed(taskType="call") == [call]
    assert client.listed(overdue=True) == client.listed(sequenceIds=[9]) == [visit]
    assert client.listed(linkedInTaskType="connect") == [linkedin]
    assert client.listed(assignedUserId=41, overdue=False) == [call, linkedin]
    assert client.listed(assignedUserId=42) == client.listed(sequenceStepIds=[1]) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"taskType": None},
        {"taskType": 6},
        {"startAt": None},
        {"startAt": "2014-12-31T23:59:59Z"},
        {"startAt": "soon"},
        {"startAt": 5},
        {"dueTo": None},
        {"dueTo": "2026-05-19T08:30:00Z"},
        {"template": None},
        {"template": {"body": "  "}},
        {"template": {"body": "x", "subject": 5}},
        {"contactId": 999},
        {"contactId": "x"},
        {"linkedInTaskType": 0},
    ],
)
def test_a_create_is_validated(changes: dict[str, Any]) -> None:
    client = Client()
    status, problem = client.call("POST", "/tasks", {**CREATE, **changes})
    assert (status, problem["code"]) == (400, "validationFailed")
    assert problem["errors"][0]["pointer"].startswith("/")
    assert client.crm.tasks() == ()


@pytest.mark.parametrize("body", [[], "x", 5])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    assert Client().raw("POST", "/tasks", body).status == 400


def test_a_finished_task_is_rendered_and_cannot_be_completed_again() -> None:
    client = Client()
    contact = client.crm.add_contact("Asha", "asha@example.com")
    task_id = client.crm.person_creates(contact, "Call", DUE, "Hello {{FirstName}} {{ nothing }}!")
    _status, shown = client.call("GET", f"/tasks/{task_id}", includeContent="true")
    assert shown["template"]["body"] == "Hello {{FirstName}} {{ nothing }}!"
    assert shown["content"]["body"] == "Hello Asha !"
    client.now += timedelta(minutes=5)
    status, done = client.call("POST", f"/tasks/{task_id}/complete", {"callResolution": 0})
    assert (status, done["status"], done["finishedAt"]) == (200, 1, "2026-05-19T08:35:00Z")
    assert done["template"]["body"] == "Hello Asha !"
    assert client.crm.tasks()[0].resolution == "Positive"
    assert client.call("POST", f"/tasks/{task_id}/complete", {})[0] == 400
    client.crm.finished_status = 409
    assert client.call("POST", f"/tasks/{task_id}/complete")[1]["code"] == "task.cannotComplete"


def test_a_completion_is_validated() -> None:
    client = Client()
    task_id = client.crm.person_creates(None, "Call", DUE)
    for body in ({"callResolution": 3}, {"finishProspectInSequence": "yes"}):
        assert client.raw("POST", f"/tasks/{task_id}/complete", body).status == 400
    assert client.crm.tasks()[0].status == "New"


def test_execute_is_for_mails_and_sms_and_is_recorded() -> None:
    client = Client()
    mail, call = (client.crm.person_creates(None, kind, DUE) for kind in ("ManualEmail", "Call"))
    assert client.raw("POST", f"/tasks/{call}/execute").status == 400
    assert client.raw("POST", f"/tasks/{mail}/execute").status == 200
    assert client.crm.executed == [mail]


def test_contacts_are_searched_listed_and_created() -> None:
    client = Client()
    asha = int(client.crm.add_contact("Asha B", "Asha@example.com", "98765 43210"))
    ben = client.call("POST", "/contacts", {"firstName": "Ben", "email": "ben@example.com"})[1]["id"]
    assert [row["id"] for row in client.call("GET", "/contacts")[1]["items"]] == [asha, ben]
    assert [row["id"] for row in client.call("GET", "/contacts", email="asha@example.com")[1]["items"]] == [asha]
    found = client.call("POST", "/contacts/filter", {"searchTerm": "43210"})[1]
    assert (found["totalCount"], found["items"][0]["id"]) == (1, asha)
    assert client.call("GET", f"/contacts/{asha}")[1]["lastName"] == "B"
    assert client.call("GET", "/contacts/999")[1]["code"] == "contact.notFound"
    again = client.call("POST", "/contacts", {"firstName": "Ben", "email": "BEN@example.com"})
    assert (again[0], again[1]["code"]) == (409, "contact.alreadyExists")
    client.crm.namesakes = True
    assert client.call("POST", "/contacts", {"firstName": "Ben", "email": "BEN@example.com"})[0] == 201
    for wrong in ({}, {"firstName": "Ben"}, {"firstName": 5}, {"firstName": "Ben", "email": ["x"]}):
        assert client.raw("POST", "/contacts", wrong).status == 400


def test_what_people_do_shows() -> None:
    client = Client()
    task_id = client.crm.person_creates(None, "call", DUE)
    client.crm.person_reschedules(task_id, due_in(-5))
    client.crm.person_edits_body(task_id, "Another text")
    client.crm.person_completes(task_id, failed=True)
    _status, shown = client.call("GET", f"/tasks/{task_id}")
    assert (shown["dueTo"], shown["template"]["body"]) == ("2026-05-19T03:30:00Z", "Another text")
    assert shown["startAt"] < shown["dueTo"]
    assert (shown["status"], shown["isFailed"]) == (1, True)
    client.crm.person_reopens(task_id)
    _status, shown = client.call("GET", f"/tasks/{task_id}")
    assert (shown["status"], shown["isFailed"], shown["finishedAt"]) == (0, False, None)
    client.crm.person_cancels(task_id, "SequenceDetached")
    assert client.call("GET", f"/tasks/{task_id}")[1]["status"] == 5
    client.crm.person_deletes(task_id)
    assert client.raw("GET", f"/tasks/{task_id}").status == 404


@pytest.mark.parametrize(
    ("method", "path", "write"),
    [
        ("GET", "/tasks/5", False),
        ("POST", "/tasks/filter", False),
        ("POST", "/contacts/filter", False),
        ("POST", "/tasks", True),
        ("POST", "/tasks/5/complete", True),
        ("POST", "/contacts", True),
    ],
)
def test_writes_are_told_from_reads(method: str, path: str, *, write: bool) -> None:
    assert Client().crm.is_write(Call(method, path)) is write


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("PUT", "/tasks/5"), ("GET", "/leads"), ("POST", "/contacts/5")]
)
def test_other_paths_are_not_there(method: str, path: str) -> None:
    assert Client().raw(method, path).status == 404
