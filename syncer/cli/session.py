"""What all commands share: the accounts that are meant, how to answer, and one account's failure at a time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import structlog

from syncer.cli.errors import UsageError, failure_of, traceback_of, worst
from syncer.cli.screens import Screen, complain, harmless
from syncer.cli.signals import Stop, apart
from syncer.config import log
from syncer.config.clashes import known_clashes
from syncer.config.loader import Found, account_files, build_adapters, find_accounts
from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter
from syncer.domain.cursors import IDENTITY
from syncer.domain.report import Exit
from syncer.ledger import Ledger, LedgerError

if TYPE_CHECKING:
    from syncer.engine.opening import AccountInHand

_LEVELS: Final = ("warning", "info", "debug")


@dataclass(frozen=True)
class Session:
    """What the command line says to every command."""

    configs: tuple[Path, ...] = ()
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    log_file: Path | None = None
    screen: Screen = field(default_factory=Screen)

    def configure_log(self, *, least: int = 0, as_json: bool = False) -> None:
        """Send the log to standard error: warnings, more with each ``-v``, errors alone with ``-q``.

        On a terminal, warnings would only repeat what the screen says.
        """
        watched = sys.stderr.isatty() and self.log_file is None
        silent = self.quiet or (not self.verbose and not least and watched)
        level = "error" if silent else _LEVELS[min(max(self.verbose, least), len(_LEVELS) - 1)]
        try:
            log.configure(level, json=as_json, file=self.log_file)
        except OSError as error:
            msg = f"{self.log_file}: the log cannot be written: {error.strerror}"
            raise UsageError(msg) from error

    def find(self, *, secrets: bool) -> Found:
        """The accounts that are meant, and what is wrong with the others; with ``secrets`` if they are to be run."""
        found = find_accounts(self.configs, os.environ, secrets=secrets)
        clashing = known_clashes_of(found.accounts) if secrets else {}
        fine = tuple(account for account in found.accounts if account.path not in clashing)
        return replace(found, accounts=fine, broken=(*found.broken, *clashing.values()))

    def files(self) -> list[Path]:
        """The account files that are meant, whatever is in them."""
        return account_files(self.configs, os.environ)[0]

    def answer(self, result: dict[str, Any]) -> None:
        """One account's result as one line of JSON, at once."""
        print(json.dumps(harmless(result), ensure_ascii=False), flush=True)

    def fail(self, account: str | None, error: BaseException, *, event: str = "") -> Exit:
        """Say what went wrong, in words and, where asked for, as JSON; where nobody watches, as this ``event``."""
        failure = failure_of(error)
        if event and (self.log_file is not None or not sys.stderr.isatty()):
            structlog.get_logger("syncer").error(
                event, account=account, exit=int(failure.exit_status), words=failure.message
            )
        else:
            complain(f"{account}: {failure.message}" if account else failure.message)
        if self.verbose:
            sys.stderr.write(traceback_of(error))
        if self.json:
            self.answer(failure.as_json(account))
        return failure.exit_status

    def fail_all(self, errors: Iterable[ConfigError]) -> list[Exit]:
        """Say what is wrong with account files; they are left out."""
        return [self.fail(None, error) for error in errors]


def known_clashes_of(accounts: Sequence[Account]) -> dict[Path, ConfigError]:
    """Accounts that open the same remote one, by what their ledgers know."""
    if len(accounts) < 2:
        return {}
    return known_clashes(accounts, {account.path: _told_identities(account) for account in accounts})


def _told_identities(account: Account) -> dict[str, str]:
    """Those of `known_identities`; what is wrong with the ledger is told later."""
    with suppress(LedgerError):
        return known_identities(account)
    return {}


def known_identities(account: Account) -> dict[str, str]:
    """The remote accounts, by system, that the account's ledger belongs to. Raises `LedgerError`."""
    with Ledger.open(account.ledger_url, name=account.name, read_only=True) as ledger:
        return identities_of(ledger)


