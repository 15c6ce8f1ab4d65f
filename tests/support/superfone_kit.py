"""A simulated Superfone account and an adapter to it, for tests."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
from pydantic import SecretStr

from adapters.http.sandbox_transport import SandboxTransport
from adapters.superfone.adapter import SuperfoneAdapter
from adapters.superfone.sandbox import SuperfoneSandbox
from adapters.superfone.settings import SuperfoneSettings
from syncer.domain.model import Draft, Kind, Listing, Reading, Record, TaskRef
from tests.support.clock import run_virtual
from tests.support.strategies import marker_of

NOW: Final = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
DUE: Final = datetime(2026, 5, 20, 15, 0, tzinfo=UTC)
PHONE: Final = "+919876543210"
BASE: Final = "http://localhost/superfone"


Work = Callable[[SuperfoneAdapter], Awaitable[Any]]

LEAD = {"id": 12345, "org_id": 42, "first_name": "Asha", "phones": [{"phone": PHONE}]}
ROW = {
    "id": 4567,
    "org_id": 42,
    "customer_id": 12345,
    "type": "BOOKING",
    "due_date": "2026-05-20T15:00:00.000Z",
    "task_status": "PENDING",
    "created_at": "2026-05-19T08:30:00.000Z",
}


class SuperfoneClock:
    """A clock that moves by a second each time somebody looks, so that nothing happens at the same instant."""

    def __init__(self, now: datetime = NOW, step: timedelta = timedelta(seconds=1)) -> None:
        self.now = now
        self.step = step

    def __call__(self) -> datetime:
        self.now += self.step
        return self.now


def settings(**changes: Any) -> SuperfoneSettings:
    """Settings for the sandbox."""
    values = {"api_key": SecretStr("superfone-key"), "base_url": BASE, "rate": "1000/s", **changes}
    return SuperfoneSettings.model_validate(values)


def sandbox() -> SuperfoneSandbox:
    """An empty account."""
    return SuperfoneSandbox(SuperfoneClock())


def connect(room: SuperfoneSandbox, **changes: Any) -> AbstractAsyncContextManager[SuperfoneAdapter]:
    """An adapter to this account."""
    return adapter(SandboxTransport(room, prefix="/superfone"), **changes)


@asynccontextmanager
async def adapter(transport: httpx.AsyncBaseTransport, *, region: str = "IN", **changes: Any) -> Any:
    """An adapter behind any transport, closed at the end."""
    connection = SuperfoneAdapter(settings(**changes), region=region, transport=transport)
    try:
        yield connection
    finally:
        await connection.aclose()


def answering(
    respond: Callable[[httpx.Request], httpx.Response], **changes: Any
) -> AbstractAsyncContextManager[SuperfoneAdapter]:
    """An adapter to a server that is one function."""
    return adapter(httpx.MockTransport(respond), **changes)


def draft(lead: int | str, kind: Kind = Kind.FOLLOW_UP_CALL, **changes: Any) -> Draft:
    """A task to be created for a lead."""
    values: dict[str, Any] = {
        "marker": marker_of("reply:5"),
        "contact": str(lead),
        "kind": kind,
        "title": "Ask for the contract",
        "body": None,
        "due": DUE,
        "now": NOW,
    }
    return Draft(**(values | changes))


def find(adapter: SuperfoneAdapter) -> Awaitable[tuple[Record, ...]]:
    """Look the sample's lead up."""
    return adapter.find_contacts(PHONE)


def listing(adapter: SuperfoneAdapter) -> Awaitable[Listing[Reading]]:
    """List its tasks."""
    return adapter.list_contact_tasks("12345")


def create(adapter: SuperfoneAdapter) -> Awaitable[Reading]:
    """Create a task for it."""
    return adapter.create_task(draft(12345))


def complete(adapter: SuperfoneAdapter) -> Awaitable[Reading]:
    """Complete its newest task."""
    return adapter.complete_task(TaskRef("superfone", "4567", "12345"))


def add(adapter: SuperfoneAdapter) -> Awaitable[Record]:
    """Create it."""
    return adapter.create_contact(Record("highlevel", "x", "Asha", (PHONE,)))


def within(room: SuperfoneSandbox, work: Work, **changes: Any) -> Any:
    """Do something with an adapter to a sandbox, in virtual time."""

    async def main() -> Any:
        async with connect(room, **changes) as adapter:
            return await work(adapter)

    return run_virtual(main())


def against(respond: Callable[[httpx.Request], httpx.Response], work: Work) -> Any:
    """Do something with an adapter to a server that is one function."""

    async def main() -> Any:
        async with answering(respond) as adapter:
            return await work(adapter)

    return run_virtual(main())


def saying(status: int, body: object) -> Callable[[httpx.Request], httpx.Response]:
    """A server that always answers the same."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return lambda _request: httpx.Response(status, content=content)


def page(rows: list[Any], *, pages: int = 1, items: int | None = None) -> dict[str, Any]:
    """The envelope of a list."""
    return {"data": {"rows": rows, "total_pages": pages, "total_items": len(rows) if items is None else items}}
