"""SIGINT and SIGTERM: the first one ends the work after the request in flight, a second one ends the process.

Everything that matters is stored before it is sent, so that even the second one loses nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine, Iterable
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

from adapters.base import Adapter
from syncer.report import Exit

_T = TypeVar("_T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_OF_A_SIGNAL: Final = 128
_SHOW_CURSOR: Final = "\x1b[?25h"


class Stopped(Exception):
    """The work was ended by a signal; ``exit_status`` says which one."""

    def __init__(self, exit_status: Exit) -> None:
        super().__init__(f"stopped by {exit_status.name}; everything is stored")
        self.exit_status = exit_status


class Stop:
    """While entered, takes the two signals over from the running event loop."""

    def __init__(self) -> None:
        self.exit_status: Exit | None = None
        self._asked = asyncio.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self.ask, number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
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
        sys.stderr.write("stopping after the request in flight; a second signal stops at once\n")

    def end(self) -> None:
        """Wake whoever waits, without a signal: there is nothing left to do."""
        self._asked.set()

    async def wait(self) -> None:
        """Return once somebody has asked for the end."""
        await self._asked.wait()

    async def finish(self, work: Coroutine[Any, Any, _T], adapters: Iterable[Adapter]) -> _T:
        """The work's result; when the end is asked for, the work is cancelled and waited for. Raises `Stopped`."""
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
