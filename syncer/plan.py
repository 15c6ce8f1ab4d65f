"""From what is true to what is to be done, with a reason on every operation and on everything that waits (pure)."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import takewhile

from adapters.base import Capabilities, ListsTasks
from syncer.contacts import Ambiguity, Namesakes
from syncer.lane import CompleteTop, LanePlan, OpenTask, Wish, plan_lane
from syncer.model import Kind, Replica, ReplicaState, State, Task
from syncer.observations import ConnectionState, Seen
from syncer.policy import Policy
from syncer.reasons import Item, Reason
from syncer.state import HOLD, LONGEST_WAIT, UNSETTLED, Action, Base, Operation, OpState

FAILURES_UNTIL_ATTENTION = 5


@dataclass(frozen=True, slots=True)
class Planned:
    """One operation to be: ``contact`` is the contact's id in that system, ``None`` if it is to be made first.

    ``lane`` says that the contact's lane decides again, from a fresh reading, just before.
    """

    task: str
    system: str
    action: Action
    kind: Kind
    contact: str | None
    due: datetime
    reason: str
    remote_id: str | None = None
    lane: bool = False

    @property
    def order(self) -> tuple[bool, datetime, str, str]:
        """Completions before creates, then by due date."""
        return (self.action is Action.CREATE, self.due, self.task, self.system)

    @property
    def slot(self) -> tuple[str, str, Action]:
        return (self.task, self.system, self.action)


@dataclass(frozen=True, slots=True)
class Plan:
    """Operations in the order in which they are sent, and what is not done, each with its reason."""

    operations: tuple[Planned, ...]
    waiting: tuple[Item, ...]
    attention: tuple[Item, ...]


@dataclass(slots=True)
class _Lane:
    """What one lane is asked for."""

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
) -> Plan:
    """Everything that could be done now. Tasks are looked at in the order of their ids."""
    planner = _Planner(base, seen, capabilities, policy, ambiguities, now)
    for task in sorted(base.tasks.values(), key=lambda task: task.id):
        planner.plan_task(task)
    planner.plan_lanes()
    return planner.finish()


def fingerprint(task: Task, base: Base, system: str, contact: str | None) -> str:
    """What a refused write depended on: when it changes, the write is worth another try."""
    mine = [(system, contact)] if contact else sorted(key for key, link in base.links.items() if link == task.contact)
    records = [base.records.get(key) for key in mine]
    parts = (task.kind, task.title, task.body, task.due, task.state, contact or "", records)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def plan_one_lane(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    policy: Policy,
    *,
    system: str,
    contact: str,
    now: datetime,
) -> LanePlan:
    """What may be done in one lane that was just read again. ``base`` may be narrowed to the lane's tasks."""
    planner = _Planner(base, seen, capabilities, policy, (), now)
    for task in sorted(base.tasks.values(), key=lambda task: task.id):
        planner.plan_task(task)
    return planner.plan_lane(system, contact) or LanePlan((), ())


