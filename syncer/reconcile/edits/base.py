"""The base of a copy, field by field: what it showed last, which values it is owed, and what people typed (pure).

``Replica.owed`` has the word ``"due"`` if the copy is to get the task's due date, and ``"due?"`` if the copy was not
read since the task took that value, and ``"due!"`` while it is settled whether our write of it was carried out.
``Replica.typed`` has the word ``"due"`` if people typed the value that the copy
showed last, or ``"due 2026-05-19T08:30:00+00:00"`` if the CRM reported when.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from syncer.domain.fields import TaskField, Value, in_order
from syncer.domain.model import Reading, Replica
from syncer.reconcile.edits.by_field import Owed

_MARK: Final = {Owed.YES: "", Owed.UNSEEN: "?", Owed.IN_DOUBT: "!"}


def shown(replica: Replica, field: TaskField) -> Value:
    """Return what the copy showed last."""
    match field:
        case TaskField.DUE:
            return replica.due
        case TaskField.TITLE:
            return replica.title
        case TaskField.BODY:
            return replica.body
        case TaskField.ASSIGNEE:
            return replica.assignee


def is_known(replica: Replica, field: TaskField) -> bool:
    """Whether it is known what the copy showed last. A text or an assignee that was never read is not known."""
    return field in (TaskField.DUE, TaskField.TITLE) or shown(replica, field) is not None


def was_read(replica: Replica) -> bool:
    """Whether the ledger knows what the copy showed. Of an origin that only a marker names, it knows nothing."""
    return any(shown(replica, field) is not None for field in TaskField)


def owed(replica: Replica, field: TaskField) -> Owed:
    """Whether the copy is still to get the task's value."""
    return next((how for how, mark in _MARK.items() if f"{field.value}{mark}" in replica.owed), Owed.NO)


def is_unseen(replica: Replica) -> bool:
    """Whether the copy was not read since the task took a value. What people changed there may be older than it."""
    return any(word.endswith(_MARK[Owed.UNSEEN]) for word in replica.owed)


def owed_fields(replica: Replica) -> list[TaskField]:
    """Return all fields that the copy is owed."""
    return [field for field in TaskField if owed(replica, field)] if replica.owed else []


def with_owed(replica: Replica, changed: Mapping[TaskField, Owed]) -> Replica:
    """Return the copy with these fields changed in what it is owed."""
    # Nearly every copy is owed nothing, and each is asked in each run.
    if not (replica.owed or any(changed.values())):
        return replica
    now = {field: changed.get(field, owed(replica, field)) for field in TaskField}
    words = tuple(f"{field.value}{_MARK[how]}" for field, how in now.items() if how is not Owed.NO)
    return replica if words == replica.owed else replace(replica, owed=words)


def typed(replica: Replica, field: TaskField) -> tuple[bool, datetime | None]:
    """Whether people typed what the copy showed last, and when, if the CRM reported that."""
    for word in replica.typed:
        name, _, instant = word.partition(" ")
        if name == field.value:
            return True, datetime.fromisoformat(instant) if instant else None
    return False, None


def with_typed(replica: Replica, fields: Collection[TaskField], at: datetime | None) -> Replica:
    """Return the copy with the note that people typed these fields at that time."""
    if not fields:
        return replica
    when = f" {at.isoformat()}" if at is not None else ""
    # Only the latest time of each field counts: it competes with changes that are read later.
    kept = without_typed(replica, fields).typed
    return replace(replica, typed=(*kept, *(f"{field.value}{when}" for field in in_order(fields))))


def without_typed(replica: Replica, fields: Collection[TaskField]) -> Replica:
    """Return the copy without that note for these fields, because we wrote them."""
    names = {field.value for field in fields}
    kept = tuple(word for word in replica.typed if word.partition(" ")[0] not in names)
    return replica if kept == replica.typed else replace(replica, typed=kept)


def base_of(reading: Reading) -> dict[str, Any]:
    """Return what a reading shows as fields of a replica. A row of a list shows no text, and not always a title."""
    base: dict[str, Any] = {"due": reading.due}
    if reading.whole or reading.title:
        base["title"] = reading.title
    if reading.whole:
        base |= {"body": reading.body or "", "assignee": reading.assignee or ""}
    return base
