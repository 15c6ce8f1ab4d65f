"""Carry out a plan: one durable step for each operation, recorded before its request and settled after its answer.

Dependencies, which are all there is to the order of things:

- completions are sent before creates, creates by due date
- one contact's operations never overlap, nor do one task's; everything else may
- a lane is read again before each of its operations, and after each create
- an operation in doubt is settled by reading, at once if that tells; nothing is ever repeated in the run
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta

import structlog

from adapters.base import (
    AdapterError,
    BadAnswer,
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
from syncer.context import Connection, Locks, RunContext, for_each, to_the_end
from syncer.lane import CompleteTop, Step
from syncer.model import Draft, Listing, Reading, Record, ReplicaState, State, Task, TaskRef
from syncer.observations import ConnectionState
from syncer.plan import HOLD, Planned, fingerprint, plan_one_lane
from syncer.reasons import Item, Reason
from syncer.settle import completed, created, failed_again, settle
from syncer.state import Action, Changes, Operation, OpState

_log = structlog.get_logger("syncer.apply")

FULL_RECHECK = timedelta(hours=1)
LANE_STEPS = 50


async def apply_plan(context: RunContext, operations: Collection[Planned]) -> None:
    """Send what was planned, and nothing else; what cannot be sent now stays for the next run."""
    applier = _Applier(context, {operation.slot for operation in operations})
    for action in (Action.COMPLETE, Action.CREATE):
        due = [operation for operation in operations if operation.action is action or operation.lane]
        singles = [operation for operation in due if not operation.lane]
        lanes = dict.fromkeys((op.system, op.contact or "") for op in due if op.lane)
        await for_each(
            [*lanes, *singles],
            lambda work, action=action: applier.work(work, action),  # type: ignore[misc]
        )


class _Applier:
    """Operations of one run; ``approved`` are the slots that the plan, and so the guard, has let through."""

    def __init__(self, context: RunContext, approved: Collection[tuple[str, str, Action]]) -> None:
        self._context = context
        self._approved = approved
        self._tried: set[tuple[str, str, Action]] = set()
        self._contact_lock = Locks()
        self._task_lock = Locks()

    async def work(self, work: Planned | tuple[str, str], action: Action) -> None:
        """One lane, or one operation outside any lane."""
        if isinstance(work, Planned) and work.contact is None:
            work = await self._with_contact(work)
        if isinstance(work, tuple):
            system, contact = work
            async with self._contact_lock((system, contact)):
                await self._lane(self._context.connections[system], contact, action)
        elif work.contact is not None:
            async with self._contact_lock((work.system, work.contact)), self._task_lock(work.task):
                if self._may_send(work.system) and not (action is Action.CREATE and self._held(work.system)):
                    await self._single(self._context.connections[work.system], work, work.contact)

    def _may_send(self, system: str) -> bool:
        connection = self._context.connections[system]
        stopped = self._context.out_of_time or connection.spent
        return connection.usable and not stopped

    def _held(self, system: str) -> bool:
        return self._context.base.cursors.get(HOLD + system, "") > self._context.clock().isoformat()

    # one task, one CRM -----------------------------------------------------------------------------

    async def _single(self, connection: Connection, planned: Planned, contact: str) -> None:
        context = self._context
        task = context.base.tasks[planned.task]
        if planned.action is Action.COMPLETE:
            replica = context.base.replicas.get((planned.system, planned.remote_id or ""))
            if task.state is not State.OPEN and replica is not None and replica.state is ReplicaState.OPEN:
                await to_the_end(self._complete(connection, self._operation(planned, replica.contact)))
        elif await self._surely_absent(connection, task, contact):
            await to_the_end(self._create(connection, self._operation(planned, contact)))

    async def _surely_absent(self, connection: Connection, task: Task, contact: str) -> bool:
        """Where lists lag, read the one contact's tasks before anything is created for it."""
        if connection.adapter.capabilities.listing_lags:
            reading = connection.adapter.list_contact_tasks(contact)
            try:
                listing = await connection.attempt(reading, f"the tasks of contact {contact}")
            except Missing:
                listing = Listing(())
            if listing is None:
                return False
            if listing.unreadable:
                connection.seen.unreadable += listing.unreadable
                return False
            self._context.merge_contact(connection.system, contact, listing)
        return self._still_wanted(task.id, connection.system)

    def _still_wanted(self, task_id: str, system: str) -> bool:
        task = self._context.base.tasks[task_id]
        shown = any(
            replica.task == task_id and replica.system == system and replica.state is ReplicaState.OPEN
            for replica in self._context.base.replicas.values()
        )
        return task.state is State.OPEN and not shown

    # contacts that are to be made ------------------------------------------------------------------

    async def _with_contact(self, planned: Planned) -> Planned | tuple[str, str]:
        """The same work once its contact is there; unchanged, without a contact, if that failed."""
        connection = self._context.connections[planned.system]
        async with self._contact_lock((planned.system, self._context.base.tasks[planned.task].contact)):
            if not self._may_send(planned.system) or self._held(planned.system):
                return planned
            contact = await to_the_end(self._make_contact(connection, planned))
        if contact is not None and connection.adapter.capabilities.lane is not None:
            return (planned.system, contact)
        return replace(planned, contact=contact)

    async def _make_contact(self, connection: Connection, planned: Planned) -> str | None:
        """Find or create the contact, where the account asks for it, and link it to the task's person."""
        link = self._context.base.tasks[planned.task].contact
        made = [r for r in self._context.records_of(link) if r.system == connection.system]
        if made:
            return made[0].remote_id
        try:
            record = await self._find_or_create(connection, link)
        except Full as error:
            self._hold(self._operation(planned, ""), error)
            return None
        except (Refused, Missing) as error:
            self._park(self._operation(planned, ""), error)
            return None
        except (InDoubt, BadAnswer) as error:
            # Looking the contact up comes first the next time, so that none is made twice.
            self._settle_as(self._operation(planned, ""), OpState.FAILED, error, count=True)
            self._context.failed.append(Item(planned.task, planned.system, Reason.RETRY_LATER, error.words))
            return None
        except (Unavailable, Unauthorized, NotSent) as error:
            self._stop_for(connection, error)
            return None
        if self._context.base.links.get(record.key, link) != link:
            return None
        self._context.record(Changes(records={record.key: record}, links={record.key: link}))
        return record.remote_id

    async def _find_or_create(self, connection: Connection, link: str) -> Record:
        known = self._context.records_of(link)
        phones = tuple(dict.fromkeys(phone for record in known for phone in record.phones))
        emails = tuple(dict.fromkeys(email for record in known for email in record.emails))
        name = next((record.name for record in known if record.name), "")
        by = connection.adapter.capabilities.contact_keys
        for key in (*(emails if "email" in by else ()), *(phones if "phone" in by else ())):
            found = await connection.adapter.find_contacts(key)
            if len(found) == 1:
                return found[0]
        return await connection.adapter.create_contact(Record(connection.system, "", name, phones, emails))

    # one lane --------------------------------------------------------------------------------------

    async def _lane(self, connection: Connection, contact: str, action: Action) -> None:
        """Read, merge, decide, act, until nothing is left that may be done now."""
        for _ in range(LANE_STEPS):
            if not self._may_send(connection.system):
                return
            listing = await self._read_lane(connection, contact)
            if listing is None:
                return
            step = self._next_step(connection.system, contact, action)
            if step is None:
                return
            async with self._task_lock(step.task):
                if not await to_the_end(self._take(connection, contact, step, listing)):
                    return

    async def _read_lane(self, connection: Connection, contact: str) -> Listing[Reading] | None:
        reading = connection.adapter.list_contact_tasks(contact)
        try:
            listing = await connection.attempt(reading, f"the tasks of contact {contact}")
        except Missing:
            return None
        if listing is not None and listing.unreadable:
            connection.seen.unreadable += listing.unreadable
            return None
        if listing is not None:
            self._context.merge_contact(connection.system, contact, listing)
        return listing

    def _next_step(self, system: str, contact: str, action: Action) -> Step | None:
        """The lane's first step, if it was approved and belongs to this phase."""
        context = self._context
        link = context.base.links.get((system, contact))
        here = [r.task for r in context.base.replicas.values() if r.system == system and r.contact == contact]
        plan = plan_one_lane(
            context.base.narrowed(link, here),
            context.seen,
            context.capabilities,
            context.policy,
            system=system,
            contact=contact,
            now=context.clock(),
        )
        for step in plan.steps:
            slot = (step.task, system, Action.COMPLETE if isinstance(step, CompleteTop) else Action.CREATE)
            if slot not in self._approved or slot in self._tried:
                return None
            closing = isinstance(step, CompleteTop) or any(self._is_done(system, rid) for rid in step.closes)
            return step if closing or action is Action.CREATE else None
        return None

    def _is_done(self, system: str, remote_id: str) -> bool:
        replica = self._context.base.replicas.get((system, remote_id))
        return replica is not None and self._context.base.tasks[replica.task].state is not State.OPEN

    async def _take(self, connection: Connection, contact: str, step: Step, listing: Listing[Reading]) -> bool:
        """One step of a lane; whether the lane may go on."""
        task = self._context.base.tasks[step.task]
        before = tuple(row.remote_id for row in listing.rows if row.state is State.OPEN)
        seen = tuple(row.remote_id for row in listing.rows)
        action = Action.COMPLETE if isinstance(step, CompleteTop) else Action.CREATE
        remote_id = step.remote_id if isinstance(step, CompleteTop) else None
        planned = Planned(
            task.id, connection.system, action, task.kind, contact, task.due, "in its lane", remote_id, lane=True
        )
        operation = replace(self._operation(planned, contact), before=before, seen=seen)
        if isinstance(step, CompleteTop):
            return await self._complete(connection, operation)
        return await self._create(connection, operation, listing)

    # requests --------------------------------------------------------------------------------------

    def _store_intent(self, operation: Operation) -> None:
        self._tried.add(operation.slot)
        event = self._context.event(operation, "sent", f"{operation.action}: {operation.reason}".rstrip(": "))
        self._context.record(Changes(operations={operation.id: operation}, events=[event]))

    def _operation(self, planned: Planned, contact: str) -> Operation:
        context, task = self._context, self._context.base.tasks[planned.task]
        earlier = [op for op in context.base.operations.values() if op.slot == planned.slot]
        latest = max(earlier, key=lambda op: (op.created_at, op.id), default=None)
        now = context.clock()
        connection = context.connections[planned.system]
        return Operation(
            id=context.new_id(),
            task=task.id,
            system=planned.system,
            action=planned.action,
            contact=contact,
            state=OpState.SENT,
            created_at=now,
            sent_at=now,
            remote_id=planned.remote_id,
            raw_type=connection.adapter.raw_type(task.kind),
            due=task.due,
            fingerprint=fingerprint(task, context.base, planned.system, contact),
            failures=latest.failures if latest is not None and latest.state is OpState.FAILED else 0,
            reason=planned.reason,
            run=context.run,
        )

    async def _create(
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
        reading = connection.adapter.list_contact_tasks(operation.contact)
        try:
            after = await connection.attempt(reading, f"the tasks of contact {operation.contact}")
        except Missing:
            return
        if after is None or after.unreadable or not made.exclusive:
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

    async def _complete(self, connection: Connection, operation: Operation) -> bool:
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
            closed_by_us={closed.remote_id},
        )
        self._context.failed.append(Item(operation.task, operation.system, Reason.CLOSED_BY_RACE, failed.words))
        if await self._read_lane(connection, operation.contact) is None:
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
                self._hold(operation, error)
            case NothingOpen():
                self._settle_as(operation, OpState.FAILED, error, count=False)
                return True
            case Refused() | Missing():
                self._park(operation, error)
            case BudgetSpent() | Unauthorized():
                self._settle_as(operation, OpState.FAILED, error, count=False)
                self._stop_for(connection, error)
            case NotSent() | Unavailable():
                self._settle_as(operation, OpState.FAILED, error, count=True)
                self._stop_for(connection, error)
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

    def _hold(self, operation: Operation, error: AdapterError) -> None:
        """The account is full: no more creates there for an hour, though nothing is wrong with the task."""
        until = self._context.clock() + FULL_RECHECK
        settled = replace(operation, state=OpState.FAILED, words=error.words)
        changes = Changes(operations={settled.id: settled}, cursors={HOLD + operation.system: until.isoformat()})
        changes.events.append(self._context.event(operation, "held", error.words))
        self._context.record(changes)

    def _park(self, operation: Operation, error: AdapterError) -> None:
        self._settle_as(operation, OpState.PARKED, error, count=False)
        self._context.failed.append(Item(operation.task, operation.system, Reason.REFUSED, error.words))

    def _settle_as(self, operation: Operation, state: OpState, error: AdapterError, *, count: bool) -> None:
        settled = (
            failed_again(self._context, operation, error.words) if count else replace(operation, words=error.words)
        )
        settled = replace(settled, state=state)
        event = self._context.event(operation, state.value, error.words)
        self._context.record(Changes(operations={settled.id: settled}, events=[event]))

    def _stop_for(self, connection: Connection, error: AdapterError) -> None:
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