def identities_of(ledger: Ledger) -> dict[str, str]:
    """The remote accounts that a ledger belongs to, by system. Raises `LedgerError`."""
    return {name.removeprefix(IDENTITY): one for name, one in ledger.cursors().items() if name.startswith(IDENTITY)}


def for_each_account(session: Session, work: Callable[[Account], Exit]) -> int:
    """Do what needs no network, and so no secret, for one account after the other; the gravest exit status."""
    session.configure_log()
    found = session.find(secrets=False)
    statuses = session.fail_all(found.broken)
    return worst([*statuses, *(_status_of(session, account, work) for account in found.accounts)])


def _status_of(session: Session, account: Account, work: Callable[[Account], Exit]) -> Exit:
    try:
        return work(account)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's alone
        return session.fail(account.name, error)


class Work(Protocol):
    """What a command does for one account. It awaits ``turn`` before it says anything, so that answers keep order."""

    def __call__(self, account: Account, stop: Stop, turn: Turn, /) -> Coroutine[Any, Any, Exit]: ...


Turn = Callable[[], Awaitable[None]]


def run_accounts(session: Session, work: Work, found: Found | None = None) -> int:
    """Do this for all accounts at once, whatever happens to any of them; the gravest exit status."""
    session.configure_log()
    found = found or session.find(secrets=True)
    statuses = session.fail_all(found.broken)
    return asyncio.run(_all_at_once(session, found.accounts, work, statuses))


async def _all_at_once(session: Session, accounts: Iterable[Account], work: Work, statuses: list[Exit]) -> Exit:
    with Stop() as stop:
        outcomes: list[asyncio.Task[Exit]] = []
        for account in accounts:
            turn = partial(_end_of, outcomes[-1:])
            outcomes.append(asyncio.create_task(_outcome(session, account, work, stop, turn)))
        statuses += await asyncio.gather(*outcomes)
        return stop.exit_status or worst(statuses)


async def _end_of(before: list[asyncio.Task[Exit]]) -> None:
    if before:
        await asyncio.wait(before)


async def _outcome(session: Session, account: Account, work: Work, stop: Stop, turn: Turn) -> Exit:
    """How this account's work ended; a task of its own keeps whatever it raises to itself."""
    task = asyncio.ensure_future(work(account, stop, turn))
    await asyncio.wait({task})
    error = task.exception()
    if error is None:
        return task.result()
    await turn()
    return session.fail(account.name, error)


@asynccontextmanager
async def in_hand(
    session: Session, account: Account, stop: Stop, *, read_only: bool = False
) -> AsyncIterator[AccountInHand]:
    """The account with its connections and its ledger open, all of which are closed again.

    Raises `ConfigError`, `LedgerError`, `Stopped`.
    """
    # Commands that make no run load no engine: it takes longer than all that they do.
    from syncer.cli.progress_bars import rates_of, shown_progress
    from syncer.engine.opening import AccountInHand

    async with connected(account) as adapters:
        with shown_progress(account.name, rates_of(account), shown=not session.quiet) as progress:
            progress("opening the ledger")
            async with ledger_of(account, stop, read_only=read_only) as ledger:
                yield AccountInHand(account, adapters, ledger, progress=progress)


@asynccontextmanager
async def connected(account: Account) -> AsyncIterator[Mapping[str, Adapter]]:
    """The account's connections, open. Raises `ConfigError`."""
    adapters = build_adapters(account)
    try:
        yield adapters
    finally:
        for adapter in adapters.values():
            await adapter.aclose()


@asynccontextmanager
async def ledger_of(account: Account, stop: Stop, *, read_only: bool = False) -> AsyncIterator[Ledger]:
    """The account's ledger, opened beside the event loop, for it may be locked, or far away.

    Raises `LedgerError`, `Stopped`.
    """
    opening = apart(partial(Ledger.open, account.ledger_url, name=account.name, read_only=read_only))
    with await stop.finish(opening, ()) as ledger:
        yield ledger
