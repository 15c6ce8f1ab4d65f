"""Pass what happens in the daemon to the board, the metrics and the keepers of alarms.

The daemon uses only this class of the package. Without an address to listen on, no page is served, but alarms work.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import structlog

from syncer.config.schema import Account
from syncer.contract.adapter import Adapter
from syncer.contract.unforeseen import going_on
from syncer.domain.redact import redact
from syncer.ledger import LedgerError
from syncer.web.alarms.keeper import AlarmKeeper, Apart
from syncer.web.board import Board, Control
from syncer.web.listening import CannotListen, Listening

BEAT: Final = 1.0
"""Seconds between two checks of what is due."""
JUDGED_EVERY: Final = 30.0
"""The most seconds between two checks of alarms, because one may begin while nothing happens."""
LAST_WORDS: Final = 2.0
"""The most seconds for which the end of the daemon waits for messages that are on their way."""
_log: Final = structlog.get_logger("syncer.web")


class LoopControl:
    """Hands requests of the thread that serves the page over to the daemon's event loop."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, run: Callable[[str], None], look: Callable[[str], None]
    ) -> None:
        self._loop = loop
        self._run = run
        self._look = look

    def run_now(self, account: str) -> None:
        """Begin a run as soon as the current one has ended."""
        self._loop.call_soon_threadsafe(self._run, account)

    def wake(self, account: str) -> None:
        """Process the events that were received."""
        self._loop.call_soon_threadsafe(self._look, account)


