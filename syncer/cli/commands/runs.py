"""The commands that send requests to the CRMs: plan, apply and one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, tzinfo
from functools import partial
from pathlib import Path

from syncer.cli.at_once import Turn, in_hand, run_accounts
from syncer.cli.errors import BrokenOff, UsageError, failure_of, worst
from syncer.cli.other_ledgers import is_new, told_of_others
from syncer.cli.plan_screen import show_plan
from syncer.cli.screens import TaskNames, show_run
from syncer.cli.session import Session, known_clashes_of
from syncer.cli.signals import Stop
from syncer.config.schema import Account
from syncer.domain.report import Exit, Report
from syncer.engine import saved_plan
from syncer.engine.errors import PlanFileError
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options, plan, run
from syncer.engine.saved_plan import SavedOperation
from syncer.ledger import Busy, LeaseLost, LedgerError


def sync_once(session: Session, options: Options) -> int:
    """``syncer sync --once``: one run for each account."""

    async def work(account: Account, stop: Stop, turn: Turn) -> Exit:
        async with in_hand(session, account, stop) as hand:
            report = await run_and_record(hand, options, stop)
            # Loaded again, because the run has stored tasks that were not known before.
            names = TaskNames.in_base(hand.ledger.load(), account.zone)
        await turn()
        _answer_run(session, report, names, account.zone)
        return report.exit

    found = session.find(secrets=True)
    status = Exit(run_accounts(session, work, found))
    # A first run may show that two account files open the same CRM account.
    return worst([status, *session.fail_all(known_clashes_of(found.accounts).values())])


def make_plan(session: Session, out: Path | None) -> int:
    """``syncer plan``: show what a run would do. A plan writes nothing, so an exceeded limit is only reported."""
    reports: list[Report] = []

    async def work(account: Account, stop: Stop, turn: Turn) -> Exit:
        async with in_hand(session, account, stop, read_only=True) as hand:
            report, excess = await stop.finish(plan(hand), hand.adapters.values())
            names = TaskNames.in_base(hand.ledger.load(), account.zone)
            if excess is not None:
                report = replace(report, message=excess.sentence)
            if is_new(hand.ledger):
                report = _with_other_ledgers(hand, report)
        await turn()
        reports.append(report)
        if session.json:
            session.answer(report.as_json())
        else:
            show_plan(session.screen, report.as_json(), names, account.zone, account.sync.run_limit)
        return report.exit

    try:
        if out is not None:
            saved_plan.check_place(out)
        status = Exit(run_accounts(session, work))
        # After a signal, accounts may be missing.
        if out is not None and reports and status < Exit.SIGINT:
            _save(session, out, reports)
    except PlanFileError as error:
        return session.fail(None, error)
    return status


def apply_plan(session: Session, file: Path, options: Options) -> int:
    """``syncer apply FILE``: carry out what is left of a saved plan."""
    session.configure_log()
    try:
        loaded = saved_plan.load(file)
    except PlanFileError as error:
        return session.fail(None, error)
    plans = {one.account: one for one in loaded.accounts}
    found = session.find(secrets=True)
    known = {account.name for account in found.accounts}
    # A file that cannot be read may be the one of this account, and is told anyway.
    for name in plans.keys() - known if not found.broken else ():
        msg = f"{file}: no account file is named {name}; name its file with: --config PATH"
        return session.fail(None, UsageError(msg))

    async def work(account: Account, stop: Stop, turn: Turn) -> Exit:
        saved, done = plans[account.name], list[SavedOperation]()
        chosen = replace(options, select=partial(saved.select, done=done))
        async with in_hand(session, account, stop) as hand:
            report = await run_and_record(hand, chosen, stop)
            names = TaskNames.in_base(hand.ledger.load(), account.zone)
        await turn()
        # A limit's advice repeats the command, and here that was another one.
        message = report.message.replace("syncer sync --once", f"syncer apply {file}")
        if done:
            message = "; ".join(part for part in (message, _already(len(done), len(saved.operations))) if part)
        _answer_run(session, replace(report, message=message), names, account.zone)
        return report.exit

    meant = tuple(account for account in found.accounts if account.name in plans)
    return run_accounts(session, work, replace(found, accounts=meant))


def _already(done: int, planned: int) -> str:
    if done == planned:
        return f"already done: all that this plan says ({planned} operation{'s' if planned != 1 else ''})"
    return f"already done: {done} of the plan's {planned} operations"


async def run_and_record(hand: AccountInHand, options: Options, stop: Stop) -> Report:
    """Run until the end or a signal."""
    # Asked before: this run's own report is one.
    new = is_new(hand.ledger)
    with recorded(hand):
        report = await stop.finish(run(hand, options), hand.adapters.values())
    return _with_other_ledgers(hand, report) if new else report


@contextmanager
def recorded(hand: AccountInHand) -> Iterator[None]:
    """Store a run that is interrupted in this block as ended, so that it does not seem to be running, or killed."""
    began, writes = hand.clock(), _writes(hand)
    try:
        yield
    # Another process runs the account, and its run must not be stored as ended.
    except (Busy, LeaseLost):
        raise
    except Exception as error:
        broken = BrokenOff(str(error)) if isinstance(error, LedgerError) and _writes(hand) > writes else None
        # If the ledger itself fails, the next run notices that this one did not end.
        with suppress(LedgerError):
            _finish(hand, began, broken or error)
        if broken is not None:
            raise broken from error
        raise


def _with_other_ledgers(hand: AccountInHand, report: Report) -> Report:
    """Return the report of a new ledger's first run or plan, which tells of an older ledger beside it."""
    identities = {system: adapter.expected_identity for system, adapter in hand.adapters.items()}
    parts = (report.message, told_of_others(hand.settings, identities))
    return replace(report, message="; ".join(part for part in parts if part))


def _writes(hand: AccountInHand) -> int:
    return sum(adapter.wire.writes for adapter in hand.adapters.values())


def _finish(hand: AccountInHand, began: datetime, error: Exception) -> None:
    for broken in hand.ledger.runs(1):
        # An older one without an end is not ours to end.
        if broken.finished_at is None and broken.started_at >= began:
            report = {**broken.report, "message": failure_of(error).message}
            hand.ledger.finish_run(broken.id, hand.clock(), "stopped", report)


def _answer_run(session: Session, report: Report, names: TaskNames, zone: tzinfo) -> None:
    if session.json:
        session.answer(report.as_json())
    elif report.operations is not None:
        show_run(session.screen, {**report.as_json(), "cost": {}}, names, zone)
    else:
        show_run(session.screen, report.as_json(), names, zone)


def _save(session: Session, out: Path, reports: list[Report]) -> None:
    saved_plan.save(out, reports)
    if not session.json:
        number = sum(len(report.operations or ()) for report in reports)
        session.screen.say(f"saved {number} operations to {out}; to carry out exactly these, type: syncer apply {out}")
