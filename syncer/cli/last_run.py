"""Whether the last run still runs, has ended, or was interrupted, so that it reported nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncer.domain.report import as_instant
from syncer.ledger import Run

_KILLED = "it did not end: its process was killed, or its ledger could not be written"


@dataclass(frozen=True, slots=True)
class BrokenRun:
    """A run that was interrupted and reported nothing. The next run continues its work."""

    run: str
    started_at: datetime
    message: str

    def as_json(self) -> dict[str, Any]:
        return {"run": self.run, "started_at": as_instant(self.started_at), "message": self.message}


def under_way(runs: Sequence[Run]) -> Run | None:
    """Return the current run, or ``None``. ``runs`` are the last runs, newest first."""
    last = next(iter(runs), None)
    return last if last is not None and last.finished_at is None and not last.broken_off else None


def has_reported(run: Run) -> bool:
    """Whether a run came to its end. An interrupted one is stored with a message alone, see `run_and_record`."""
    return "connections" in run.report


def broken_off(runs: Sequence[Run]) -> BrokenRun | None:
    """Return the last run if it was interrupted, else ``None``."""
    last = next(iter(runs), None)
    if last is None or has_reported(last) or under_way(runs) is not None:
        return None
    return BrokenRun(last.id, last.started_at, last.report.get("message") or _KILLED)
