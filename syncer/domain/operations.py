"""Intended writes, and how far each of them got.

The values of the enumerations are stored in the ledger, so renaming one needs a migration.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.domain.fields import Change


class Action(StrEnum):
    """What an operation does to a CRM."""

    CREATE = "create"
    COMPLETE = "complete"
    EDIT = "edit"


class OpState(StrEnum):
    """How far an operation got."""

    SENT = "sent"
    """Stored before its request is sent. If a run starts with one, the run before crashed: it is in doubt."""
    IN_DOUBT = "in_doubt"
    """The request may have been carried out. Only a read of the CRM can tell."""
    DONE = "done"
    FAILED = "failed"
    """It was certainly not carried out. It may be planned again after ``not_before``."""
    PARKED = "parked"
    """The CRM rejected it. It is planned again when ``fingerprint`` changes, or after ``syncer retry``."""


UNSETTLED = frozenset({OpState.SENT, OpState.IN_DOUBT})

LONGEST_WAIT = timedelta(hours=1)
"""The longest pause between two tries of an operation that keeps failing."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One intended write.

    ``contact`` is the contact's id in that CRM. ``remote_id`` is the replica to complete or to edit; for a create it
    is set once the task was created. ``due`` is what a create sends; for a completion, what a list showed before it.

    ``before`` and ``seen`` are used to settle the operation when its answer is lost. ``before`` has the ids of the
    contact's tasks that were open just before the request. ``seen`` has, in a lane, all ids that were there, and
    elsewhere the ids of tasks that could not be understood. ``failures`` counts the failed runs in a row.
    ``changes`` are the fields that an edit changes.
    """

    id: str
    task: str
    system: str
    action: Action
    contact: str
    state: OpState
    # Two times. `created_at` orders the operations of a slot, and so never goes back, even if our clock is set back.
    # The grace counts from `sent_at`, which is corrected when the clock was set.
    created_at: datetime
    sent_at: datetime
    remote_id: str | None = None
    raw_type: str = ""
    due: datetime | None = None
    # Stored before the request: after a crash nothing else tells what it found there.
    before: tuple[str, ...] = ()
    seen: tuple[str, ...] = ()
    fingerprint: str = ""
    failures: int = 0
    not_before: datetime | None = None
    words: str = ""
    reason: str = ""
    run: str = ""
    changes: tuple[Change, ...] = ()

    @property
    def slot(self) -> tuple[str, str, Action]:
        """(task, system, action). At most one operation of a slot is unsettled."""
        return (self.task, self.system, self.action)

    @property
    def is_unsettled(self) -> bool:
        """Whether nothing tells yet if it was carried out."""
        return self.state in UNSETTLED
