"""When the next request to a CRM may be sent: rate windows, and pauses that the CRM asks for."""

from __future__ import annotations

import asyncio
import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from pyrate_limiter import InMemoryBucket, RateItem
from pyrate_limiter import Rate as BucketRate

from syncer.contract.errors import BudgetSpent
from syncer.contract.settings import Rate

SLICE: Final = 1.0
LONGEST: Final = timedelta(hours=1).total_seconds()
"""The longest pause in seconds, whatever the CRM asks for."""
_INSTANTS: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e9, 1.0))
"""(least number, units per second). Numbers from 1e9 on are instants since 1970: as a wait they would be decades."""
_LONGEST_VALUE: Final = 100
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Window:
    """A rate that the CRM reports in the headers of each answer.

    ``remaining`` is the header with the number of requests left. ``interval`` is the header with the length of the
    rate's interval, in units of ``unit`` seconds. Without such a header, the interval is ``seconds`` long.
    """

    remaining: str
    interval: str = ""
    unit: float = 1.0
    seconds: float = LONGEST

    def lasts(self, headers: Mapping[str, str]) -> float | None:
        """The interval in seconds, an hour at most. ``None`` if the header is missing."""
        seconds = _number(headers, self.interval, scale=self.unit) if self.interval else self.seconds
        return None if seconds is None else min(seconds, LONGEST)


@dataclass(frozen=True, slots=True)
class Limits:
    """The headers in which a CRM reports its limits.

    ``waits`` are headers with the wait after a 429, as seconds or an instant; the first one that can be read counts.
    ``windows`` are the rates that are reported in each answer.
    """

    waits: tuple[str, ...] = (
        "Retry-After",
        "RateLimit-Reset",
        "X-RateLimit-Reset",
        "X-Rate-Limit-Reset",
        "X-RateLimit-Reset-After",
    )
    windows: tuple[Window, ...] = ()


USUAL: Final = Limits()
"""The headers of most CRMs."""


def retry_after(headers: Mapping[str, str], limits: Limits = USUAL) -> float | None:
    """Seconds to wait after a 429: what the CRM asks for, else the interval of its rate.

    At most an hour. An instant that has passed gives 0. ``None`` if no header can be read.
    """
    for name in limits.waits:
        seconds = _wait(headers.get(name, ""), headers)
        if seconds is not None:
            return seconds
    told = (window.lasts(headers) for window in limits.windows if window.interval)
    return next((seconds for seconds in told if seconds is not None), None)


def _wait(value: str, headers: Mapping[str, str]) -> float | None:
    """The seconds to wait by a header value.

    It may be a number of seconds, or an instant: since 1970 in seconds, milli-, micro- or nanoseconds, in ISO 8601, or
    an HTTP date.
    """
    value = value.strip(" \t\"'")
    if len(value) > _LONGEST_VALUE:
        # Too long for a date, and the server chooses the length: it is not parsed.
        return LONGEST if _SECONDS.fullmatch(value) else None
    if _SECONDS.fullmatch(value):
        number = float(value)
        scale = next((scale for least, scale in _INSTANTS if number >= least), None)
        moment = None if scale is None else number / scale
        if moment is None:
            return min(number, LONGEST)
    else:
        read = _date(value)
        moment = None if read is None else read.timestamp()
    if moment is None:
        return None
    # Use the CRM's own clock if the answer has a date: ours may be wrong.
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max(0.0, moment - now.timestamp()), LONGEST)


def _date(value: str) -> datetime | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(value.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            continue
    return None


def _number(headers: Mapping[str, str], name: str, *, scale: float = 1.0) -> float | None:
    value = headers.get(name, "").strip()
    return float(value) * scale if value.isdecimal() and len(value) < 12 else None


def _windows(rates: Sequence[Rate]) -> list[BucketRate]:
    """The rates as the bucket requires them: longer windows must allow more requests, but fewer per second.

    A window that a longer one already implies is left out. A window that allows more requests per second than a shorter
    one is lowered.
    """
    windows: list[BucketRate] = []
    for rate in sorted(rates, key=lambda rate: (rate.seconds, rate.requests)):
        # Rounded up, because a shorter window would allow more. The small part undoes errors of floating point.
        requests, interval = rate.requests, max(1, math.ceil(rate.seconds * 1000 - 1e-6))
        if windows:
            requests = min(requests, windows[-1].limit * interval // windows[-1].interval)
        while windows and windows[-1].limit >= requests:
            windows.pop()
        windows.append(BucketRate(requests, interval))
    return windows


class Stopwatch:
    """Measures the total time in which at least one of several activities was running. Used with ``with``."""

    def __init__(self) -> None:
        self._under_way = 0
        self._since = 0.0
        self._before = 0.0

    def __enter__(self) -> None:
        if self._under_way == 0:
            self._since = asyncio.get_running_loop().time()
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._before += asyncio.get_running_loop().time() - self._since

    @property
    def seconds(self) -> float:
        now = asyncio.get_running_loop().time() - self._since if self._under_way else 0.0
        return self._before + now


class Pace:
    """Decides when the next request may be sent: by several rates, and by pauses that the CRM asks for.

    Time is the event loop's, so that a test can use a virtual clock.
    """

    def __init__(self, system: str, rates: Sequence[Rate], limits: Limits = USUAL) -> None:
        self._system = system
        self._limits = limits
        self._bucket = InMemoryBucket(_windows(rates))
        self._not_before = 0.0
        self._deadline: float | None = None
        self._turn = asyncio.Lock()
        self.paused = 0.0
        """The seconds of all waits so far."""

    def set_deadline(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def pause(self, seconds: float) -> None:
        """Send nothing for this many seconds."""
        # An answer that asks for a shorter pause must not end a longer one.
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    def heed(self, headers: Mapping[str, str]) -> None:
        """Pause if the CRM reports that a rate is used up, before it has to answer 429."""
        for window in self._limits.windows:
            if _number(headers, window.remaining) == 0:
                self.pause(window.lasts(headers) or 0.0)

    def used(self) -> dict[str, float]:
        """The used part of each rate now, from 0 to 1, by its window, such as ``60s``."""
        now = int(asyncio.get_running_loop().time() * 1000)
        sent = [item.timestamp for item in self._bucket.items]
        return {
            f"{rate.interval / 1000:g}s": (len(sent) - bisect_right(sent, now - rate.interval)) / rate.limit
            for rate in self._bucket.rates
        }

    async def wait(self) -> None:
        """Wait until a request may be sent, in order of arrival. Raises `BudgetSpent` if that is after the deadline."""
        # The lock makes a queue. Without it, a new request could pass one that has waited for its turn.
        async with self._turn:
            while (delay := self._delay()) > 0:
                now = asyncio.get_running_loop().time()
                if self._deadline is not None and now + delay > self._deadline:
                    msg = f"the next request is allowed in {delay:.0f} s, after the end of this run"
                    raise BudgetSpent(msg, system=self._system)
                # Sleep in slices, so that an earlier deadline ends a long wait.
                await asyncio.sleep(min(delay, SLICE))
                self.paused += min(delay, SLICE)

    def _delay(self) -> float:
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            return self._not_before - now
        item = RateItem(self._system, int(now * 1000))
        self._bucket.leak(item.timestamp)
        if self._bucket.put(item):
            return 0.0
        waiting = self._bucket.waiting(item)
        if not isinstance(waiting, int):
            raise TypeError
        # The bucket counts whole milliseconds: without the margin the next try could come a moment too early.
        return max(waiting, 0) / 1000 + 0.002
