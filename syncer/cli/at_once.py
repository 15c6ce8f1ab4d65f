"""Work that needs the network: all accounts at the same time, each with its connections and its ledger open."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from syncer.cli.errors import worst
from syncer.cli.session import Session
from syncer.cli.signals import Stop, apart
from syncer.config.loader import Found, build_adapters
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter
from syncer.domain.report import Exit
from syncer.ledger import Ledger

if TYPE_CHECKING:
    from syncer.engine.opening import AccountInHand


class Work(Protocol):
    """The work of a command for one account. It awaits ``turn`` before it prints, so that the output is in order."""

    def __call__(self, account: Account, stop: Stop, turn: Turn, /) -> Coroutine[Any, Any, Exit]: ...


Turn = Callable[[], Awaitable[None]]


def run_accounts(session: Session, work: Work, found: Found | None = None) -> int:
    """Do the work for all accounts at the same time. A failure affects one account only. Returns the gravest status."""
    session.configure_log()
    found = found or session.find(secrets=True)
    statuses = session.fail_all(found.broken)
    return asyncio.run(_all_at_once(session, found.accounts, work, statuses))


async def _all_at_once(session: Session, accounts: Iterable[Account], work: Work, statuses: list[Exit]) -> Exit:
    with Stop() as stop:
        outcomes: list[asyncio.Task[Exit]] = []
        for account in accounts:
            # Only the one before: it has waited for those before it.
            turn = partial(_end_of, outcomes[-1:])
            outcomes.append(asyncio.create_task(_outcome(session, account, work, stop, turn)))
        statuses += await asyncio.gather(*outcomes)
        return stop.exit_status or worst(statuses)


async def _end_of(before: list[asyncio.Task[Exit]]) -> None:
    if before:
        await asyncio.wait(before)


async def _outcome(session: Session, account: Account, work: Work, stop: Stop, turn: Turn) -> Exit:
    """Return how this account's work ended. An exception in it does not affect other accounts."""
    task = asyncio.ensure_future(work(account, stop, turn))
    await asyncio.wait({task})
    error = task.exception()
    if error is None:
        return task.result()
    # Even an error is printed in the order of the accounts.
    await turn()
    return session.fail(account.name, error)


@asynccontextmanager
async def in_hand(
    session: Session, account: Account, stop: Stop, *, read_only: bool = False
) -> AsyncIterator[AccountInHand]:
    """Open the account's connections and ledger, and close them afterwards.

    Raises `ConfigError`, `LedgerError`, `Stopped`.
    """
    # Commands without a run do not load the engine, because that takes longer than their own work.
    from syncer.cli.progress_bars import rates_of, shown_progress
    from syncer.engine.opening import AccountInHand

    async with connected(account) as adapters:
        with shown_progress(account.name, rates_of(account), shown=not session.quiet) as progress:
            progress("opening the ledger")
            async with ledger_of(account, stop, read_only=read_only) as ledger:
                yield AccountInHand(account, adapters, ledger, progress=progress)


@asynccontextmanager
async def connected(account: Account) -> AsyncIterator[Mapping[str, Adapter]]:
    """Open the account's connections. Raises `ConfigError`."""
    adapters = build_adapters(account)
    try:
        yield adapters
    finally:
        for adapter in adapters.values():
            await adapter.aclose()


@asynccontextmanager
async def ledger_of(account: Account, stop: Stop, *, read_only: bool = False) -> AsyncIterator[Ledger]:
    """Open the account's ledger without blocking the event loop, because it may be locked or on a slow server.

    Raises `LedgerError`, `Stopped`.
    """
    opening = apart(partial(Ledger.open, account.ledger_url, name=account.name, read_only=read_only))
    with await stop.finish(opening, ()) as ledger:
        yield ledger
