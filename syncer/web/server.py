"""The thread that serves the page, so that slow pages or many requests delay no run."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

AT_ONCE: Final = 1000
"""The most connections. Further ones wait in the system's queue, so that memory and open files stay bounded."""
OF_FILES: Final = 4
"""Connections get one part in this many of the files that the process may open, because runs need files, too."""
ASKS_WITHIN: Final = 20.0
"""Seconds within which a new connection must send the head of a request.

If many connect at once, the system may lose their first packets, which are sent again after up to 13 seconds.
"""
_AGAIN: Final = 0.5
"""Seconds until the next try, if the system could not accept a connection."""
_FAREWELL: Final = 2.0


class WebThread:
    """Serves an application on a socket, from `start` to `stop`."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            # Its log would show whole addresses, and its own lines are not in our form.
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
            # A page on its way gets a second, for the process has to end within ten.
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        # A page that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread without waiting long, so that a slow reader does not delay the end of the process."""
        self._server.should_exit = True
        self._thread.join(_FAREWELL)
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        accepting = asyncio.create_task(_accept(self._server, self._listener))
        try:
            # No socket is passed, because `_accept` limits the number of connections.
            await self._server.serve(sockets=[])
        finally:
            accepting.cancel()
            with suppress(asyncio.CancelledError):
                await accepting


async def _accept(server: uvicorn.Server, listener: socket.socket) -> None:
    """Accept connections as long as there is room for them, until it is cancelled."""
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(connections_at_once())
    listener.settimeout(0.0)
    while not server.should_exit:
        await room.acquire()
        connection = None
        try:
            connection, _ = await loop.sock_accept(listener)
            await loop.connect_accepted_socket(lambda: _Protocol(server, room.release), connection)
        except OSError:
            # The other side has gone, or the process has no file left to open.
            room.release()
            if connection is not None:
                connection.close()
            else:
                await asyncio.sleep(_AGAIN)


def connections_at_once() -> int:
    """Return the most connections, given how many files this process may open. That limit is raised if possible."""
    try:
        import resource
    except ImportError:  # not on Windows
        return AT_ONCE
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return AT_ONCE
    wanted = AT_ONCE * OF_FILES
    if files < wanted:
        allowed = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
            files = allowed
    return max(1, min(AT_ONCE, files // OF_FILES))


class _Protocol(H11Protocol):
    """One connection. It is closed if no request arrives for long. ``gone`` is called when it has ended."""

    def __init__(self, server: uvicorn.Server, gone: Callable[[], None]) -> None:
        super().__init__(config=server.config, server_state=server.server_state, app_state={})
        self._gone = gone
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()
        self._gone()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # The head is whole. A client that sends it byte by byte has no more time than any other.
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        self._wait_no_more()
        if not self.transport.is_closing():
            self._patience = self.loop.call_later(ASKS_WITHIN, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
