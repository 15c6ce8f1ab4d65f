"""``syncer ledger``: back up the ledger, restore a backup, or make this ledger the account's only one."""

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
    """``syncer ledger backup FILE``: make a consistent copy. The daemon may be running."""

    def work(account: Account) -> Exit:
        place = _place(account, "back it up with pg_dump")
        if not place.path.is_file():
            msg = f"there is no ledger {place.named} yet; to create it, type: syncer sync --once"
            raise UsageError(msg)
        copy_ledger(place.path, file.absolute())
        _tell(session, account, f"copied {place.named} to {file}", ledger=str(place.named), copy=str(file))
        return Exit.DONE

    return _for_one(session, work)


def restore(session: Session, file: Path) -> int:
    """``syncer ledger restore FILE``: restore a copy while nothing runs. The present ledger is kept beside it."""

    def work(account: Account) -> Exit:
        place = _place(account, "restore it with pg_restore")
        _check_idle(account)
        kept = put_ledger_back(file.absolute(), place)
        words = f"restored {place.named} from {file}"
        words += f"; the former ledger is kept as {kept}" if kept else ""
        words += "; the next run reads all tasks of every person before it creates tasks for them"
        _tell(session, account, words, ledger=str(place.named), copy=str(file), kept=str(kept) if kept else None)
        return Exit.DONE

    return _for_one(session, work)


def take_over(session: Session) -> int:
    """``syncer ledger take-over``: make this ledger the account's only one."""

    def work(account: Account) -> Exit:
        with Ledger.open(account.ledger_url, name=account.name) as ledger:
            now = datetime.now(UTC)
            own = ledger.take_over(current_owner(f"take-over {now.isoformat()}"), now)
            where = ledger.where
        words = (
            f"{where} is the account's only ledger from {moment(own.made_at, account.zone)} on, as {own.id}; "
            "any other ledger of the account stops writing at its next run"
        )
        _tell(session, account, words, ledger=where, ledger_id=own.id)
        return Exit.DONE

    return _for_one(session, work)


def _for_one(session: Session, work: Callable[[Account], Exit]) -> int:
    """Do this for one account. If there are several, the command line must name one."""
    # One FILE cannot hold the ledgers of several accounts, and a take-over is decided for each by itself. A file that
    # is broken counts, too: its account may be the one that is meant.
    files = session.files()
    if len(files) > 1:
        msg = f"this command is for one account; name its file, for example with: --config {files[0]}"
        return session.fail(None, UsageError(msg))
    return for_each_account(session, work)


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
        # A damaged ledger is the reason to restore one. Whether a process has it open is checked again later.
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
