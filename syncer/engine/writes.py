"""Send one write: store its intent before and its outcome after. What an error leads to is in `WriteErrors`."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

from syncer.contract.adapter import Completes
from syncer.contract.errors import AdapterError, InDoubt, Missing
from syncer.domain.base import Changes
from syncer.domain.fields import Change, TaskField
from syncer.domain.model import Draft, Listing, Reading, ReplicaState, State, Task, TaskRef
from syncer.domain.operations import Action, Operation, OpState
from syncer.domain.reasons import Item, Reason
from syncer.domain.task_ids import Marker
from syncer.domain.titles import same_title
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.outcomes import completed, created, failed_again, moved_on
from syncer.engine.write_errors import WriteErrors
from syncer.reconcile.closures import Effects, closed_by_create
from syncer.reconcile.obstacles import fingerprint
from syncer.reconcile.planned import Planned


class Requests:
    """The writes of one run. ``tried`` are the slots for which a request was sent: none is sent twice in a run."""

    def __init__(self, context: RunContext) -> None:
        self.tried: set[tuple[str, str, Action]] = set()
        self.errors = WriteErrors(context)
        self._context = context
        self._counted_to = _counted_to(context)

    def may_send(self, system: str) -> bool:
        """Whether requests may still be sent to this CRM in this run."""
        connection = self._context.connections[system]
        stopped = self._context.out_of_time or connection.spent
        return connection.usable and not stopped

    def may_create(self, system: str) -> bool:
        """Whether something may still be created there: it may have no storage left."""
        return self.may_send(system) and system not in self.errors.full

    async def read_lane(self, connection: Connection, contact: str) -> Listing[Reading] | None:
        """Read all tasks of a lane and merge them. A list that was just read is used instead."""
        if connection.was_just_listed(contact):
            return Listing(connection.seen.lanes[contact])
        try:
            listing = await connection.read_contact(contact)
        except Missing:
            return None
        if listing is not None:
            self._context.merge_contact(connection.system, contact, listing)
        return listing

    def store_intent(self, operation: Operation) -> None:
        self.tried.add(operation.slot)
        event = self._context.event(operation, "sent", f"to {operation.action} it: {operation.reason}".rstrip(": "))
        # Stored before the request is sent. After a crash the next run reads what became of it and repeats nothing.
        self._context.record(Changes(operations={operation.id: operation}, events=[event]))

    def operation(self, planned: Planned, contact: str) -> Operation:
        context, task = self._context, self._context.base.tasks[planned.task]
        latest = context.base.latest(planned.slot)
        now = context.clock()
        # The latest operation of a slot decides what happens next, so its order must survive a clock that was set back.
        # The base does not hold those that were carried out, so the ledger is asked.
        before = context.ledger.latest_intent(planned.slot)
        after = now if before is None else max(now, before + timedelta.resolution)
        connection = context.connections[planned.system]
        user = context.policy.user_id(planned.system, task.assignee)
        return Operation(
            id=context.new_id(),
            task=task.id,
            system=planned.system,
            action=planned.action,
            contact=contact,
            state=OpState.SENT,
            created_at=after,
            sent_at=now,
            remote_id=planned.remote_id,
            raw_type=connection.adapter.raw_type(task.kind),
            due=_due_before(connection, planned) if planned.action is Action.COMPLETE else task.due,
            # Rows that could not be read were there before, so the request has not made them.
            seen=tuple(row.remote_id for row in connection.seen.unreadable if row.remote_id and row.contact == contact),
            fingerprint=fingerprint(task, context.base, planned.system, contact, user),
            # Failures in a row: an operation that was carried out, or rejected, ends the row.
            failures=latest.failures if latest is not None and latest.state is OpState.FAILED else 0,
            reason=planned.reason,
            run=context.run,
        )

    async def create(
        self, connection: Connection, operation: Operation, listing: Listing[Reading] | None = None
    ) -> bool:
        task = self._context.base.tasks[operation.task]
        draft = self._draft(task, operation)
        # Of an edit in a lane, too: before its outcome is known, the task may take another value.
        operation = replace(operation, changes=_sent(draft))
        self.store_intent(operation)
        try:
            reading = await connection.adapter.create_task(draft)
        except AdapterError as error:
            return await self.errors.went_wrong(connection, operation, error)
        if (doubt := self._another_task(operation, draft, reading)) is not None:
            return await self.errors.went_wrong(connection, operation, InDoubt(doubt, system=operation.system))
        if operation.action is Action.EDIT and listing is not None:
            return await self._made_again(connection, operation, reading, listing)
        self._context.created[operation.system] += 1
        changes = created(self._context, operation, reading, f"created in {operation.system}")
        self._context.record(changes)
        return listing is None or await self._see_what_it_closed(connection, operation, reading, listing)

    def _another_task(self, operation: Operation, draft: Draft, reading: Reading) -> str | None:
        """Return why the answer to a create cannot be the new task, or ``None``.

        A replica that took over another task's remote id would connect two tasks that have nothing in common.
        """
        # The base holds only what the run needs, and the answer may name a task that was closed long ago.
        self._context.extend([reading], whole=True)
        connection = self._context.connections[operation.system]
        if reading.key in self._context.base.replicas or connection.seen.has(reading.remote_id):
            return f"it answered with task {reading.remote_id}, which was there before"
        # Ids that are counted up: a smaller one than was there before cannot be new.
        if reading.remote_id.isdecimal() and int(reading.remote_id) < self._counted_to[operation.system]:
            return f"it answered with task {reading.remote_id}, whose number is below that of one that was there before"
        if reading.state is not State.OPEN:
            return f"it answered with task {reading.remote_id}, which is closed"
        if reading.due is not None and not self._context.is_due(operation, reading.due):
            return f"it answered with a task that is due {reading.due:%FT%TZ}, and {operation.due:%FT%TZ} was asked for"
        if reading.contact not in (None, operation.contact):
            return f"it answered with a task of contact {reading.contact}, and {operation.contact} was meant"
        can = connection.adapter.capabilities
        # By our marker it is the new task, whatever the CRM made of a long title.
        if not can.reads_marker or reading.marker == draft.marker:
            return None
        alike = same_title(reading.title, draft.title) or can.makes(TaskField.TITLE, draft.title, reading.title)
        if reading.marker is not None or not alike:
            return f"it answered with a task {reading.title!r}, and {draft.title!r} was asked for"
        return None

    async def _see_what_it_closed(
        self, connection: Connection, operation: Operation, made: Reading, before: Listing[Reading]
    ) -> bool:
        """List the lane again after a create, and store what the create closed.

        Returns whether the lane may go on: the new task is there, or the lane could not be read.
        """
        try:
            with connection.confirming(self._context.time_left):
                after = await connection.read_contact(operation.contact)
        except Missing:
            return True
        if after is not None and made.key not in {row.key for row in after.rows}:
            return await self._is_not_there(connection, operation, made)
        # It could not be read, so nothing is known against the answer. The next step reads the lane again.
        if after is None:
            return True
        effects = _effects(connection, made, before, after)
        self._context.merge_contact(operation.system, operation.contact, after, effects=effects)
        # The lane's next step takes this list, which is as new as one that it would ask for.
        connection.has_listed(operation.contact)
        return True

    async def _made_again(
        self, connection: Connection, operation: Operation, made: Reading, before: Listing[Reading]
    ) -> bool:
        """Store that a copy replaced another one, when the lane shows that the old one is closed.

        Both are stored at once: two open copies of one task are never stored.
        """
        words = f"made again as {made.remote_id}, but what that closed could not be read"
        try:
            with connection.confirming(self._context.time_left):
                after = await connection.read_contact(operation.contact)
        except Missing:
            after = None
        rows = {row.remote_id: row for row in after.rows} if after is not None else {}
        old = rows.get(operation.remote_id or "")
        # The ledger refuses two open copies of a task in one CRM. As long as the old one may be open, the new one stays
        # in doubt.
        if after is None or made.remote_id not in rows or (old is not None and old.state is State.OPEN):
            return await self.errors.went_wrong(connection, operation, InDoubt(words, system=operation.system))
        effects = _effects(connection, made, before, after)
        self._context.edited[operation.system] += 1
        changes = created(self._context, operation, made, "created again, with the new due")
        self._context.merge_contact(operation.system, operation.contact, after, effects=effects, also=changes)
        return True

    async def _is_not_there(self, connection: Connection, operation: Operation, made: Reading) -> bool:
        """Put a create in doubt whose answer named a task that the lane does not have."""
        # It was counted when its answer came.
        self._context.created[operation.system] -= 1
        named = self._context.base.replicas[made.key]
        self._context.record(Changes(replicas={named.key: replace(named, state=ReplicaState.GONE)}))
        words = f"it answered with task {made.remote_id}, which is not among the tasks of contact {operation.contact}"
        return await self.errors.went_wrong(connection, operation, InDoubt(words, system=operation.system))

    async def complete(self, connection: Connection, operation: Operation) -> bool:
        ref = TaskRef(operation.system, operation.remote_id or "", operation.contact)
        self.store_intent(operation)
        try:
            reading = await connection.adapter.complete_task(ref)
        except AdapterError as error:
            return await self.errors.went_wrong(connection, operation, error)
        if reading.remote_id == operation.remote_id and reading.state is not State.OPEN:
            self._context.completed[operation.system] += 1
            self._context.record(completed(self._context, operation, reading, f"completed in {operation.system}"))
            return True
        # A recurring task is open with its next date. That is a new task, and no sign that the completion failed.
        if moved_on(self._context, operation, reading):
            self._context.completed[operation.system] += 1
            self._context.record(completed(self._context, operation, reading, "completed; it moved to its next date"))
            return True
        if connection.adapter.capabilities.completes is Completes.TOP_OF_LANE and reading.state is not State.OPEN:
            await self._closed_another(connection, operation, reading)
            return False
        # The answer may be out of date. Only a read tells whether the request was carried out.
        return await self.errors.went_wrong(connection, operation, InDoubt("the answer shows the task still open"))

    async def _closed_another(self, connection: Connection, operation: Operation, closed: Reading) -> None:
        """Store a race: somebody created a newer task after our read, and our request closed it."""
        failed = failed_again(self._context, operation, f"it closed {closed.remote_id} instead")
        self._context.merge_contact(
            operation.system,
            operation.contact,
            Listing((closed,)),
            operation=failed,
            effects=Effects(hit=frozenset({closed.remote_id})),
        )
        self._context.failed.append(Item(operation.task, operation.system, Reason.CLOSED_BY_RACE, failed.words))
        # Only the task that was hit is known by now. If the lane cannot be read, nothing more is planned in it.
        with connection.confirming(self._context.time_left):
            if await self.read_lane(connection, operation.contact) is None:
                connection.seen.lanes.pop(operation.contact, None)

    def _draft(self, task: Task, operation: Operation) -> Draft:
        context = self._context
        record = context.base.records.get((operation.system, operation.contact))
        names = [known.name for known in context.records_of(task.contact) if known.name]
        name = (record.name if record else "") or next(iter(names), "")
        return Draft(
            marker=Marker(context.base.ledger_id, task.id),
            contact=operation.contact,
            kind=task.kind,
            title=task.title or f"{task.kind.label} {name}".strip(),
            body=task.body,
            due=task.due,
            now=context.clock(),
            assignee=context.policy.user_id(operation.system, task.assignee),
            # Only what our own write closed gets its reminder back. Elsewhere each CRM decides when to notify.
            notify_at=task.notify_at if task.put_back else None,
        )


def _due_before(connection: Connection, completion: Planned) -> datetime | None:
    """Return the due date that the list showed for a copy before it is completed, if there is a list.

    The copy may have moved since it was last read by itself. Then it is no next date that the completion caused.
    """
    row = connection.seen.rows.get(completion.remote_id or "")
    return None if row is None else row.due


def _effects(connection: Connection, made: Reading, before: Listing[Reading], after: Listing[Reading]) -> Effects:
    """Return what a create closed, given the lane before and after it."""
    lane_policy = connection.adapter.capabilities.lane
    window = lane_policy.supersede_window if lane_policy is not None else timedelta(0)
    return Effects(closed=frozenset(closed_by_create(made, before.rows, after.rows, window)))


def _sent(draft: Draft) -> tuple[Change, ...]:
    """Return what a create asks for. A task that is found after a lost answer is compared with it."""
    return (
        Change(TaskField.DUE, None, draft.due),
        Change(TaskField.TITLE, None, draft.title),
        Change(TaskField.BODY, None, draft.body or ""),
        Change(TaskField.ASSIGNEE, None, draft.assignee or ""),
    )


def _counted_to(context: RunContext) -> Counter[str]:
    """By CRM: the highest number of a task before the first write of this run, where it counts its tasks; else 0."""
    there = [*context.base.replicas]
    for system, connection in context.connections.items():
        there += [(system, remote_id) for remote_id in connection.seen.readings]
    highest: Counter[str] = Counter()
    for system, remote_id in there:
        if remote_id.isdecimal():
            highest[system] = max(highest[system], int(remote_id))
    return highest
