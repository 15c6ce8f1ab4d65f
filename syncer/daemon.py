"""``syncer sync``: one run for each account at its interval, until SIGTERM or SIGINT.

Connections and ledgers stay open between runs. A run that fails says so and is made again at the next interval; only
a key that opens another remote account takes its account out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent  # type: ignore[import-untyped]
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from adapters.base import WrongAccount
from syncer.account import Account
from syncer.commands import presence
from syncer.commands.runs import run_and_record
from syncer.commands.session import Session, in_hand
from syncer.complaints import ConfigError
from syncer.ledger import LedgerError
from syncer.opening import AccountInHand
from syncer.report import Exit
from syncer.run import Options
from syncer.screens import moment, run_in_words
from syncer.stopping import Stop, Stopped

_log = structlog.get_logger("syncer.daemon")


def run_daemon(session: Session) -> int:
    """Serve all accounts until a signal; 2 if none of them can be served."""
    session.configure_log(least=1, as_json=session.json)
    # It says of every run that the one before is not done yet, which is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    try:
        accounts = session.accounts
    except ConfigError as error:
        return session.fail(None, error)
    return asyncio.run(_serve(session, accounts))


async def _serve(session: Session, accounts: Iterable[Account]) -> Exit:
    async with AsyncExitStack() as stack:
        stop = stack.enter_context(Stop())
        daemon = _Daemon(session, stop)
        for account in accounts:
            try:
                hand = await stack.enter_async_context(in_hand(session, account, watched=False))
                daemon.add(hand)
            except (ConfigError, LedgerError) as error:
                session.fail(account.name, error)
                continue
            stack.callback(_withdraw, hand)
        return await daemon.serve()


def _withdraw(hand: AccountInHand) -> None:
    try:
        presence.withdraw(hand.ledger)
    except LedgerError as error:
        _log.warning("daemon.not_withdrawn", account=hand.settings.name, words=str(error))


class _Daemon:
    """The schedule of all accounts; ``_busy`` are the runs under way, which the end waits for."""

    def __init__(self, session: Session, stop: Stop) -> None:
        self._session = session
        self._stop = stop
        self._busy: set[asyncio.Task[Any]] = set()
        self._served: set[str] = set()
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._scheduler.add_listener(self._crashed, EVENT_JOB_ERROR)

    def add(self, hand: AccountInHand) -> None:
        """Run this account at once, and then at its interval. Raises `LedgerError`."""
        now = datetime.now(UTC)
        presence.announce(hand.ledger, now)
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=hand.settings.sync.interval.total_seconds(), timezone=UTC),
            args=[hand],
            id=hand.settings.name,
            next_run_time=now,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
        )
        self._served.add(hand.settings.name)

    async def serve(self) -> Exit:
        """Until somebody asks for the end, or no account is left; then until the runs under way have ended."""
        if not self._served:
            return Exit.WRONG
        _log.info("daemon.started", accounts=sorted(self._served))
        self._scheduler.start()
        await self._stop.wait()
        self._scheduler.pause()
        if self._busy:
            await asyncio.wait(self._busy)
        self._scheduler.shutdown(wait=False)
        status = Exit.WRONG if self._stop.exit_status is None else self._stop.exit_status
        _log.info("daemon.ended", exit=int(status))
        return status

    async def _run(self, hand: AccountInHand) -> None:
        task = asyncio.current_task()
        if task is None:
            raise AssertionError
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)
        try:
            report = await run_and_record(hand, Options(), self._stop)
        except Stopped as stopped:
            _log.info("run.stopped", account=hand.settings.name, words=str(stopped))
        except WrongAccount as error:
            self._session.fail(hand.settings.name, error)
            self._give_up(hand.settings.name)
        except LedgerError as error:
            self._session.fail(hand.settings.name, error)
        else:
            self._tell(hand, report.as_json())

    def _tell(self, hand: AccountInHand, report: dict[str, Any]) -> None:
        if self._session.json:
            self._session.answer(report)
        else:
            words = f"{report['account']}: {report['status']}: {run_in_words(report)}"
            message = f"; {report['message']}" if report.get("message") else ""
            self._session.screen.say(f"{moment(datetime.now(UTC), hand.settings.zone)}  {words}{message}")

    def _give_up(self, account: str) -> None:
        self._scheduler.remove_job(account)
        self._served.discard(account)
        if not self._served:
            self._stop.end()

    def _crashed(self, event: JobExecutionEvent) -> None:
        """A bug of ours ends one run, not the daemon."""
        self._session.fail(event.job_id, event.exception)
