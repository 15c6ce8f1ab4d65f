"""Tell systemd that the daemon is ready and alive. If systemd did not start the process, nothing is sent.

From systemd's documentation, sd_notify(3): a message is a datagram of ``NAME=value`` lines to the socket that
``NOTIFY_SOCKET`` names, where a leading ``@`` stands for a NUL byte. ``WATCHDOG_USEC`` is the longest time between two
signs of life of the process ``WATCHDOG_PID``.
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
    """The service manager that started this process, if there is one."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        named = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + named[1:] if named.startswith("@") else named
        meant = env.get("WATCHDOG_PID", "") in {"", str(os.getpid())}
        limit = env.get("WATCHDOG_USEC", "")
        self.watchdog = int(limit) / _MICROSECONDS if meant and limit.isdigit() else 0.0
        """Seconds after which systemd restarts a silent process; 0 if it does not watch this one."""

    def ready(self, words: str) -> None:
        """Tell that the daemon serves all accounts that it can serve."""
        self._tell("READY=1", f"STATUS={words}")

    def stopping(self) -> None:
        """Tell that the daemon is stopping."""
        self._tell("STOPPING=1", "STATUS=stopping after the request in flight")

    async def stay_alive(self) -> None:
        """Send signs of life from the event loop, so that they end if the loop hangs."""
        while self._address and self.watchdog:
            self._tell("WATCHDOG=1")
            # systemd's manual recommends half of the time at most.
            await asyncio.sleep(self.watchdog / 3)

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        # If systemd does not listen any more, the work goes on.
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            # If systemd is slow to read, the event loop must not wait for it.
            sender.settimeout(0)
            sender.connect(self._address)
            sender.send("\n".join(lines).encode())
