"""``syncer sync``: one run for each account, again one interval after it ended, until SIGTERM or SIGINT.

Connections stay open between runs, the ledger is opened for each. What goes wrong with one account is told once, is
that account's alone, and is tried again after its interval. Account files are looked at again every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler  # type: ignore[import-untyped]
from apscheduler.triggers.date import DateTrigger  # type: ignore[import-untyped]

from syncer.cli import presence
from syncer.cli.commands.runs import run_and_record
from syncer.cli.errors import Served, failure_of, worst
from syncer.cli.screens import moment, run_in_words
from syncer.cli.session import Session, connected, identities_of
from syncer.cli.signals import Stop, Stopped, apart
from syncer.cli.streams import wait_for_no_reader
from syncer.config.clashes import known_clashes
from syncer.config.loader import Found
from syncer.config.problems import ConfigError
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter, WrongAccount
from syncer.domain.report import Exit
from syncer.engine.opening import AccountInHand
from syncer.engine.run import Options
from syncer.ledger import Busy, Ledger, LedgerError, Locked

LOOK_AGAIN: Final = 10.0
"""Seconds after which, at the latest, a changed account file is taken up."""
_STALLED_READER: Final = 1.0
_FAREWELL: Final = 2.0
# The scheduler goes by the wall clock, which people set: an instant that is always past means *now* by any clock.
_NOW: Final = DateTrigger(datetime(1971, 1, 1, tzinfo=UTC))

_log = structlog.get_logger("syncer.daemon")


def run_daemon(session: Session) -> int:
    """Serve all accounts until a signal; 2, or 4, if none of them can be served."""
    session.configure_log(least=1, as_json=session.json)
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    wait_for_no_reader(_STALLED_READER)
    return asyncio.run(serve(session))


async def serve(session: Session) -> Exit:
    """The daemon in a running loop."""
    with Stop() as stop:
        return await _Daemon(session, stop).serve()


@dataclass(eq=False, slots=True)
class _Service:
    """One account that is served. ``out`` is set where it cannot be, until its file changes or the other one ends."""

    account: Account
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    connections: AsyncExitStack = field(default_factory=AsyncExitStack)
    identities: dict[str, str] = field(default_factory=dict)
    busy: asyncio.Future[Any] | None = None
    timer: asyncio.TimerHandle | None = None
    told: str = ""
    present: bool = False
    out: Exit | None = None
    ended: bool = False

    @property
    def interval(self) -> float:
        """Seconds between two runs."""
        return self.account.sync.interval.total_seconds()


class _Daemon:
    """All accounts that are served, by their files."""

    def __init__(self, session: Session, stop: Stop) -> None:
        self._session = session
        self._stop = stop
        self._since = datetime.now(UTC)
        self._services: dict[Path, _Service] = {}
        self._broken: dict[str, ConfigError] = {}
        self._looked_at: Mapping[Path, object] = {}
        self._moving: dict[Path, asyncio.Future[None]] = {}
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    async def serve(self) -> Exit:
        """Until somebody asks for the end, or no account is left; then until the runs under way have ended."""
        self._scheduler.start()
        try:
            found = await self._find()
            broken = self._tell_broken(found)
            failed = await asyncio.gather(*(self._begin(account) for account in found.accounts))
            if all(status is not None for status in failed):
                return worst([*broken, *(status for status in failed if status is not None)])
            _log.info("daemon.started", accounts=sorted(one.account.name for one in self._services.values()))
            watching = [asyncio.ensure_future(work) for work in (self._watch_files(), self._stay_present())]
            await self._stop.wait()
            for watch in watching:
                watch.cancel()
        finally:
            await asyncio.gather(*self._moving.values())
            await asyncio.gather(*(self._end(service) for service in self._services.values()))
            self._scheduler.shutdown(wait=False)
        status = self._stop.exit_status or worst(service.out or Exit.DONE for service in self._services.values())
        _log.info("daemon.ended", exit=int(status))
        return status

    # one account ---------------------------------------------------------------------------------------

    async def _begin(self, account: Account) -> Exit | None:
        """Take an account up; how it failed, if waiting does not help, though it is tried again all the same."""
        service = self._services[account.path] = _Service(account)
        failed = None
        try:
            await self._connect(service)
            async with self._ledger(service):
                pass
        except (Stopped, Locked):
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this account's alone
            self._fail(service, error)
            failed = failure_of(error).exit_status
        self._plan_turn(service, 0.0 if failed is None else service.interval)
        return failed

    async def _connect(self, service: _Service) -> None:
        if not service.adapters:
            service.adapters = await service.connections.enter_async_context(connected(service.account))

    @asynccontextmanager
    async def _ledger(self, service: _Service) -> AsyncIterator[Ledger]:
        """The account's ledger, in which stands that we serve it. Raises `Served`, `LedgerError`, `Stopped`."""
        opening = apart(partial(_announced, service.account, self._since))
        try:
            ledger = await self._stop.finish(opening, ())
        except Served:
            service.out = Exit.BUSY
            raise
        service.out, service.present = None, True
        with ledger:
            yield ledger

    def _plan_turn(self, service: _Service, seconds: float) -> None:
        """The next run begins so many seconds from now, whatever anybody does to the system's clock."""
        if not service.ended and self._stop.exit_status is None:
            service.timer = asyncio.get_running_loop().call_later(seconds, self._begin_turn, service)

    def _begin_turn(self, service: _Service) -> None:
        service.busy = asyncio.get_running_loop().create_future()
        self._scheduler.add_job(self._turn, _NOW, args=[service], id=str(id(service)), misfire_grace_time=None)

    async def _turn(self, service: _Service) -> None:
        try:
            await self._run(service)
        except Stopped as stopped:
            _log.info("run.stopped", account=service.account.name, words=str(stopped))
        except Exception as error:  # noqa: BLE001 - a bug of ours ends one run, not the daemon
            self._fail(service, error)
            if isinstance(error, WrongAccount):
                service.out, service.ended = Exit.WRONG, True
        finally:
            if service.busy is not None:
                service.busy.set_result(None)
            self._refuse_clashes()
            self._plan_turn(service, service.interval)
            self._end_if_none_is_left()

    async def _run(self, service: _Service) -> None:
        account = service.account
        await self._connect(service)
        async with self._ledger(service) as ledger:
            hand = AccountInHand(account, service.adapters, ledger)
            report = await run_and_record(hand, Options(), self._stop)
            service.identities = identities_of(ledger)
        if service.told:
            _log.info("account.served_again", account=account.name)
            service.told = ""
        self._tell(account, report.as_json())

    def _tell(self, account: Account, report: dict[str, Any]) -> None:
        if self._session.json:
            self._session.answer(report)
        else:
            words = f"{report['account']}: {report['status']}: {run_in_words(report)}"
            message = f"; {report['message']}" if report.get("message") else ""
            self._session.screen.say(f"{moment(datetime.now(UTC), account.zone)}  {words}{message}")

    def _fail(self, service: _Service, error: Exception) -> None:
        """Say what is wrong with an account, and not again with every run."""
        told = f"busy: {error.owner}" if isinstance(error, Busy) else failure_of(error).message
        if told != service.told:
            service.told = told
            self._session.fail(service.account.name, error)

    def _refuse_clashes(self) -> None:
        """Take out accounts that turn out to be the same remote one."""
        served = [service for service in self._services.values() if not service.ended]
        if len(served) < 2:
            return
        identities = {service.account.path: service.identities for service in served}
        clashing = known_clashes([service.account for service in served], identities)
        for service in served:
            if service.account.path in clashing:
                self._fail(service, clashing[service.account.path])
                service.out, service.ended = Exit.WRONG, True

    async def _end(self, service: _Service) -> None:
        """Let go of an account once its run under way has ended."""
        service.ended = True
        if service.timer is not None:
            service.timer.cancel()
        if service.busy is not None:
            await service.busy
        await service.connections.aclose()
        if not service.present:
            return
        try:
            async with asyncio.timeout(_FAREWELL):
                await apart(partial(_withdraw, service.account))
        except (LedgerError, TimeoutError) as error:
            # Nobody believes a process that is gone.
            _log.warning("daemon.not_withdrawn", account=service.account.name, words=str(error))

    def _end_if_none_is_left(self) -> None:
        if (
            not self._broken
            and not self._moving
            and all(service.out is not None for service in self._services.values())
        ):
            self._stop.end()

    # all accounts --------------------------------------------------------------------------------------

    async def _find(self) -> Found:
        before = _signatures(self._session.files())
        found = await apart(lambda: self._session.find(secrets=True))
        self._looked_at = {**_signatures(found.files), **before}
        return found

    def _has_changed(self) -> bool:
        return _signatures({*self._looked_at, *self._session.files()}) != self._looked_at

    async def _watch_files(self) -> None:
        """Take up what has changed in the account files. What a broken one lacks may have come from elsewhere."""
        while True:
            await asyncio.sleep(min((LOOK_AGAIN, *(service.interval for service in self._services.values()))))
            if not self._broken and not self._has_changed():
                continue
            try:
                found = await self._find()
            except Exception as error:  # noqa: BLE001 - what is served already goes on
                _log.error("account_files.not_read", words=failure_of(error).message)
                continue
            self._tell_broken(found)
            self._take_up({account.path: account for account in found.accounts})
            self._end_if_none_is_left()

    def _take_up(self, accounts: Mapping[Path, Account]) -> None:
        for path in {*accounts, *self._services} - self._moving.keys():
            served, wanted = self._services.get(path), accounts.get(path)
            if served is None or served.account != wanted:
                self._moving[path] = asyncio.ensure_future(self._move(path, served, wanted))

    async def _move(self, path: Path, served: _Service | None, wanted: Account | None) -> None:
        """Serve a file as it is now, after the run under way has ended; no other account waits for that."""
        if served is not None:
            _log.info("account.left", account=served.account.name)
            await self._end(served)
            del self._services[path]
        if wanted is not None and self._stop.exit_status is None:
            _log.info("account.taken_up", account=wanted.name)
            await self._begin(wanted)
        del self._moving[path]
        # It may have changed again meanwhile: whether any account is left is told by the next look.
        self._looked_at = {}

    def _tell_broken(self, found: Found) -> list[Exit]:
        """Say what is wrong with account files, each thing once."""
        broken = {str(error): error for error in found.broken}
        new = [error for words, error in broken.items() if words not in self._broken]
        self._broken = broken
        return self._session.fail_all(new)

    async def _stay_present(self) -> None:
        """Go on saying that we are there, also in the middle of a long run or a long pause."""
        while True:
            await asyncio.sleep(presence.TERM.total_seconds() / 3)
            for service in list(self._services.values()):
                if service.out is None and not service.ended:
                    # What is wrong is told by the next run.
                    with suppress(LedgerError, Served, Stopped):
                        async with self._ledger(service):
                            pass


def _announced(account: Account, since: datetime) -> Ledger:
    """The account's ledger, open, with the word that we serve it."""
    ledger = Ledger.open(account.ledger_url, name=account.name)
    try:
        presence.announce(ledger, since)
    except BaseException:
        ledger.close()
        raise
    return ledger


def _withdraw(account: Account) -> None:
    with Ledger.open(account.ledger_url, name=account.name) as ledger:
        presence.withdraw(ledger)


def _signatures(files: Iterable[Path]) -> dict[Path, object]:
    """What tells a file that was changed, replaced or removed from what it was."""
    return {file: _signature(file) for file in files}


def _signature(file: Path) -> object:
    try:
        found = file.stat()
    except OSError as error:
        return error.errno
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
