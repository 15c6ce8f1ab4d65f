"""Plan the operations of a run. Every operation has a reason, and so has everything that waits (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from syncer.contract.adapter import Capabilities, LanePolicy
from syncer.domain.base import Base
from syncer.domain.fields import Change
from syncer.domain.model import Replica, ReplicaState, State, Task
from syncer.domain.operations import Action
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import Seen
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.edits.travel import can_change, changes_owed, in_words
from syncer.reconcile.lane import CompleteTop, CreateTask, LanePlan, OpenTask, Wish, plan_lane
from syncer.reconcile.obstacles import Obstacle, Obstacles, PlanInputs
from syncer.reconcile.planned import Plan, Planned


@dataclass(slots=True)
class _Lane:
    """The requests for one lane. ``closes``: task ids by remote id. ``stuck``: tasks that cannot be written now."""

    wishes: dict[str, Wish] = field(default_factory=dict)
    closes: dict[str, str] = field(default_factory=dict)
    stuck: set[str] = field(default_factory=set)


def make_plan(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    policy: Policy,
    ambiguities: tuple[Ambiguity, ...],
    *,
    now: datetime,
    left_out: Collection[str] = (),
) -> Plan:
    """Plan everything that can be done now. Tasks are planned in the order of their ids.

    ``left_out`` are the persons (links) for whom nothing is planned.
    """
    planner = _Planner(PlanInputs(base, seen, capabilities, policy, ambiguities, now))
    for task in sorted(base.tasks.values(), key=lambda task: task.id):
        if task.contact not in left_out:
            planner.plan_task(task)
    planner.plan_lanes()
    return planner.finish()


def plan_one_lane(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    policy: Policy,
    ambiguities: tuple[Ambiguity, ...],
    *,
    system: str,
    contact: str,
    now: datetime,
) -> LanePlan:
    """Plan one lane that was just read again. ``base`` may contain only the tasks of the lane.

    The ``ambiguities`` must be those of the whole plan. Only steps that are in the whole plan are carried out, so a
    different one would end the work in this lane.
    """
    planner = _Planner(PlanInputs(base, seen, capabilities, policy, ambiguities, now))
    for task in sorted(base.tasks.values(), key=lambda task: task.id):
        planner.plan_task(task)
    return planner.plan_lane(system, contact) or LanePlan((), ())


class _Planner:
    """One plan in the making."""

    def __init__(self, inputs: PlanInputs) -> None:
        self._base = inputs.base
        self._seen = inputs.seen
        self._capabilities = inputs.capabilities
        self._policy = inputs.policy
        self._operations: list[Planned] = []
        self._waiting: list[Item] = []
        self._attention: list[Item] = []
        self._lanes: dict[tuple[str, str], _Lane] = defaultdict(_Lane)
        self._obstacles = Obstacles(inputs)
        for one in inputs.ambiguities:
            person = (one.others or one.records)[0]
            system = one.system or person[0]
            self._attention.append(Item(None, system, Reason.AMBIGUOUS_CONTACT, one.sentence, person=person))

    def finish(self) -> Plan:
        in_order = self._where_there_is_room(sorted(self._operations, key=lambda operation: operation.order))
        return Plan(tuple(in_order), tuple(self._waiting), tuple(self._attention))

    def _where_there_is_room(self, operations: list[Planned]) -> list[Planned]:
        """Drop the creates in a full CRM, except the first, which shows whether there is room again."""
        tried: set[str] = set()
        planned = []
        for operation in operations:
            system = operation.system
            if operation.makes_a_task and self._base.is_full(system):
                if system in tried:
                    self._wait(self._base.tasks[operation.task], system, Reason.STORAGE_FULL)
                    continue
                tried.add(system)
            planned.append(operation)
        return planned

    def plan_task(self, task: Task) -> None:
        """Plan what this task needs in every system."""
        # A held task may be a copy of another task. A copy of it could be that task's second one.
        if task.held and task.state is State.OPEN:
            self._attend(task, task.origin, Reason(task.held))
            return
        for system in self._policy.systems:
            # A copy is closed and edited wherever it is: routes say only where new copies are made.
            replicas = self._base.copies(task.id, system)
            shown = [replica for replica in replicas if replica.state is ReplicaState.OPEN]
            if task.state is not State.OPEN:
                for replica in shown:
                    self._close(task, replica)
                if not shown:
                    self._mention(task, system, self._obstacles.lingering(task, system))
            elif not shown and self._should_show(task, system, replicas):
                self._show(task, system, replicas)
            for replica in shown:
                self._edit(task, replica)

    def _should_show(self, task: Task, system: str, replicas: list[Replica]) -> bool:
        """Whether the task belongs in this system: by its route, or because a copy there was lost."""
        # A gone copy outside of the route counts, too: people are told of it, see `Obstacles.to_show`.
        gone = any(replica.state is ReplicaState.GONE for replica in replicas)
        to_put_back = task.put_back and self._capabilities[system].lane is not None
        return gone or to_put_back or system in self._policy.routes[task.kind]

    # closing ---------------------------------------------------------------------------------------

    def _close(self, task: Task, replica: Replica) -> None:
        obstacle = self._obstacles.to_close(task, replica)
        if obstacle is not None:
            self._mention(task, replica.system, obstacle)
            return
        slot = (task.id, replica.system, Action.COMPLETE)
        free = self._free(task, slot, replica.contact, replica.remote_id)
        # The lane must know of a completion that cannot be sent now: nothing below that task can be completed either.
        if self._capabilities[replica.system].lane is not None:
            lane = self._lanes[replica.system, replica.contact]
            lane.closes[replica.remote_id] = task.id
            if not free:
                lane.stuck.add(task.id)
        elif free:
            self._operations.append(self._complete(task, replica, lane=False))

    def _complete(self, task: Task, replica: Replica, *, lane: bool) -> Planned:
        why = f"{task.state} elsewhere, still open in {self._policy.crm(replica.system)}"
        return Planned(
            task.id, replica.system, Action.COMPLETE, task.kind, replica.contact, task.due, why, replica.remote_id, lane
        )

    # editing ---------------------------------------------------------------------------------------

    def _edit(self, task: Task, replica: Replica) -> None:
        """Plan to give an open copy its owed values, as far as its CRM can change them."""
        can = self._capabilities[replica.system]
        changes = changes_owed(task, replica, can, self._policy) if replica.owed else ()
        if not changes:
            return
        if can.lane is not None:
            self._make_again(task, replica, changes, can.lane)
            return
        seen = self._seen.get(replica.system, Seen())
        fixed = [change for change in changes if not can_change(task, replica, can, change.field, seen)]
        # The other fields are still sent. This one is told for as long as the copy differs.
        if fixed:
            self._wait(task, replica.system, Reason.NOT_EDITABLE, _not_editable(fixed))
        changes = tuple(change for change in changes if change not in fixed)
        obstacle = self._obstacles.to_edit(task, replica) if changes else None
        if obstacle is not None:
            self._mention(task, replica.system, obstacle)
        elif changes and self._may_edit(task, replica):
            self._operations.append(self._change(task, replica, changes, lane=False))

    def _make_again(self, task: Task, replica: Replica, changes: tuple[Change, ...], lane: LanePolicy) -> None:
        """Plan to replace our copy by a create with the new due date: a task in a lane cannot be changed."""
        # Creating a reminder closes nothing, so a new one would be a second copy. A copy of theirs is never replaced.
        if not (lane.reschedules and replica.ours and replica.exclusive):
            self._wait(task, replica.system, Reason.NOT_EDITABLE, _not_editable(changes))
            return
        obstacle = self._obstacles.to_make_again(task, replica)
        if obstacle is not None:
            self._mention(task, replica.system, obstacle)
            return
        asked = self._lanes[replica.system, replica.contact]
        asked.wishes[task.id] = Wish(task.id, exclusive=True, due=task.due, replaces=replica.remote_id)
        if not self._may_edit(task, replica):
            asked.stuck.add(task.id)

    def _may_edit(self, task: Task, replica: Replica) -> bool:
        return self._free(task, (task.id, replica.system, Action.EDIT), replica.contact, replica.remote_id)

    def _change(self, task: Task, replica: Replica, changes: tuple[Change, ...], *, lane: bool) -> Planned:
        names = " and ".join(change.field.value for change in changes)
        why = f"{names} changed elsewhere, not yet in {self._policy.crm(replica.system)}"
        return Planned(
            task.id,
            replica.system,
            Action.EDIT,
            task.kind,
            replica.contact,
            task.due,
            why,
            replica.remote_id,
            lane,
            changes,
        )

    # showing ---------------------------------------------------------------------------------------

    def _show(self, task: Task, system: str, replicas: list[Replica]) -> None:
        obstacle = self._obstacles.to_show(task, system, replicas)
        if obstacle is not None:
            self._mention(task, system, obstacle)
            return
        contact = self._obstacles.contact(task, system)
        free = self._free(task, (task.id, system, Action.CREATE), contact)
        # A contact that is still to be created has no lane, and its first task closes nothing.
        if contact is not None and self._capabilities[system].lane is not None:
            exclusive = task.kind in self._capabilities[system].exclusive
            self._lanes[system, contact].wishes[task.id] = Wish(task.id, exclusive, task.due, task.put_back)
            if not free:
                self._lanes[system, contact].stuck.add(task.id)
        elif free:
            self._operations.append(self._create(task, system, contact, lane=False))

    def _create(self, task: Task, system: str, contact: str | None, *, lane: bool) -> Planned:
        crm = self._policy.crm(system)
        why = f"created in {self._policy.crm(task.origin)}, not yet in {crm}"
        if task.put_back and self._capabilities[system].lane is not None:
            why = f"closed in {crm} by our mistake, to be created again"
        elif any(r.state is ReplicaState.SUPERSEDED for r in self._base.copies(task.id, system)):
            why = f"closed in {crm} by a newer task, but still to be done"
        return Planned(task.id, system, Action.CREATE, task.kind, contact, task.due, why, lane=lane)

    def _free(self, task: Task, slot: tuple[str, str, Action], contact: str | None, copy: str | None = None) -> bool:
        """Whether no earlier attempt prevents this operation. If one does, the reason is listed."""
        tried = self._obstacles.tried(task, slot, contact, copy)
        self._mention(task, slot[1], tried.obstacle)
        return tried.free

    def _mention(self, task: Task, system: str, obstacle: Obstacle | None) -> None:
        if obstacle is not None:
            say = self._attend if obstacle.attention else self._wait
            say(task, system, obstacle.reason, obstacle.detail)

    # lanes -----------------------------------------------------------------------------------------

    def plan_lanes(self) -> None:
        """Plan all lanes. Each is planned as a whole, because every write in a lane depends on the others."""
        for (system, contact), lane in sorted(self._lanes.items()):
            plan = self.plan_lane(system, contact)
            if plan is None:
                continue
            for step in plan.steps:
                task = self._base.tasks[step.task]
                if isinstance(step, CompleteTop):
                    replica = self._base.replicas[system, step.remote_id]
                    self._operations.append(self._complete(task, replica, lane=True))
                elif step.replaces:
                    replica = self._base.replicas[system, step.replaces]
                    changes = changes_owed(task, replica, self._capabilities[system], self._policy)
                    self._operations.append(self._change(task, replica, changes, lane=True))
                else:
                    self._operations.append(self._create(task, system, contact, lane=True))
            for task_id, reason in plan.waits:
                # Of a stuck task it is told already what keeps it.
                if task_id not in lane.stuck:
                    for_slot = reason in {Reason.SLOT_TAKEN, Reason.PUT_BACK}
                    detail = self._who_has_the_slot(system, contact, plan) if for_slot else ""
                    self._wait(self._base.tasks[task_id], system, reason, detail)

    def plan_lane(self, system: str, contact: str) -> LanePlan | None:
        """Plan the steps of one lane; ``None`` if it was not read, or an operation in it must be settled first."""
        lane = self._lanes[system, contact]
        listing = self._seen[system].lanes.get(contact)
        asked = [task for task in (*lane.closes.values(), *lane.wishes) if task not in lane.stuck]
        # A request in doubt may still arrive, and would then close what this plan has put on top.
        if listing is None or self._base.unsettled(system, contact):
            for task in asked:
                reason = Reason.UNREAD if listing is None else Reason.LANE_BLOCKED
                self._wait(self._base.tasks[task], system, reason)
            return None
        stack = [
            self._open_task(system, reading.remote_id, exclusive=reading.exclusive, lane=lane)
            for reading in listing
            if reading.state is State.OPEN
        ]
        self._mention_unlisted(system, lane, stack)
        above = list(takewhile(lambda task: task.close, stack))
        # Nothing is created on top of a task that is still to be completed: that completion would hit the new one.
        if any(task.task in lane.stuck for task in above):
            return _until_stuck(above, lane.stuck, asked)
        capable = self._capabilities[system].lane
        # A create that was refused leaves the slot to the next task.
        wishes = [wish for wish in lane.wishes.values() if wish.task not in lane.stuck]
        return plan_lane(stack, wishes, replace_later=capable is not None and capable.replace_later)

    def _who_has_the_slot(self, system: str, contact: str, plan: LanePlan) -> str:
        """Return the title and the place of the task that is in the slot after these steps."""
        capabilities, tasks = self._capabilities[system], self._base.tasks
        created = (tasks[step.task] for step in plan.steps if isinstance(step, CreateTask))
        task = next((one for one in created if one.kind in capabilities.exclusive), None)
        place = task.id if task else ""
        if task is None:
            closed = {step.remote_id for step in plan.steps if isinstance(step, CompleteTop)}
            for reading in self._seen[system].lanes[contact]:
                if reading.exclusive and reading.state is State.OPEN and reading.remote_id not in closed:
                    replica = self._base.replicas.get(reading.key)
                    task, place = tasks[replica.task] if replica else None, reading.place
                    break
            else:
                return ""
        name = f"“{task.name}”" if task else "a task"
        return f"{name} has the place ({place})"

    def _mention_unlisted(self, system: str, lane: _Lane, stack: list[OpenTask]) -> None:
        """List copies that are to be closed and that the lane does not show. The next run reads whether they exist."""
        for remote_id in sorted(lane.closes.keys() - {task.remote_id for task in stack}):
            task = self._base.tasks[lane.closes[remote_id]]
            if task.id not in lane.stuck:
                words = f"{self._policy.crm(system)} task {remote_id} was not listed"
                self._wait(task, system, Reason.NEXT_RUN, words)

    def _open_task(self, system: str, remote_id: str, *, exclusive: bool, lane: _Lane) -> OpenTask:
        replica = self._base.replicas.get((system, remote_id))
        if replica is None:
            return OpenTask(remote_id, exclusive, ours=False, close=False, task=None)
        close = remote_id in lane.closes
        due = self._base.tasks[replica.task].due
        return OpenTask(remote_id, exclusive, replica.ours, close=close, task=replica.task, due=due)

    def _wait(self, task: Task, system: str, reason: Reason, detail: str = "") -> None:
        self._waiting.append(Item(task.id, system, reason, detail))

    def _attend(self, task: Task, system: str, reason: Reason, detail: str = "") -> None:
        self._attention.append(Item(task.id, system, reason, detail))


def _not_editable(changes: Iterable[Change]) -> str:
    return "; ".join(
        f"{one.field.value} stays {in_words(one.old)} there; the task has {in_words(one.new)}" for one in changes
    )


def _until_stuck(above: Iterable[OpenTask], stuck: Collection[str], asked: Iterable[str]) -> LanePlan:
    """Complete from the top down to the first task that cannot be completed now. Everything else in the lane waits."""
    steps = []
    for open_task in above:
        if open_task.task is None or open_task.task in stuck:
            break
        steps.append(CompleteTop(open_task.remote_id, open_task.task))
    served = {step.task for step in steps}
    return LanePlan(tuple(steps), tuple((task, Reason.LANE_BLOCKED) for task in asked if task not in served))
