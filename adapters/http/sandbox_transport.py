"""An httpx transport that passes requests to a sandbox, without a network. For tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from adapters.sandbox import Broken, Call, Sandbox


class SandboxTransport(httpx.AsyncBaseTransport):
    """Passes requests below a path prefix to a sandbox."""

    def __init__(self, sandbox: Sandbox, *, prefix: str = "") -> None:
        self._sandbox = sandbox
        self._prefix = prefix

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = Call(
            request.method,
            request.url.path.removeprefix(self._prefix),
            dict(request.url.params) if request.url.query else {},
            {name.decode().lower(): value.decode() for name, value in request.headers.raw},
            await request.aread(),
        )
        try:
            reply = self._sandbox.exchange(call)
        except Broken as broken:
            if broken.sent:
                raise httpx.ReadError("connection reset by peer", request=request) from broken
            raise httpx.ConnectError("connection refused", request=request) from broken
        headers = {**reply.headers, "content-length": str(len(reply.body))}
        return httpx.Response(reply.status, headers=headers, stream=_Body(reply.body), request=request)


class _Body(httpx.AsyncByteStream):
    """A body that has arrived. httpx would decode its own at once, though nobody reads what comes of it."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content
