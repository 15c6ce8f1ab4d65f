"""Standard output and error that never fail. What cannot be written is lost."""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer

_STANDARD: Final = (0, 1, 2)
_PIECE: Final = 4096
"""If a pipe has room at all, it accepts this many bytes at once."""


class _Lossy(io.RawIOBase):
    """Writes to a file descriptor. If it is closed, full or has no reader, the text is lost.

    ``patience`` is how many seconds to wait for a slow reader, or ``None`` for no limit.
    """

    patience: float | None = None

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._stalled = False

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        try:
            return os.isatty(self._descriptor)
        except OSError:
            return False

    def writable(self) -> bool:
        return True

    def write(self, content: Buffer, /) -> int:
        """Write the text, and report success even if some of it was lost."""
        left = memoryview(content).cast("B")
        size = len(left)
        with suppress(OSError, ValueError):
            while left and self._has_room():
                # A piece at a time: a longer write to a pipe that is nearly full would wait for its reader.
                left = left[os.write(self._descriptor, left[:_PIECE]) :]
        return size

    def _has_room(self) -> bool:
        if os.name != "posix":
            return True
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        # After one timeout there is no more waiting until there is room again.
        wait = None if self.patience is None else 0.0 if self._stalled else self.patience * 1000
        self._stalled = not poll.poll(wait)
        return not self._stalled


def protect_streams() -> None:
    """Replace standard output and error, so that printing never fails."""
    for number in _STANDARD:
        _reserve(number)
    sys.stdout = _lossy(1, sys.stdout)
    sys.stderr = _lossy(2, sys.stderr)


def wait_for_no_reader(seconds: float) -> None:
    """Never wait for a reader. A daemon runs for days, and its reader may have stopped."""
    _Lossy.patience = seconds


def _reserve(number: int) -> None:
    """Reserve the numbers of closed standard streams. Otherwise the next open file, such as the ledger, gets them."""
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


def _lossy(number: int, before: TextIO | None) -> TextIO:
    if before is not None:
        with suppress(OSError, ValueError):
            before.flush()
    encoding = getattr(before, "encoding", None) or "utf-8"
    # A terminal that cannot encode a name must not end a run.
    return io.TextIOWrapper(
        io.BufferedWriter(_Lossy(number)), encoding=encoding, errors="backslashreplace", line_buffering=True
    )
