"""What all commands share: the accounts that are meant, how to answer, and one account's failure at a time."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from adapters.redact import redact
from syncer import log
from syncer.account import Account
from syncer.commands.errors import UsageError, failure_of, worst
from syncer.complaints import ConfigError
from syncer.config import build_adapters, find_accounts
from syncer.ledger import Ledger, LedgerError
from syncer.opening import AccountInHand
from syncer.report import Exit
from syncer.screens import Screen, complain, progress, unread_is_no_failure
from syncer.stopping import Stop

_LEVELS: Final = ("warning", "info", "debug")


@dataclass(frozen=True)
class Session:
    """What the command line says to every command."""

    configs: tuple[Path, ...] = ()
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    screen: Screen = field(default_factory=Screen)

    def configure_log(self, *, least: int = 0, as_json: bool = False) -> None:
        """Send the log to standard error: warnings, more with each ``-v``, errors alone with ``-q``.

        On a terminal, warnings would only repeat what the screen says.
        """
        silent = self.quiet or (not self.verbose and not least and sys.stderr.isatty())
        level = "error" if silent else _LEVELS[min(max(self.verbose, least), len(_LEVELS) - 1)]
        log.configure(level, json=as_json)

    @cached_property
    def accounts(self) -> list[Account]:
        """The accounts that are meant. Raises `ConfigError`."""
        return find_accounts(self.configs, os.environ)

    def answer(self, result: dict[str, Any]) -> None:
        """One account's result as one line of JSON, at once."""
        with unread_is_no_failure():
            print(json.dumps(result, ensure_ascii=False), flush=True)

    def fail(self, account: str | None, error: BaseException) -> Exit:
        """Say what went wrong, in words and, where asked for, as JSON."""
        failure = failure_of(error)
        complain(f"{account}: {failure.message}" if account else failure.message)
        if self.verbose:
            sys.stderr.write(redact("".join(traceback.format_exception(error))))
        if self.json:
            self.answer(failure.as_json(account))
        return failure.exit_status


def for_each_account(session: Session, work: Callable[[Account], Exit]) -> int:
    """Do what needs no network for one account after the other; the gravest exit status."""
    session.configure_log()
    try:
        accounts = session.accounts
    except ConfigError as error:
        return session.fail(None, error)
    return worst([_status_of(session, account, work) for account in accounts])


def _status_of(session: Session, account: Account, work: Callable[[Account], Exit]) -> Exit:
    try:
        return work(account)
    except (LedgerError, UsageError) as error:
        return session.fail(account.name, error)


def run_accounts(
    session: Session,
    work: Callable[[Account, Stop], Coroutine[Any, Any, Exit]],
    *,
    among: Callable[[Account], bool] = lambda _account: True,
) -> int:
    """Do this for one account after the other, whatever happens to any of them; the gravest exit status."""
    session.configure_log()
    try:
        accounts = [account for account in session.accounts if among(account)]
    except ConfigError as error:
        return session.fail(None, error)
    return asyncio.run(_one_by_one(session, accounts, work))


async def _one_by_one(
    session: Session, accounts: list[Account], work: Callable[[Account, Stop], Coroutine[Any, Any, Exit]]
) -> Exit:
    with Stop() as stop:
        statuses = [await _outcome(session, account, work, stop) for account in accounts]
        return stop.exit_status or worst(statuses)


async def _outcome(
    session: Session, account: Account, work: Callable[[Account, Stop], Coroutine[Any, Any, Exit]], stop: Stop
) -> Exit:
    """How this account's work ended; a task of its own keeps whatever it raises to itself."""
    if stop.exit_status is not None:
        return stop.exit_status
    task = asyncio.ensure_future(work(account, stop))
    await asyncio.wait({task})
    error = task.exception()
    return task.result() if error is None else session.fail(account.name, error)


@asynccontextmanager
async def in_hand(
    session: Session, account: Account, *, read_only: bool = False, watched: bool = True
) -> AsyncIterator[AccountInHand]:
    """The account with its connections and its ledger open, all of which are closed again. Raises `LedgerError`.

    ``watched`` is for commands that somebody waits for: they show how far they are.
    """
    adapters = build_adapters(account)
    try:
        with (
            Ledger.open(account.ledger_url, name=account.name, read_only=read_only) as ledger,
            progress(account.name, shown=watched and not session.quiet) as note,
        ):
            yield AccountInHand(account, adapters, ledger, progress=note)
    finally:
        for adapter in adapters.values():
            await adapter.aclose()
