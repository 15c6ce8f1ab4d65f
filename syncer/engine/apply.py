"""Carry out a plan. Each operation is stored before its request is sent, and settled after the answer.

Only these rules decide the order:

- completions are sent before edits, and edits before creates; creates are sent by due date
- operations of one contact never overlap, nor do operations of one task; everything else may
- a lane is read again before each of its operations, and after each create
- an operation in doubt is settled by reading, at once if that tells; nothing is ever repeated in the run
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import replace
from typing import Final

from syncer.contract.adapter import ListsTasks
from syncer.contract.errors import Missing
from syncer.domain.model import Listing, Reading, ReplicaState, State, Task
from syncer.domain.operations import Action
from syncer.domain.snapshot import untold_of
from syncer.engine.connection import Connection
from syncer.engine.context import ONE_BY_ONE, Locks, RunContext, for_each, to_the_end, together
from syncer.engine.edits import Edits
from syncer.engine.new_contacts import NewContacts
from syncer.engine.own_errors import or_operation_fails
from syncer.engine.same_person import still_one_person
from syncer.engine.writes import Requests
from syncer.reconcile.closures import Effects
from syncer.reconcile.lane import CompleteTop, CreateTask, Step
from syncer.reconcile.markers import CLOCKS_DIFFER_BY
from syncer.reconcile.obstacles import may_be_untold, may_come
from syncer.reconcile.plan import plan_one_lane
from syncer.reconcile.planned import ORDER, Planned

# Every step is tried once, so the loop ends by itself. This is for a mistake of ours in that.
LANE_STEPS = 50
LANES_AT_ONCE = 4
"""How many lanes are worked on at once. With few, the first are finished before the budget is spent on reading more."""


async def apply_plan(context: RunContext, operations: Collection[Planned]) -> None:
    """Send the planned operations and nothing else. What cannot be sent now is left to the next run."""
    applier = _Applier(context, operations)
    for action in ORDER:
        # Lanes have a part in every phase: a create there that closes a finished task is that task's completion.
        due = [operation for operation in operations if operation.action is action or operation.lane]
        # Each CRM has a queue of its own, so that a slow CRM delays no other.
        await together(_work_off(applier, system, due, action) for system in context.connections)


async def _work_off(applier: _Applier, system: str, due: Collection[Planned], action: Action) -> None:
    mine = [operation for operation in due if operation.system == system]
    lanes = dict.fromkeys((system, operation.contact or "") for operation in mine if operation.lane)
    busy = applier.busy(lanes, action)
    singles = [operation for operation in mine if not operation.lane]

    async def one(work: Planned | tuple[str, str]) -> None:
        async with applier.in_its_turn(system):
            await applier.work(work, action)
        under_way.done += 1

    with applier.progress.work(system, _PHASES[action], len(busy) + len(singles)) as under_way:
        await for_each(busy, one, at_once=LANES_AT_ONCE)
        await for_each(singles, one)


_PHASES: Final = {Action.COMPLETE: "completing tasks", Action.EDIT: "changing tasks", Action.CREATE: "creating tasks"}


class _Applier:
    """The operations of one run. Only slots of the plan are sent, because only the plan has passed the guard."""

    def __init__(self, context: RunContext, operations: Collection[Planned]) -> None:
        self._context = context
        self.progress = context.progress
        self._approved = {operation.slot: operation.reason for operation in operations}
        self._creates = {(op.system, op.contact) for op in operations if op.makes_a_task}
        self._in_lane: dict[tuple[str, str], list[Planned]] = defaultdict(list)
        for operation in operations:
            if operation.lane:
                self._in_lane[operation.system, operation.contact or ""].append(operation)
        self._requests = Requests(context)
        self._edits = Edits(context, self._requests)
        self._contact_lock = Locks()
        self._task_lock = Locks()
        self._turn = Locks()
        self._newcomers = NewContacts(context, self._requests, self._contact_lock)

    def in_its_turn(self, system: str) -> AbstractAsyncContextManager[object]:
        """Hold this while working: see `ONE_BY_ONE`. It is always taken before the locks of contacts and tasks."""
        left = self._context.time_left()
        late = left is not None and left < ONE_BY_ONE and self._context.connections[system].waits_for_budget
        return self._turn(system) if late else nullcontext()

    async def work(self, work: Planned | tuple[str, str], action: Action) -> None:
        """Carry out the operations of one lane, or one operation, but none of whoever is left out of the run."""
        context = self._context
        person = context.base.tasks[work.task].contact if isinstance(work, Planned) else context.person(*work)
        if person not in context.left_out:
            with or_operation_fails(context, person):
                await self._work(work, action)

    async def _work(self, work: Planned | tuple[str, str], action: Action) -> None:
        # A contact that is created first may be in a CRM with lanes. Then the operation becomes part of a lane.
        if isinstance(work, Planned) and work.contact is None:
            planned, work = work, await self._newcomers.with_contact(work)
            if isinstance(work, tuple):
                self._in_lane[work].append(planned)
        if isinstance(work, tuple):
            system, contact = work
            async with self._contact_lock((system, contact)):
                await self._lane(self._context.connections[system], contact, action)
        elif work.contact is not None:
            # Always the contact first, here as in lanes: taken the other way round, two operations could wait for each
            # other.
            async with self._contact_lock((work.system, work.contact)), self._task_lock(work.task):
                may = self._requests.may_create if action is Action.CREATE else self._requests.may_send
                if may(work.system):
                    await self._single(self._context.connections[work.system], work, work.contact)

    # one task, one CRM -----------------------------------------------------------------------------

    async def _single(self, connection: Connection, planned: Planned, contact: str) -> None:
        context = self._context
        task = context.base.tasks[planned.task]
        # Other operations ran since the plan was made, so the base is asked again.
        if planned.action is Action.COMPLETE:
            replica = context.base.replicas.get((planned.system, planned.remote_id or ""))
            if task.state is not State.OPEN and replica is not None and replica.state is ReplicaState.OPEN:
                await to_the_end(
                    self._requests.complete(connection, self._requests.operation(planned, replica.contact))
                )
        elif planned.action is Action.EDIT:
            await to_the_end(self._edits.send(connection, planned))
        elif await still_one_person(context, connection, contact) and await self._surely_absent(
            connection, task, contact
        ):
            await to_the_end(self._requests.create(connection, self._requests.operation(planned, contact)))

    async def _surely_absent(self, connection: Connection, task: Task, contact: str) -> bool:
        """Whether the task has no copy there. The contact's own tasks are read first if lists lag, or show none yet.

        Where tasks are listed contact by contact, the contact may have been found only now.
        """
        capabilities = connection.adapter.capabilities
        unlisted = capabilities.lists_tasks is not ListsTasks.ALL and contact not in connection.seen.lanes
        if (capabilities.listing_lags or unlisted) and not connection.was_just_listed(contact):
            try:
                # One row that cannot be read must not stop this create; whether it may be this very task is asked
                # below. Of somebody who was found only now, any row may be.
                listing = await connection.read_contact(contact, damaged=not unlisted)
            # The contact is gone. The CRM will refuse the create, and that is told with its own words.
            except Missing:
                listing = Listing(())
            if listing is None:
                return False
            connection.seen.untold |= untold_of(listing.unreadable)
            self._context.merge_contact(connection.system, contact, listing)
        context, system = self._context, connection.system
        if contact in connection.seen.unread or may_be_untold(
            context.base, connection.seen, context.policy, context.base.tasks[task.id], system, contact
        ):
            return False
        # A copy that people gave to this contact may have been found only now.
        comes = may_come(context.base, context.policy, context.base.tasks[task.id], system, contact) is not None
        return not comes and self._still_wanted(task.id, system)

    def _is_put_back(self, task_id: str, system: str) -> bool:
        """Whether the task is put back where it came from. Then it does not matter whose contact this is."""
        task = self._context.base.tasks[task_id]
        return task.put_back and task.origin == system

    def _still_wanted(self, task_id: str, system: str) -> bool:
        task = self._context.base.tasks[task_id]
        shown = any(copy.state is ReplicaState.OPEN for copy in self._context.base.copies(task_id, system))
        return task.state is State.OPEN and not shown

    # one lane --------------------------------------------------------------------------------------

    def busy(self, lanes: Iterable[tuple[str, str]], action: Action) -> list[tuple[str, str]]:
        """Return the lanes with an untried operation that may be done in this phase."""
        found = []
        for lane in lanes:
            with or_operation_fails(self._context, self._context.person(*lane)):
                found += [lane] if self._has_work(lane, action) else []
        return found

    def _has_work(self, lane: tuple[str, str], action: Action) -> bool:
        left = {planned.action for planned in self._in_lane[lane] if planned.slot not in self._requests.tried}
        if action is Action.CREATE or Action.COMPLETE in left:
            return bool(left)
        # Before the phase of creates, a create is sent only if it closes a task that is done: that is its completion.
        open_here = [copy for copy in self._context.base.replicas_of(*lane) if copy.state is ReplicaState.OPEN]
        return bool(left) and any(self._is_done(*copy.key) for copy in open_here)

    async def _lane(self, connection: Connection, contact: str, action: Action) -> None:
        """Read, merge, plan and send one step, and repeat this until no step is left that may be done now."""
        lane = (connection.system, contact)
        creates = lane in self._creates
        # A lane in which something is only completed costs no look-up.
        same_person = not creates or await still_one_person(self._context, connection, contact)
        for _ in range(LANE_STEPS):
            if not self._requests.may_send(connection.system) or not self._has_work(lane, action):
                return
            listing = await self._requests.read_lane(connection, contact)
            if listing is None:
                return
            # Decided anew from what was just read: people may have acted since the plan, or since the step before.
            step = self._next_step(connection.system, contact, action)
            if step is None:
                return
            # A completion closes what the lane shows, whoever the lead is now. A create would add a task to a stranger.
            if not (isinstance(step, CompleteTop) or same_person or self._is_put_back(step.task, connection.system)):
                return
            async with self._task_lock(step.task):
                if not await to_the_end(self._take(connection, contact, step, listing)):
                    return

    def _next_step(self, system: str, contact: str, action: Action) -> Step | None:
        """Return the lane's first step, if it was approved and belongs to this phase."""
        context = self._context
        link = context.base.links.get((system, contact))
        here = [replica.task for replica in context.base.replicas_of(system, contact)]
        plan = plan_one_lane(
            context.base.narrowed(link, here, [(system, contact)]),
            context.seen,
            context.capabilities,
            context.policy,
            context.ambiguities,
            system=system,
            contact=contact,
            now=context.clock(),
        )
        for step in plan.steps:
            slot = (step.task, system, _action(step))
            # The lane may have changed since the plan was made. A step that the guard has not counted is never sent,
            # and the steps after it depend on it.
            if slot not in self._approved or slot in self._requests.tried:
                return None
            if isinstance(step, CreateTask) and system in self._requests.errors.full:
                return None
            closing = isinstance(step, CompleteTop) or any(self._is_done(system, rid) for rid in step.closes)
            in_time = ORDER.index(_action(step)) <= ORDER.index(action)
            return step if closing or in_time else None
        return None

    def _is_done(self, system: str, remote_id: str) -> bool:
        replica = self._context.base.replicas.get((system, remote_id))
        return replica is not None and self._context.base.tasks[replica.task].state is not State.OPEN

    async def _take(self, connection: Connection, contact: str, step: Step, listing: Listing[Reading]) -> bool:
        """Send one step of a lane. Returns whether the lane may go on."""
        task = self._context.base.tasks[step.task]
        # If the answer is lost, these tell what the request hit (it was open before) or made (it was not there).
        before = tuple(row.remote_id for row in listing.rows if row.state is State.OPEN)
        seen = tuple(row.remote_id for row in listing.rows)
        action = _action(step)
        if action is not Action.COMPLETE:
            self._remember_closed(connection, contact, listing)
        remote_id = step.remote_id if isinstance(step, CompleteTop) else step.replaces or None
        why = self._approved[task.id, connection.system, action]
        planned = Planned(task.id, connection.system, action, task.kind, contact, task.due, why, remote_id, lane=True)
        operation = replace(self._requests.operation(planned, contact), before=before, seen=seen)
        if isinstance(step, CompleteTop):
            return await self._requests.complete(connection, operation)
        return await self._requests.create(connection, operation, listing)

    def _remember_closed(self, connection: Connection, contact: str, listing: Listing[Reading]) -> None:
        """Note which tasks are closed already. Judged by times alone, our create would seem to have closed them."""
        context = self._context
        closed = [row for row in listing.rows if row.exclusive and row.state is not State.OPEN]
        # Only times of the CRM are compared: its clock may differ from ours.
        latest = max((time for row in listing.rows for time in (row.created_at, row.updated_at) if time), default=None)
        lately = [row.key for row in closed if row.updated_at and latest and latest - row.updated_at < CLOCKS_DIFFER_BY]
        # A closed task is not loaded with a run, and would look as if it had been closed unseen.
        if lately:
            context.ledger.extend(context.base, replicas=lately)
        if history := {remote_id for system, remote_id in lately if (system, remote_id) not in context.base.replicas}:
            context.merge_contact(connection.system, contact, listing, effects=Effects(history=frozenset(history)))


def _action(step: Step) -> Action:
    if isinstance(step, CompleteTop):
        return Action.COMPLETE
    return Action.EDIT if step.replaces else Action.CREATE
