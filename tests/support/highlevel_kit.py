"""What the tests of the HighLevel connection share."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
import pytest
from pydantic import SecretStr

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.settings import HighLevelSettings
from adapters.http.sandbox_transport import SandboxTransport
from syncer.domain.model import Draft, Kind, Listing, Reading, TaskRef
from tests.support.clock import START, run_virtual
from tests.support.strategies import marker_of

T = TypeVar("T")
LOCATION = "ve9EPM428h8vShlRW1KT"
MARKER = marker_of("superfone:4567")
DUE = START + timedelta(hours=2)
TASK = {"id": "T1", "title": "Call", "completed": False, "contactId": "C1", "dueDate": "2021-07-08T02:30:00.000Z"}


class HighLevelClock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float = 1.0) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(name="clock")
def a_clock() -> HighLevelClock:
    return HighLevelClock()


@pytest.fixture(name="sandbox")
def a_sandbox(clock: HighLevelClock) -> HighLevelSandbox:
    return HighLevelSandbox(clock)


@pytest.fixture(name="contact")
def a_contact(sandbox: HighLevelSandbox) -> str:
    return sandbox.add_contact("Asha", "Rao", "asha@example.com", "+919876543210")


def settings(**more: Any) -> HighLevelSettings:
    return HighLevelSettings(token=SecretStr("highlevel-token"), location_id=LOCATION, **more)


def using(transport: httpx.AsyncBaseTransport, talk: Callable[[HighLevelAdapter], Awaitable[T]], **more: Any) -> T:
    """What an adapter behind this transport gives, in virtual time."""

    async def main() -> T:
        adapter = HighLevelAdapter(settings(**more), region="IN", transport=transport)
        try:
            return await talk(adapter)
        finally:
            await adapter.aclose()

    return run_virtual(main())


def asking(sandbox: HighLevelSandbox, talk: Callable[[HighLevelAdapter], Awaitable[T]], **more: Any) -> T:
    """What an adapter of this sandbox gives."""
    return using(SandboxTransport(sandbox), talk, **more)


def answers(*replies: object, status: int = 200) -> httpx.MockTransport:
    """A CRM that gives these answers one after another, the last one for ever: bytes as they are, all else as JSON."""
    queue = list(replies)

    def answer(_request: httpx.Request) -> httpx.Response:
        value = queue.pop(0) if len(queue) > 1 else queue[0]
        if isinstance(value, httpx.Response):
            return httpx.Response(value.status_code, content=value.content, headers=value.headers)
        return httpx.Response(status, content=value if isinstance(value, bytes) else json.dumps(value).encode())

    return httpx.MockTransport(answer)


def bodies(sandbox: HighLevelSandbox) -> Sequence[Any]:
    """The bodies of all calls so far."""
    return [call.json() for call, _ in sandbox.calls]


def draft(contact: str, **more: Any) -> Draft:
    fields: dict[str, Any] = {
        "marker": MARKER,
        "contact": contact,
        "kind": Kind.FOLLOW_UP_CALL,
        "title": "Call Asha",
        "body": "about the offer",
        "due": DUE,
        "now": START,
    }
    return Draft(**{**fields, **more})


def ref(task: str, contact: str) -> TaskRef:
    return TaskRef("highlevel", task, contact)


def listed(sandbox: HighLevelSandbox) -> Listing[Reading]:
    return asking(sandbox, lambda adapter: adapter.list_tasks())


def ids(listing: Listing[Any]) -> list[str]:
    return sorted(row.remote_id for row in listing.rows)


def got(sandbox: HighLevelSandbox, task: str, contact: str) -> Reading:
    return asking(sandbox, lambda adapter: adapter.get_task(ref(task, contact)))
