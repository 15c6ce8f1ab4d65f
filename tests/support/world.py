"""A world in a box: three sandboxes, one ledger, the real engine between them, and a clock that jumps.

Everything runs in one process without sockets or waiting; the same calls give the same result every time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.http.sandbox_transport import SandboxTransport
from adapters.reply.sandbox import ReplySandbox
from adapters.sandbox import Sandbox
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.config.loader import build_adapters, load_account
from syncer.config.schema import Account
from syncer.domain.report import Report
from syncer.engine.opening import AccountInHand, seeded_bytes
from syncer.engine.run import Options, plan, run
from syncer.ledger import Ledger, Owner
from tests.support.clock import START, VirtualLoop

T = TypeVar("T")

ACCOUNT = """
[account]
name = "acme"
region = "IN"
{account}
[ledger]
backup = "off"
[sync]
{sync}
[superfone]
api_key = "env:SUPERFONE_API_KEY"
base_url = "http://127.0.0.1:1"
rate = "1000/s"
{superfone}
[reply]
api_key = "env:REPLY_API_KEY"
base_url = "http://127.0.0.1:2"
rate = "1000/s"
{reply}
[highlevel]
token = "env:HIGHLEVEL_TOKEN"
location_id = "ve9EPM428h8vShlRW1KT"
base_url = "http://127.0.0.1:3"
rate = "1000/s"
{highlevel}
{more}
"""
SECRETS = {
    "SUPERFONE_API_KEY": "superfone-key",
    "REPLY_API_KEY": "reply-key",
    "HIGHLEVEL_TOKEN": "highlevel-token",
}


class World:
    """Three CRMs and the engine. ``settings`` are lines for the tables of the account file."""

    def __init__(self, folder: Path, *, seed: int = 0, **settings: str) -> None:
        self.loop = VirtualLoop()
        self.superfone = SuperfoneSandbox(self.now)
        self.reply = ReplySandbox(self.now)
        self.highlevel = HighLevelSandbox(self.now)
        self.seed = seed
        self.alive: Callable[[Owner], bool] | None = None
        self.door: Callable[[Sandbox], httpx.AsyncBaseTransport] = SandboxTransport
        self._folder = folder
        self._runs = 0
        self.configure(**settings)

    def configure(self, **settings: str) -> None:
        """Write the account file anew and read it."""
        tables = dict.fromkeys(("account", "sync", "superfone", "reply", "highlevel", "more"), "") | settings
        self._file = self._folder / "acme.toml"
        self._file.write_text(ACCOUNT.format_map(tables))
        self.reload()

    def reload(self) -> None:
        """Read the account file again."""
        self.account: Account = load_account(self._file)

    @property
    def sandboxes(self) -> Mapping[str, Sandbox]:
        return {"superfone": self.superfone, "reply": self.reply, "highlevel": self.highlevel}

    def now(self) -> datetime:
        return START + timedelta(seconds=self.loop.time())

    def wait(self, **span: float) -> None:
        """Let time pass: ``wait(minutes=5)``."""
        self.loop.advance(timedelta(**span).total_seconds())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run to its end in virtual time."""
        asyncio.set_event_loop(self.loop)
        return self.loop.run_until_complete(work)

    def sync(self, options: Options | None = None) -> Report:
        """One run, as ``syncer sync --once``."""
        return self.do(self._with_account(lambda account: run(account, options or Options())))

    def plan(self) -> Report:
        """What a run would do."""
        report, _ = self.do(self._with_account(plan, read_only=True))
        return report

    async def _with_account(
        self, work: Callable[[AccountInHand], Coroutine[Any, Any, T]], *, read_only: bool = False
    ) -> T:
        self._runs += 1
        transports = {system: self.door(sandbox) for system, sandbox in self.sandboxes.items()}
        adapters = build_adapters(self.account, transports)
        ledger = self.open_ledger(read_only=read_only)
        hand = AccountInHand(
            self.account,
            adapters,
            ledger,
            clock=self.now,
            random_bytes=seeded_bytes(self.seed * 1000 + self._runs),
            alive=self.alive,
        )
        try:
            return await work(hand)
        finally:
            ledger.close()
            for adapter in adapters.values():
                await adapter.aclose()

    def open_ledger(self, *, read_only: bool = False) -> Ledger:
        """The account's ledger, to be closed by the caller."""
        return Ledger.open(self.account.ledger_url, name="acme", clock=self.now, read_only=read_only)

    def lose_ledger(self) -> None:
        """As if the disk had died."""
        for file in self._folder.glob("acme.db*"):
            file.unlink()

    def close(self) -> None:
        self.loop.close()

    # a person who is in all three CRMs -------------------------------------------------------------

    def everywhere(self, name: str = "Asha", phone: str = "+919876543210") -> tuple[str, str, str]:
        """One person in all three CRMs: (Superfone lead, Reply contact, HighLevel contact)."""
        email = f"{name.lower()}@example.com"
        lead = self.superfone.add_lead(name, [phone], [email])
        contact = self.reply.add_contact(name, email, phone)
        return str(lead), contact, self.highlevel.add_contact(name, "Rao", email, phone)

    def due(self, **span: float) -> datetime:
        """An instant from now on, to the second."""
        return (self.now() + timedelta(**(span or {"hours": 5}))).replace(microsecond=0)

    def writes(self) -> int:
        """How many writes have reached the CRMs."""
        return sum(sandbox.is_write(call) for sandbox in self.sandboxes.values() for call, _ in sandbox.calls)
