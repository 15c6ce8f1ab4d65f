"""An event loop whose time jumps: what would wait for an hour is done at once, in the same order every time.

Nothing that runs in it may use sockets. Work in threads is waited for in real time, while the virtual clock
stands still. A program in which everything waits for something that never comes ends with `Deadlock`.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START: Final = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
_THREAD_GRACE: Final = 1.0


class Deadlock(RuntimeError):
    """Everything waits, and no timer is set that could wake anything."""


class _JumpingSelector(selectors.DefaultSelector):
    """Really waits for threads only. Every other wait moves the virtual clock instead."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.in_threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.in_threads:
            return super().select(timeout if timeout == 0 else None)
        if timeout is None:
            return self._last_chance()
        # Rounding must never leave the clock just short of the timer that it jumps to.
        self.now += max(timeout, 0.0)
        return []

    def _last_chance(self) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(_THREAD_GRACE)
        if not ready:
            msg = "everything waits, and nothing is scheduled"
            raise Deadlock(msg)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that starts at ``start`` and jumps to its next timer instead of waiting for it."""

    def __init__(self, start: datetime = START) -> None:
        self._jumping = _JumpingSelector()
        self._start = start
        super().__init__(self._jumping)
        # A microsecond: coarse enough that a jump by a rounded difference always reaches its timer.
        self._clock_resolution = 1e-6

    def time(self) -> float:
        return self._jumping.now

    def now(self) -> datetime:
        """The virtual instant, in UTC."""
        return self._start + timedelta(seconds=self._jumping.now)

    def advance(self, seconds: float) -> None:
        """Let time pass at once, as if the whole program had slept."""
        self._jumping.now += seconds

    def run_in_executor(self, executor: Executor | None, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run in a thread as usual. The virtual clock does not move until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jumping.in_threads += 1
        future.add_done_callback(self._thread_done)
        return future

    def _thread_done(self, _future: asyncio.Future[Any]) -> None:
        self._jumping.in_threads -= 1


def virtual_loop() -> VirtualLoop:
    """The running loop, which must be a virtual one."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, VirtualLoop):
        msg = "this must run in run_virtual()"
        raise TypeError(msg)
    return loop


def run_virtual(main: Coroutine[Any, Any, T], *, start: datetime = START) -> T:
    """Run to the end in virtual time, then cancel the remaining tasks, as ``asyncio.run`` does."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        return runner.run(main)
