"""Repeat a request that failed, with increasing pauses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import stamina

from adapters.http.answers import Answer
from syncer.contract.errors import AdapterError, BudgetSpent

READ_ATTEMPTS: Final = 4
NOT_SENT_ATTEMPTS: Final = 3
PATIENCE: Final = 10.0
"""A read or write is not repeated any more when its requests have taken this many seconds."""
FIRST_PAUSE: Final = 0.5
LAST_PAUSE: Final = 10.0


async def patiently(
    send: Callable[[], Awaitable[Answer]],
    seconds: Sequence[float],
    *,
    again_after: tuple[type[AdapterError], ...],
    attempts: int,
) -> Answer:
    """Send, and retry after these errors with increasing pauses, until the requests have taken `PATIENCE` seconds.

    ``seconds`` has the duration of each attempt so far.
    """

    def again(error: Exception) -> bool:
        return isinstance(error, again_after) and sum(seconds) < PATIENCE

    try:
        return await send()
    except again_after as error:
        if not again(error):
            raise
        first = error
    # Used only after a failure: setting up stamina takes as long as a request, and nearly no request is retried.
    try:
        async for attempt in stamina.retry_context(
            on=again, attempts=attempts, timeout=None, wait_initial=FIRST_PAUSE, wait_max=LAST_PAUSE
        ):
            with attempt:
                # The first attempt was made above: raise its error, so that stamina pauses before the next one.
                if attempt.num == 1:
                    raise first
                return await send()
    except BudgetSpent as spent:
        # It was tried, and failed. That there is no budget for another try does not make it something untried.
        raise first from spent
    except asyncio.CancelledError as cut:
        # Whoever cuts it off can tell a read that failed from one that had no time.
        raise cut from first
    raise AssertionError
