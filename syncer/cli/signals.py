"""SIGINT and SIGTERM: the first one ends the work after the request in flight, a second one ends the process.

Everything that matters is stored before it is sent, so that even the second one loses nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Executor, Future
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

from syncer.cli.errors import Stopped as Stopped
from syncer.contract.adapter import Adapter
from syncer.domain.report import Exit

_T = TypeVar("_T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_OF_A_SIGNAL: Final = 128
_SHOW_CURSOR: Final = "\x1b[?25h"
LAST_MOMENT: Final = 9.0
"""Seconds after which a process that was told to stop is gone, whatever hangs."""


class _Apart(Executor):
    """A thread for each piece of work, which the end of the process does not wait for."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        future: Future[_T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is waited for
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future


_APART: Final = _Apart()


async def apart(work: Callable[[], _T]) -> _T:
    """Do beside the event loop what may have to wait for other processes."""
    return await asyncio.get_running_loop().run_in_executor(_APART, work)


class Stop:
    """While entered, takes the two signals over from the running event loop."""

    def __init__(self) -> None:
        self.exit_status: Exit | None = None
        self._asked = asyncio.Event()
        self._before: dict[signal.Signals, Any] = {}
        self._last_moment: threading.Timer | None = None

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self.ask, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._last_moment is not None:
            self._last_moment.cancel()
        loop = asyncio.get_running_loop()
        for number, handler in self._before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)

    def ask(self, number: int) -> None:
        """Stop after the request in flight; asked a second time, at once."""
        if self.exit_status is not None:
            _end_process(number)
        self.exit_status = Exit(_OF_A_SIGNAL + number)
        self._asked.set()
        # In a thread: what hangs may be the event loop itself. What was sent and not answered is stored as that.
        self._last_moment = threading.Timer(LAST_MOMENT, os._exit, (_OF_A_SIGNAL + number,))
        self._last_moment.daemon = True
        self._last_moment.start()
        sys.stderr.write(
            f"stopping after the request in flight, within {LAST_MOMENT:.0f} s; a second signal stops at once\n"
        )

    def end(self) -> None:
        """Wake whoever waits, without a signal: there is nothing left to do."""
        self._asked.set()

    async def wait(self) -> None:
        """Return once somebody has asked for the end."""
        await self._asked.wait()

    async def finish(self, work: Coroutine[Any, Any, _T], adapters: Iterable[Adapter]) -> _T:
        """The work's result; when the end is asked for, the work is cancelled and waited for. Raises `Stopped`."""
        if self.exit_status is not None:
            work.close()
            raise Stopped(self.exit_status)
        task, asked = asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            for adapter in adapters:
                adapter.wire.set_deadline(0.0)
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled() and self.exit_status is not None:
            raise Stopped(self.exit_status)
        return task.result()


def _end_process(number: int) -> NoReturn:
    if sys.stderr.isatty():
        sys.stderr.write(_SHOW_CURSOR)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_OF_A_SIGNAL + number)
