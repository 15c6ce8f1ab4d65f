"""``syncer sync``: run each account, and again one interval after the run ended, until SIGTERM or SIGINT.

Account files are checked every few seconds. What is done for each account is in `Serving`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from syncer.cli.account_files import AccountFiles, Look
from syncer.cli.errors import UsageError, failure_of, worst
from syncer.cli.service import Service
from syncer.cli.serving import Serving
from syncer.cli.session import Session
from syncer.cli.signals import Stop, Stopped, apart
from syncer.cli.streams import wait_for_no_reader
from syncer.cli.systemd import Systemd
from syncer.config.log import silenced
from syncer.config.schema import Account
from syncer.domain.report import Exit
from syncer.web.listening import CannotListen, Listening, open_socket
from syncer.web.watch import LoopControl, Watch

LOOK_AGAIN: Final = 10.0
"""The most seconds until the daemon uses a changed account file."""
# Then lines of output are lost. A run must not wait for whoever reads them.
_STALLED_READER: Final = 1.0

_log = structlog.get_logger("syncer.daemon")


def run_daemon(session: Session, listening: Listening | None = None) -> int:
    """Serve all accounts until a signal. Returns 2 or 4 if none can be served, and 2 if the address is in use."""
    session.configure_log(least=1, as_json=session.json)
    wait_for_no_reader(_STALLED_READER)
    try:
        listener = None if listening is None else open_socket(listening)
    except CannotListen as error:
        return session.fail(None, UsageError(str(error)))
    with silenced("apscheduler"):
        return asyncio.run(serve(session, Watch(apart, listening, listener)))


async def serve(session: Session, watch: Watch | None = None) -> Exit:
    """Run the daemon in a running event loop."""
    with Stop() as stop:
        return await _Daemon(session, stop, watch or Watch(apart)).serve()


class _Daemon:
    """Serves the accounts of the account files, as these are now."""

    def __init__(self, session: Session, stop: Stop, watch: Watch) -> None:
        self._session = session
        self._stop = stop
        self._watch = watch
        self._serving = Serving(session, stop, watch, self._end_if_none_is_left)
        self._services = self._serving.services
        self._files = AccountFiles(session)
        self._systemd = Systemd()
        self._moving: dict[Path, asyncio.Future[None]] = {}

    async def serve(self) -> Exit:
        """Serve until the end is asked for or no account is left, and then wait for the current runs."""
        self._serving.open()
        self._watch.open(LoopControl(asyncio.get_running_loop(), self._serving.run_now, self._serving.wake))
        try:
            look = await self._files.look()
            broken = self._tell_broken(look)
            failed = await asyncio.gather(*(self._serving.begin(account) for account in look.accounts.values()))
            # Whoever typed the command sees at once what is wrong, and not a process that waits.
            if all(status is not None for status in failed):
                return worst([*broken, *(status for status in failed if status is not None)])
            names = sorted(one.account.name for one in self._services.values())
            _log.info("daemon.started", accounts=names)
            self._systemd.ready(f"serving {', '.join(names)}")
            watches = (self._watch_files(), self._serving.stay_present(), self._systemd.stay_alive())
            watching = [asyncio.ensure_future(work) for work in watches]
            await self._stop.wait()
            self._systemd.stopping()
            for watch in watching:
                watch.cancel()
        finally:
            # First: what is being moved may have begun to serve another account.
            await asyncio.gather(*self._moving.values())
            await self._serving.close()
            await self._watch.close()
        status = self._stop.exit_status or worst(service.out or Exit.DONE for service in self._services.values())
        _log.info("daemon.ended", exit=int(status))
        return status

    def _end_if_none_is_left(self) -> None:
        # A broken file keeps the daemon going, because it is taken up as soon as it is right.
        if (
            not self._files.troubles
            and not self._moving
            and all(service.out is not None for service in self._services.values())
        ):
            self._stop.end()

    async def _watch_files(self) -> None:
        """Use changes of the account files, and of the page's token, while the daemon runs."""
        while True:
            # At least once an interval, or the next run would still be made by the old file.
            await asyncio.sleep(min((LOOK_AGAIN, *(service.interval for service in self._services.values()))))
            try:
                await self._watch.look_at_token()
                if not await self._files.have_changed():
                    continue
                look = await self._files.look()
                self._tell_broken(look)
                self._take_up(look)
                self._end_if_none_is_left()
            except Exception as error:  # noqa: BLE001 - accounts that are served go on
                _log.error("account_files.not_read", words=failure_of(error).message)

    def _take_up(self, look: Look) -> None:
        """Serve the files as they are now. If a file is broken, its last valid content stays in use."""
        # What is being moved is looked at again when that is done.
        for path in {*look.accounts, *self._services} - self._moving.keys() - look.broken:
            served, wanted = self._services.get(path), look.accounts.get(path)
            # A file that is broken now may be the same account's, and is served by its last valid content.
            if wanted is not None and look.broken & self._others(path, wanted):
                self._files.forget()
            # One that clashed is found again once the other file is gone.
            elif served is None or served.account != wanted or served.clashes:
                self._moving[path] = asyncio.ensure_future(self._move(path, served, wanted))

    def _others(self, path: Path, account: Account) -> set[Path]:
        """Return the other files under which this account is served, as after a file was renamed."""
        return {other for other, service in self._services.items() if other != path and service.serves(account)}

    async def _move(self, path: Path, served: Service | None, wanted: Account | None) -> None:
        """Serve a file as it is now, after its current run has ended. No other account waits for that."""
        if served is not None:
            _log.info("account.left", account=served.account.name)
            await self._serving.end(served)
            del self._services[path]
            served.left.set()
        # Its file may have had another name. Two services of one account would drop each other's alarms.
        others = set() if wanted is None else self._moving.keys() & self._others(path, wanted)
        for left in [self._services[other].left for other in others]:
            with suppress(Stopped):
                await self._stop.finish(left.wait(), ())
        if wanted is not None and self._stop.exit_status is None:
            _log.info("account.taken_up", account=wanted.name)
            await self._serving.begin(wanted)
        del self._moving[path]
        # The file may have changed again meanwhile. The next check finds out whether any account is left.
        self._files.forget()

    def _tell_broken(self, look: Look) -> list[Exit]:
        """Report what is wrong with account files, once when it begins and once when it is over."""
        for words in look.over:
            _log.info("account_file.mended", was=words)
        self._watch.board.broken_files = tuple(self._files.troubles)
        told = [self._session.fail(None, error, event="account_file.broken") for error in look.new]
        going_on = sorted(service.account.name for path, service in self._services.items() if path in look.broken)
        if look.new and going_on:
            _log.warning("account_files.last_good_form", accounts=going_on)
        return told
