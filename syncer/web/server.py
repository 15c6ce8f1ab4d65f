"""The thread that serves: a page that is slow to make, or many at once, hold up no run."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Final

import uvicorn
from starlette.types import ASGIApp

AT_ONCE: Final = 1000
"""Connections; whoever comes then gets 503, so that memory stays bounded."""
_FAREWELL: Final = 2.0


class WebThread:
    """Serves an application on a socket, from `start` to `stop`."""

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            log_level="critical",
            access_log=False,
            lifespan="off",
            http="h11",
            ws="none",
            limit_concurrency=AT_ONCE,
            timeout_graceful_shutdown=1,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End it, and do not wait for long: whoever reads slowly holds up nobody's end."""
        self._server.should_exit = True
        self._thread.join(_FAREWELL)
        self._listener.close()

    def _serve(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._listener]))
