"""A task's history in words (pure)."""

from __future__ import annotations

from typing import Final

from syncer.domain.base import Event, OpState

_WORDS: Final = {
    "seen": "saw it for the first time",
    "adopted": "took it for the same task",
    "rebuilt": "recognised it",
    "joined": "took it for a copy of this task",
    "changed": "changed it",
    "done": "completed it",
    "cancelled": "cancelled it",
    "superseded": "closed it by creating another",
    "gone": "removed it",
    "open_again": "opened it again",
    "reopened": "opened it again",
    "incident": "closed it in a race",
    "sent": "sent a request",
    "created": "created it",
    "completed": "completed it",
    "in_doubt": "lost the answer",
    "not_carried_out": "found that nothing had happened",
    "parked": "were refused",
    "failed": "failed",
    "held": "stopped creating there for a while",
    "freed": "let it be tried again",
}
OPEN_QUESTIONS: Final = {
    OpState.SENT: "a request was sent and its answer is not known yet; the next run finds out by reading",
    OpState.IN_DOUBT: "a request may have been carried out; the next run finds out by reading",
    OpState.FAILED: "the last try failed and is repeated",
    OpState.PARKED: "the CRM refused it; tried again when the task or the contact changes, or by: syncer retry",
}
"""What an operation that is not settled means for people."""


def event_in_words(event: Event) -> str:
    """``we created it in reply (1007): ...``."""
    where = f" in {event.system}" if event.system else ""
    which = f" ({event.remote_id})" if event.remote_id else ""
    detail = f": {words}" if (words := more_of(event)) else ""
    return f"{deed_of(event)}{where}{which}{detail}"


def deed_of(event: Event) -> str:
    """``we created it``: who did what."""
    # Whoever made it, the engine is who saw or adopted it.
    who = "we" if event.who == "us" or event.what in {"seen", "adopted"} else "they"
    return f"{who} {_WORDS.get(event.what, event.what.replace('_', ' '))}"


def more_of(event: Event) -> str:
    """What its detail says beyond who did what where."""
    says_no_more = event.detail in {"", f"{event.what} in {event.system}", f"first seen in {event.system}"}
    return "" if says_no_more else event.detail
