"""How a run of the simulation ended."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from syncer.domain.report import Exit, Report
from syncer.domain.snapshot import ConnectionState

_PLACE = re.compile(r"\S+ task ([^\s:]+)")


class ProcessKilled(BaseException):
    """The process was killed here. Nothing that it does after this has an effect."""


@dataclass(slots=True)
class Outcome:
    """How a run ended: with a report, killed, or rejected because another run holds the lease."""

    report: Report | None = None
    killed: bool = False
    busy: bool = False
    faulty: bool = False
    ailing: frozenset[str] = frozenset()

    @property
    def undisturbed(self) -> bool:
        """Whether the run ended by itself, and none of its requests met a fault."""
        return self.report is not None and not self.faulty

    @property
    def clean(self) -> bool:
        """Whether it read everything and wrote everything, except where an item always fails (``ailing``)."""
        if self.report is None or self.faulty:
            return False
        return self.report.exit == 0 or (bool(self.ailing) and self.failed <= self.ailing)

    @property
    def failed(self) -> set[str]:
        """The CRMs that could not be reached."""
        connections = self.report.connections if self.report is not None else {}
        return {system for system, one in connections.items() if one.state not in {"ok", "idle"}}

    @property
    def connected(self) -> set[str]:
        """The CRMs that could be read until the run ended. None if it was stopped before it stored what it read."""
        if self.report is None or self.report.exit not in {Exit.DONE, Exit.PARTIAL}:
            return set()
        return {system for system, one in self.report.connections.items() if one.state == ConnectionState.OK}

    @property
    def waiting_copies(self) -> set[tuple[str, str]]:
        """The copies (system, remote id) of no task that the report lists as waiting: the details begin with them."""
        waiting = () if self.report is None else self.report.waiting
        places = ((item.system, _PLACE.match(item.detail)) for item in waiting if item.task is None)
        return {(system, found[1]) for system, found in places if found is not None}


def told_last(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the last of these runs, in which nothing changed, with what they tell together.

    A task that waits for what the last run had no time to read is listed as it was when that was last read.
    """
    last = outcomes[-1]
    if last.report is None:
        return last
    items = [item for one in outcomes if one.report is not None for item in one.report.waiting]
    known = {(item.task, item.system): item for item in items if item.task and item.reason != "unread"}
    waiting = [
        known.get((item.task or "", item.system), item) if item.reason == "unread" else item
        for item in last.report.waiting
    ]
    return replace(last, report=replace(last.report, waiting=tuple(waiting)))
