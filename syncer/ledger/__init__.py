"""The ledger: an account's state between runs, and the only code that knows SQL."""

from __future__ import annotations

from syncer.ledger.errors import Busy, Conflict, LeaseLost, LedgerError
from syncer.ledger.owner import Owner, current_owner, process_alive
from syncer.ledger.people import Counts, TaskView
from syncer.ledger.runs import Run
from syncer.ledger.store import Ledger

__all__ = [
    "Busy",
    "Conflict",
    "Counts",
    "LeaseLost",
    "Ledger",
    "LedgerError",
    "Owner",
    "Run",
    "TaskView",
    "current_owner",
    "process_alive",
]
