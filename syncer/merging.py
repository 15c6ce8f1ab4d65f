"""One merge in the making: a copy of the base, brought up to date step by step, and what of it is new (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from adapters.base import Capabilities, LanePolicy, ListsTasks
from syncer.model import Reading, Replica, ReplicaState, Task
from syncer.observations import Seen
from syncer.policy import Policy
from syncer.reasons import Item, Reason
from syncer.state import EVERYBODY, UNSETTLED, Action, Base, Changes, Event, OpState


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a merge goes by, beside the base."""

    seen: Mapping[str, Seen]
    capabilities: Mapping[str, Capabilities]
    policy: Policy
    now: datetime
    run: str
    new_id: Callable[[], str]


class Merging:
    """The base as it becomes; its own replicas and tasks are changed by these methods alone."""

    def __init__(self, base: Base, inputs: Inputs) -> None:
        self.base = replace(
            base,
            tasks=dict(base.tasks),
            replicas=dict(base.replicas),
            operations=dict(base.operations),
            links=dict(base.links),
        )
        self.inputs = inputs
        self.changes = Changes()
        self.incidents: list[Item] = []
        self.waiting: list[Item] = []
        self.undecided: set[tuple[str, str]] = set()
        self.systems = [system for system in inputs.policy.systems if system in inputs.seen]
        self._open_in: dict[tuple[str, str], str] = {}
        self._theirs = {replica.task for replica in base.replicas.values() if not replica.made}
        for replica in base.replicas.values():
            if replica.state is ReplicaState.OPEN:
                self._open_in[replica.task, replica.system] = replica.remote_id
        unsettled = [operation for operation in base.operations.values() if operation.state in UNSETTLED]
        self._creating = {(op.task, op.system) for op in unsettled if op.action is Action.CREATE}
        self._unsettled = {(operation.system, operation.contact) for operation in unsettled}

    # questions -------------------------------------------------------------------------------------

    def lane_policy(self, system: str) -> LanePolicy | None:
        return self.inputs.capabilities[system].lane

    def open_replica(self, task: str, system: str) -> Replica | None:
        remote_id = self._open_in.get((task, system))
        return None if remote_id is None else self.base.replicas[system, remote_id]

    def is_creating(self, task: str, system: str) -> bool:
        """Whether a create of ours may have been carried out there, so that an unknown task may be its copy."""
        return (task, system) in self._creating

    def is_doubtful(self, system: str, contact: str | None) -> bool:
        """Whether a write in doubt may be what changed this lane: nothing is concluded from it before that is known."""
        return self.lane_policy(system) is not None and (system, contact) in self._unsettled

    def has_room(self, task: str, system: str) -> bool:
        """Whether the task has no open replica there, and none may be on its way."""
        return (task, system) not in self._open_in and not self.is_creating(task, system)

    def made(self, reading: Reading) -> bool:
        """Whether our create made it."""
        replica = self.base.replicas.get(reading.key)
        return replica is not None and replica.made

    def _made_copies(self, task: str) -> list[Replica]:
        replicas = (self.open_replica(task, system) for system in self.inputs.policy.systems)
        return [replica for replica in replicas if replica is not None and replica.made]

    def made_somewhere(self, task: str) -> bool:
        return bool(self._made_copies(task))

    def rebuilt_from(self, task: str) -> list[Replica]:
        """Its open copies that were known by their markers, and are not from creates that this ledger knows."""
        return [replica for replica in self._made_copies(task) if not replica.ours]

    def awaits_origin(self, task: Task) -> bool:
        """Whether the task was rebuilt from a marker, and nothing that people made was recognised as it so far."""
        first = self.open_replica(task.id, task.origin)
        return first is not None and first.made and not first.ours and task.id not in self._theirs

    def is_unread(self, system: str, person: str | None) -> bool:
        """Whether somebody's tasks in this CRM are not known."""
        seen = self.inputs.seen.get(system)
        contact = self._contacts.get((system, person))
        lists_all = self.inputs.capabilities[system].lists_tasks is ListsTasks.ALL
        return seen is None or seen.lacks(contact, lists_all=lists_all, visited=(system, contact) in self.base.visits)

    @cached_property
    def _contacts(self) -> dict[tuple[str, str | None], str]:
        return {(system, link): contact for (system, contact), link in self.base.links.items()}

    def was_never_read(self, system: str, person: str | None) -> bool:
        """Whether what this CRM shows of somebody was unknown ever since the ledger is there."""
        return (system, EVERYBODY) not in self.base.visits and self.is_unread(system, person)

    def contact_of(self, reading: Reading) -> str | None:
        """The link of the reading's contact, made now if its record was linked to nobody; ``None`` if unread."""
        key = (reading.system, reading.contact or "")
        if key not in self.base.links:
            if key not in self.base.records:
                return None
            self.base.links[key] = self.changes.links[key] = self.inputs.new_id()
        return self.base.links[key]

    # changes ---------------------------------------------------------------------------------------

    def begin(self, reading: Reading, *, task_id: str | None = None, made: bool = False) -> Task:
        """A new task whose origin is this reading."""
        inputs = self.inputs
        task = Task(
            id=task_id or inputs.new_id(),
            contact=self.contact_of(reading) or inputs.new_id(),
            kind=reading.kind,
            title=reading.title,
            body=reading.body,
            due=reading.due or (inputs.now + inputs.policy.default_due).replace(microsecond=0),
            due_synthetic=reading.due is None,
            origin=reading.system,
            assignee=inputs.policy.users.get((reading.system, reading.assignee or "")),
            notify_at=reading.notify_at,
            first_seen=inputs.now,
        )
        self.put_task(task)
        self.put_replica(replica_of(reading, task.id, made=made))
        self.event("seen", "them", f"first seen in {reading.system}", task.id, reading)
        return task

    def follow_origin(self, task: Task, reading: Reading, title: str | None) -> None:
        """The task as its origin's copy now shows it."""
        followed = replace(
            task,
            title=title or task.title,
            body=(reading.body or task.body) if reading.whole else task.body,
            due=reading.due or task.due,
            due_synthetic=task.due_synthetic and reading.due is None,
            notify_at=reading.notify_at or task.notify_at,
        )
        if followed != task:
            self.put_task(followed)
            self.event("changed", "them", "title, body or due follow the origin", followed.id, reading)

    def race(self, task: Task, reading: Reading, *, put_back: bool = True) -> None:
        """A write of ours closed what it should not have: it closes nothing elsewhere; theirs is to be put back."""
        detail = f"{reading.system} {reading.raw_type or 'task'} {reading.remote_id} was closed by a write of ours"
        if put_back:
            self.put_task(replace(task, put_back=True))
        self.event("incident", "us", detail, task.id, reading)
        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))

    def is_created(self, task: str, system: str, remote_id: str) -> None:
        """What a create in doubt was to make is there: nothing else that carries its marker is what it made."""
        for operation in self.base.operations.values():
            if operation.state in UNSETTLED and operation.slot == (task, system, Action.CREATE):
                settled = replace(operation, state=OpState.DONE, remote_id=remote_id, failures=0, not_before=None)
                self.changes.operations[operation.id] = settled
        self.base.operations.update(self.changes.operations)
        self._creating.discard((task, system))

    def is_back(self, task_id: str, system: str) -> None:
        """A task that waited to be put back there is open again, by whomever."""
        task = self.base.tasks[task_id]
        if task.put_back and self.lane_policy(system) is not None:
            self.put_task(replace(task, put_back=False))

    def put_task(self, task: Task) -> None:
        self.base.tasks[task.id] = self.changes.tasks[task.id] = task

    def put_replica(self, replica: Replica) -> None:
        old = self.base.replicas.get(replica.key)
        if old == replica:
            return
        if old is not None and self._open_in.get((old.task, old.system)) == old.remote_id:
            del self._open_in[old.task, old.system]
        if replica.state is ReplicaState.OPEN:
            self._open_in[replica.task, replica.system] = replica.remote_id
        if not replica.made:
            self._theirs.add(replica.task)
        self.base.replicas[replica.key] = self.changes.replicas[replica.key] = replica

    def event(self, what: str, who: str, detail: str, task: str, about: Reading | Replica) -> None:
        """A line of the task's history."""
        now, run = self.inputs.now, self.inputs.run
        self.changes.events.append(Event(now, what, who, detail, task, about.system, about.remote_id, run))


def replica_of(reading: Reading, task: str, *, made: bool = False) -> Replica:
    """The reading as a task's open replica, not one that we could be sure nobody has touched."""
    return Replica(
        system=reading.system,
        remote_id=reading.remote_id,
        task=task,
        contact=reading.contact or "",
        made=made,
        exclusive=reading.exclusive,
        sequence=reading.sequence,
        raw_type=reading.raw_type,
        title=reading.title,
        due=reading.due,
    )


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    """Oldest first; the id breaks ties, so that the same readings always give the same result."""
    return sorted(readings, key=lambda r: (r.created_at is None, r.created_at or 0, r.number))
