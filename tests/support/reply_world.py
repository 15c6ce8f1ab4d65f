"""A Reply sandbox with an adapter before it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr

from adapters.http.sandbox_transport import SandboxTransport
from adapters.reply.adapter import ReplyAdapter
from adapters.reply.sandbox import ReplySandbox
from adapters.reply.settings import ReplySettings
from syncer.domain.model import Draft, Kind, TaskRef
from tests.support.clock import START
from tests.support.strategies import marker_of

MARKER = marker_of("superfone:4567")
DUE = START + timedelta(hours=2)


def settings(**options: Any) -> ReplySettings:
    """A connection's settings, its windows wide."""
    given = {"api_key": SecretStr("reply-key"), "base_url": "https://reply.example/v3", "rate": "100000/s", **options}
    return ReplySettings.model_validate(given)


class ReplyWorld:
    """One sandbox, whose clock stands still unless moved, and one adapter."""

    def __init__(self, *, sandbox: dict[str, Any] | None = None, **options: Any) -> None:
        self.now = START
        self.crm = ReplySandbox(lambda: self.now, **(sandbox or {}))
        transport = SandboxTransport(self.crm, prefix="/v3")
        self.reply = ReplyAdapter(settings(**options), region="IN", transport=transport)

    def paths(self) -> list[str]:
        """What was called, as ``POST /tasks``."""
        return [f"{call.method} {call.path}" for call, _status in self.crm.calls]

    def sent(self, path: str) -> Any:
        """The body of the last call to this path."""
        return next(call.json() for call, _status in reversed(self.crm.calls) if call.path == path)


def ref(task_id: str) -> TaskRef:
    """A replica, its contact unknown."""
    return TaskRef("reply", task_id, "")


def draft(contact: str, **changes: Any) -> Draft:
    """A call that is due in two hours."""
    given: dict[str, Any] = {
        "marker": MARKER,
        "contact": contact,
        "kind": Kind.CALLBACK,
        "title": "Call about the visit",
        "body": "Bring the plan",
        "due": DUE,
        "now": START,
    }
    return Draft(**{**given, **changes})


def answering(*bodies: Any, status: int = 200) -> ReplyAdapter:
    """An adapter before a CRM that gives these answers one after another, and the last for ever."""
    left = list(bodies)

    def answer(_request: httpx.Request) -> httpx.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        return httpx.Response(status, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    return ReplyAdapter(settings(), region="IN", transport=httpx.MockTransport(answer))


def row(task_id: object = 1, **changes: object) -> dict[str, object]:
    """A list row as Reply's documentation shows it."""
    return {
        "id": task_id,
        "taskType": 2,
        "status": 0,
        "linkedInTaskType": None,
        "assignedUserId": 41,
        "contact": {"id": 7, "fullName": "Asha"},
        "startAt": "2026-05-19T08:30:00Z",
        "dueTo": "2026-05-19T10:30:00.1234567Z",
        "finishedAt": None,
        "isScheduled": False,
        "sequenceId": None,
        "sequenceStepId": None,
        **changes,
    }


WHOLE = {
    **row(5),
    "contactId": 7,
    "isFailed": False,
    "creationSource": 0,
    "createdAt": "2026-05-19T08:30:00Z",
    "template": {"body": "Ask about the visit"},
}
"""A task as Reply's documentation shows it."""


def page(*rows: object, more: bool = False) -> dict[str, object]:
    """One page of a list."""
    return {"items": list(rows), "hasMore": more}


def due_in(hours: float) -> datetime:
    """An instant after the sandbox's start."""
    return START + timedelta(hours=hours)
