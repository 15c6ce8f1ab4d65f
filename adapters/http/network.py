"""The way to a CRM: connections, proxies, time limits, and one request with its answer, bounded in every way.

Only this module, `adapters.http.client` and `adapters.http.sandbox_transport` import httpx, so that its maintained
continuation can take its place by changing one line.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from adapters.http.answers import readable
from adapters.http.arriving import Unfit, receive
from syncer.domain.redact import protect

FIRST_BYTE: Final = 10.0
"""Seconds until an answer begins, to connect included."""
CONNECTED: Final = 4.5
"""Seconds until a server answers a call, and as many until encryption has begun: httpcore forgets to close a
connection whose making is broken off from outside, so these two must be over first."""
WHOLE: Final = 10.0
"""Seconds until an answer that has begun is there."""
WHOLE_PAGE: Final = 30.0
"""The same for a page of a list, as long as it keeps arriving."""
CONNECTIONS: Final = 8


@cache
def _tls() -> ssl.SSLContext:
    """One context for all connections: reading the certificates takes longer than a request."""
    return httpx.create_ssl_context()


def _proxy(base_url: str) -> str | None:
    """The proxy that the environment names for this address: ``HTTPS_PROXY``, ``ALL_PROXY``, ``NO_PROXY``."""
    address, proxies = urlsplit(base_url), getproxies()
    # The standard library knows "*" only where it stands alone.
    exempt = "*" in re.split(r"[,\s]+", proxies.get("no", "")) or proxy_bypass(address.hostname or "")
    if address.scheme != "https" or exempt:
        return None
    named = proxies.get("https") or proxies.get("all")
    if named and "://" not in named:
        named = f"http://{named}"
    if named and (password := _password(named)):
        protect(password)
        protect(unquote(password))
    return named


def _password(address: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(address).password
    return None


def network(base_url: str) -> httpx.AsyncBaseTransport:
    """Raises `ValueError` for a proxy that cannot be used."""
    encrypted = urlsplit(base_url).scheme == "https"
    try:
        return httpx.AsyncHTTPTransport(
            verify=_tls() if encrypted else False,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            proxy=_proxy(base_url),
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        msg = "the proxy that HTTPS_PROXY or ALL_PROXY names cannot be used; it must begin with http:// or https://"
        raise ValueError(msg) from None


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked for: a body of JSON, a form, or none."""

    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    json: object | None = None
    form: Mapping[str, str] | None = None

    def request(self, base: str, headers: httpx.Headers) -> httpx.Request:
        """The request to an address that begins with ``base``. Raises `httpx.InvalidURL`."""
        query = f"?{httpx.QueryParams(self.params)}" if self.params else ""
        address = f"{base}{self.path}{query}"
        return httpx.Request(self.method, address, headers=headers, json=self.json, data=self.form)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came back. ``unfit`` says why its content cannot be an answer, whatever its status; empty if it can."""

    status: int
    headers: httpx.Headers
    reason: str
    content: bytes
    unfit: str = ""


class NotBegun(TimeoutError):
    """The time was over before the request was sent."""


async def exchange(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, *, page: bool, fence: Callable[[], None]
) -> Arrived:
    """Send a request; its answer. Raises httpx's errors, `TimeoutError`, and `NotBegun` where nothing was sent.

    Where a connection has to be made first, which takes seconds, ``fence`` is asked once it stands; what it raises
    comes in place of the request.
    """
    progress = _Progress(fence)
    timeout = {"connect": CONNECTED, "read": FIRST_BYTE, "write": FIRST_BYTE, "pool": FIRST_BYTE}
    request.extensions = {**request.extensions, "timeout": timeout, "trace": progress}
    try:
        async with asyncio.timeout(FIRST_BYTE):
            response = await transport.handle_async_request(request)
    except TimeoutError:
        if progress.connecting:
            msg = f"no connection within {FIRST_BYTE:.0f} s"
            raise NotBegun(msg) from None
        msg = f"no answer began within {FIRST_BYTE:.0f} s"
        raise TimeoutError(msg) from None
    limit = WHOLE_PAGE if page else WHOLE
    try:
        async with asyncio.timeout(limit):
            return await _arrived(response)
    except TimeoutError:
        msg = f"the answer was not whole within {limit:.0f} s"
        raise TimeoutError(msg) from None
    finally:
        await response.aclose()


async def _arrived(response: httpx.Response) -> Arrived:
    content, unfit = b"", ""
    try:
        # As it was sent: httpx would unpack a whole piece of it at once, however large that becomes.
        content = readable(await receive(cast("AsyncIterable[bytes]", response.stream), response.headers))
    except Unfit as error:
        unfit = str(error)
    return Arrived(response.status_code, response.headers, response.reason_phrase, content, unfit)


class _Progress:
    """Whether a connection is still being made, by what httpcore tells of its steps."""

    def __init__(self, fence: Callable[[], None]) -> None:
        self.connecting = False
        self._fence = fence

    async def __call__(self, step: str, about: dict[str, Any]) -> None:
        if step == "connection.connect_tcp.started":
            self.connecting = True
        elif step.endswith("send_request_headers.started") and about["request"].method != b"CONNECT":
            if self.connecting:
                self._fence()
            self.connecting = False
