"""The accounts that the daemon serves: when each runs, what events lead to, and what an error of one leads to.

Connections stay open between runs. The ledger is opened for each run. An error of one account is reported once, affects
no other account, and the run is tried again after the interval.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]

from syncer.cli import hints, presence
from syncer.cli.at_once import connected
from syncer.cli.commands.runs import run_and_record
from syncer.cli.errors import ServedElsewhere, failure_of
from syncer.cli.progress_bars import logged_progress
from syncer.cli.run_told import tell_run
from syncer.cli.service import Service, announced, clashes_among, trouble_of, withdraw
from syncer.cli.session import Session, identities_of
from syncer.cli.signals import Stop, Stopped, apart
from syncer.config.schema import Account
from syncer.contract.errors import WrongAccount
from syncer.contract.unforeseen import going_on
from syncer.domain.report import Exit
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options
from syncer.ledger import Busy, HintBook, Ledger, LedgerError, Locked
from syncer.web.watch import Watch

# The scheduler uses the wall clock, which people set. A time that is always past means *now* by any clock.
_NOW: Final = DateTrigger(datetime(1971, 1, 1, tzinfo=UTC))

_log = structlog.get_logger("syncer.daemon")


class Serving:
    """All accounts that are served: ``services``, by account file. ``after_turn`` is called after each whole run."""

    def __init__(self, session: Session, stop: Stop, watch: Watch, after_turn: Callable[[], None]) -> None:
        self.services: dict[Path, Service] = {}
        self._session = session
        self._stop = stop
        self._watch = watch
        self._after_turn = after_turn
        self._since = datetime.now(UTC)
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def open(self) -> None:
        """Let runs be made from now on, in the running event loop."""
        self._scheduler.start()

    async def close(self) -> None:
        """Stop serving all accounts, each after its current run."""
        await asyncio.gather(*(self.end(service) for service in self.services.values()))
        self._scheduler.shutdown(wait=False)

    # one account ---------------------------------------------------------------------------------------

    async def begin(self, account: Account) -> Exit | None:
        """Begin to serve an account. Returns the failure if somebody has to act; it is tried again anyway."""
        service = self.services[account.path] = Service(account)
        self._watch.take_up(account)
        failed, pause = None, 0.0
        try:
            # Keys first: a file whose key is missing must not create a ledger.
            await self._connect(service)
            async with self._ledger(service):
                pass
        # A stop ends the daemon anyway, and a locked ledger is tried again by the first run.
        except (Stopped, Locked):
            pass
        except Exception as error:  # noqa: BLE001 - an error of one account must not affect the others
            with going_on(account.name):
                self._fail(service, error)
                await self._watch.failed(account.name, failure_of(error).message, trouble_of(error))
            # A ledger's trouble may pass: a disk that is full when the machine starts gets room again.
            failed = None if isinstance(error, LedgerError) else failure_of(error).exit_status
            pause = service.pause()
        self._plan_turn(service, pause)
        return failed

    async def _connect(self, service: Service) -> None:
        if not service.adapters:
            service.adapters = await service.connections.enter_async_context(connected(service.account))

    @asynccontextmanager
    async def _ledger(self, service: Service) -> AsyncIterator[Ledger]:
        """Open the account's ledger and store in it that we serve the account.

        Raises `ServedElsewhere`, `LedgerError`, `Stopped`.
        """
        opening = apart(partial(announced, service.account, self._since))
        try:
            ledger = await self._stop.finish(opening, ())
        except ServedElsewhere:
            service.out = Exit.BUSY
            self._watch.elsewhere(service.account.name)
            raise
        service.out, service.present = None, True
        await self._watch.begin(service.account, service.adapters)
        with ledger:
            yield ledger

    async def end(self, service: Service) -> None:
        """Stop serving an account after its current run."""
        service.ended = True
        if service.timer is not None:
            service.timer.cancel()
        if service.busy is not None:
            await service.busy
        with going_on(service.account.name):
            self._watch.leave(service.account.name)
            await service.connections.aclose()
        with going_on(service.account.name):
            if service.present:
                await withdraw(service.account)

    async def stay_present(self) -> None:
        """Keep storing in the ledger that we are running, also during a long run or a long pause."""
        while True:
            # Two entries in a row may fail before others take this process for dead.
            await asyncio.sleep(presence.TERM.total_seconds() / 3)
            for service in list(self.services.values()):
                if service.out is None and not service.ended:
                    # The next run reports what is wrong.
                    with going_on(service.account.name), suppress(LedgerError, ServedElsewhere, Stopped):
                        async with self._ledger(service):
                            pass

    def _fail(self, service: Service, error: Exception) -> None:
        """Report what is wrong with an account, but not again in every run."""
        told = f"busy: {error.owner}" if isinstance(error, Busy) else failure_of(error).message
        if told != service.told:
            service.told = told
            self._session.fail(service.account.name, error, event="account.failed")

    def _refuse_clashes(self) -> None:
        """Stop serving accounts that turn out to open the same CRM account."""
        for service, error in clashes_among(self.services.values()):
            self._fail(service, error)
            service.out, service.ended, service.clashes = Exit.WRONG, True, True

    # runs ----------------------------------------------------------------------------------------------

    def _plan_turn(self, service: Service, seconds: float) -> None:
        """Plan the next run in so many seconds, and no other, independent of changes to the system's clock."""
        if service.timer is not None:
            service.timer.cancel()
        if not service.ended and self._stop.exit_status is None:
            self._watch.planned(service.account.name, seconds)
            service.timer = asyncio.get_running_loop().call_later(seconds, self._begin_turn, service)

    def _begin_turn(self, service: Service) -> None:
        if service.is_busy:
            service.again = True
            return
        service.busy = asyncio.get_running_loop().create_future()
        # No grace time: a run that the loop is late for is made all the same.
        self._scheduler.add_job(self._turn, _NOW, args=[service], id=str(id(service)), misfire_grace_time=None)

    async def _turn(self, service: Service) -> None:
        try:
            await self._run(service)
        except Stopped as stopped:
            _log.info("run.stopped", account=service.account.name, words=str(stopped))
        except Exception as error:  # noqa: BLE001 - a bug of ours ends one run, not the daemon
            with going_on(service.account.name):
                self._fail(service, error)
                await self._watch.failed(service.account.name, failure_of(error).message, trouble_of(error))
            # Only another key or another ledger helps, and either is a change of the files, which is noticed.
            if isinstance(error, WrongAccount):
                service.out, service.ended = Exit.WRONG, True
        finally:
            # The collector itself hardly ever looks at what has lived for long, see `syncer.engine.opening.SELDOM`.
            gc.collect()
            # What runs for a few contacts wrote is counted from one whole run to the next, see `hints.look_at_hints`.
            service.in_parts.clear()
            service.rest()
            with going_on(service.account.name):
                self._refuse_clashes()
            self._plan_turn(service, 0.0 if service.again else service.pause())
            service.again = False
            self._look_soon(service)
            self._after_turn()

    async def _run(self, service: Service) -> None:
        account = service.account
        await self._connect(service)
        async with self._ledger(service) as ledger, logged_progress(account) as progress:
            hand = AccountInHand(account, service.adapters, ledger, progress=progress, hurry=service.hurry)
            self._watch.started(account.name)
            report = await run_and_record(hand, Options(), self._stop)
            # Known only now, for some CRMs tell whose account it is with their first task.
            service.identities = identities_of(ledger)
            # Those that could not be read when they were looked at.
            service.hinted |= bool(HintBook(ledger).waiting(1))
        await self._watch.ended(account.name, report.as_json())
        if service.told:
            _log.info("account.served_again", account=account.name)
            service.told = ""
        tell_run(self._session, account, report.as_json())

    def run_now(self, name: str) -> None:
        """Begin a run of this account now, or as soon as the current one has ended."""
        for service in self.services.values():
            if service.account.name == name and not service.ended:
                self._bring_forward(service)

    def _bring_forward(self, service: Service, seconds: float = 0.0) -> None:
        if service.is_busy:
            service.again = True
        elif service.timer is not None and service.timer.when() > asyncio.get_running_loop().time() + seconds:
            self._plan_turn(service, seconds)

    # events --------------------------------------------------------------------------------------------

    def wake(self, name: str) -> None:
        """Note that a CRM reported an event for this account."""
        for service in self.services.values():
            if service.account.name == name and not service.hinted:
                service.hinted = True
                service.hurry.set()
                self._look_soon(service)

    def _look_soon(self, service: Service, seconds: float = hints.SOON) -> None:
        if service.hinted and not service.ended:
            asyncio.get_running_loop().call_later(seconds, self._begin_look, service)

    def _begin_look(self, service: Service) -> None:
        # After the current run it is started again.
        if service.hinted and not (service.is_busy or service.ended) and self._stop.exit_status is None:
            service.hinted = False
            service.hurry.clear()
            service.busy = asyncio.get_running_loop().create_future()
            self._scheduler.add_job(self._look, _NOW, args=[service], misfire_grace_time=None)

    async def _look(self, service: Service) -> None:
        """Run for the contacts that events name. A whole run that became due meanwhile comes before the next one."""
        looked = hints.Looked()
        try:
            await self._connect(service)
            async with self._ledger(service) as ledger:
                hand = AccountInHand(service.account, service.adapters, ledger)
                looked = await hints.look_at_hints(hand, service.in_parts, self._stop)
            self._watch.looked(service.account.name, looked.report)
        except Stopped as stopped:
            _log.info("run.stopped", account=service.account.name, words=str(stopped))
        except Exception as error:  # noqa: BLE001 - the next whole run reads everything anyway
            self._fail(service, error)
        finally:
            service.rest()
            self._go_on(service, looked)

    def _go_on(self, service: Service, looked: hints.Looked) -> None:
        now = asyncio.get_running_loop().time()
        # Events of contacts that nobody knows must not make whole runs follow each other without a pause.
        if looked.whole and service.forward_at <= now:
            service.forward_at = max(now, service.forward_at + hints.FORWARD_EVERY)
            self._bring_forward(service, service.forward_at - now)
        service.hinted |= looked.more or looked.later
        if service.again:
            service.again = False
            # Planned anew: the timer of a whole run that became due meanwhile has gone off, and was the only one.
            self._plan_turn(service, 0.0)
        else:
            self._look_soon(service, hints.AGAIN if looked.later else hints.SOON)
