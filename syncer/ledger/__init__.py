"""The ledger: an account's state between runs, and the only code that knows SQL.

The names here are imported on first use, so that reading a ledger does not import what writes one.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from syncer.ledger.alarms import AlarmBook, Telling
    from syncer.ledger.answers import Answers as Answers
    from syncer.ledger.backup import copy as copy_ledger
    from syncer.ledger.backup import daily as make_daily_copy
    from syncer.ledger.backup import put_back as put_ledger_back
    from syncer.ledger.connect import locate
    from syncer.ledger.errors import Busy, Conflict, LeaseLost, LedgerError, LedgerReplaced, Locked
    from syncer.ledger.hints import Hint, HintBook
    from syncer.ledger.looking import look as look
    from syncer.ledger.owner import Owner, current_owner, process_alive
    from syncer.ledger.pages import Pages, RunLine, TaskFilter, TaskStory
    from syncer.ledger.place import FilePlace
    from syncer.ledger.store import Ledger
    from syncer.ledger.values import Counts, Run, TaskView

_FROM: Final = {
    "alarms": ("AlarmBook", "Telling"),
    "answers": ("Answers",),
    "backup": ("copy_ledger", "make_daily_copy", "put_ledger_back"),
    "connect": ("locate",),
    "errors": ("Busy", "Conflict", "LeaseLost", "LedgerError", "LedgerReplaced", "Locked"),
    "hints": ("Hint", "HintBook"),
    "looking": ("look",),
    "owner": ("Owner", "current_owner", "process_alive"),
    "pages": ("Pages", "RunLine", "TaskStory", "TaskFilter"),
    "place": ("FilePlace",),
    "store": ("Ledger",),
    "values": ("Counts", "Run", "TaskView"),
}
_MODULES: Final = {name: module for module, names in _FROM.items() for name in names}
_NAMED_THERE: Final = {"copy_ledger": "copy", "make_daily_copy": "daily", "put_ledger_back": "put_back"}

__all__ = [
    "AlarmBook",
    "Answers",
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
    "TaskFilter",
    "TaskStory",
    "TaskView",
    "Telling",
    "copy_ledger",
    "current_owner",
    "locate",
    "look",
    "make_daily_copy",
    "process_alive",
    "put_ledger_back",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    found = getattr(import_module(f"{__name__}.{_MODULES[name]}"), _NAMED_THERE.get(name, name))
    globals()[name] = found
    return found
