"""``syncer ledger``: copy it while it is in use, put a copy back, say that it is the account's only one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from syncer.cli import presence
from syncer.cli.errors import ServedElsewhere, UsageError
from syncer.cli.screens import moment
from syncer.cli.session import Session, for_each_account
from syncer.config.schema import Account
from syncer.domain.report import Exit
from syncer.ledger import Busy, FilePlace, Ledger, LedgerError, copy_ledger, current_owner, locate, put_ledger_back


def back_up(session: Session, file: Path) -> int:
    """``syncer ledger backup FILE``: a consistent copy, also while the daemon runs."""

    def work(account: Account) -> Exit:
        place = _place(account, "pg_dump makes a copy of it")
        if not place.path.is_file():
            msg = f"there is no ledger {place.named} yet; `syncer sync --once` makes it"
            raise UsageError(msg)
        copy_ledger(place.path, file.absolute())
        _tell(session, account, f"copied {place.named} to {file}", ledger=str(place.named), copy=str(file))
        return Exit.DONE

    return _for_one(session, work)


def restore(session: Session, file: Path) -> int:
    """``syncer ledger restore FILE``: put a copy in place, when nothing runs; what was there is kept beside it."""

    def work(account: Account) -> Exit:
        place = _place(account, "pg_restore puts a copy of it back")
        _check_idle(account)
        kept = put_ledger_back(file.absolute(), place)
        words = f"restored {place.named} from {file}"
        words += f"; the one before is kept as {kept}" if kept else ""
        words += "; the next run brings everybody up to date before it writes"
        _tell(session, account, words, ledger=str(place.named), copy=str(file), kept=str(kept) if kept else None)
        return Exit.DONE

    return _for_one(session, work)


def take_over(session: Session) -> int:
    """``syncer ledger take-over``: this ledger is the account's only one from now on."""

    def work(account: Account) -> Exit:
        with Ledger.open(account.ledger_url, name=account.name) as ledger:
            now = datetime.now(UTC)
            own = ledger.take_over(current_owner(f"take-over {now.isoformat()}"), now)
            where = ledger.where
        words = (
            f"{where} is the account's only ledger from {moment(own.made_at, account.zone)} on, as {own.id}; "
            "any other one writes nothing any more"
        )
        _tell(session, account, words, ledger=where, ledger_id=own.id)
        return Exit.DONE

    return _for_one(session, work)


def _for_one(session: Session, work: Callable[[Account], Exit]) -> int:
    """Do this for the one account that is meant; of several, which one must be said."""

    def alone(account: Account) -> Exit:
        if len(session.find(secrets=False).accounts) > 1:
            msg = f"this is for one account at a time; say which: --config {account.path}"
            raise UsageError(msg)
        return work(account)

    return for_each_account(session, alone)


def _place(account: Account, instead: str) -> FilePlace:
    place = locate(account.ledger_url)
    if place is None:
        msg = f"the ledger of {account.name} is a PostgreSQL database: {instead}"
        raise UsageError(msg)
    return place


def _check_idle(account: Account) -> None:
    """Raise `ServedElsewhere` while a daemon serves the account, and `Busy` while a process runs it."""
    try:
        with Ledger.open(account.ledger_url, name=account.name, read_only=True) as ledger:
            owner, daemon = ledger.running(), presence.find(ledger)
    except LedgerError:
        # A damaged one is what a copy is put back for; whether somebody has it open is looked at once more.
        return
    if daemon is not None:
        msg = f"{daemon.in_words}; stop it first, then type this again"
        raise ServedElsewhere(msg)
    if owner is not None:
        raise Busy(owner)


def _tell(session: Session, account: Account, words: str, **found: Any) -> None:
    if session.json:
        session.answer({"account": account.name, **found})
    else:
        session.screen.say(f"{account.name}: {words}")
