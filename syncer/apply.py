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

from adapters.base import BadAnswer, Full, InDoubt, Missing, NotSent, Refused, Unauthorized, Unavailable
from syncer.context import Connection, Locks, RunContext, for_each, to_the_end
from syncer.lane import CompleteTop, Step
from syncer.model import Listing, Reading, Record, ReplicaState, State, Task
from syncer.plan import Planned, plan_one_lane
from syncer.reasons import Item, Reason
from syncer.requests import Requests
from syncer.state import HOLD, NEWCOMER, Action, Changes, OpState

LANE_STEPS = 50
CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""More than a CRM's clock and ours ever do: what it dates earlier is not taken for caused by what we do now."""


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
        self._requests = Requests(context)
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
                await to_the_end(
                    self._requests.complete(connection, self._requests.operation(planned, replica.contact))
                )
        elif await self._surely_absent(connection, task, contact):
            await to_the_end(self._requests.create(connection, self._requests.operation(planned, contact)))

    async def _surely_absent(self, connection: Connection, task: Task, contact: str) -> bool:
        """Where lists lag, read the one contact's tasks before anything is created for it."""
        if connection.adapter.capabilities.listing_lags:
            try:
                listing = await connection.read_contact(contact)
            except Missing:
                listing = Listing(())
            if listing is None:
                return False
            self._context.merge_contact(connection.system, contact, listing)
        return contact not in connection.seen.unread and self._still_wanted(task.id, connection.system)

    def _still_wanted(self, task_id: str, system: str) -> bool:
        task = self._context.base.tasks[task_id]
        shown = any(copy.state is ReplicaState.OPEN for copy in self._context.base.copies(task_id, system))
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
            self._requests.hold(self._requests.operation(planned, ""), error)
            return None
        except (Refused, Missing) as error:
            self._requests.park(self._requests.operation(planned, ""), error)
            return None
        except (InDoubt, BadAnswer) as error:
            # Looking the contact up comes first the next time, when it can no longer arrive late.
            self._requests.settle_as(self._requests.operation(planned, ""), OpState.FAILED, error, count=True)
            self._context.failed.append(Item(planned.task, planned.system, Reason.RETRY_LATER, error.words))
            return None
        except (Unavailable, Unauthorized, NotSent) as error:
            self._requests.stop_for(connection, error)
            return None
        if record is None or self._context.base.links.get(record.key, link) != link:
            return None
        self._context.record(Changes(records={record.key: record}, links={record.key: link}))
        return record.remote_id

    async def _find_or_create(self, connection: Connection, link: str) -> Record | None:
        """``None`` as long as what was sent before may still arrive, so that nobody is made twice."""
        context, system = self._context, connection.system
        known = context.records_of(link)
        phones = tuple(dict.fromkeys(phone for record in known for phone in record.phones))
        emails = tuple(dict.fromkeys(email for record in known for email in record.emails))
        name = next((record.name for record in known if record.name), "")
        by = connection.adapter.capabilities.contact_keys
        for key in (*(emails if "email" in by else ()), *(phones if "phone" in by else ())):
            found = await connection.adapter.find_contacts(key)
            if len(found) == 1:
                return found[0]
        now = context.clock()
        keys = (*phones, *emails)
        if context.base.may_arrive(system, keys, now, context.policy.doubt_grace):
            return None
        context.record(Changes(cursors={f"{NEWCOMER}{system}:{key}": now.isoformat() for key in keys}))
        return await connection.adapter.create_contact(Record(system, "", name, phones, emails))

    # one lane --------------------------------------------------------------------------------------

    async def _lane(self, connection: Connection, contact: str, action: Action) -> None:
        """Read, merge, decide, act, until nothing is left that may be done now."""
        for _ in range(LANE_STEPS):
            if not self._may_send(connection.system):
                return
            listing = await self._requests.read_lane(connection, contact)
            if listing is None:
                return
            step = self._next_step(connection.system, contact, action)
            if step is None:
                return
            async with self._task_lock(step.task):
                if not await to_the_end(self._take(connection, contact, step, listing)):
                    return

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
            if slot not in self._approved or slot in self._requests.tried:
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
        if action is Action.CREATE:
            self._remember_closed(connection, contact, listing)
        remote_id = step.remote_id if isinstance(step, CompleteTop) else None
        planned = Planned(
            task.id, connection.system, action, task.kind, contact, task.due, "in its lane", remote_id, lane=True
        )
        operation = replace(self._requests.operation(planned, contact), before=before, seen=seen)
        if isinstance(step, CompleteTop):
            return await self._requests.complete(connection, operation)
        return await self._requests.create(connection, operation, listing)

    def _remember_closed(self, connection: Connection, contact: str, listing: Listing[Reading]) -> None:
        """Note what is closed already: by its times alone it would look later as if our create had closed it."""
        context, now = self._context, self._context.clock()
        closed = [row for row in listing.rows if row.exclusive and row.state is not State.OPEN]
        lately = [
            row.key for row in closed if row.updated_at is not None and abs(row.updated_at - now) < CLOCKS_DIFFER_BY
        ]
        if lately:
            context.ledger.extend(context.base, replicas=lately)
        if history := {remote_id for system, remote_id in lately if (system, remote_id) not in context.base.replicas}:
            context.merge_contact(connection.system, contact, listing, history=history)
