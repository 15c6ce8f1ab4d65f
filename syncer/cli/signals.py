"""SIGINT, SIGTERM and SIGHUP. The first ends the work after the current request, the second ends the process at once.

Everything important is stored before it is sent, so that even the second signal loses nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Any, Final, NoReturn, Self, TypeVar

from syncer.cli.errors import Stopped as Stopped
from syncer.contract.adapter import Adapter
from syncer.domain.report import Exit

_T = TypeVar("_T")
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
# Windows has none.
_HANGUP: Final[signal.Signals | None] = getattr(signal, "SIGHUP", None)
_OF_A_SIGNAL: Final = 128
_SHOW_CURSOR: Final = "\x1b[?25h"
# Docker kills a container ten seconds after it sent SIGTERM.
LAST_MOMENT: Final = 9.0
"""Seconds after which a process exits after a signal, even if something hangs."""


class _Apart(ThreadPoolExecutor):
    """An executor with one thread for each piece of work. The process does not wait for these threads when it exits."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Wait for nothing: a look-up of a host's name, or a webhook, may hang."""

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        future: Future[_T] = Future()

        def work() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
                future.set_exception(error)

        threading.Thread(target=work, daemon=True).start()
        return future


_APART: Final = _Apart()


async def apart(work: Callable[[], _T]) -> _T:
    """Run in a thread what may have to wait for other processes, so that the event loop goes on."""
    return await asyncio.get_running_loop().run_in_executor(_APART, work)


class Stop:
    """A context manager that handles the two signals of the running event loop."""

    def __init__(self) -> None:
        self.exit_status: Exit | None = None
        self._asked = asyncio.Event()
        self._before: dict[signal.Signals, Any] = {}
        self._last_moment: threading.Timer | None = None

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        # In place of asyncio's own: a process that ends would wait for its threads, and one may wait for a lock.
        loop.set_default_executor(_APART)
        for number in _SIGNALS:
            self._before[number] = signal.getsignal(number)
            loop.add_signal_handler(number, self.ask, number)
        # Under nohup it is ignored, and stays so.
        if _HANGUP is not None and signal.getsignal(_HANGUP) is signal.SIG_DFL:
            self._before[_HANGUP] = signal.SIG_DFL
            loop.add_signal_handler(_HANGUP, partial(self._hang_up, has_terminal=_has_terminal()))
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
        """Stop after the current request. The second call stops at once."""
        if self.exit_status is not None:
            _end_process(number)
        self.exit_status = Exit(_OF_A_SIGNAL + number)
        self._asked.set()
        # This runs in a thread, because the event loop itself may hang. A request without an answer is stored as sent.
        self._last_moment = threading.Timer(LAST_MOMENT, os._exit, (_OF_A_SIGNAL + number,))
        self._last_moment.daemon = True
        self._last_moment.start()
        sys.stderr.write(
            f"stopping after the request in flight, within {LAST_MOMENT:.0f} s; a second signal stops at once\n"
        )

    def _hang_up(self, *, has_terminal: bool) -> None:
        """Stop as at SIGTERM, because the terminal was closed. It may be told twice, by the shell and by the system.

        Without a terminal, somebody wants a service to read its files again. It does so all the time.
        """
        if has_terminal and self.exit_status is None:
            self.ask(signal.SIGTERM)

    def end(self) -> None:
        """End the waiting without a signal, because there is nothing left to do."""
        self._asked.set()

    async def wait(self) -> None:
        """Wait until the end is asked for."""
        await self._asked.wait()

    async def finish(self, work: Coroutine[Any, Any, _T], adapters: Iterable[Adapter]) -> _T:
        """Return the result of the work. If the end is asked for, cancel the work and await it. Raises `Stopped`."""
        if self.exit_status is not None:
            # Python warns of a coroutine that nobody awaits.
            work.close()
            raise Stopped(self.exit_status)
        task, asked = asyncio.ensure_future(work), asyncio.ensure_future(self._asked.wait())
        await asyncio.wait({task, asked}, return_when=asyncio.FIRST_COMPLETED)
        asked.cancel()
        if not task.done():
            for adapter in adapters:
                # The request in flight gets its last seconds. Nothing waits for a rate limit any more.
                adapter.wire.set_deadline(0.0)
            task.cancel()
            await asyncio.wait({task})
        # The work may have ended at the last moment: then its result counts.
        if task.cancelled() and self.exit_status is not None:
            raise Stopped(self.exit_status)
        return task.result()


def _has_terminal() -> bool:
    """Whether the process ends with a terminal."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _end_process(number: int) -> NoReturn:
    # A progress bar that is cut off leaves the cursor hidden.
    if sys.stderr.isatty():
        sys.stderr.write(_SHOW_CURSOR)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(_OF_A_SIGNAL + number)
