"""A world for whole runs: the author's CRM, a second one, a ledger, and the real engine between them."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Final

from adapters.conformance.bench import Bench, Shown
from adapters.conformance.clockwork import now
from adapters.conformance.partner import Partner
from adapters.conformance.trial import EMAIL, NAME, PHONE, need, somebody
from syncer.config.schema import Account, SyncSettings
from syncer.contract.adapter import Adapter
from syncer.contract.settings import ConnectionSettings, Rate
from syncer.domain.model import Kind
from syncer.domain.report import Report
from syncer.engine.opening import AccountInHand, seeded_bytes
from syncer.engine.run import run
from syncer.ledger import Ledger

_SETTINGS: Final = ConnectionSettings(base_url="https://crm.example", rate=(Rate(1000, 1.0),))
_RUNS: Final = 5
"""How many runs are enough for anything that people did before."""


class KitWorld:
    """One account with two CRMs: ``bench`` is the author's, ``partner`` the other one. Time is the running loop's.

    ``folder`` is where the ledger is. ``contact`` and ``there`` are the ids of one person in both.
    """

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench = bench
        self.partner = Partner(now)
        self.contact = somebody(bench)
        self.there = self.partner.add_contact(NAME, EMAIL, PHONE)
        self._folder = folder
        self._runs = 0
        adapters: tuple[Adapter, ...] = (bench.adapter, self.partner)
        self._adapters = {adapter.system: adapter for adapter in adapters}
        self._account = Account(
            name="acme",
            path=folder / "acme.toml",
            timezone="Asia/Kolkata",
            region="IN",
            ledger_url=f"sqlite:///{folder / 'acme.db'}",
            ledger_backup="off",
            sync=SyncSettings(),
            connections=dict.fromkeys(self._adapters, _SETTINGS),
            # Every kind to both, so that no trial depends on which kinds the author's CRM has.
            routes=dict.fromkeys(Kind, tuple(self._adapters)),
        )

    async def sync(self) -> Report:
        """One run, as ``syncer sync --once``, and a minute's pause."""
        self._runs += 1
        ledger = Ledger.open(self._account.ledger_url, name="acme", clock=now)
        with closing(ledger):
            hand = AccountInHand(
                self._account, self._adapters, ledger, clock=now, random_bytes=seeded_bytes(self._runs)
            )
            report = await run(hand)
        # Longer than `doubt_grace`, so that the next run can settle what is in doubt.
        await asyncio.sleep(60)
        return report

    async def settle(self) -> None:
        """Run until a run writes nothing and reports nothing."""
        told: list[str] = []
        for _ in range(_RUNS):
            before = self.writes
            report = await self.sync()
            left = (*report.waiting, *report.attention, *report.incidents)
            told = [f"{item.system}: {item.reason}: {item.detail}" for item in left]
            if self.writes == before and not told:
                return
        need(told, f"when nobody acts, a run must write nothing, and run {_RUNS} still did")
        need(not told, f"after {_RUNS} runs something is left: {told}")

    async def lose_ledger(self) -> None:
        """Delete the ledger, as if the disk had failed, and let some time pass."""
        # With the write-ahead log, or SQLite would bring back what was in it.
        for file in self._folder.glob("acme.db*"):
            file.unlink()
        # Requests of the lost ledger have arrived by then: a new one believes nothing that it reads in its first 30
        # seconds.
        await asyncio.sleep(timedelta(hours=1).total_seconds())

    @property
    def writes(self) -> int:
        """How many writes reached the two CRMs."""
        return len(self.bench.writes) + self.partner.wire.writes

    def open_here(self) -> dict[str, Shown]:
        """What is open in the author's CRM."""
        return {task: shown for task, shown in self.bench.tasks().items() if shown.open}
