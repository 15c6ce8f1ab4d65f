"""Store deliveries, many in one transaction, so that ten thousand at once need only a few writes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from starlette.concurrency import run_in_threadpool

from syncer.config.schema import Account
from syncer.domain.redact import redact
from syncer.ledger import HintBook, Ledger, LedgerError
from syncer.ledger.hints import Delivered, NoRoom

MOST: Final = 2000
"""The most deliveries that wait to be stored. Further ones are answered with 503, so that the CRM sends them again."""
AT_ONCE: Final = 500
_log: Final = structlog.get_logger("syncer.events")


class NotStored(Exception):
    """The delivery could not be stored. The CRM may send it again."""


class Inbox:
    """One account's deliveries that are not stored yet."""

    def __init__(self, account: Account, clock: Callable[[], datetime]) -> None:
        self._account = account
        self._clock = clock
        self._waiting: deque[tuple[Delivered, asyncio.Future[bool]]] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def put(self, delivered: Delivered) -> bool:
        """Store a delivery. Returns whether it is new. Raises `NotStored`."""
        if len(self._waiting) >= MOST:
            raise NotStored
        stored: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((delivered, stored))
        # One writer at a time: SQLite has one as well, and what comes meanwhile is stored in one go.
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        return await stored

    async def _write(self) -> None:
        # While one part is written, the next one gathers.
        while self._waiting:
            part = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            try:
                new = await run_in_threadpool(partial(self._store, [delivered for delivered, _ in part]))
            except Exception as error:  # noqa: BLE001 - whatever it is, whoever waits is answered
                if not isinstance(error, LedgerError | NoRoom):
                    _log.error("events.not_stored", account=self._account.name, words=redact(repr(error)))
                for _, stored in part:
                    if not stored.done():
                        stored.set_exception(NotStored())
                continue
            for (_, stored), is_new in zip(part, new, strict=True):
                if not stored.done():
                    stored.set_result(is_new)

    def _store(self, deliveries: Sequence[Delivered]) -> list[bool]:
        with Ledger.open(self._account.ledger_url, name=self._account.name) as ledger:
            return HintBook(ledger).store(deliveries, self._clock())