class Watch:
    """The daemon calls these methods for each account and run."""

    def __init__(self, apart: Apart, listening: Listening | None = None, listener: socket.socket | None = None) -> None:
        self.board = Board()
        self._apart = apart
        self._listening = listening
        self._listener = listener
        self._access: Any = None
        self._token_trouble = ""
        self._metrics: Any = None
        self._thread: Any = None
        self._beating: asyncio.Task[None] | None = None
        self._keepers: dict[str, AlarmKeeper] = {}
        self._left: dict[str, AlarmKeeper] = {}
        self._ours: set[str] = set()
        self._adapters: dict[str, Mapping[str, Adapter]] = {}
        self._telling: set[asyncio.Task[None]] = set()

    def open(self, control: Control) -> None:
        """Serve the page, if there is an address for it, and begin to check alarms."""
        if self._listening is not None and self._listener is not None:
            self._serve(control, self._listening, self._listener)
        self._beating = asyncio.create_task(self._beat())

    def _serve(self, control: Control, listening: Listening, listener: socket.socket) -> None:
        # Without a page, the web framework is not loaded.
        from syncer.web.access import Access
        from syncer.web.app import make_app
        from syncer.web.metrics import Metrics
        from syncer.web.server import WebThread
        from syncer.web.site import Site

        self._metrics = Metrics()
        self._access = Access(listening)
        self._thread = WebThread(make_app(Site(self.board, self._access, self._metrics, control)), listener)
        self._thread.start()
        host, port = listener.getsockname()[:2]
        address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        _log.info("daemon.listening", address=address, public_url=listening.public_url or None)

    async def look_at_token(self) -> None:
        """Use the token that its file has now. If it cannot be read, the last one stays in use."""
        listening: Listening | None = None if self._access is None else self._access.listening
        if listening is None or listening.read_token is None:
            return
        before, self._token_trouble = self._token_trouble, ""
        try:
            token = await self._apart(listening.read_token)
        except CannotListen as error:
            self._token_trouble = str(error)
            if self._token_trouble != before:
                _log.warning("daemon.token_not_read", words=self._token_trouble)
            return
        if token != listening.token:
            self._access.listening = replace(listening, token=token)
            _log.info("daemon.token_replaced")

    async def close(self) -> None:
        """Stop serving. The next daemon sends the messages that could not be sent yet."""
        if self._beating is not None:
            self._beating.cancel()
        if self._telling:
            # A message that is on its way may arrive all the same, and the next daemon would send it again.
            await asyncio.wait(self._telling, timeout=LAST_WORDS)
        for task in (self._beating, *self._telling):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        if self._thread is not None:
            await self._apart(self._thread.stop)

    # accounts ------------------------------------------------------------------------------------------

    def take_up(self, account: Account) -> None:
        """Note an account file. Whether the account can be served is not known yet."""
        self.board.put(account)
        left = self._left.pop(account.name, None)
        if left is not None and left.account.ledger_url == account.ledger_url:
            left.take_up(account)
            self._keepers[account.name] = left
        else:
            self._keepers[account.name] = AlarmKeeper(account, self._apart)
        if self._metrics is not None:
            self._metrics.begin(account.name)

    async def begin(self, account: Account, adapters: Mapping[str, Adapter]) -> None:
        """Begin to serve an account: its ledger can be used, and no other process serves it."""
        name = account.name
        self._adapters[name] = adapters
        self.board.change(name, elsewhere=False)
        if name in self._ours:
            return
        self._ours.add(name)
        with suppress(LedgerError):
            # What is wrong with the ledger is found again, and told, by the next beat.
            await self._keepers[name].begin()
        self._show_alarms(name)

    def elsewhere(self, name: str) -> None:
        """Note that another process serves the account."""
        self._ours.discard(name)
        # The alarms are that process's to show.
        self.board.change(name, elsewhere=True, alarms=())

    def leave(self, name: str) -> None:
        """Stop serving the account. If its file has only changed, it is taken up again at once."""
        if (keeper := self._keepers.pop(name, None)) is not None:
            self._left[name] = keeper
        self._ours.discard(name)
        self._adapters.pop(name, None)
        if self._metrics is not None:
            self._metrics.end(name)
        self.board.drop(name)

    # runs ----------------------------------------------------------------------------------------------

    def started(self, name: str) -> None:
        """Note that a run begins."""
        self.board.change(name, running=True)

    async def ended(self, name: str, report: dict[str, Any]) -> None:
        """Note that a run has ended."""
        if self._metrics is not None:
            self._metrics.note_run(name, report, datetime.now(UTC).timestamp())
        self.board.change(name, running=False, had_run=True, trouble="")
        await self._after_run(name, "")

    def looked(self, name: str, report: dict[str, Any]) -> None:
        """Note that a run for a few contacts has ended. ``report`` is empty if there was no hint."""
        if self._metrics is not None and report:
            self._metrics.note_part(name, report)
            self._note_traffic(name)

    async def failed(self, name: str, words: str, trouble: str | None) -> None:
        """Note that a run failed. ``trouble`` is what is wrong with the ledger, or ``None`` if unknown."""
        if self._metrics is not None:
            self._metrics.note_failure(name)
        self.board.change(name, running=False, trouble=redact(words))
        await self._after_run(name, trouble)

    def planned(self, name: str, seconds: float) -> None:
        """Note in how many seconds the next run begins."""
        self.board.change(name, running=False, next_at=datetime.now(UTC) + timedelta(seconds=seconds))

    async def _after_run(self, name: str, trouble: str | None) -> None:
        self._note_traffic(name)
        keeper = self._keepers.get(name)
        if keeper is not None and (name in self._ours or trouble):
            await keeper.judge(trouble)
            self._show_alarms(name)

    # beats ---------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        judged_at: dict[str, float] = {}
        while True:
            self.board.beat()
            # A copy: accounts come and go while a keeper is awaited.
            for name, keeper in list(self._keepers.items()):
                # A bug here must not end the beat, and with it all alarms.
                with going_on(name):
                    self._note_traffic(name)
                with going_on(name):
                    # A short ``stuck_after`` must not pass between two checks.
                    every = min(JUDGED_EVERY, keeper.account.stuck_after.total_seconds() / 2)
                    is_due = loop.time() - judged_at.setdefault(name, loop.time()) >= every
                    if is_due and (name in self._ours or keeper.on):
                        # Before it is judged, so that a check that fails is not repeated at every beat.
                        judged_at[name] = loop.time()
                        await keeper.judge()
                        self._show_alarms(name)
                with going_on(name):
                    self._begin_telling(keeper)
            await asyncio.sleep(BEAT)

    def _begin_telling(self, keeper: AlarmKeeper) -> None:
        """Send messages without delaying the heartbeat, because a command or a webhook may take long."""
        if keeper.has_news:
            task = asyncio.create_task(keeper.tell())
            self._telling.add(task)
            task.add_done_callback(self._told)

    def _told(self, task: asyncio.Task[None]) -> None:
        self._telling.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("alarms.not_told", words=redact(f"{type(error).__name__}: {error}"))

    def _show_alarms(self, name: str) -> None:
        if (keeper := self._keepers.get(name)) is not None:
            self.board.change(name, alarms=tuple(keeper.on.values()))

    def _note_traffic(self, name: str) -> None:
        """Count the requests since the last call, and note the current budgets."""
        adapters = self._adapters.get(name)
        if self._metrics is None or not adapters:
            return
        self._metrics.note_requests(name, adapters)
        self.board.change(name, budgets={system: adapter.wire.budgets() for system, adapter in adapters.items()})
