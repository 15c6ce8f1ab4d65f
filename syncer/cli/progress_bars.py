"""Show the progress of runs on standard error: bars on a terminal, else a line every ten seconds."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from typing import Final

import structlog
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from syncer.cli.screens import clean, complain
from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.domain.times import span
from syncer.engine.progress import Progress, Rates, Work

EVERY: Final = 10.0
"""Seconds between two lines if there is no terminal."""
SHOWN_AFTER: Final = 1.0
"""Seconds after which a piece of work gets a bar."""
_BAR: Final = 20
_PER_SECOND: Final = 4

_log = structlog.get_logger("syncer.run")


class _Board:
    """The progress of all accounts with a run. They share one terminal."""

    def __init__(self) -> None:
        self._accounts: dict[str, Progress] = {}
        self._live: Live | None = None
        self._ended = threading.Event()
        # One for all drawings: a new one would begin its turn anew each time.
        self._spinner = Spinner("dots")

    def add(self, account: str, progress: Progress) -> None:
        self._accounts[account] = progress
        if len(self._accounts) > 1:
            return
        if sys.stderr.isatty():
            console = Console(stderr=True, markup=False, emoji=False, highlight=False)
            self._live = Live(
                get_renderable=self._drawn, console=console, refresh_per_second=_PER_SECOND, transient=True
            )
            self._live.start()
        else:
            # A new one for each thread: the one before may not have noticed yet that its work has ended.
            self._ended = threading.Event()
            # A thread, because a run that merges for seconds keeps the event loop busy.
            threading.Thread(target=self._tell, args=(self._ended,), daemon=True).start()

    def remove(self, account: str) -> None:
        del self._accounts[account]
        if self._accounts:
            return
        self._ended.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _tell(self, ended: threading.Event) -> None:
        while not ended.wait(EVERY):
            # A copy: accounts come and go while this thread reads.
            for account, progress in list(self._accounts.items()):
                for line in lines_of(account, progress):
                    complain(line)

    def _drawn(self) -> RenderableType:
        # Rich draws in a thread of its own, so copies are read here, too.
        rows = Table.grid(padding=(0, 1))
        for account, progress in list(self._accounts.items()):
            works = _long_ones(progress)
            for work in works:
                rows.add_row(Text(_head(account, work)), _bar(work), Text(_numbers(work)))
            if not works:
                self._spinner.update(text=Text(clean(f"{account}: {progress.stage or 'starting'}")))
                return Group(rows, self._spinner)
        return rows


_BOARD: Final = _Board()


@contextmanager
def shown_progress(account: str, rates: Mapping[str, Rates], *, shown: bool) -> Iterator[Progress]:
    """Show what the work inside reports, until it ends. ``rates`` are the request rates by system."""
    progress = Progress(rates)
    if not shown:
        yield progress
        return
    _BOARD.add(account, progress)
    try:
        yield progress
    finally:
        _BOARD.remove(account)


@asynccontextmanager
async def logged_progress(account: Account) -> AsyncIterator[Progress]:
    """Log what the work inside reports now and then, because nobody watches a daemon."""
    progress = Progress(rates_of(account))
    telling = asyncio.ensure_future(_log_now_and_then(account.name, progress))
    try:
        yield progress
    finally:
        telling.cancel()


async def _log_now_and_then(account: str, progress: Progress) -> None:
    while True:
        await asyncio.sleep(EVERY)
        for work in _long_ones(progress):
            left = work.seconds_left
            done, total = work.part
            about = {"system": work.system, "what": work.what, "done": done, "total": total or None}
            _log.info("run.under_way", account=account, **about, left_s=None if left is None else round(left))


def rates_of(account: Account) -> dict[str, Rates]:
    """Return the request rates of each CRM of an account."""
    return {system: settings.rate for system, settings in account.connections.items()}


def lines_of(account: str, progress: Progress) -> list[str]:
    """Return one line for each piece of work that takes longer, or else the stage."""
    works = _long_ones(progress)
    if works:
        return [f"{_head(account, work)}: {_numbers(work)}" for work in works]
    return [f"{account}: {progress.stage}"] if progress.stage else []


def _long_ones(progress: Progress) -> list[Work]:
    return [work for work in list(progress.works) if work.seconds >= SHOWN_AFTER]


def _head(account: str, work: Work) -> str:
    return clean(f"{account}: {label_of(work.system)}: {work.what}")


def _bar(work: Work) -> ProgressBar:
    done, total = work.part
    return ProgressBar(total=total or None, completed=done, width=_BAR, pulse=not total)


def _numbers(work: Work) -> str:
    """``120 of 5,000, about 16 min left``."""
    done, total = work.part
    if not total:
        return f"{done:,} request{'s' if done != 1 else ''} so far"
    left = work.seconds_left
    words = f"{done:,} of {total:,}"
    return words if left is None else f"{words}, about {span(timedelta(seconds=left))} left"
