"""Virtual time for trials: an event loop that jumps to its next timer, so that waiting costs nothing."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

T = TypeVar("T")

START: Final = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)


class _Jumping(selectors.DefaultSelector):
    """Moves the clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            msg = "the adapter waits for something that never comes"
            raise RuntimeError(msg)
        self.now += max(timeout, 0.0)
        # Real events still count: a thread may have woken the loop.
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)
        # A microsecond: coarse enough that a jump by a rounded difference always reaches its timer.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.now


def now() -> datetime:
    """The virtual instant, inside of `run_in_virtual_time`."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def run_in_virtual_time(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end without waiting."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)
