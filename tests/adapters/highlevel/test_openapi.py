"""Every request that the adapter sends fits HighLevel's official OpenAPI document, and so do the sandbox's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.sandbox import Call, Reply
from syncer.contract.errors import AdapterError
from syncer.domain.fields import TaskField
from syncer.domain.model import Edit, Kind, Record
from tests.support.highlevel_kit import DUE, MARKER, HighLevelClock, asking, draft, ref

DOCUMENT = json.loads((Path(__file__).parents[2] / "data" / "highlevel-openapi.json").read_text("utf-8"))
CLOSED = frozenset(DOCUMENT["x-inferred-closed-request-schemas"])
TRANSPORT_HEADERS = {
    "accept", "accept-encoding", "authorization", "connection", "content-length", "content-type", "host", "user-agent",
}  # fmt: skip
Exchange = tuple[Call, Reply]


@cache
def components() -> dict[str, Any]:
    """The document's schemas as JSON Schema: nullable spelt out, closed bodies closed, observed keys added."""
    schemas: dict[str, Any] = _without_nullable(DOCUMENT["components"]["schemas"])
    for name, schema in schemas.items():
        schema.get("properties", {}).update(schema.get("x-observed-properties", {}))
        schema["required"] = [*schema.get("required", []), *schema.get("x-observed-required", [])]
        if name in CLOSED or "x-observed-required" in schema:
            schema["additionalProperties"] = False
    return {"schemas": schemas}


def _without_nullable(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_nullable(item) for item in value]
    if not isinstance(value, dict):
        return value
    copy = {name: _without_nullable(item) for name, item in value.items() if name != "nullable"}
    if value.get("nullable") is True and "type" in copy:
        copy["type"] = [copy["type"], "null"]
    return copy


def complaints(schema: dict[str, Any], value: object) -> list[str]:
    validator = Draft202012Validator({**_without_nullable(schema), "components": components()})
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def operation(call: Call) -> tuple[dict[str, Any], dict[str, str]]:
    """The document's operation for a call, and its path parameters; the most literal path wins."""
    found = []
    for template, methods in DOCUMENT["paths"].items():
        names, given = template.split("/"), call.path.split("/")
        fits = len(names) == len(given) and all(
            name == part or (name.startswith("{") and part) for name, part in zip(names, given, strict=True)
        )
        if fits and call.method.lower() in methods:
            values = {name[1:-1]: part for name, part in zip(names, given, strict=True) if name.startswith("{")}
            found.append((len(values), template, methods[call.method.lower()], values))
    assert found, f"no such operation: {call.method} {call.path}"
    _, _, described, values = min(found, key=lambda candidate: candidate[:2])
    return described, values


def request_complaints(call: Call) -> list[str]:
    """What is wrong with a request, by the document."""
    described, path_values = operation(call)
    given = {
        "header": {name: value for name, value in call.headers.items() if name not in TRANSPORT_HEADERS},
        "query": dict(call.query),
        "path": path_values,
    }
    problems = []
    for parameter in described.get("parameters", []):
        place = given[parameter["in"]]
        name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
        if name in place:
            problems += complaints(parameter["schema"], place.pop(name))
        elif parameter.get("required"):
            problems.append(f"{parameter['in']} {name} is missing")
    problems += [f"{where} {name} is not in the document" for where, rest in given.items() for name in rest]
    return problems + body_complaints(call, described)


def body_complaints(call: Call, described: dict[str, Any]) -> list[str]:
    if "requestBody" not in described:
        return ["a body where there is none"] if call.body else []
    if call.headers.get("content-type") != "application/json":
        return ["the body is no JSON"]
    return complaints(described["requestBody"]["content"]["application/json"]["schema"], call.json())


def reply_complaints(call: Call, reply: Reply) -> list[str]:
    """What is wrong with an answer, by the document; an operation without a schema says nothing."""
    described, _ = operation(call)
    status = "200" if reply.status == described.get("x-observed-success-status") else str(reply.status)
    assert status in described["responses"], f"{call.method} {call.path} never answers {status}"
    content = described["responses"][status].get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return complaints(schema, json.loads(reply.body)) if schema else []


async def a_whole_day(adapter: HighLevelAdapter, sandbox: HighLevelSandbox) -> None:
    """Every method, in every form that makes another request."""
    asha, ravi = sandbox.add_contact("Asha", "Rao", "asha@example.com", "+919876543210"), sandbox.add_contact("Ravi")
    for number in range(101):
        sandbox.person_creates(asha, f"Call {number}", DUE, "text")
    sandbox.person_creates(None, "nobody's")
    for cursors in (True, False):
        sandbox.task_cursors = sandbox.contact_cursors = cursors
        await adapter.list_tasks()
        await adapter.list_contacts()
    await adapter.identity()
    await adapter.check()
    made = await adapter.create_task(draft(asha, assignee="U1"))
    await adapter.create_task(draft(ravi, body=None, due=DUE + timedelta(milliseconds=5)))
    for field, value in (
        (TaskField.TITLE, "Ring"),
        (TaskField.BODY, ""),
        (TaskField.BODY, "other"),
        (TaskField.DUE, DUE + timedelta(days=1)),
        (TaskField.ASSIGNEE, "U2"),
    ):
        await adapter.edit_task(ref(made.remote_id, asha), Edit({field: value}, {}, Kind.TODO, DUE, MARKER))
    await adapter.complete_task(ref(made.remote_id, asha))
    await adapter.get_task(ref(made.remote_id, asha))
    await adapter.list_contact_tasks(asha)
    await adapter.get_contact(ravi)
    await adapter.find_contacts("asha@example.com")
    await adapter.find_contacts("+911111111111")
    await adapter.create_contact(Record("reply", "1", "Mira Das", ("+919876500000",), ("mira@example.com",)))


