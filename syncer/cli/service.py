"""One account that the daemon serves, and the daemon's entry in its ledger."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

import structlog

from syncer.cli import hints, presence
from syncer.cli.signals import apart
from syncer.config.clashes import known_clashes
from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter
from syncer.domain.report import Exit
from syncer.ledger import Busy, LeaseLost, Ledger, LedgerError, LedgerReplaced, Locked

_FAREWELL: Final = 2.0
_log = structlog.get_logger("syncer.daemon")

JITTER: Final = 0.05
"""The share of the interval by which a pause may be shorter or longer."""


@dataclass(eq=False, slots=True)
class Service:
    """One account of the daemon. ``out`` is set if it cannot be served before its file changes or another one ends."""

    account: Account
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    connections: AsyncExitStack = field(default_factory=AsyncExitStack)
    identities: dict[str, str] = field(default_factory=dict)
    busy: asyncio.Future[Any] | None = None
    timer: asyncio.TimerHandle | None = None
    told: str = ""
    present: bool = False
    out: Exit | None = None
    ended: bool = False
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when everything about it has ended."""
    clashes: bool = False
    """Whether it was ended because another account file opens the same remote account."""
    again: bool = False
    # True at first, because events may have been stored before this process began.
    hinted: bool = True
    hurry: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while an event waits for the end of the current run."""
    # As if long ago: the loop's clock may begin at 0, and the first event must not wait.
    forward_at: float = -hints.FORWARD_EVERY
    in_parts: dict[str, int] = field(default_factory=dict)

    @property
    def is_busy(self) -> bool:
        """Whether a run is in progress."""
        return self.busy is not None and not self.busy.done()

    def rest(self) -> None:
        """Note that the current run has ended."""
        if self.busy is not None:
            self.busy.set_result(None)

    @property
    def interval(self) -> float:
        """The seconds between two runs."""
        return self.account.sync.interval.total_seconds()

    def pause(self) -> float:
        """Return the seconds until the next run. They vary, so that accounts do not all run at the same moment."""
        return self.interval * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret

    def serves(self, account: Account) -> bool:
        """Whether this is the account of that file, too: of one name, or with one ledger, there is one at a time."""
        return account.name == self.account.name or account.ledger_url == self.account.ledger_url


def clashes_among(services: Iterable[Service]) -> list[tuple[Service, ConfigError]]:
    """Return the services that turn out to open the same CRM account as another one."""
    served = [service for service in services if not service.ended]
    identities = {service.account.path: service.identities for service in served}
    clashing = known_clashes([service.account for service in served], identities)
    return [(service, clashing[service.account.path]) for service in served if service.account.path in clashing]


def trouble_of(error: Exception) -> str | None:
    """Return what is wrong with the ledger, or ``None`` for other errors and for those that pass by themselves."""
    passing = (Busy, LeaseLost, LedgerReplaced, Locked)
    return str(error) if isinstance(error, LedgerError) and not isinstance(error, passing) else None


def announced(account: Account, since: datetime) -> Ledger:
    """Open the account's ledger and store that this process serves it."""
    ledger = Ledger.open(account.ledger_url, name=account.name)
    try:
        presence.announce(ledger, since)
    except BaseException:
        ledger.close()
        raise
    return ledger


async def withdraw(account: Account) -> None:
    """Store that this process no longer serves the account."""
    try:
        # The ledger may be locked, or its server away. The end of the process does not wait for that.
        async with asyncio.timeout(_FAREWELL):
            await apart(partial(_withdrawn, account))
    except (LedgerError, TimeoutError) as error:
        # If this fails, nothing is lost: other processes see that this one no longer runs.
        _log.warning("daemon.not_withdrawn", account=account.name, words=str(error))


def _withdrawn(account: Account) -> None:
    with Ledger.open(account.ledger_url, name=account.name) as ledger:
        presence.withdraw(ledger)
