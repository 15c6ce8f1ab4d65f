"""One HTTP client for all CRMs: budgets, retries of reads, the outcome of writes, redaction, a request log.

The outcome of a write follows from httpx's own exception classes: no connection means *not sent*, anything
that breaks after that means *in doubt*. Only the adapters' tables decide what a status means, and only where the
body is one of the CRM's: whatever else answers in its place says nothing about a task, a contact or a key.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import httpx
import stamina
import structlog

from adapters.http.answers import Answer, OwnError, any_object, error_body, excerpt, outcome_of, said, short
from adapters.http.authorization import Authorization
from adapters.http.network import CONNECTIONS, Arrived, Ask, NotBegun, exchange, network
from adapters.http.pace import LONGEST, USUAL, Limits, Pace, Stopwatch, Window, retry_after
from adapters.http.rules import DEFAULT_RULES, Rule, meaning
from syncer import __version__
from syncer.contract.adapter import (
    AdapterError,
    BadAnswer,
    BudgetSpent,
    Forbidden,
    InDoubt,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.contract.settings import Rate
from syncer.domain.redact import protect

__all__ = [
    "HEADERS",
    "MAX_PAGES",
    "Answer",
    "Http",
    "Limits",
    "OwnError",
    "Rule",
    "Transport",
    "Window",
    "any_object",
    "excerpt",
    "said",
]

Transport = httpx.AsyncBaseTransport
"""What sends requests in place of the network: a sandbox, in tests."""

HEADERS: Final = {
    "User-Agent": f"syncer/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
READ_ATTEMPTS: Final = 4
NOT_SENT_ATTEMPTS: Final = 3
PATIENCE: Final = 10.0
"""Seconds that the requests of one read or write may take before it is not repeated any more."""
LAST_WORDS: Final = 8.0
"""Seconds that a request in flight has where the run's time is over, or a signal ended it."""
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0
MAX_THROTTLES: Final = 8
MAX_PAGES: Final = 10_000
"""Of one list: a server that always has something new must not hold a run for ever."""

_PROXY_WANTS_A_KEY: Final = 407

_log = structlog.get_logger("syncer.http")
_request_numbers = itertools.count(1)


_NOT_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    NotBegun,
)


@dataclass(slots=True)
class _Effort:
    """One read or write, however often it is sent. ``unreadable`` tells a write (`InDoubt`) from a read.

    ``fence`` is asked at the last moment before it is sent.
    """

    unreadable: type[AdapterError]
    page: bool = False
    fence: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)


