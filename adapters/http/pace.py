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

from syncer.contract.adapter import BudgetSpent
from syncer.contract.settings import Rate

SLICE: Final = 1.0
LONGEST: Final = timedelta(hours=1).total_seconds()
"""Seconds of any pause that a CRM asks for."""
_INSTANTS: Final = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3), (1e9, 1.0))
"""From which number on it is an instant since 1970, and in which part of a second: as a wait it would be decades."""
_LONGEST_VALUE: Final = 100
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")


@dataclass(frozen=True, slots=True)
class Window:
    """A rate of which a CRM tells in each answer how much is left: ``remaining`` is the header that counts it.

    ``interval`` is the header that has how long the rate's interval is, in units of ``unit`` seconds; where there is
    none, the interval has ``seconds``.
    """

    remaining: str
    interval: str = ""
    unit: float = 1.0
    seconds: float = LONGEST

    def lasts(self, headers: Mapping[str, str]) -> float | None:
        """Seconds of the interval, an hour at most; ``None`` where it is not told."""
        seconds = _number(headers, self.interval, scale=self.unit) if self.interval else self.seconds
        return None if seconds is None else min(seconds, LONGEST)


@dataclass(frozen=True, slots=True)
class Limits:
    """In which headers a CRM tells of its limits.

    ``waits`` are those that have how long, or until when, to wait after a 429, the first one first. ``windows`` are the
    rates that it tells of in each answer.
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
"""What most CRMs have."""


def retry_after(headers: Mapping[str, str], limits: Limits = USUAL) -> float | None:
    """Seconds that the CRM asks for, else until its rate begins anew, else the rate's interval.

    At most an hour. A moment that has passed is 0; ``None`` where nothing can be understood.
    """
    for name in limits.waits:
        seconds = _wait(headers.get(name, ""), headers)
        if seconds is not None:
            return seconds
    told = (window.lasts(headers) for window in limits.windows if window.interval)
    return next((seconds for seconds in told if seconds is not None), None)


def _wait(value: str, headers: Mapping[str, str]) -> float | None:
    """A wait in seconds, or until an instant: since 1970 in seconds or parts of them, in ISO 8601, or HTTP's dates."""
    value = value.strip(" \t\"'")
    if len(value) > _LONGEST_VALUE:
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
    # By the CRM's own clock, where it tells it: ours may be wrong.
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
    """The rates as the bucket wants them: ever longer windows with ever more requests, ever less dense.

    A window that another one implies is left out; one that is denser than a shorter one is lowered to it.
    """
    windows: list[BucketRate] = []
    for rate in sorted(rates, key=lambda rate: (rate.seconds, rate.requests)):
        requests, interval = rate.requests, max(1, math.ceil(rate.seconds * 1000 - 1e-6))
        if windows:
            requests = min(requests, windows[-1].limit * interval // windows[-1].interval)
        while windows and windows[-1].limit >= requests:
            windows.pop()
        windows.append(BucketRate(requests, interval))
    return windows


class Stopwatch:
    """For how long, in all, at least one of several things was under way, those of now included."""

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
    """When the next request may be sent: several rate windows, and pauses that the CRM asked for.

    Time is the event loop's, so that a simulation's virtual clock rules here too.
    """

    def __init__(self, system: str, rates: Sequence[Rate], limits: Limits = USUAL) -> None:
        self._system = system
        self._limits = limits
        self._bucket = InMemoryBucket(_windows(rates))
        self._not_before = 0.0
        self._deadline: float | None = None
        self._turn = asyncio.Lock()

    def set_deadline(self, seconds: float | None) -> None:
        self._deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds

    def pause(self, seconds: float) -> None:
        """Send nothing for this long."""
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + seconds)

    def heed(self, headers: Mapping[str, str]) -> None:
        """Pause when the CRM says that a window is used up, before it has to say 429."""
        for window in self._limits.windows:
            if _number(headers, window.remaining) == 0:
                self.pause(window.lasts(headers) or 0.0)

    def used(self) -> dict[str, float]:
        """Which part of each window's requests is used up now, from 0 to 1, by the window such as ``60s``."""
        now = int(asyncio.get_running_loop().time() * 1000)
        sent = [item.timestamp for item in self._bucket.items]
        return {
            f"{rate.interval / 1000:g}s": (len(sent) - bisect_right(sent, now - rate.interval)) / rate.limit
            for rate in self._bucket.rates
        }

    async def wait(self) -> None:
        """Return when a request may be sent, first come first served; raise `BudgetSpent` if that is too late."""
        async with self._turn:
            while (delay := self._delay()) > 0:
                now = asyncio.get_running_loop().time()
                if self._deadline is not None and now + delay > self._deadline:
                    msg = f"the next request is allowed only in {delay:.0f} s, after this run's end"
                    raise BudgetSpent(msg, system=self._system)
                # In slices, so that a deadline that is moved up ends a long wait.
                await asyncio.sleep(min(delay, SLICE))

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
        return max(waiting, 0) / 1000 + 0.002
