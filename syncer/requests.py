"""One write each: its intent stored before, its outcome after, and how it may go wrong."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog

from adapters.base import (
    AdapterError,
    BudgetSpent,
    Completes,
    Full,
    InDoubt,
    Missing,
    NothingOpen,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.context import Connection, RunContext
from syncer.model import Draft, Listing, Reading, State, Task, TaskRef
from syncer.observations import ConnectionState
from syncer.plan import Planned, fingerprint
from syncer.reasons import Item, Reason
from syncer.settle import completed, created, failed_again, settle
from syncer.state import HOLD, LONGEST_WAIT, Action, Changes, Operation, OpState

_log = structlog.get_logger("syncer.apply")


class Requests:
    """The writes of one run. ``tried`` are the slots of which a request was sent: none is sent twice in a run."""

    def __init__(self, context: RunContext) -> None:
        self.tried: set[tuple[str, str, Action]] = set()
        self._context = context

    async def read_lane(self, connection: Connection, contact: str) -> Listing[Reading] | None:
        try:
            listing = await connection.read_contact(contact)
        except Missing:
            return None
        if listing is not None:
            self._context.merge_contact(connection.system, contact, listing)
        return listing

    # requests --------------------------------------------------------------------------------------

    def _store_intent(self, operation: Operation) -> None:
        self.tried.add(operation.slot)
        event = self._context.event(operation, "sent", f"{operation.action}: {operation.reason}".rstrip(": "))
        self._context.record(Changes(operations={operation.id: operation}, events=[event]))

    def operation(self, planned: Planned, contact: str) -> Operation:
        context, task = self._context, self._context.base.tasks[planned.task]
        earlier = [op for op in context.base.operations.values() if op.slot == planned.slot]
        latest = max(earlier, key=lambda op: (op.created_at, op.id), default=None)
        now = context.clock()
        # The latest one decides what happens next, also where the clock was set back.
        after = now if latest is None else max(now, latest.created_at + timedelta.resolution)
        connection = context.connections[planned.system]
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
            due=task.due,
            fingerprint=fingerprint(task, context.base, planned.system, contact),
            failures=latest.failures if latest is not None and latest.state is OpState.FAILED else 0,
            reason=planned.reason,
            run=context.run,
        )

    async def create(
        self, connection: Connection, operation: Operation, listing: Listing[Reading] | None = None
    ) -> bool:
        task = self._context.base.tasks[operation.task]
        draft = self._draft(task, operation)
        self._store_intent(operation)
        try:
            reading = await connection.adapter.create_task(draft)
        except AdapterError as error:
            return await self._went_wrong(connection, operation, error)
        self._context.created[operation.system] += 1
        changes = created(self._context, operation, reading, f"created in {operation.system}")
        self._context.record(changes)
        if listing is not None:
            await self._see_what_it_closed(connection, operation, reading, listing)
        return True

    async def _see_what_it_closed(
        self, connection: Connection, operation: Operation, made: Reading, before: Listing[Reading]
    ) -> None:
        """List the lane again: what was open before a create and is closed after it was closed by it."""
        try:
            after = await connection.read_contact(operation.contact)
        except Missing:
            return
        if after is None or not made.exclusive:
            return
        was_open = {row.remote_id: row for row in before.rows if row.state is State.OPEN and row.exclusive}
        lane_policy = connection.adapter.capabilities.lane
        window = lane_policy.supersede_window if lane_policy is not None else timedelta(0)
        closed = {
            row.remote_id
            for row in after.rows
            if row.state is not State.OPEN
            and row.remote_id in was_open
            and _closed_by(made, row, was_open[row.remote_id], window)
        }
        self._context.merge_contact(operation.system, operation.contact, after, closed_by_us=closed)

    async def complete(self, connection: Connection, operation: Operation) -> bool:
        ref = TaskRef(operation.system, operation.remote_id or "", operation.contact)
        self._store_intent(operation)
        try:
            reading = await connection.adapter.complete_task(ref)
        except AdapterError as error:
            return await self._went_wrong(connection, operation, error)
        if reading.remote_id == operation.remote_id and reading.state is not State.OPEN:
            self._context.completed[operation.system] += 1
            self._context.record(completed(self._context, operation, reading, f"completed in {operation.system}"))
            return True
        if connection.adapter.capabilities.completes is Completes.TOP_OF_LANE and reading.state is not State.OPEN:
            await self._closed_another(connection, operation, reading)
            return False
        return await self._went_wrong(connection, operation, InDoubt("the answer shows the task still open"))

    async def _closed_another(self, connection: Connection, operation: Operation, closed: Reading) -> None:
        """A race: somebody made a newer task after our read, and the request closed that one."""
        failed = failed_again(self._context, operation, f"it closed {closed.remote_id} instead")
        self._context.merge_contact(
            operation.system,
            operation.contact,
            Listing((closed,)),
            operation=failed,
            hit_by_us={closed.remote_id},
        )
        self._context.failed.append(Item(operation.task, operation.system, Reason.CLOSED_BY_RACE, failed.words))
        if await self.read_lane(connection, operation.contact) is None:
            connection.seen.lanes.pop(operation.contact, None)

    # outcomes --------------------------------------------------------------------------------------

    async def _went_wrong(self, connection: Connection, operation: Operation, error: AdapterError) -> bool:
        """Store how a write ended badly; whether its lane may go on."""
        _log.warning(
            "operation.failed",
            task=operation.task,
            system=operation.system,
            action=operation.action.value,
            outcome=type(error).__name__,
            words=error.words,
        )
        match error:
            case InDoubt():
                await self._in_doubt(operation, error)
            case Full():
                self.hold(operation, error)
            case NothingOpen():
                self.settle_as(operation, OpState.FAILED, error, count=False)
                return True
            case Refused() | Missing():
                self.park(operation, error)
            case BudgetSpent() | Unauthorized():
                self.settle_as(operation, OpState.FAILED, error, count=False)
                self.stop_for(connection, error)
            case NotSent() | Unavailable():
                self.settle_as(operation, OpState.FAILED, error, count=True)
                self.stop_for(connection, error)
            case _:
                await self._in_doubt(operation, error)
        return False

    async def _in_doubt(self, operation: Operation, error: AdapterError) -> None:
        """Try at once to settle it by reading; what stays in doubt waits for the next run."""
        doubtful = replace(operation, state=OpState.IN_DOUBT, sent_at=self._context.clock(), words=error.words)
        event = self._context.event(operation, "in_doubt", error.words)
        self._context.record(Changes(operations={doubtful.id: doubtful}, events=[event]))
        await settle(self._context, doubtful)
        if self._context.base.operations[doubtful.id].state is not OpState.DONE:
            self._context.failed.append(Item(operation.task, operation.system, Reason.IN_DOUBT, error.words))

    def hold(self, operation: Operation, error: AdapterError) -> None:
        """The account is full: no more creates there for an hour, though nothing is wrong with the task."""
        until = self._context.clock() + LONGEST_WAIT
        settled = replace(operation, state=OpState.FAILED, words=error.words)
        changes = Changes(operations={settled.id: settled}, cursors={HOLD + operation.system: until.isoformat()})
        changes.events.append(self._context.event(operation, "held", error.words))
        self._context.record(changes)

    def park(self, operation: Operation, error: AdapterError) -> None:
        self.settle_as(operation, OpState.PARKED, error, count=False)
        self._context.failed.append(Item(operation.task, operation.system, Reason.REFUSED, error.words))

    def settle_as(self, operation: Operation, state: OpState, error: AdapterError, *, count: bool) -> None:
        settled = (
            failed_again(self._context, operation, error.words) if count else replace(operation, words=error.words)
        )
        settled = replace(settled, state=state)
        event = self._context.event(operation, state.value, error.words)
        self._context.record(Changes(operations={settled.id: settled}, events=[event]))

    def stop_for(self, connection: Connection, error: AdapterError) -> None:
        if isinstance(error, BudgetSpent):
            connection.spent = True
        elif isinstance(error, Unauthorized):
            connection.stop(ConnectionState.UNAUTHORIZED, error.words)
        else:
            connection.stop(ConnectionState.UNAVAILABLE, error.words)

    def _draft(self, task: Task, operation: Operation) -> Draft:
        context = self._context
        record = context.base.records.get((operation.system, operation.contact))
        names = [
            r.name for key, r in sorted(context.base.records.items()) if context.base.links.get(key) == task.contact
        ]
        name = (record.name if record else "") or next((n for n in names if n), "")
        return Draft(
            task=task.id,
            contact=operation.contact,
            contact_name=name,
            kind=task.kind,
            title=task.title or f"{task.kind.label} {name}".strip(),
            body=task.body,
            due=task.due,
            now=context.clock(),
            assignee=context.policy.user_id(operation.system, task.assignee),
            notify_at=task.notify_at if task.put_back else None,
        )


def _closed_by(made: Reading, row: Reading, before: Reading, window: timedelta) -> bool:
    """Whether a create of ours closed this row, rather than somebody in the moment between two listings."""
    if row.updated_at is None or row.updated_at == before.updated_at or made.created_at is None:
        return True
    if abs(row.updated_at - made.created_at) > window:
        return False
    actor = row.updated_by if row.updated_by != before.updated_by else None
    return actor is None or made.created_by is None or actor == made.created_by