class Http:
    """A connection pool to one CRM, with its budgets and its table of errors.

    ``rates`` are windows that all hold at once. ``throttle_wait`` is how long a 429 without ``Retry-After`` stops the
    connection. ``rules`` come before `DEFAULT_RULES`; one that means `BudgetSpent` is waited out like a 429.
    ``own_error`` tells the CRM's own errors from what a proxy or a gateway answers in its place. ``authorization``
    gives headers that change. ``limits`` are the headers in which it tells of its limits, ``says`` the fields of an
    error's body that have its words, before those that are usual. ``reads`` and ``writes`` count requests sent,
    repeated ones too, ``outcomes`` those that arrived, ``budgets`` tells of each window how full it is.
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
        own_error: OwnError | None = None,
        limits: Limits = USUAL,
        says: Sequence[str] = (),
        throttle_wait: float = 2.0,
        authorization: Authorization | None = None,
        transport: Transport | None = None,
    ) -> None:
        for secret in secrets:
            protect(secret)
        self._base = base_url.rstrip("/")
        self._host = httpx.URL(base_url).host
        self.system = system
        self.reads = 0
        self.writes = 0
        self.outcomes: Counter[str] = Counter()
        self._rules = (*rules, *DEFAULT_RULES)
        self._says = tuple(says)
        self._own_error = own_error or partial(any_object, says=self._says)
        self._limits = limits
        self._authorization = authorization
        self._throttle_wait = throttle_wait
        self._in_flight: set[asyncio.Timeout] = set()
        self._pace = Pace(system, rates, limits)
        self.budgets = self._pace.used
        self._awaiting = Stopwatch()
        self._fence: Callable[[], None] = lambda: None
        # Whoever has passed the pace must not wait for a connection: it would be sent later than was counted.
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._headers = httpx.Headers({**HEADERS, **headers})
        # Without httpx's client, whose cookies would bind us to a session, and whose redirects are no answers.
        self._transport = transport or network(base_url)

    def set_deadline(self, seconds: float | None) -> None:
        """From now on, waits that would end later than this many seconds raise `BudgetSpent`."""
        self._pace.set_deadline(seconds)
        if seconds is not None and seconds <= 0:
            end = asyncio.get_running_loop().time() + LAST_WORDS
            for limit in self._in_flight:
                if limit.when() is None:
                    limit.reschedule(end)

    def waited(self) -> float:
        """Seconds, so far, for which at least one answer was awaited."""
        return self._awaiting.seconds

    def set_fence(self, fence: Callable[[], None]) -> None:
        """From now on, call this at the last moment before each write; what it raises, the write raises, unsent.

        It is called again where the connection had to be made first.
        """
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
        form: Mapping[str, str] | None = None,
        page: bool = False,
    ) -> Answer:
        """Send a request that changes nothing, again if need be. ``page`` asks for a list, which may take longer.

        Raises `Unavailable`, `NoConnection`, `BudgetSpent`, `Unauthorized`, `Missing`, `Refused`, or what a rule says.
        """
        effort = _Effort(BadAnswer, page)
        send = partial(self._send, Ask(method, path, params, json, form), effort)
        try:
            return await _patiently(send, effort, again_after=(InDoubt, NotSent), attempts=READ_ATTEMPTS)
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
        effort = _Effort(InDoubt, fence=self._fence)
        send = partial(self._send, Ask(method, path, params, json), effort)
        return await _patiently(send, effort, again_after=(NotSent,), attempts=NOT_SENT_ATTEMPTS)

    async def _send(self, ask: Ask, effort: _Effort) -> Answer:
        """Send within the budgets; a 429 is waited out, for an hour at most, and costs no attempt."""
        waited, throttles = 0.0, 0
        renewals = 0 if self._authorization is None else 1
        while True:
            headers = await self._all_headers()
            async with self._connections:
                await self._pace.wait()
                effort.fence()
                self._count(effort.unreadable)
                with self._awaiting:
                    arrived = await self._exchange(ask, headers, effort)
            self._pace.heed(arrived.headers)
            if renewals and self._authorization is not None and self._is_expired(arrived):
                renewals -= 1
                if await self._authorization.renew(headers):
                    continue
            if not self._is_throttled(arrived):
                return self._judge(arrived, effort.unreadable)
            pause = retry_after(arrived.headers, self._limits) or self._throttle_wait * 2**throttles
            self._pace.pause(pause)
            waited, throttles = waited + pause, throttles + 1
            if waited > LONGEST or throttles == MAX_THROTTLES:
                msg = f"it answered {arrived.status} (too many requests) {throttles} times in a row"
                raise BudgetSpent(msg, system=self.system, status=arrived.status)

    async def _all_headers(self) -> httpx.Headers:
        if self._authorization is None:
            return self._headers
        return httpx.Headers({**self._headers, **await self._authorization.headers()})

    def _is_expired(self, arrived: Arrived) -> bool:
        """Whether the token was refused; a permission that it lacks is another thing."""
        try:
            self._judge(arrived, BadAnswer)
        except AdapterError as error:
            return isinstance(error, Unauthorized) and not isinstance(error, Forbidden)
        return False

    def _count(self, unreadable: type[AdapterError]) -> None:
        if unreadable is InDoubt:
            self.writes += 1
        else:
            self.reads += 1

    async def _exchange(self, ask: Ask, headers: httpx.Headers, effort: _Effort) -> Arrived:
        request_id = f"{self.system}-{next(_request_numbers)}"
        about = {"system": self.system, "request": request_id, "method": ask.method, "path": ask.path}
        try:
            request = ask.request(self._base, headers)
        except httpx.InvalidURL as error:
            msg = f"no request can be made of {short(ask.path)!r}: {error}"
            raise Refused(msg, system=self.system) from error
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            async with asyncio.timeout(None) as limit:
                self._in_flight.add(limit)
                arrived = await exchange(self._transport, request, page=effort.page, fence=effort.fence)
        except _NOT_SENT as error:
            _log.info("request.not_sent", **about, error=_describe(error))
            msg = f"no connection to {self._host}: {_describe(error)}"
            raise NotSent(msg, system=self.system) from error
        except (httpx.RequestError, TimeoutError) as error:
            self.outcomes["broken"] += 1
            _log.info("request.broken", **about, error=_describe(error))
            timed_out = isinstance(error, TimeoutError)
            msg = _describe(error) if timed_out else f"the connection broke before the answer: {_describe(error)}"
            raise InDoubt(msg, system=self.system) from error
        finally:
            self._in_flight.discard(limit)
            effort.seconds.append(loop.time() - started)
        self.outcomes[outcome_of(arrived.status, fit=not arrived.unfit)] += 1
        _log.debug("request.answered", **about, status=arrived.status, ms=round(effort.seconds[-1] * 1000))
        return arrived

    def _judge(self, arrived: Arrived, unreadable: type[AdapterError]) -> Answer:
        status, content = arrived.status, arrived.content
        if httpx.codes.is_success(status):
            if arrived.unfit:
                raise unreadable(arrived.unfit, system=self.system, status=status)
            return Answer(self.system, status, arrived.headers, content, unreadable)
        words = arrived.unfit or said(content, self._says) or short(arrived.reason) or f"status {status}"
        if status == _PROXY_WANTS_A_KEY:
            msg = f"a proxy did not let the request through: {words}"
            raise NotSent(msg, system=self.system, status=status)
        if not self._is_own(arrived):
            raise InDoubt(_not_theirs(status, words), system=self.system, status=status)
        error = meaning(self._rules, status, words) or unreadable
        raise error(words, system=self.system, status=status, content=content)

    def _is_throttled(self, arrived: Arrived) -> bool:
        """Whether it says that there were too many requests, by a 429 or in its own way."""
        if arrived.status == httpx.codes.TOO_MANY_REQUESTS or httpx.codes.is_success(arrived.status):
            return arrived.status == httpx.codes.TOO_MANY_REQUESTS
        means = meaning(self._rules, arrived.status, said(arrived.content, self._says))
        return means is BudgetSpent and self._is_own(arrived)

    def _is_own(self, arrived: Arrived) -> bool:
        """Whether the CRM said this: a redirection is none of its answers."""
        if arrived.unfit or httpx.codes.is_redirect(arrived.status):
            return False
        try:
            return self._own_error(arrived.status, error_body(arrived.content))
        except ValueError:
            return False


def _not_theirs(status: int, words: str) -> str:
    if status >= httpx.codes.INTERNAL_SERVER_ERROR:
        return words
    return f"status {status} with what is no answer of its own (a proxy's or gateway's?): {words}"


async def _patiently(
    send: Callable[[], Awaitable[Answer]],
    effort: _Effort,
    *,
    again_after: tuple[type[AdapterError], ...],
    attempts: int,
) -> Answer:
    """Send, and after these errors again, with ever longer pauses, as long as the requests took little time."""

    def again(error: Exception) -> bool:
        return isinstance(error, again_after) and sum(effort.seconds) < PATIENCE

    try:
        return await send()
    except again_after as error:
        if not again(error):
            raise
        first = error
    # Only now: to prepare for repetitions takes as long as a request, and nearly none is repeated.
    async for attempt in stamina.retry_context(
        on=again, attempts=attempts, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LAST_PAUSE
    ):
        with attempt:
            if attempt.num == 1:
                raise first
            return await send()
    raise AssertionError


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return short(str(error)) or "the run was over before the answer came"
    return short(f"{type(error).__name__}: {error}".rstrip(": "))
