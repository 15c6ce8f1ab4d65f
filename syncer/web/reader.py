"""Read one account's ledger for the pages. What has not changed is not read again."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from syncer.config.schema import Account
from syncer.ledger import Ledger, Pages, RunLine, TaskFilter, TaskStory, TaskView
from syncer.web.day import Day, Hour

RUNS: Final = 20
_DAY: Final = timedelta(days=1)
_MOST: Final = 20_000
"""The most runs of one day that are added up: more than one every four seconds."""


@dataclass(frozen=True, slots=True)
class Picture:
    """The data of an account's page. ``hours`` are sorted oldest first.

    ``in_step`` says by system until when the CRM is synced: what happened there before is copied, or waits, or needs
    attention. It has no CRM that was not read in the last day. ``eventful`` are the runs of the last day in which
    something happened, newest first.
    """

    last: RunLine | None
    in_step: Mapping[str, datetime]
    open_tasks: int
    hours: list[Hour]
    eventful: list[RunLine]


class Reader:
    """Reads one account's ledger. Methods raise `LedgerError`, and may be called from any thread."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._lock = threading.Lock()
        self._begin()

    def _begin(self) -> None:
        self._newest = ""
        self._day = Day()
        self._in_step: dict[str, datetime] = {}
        self._eventful: list[RunLine] = []
        self._last: RunLine | None = None

    def picture(self, now: datetime) -> Picture:
        """Return the data of the account's page."""
        # Two requests at once would add the same runs to the day twice.
        with self._lock, self._open() as ledger:
            pages = Pages(ledger)
            # Another ledger may lie there by now, whose runs have lower numbers.
            if self._newest and not pages.has_run(self._newest):
                self._begin()
            new = pages.runs(self._day.seen, now - _DAY, _MOST)
            self._day.add(new)
            self._newest = new[-1].id if new else self._newest
            self._in_step = {**self._in_step, **{system: run.started_at for run in new for system in _synced(run)}}
            eventful = [run for run in reversed(new) if _is_eventful(run)]
            self._eventful = [run for run in (*eventful, *self._eventful) if now - run.started_at < _DAY][:RUNS]
            # Without a new run the last report is as it was, and it may be the largest thing that a page reads.
            if new or self._last is None:
                known = self._last.id if self._last else ""
                self._last = pages.last_report(known) or self._last
            return Picture(self._last, self._in_step, pages.open_tasks(), self._day.hours(now), self._eventful)

    def tasks(self, wanted: TaskFilter, offset: int, limit: int) -> tuple[list[TaskView], int]:
        """Return a part of the tasks, and the number of all."""
        with self._open() as ledger:
            return Pages(ledger).tasks(wanted, offset, limit)

    def story(self, reference: str) -> TaskStory | None:
        """Return one task with its copies and history, by its id or the place of a copy."""
        with self._open() as ledger:
            task = ledger.find(reference)
            return None if task is None else Pages(ledger).story(task)

    def free(self, reference: str) -> int | None:
        """Let one task be tried again, or all if none is named. Returns the number of items, or ``None`` if unknown."""
        with Ledger.open(self.account.ledger_url, name=self.account.name) as ledger:
            if not reference:
                return ledger.free()
            task = ledger.find(reference)
            return None if task is None else ledger.free(task)

    def _open(self) -> Ledger:
        return Ledger.open(self.account.ledger_url, name=self.account.name, read_only=True)


def _synced(run: RunLine) -> list[str]:
    """Return the CRMs whose changes this run has copied. One for a few contacts does not name any."""
    # A run that a limit stopped has read everything and copied nothing.
    connections = run.report.get("connections", {}) if run.status != "stopped" else {}
    return [system for system, found in connections.items() if found["state"] == "ok"]


def _is_eventful(run: RunLine) -> bool:
    counts = (run.report.get(name, {}) for name in ("created", "completed", "edited"))
    done = any(any(count.values()) for count in counts)
    return run.status not in {"ok", "part"} or done or bool(run.report.get("overwritten"))
