"""One HTTP client for all CRMs: budgets, retries of reads, the outcome of writes, redaction, a request log.

The outcome of a write follows from httpx's exception classes. If there was no connection, it was *not sent*. If
anything fails after that, it is *in doubt*. What an answer means is decided by its `Judge`.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import httpx
import structlog

from adapters.http.answers import Answer, OwnError, excerpt, outcome_of, said, short
from adapters.http.authorization import Authorization
from adapters.http.judging import Judge
from adapters.http.network import CONNECTIONS, LAST_WORDS, Arrived, Ask, NotBegun, exchange, network
from adapters.http.pace import LONGEST, USUAL, Limits, Pace, Stopwatch, Window, retry_after
from adapters.http.retries import NOT_SENT_ATTEMPTS, READ_ATTEMPTS, patiently
from adapters.http.rules import Rule
from syncer import __version__
from syncer.contract.errors import (
    AdapterError,
    BadAnswer,
    BudgetSpent,
    InDoubt,
    NoConnection,
    NotSent,
    Refused,
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
    "Rule",
    "Transport",
    "Window",
    "excerpt",
    "said",
]

Transport = httpx.AsyncBaseTransport
"""Sends the requests: the network, or a sandbox in tests."""

HEADERS: Final = {
    "User-Agent": f"syncer/{__version__}",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
}
# With doubled waits from 2 s on, the last answer comes after about four minutes.
MAX_THROTTLES: Final = 8
MAX_PAGES: Final = 10_000
"""The most pages of one list. A server that always returns another page must not hold a run for ever."""

_log = structlog.get_logger("syncer.http")
_request_numbers = itertools.count(1)


# Every other error may come after the request has left, so it puts a write in doubt.
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
    """One read or write, and all its attempts.

    ``unreadable`` is the error for an answer that cannot be understood: `InDoubt` for a write, `BadAnswer` for a read.
    ``fence`` is called at the last moment before sending. ``seconds`` has the duration of each attempt.
    """

    unreadable: type[AdapterError]
    page: bool = False
    fence: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)


class Http:
    """A connection pool to one CRM, with its budgets and its table of errors.

    Arguments:

    - ``rates``: request limits, all of which apply;
    - ``throttle_wait``: seconds to wait after a 429 without ``Retry-After``;
    - ``rules``: checked before `DEFAULT_RULES`; a rule with `BudgetSpent` is handled like a 429;
    - ``own_error``: tells the CRM's errors from those of a proxy or a gateway;
    - ``authorization``: gives headers that change, such as OAuth tokens;
    - ``limits``: the headers in which the CRM reports its limits;
    - ``says``: the fields of an error body with the error text, checked before the common ones.

    ``reads`` and ``writes`` count the requests sent, retries included. ``outcomes`` counts the answers. ``budgets``
    returns the used part of each rate.
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
        self._judge = Judge(system, rules, own_error, says)
        self._limits = limits
        self._authorization = authorization
        self._throttle_wait = throttle_wait
        self._in_flight: set[asyncio.Timeout] = set()
        self._pace = Pace(system, rates, limits)
        self.budgets = self._pace.used
        self._awaiting = Stopwatch()
        self._fence: Callable[[], None] = lambda: None
        # A request that has passed the rate limit must not wait for a connection, or it would be sent later than the
        # limit has counted it.
        self._connections = asyncio.Semaphore(CONNECTIONS)
        self._headers = httpx.Headers({**HEADERS, **headers})
        # The transport is used without httpx's client: cookies would bind us to a session, and no redirect is followed.
        self._transport = transport or network(base_url)

    def set_deadline(self, seconds: float | None) -> None:
        """From now on, a wait that would end later than in ``seconds`` raises `BudgetSpent`."""
        self._pace.set_deadline(seconds)
        if self._authorization is not None:
            self._authorization.set_deadline(seconds)
        if seconds is not None and seconds <= 0:
            end = asyncio.get_running_loop().time() + LAST_WORDS
            # Requests in flight get a little longer. To cut off a write at once would put it in doubt for no reason.
            for limit in self._in_flight:
                if limit.when() is None:
                    limit.reschedule(end)

    def waited(self) -> float:
        """Seconds so far in which at least one request waited for its answer."""
        return self._awaiting.seconds

    def paused(self) -> float:
        """Seconds so far in which requests waited for a rate limit, each counted by itself."""
        return self._pace.paused

    def set_fence(self, fence: Callable[[], None]) -> None:
        """Call ``fence`` at the last moment before each write. If it raises, the write is not sent and raises the same.

        It is called a second time if the connection had to be opened first.
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
        """Send a request that changes nothing, and retry it. ``page`` allows more time, for a page of a list.

        Raises `Unavailable`, `NoConnection`, `BudgetSpent`, `Unauthorized`, `Missing`, `Refused`, or a rule's error.
        """
        effort = _Effort(BadAnswer, page)
        send = partial(self._send, Ask(method, path, params, json, form), effort)
        try:
            return await patiently(send, effort.seconds, again_after=(InDoubt, NotSent), attempts=READ_ATTEMPTS)
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
        """Send a request that changes something. It is retried only if it was certainly not sent.

        Raises `NotSent`, `InDoubt`, `Refused`, `BudgetSpent`, `Unauthorized`, `Missing`, or a rule's error.
        """
        effort = _Effort(InDoubt, fence=self._fence)
        send = partial(self._send, Ask(method, path, params, json), effort)
        return await patiently(send, effort.seconds, again_after=(NotSent,), attempts=NOT_SENT_ATTEMPTS)

    async def _send(self, ask: Ask, effort: _Effort) -> Answer:
        """Send within the budgets. After a 429, wait for an hour at most and send again; this costs no attempt."""
        waited, throttles = 0.0, 0
        renewals = 0 if self._authorization is None else 1
        while True:
            # Before the queue for a connection, because a renewal of the tokens may take a while and sends a request of
            # its own.
            headers = await self._all_headers()
            async with self._connections:
                await self._pace.wait()
                # The wait may have been long. Another process may have taken the lease since the write was decided on.
                effort.fence()
                self._count(effort.unreadable)
                with self._awaiting:
                    arrived = await self._exchange(ask, headers, effort)
            # Before anything is made of the answer: until then other requests could leave beyond the limit.
            self._pace.heed(arrived.headers)
            if renewals and self._authorization is not None and self._judge.is_expired(arrived):
                # Once only: if a new token is rejected as well, its age was not the reason.
                renewals -= 1
                if await self._authorization.renew(headers):
                    continue
            if not self._judge.is_throttled(arrived):
                return self._judge.answer(arrived, effort.unreadable)
            # Also if the named instant has passed already: at once, the next answer would be a 429 again.
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
            # Without an end for now: when the run ends, `set_deadline` gives each request in flight its last seconds.
            async with asyncio.timeout(None) as limit:
                self._in_flight.add(limit)
                arrived = await exchange(self._transport, request, page=effort.page, fence=effort.fence)
        except _NOT_SENT as error:
            _log.info("request.not_sent", **about, error=_describe(error))
            msg = f"no connection to {self._host}: {_describe(error)}"
            raise NotSent(msg, system=self.system) from error
        # There was a connection, so the request may have arrived and may have been carried out.
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


def _describe(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return short(str(error)) or "the run was over before the answer came"
    return short(f"{type(error).__name__}: {error}".rstrip(": "))
