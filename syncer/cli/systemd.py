"""Readiness and the watchdog, told to systemd; where it did not start us, nothing is told to anybody.

systemd's documentation, sd_notify(3): a datagram of ``NAME=value`` lines to the socket that ``NOTIFY_SOCKET`` names, a
leading ``@`` stands for a NUL byte. ``WATCHDOG_USEC`` is how long it waits for a sign of life from ``WATCHDOG_PID``.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

_MICROSECONDS: Final = 1_000_000


class Systemd:
    """The service manager that started this process, if it wants to be told."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        named = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + named[1:] if named.startswith("@") else named
        meant = env.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        limit = env.get("WATCHDOG_USEC", "")
        self.watchdog = int(limit) / _MICROSECONDS if meant and limit.isdigit() else 0.0
        """Seconds after which it takes a silent process for hung; 0 where it watches none."""

    def ready(self, words: str) -> None:
        """All that can be served is served."""
        self._tell("READY=1", f"STATUS={words}")

    def stopping(self) -> None:
        """The end was asked for."""
        self._tell("STOPPING=1", "STATUS=stopping after the request in flight")

    async def stay_alive(self) -> None:
        """Say so, from the event loop, for as long as it turns."""
        while self._address and self.watchdog:
            self._tell("WATCHDOG=1")
            await asyncio.sleep(self.watchdog / 3)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # Whoever does not listen any more is told nothing; the work goes on.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.settimeout(0)
            sender.connect(self._address)
            sender.send("\n".join(lines).encode())