class _Planner:
    """One plan in the making."""

    def __init__(
        self,
        base: Base,
        seen: Mapping[str, Seen],
        capabilities: Mapping[str, Capabilities],
        policy: Policy,
        ambiguities: tuple[Ambiguity, ...],
        now: datetime,
    ) -> None:
        self._base = base
        self._seen = seen
        self._capabilities = capabilities
        self._policy = policy
        self._now = now
        self._operations: list[Planned] = []
        self._waiting: list[Item] = []
        self._attention: list[Item] = []
        self._lanes: dict[tuple[str, str], _Lane] = defaultdict(_Lane)
        self._replicas: dict[tuple[str, str], list[Replica]] = defaultdict(list)
        for replica in base.replicas.values():
            self._replicas[replica.task, replica.system].append(replica)
        self._latest = {op.slot: op for op in sorted(base.operations.values(), key=lambda op: (op.created_at, op.id))}
        self._namesakes = Namesakes(base.records)
        self._contacts = {(link, system): remote_id for (system, remote_id), link in base.links.items()}
        self._unsettled = {(op.system, op.contact) for op in base.operations.values() if op.state in UNSETTLED}
        self._doubts: dict[tuple[str, str], list[Ambiguity]] = defaultdict(list)
        for doubt in ambiguities:
            for record in doubt.records:
                self._doubts[record].append(doubt)
        self._attention += [Item(None, d.records[0][0], Reason.AMBIGUOUS_CONTACT, d.sentence) for d in ambiguities]

    def finish(self) -> Plan:
        in_order = sorted(self._operations, key=lambda operation: operation.order)
        return Plan(tuple(in_order), tuple(self._waiting), tuple(self._attention))

    def plan_task(self, task: Task) -> None:
        """What this one task needs, in every system."""
        for system in self._policy.systems:
            replicas = self._replicas.get((task.id, system), [])
            shown = [replica for replica in replicas if replica.state is ReplicaState.OPEN]
            if task.state is not State.OPEN:
                for replica in shown:
                    self._close(task, replica)
                if not shown:
                    self._mention_doubt(task, system)
            elif not shown and self._should_show(task, system, replicas):
                self._show(task, system, replicas)

    def _should_show(self, task: Task, system: str, replicas: list[Replica]) -> bool:
        """Where the route names the system, or a copy was there that is to be put back or went missing."""
        gone = any(replica.state is ReplicaState.GONE for replica in replicas)
        to_put_back = task.put_back and self._capabilities[system].lane is not None
        return gone or to_put_back or system in self._policy.routes[task.kind]

    # closing ---------------------------------------------------------------------------------------

    def _mention_doubt(self, task: Task, system: str) -> None:
        """A copy that may have been made of a task that is closed by now would be left open."""
        create = self._latest.get((task.id, system, Action.CREATE))
        if create is not None and create.state in UNSETTLED:
            self._wait(task, system, Reason.IN_DOUBT, create.words)

    def _close(self, task: Task, replica: Replica) -> None:
        reason = self._cannot_close(task, replica)
        if reason is not None:
            self._wait(task, replica.system, reason)
            return
        slot = (task.id, replica.system, Action.COMPLETE)
        free = self._free(task, slot, replica.contact)
        if self._capabilities[replica.system].lane is not None:
            lane = self._lanes[replica.system, replica.contact]
            lane.closes[replica.remote_id] = task.id
            if not free:
                lane.stuck.add(task.id)
        elif free:
            self._operations.append(self._complete(task, replica, lane=False))

    def _cannot_close(self, task: Task, replica: Replica) -> Reason | None:
        capabilities = self._capabilities[replica.system]
        if task.kind not in capabilities.completes_kinds:
            return Reason.NOT_COMPLETABLE
        if replica.sequence and not capabilities.completes_sequences:
            return Reason.SEQUENCE_READ_ONLY
        return self._unusable(replica.system)

    def _complete(self, task: Task, replica: Replica, *, lane: bool) -> Planned:
        why = f"{task.state} elsewhere, still open in {replica.system}"
        return Planned(
            task.id, replica.system, Action.COMPLETE, task.kind, replica.contact, task.due, why, replica.remote_id, lane
        )

    # showing ---------------------------------------------------------------------------------------

    def _show(self, task: Task, system: str, replicas: list[Replica]) -> None:
        states = {replica.state for replica in replicas}
        if ReplicaState.GONE in states:
            gone = next(replica for replica in replicas if replica.state is ReplicaState.GONE)
            self._attend(task, system, Reason.REPLICA_MISSING, f"{system} task {gone.remote_id} no longer exists")
            return
        reason = self._cannot_show(task, system, states)
        if reason is not None:
            self._wait(task, system, reason)
            return
        if (unread := self._unread_origin(task)) is not None:
            words = f"known from a copy of ours alone; what it was made from may be in {unread}, which is yet unread"
            self._wait(task, system, Reason.UNREAD, words)
            return
        contact = self._contacts.get((task.contact, system))
        missing = self._no_contact(task, system) if contact is None else None
        if missing is not None:
            self._wait(task, system, *missing)
            return
        free = self._free(task, (task.id, system, Action.CREATE), contact)
        if contact is not None and self._capabilities[system].lane is not None:
            exclusive = task.kind in self._capabilities[system].exclusive
            self._lanes[system, contact].wishes[task.id] = Wish(task.id, exclusive, task.due, task.put_back)
            if not free:
                self._lanes[system, contact].stuck.add(task.id)
        elif free:
            self._operations.append(self._create(task, system, contact, lane=False))

    def _cannot_show(self, task: Task, system: str, states: set[ReplicaState]) -> Reason | None:
        capabilities = self._capabilities[system]
        if states & {ReplicaState.DONE, ReplicaState.CANCELLED}:
            return Reason.CLOSED_THERE
        if task.kind not in capabilities.creates:
            return Reason.NOT_SUPPORTED
        unusable = self._unusable(system)
        if unusable is not None:
            return unusable
        held_until = self._base.cursors.get(HOLD + system)
        if held_until is not None and self._is_ahead(datetime.fromisoformat(held_until)):
            return Reason.STORAGE_FULL
        unread = capabilities.lists_tasks is ListsTasks.ALL and self._is_unread(system, task.contact)
        return Reason.UNREAD if unread else None

    def _unread_origin(self, task: Task) -> str | None:
        """The CRM that may have what the task was made from, where only copies of ours are known."""
        copies = {system: found for system in self._capabilities if (found := self._replicas.get((task.id, system)))}
        if not copies or any(not copy.made or copy.ours for found in copies.values() for copy in found):
            return None
        others = sorted(self._capabilities.keys() - copies.keys())
        return next((system for system in others if self._is_unread(system, task.contact)), None)

    def _is_unread(self, system: str, link: str) -> bool:
        """Whether somebody's tasks there are not known: never read since the ledger is there, or not in this run."""
        seen, contact = self._seen.get(system), self._contacts.get((link, system))
        lists_all = self._capabilities[system].lists_tasks is ListsTasks.ALL
        return seen is None or seen.lacks(contact, lists_all=lists_all, visited=(system, contact) in self._base.visits)

    def _create(self, task: Task, system: str, contact: str | None, *, lane: bool) -> Planned:
        why = f"made in {task.origin}, not yet in {system}"
        if task.put_back and self._capabilities[system].lane is not None:
            why = f"closed in {system} by a race, to be put back"
        elif any(r.state is ReplicaState.SUPERSEDED for r in self._replicas.get((task.id, system), ())):
            why = f"superseded in {system} while open elsewhere"
        return Planned(task.id, system, Action.CREATE, task.kind, contact, task.due, why, lane=lane)

    def _no_contact(self, task: Task, system: str) -> tuple[Reason, str] | None:
        """Why a task has no contact there; ``None`` where one is to be made, as is never done for an ambiguous one."""
        mine = [(where, rid) for where in self._capabilities if (rid := self._contacts.get((task.contact, where)))]
        for doubt in (doubt for record in mine for doubt in self._doubts.get(record, ())):
            if any(where == system for where, _ in doubt.records):
                return Reason.AMBIGUOUS_CONTACT, doubt.sentence
        if system in self._policy.create_missing:
            shared = self._namesakes.of(mine, self._capabilities[system].contact_keys)
            if shared is not None:
                return Reason.AMBIGUOUS_CONTACT, shared.sentence
            known = [self._base.records[record] for record in mine]
            keys = [key for record in known for key in (*record.phones, *record.emails)]
            asked = self._base.may_arrive(system, keys, self._now, self._policy.doubt_grace)
            return (Reason.IN_DOUBT, f"{system} was asked to make the contact, and may still do so") if asked else None
        names = " and ".join(f"{where}:{remote_id}" for where, remote_id in sorted(mine))
        return Reason.NO_CONTACT, f"no contact in {system} shares a phone number or e-mail with {names}"

    # what stands in the way ------------------------------------------------------------------------

    def _unusable(self, system: str) -> Reason | None:
        state = self._seen[system].state if system in self._seen else ConnectionState.UNAVAILABLE
        if state is ConnectionState.UNAUTHORIZED:
            return Reason.UNAUTHORIZED
        return None if state is ConnectionState.OK else Reason.UNAVAILABLE

    def _free(self, task: Task, slot: tuple[str, str, Action], contact: str | None) -> bool:
        """Whether nothing that was tried before stands in the way; if not, it is listed with its reason."""
        last = self._latest.get(slot)
        system = slot[1]
        if last is None or last.state is OpState.DONE:
            return True
        if last.state in UNSETTLED:
            self._wait(task, system, Reason.IN_DOUBT, last.words)
            return False
        if last.state is OpState.PARKED:
            if last.fingerprint != fingerprint(task, self._base, system, contact):
                return True
            self._attend(task, system, Reason.REFUSED, self._in_words(last))
            return False
        waits = last.not_before is not None and self._is_ahead(last.not_before)
        if last.failures >= FAILURES_UNTIL_ATTENTION:
            self._attend(task, system, Reason.FAILING, self._in_words(last))
        elif waits:
            self._wait(task, system, Reason.RETRY_LATER, last.words)
        return not waits

    def _is_ahead(self, instant: datetime) -> bool:
        """Whether a wait is not over; one that would take too long was begun while the clock was wrong."""
        return self._now < instant <= self._now + LONGEST_WAIT

    @staticmethod
    def _in_words(operation: Operation) -> str:
        return (
            f"{operation.action} in {operation.system}: {operation.words}; to try again: syncer retry {operation.task}"
        )

    # lanes -----------------------------------------------------------------------------------------

    def plan_lanes(self) -> None:
        for (system, contact), lane in sorted(self._lanes.items()):
            plan = self.plan_lane(system, contact)
            if plan is None:
                continue
            for step in plan.steps:
                task = self._base.tasks[step.task]
                if isinstance(step, CompleteTop):
                    replica = self._base.replicas[system, step.remote_id]
                    self._operations.append(self._complete(task, replica, lane=True))
                else:
                    self._operations.append(self._create(task, system, contact, lane=True))
            for task_id, reason in plan.waits:
                if task_id not in lane.stuck:
                    self._wait(self._base.tasks[task_id], system, reason)

    def plan_lane(self, system: str, contact: str) -> LanePlan | None:
        """Steps of one lane as read; ``None`` if it was not read, or something in it must be settled first."""
        lane = self._lanes[system, contact]
        listing = self._seen[system].lanes.get(contact)
        asked = [task for task in (*lane.closes.values(), *lane.wishes) if task not in lane.stuck]
        if listing is None or (system, contact) in self._unsettled:
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
        if any(task.task in lane.stuck for task in above):
            return _until_stuck(above, lane.stuck, asked)
        capable = self._capabilities[system].lane
        wishes = [wish for wish in lane.wishes.values() if wish.task not in lane.stuck]
        return plan_lane(stack, wishes, replace_later=capable is not None and capable.replace_later)

    def _mention_unlisted(self, system: str, lane: _Lane, stack: list[OpenTask]) -> None:
        """Copies to be closed that the lane does not show: another run will tell whether they are gone."""
        for remote_id in sorted(lane.closes.keys() - {task.remote_id for task in stack}):
            task = self._base.tasks[lane.closes[remote_id]]
            if task.id not in lane.stuck:
                self._wait(task, system, Reason.NEXT_RUN, f"{system} task {remote_id} was not listed")

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


def _until_stuck(above: Iterable[OpenTask], stuck: Collection[str], asked: Iterable[str]) -> LanePlan:
    """Complete from the top down to the first that cannot be completed now; all else of the lane waits for it."""
    steps = []
    for open_task in above:
        if open_task.task is None or open_task.task in stuck:
            break
        steps.append(CompleteTop(open_task.remote_id, open_task.task))
    served = {step.task for step in steps}
    return LanePlan(tuple(steps), tuple((task, Reason.LANE_BLOCKED) for task in asked if task not in served))
