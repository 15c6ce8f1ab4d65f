"""Asks an application as a browser or a program does, without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class WebClient:
    """One request at a time, redirections not followed, no cookies kept. ``raising``: bugs are raised, not answered."""

    def __init__(self, app: ASGIApp, base_url: str, *, raising: bool = True) -> None:
        self.app = app
        self._raising = raising
        self._base_url = base_url

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.request("POST", path, **more)

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=self._raising)
            async with httpx.AsyncClient(transport=transport, base_url=self._base_url) as client:
                return await client.request(method, path, **more)

        return asyncio.run(ask())
