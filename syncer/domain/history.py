"""A task's history in words (pure)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from syncer.domain.events import Event
from syncer.domain.fields import TaskField
from syncer.domain.model import ReplicaState
from syncer.domain.operations import OpState

_WORDS: Final = {
    "seen": "saw it for the first time",
    "adopted": "found that it is the same task",
    "rebuilt": "recognised it",
    "joined": "recognised it as a copy of this task",
    "changed": "changed it",
    "done": "completed it",
    "cancelled": "cancelled it",
    "duplicate": "stopped copying it",
    "superseded": "closed it by creating another",
    "gone": "removed it",
    "moved": "gave it to another contact",
    "open_again": "opened it again",
    "reopened": "opened it again",
    "incident": "closed it by mistake",
    "sent": "sent a request",
    "created": "created it",
    "completed": "completed it",
    "edited": "changed it",
    "overwritten": "changed it, but another change replaced that",
    "in_doubt": "lost the answer",
    "not_carried_out": "found that nothing had happened",
    "parked": "had the request rejected",
    "failed": "failed",
    "held": "stopped creating there for a while",
    "freed": "let it be tried again",
}
COPY_STATES: Final = {
    ReplicaState.OPEN: "open",
    ReplicaState.DONE: "done",
    ReplicaState.CANCELLED: "cancelled",
    ReplicaState.SUPERSEDED: "replaced",
    ReplicaState.GONE: "missing",
}
"""How a copy stands, in words for people."""
OPEN_QUESTIONS: Final = {
    OpState.SENT: "a request was sent, and there is no answer yet; the next run reads the task to see what happened",
    OpState.IN_DOUBT: "the answer to a request was lost; the next run reads the task to see what happened",
    OpState.FAILED: "the last try failed; it is tried again",
    OpState.PARKED: "the CRM rejected it; it is tried again when task or contact change, or after: syncer retry",
}
"""What an unfinished operation means, for users."""


def event_in_words(event: Event, crm: Callable[[str], str] = str) -> str:
    """``we created it in Reply.io (1007): ...``; ``crm`` gives a CRM's name."""
    where = f" in {crm(event.system)}" if event.system else ""
    which = f" ({event.remote_id})" if event.remote_id else ""
    detail = f": {words}" if (words := more_of(event, crm)) else ""
    return f"{deed_of(event)}{where}{which}{detail}"


def deed_of(event: Event) -> str:
    """Who did what: ``we created it``."""
    # The event's ``who`` is the creator of the task. Seeing and matching it is done by the engine.
    who = "we" if event.who == "us" or event.what in {"seen", "adopted"} else "they"
    return f"{who} {_WORDS.get(event.what, event.what.replace('_', ' '))}"


def more_of(event: Event, crm: Callable[[str], str] = str) -> str:
    """The event's detail, or an empty text if it only repeats what `deed_of` says."""
    if event.lost:
        name, by, *value = event.lost
        return lost_in_words(name, "".join(value), by, crm)
    # A line such as "they completed it in Reply.io: done in reply" says the same twice.
    for deed in (f"{event.what} in {event.system}", f"first seen in {event.system}"):
        if event.detail == deed or event.detail.startswith(f"{deed}: "):
            return event.detail.removeprefix(deed).removeprefix(": ")
    return event.detail


def lost_in_words(name: str, value: str, by: str, crm: Callable[[str], str] = str) -> str:
    """``title was “Ring” there; the value that was typed in Reply.io replaced it``.

    The value is whole, because people may have to type it again.
    """
    was = f"“{value}”" if value and name != TaskField.DUE else value or "empty"
    return f"{name} was {was} there; the value that was typed in {crm(by) if by else 'another CRM'} replaced it"
