"""What happened to a task, line by line, as the ledger keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a task's history: what was seen, decided, sent or answered. It is never changed.

    ``what`` is a word for programs (``seen``, ``adopted``, ``done``, ``superseded``, ``sent``, ``created``, …),
    ``who`` is ``"us"`` or ``"them"``, ``detail`` is a sentence for users. ``lost`` is for programs, and only set if
    a value was overwritten: the field, the CRM whose value replaced it, and the value, unless it was empty.
    """

    at: datetime
    what: str
    who: str
    detail: str = ""
    task: str | None = None
    system: str | None = None
    remote_id: str | None = None
    run: str = ""
    lost: tuple[str, ...] = ()
