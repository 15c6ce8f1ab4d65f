"""What a row of a list tells of a copy, and whether the task must be read by itself (pure).

A row need not show everything, and where lists lag, it need not be new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from syncer.contract.adapter import Capabilities
from syncer.domain.base import Base
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Reading, Replica, ReplicaState
from syncer.domain.operations import Action, OpState
from syncer.reconcile.edits.base import is_unseen


def says_something_new(base: Base, row: Reading, capabilities: Capabilities, edits: Collection[TaskField] = ()) -> bool:
    """Whether a row without its body must be read by itself. For our copies only fields that travel count."""
    if row.whole or not row.mirrored:
        return False
    replica = base.replicas.get(row.key)
    if row.contact is None:
        return replica is None and _may_be_made_by_a_lost_create(base, row, capabilities)
    # A list that lags may show a closed copy as open. Only its own read tells that it was reopened.
    if replica is None or replica.state is not ReplicaState.OPEN:
        return True
    # Or it may show an earlier contact. Nothing may be divided, or joined, for that.
    if capabilities.listing_lags and row.contact != replica.contact:
        return True
    # If nothing travels, nothing that people change in a copy of ours matters.
    if replica.made and not edits:
        return False
    if capabilities.listing_lags and is_unseen(replica):
        # The row may be older than the task's value, and so may be what people changed in this copy.
        return True
    if replica.made:
        return differs(row, replica, capabilities, edits)
    if row.due != replica.due or (row.title is not None and row.title != replica.title):
        return True
    task = base.tasks[replica.task]
    rewritten = row.system == task.origin and row.body is not None and row.body != task.body
    return (rewritten and TaskField.BODY not in edits) or differs(row, replica, capabilities, edits)


def _may_be_made_by_a_lost_create(base: Base, row: Reading, capabilities: Capabilities) -> bool:
    """Whether a create without an answer may have made this task, for a contact that was deleted since."""
    return any(
        one.action is Action.CREATE and one.system == row.system and capabilities.dues.keeps(one.due, row.due)
        for one in base.operations.values()
        if one.is_unsettled or one.state is OpState.FAILED
    )


def differs(row: Reading, replica: Replica, can: Capabilities, edits: Collection[TaskField]) -> bool:
    """Whether the row shows a new value of a field that is synced. Fields that it does not show are not compared."""
    # Nearly every row is as it was. Telling so in one step halves what a run that finds nothing new does here.
    if (
        row.due == replica.due
        and (row.title is None or row.title == replica.title)
        and ((row.body or "") == replica.body or (row.body is None and not can.lists_texts))
        and (replica.assignee is None or (row.assignee or "") == replica.assignee)
    ):
        return False
    return any(
        value != before and not can.alike(field, value, before)
        for field, value, before in _shown(row, replica, can, edits)
    )


def _shown(
    row: Reading, replica: Replica, can: Capabilities, edits: Collection[TaskField]
) -> Iterator[tuple[TaskField, Value, Value]]:
    """Yield each field with what the row shows and what the copy showed last, if both are known."""
    bases: dict[TaskField, Value] = {
        TaskField.DUE: replica.due,
        TaskField.TITLE: replica.title if row.title is not None else None,
        # In a list that has texts, a row without one shows that the text was removed.
        TaskField.BODY: replica.body if row.body is not None or can.lists_texts else None,
        TaskField.ASSIGNEE: replica.assignee,
    }
    for field, base in bases.items():
        # A missing due is a value, too. A text or an assignee that was never read is none.
        if field in edits and (base is not None or field is TaskField.DUE):
            yield field, row.shown(field), base


def in_turn(
    base: Base, rows: Iterable[Reading], can: Capabilities, edits: Collection[TaskField], last: str
) -> list[Reading]:
    """Return known tasks whose texts no list shows, in the order of their ids, beginning after the id ``last``."""
    if can.lists_texts or not {TaskField.TITLE, TaskField.BODY} & set(edits):
        return []
    there = [row for row in rows if row.key in base.replicas and row.mirrored]
    return sorted(there, key=lambda row: turn_after(last, row.remote_id))


def turn_after(last: str, remote_id: str) -> tuple[bool, tuple[int, str]]:
    """Return a key that sorts ids in their order, beginning after the id ``last``, then from the start again."""
    # As in `Reading.number`, a longer id is the higher one.
    number = (len(remote_id), remote_id)
    return (number <= (len(last), last), number)
