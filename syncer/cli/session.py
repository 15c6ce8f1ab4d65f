"""What all commands share: which accounts are meant, how results are printed, and how failures are reported."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from syncer.cli.errors import UsageError, failure_of, traceback_of, worst
from syncer.cli.screens import Screen, complain, harmless
from syncer.config.clashes import known_clashes
from syncer.config.loader import Found, account_files, find_accounts
from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.domain.cursors import IDENTITY
from syncer.domain.report import Exit
from syncer.ledger import Answers, LedgerError, look

_LEVELS: Final = ("warning", "info", "debug")


@dataclass(frozen=True)
class Session:
    """The options of the command line that all commands have."""

    configs: tuple[Path, ...] = ()
    json: bool = False
    verbose: int = 0
    quiet: bool = False
    log_file: Path | None = None
    screen: Screen = field(default_factory=Screen)

    def configure_log(self, *, least: int = 0, as_json: bool = False) -> None:
        """Send the log to standard error: warnings, more with each ``-v``, errors only with ``-q``.

        On a terminal, warnings would only repeat what the screen says.
        """
        from syncer.config import log

        watched = sys.stderr.isatty() and self.log_file is None
        silent = self.quiet or (not self.verbose and not least and watched)
        level = "error" if silent else _LEVELS[min(max(self.verbose, least), len(_LEVELS) - 1)]
        try:
            log.configure(level, json=as_json, file=self.log_file)
        except OSError as error:
            msg = f"{self.log_file}: the log cannot be written: {error.strerror}"
            raise UsageError(msg) from error

    def find(self, *, secrets: bool) -> Found:
        """Return the accounts, and the errors of those that cannot be used. ``secrets`` is true if they will be run."""
        found = find_accounts(self.configs, os.environ, secrets=secrets)
        # Only for what runs: two files of one remote account do no harm to a command that only looks.
        clashing = known_clashes_of(found.accounts) if secrets else {}
        fine = tuple(account for account in found.accounts if account.path not in clashing)
        return replace(found, accounts=fine, broken=(*found.broken, *clashing.values()))

    def files(self) -> list[Path]:
        """Return the account files, whatever is in them."""
        return account_files(self.configs, os.environ)[0]

    def answer(self, result: dict[str, Any]) -> None:
        """Print one account's result as one line of JSON, at once."""
        # In a locale that lacks some letters, the escapes of a terminal would be no JSON.
        readable = (sys.stdout.encoding or "utf-8").lower().replace("-", "") == "utf8"
        # A program may read the line of one account while the next one still runs.
        print(json.dumps(harmless(result), ensure_ascii=not readable), flush=True)

    def fail(self, account: str | None, error: BaseException, *, event: str = "") -> Exit:
        """Report an error on the screen, and as JSON if that is asked for. If nobody watches, log it as ``event``."""
        failure = failure_of(error)
        # A daemon's errors are read by programs, as lines of its log like all the others.
        if event and (self.log_file is not None or not sys.stderr.isatty()):
            import structlog

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
        """Report what is wrong with account files. They are skipped."""
        return [self.fail(None, error) for error in errors]


def known_clashes_of(accounts: Sequence[Account]) -> dict[Path, ConfigError]:
    """Return the accounts that open the same CRM account, as far as their ledgers know."""
    # One account clashes with nobody, and its ledger need not be opened for that.
    if len(accounts) < 2:
        return {}
    return known_clashes(accounts, {account.path: _told_identities(account) for account in accounts})


def _told_identities(account: Account) -> dict[str, str]:
    """Return `known_identities`, or nothing if the ledger cannot be read. That error is reported later."""
    with suppress(LedgerError):
        return known_identities(account)
    return {}


def known_identities(account: Account) -> dict[str, str]:
    """Return the CRM accounts, by system, that the account's ledger belongs to. Raises `LedgerError`."""
    with look(account.ledger_url, account.name) as ledger:
        return identities_of(ledger)


def identities_of(ledger: Answers) -> dict[str, str]:
    """Return the CRM accounts that a ledger belongs to, by system. Raises `LedgerError`."""
    return {name.removeprefix(IDENTITY): one for name, one in ledger.cursors().items() if name.startswith(IDENTITY)}


def for_each_account(session: Session, work: Callable[[Account], Exit], *, looking: bool = False) -> int:
    """Do work that needs no network and no secret for each account in turn. Returns the gravest exit status.

    ``looking`` is true for commands that change nothing. They log nothing, so the slow import of the log is saved.
    """
    if not looking:
        session.configure_log()
    found = session.find(secrets=False)
    statuses = session.fail_all(found.broken)
    return worst([*statuses, *(_status_of(session, account, work) for account in found.accounts)])


def _status_of(session: Session, account: Account, work: Callable[[Account], Exit]) -> Exit:
    try:
        return work(account)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's alone
        return session.fail(account.name, error)
