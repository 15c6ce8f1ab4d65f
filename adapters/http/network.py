"""The network: connections, proxies, time limits, and one request with its answer.

Only this module, `adapters.http.client` and `adapters.http.sandbox_transport` import httpx, so that httpx can be
replaced by its maintained successor easily.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Final, cast
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx

from adapters.http.answers import readable
from adapters.http.arriving import Unfit, receive
from syncer.domain.redact import protect

FIRST_BYTE: Final = 10.0
"""Seconds until the first byte of an answer, connecting included."""
CONNECTED: Final = 4.5
"""Seconds to connect, and again as many for TLS. Together less than `FIRST_BYTE`: httpcore does not close a connection
that is cancelled from outside while it is being opened."""
WHOLE: Final = 10.0
"""Seconds from the first byte of an answer to its end."""
WHOLE_PAGE: Final = 30.0
"""The same for a page of a list."""
LAST_WORDS: Final = 8.0
"""Seconds that a request in flight may still take after the end of the run, or after a signal."""
CONNECTIONS: Final = 8


@cache
def _tls() -> ssl.SSLContext:
    """One TLS context for all connections, because loading the certificates takes longer than a request."""
    return httpx.create_ssl_context()


def _proxy(base_url: str) -> str | None:
    """The proxy for this address, from ``HTTPS_PROXY``, ``ALL_PROXY`` and ``NO_PROXY``."""
    address, proxies = urlsplit(base_url), getproxies()
    # The standard library accepts "*" only as the whole value, but users write it in a list too.
    exempt = "*" in re.split(r"[,\s]+", proxies.get("no", "")) or proxy_bypass(address.hostname or "")
    if address.scheme != "https" or exempt:
        return None
    named = proxies.get("https") or proxies.get("all")
    if named and "://" not in named:
        named = f"http://{named}"
    if named and (password := _password(named)):
        # In a log it may appear as it was written, or decoded.
        protect(password)
        protect(unquote(password))
    return named


def _password(address: str) -> str | None:
    with suppress(ValueError):
        return urlsplit(address).password
    return None


def network(base_url: str) -> httpx.AsyncBaseTransport:
    """The transport to this address. Raises `ValueError` if the proxy cannot be used."""
    encrypted = urlsplit(base_url).scheme == "https"
    try:
        return httpx.AsyncHTTPTransport(
            # Without TLS, which only a sandbox on this machine may use, there are no certificates to load.
            verify=_tls() if encrypted else False,
            limits=httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS),
            proxy=_proxy(base_url),
        )
    except (ValueError, ImportError, httpx.InvalidURL):
        msg = "the proxy in HTTPS_PROXY or ALL_PROXY cannot be used; it must begin with http:// or https://"
        # The original error may show the address, and with it the password of the proxy.
        raise ValueError(msg) from None


@dataclass(frozen=True, slots=True)
class Ask:
    """A request before it is built, with a JSON body, a form, or no body."""

    method: str
    path: str
    params: Mapping[str, str | int] | None = None
    json: object | None = None
    form: Mapping[str, str] | None = None

    def request(self, base: str, headers: httpx.Headers) -> httpx.Request:
        """The request to ``base`` plus the path. Raises `httpx.InvalidURL`."""
        # This writes ``+`` as ``%2B``. Sent as it is, the plus of a phone number would be read as a blank.
        query = f"?{httpx.QueryParams(self.params)}" if self.params else ""
        address = f"{base}{self.path}{query}"
        return httpx.Request(self.method, _parsed(address), headers=headers, json=self.json, data=self.form)


@lru_cache(1000)
def _parsed(address: str) -> httpx.URL:
    """The address, parsed once for the requests of all runs: that takes as long as the rest of a request."""
    return httpx.URL(address)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A received answer. ``unfit`` says why its content was not accepted; it is empty if the content is fine."""

    status: int
    headers: httpx.Headers
    reason: str
    content: bytes
    unfit: str = ""


class NotBegun(TimeoutError):
    """A time-out before the request was sent."""


async def exchange(
    transport: httpx.AsyncBaseTransport, request: httpx.Request, *, page: bool, fence: Callable[[], None]
) -> Arrived:
    """Send a request and receive its answer. Raises httpx's errors, `TimeoutError`, and `NotBegun` if nothing was sent.

    If a connection has to be opened first, which may take seconds, ``fence`` is called after that. If it raises, the
    request is not sent.
    """
    progress = _Progress(fence)
    # These limit single steps only. A server that sends one byte now and then never reaches them; the two limits below
    # count the whole time.
    timeout = {"connect": CONNECTED, "read": FIRST_BYTE, "write": FIRST_BYTE, "pool": FIRST_BYTE}
    request.extensions = {**request.extensions, "timeout": timeout, "trace": progress}
    try:
        async with asyncio.timeout(FIRST_BYTE):
            response = await transport.handle_async_request(request)
    except TimeoutError:
        # Nothing was sent as long as the connection was being opened, so even a write may be repeated.
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
        # Read the raw stream: httpx would decompress a whole chunk at once, however large the result is.
        content = readable(await receive(cast("AsyncIterable[bytes]", response.stream), response.headers))
    except Unfit as error:
        unfit = str(error)
    return Arrived(response.status_code, response.headers, response.reason_phrase, content, unfit)


class _Progress:
    """Follows the steps that httpcore reports, to know whether a connection is still being opened."""

    def __init__(self, fence: Callable[[], None]) -> None:
        self.connecting = False
        self._fence = fence

    async def __call__(self, step: str, about: dict[str, Any]) -> None:
        if step == "connection.connect_tcp.started":
            self.connecting = True
        # CONNECT goes to the proxy and opens the tunnel. Our own request is only sent after it.
        elif step.endswith("send_request_headers.started") and about["request"].method != b"CONNECT":
            if self.connecting:
                self._fence()
            self.connecting = False
