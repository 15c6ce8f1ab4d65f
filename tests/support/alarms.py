"""One account's alarms: a keeper in virtual time, what it told, and a ledger that is damaged and mended."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from syncer.config.schema import Account
from syncer.ledger import Ledger, current_owner
from syncer.web.alarms import keeper as keepers
from syncer.web.alarms.keeper import AlarmKeeper
from syncer.web.alarms.telling import NotTold
from tests.support.account_files import ALL, KEYS, load

T = TypeVar("T")
START = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
FINE = {"connections": {"reply": {"state": "ok", "reads": 1, "writes": 0, "open": 0}}}
REFUSED = {"connections": {"reply": {"state": "unauthorized", "reads": 1, "writes": 0, "open": 0, "message": "no"}}}
DAMAGED = "the ledger cannot be used: it is damaged"


async def here(work: Callable[[], T]) -> T:
    """In place of a thread."""
    return work()


class Told(list[dict[str, Any]]):
    """What was told by one way, which does not work for as long as ``broken``."""

    broken = False
    meanwhile: Callable[[], Coroutine[Any, Any, None]] | None = None
    """What happens while the next message is on its way."""

    async def __call__(self, message: str) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        if self.broken:
            msg = "nobody is there"
            raise NotTold(msg)
        self.append(json.loads(message))

    @property
    def states(self) -> list[str]:
        return [f"{one['alarm']} {one['state']}" for one in self]


class Watched:
    """An account with a ledger, whose daemon can be started again."""

    def __init__(self, account: Account, told: Told) -> None:
        self.account = account
        self.told = told
        self.now = START
        self.runs = 0
        self.restart()

    def restart(self) -> None:
        self.keeper = AlarmKeeper(self.account, here, lambda: self.now)
        asyncio.run(self.keeper.begin())

    def run(self, report: dict[str, Any], status: str = "ok") -> None:
        """A run ends, and alarms are judged and told."""
        self.runs += 1
        with Ledger.open(self.account.ledger_url, name="acme", clock=lambda: self.now) as ledger:
            ledger.acquire(current_owner(f"t{self.runs}"), self.now, timedelta(minutes=1), run=f"r{self.runs}")
            ledger.finish_run(f"r{self.runs}", self.now, status, report, token=f"t{self.runs}")
        self.look("")

    def look(self, trouble: str | None = None) -> None:
        async def both() -> None:
            await self.keeper.judge(trouble)
            await self.keeper.tell()

        asyncio.run(both())

    def tell(self) -> None:
        asyncio.run(self.keeper.tell())

    def wait(self, **length: float) -> None:
        self.now += timedelta(**length)


class Damage:
    """The account's ledger, which somebody damages and mends."""

    def __init__(self, watched: Watched) -> None:
        self._place = Path(watched.account.ledger_url.removeprefix("sqlite:///"))
        self._whole = self._place.read_bytes()
        self._place.write_bytes(b"a shopping list, and no ledger\n" * 50)

    def mend(self) -> None:
        self._place.write_bytes(self._whole)


class Slowly:
    """In place of a thread that takes its time."""

    async def __call__(self, work: Callable[[], T], /) -> T:
        await asyncio.sleep(0)
        done = work()
        await asyncio.sleep(0)
        return done


def watch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    """An account of all three CRMs, whose alarms go to one webhook: ``told``."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    told = Told()
    monkeypatch.setattr(keepers, "ways_of", lambda _alarms: {"webhook": told})
    return Watched(load(folder, ALL), told)
