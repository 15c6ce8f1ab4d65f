"""What is stored of a write whose outcome is known: the changed copy, the settled operation, the line of history."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from syncer.domain.base import Changes
from syncer.domain.cursors import FULL, OUR_USER
from syncer.domain.fields import Change
from syncer.domain.model import Reading, ReplicaState, State
from syncer.domain.operations import LONGEST_WAIT, Action, Operation, OpState
from syncer.engine.context import RunContext
from syncer.engine.delays import note_delay
from syncer.reconcile.edits.base import base_of, with_owed, without_typed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.edits.travel import as_created, in_words, value_in
from syncer.reconcile.merging import replica_of
from syncer.reconcile.obstacles import FAILURES_UNTIL_ATTENTION
from syncer.reconcile.rebuild import CLOSED_AS


def created(context: RunContext, operation: Operation, reading: Reading, how: str, *, found: bool = False) -> Changes:
    """Return the changes to store when it is known which task a create made.

    The replica is stored as open even if it is closed now: the merge then finds out who closed it. A task that was
    put back counts as theirs. ``found`` is true if the answer was lost and the task was found by reading.
    """
    task = context.base.tasks[operation.task]
    put_back = task.put_back and context.capabilities[operation.system].lane is not None
    contact = reading.contact or operation.contact
    replica = replace(replica_of(reading, operation.task, made=True), contact=contact, ours=not put_back)
    can = context.capabilities[operation.system]
    replica = as_created(task, replica, operation.changes, can, context.policy, found=reading if found else None)
    changes = Changes(replicas={replica.key: replica})
    if put_back:
        changes.tasks[task.id] = replace(task, put_back=False)
    changes.operations[operation.id] = replace(
        operation, state=OpState.DONE, remote_id=reading.remote_id, failures=0, not_before=None, changes=()
    )
    # The answer to a create names our user. By that name a second ledger's work is told from a person's.
    if reading.created_by is not None and context.base.cursors.get(OUR_USER + operation.system) != reading.created_by:
        changes.cursors[OUR_USER + operation.system] = reading.created_by
    # The create went through, so there is room again.
    if context.base.is_full(operation.system):
        changes.cursors[FULL + operation.system] = ""
    what = "edited" if operation.action is Action.EDIT else "created"
    changes.events.append(context.event(operation, what, how, reading.remote_id))
    note_delay(context, operation)
    return changes


def completed(context: RunContext, operation: Operation, reading: Reading, how: str) -> Changes:
    """Return the changes to store when the replica is known to be closed."""
    replica = context.base.replicas[operation.system, operation.remote_id or ""]
    # A recurring task is open again with its next date. The next merge stores that as a new task.
    state = ReplicaState.DONE if reading.state is State.OPEN else CLOSED_AS[reading.state]
    closed = replace(replica, state=state, misses=0)
    changes = Changes(replicas={closed.key: closed})
    changes.operations[operation.id] = replace(operation, state=OpState.DONE, failures=0, not_before=None)
    changes.events.append(context.event(operation, "completed", how))
    note_delay(context, operation)
    return changes


def moved_on(context: RunContext, operation: Operation, reading: Reading) -> bool:
    """Whether the completed task is a recurring one: it is open again with a due date that it did not show before."""
    if reading.state is not State.OPEN:
        return False
    replica = context.base.replicas.get((operation.system, operation.remote_id or ""))
    # The answer in a lane may be about another task.
    if replica is None or reading.remote_id != replica.remote_id or reading.due is None:
        return False
    # What people moved before the request was not moved by it, even if only a list has shown that.
    same = context.policy.dues_of(operation.system).same
    return not any(same(reading.due, before) for before in (replica.due, operation.due))


def edited(context: RunContext, operation: Operation, reading: Reading, written: Iterable[Change], how: str) -> Changes:
    """Return the changes to store when these fields are known to be written. Their base is what the CRM answered."""
    written = tuple(written)
    fields = [change.field for change in written]
    replica = context.base.replicas[operation.system, operation.remote_id or ""]
    shows = base_of(reading)
    # The base is what the CRM made of our value. Else a CRM that keeps only minutes would seem to have been edited.
    base = {field.value: shows[field.value] for field in fields if field.value in shows}
    owed = {one.field: owed_after(context, operation, one, Owed.NO) for one in written}
    now = with_owed(replace(replica, **base), owed)
    changes = Changes(replicas={now.key: without_typed(now, fields)})
    changes.operations[operation.id] = replace(operation, state=OpState.DONE, failures=0, not_before=None)
    words = "; ".join(f"{one.field.value} {in_words(one.old)} → {in_words(one.new)}" for one in written)
    changes.events.append(context.event(operation, "edited", f"{how}: {words}"))
    return changes


def owed_after(context: RunContext, operation: Operation, sent: Change, written: Owed) -> Owed:
    """Return ``written``, unless the task took another value since this one was sent: then the copy is owed that."""
    task, can = context.base.tasks[operation.task], context.capabilities[operation.system]
    value = value_in(operation.system, task, sent.field, context.policy)
    return written if value is None or can.alike(sent.field, sent.new, value) else Owed.UNSEEN


def failed_again(context: RunContext, operation: Operation, words: str) -> Operation:
    """Return the operation with one more failure. After five failures in a row it is tried once an hour."""
    failures = operation.failures + 1
    often = failures >= FAILURES_UNTIL_ATTENTION
    return replace(
        operation,
        state=OpState.FAILED,
        failures=failures,
        words=words,
        not_before=context.clock() + LONGEST_WAIT if often else None,
    )
