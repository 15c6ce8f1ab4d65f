"""Send edits, each to one copy, with the values that the copy is expected to show; store and settle their outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from syncer.contract.adapter import Capabilities
from syncer.contract.errors import AdapterError, BadAnswer, InDoubt, Missing, Moved, Refused, Unavailable
from syncer.domain.base import Changes
from syncer.domain.fields import Change, TaskField, Value
from syncer.domain.model import Edit, Listing, Reading, Replica, ReplicaState, State, Task, TaskRef
from syncer.domain.operations import Operation, OpState
from syncer.domain.task_ids import Marker
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.settle import failed_again
from syncer.engine.writes import Requests
from syncer.reconcile.edits.base import base_of, with_owed, without_typed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.edits.travel import can_change, changes_owed, in_words, value_in
from syncer.reconcile.planned import Planned

TRIES: Final = 3
"""How often in one run an edit is tried again after somebody changed the copy."""


class Edits:
    """The edits of one run outside lanes."""

    def __init__(self, context: RunContext, requests: Requests) -> None:
        self._context = context
        self._requests = requests

    async def send(self, connection: Connection, planned: Planned) -> None:
        """Send one copy the values that it is owed now, unless the copy or its task was closed meanwhile."""
        left: set[TaskField] = set()
        for _ in range(TRIES):
            replica = self._context.base.replicas.get((planned.system, planned.remote_id or ""))
            task = self._context.base.tasks[planned.task]
            if replica is None or replica.state is not ReplicaState.OPEN:
                return
            changes = tuple(one for one in _possible(self._context, task, replica) if one.field not in left)
            if not changes:
                return
            # ``None`` is unread, and not empty: lists show no texts.
            if any(change.old is None and change.field in _READ_WHOLE for change in changes):
                if not await self._read(connection, replica):
                    return
                continue
            if not await self._try(connection, planned, replica, changes, left):
                return

    async def _read(self, connection: Connection, replica: Replica) -> bool:
        """Read fields that were never read, because a value that is not known must not be overwritten."""
        ref = TaskRef(replica.system, replica.remote_id, replica.contact)
        try:
            reading = await connection.attempt(connection.adapter.get_task(ref), f"task {replica.remote_id}")
        except Missing:
            return False
        if reading is None:
            return False
        self._merge(replica, reading)
        known = self._context.base.replicas[replica.key]
        return known.body is not None and known.assignee is not None

    async def _try(
        self,
        connection: Connection,
        planned: Planned,
        replica: Replica,
        changes: tuple[Change, ...],
        left: set[TaskField],
    ) -> bool:
        """Send one request. Returns whether to try again: the copy was not as expected, or an assignee was refused.

        A field that is to be left out then is added to ``left``.
        """
        requests = self._requests
        # Stored with the old and the new values. After a lost answer only these tell our value from the one before and
        # from what a person typed.
        operation = replace(requests.operation(planned, replica.contact), changes=changes)
        requests.store_intent(operation)
        ref = TaskRef(replica.system, replica.remote_id, replica.contact)
        try:
            reading = await connection.adapter.edit_task(ref, self._edit(planned, replica, changes))
        except Moved as moved:
            words = "it was changed or closed meanwhile, so nothing was sent"
            # No failure: people were faster, and the next try has their values.
            over = replace(operation, state=OpState.FAILED, words=words, failures=0)
            self._merge(replica, moved.reading, Changes(operations={over.id: over}))
            # What was scheduled meanwhile is left alone from now on.
            return moved.reading.mirrored
        except BadAnswer as error:
            # The read before the write could not be understood, so nothing was sent.
            await requests.went_wrong(connection, operation, Unavailable(error.words, system=operation.system))
        except (Refused, Missing) as error:
            # The CRM may not know this user. That must not keep the other fields, see `_alone`.
            if _alone(changes):
                await requests.went_wrong(connection, operation, error)
                return False
            requests.settle_as(operation, OpState.FAILED, error, count=False)
            left.add(TaskField.ASSIGNEE)
            return True
        except AdapterError as error:
            await requests.went_wrong(connection, operation, error)
        else:
            await self._answered(connection, operation, reading)
        return False

    def _edit(self, planned: Planned, replica: Replica, changes: Iterable[Change]) -> Edit:
        context = self._context
        wanted = {change.field: change.new for change in changes}
        expected = {change.field: change.old for change in changes}
        # The marker says that we made this task, so an origin never gets one.
        marker = Marker(context.base.ledger_id, planned.task) if replica.made else None
        return Edit(wanted, expected, planned.kind, context.clock(), marker)

    async def _answered(self, connection: Connection, operation: Operation, reading: Reading) -> None:
        can = connection.adapter.capabilities
        ignored = [
            change.field.value
            for change in operation.changes
            if can.alike(change.field, reading.shown(change.field), change.old)
            and not can.makes(change.field, change.new, reading.shown(change.field))
        ]
        # The answer may be out of date, or the CRM may have ignored the change. Only a read tells which.
        if ignored:
            words = f"the answer shows {' and '.join(ignored)} as before"
            await self._requests.went_wrong(connection, operation, InDoubt(words, system=operation.system))
            return
        self._context.edited[operation.system] += 1
        changes = edited(self._context, operation, reading, operation.changes, f"edited in {operation.system}")
        self._merge(self._context.base.replicas[operation.system, operation.remote_id or ""], reading, changes)

    def _merge(self, replica: Replica, reading: Reading, also: Changes | None = None) -> None:
        listing = Listing((reading,))
        self._context.merge_contact(replica.system, replica.contact, listing, also=also, whole=False)


def _alone(changes: Collection[Change]) -> bool:
    """Whether this is an assignee alone, or none. What is refused then has no part that may be accepted."""
    return len(changes) == 1 or all(change.field is not TaskField.ASSIGNEE for change in changes)


_READ_WHOLE: Final = frozenset({TaskField.BODY, TaskField.ASSIGNEE})


def _possible(context: RunContext, task: Task, replica: Replica) -> tuple[Change, ...]:
    connection = context.connections[replica.system]
    can, seen = connection.adapter.capabilities, connection.seen
    owed = changes_owed(task, replica, can, context.policy)
    return tuple(change for change in owed if can_change(task, replica, can, change.field, seen))


def edited(context: RunContext, operation: Operation, reading: Reading, written: Iterable[Change], how: str) -> Changes:
    """Return the changes to store when these fields are known to be written. Their base is what the CRM answered."""
    written = tuple(written)
    fields = [change.field for change in written]
    replica = context.base.replicas[operation.system, operation.remote_id or ""]
    shows = base_of(reading)
    # The base is what the CRM made of our value. Else a CRM that keeps only minutes would seem to have been edited.
    base = {field.value: shows[field.value] for field in fields if field.value in shows}
    owed = {one.field: _owed_after(context, operation, one, Owed.NO) for one in written}
    now = with_owed(replace(replica, **base), owed)
    changes = Changes(replicas={now.key: without_typed(now, fields)})
    changes.operations[operation.id] = replace(operation, state=OpState.DONE, failures=0, not_before=None)
    words = "; ".join(f"{one.field.value} {in_words(one.old)} → {in_words(one.new)}" for one in written)
    changes.events.append(context.event(operation, "edited", f"{how}: {words}"))
    return changes


def _owed_after(context: RunContext, operation: Operation, sent: Change, written: Owed) -> Owed:
    """Return ``written``, unless the task took another value since this one was sent: then the copy is owed that."""
    task, can = context.base.tasks[operation.task], context.capabilities[operation.system]
    value = value_in(operation.system, task, sent.field, context.policy)
    return written if value is None or can.alike(sent.field, sent.new, value) else Owed.UNSEEN


def _shows(can: Capabilities, change: Change, there: Value) -> bool:
    """Whether a copy that shows ``there`` has the new value. What it showed before may be the minute of both values."""
    if can.alike(change.field, there, change.new):
        return True
    return can.makes(change.field, change.new, there) and not can.alike(change.field, there, change.old)


def settle_edit(context: RunContext, operation: Operation, reading: Reading, *, final: bool) -> bool:
    """Store what became of an edit in doubt. Returns whether that is known."""
    changes = _settled(context, operation, reading, final=final)
    if changes is None:
        return False
    # Without an event nothing of it was carried out: people closed the task before it came, or typed something else.
    context.edited[operation.system] += bool(changes.events)
    context.merge_contact(operation.system, operation.contact, Listing((reading,)), also=changes, whole=False)
    return True


def _settled(context: RunContext, operation: Operation, reading: Reading, *, final: bool) -> Changes | None:
    """Return what a reading shows of an edit in doubt, field by field, or ``None`` if that is not known yet.

    If the copy shows the new value, the edit was carried out. If it shows the old one, it was not; but as long as the
    reading is not ``final``, the request may still arrive. Any other value was typed by people since, and wins.
    """
    can = context.connections[operation.system].adapter.capabilities
    there = {one.field: reading.shown(one.field) for one in operation.changes}
    done = [one for one in operation.changes if _shows(can, one, there[one.field])]
    missing = [one for one in operation.changes if one not in done and can.alike(one.field, there[one.field], one.old)]
    theirs = [one for one in operation.changes if one not in done and one not in missing]
    if (missing or theirs) and not final and reading.state is State.OPEN:
        return None
    changes = edited(context, operation, reading, done, "edited; its answer was lost, and reading showed it")
    if not done:
        changes.events.clear()
    replica = next(iter(changes.replicas.values()))
    # This is treated as if our value had been written and then changed by people, who may never have seen it.
    written = {one.field.value: one.new for one in theirs}
    owed = {one.field: _owed_after(context, operation, one, Owed.IN_DOUBT) for one in theirs}
    replica = with_owed(replace(replica, **written), owed)  # type: ignore[arg-type]
    changes.replicas[replica.key] = replica
    if missing and reading.state is State.OPEN:
        changes.operations[operation.id] = failed_again(context, operation, "nothing was changed")
    return changes
