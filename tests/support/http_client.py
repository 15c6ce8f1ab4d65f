"""An HTTP client with a CRM whose answers the test chooses."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest
from pydantic import BaseModel, TypeAdapter

from adapters.http.client import Http, Rule
from syncer.contract.errors import AdapterError
from syncer.contract.settings import Rate
from tests.support.clock import run_virtual

KEY = 'k3y/+ with "quotes" and secrets'
WIDE = (Rate(1000, 1.0),)
ANYTHING: TypeAdapter[object] = TypeAdapter(object)
Handler = Callable[[httpx.Request], httpx.Response]


class Thing(BaseModel):
    """Any answer that a CRM may give."""

    id: int


def http(handler: Handler, *, rates: Sequence[Rate] = WIDE, rules: Sequence[Rule] = (), **options: Any) -> Http:
    """A client whose CRM is this handler. Its rates are high unless the test sets them."""
    return Http(
        system="acme",
        base_url="https://crm.example/api",
        headers={"X-Api-Key": "k"},
        secrets=[KEY],
        rates=rates,
        rules=rules,
        transport=httpx.MockTransport(handler),
        **options,
    )


def answers(*replies: httpx.Response | Exception) -> Handler:
    """A handler that gives these one after another, and the last for ever."""
    left: Iterator[httpx.Response | Exception] = itertools.chain(replies, itertools.repeat(replies[-1]))

    def handle(_request: httpx.Request) -> httpx.Response:
        reply = next(left)
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    return handle


async def outcome(client: Http, method: str) -> AdapterError:
    """The error that a read (GET) or a write (POST) ends with."""
    call = client.read if method == "GET" else client.write
    with pytest.raises(AdapterError) as caught:
        await call(method, "/things")
    await client.aclose()
    return caught.value


async def got(client: Http, method: str) -> object:
    """What a read or a write answers."""
    call = client.read if method == "GET" else client.write
    return (await call(method, "/things")).parse_as(ANYTHING)


def read(body: bytes, **headers: str) -> object:
    """What a read understands of this body."""
    client = http(lambda _request: httpx.Response(200, headers=headers, stream=httpx.ByteStream(body)))
    return run_virtual(got(client, "GET"))


def nested(depth: int, opening: str = "[", closing: str = "]") -> bytes:
    """Lists in lists, or other brackets."""
    return (opening * depth + "1" + closing * depth).encode()