async def a_bad_day(adapter: HighLevelAdapter, sandbox: HighLevelSandbox) -> None:
    """What is answered with an error, one after another."""
    asha = sandbox.add_contact("Asha")
    theirs = sandbox.person_creates(asha, "Call", DUE)
    for attempt in (
        adapter.get_task(ref("nothing", asha)),
        adapter.list_contact_tasks("nobody"),
        adapter.create_task(draft("nobody")),
        adapter.create_task(draft(asha, title="")),
        adapter.complete_task(ref("nothing", asha)),
        adapter.edit_task(ref("nothing", asha), Edit({TaskField.TITLE: "x"}, {}, Kind.TODO, DUE)),
        adapter.edit_task(ref(theirs, asha), Edit({TaskField.TITLE: ""}, {}, Kind.TODO, DUE)),
        adapter.get_contact("nobody"),
    ):
        with pytest.raises(AdapterError):
            await attempt
    sandbox.scopes = frozenset()
    await adapter.check()


@pytest.fixture(scope="module")
def exchanges() -> list[Exchange]:
    """Every call of those days, with its answer."""
    seen: list[Exchange] = []
    for day in (a_whole_day, a_bad_day):
        sandbox = HighLevelSandbox(HighLevelClock())
        sandbox.after = lambda call, reply: seen.append((call, reply))

        async def talk(adapter: HighLevelAdapter, day: Any = day, sandbox: HighLevelSandbox = sandbox) -> None:
            await day(adapter, sandbox)

        asking(sandbox, talk)
    return seen


def test_the_document_is_one() -> None:
    validate(DOCUMENT)


def test_every_operation_that_we_need_was_tried(exchanges: list[Exchange]) -> None:
    assert {operation(call)[0]["operationId"] for call, _ in exchanges} == set(needed_operations())


def needed_operations() -> Iterator[str]:
    for method, template in (
        ("GET", "/contacts/{contactId}/tasks"),
        ("POST", "/contacts/{contactId}/tasks"),
        ("GET", "/contacts/{contactId}/tasks/{taskId}"),
        ("PUT", "/contacts/{contactId}/tasks/{taskId}"),
        ("PUT", "/contacts/{contactId}/tasks/{taskId}/completed"),
        ("POST", "/locations/{locationId}/tasks/search"),
        ("POST", "/contacts/search"),
        ("GET", "/contacts/search/duplicate"),
        ("GET", "/contacts/{contactId}"),
        ("POST", "/contacts/"),
    ):
        yield DOCUMENT["paths"][template][method.lower()]["operationId"]


def test_every_request_fits(exchanges: list[Exchange]) -> None:
    found = {f"{call.method} {call.path} {call.body!r}": request_complaints(call) for call, _ in exchanges}
    assert {call: problems for call, problems in found.items() if problems} == {}


def test_every_answer_of_the_sandbox_fits(exchanges: list[Exchange]) -> None:
    found = [(call.method, call.path, reply_complaints(call, reply)) for call, reply in exchanges]
    assert [(method, path, problems) for method, path, problems in found if problems] == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"path": "/contacts/C1/task"}, "no such operation"),
        ({"headers": {"content-type": "application/json"}}, "version is missing"),
        ({"headers": {"content-type": "application/json", "version": "v3"}}, "2021-07-28"),
        ({"query": {"limit": "1"}}, "limit is not in the document"),
        ({"body": b'{"title": "x", "dueDate": "2020-10-25T11:00:00Z"}'}, "'completed' is a required property"),
        ({"body": b'{"title": "x", "dueDate": "", "completed": false, "contactId": "C1"}'}, "contactId"),
        ({"body": b'{"title": "x", "dueDate": null, "completed": false}'}, "dueDate"),
    ],
)
def test_the_checker_finds_what_is_wrong(change: dict[str, Any], complaint: str) -> None:
    call = Call(
        "POST",
        "/contacts/C1/tasks",
        {},
        {"version": "2021-07-28", "content-type": "application/json"},
        b'{"title": "x", "dueDate": "2020-10-25T11:00:00Z", "completed": false}',
    )
    assert request_complaints(call) == []
    try:
        found = " ".join(request_complaints(replace(call, **change)))
    except AssertionError as error:
        found = str(error)
    assert complaint in found
