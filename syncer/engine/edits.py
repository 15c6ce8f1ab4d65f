"""Send edits, each to one copy, with the values that the copy is expected to show; store and settle their outcome."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final

from syncer.contract.errors import AdapterError, BadAnswer, InDoubt, Missing, Moved, Refused, Unavailable
from syncer.domain.base import Changes
from syncer.domain.fields import Change, TaskField
from syncer.domain.model import Edit, Listing, Reading, Replica, ReplicaState, Task, TaskRef
from syncer.domain.operations import Operation, OpState
from syncer.domain.task_ids import Marker
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.outcomes import edited
from syncer.engine.writes import Requests
from syncer.reconcile.edits.travel import can_change, changes_owed
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
            await requests.errors.went_wrong(connection, operation, Unavailable(error.words, system=operation.system))
        except (Refused, Missing) as error:
            # The CRM may not know this user. That must not keep the other fields, see `_alone`.
            if _alone(changes):
                await requests.errors.went_wrong(connection, operation, error)
                return False
            requests.errors.settle_as(operation, OpState.FAILED, error, count=False)
            left.add(TaskField.ASSIGNEE)
            return True
        except AdapterError as error:
            await requests.errors.went_wrong(connection, operation, error)
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
            await self._requests.errors.went_wrong(connection, operation, InDoubt(words, system=operation.system))
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
