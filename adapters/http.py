"""One HTTP client for all CRMs: budgets, retries of reads, the outcome of writes, redaction, a request log.

This is the only module that imports httpx (sandbox transports aside), so that its maintained
continuation can take its place by changing one line.

The outcome of a write follows from httpx's own exception classes: no connection means *not sent*, anything
that breaks after that means *in doubt*. Only the adapters' tables decide what a status means.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import stamina
import structlog
from pydantic import BaseModel, TypeAdapter, ValidationError

from adapters.base import (
    AdapterError,
    BadAnswer,
    BudgetSpent,
    InDoubt,
    Missing,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from adapters.pace import Pace, retry_after
from adapters.redact import protect, redact
from adapters.settings import Rate
from syncer import __version__

HEADERS: Final = {
    "User-Agent": f"syncer/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
READ_ATTEMPTS: Final = 4
NOT_SENT_ATTEMPTS: Final = 3
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0
MAX_THROTTLES: Final = 8
EXCERPT: Final = 300
CONNECTIONS: Final = 8
MAX_PAGES: Final = 10_000
"""Of one list: a server that always has something new must not hold a run for ever."""
REQUEST_LIMIT: Final = 120.0
"""Seconds that one request may take as a whole: an answer that trickles must not hold a run for ever."""

_log = structlog.get_logger("syncer.http")
_request_numbers = itertools.count(1)
_M = TypeVar("_M", bound=BaseModel)
_BODY: Final = TypeAdapter(dict[str, Any])
_TIMEOUTS: Final = {"timeout": httpx.Timeout(30.0, connect=10.0).as_dict()}
# A backslash that stands for itself, a whole surrogate pair; then what no text may hold: NUL, half of such a pair.
_ESCAPES: Final = re.compile(rb"(?i)(\\\\|\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2})|\\u0000|\\ud[89a-f][\da-f]{2}")


@dataclass(frozen=True, slots=True)
class Rule:
    """What an answer means: the first rule whose status and words fit decides.

    ``words`` is a regular expression searched, ignoring case, in what the CRM said.
    """

    status: range | int
    error: type[AdapterError]
    words: str = ""

    def fits(self, status: int, words: str) -> bool:
        in_range = status in self.status if isinstance(self.status, range) else status == self.status
        return in_range and re.search(self.words, words, re.IGNORECASE) is not None


_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)

DEFAULT_RULES: Final = (
    Rule(401, Unauthorized),
    Rule(403, Unauthorized),
    Rule(404, Missing),
    Rule(408, InDoubt),
    Rule(range(300, 500), Refused),
    Rule(range(500, 600), InDoubt),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """An accepted answer. ``unreadable`` is the error to raise where it cannot be understood."""

    system: str
    status: int
    headers: Mapping[str, str]
    content: bytes
    unreadable: type[AdapterError]

    def parse(self, model: type[_M]) -> _M:
        """The body as this model; raises `BadAnswer`, or `InDoubt` if it answers a write."""
        try:
            return model.model_validate_json(_storable(self.content))
        except ValidationError as error:
            raise self.unreadable(self._complaint(error), system=self.system, status=self.status) from None

    def parse_as(self, adapter: TypeAdapter[Any]) -> Any:
        """The body as any type that pydantic knows; raises like `parse`."""
        try:
            return adapter.validate_json(_storable(self.content))
        except ValidationError as error:
            raise self.unreadable(self._complaint(error), system=self.system, status=self.status) from None

    def _complaint(self, error: ValidationError) -> str:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the answer"
        return redact(f"{where}: {first['msg']}; received: {excerpt(self.content)}")


def _storable(content: bytes) -> bytes:
    """JSON whose texts can be read and stored; what would be stored otherwise than it was read looks changed for ever.

    Programs that cut a text to a length leave half a character: no reason to lose the rest of the answer.
    """
    if not content.isascii():
        content = content.decode("utf-8", "replace").encode()
    if rb"\u0000" not in content and rb"\ud" not in content.lower():
        return content
    return _ESCAPES.sub(lambda found: found[1] or rb"\ufffd", content)


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
    return f"http://{named}" if named and "://" not in named else named


def _network(base_url: str) -> httpx.AsyncBaseTransport:
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


def excerpt(content: bytes) -> str:
    """The beginning of a body on one line, redacted."""
    # Redacted as a whole before it is cut: half a secret would not be recognised.
    text = " ".join(redact(content.decode("utf-8", "replace"))[: 4 * EXCERPT].split())
    return text[:EXCERPT] + ("…" if len(text) > EXCERPT else "")


class Http:
    """A connection pool to one CRM, with its budgets and its table of errors.

    ``rates`` are windows that all hold at once. ``throttle_wait`` is how long a 429 without ``Retry-After``
    stops the connection. ``rules`` come before `DEFAULT_RULES`. ``reads`` and ``writes`` count requests sent,
    repeated ones too.
    """

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        headers: Mapping[str, str],
        secrets: Sequence[str],
        rates: Sequence[Rate],
        rules: Sequence[Rule] = (),
        throttle_wait: float = 2.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        for secret in secrets:
            protect(secret)
        self._base = base_url.rstrip("/")
        self._host = httpx.URL(base_url).host
        self.system = system
        self.reads = 0
        self.writes = 0
        self._rules = (*rules, *DEFAULT_RULES)
        self._throttle_wait = throttle_wait
        self._pace = Pace(system, rates)
        self._fence: Callable[[], None] = lambda: None
        # Whoever has passed the pace must not wait for a connection: it would be sent later than was counted.
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._headers = httpx.Headers({**HEADERS, **headers})
        # Without httpx's client, whose cookies would bind us to a session, and whose redirects are no answers.
        self._transport = transport or _network(base_url)

    def set_deadline(self, seconds: float | None) -> None:
        """From now on, waits that would end later than this many seconds raise `BudgetSpent`."""
        self._pace.set_deadline(seconds)

    def set_fence(self, fence: Callable[[], None]) -> None:
        """From now on, call this at the last moment before each write; what it raises, the write raises, unsent."""
        self._fence = fence

    async def aclose(self) -> None:
        """Close the pool."""
        await self._transport.aclose()

    async def read(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object | None = None,
    ) -> Answer:
        """Send a request that changes nothing, again if need be.

        Raises `Unavailable`, `NoConnection`, `BudgetSpent`, `Unauthorized`, `Missing`, `Refused`, or what a rule says.
        """
        send = partial(self._send, method, path, params=params, json=json, unreadable=BadAnswer)
        try:
            return await _patiently(send, again_after=(InDoubt, NotSent), attempts=READ_ATTEMPTS)
        except NotSent as error:
            raise NoConnection(error.words, system=self.system) from error
        except InDoubt as error:
            raise Unavailable(error.words, system=self.system, status=error.status) from error

    async def write(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: object | None = None,
    ) -> Answer:
        """Send a request that changes something: once, unless it surely was not sent.

        Raises `NotSent`, `InDoubt`, `Refused`, `BudgetSpent`, `Unauthorized`, `Missing`, or what a rule says.
        """
        send = partial(self._send, method, path, params=params, json=json, unreadable=InDoubt)
        return await _patiently(send, again_after=(NotSent,), attempts=NOT_SENT_ATTEMPTS)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None,
        json: object | None,
        unreadable: type[AdapterError],
    ) -> Answer:
        """Send within the budgets; a 429 is waited out and costs no attempt.

        ``unreadable`` tells a write (`InDoubt`) from a read (`BadAnswer`).
        """
        for throttles in range(MAX_THROTTLES):
            async with self._connections:
                await self._pace.wait()
                if unreadable is InDoubt:
                    self._fence()
                self._count(unreadable)
                response = await self._exchange(method, path, params=params, json=json)
            self._pace.heed(response.headers)
            if response.status_code != httpx.codes.TOO_MANY_REQUESTS:
                return self._judge(response, unreadable)
            self._pace.pause(retry_after(response.headers) or self._throttle_wait * 2**throttles)
        msg = f"it answered 429 (too many requests) {MAX_THROTTLES} times in a row"
        raise BudgetSpent(msg, system=self.system, status=429)

    def _count(self, unreadable: type[AdapterError]) -> None:
        if unreadable is InDoubt:
            self.writes += 1
        else:
            self.reads += 1

    async def _exchange(
        self, method: str, path: str, *, params: Mapping[str, str | int] | None, json: object | None
    ) -> httpx.Response:
        request_id = f"{self.system}-{next(_request_numbers)}"
        about = {"system": self.system, "request": request_id, "method": method, "path": path}
        try:
            query = f"?{httpx.QueryParams(params)}" if params else ""
            url = f"{self._base}{path}{query}"
            request = httpx.Request(method, url, headers=self._headers, json=json, extensions=_TIMEOUTS)
        except httpx.InvalidURL as error:
            msg = f"no request can be made of {redact(path)!r}: {error}"
            raise Refused(msg, system=self.system) from error
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(REQUEST_LIMIT):
                response = await self._answer(request)
        except _NOT_SENT as error:
            _log.info("request.not_sent", **about, error=_describe(error))
            msg = f"no connection to {self._host}: {_describe(error)}"
            raise NotSent(msg, system=self.system) from error
        except (httpx.RequestError, TimeoutError) as error:
            _log.info("request.broken", **about, error=_describe(error))
            msg = f"the connection broke before the answer: {_describe(error)}"
            raise InDoubt(msg, system=self.system) from error
        elapsed = asyncio.get_running_loop().time() - started
        _log.debug("request.answered", **about, status=response.status_code, ms=round(elapsed * 1000))
        return response

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    def _judge(self, response: httpx.Response, unreadable: type[AdapterError]) -> Answer:
        status = response.status_code
        if response.is_success:
            return Answer(self.system, status, response.headers, response.content, unreadable)
        words = said(response.content) or response.reason_phrase or f"status {status}"
        error = next((rule.error for rule in self._rules if rule.fits(status, words)), unreadable)
        raise error(words, system=self.system, status=status, content=response.content)


async def _patiently(
    send: Callable[[], Awaitable[Answer]], *, again_after: tuple[type[AdapterError], ...], attempts: int
) -> Answer:
    """Send, and after these errors again, with ever longer pauses."""
    try:
        return await send()
    except again_after as error:
        first = error
    # Only now: to prepare for repetitions takes as long as a request, and nearly none is repeated.
    async for attempt in stamina.retry_context(
        on=again_after, attempts=attempts, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LAST_PAUSE
    ):
        with attempt:
            if attempt.num == 1:
                raise first
            return await send()
    raise AssertionError


def said(content: bytes) -> str:
    """The CRM's own words in an error body: a message, or a problem's title, detail and code; redacted."""
    try:
        body = _BODY.validate_json(content)
    except ValidationError:
        return excerpt(content)
    message = body.get("message")
    parts = message if isinstance(message, list) else [message]
    if message is None:
        parts = [body.get("detail") or body.get("title"), body.get("errors"), body.get("code")]
    words = " ".join(str(part) for part in parts if part)
    return excerpt(words.encode()) if words else excerpt(content)


def _describe(error: Exception) -> str:
    return redact(f"{type(error).__name__}: {error}".rstrip(": "))
