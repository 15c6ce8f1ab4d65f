"""Commands that go out to the CRMs: plan, apply and one run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from adapters.base import WrongAccount
from syncer import savedplan
from syncer.account import Account
from syncer.commands.errors import BrokenOff, UsageError, failure_of
from syncer.commands.session import Session, in_hand, run_accounts
from syncer.complaints import ConfigError
from syncer.ledger import Busy, LeaseLost, LedgerError
from syncer.opening import AccountInHand
from syncer.report import Exit, Report
from syncer.run import Options, plan, run
from syncer.savedplan import PlanFileError, SavedPlan
from syncer.screens import TaskNames, show_plan, show_run
from syncer.stopping import Stop, Stopped


def sync_once(session: Session, options: Options) -> int:
    """``syncer sync --once``: one run for each account."""

    async def work(account: Account, stop: Stop) -> Exit:
        async with in_hand(session, account) as hand:
            report = await run_and_record(hand, options, stop)
            names = TaskNames(hand.ledger.load(), account.zone)
        _answer_run(session, report, names)
        return report.exit

    return run_accounts(session, work)


def make_plan(session: Session, out: Path | None) -> int:
    """``syncer plan``: what a run would do. A plan writes nothing, so that an exceeded limit is only said."""
    reports: list[Report] = []

    async def work(account: Account, stop: Stop) -> Exit:
        async with in_hand(session, account, read_only=True) as hand:
            report, excess = await stop.finish(plan(hand), hand.adapters.values())
            names = TaskNames(hand.ledger.load(), account.zone)
        if excess is not None:
            report = replace(report, message=excess.sentence)
        reports.append(report)
        if session.json:
            session.answer(report.as_json())
        else:
            show_plan(session.screen, report.as_json(), names, account.zone)
        return report.exit

    try:
        if out is not None:
            savedplan.check_place(out)
        status = Exit(run_accounts(session, work))
        if out is not None and reports and status < Exit.SIGINT:
            _save(session, out, reports)
    except PlanFileError as error:
        return session.fail(None, error)
    return status


def apply_plan(session: Session, file: Path, options: Options) -> int:
    """``syncer apply FILE``: what a saved plan says, as far as it is still to be done."""
    try:
        saved = savedplan.load(file)
        session.configure_log()
        _check_known(session, saved, file)
    except (ConfigError, PlanFileError, UsageError) as error:
        return session.fail(None, error)
    plans = {one.account: one for one in saved.accounts}

    async def work(account: Account, stop: Stop) -> Exit:
        chosen = replace(options, select=plans[account.name].select)
        async with in_hand(session, account) as hand:
            report = await run_and_record(hand, chosen, stop)
            names = TaskNames(hand.ledger.load(), account.zone)
        message = report.message.replace("syncer sync --once", f"syncer apply {file}")
        _answer_run(session, replace(report, message=message), names)
        return report.exit

    return run_accounts(session, work, among=lambda account: account.name in plans)


async def run_and_record(hand: AccountInHand, options: Options, stop: Stop) -> Report:
    """One run until its end, or until a signal; a run that broke off is not left standing as under way."""
    began = hand.clock()
    try:
        return await stop.finish(run(hand, options), hand.adapters.values())
    except (Stopped, WrongAccount) as error:
        for broken in hand.ledger.runs(1):
            if broken.finished_at is None and broken.started_at >= began:
                words = {"message": failure_of(error).message}
                hand.ledger.finish_run(broken.id, hand.clock(), "stopped", words)
        raise
    except (Busy, LeaseLost):
        raise
    except LedgerError as error:
        if any(adapter.wire.writes for adapter in hand.adapters.values()):
            raise BrokenOff(str(error)) from error
        raise


def _answer_run(session: Session, report: Report, names: TaskNames) -> None:
    if session.json:
        session.answer(report.as_json())
    elif report.operations is not None:
        show_run(session.screen, {**report.as_json(), "cost": {}}, names)
    else:
        show_run(session.screen, report.as_json(), names)


def _save(session: Session, out: Path, reports: list[Report]) -> None:
    savedplan.save(out, reports)
    if not session.json:
        number = sum(len(report.operations or ()) for report in reports)
        session.screen.say(f"saved {number} operations to {out}; do exactly these with: syncer apply {out}")


def _check_known(session: Session, saved: SavedPlan, file: Path) -> None:
    known = {account.name for account in session.accounts}
    unknown = [one.account for one in saved.accounts if one.account not in known]
    if unknown:
        msg = f"{file}: no account file is named {', '.join(unknown)}; say where it is with: --config PATH"
        raise UsageError(msg)
