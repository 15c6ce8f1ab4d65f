"""When the next request to a CRM may be sent: rate windows, and pauses that the CRM asks for."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

from pyrate_limiter import InMemoryBucket, RateItem
from pyrate_limiter import Rate as BucketRate

from adapters.base import BudgetSpent
from adapters.settings import Rate

SLICE: Final = 1.0
_HOUR: Final = timedelta(hours=1).total_seconds()
_DAY: Final = timedelta(days=1).total_seconds()


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the CRM asks for: ``Retry-After`` as seconds or as a date, else the rate's own interval."""
    value = headers.get("Retry-After", "").strip()
    if not value:
        return _interval(headers)
    if value.replace(".", "", 1).isdecimal():
        return min(float(value), _DAY)
    moment = _date(value)
    # The CRM's own clock, where it tells it: ours may be wrong.
    now = _date(headers.get("Date", "")) or datetime.now(UTC)
    return min(max(0.0, (moment - now).total_seconds()), _DAY) if moment else None


def _date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(headers: Mapping[str, str], name: str, *, scale: float = 1.0) -> float | None:
    value = headers.get(name, "").strip()
    return float(value) * scale if value.isdecimal() and len(value) < 12 else None


def _interval(headers: Mapping[str, str]) -> float | None:
    seconds = _number(headers, "X-RateLimit-Interval-Milliseconds", scale=0.001)
    return None if seconds is None else min(seconds, _DAY)


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


class Pace:
    """When the next request may be sent: several rate windows, and pauses that the CRM asked for.

    Time is the event loop's, so that a simulation's virtual clock rules here too.
    """

    def __init__(self, system: str, rates: Sequence[Rate]) -> None:
        self._system = system
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
        interval = _interval(headers)
        if interval and _number(headers, "X-RateLimit-Remaining") == 0:
            self.pause(interval)
        if _number(headers, "X-RateLimit-Daily-Remaining") == 0:
            self.pause(_HOUR)

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
