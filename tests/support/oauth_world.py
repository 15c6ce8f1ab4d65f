"""A location behind its token endpoint, in virtual time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.settings import HighLevelSettings
from adapters.http.sandbox_transport import SandboxTransport
from tests.support.clock import run_virtual, virtual_loop
from tests.support.highlevel_kit import LOCATION

DAY = 86_399.0


class OAuthWorld:
    """A location behind its token endpoint, in virtual time, and adapters that share one file of tokens."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tokens"
        self.sandbox = HighLevelSandbox(lambda: virtual_loop().now())
        self.sandbox.token = "no static token is good"

    def adapter(self, transport: SandboxTransport | None = None, /, **more: Any) -> HighLevelAdapter:
        app: dict[str, Any] = {
            "client_id": "client-1",
            "client_secret": SecretStr("client-secret"),
            "refresh_token": SecretStr("refresh-0"),
            "location_id": LOCATION,
            "token_file": str(self.file),
            **more,
        }
        network = transport or SandboxTransport(self.sandbox)
        adapter = HighLevelAdapter(HighLevelSettings(**app), region="IN", transport=network)
        assert adapter._tokens is not None
        adapter._tokens.authorization._clock = lambda: virtual_loop().now()
        return adapter

    @property
    def renewals(self) -> int:
        return sum(call.path == "/oauth/token" for call, _ in self.sandbox.calls)


def played(work: Callable[[], Awaitable[None]]) -> None:
    async def play() -> None:
        await work()

    run_virtual(play())
