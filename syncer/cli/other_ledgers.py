"""Whether a new ledger lies beside an older one of the same CRM accounts, as after an account was renamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from syncer.cli.last_run import has_reported
from syncer.cli.session import identities_of
from syncer.config.clashes import same_hosts
from syncer.config.loader import account_files, load_account
from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.ledger import Answers, LedgerError, look
from syncer.ledger.identity import FINGERPRINT

_FILE: Final = "sqlite:///"
_FIRST: Final = 20
"""A ledger with so many runs is not new, whatever became of them."""


def is_new(ledger: Answers) -> bool:
    """Whether no run with this ledger has reported anything yet. The first ones may have been broken off."""
    if ledger.good_at() is not None:
        return False
    runs = ledger.runs(_FIRST)
    return len(runs) < _FIRST and not any(has_reported(run) for run in runs)


def told_of_others(account: Account, identities: Mapping[str, str | None]) -> str:
    """Return a sentence about the ledgers beside a new one, or an empty text. ``identities`` are its CRM accounts."""
    other = None
    # A folder that cannot be read is no trouble of a run that has ended well.
    with suppress(OSError):
        # The one that was in use last is the one that people miss.
        other = max(_others(account, identities), key=lambda file: file.stat().st_mtime, default=None)
    if other is None:
        return ""
    own = account.ledger_url.removeprefix(_FILE)
    return (
        f"{own} is a new ledger, and {other} beside it belongs to the same CRM accounts; to go on with that one, "
        f'set [ledger] url = "{_FILE}{other}" in {account.path}, and delete {own}'
    )


def _others(account: Account, identities: Mapping[str, str | None]) -> Iterator[Path]:
    if not account.ledger_url.startswith(_FILE):
        return
    own = Path(account.ledger_url.removeprefix(_FILE))
    elsewhere = set(_ledgers_of_other_hosts(account))
    for file in sorted(own.parent.glob("*.db")):
        if file == own or file.is_symlink() or f"{_FILE}{file}" in elsewhere:
            continue
        # Whatever else has this ending is no ledger.
        with suppress(LedgerError, OSError):
            with look(f"{_FILE}{file}", account.name) as ledger:
                theirs, is_backup = identities_of(ledger), not ledger.cursors().get(FINGERPRINT)
            both = [system for system in identities if identities[system] is not None and system in theirs]
            if both and not is_backup and all(identities[system] == theirs[system] for system in both):
                yield file


def _ledgers_of_other_hosts(account: Account) -> Iterator[str]:
    """Yield the ledgers of accounts on other servers, as sandboxes are, which may use the same numbers."""
    for file in account_files([account.path.parent], {})[0]:
        with suppress(ConfigError):
            other = load_account(file, secrets=False)
            if not same_hosts(account, other):
                yield other.ledger_url
