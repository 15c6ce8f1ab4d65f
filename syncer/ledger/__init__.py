"""The ledger: an account's state between runs, and the only code that knows SQL."""

from __future__ import annotations

from syncer.ledger.alarms import AlarmBook, Telling
from syncer.ledger.backup import copy as copy_ledger
from syncer.ledger.backup import daily as make_daily_copy
from syncer.ledger.backup import put_back as put_ledger_back
from syncer.ledger.connect import locate
from syncer.ledger.errors import Busy, Conflict, LeaseLost, LedgerError, LedgerReplaced, Locked
from syncer.ledger.hints import Hint, HintBook
from syncer.ledger.owner import Owner, current_owner, process_alive
from syncer.ledger.pages import Pages, RunLine, Story, TaskFilter
from syncer.ledger.people import Counts, TaskView
from syncer.ledger.place import FilePlace
from syncer.ledger.runs import Run
from syncer.ledger.store import Ledger

__all__ = [
    "AlarmBook",
    "Busy",
    "Conflict",
    "Counts",
    "FilePlace",
    "Hint",
    "HintBook",
    "LeaseLost",
    "Ledger",
    "LedgerError",
    "LedgerReplaced",
    "Locked",
    "Owner",
    "Pages",
    "Run",
    "RunLine",
    "Story",
    "TaskFilter",
    "TaskView",
    "Telling",
    "copy_ledger",
    "current_owner",
    "locate",
    "make_daily_copy",
    "process_alive",
    "put_ledger_back",
]
