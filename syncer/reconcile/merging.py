"""One merge in the making: a copy of the base, brought up to date step by step, and what of it is new (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from syncer.contract.adapter import Capabilities, LanePolicy
from syncer.domain.base import UNSETTLED, Action, Base, Changes, Event, OpState
from syncer.domain.cursors import BEHIND, COMPANY, FORERUNNER
from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task, next_task_id, split_task_id
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import Seen
from syncer.domain.titles import same_title
from syncer.reconcile.closures import NONE, Cause, Effects, explain
from syncer.reconcile.edits.travel import Overwritten, follow
from syncer.reconcile.markers import CLOCKS_DIFFER_BY, is_by_another, named_by
from syncer.reconcile.standing import Standing

FORMER_SINCE = timedelta(hours=1)
"""So long after a ledger's file was copied, a marker with its former name tells that the other file is in use, too."""
LOOP_AFTER = 3
"""So many tasks that are alike may be first seen within a day; the next one is a loop with somebody's automation."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a merge goes by, beside the base. ``effects`` is what our own writes did since the readings before."""

    seen: Mapping[str, Seen]
    capabilities: Mapping[str, Capabilities]
    policy: Policy
    now: datetime
    run: str
    new_id: Callable[[], str]
    effects: Mapping[str, Effects] = field(default_factory=dict)


class Merging:
    """The base as it becomes; its own replicas and tasks are changed by these methods alone."""

    def __init__(self, base: Base, inputs: Inputs) -> None:
        self.base = base.copy()
        self.inputs = inputs
        self.changes = Changes()
        self.incidents: list[Item] = []
        self.waiting: list[Item] = []
        self.undecided: set[tuple[str, str]] = set()
        self.other_ledgers: set[str] = set()
        self.edited: Counter[tuple[str, TaskField]] = Counter()
        self.overwritten: list[Overwritten] = []
        self.systems = [system for system in inputs.policy.systems if system in inputs.seen]
        self.standing = Standing(self.base, inputs.seen, inputs.capabilities, inputs.policy)
        self._open_in: dict[tuple[str, str], str] = {}
        for replica in base.replicas.values():
            if replica.state is ReplicaState.OPEN:
                self._open_in[replica.task, replica.system] = replica.remote_id
        unsettled = [operation for operation in base.operations.values() if operation.state in UNSETTLED]
        completions = [operation for operation in unsettled if operation.action is Action.COMPLETE]
        self._completing = {(operation.system, operation.remote_id or "") for operation in completions}
        self._editing = {(op.system, op.remote_id or "") for op in unsettled if op.action is Action.EDIT}
        self._creating = {(op.task, op.system) for op in unsettled if op.action is Action.CREATE}
        self._unsettled = {(operation.system, operation.contact) for operation in unsettled}

    # questions -------------------------------------------------------------------------------------

    def lane_policy(self, system: str) -> LanePolicy | None:
        return self.inputs.capabilities[system].lane

    def open_replica(self, task: str, system: str) -> Replica | None:
        """The task's copy that is open there; one of which this run read that it does not exist shows nothing.

        An answer to a create may have named a task that is not there, and what was made carries the marker.
        """
        remote_id = self._open_in.get((task, system))
        if remote_id is None or remote_id in self.inputs.seen[system].missing:
            return None
        return self.base.replicas[system, remote_id]

    def is_creating(self, task: str, system: str) -> bool:
        """Whether a create of ours may have been carried out there, so that an unknown task may be its copy."""
        return (task, system) in self._creating

    def is_doubtful(self, system: str, contact: str | None) -> bool:
        """Whether a write in doubt may be what changed this lane: nothing is concluded from it before that is known."""
        return self.lane_policy(system) is not None and (system, contact) in self._unsettled

    def is_being_written(self, replica: Replica) -> bool:
        """Whether a write in doubt may be what changed this copy, so that its base stays as it is."""
        return replica.key in self._completing or replica.key in self._editing

    def has_room(self, task: str, system: str) -> bool:
        """Whether the task has no open replica there, and none may be on its way."""
        return (task, system) not in self._open_in and not self.is_creating(task, system)

    def made(self, reading: Reading) -> bool:
        """Whether our create made it."""
        replica = self.base.replicas.get(reading.key)
        return replica is not None and replica.made

    def is_made_as(self, replica: Replica, reading: Reading) -> bool:
        """Whether this may be what we made: it has our marker still, or its due or its title.

        People may change one of these. All at once, in a task that no run has read since, are another task's. A list's
        row shows no marker: it is believed, unless the whole task was read before and is another one (it is gone).
        """
        if not self.inputs.capabilities[reading.system].reads_marker:
            return True
        due_alike = self.inputs.policy.same_due(reading, replica)
        if not reading.whole:
            return replica.state is not ReplicaState.GONE or due_alike
        task = self.base.tasks[replica.task]
        marked = reading.marker is not None and named_by(self.base, reading.marker) == task
        # The answer to a create may show no title; what was sent is the task's. No title at all is no likeness.
        title = replica.title or task.title
        titled = bool(title and reading.title) and same_title(reading.title, title)
        return marked or titled or due_alike

    def is_mistaken(self, replica: Replica, reading: Reading) -> bool:
        """Whether the answer to our create named this task, and it is somebody else's: nothing of ours is there."""
        return replica.ours and not self.is_made_as(replica, reading)

    def effects(self, system: str) -> Effects:
        """What our writes did in this CRM."""
        return self.inputs.effects.get(system, NONE)

    def cause(self, closed: Reading) -> Cause:
        """What closed this task."""
        lane_policy = self.lane_policy(closed.system)
        lane = self.inputs.seen[closed.system].lanes.get(closed.contact or "", ())
        us = self.standing.probably_us(closed.system)
        cause = explain(
            closed,
            lane,
            self.effects(closed.system),
            made={row.key for row in lane if self.made(row)},
            us=us,
            window=None if lane_policy is None else lane_policy.supersede_window,
        )
        by_us = lane_policy is not None and us is not None and closed.updated_by == us
        return Cause.ANOTHER_LEDGER if cause is Cause.PERSON and by_us and self.may_have_company else cause

    def contact_of(self, reading: Reading) -> str | None:
        """The link of the reading's contact, made now if its record was linked to nobody; ``None`` if unread."""
        key = (reading.system, reading.contact or "")
        if key not in self.base.links:
            if key not in self.base.records:
                return None
            self.base.links[key] = self.changes.links[key] = self.inputs.new_id()
        return self.base.links[key]

    # changes ---------------------------------------------------------------------------------------

    def fresh_id(self, reading: Reading) -> str:
        """The id of a task that begins here: the place, and where there was one before, the next one of that place."""
        task = reading.place
        known = self.base.replicas.get(reading.key)
        if known is not None and split_task_id(known.task)[0] == task:
            task = next_task_id(known.task)
        while task in self.base.tasks:
            task = next_task_id(task)
        return task

    def begin(self, reading: Reading, *, task_id: str = "", held: str = "", again: bool = False) -> Task:
        """A new task whose origin is this reading; ``again`` where it was a task before, and was reopened."""
        inputs = self.inputs
        task = Task(
            id=task_id or self.fresh_id(reading),
            contact=self.contact_of(reading) or inputs.new_id(),
            kind=reading.kind,
            title=reading.title,
            body=reading.body,
            due=reading.due or (inputs.now + inputs.policy.default_due).replace(microsecond=0),
            due_synthetic=reading.due is None,
            origin=reading.system,
            assignee=inputs.policy.users.get((reading.system, reading.assignee or "")),
            notify_at=reading.notify_at,
            held=held,
            first_seen=inputs.now,
        )
        task = task if again else self._unless_loop(task)
        self.put_task(task)
        self.put_replica(follow(self, replica_of(reading, task.id), reading))
        self.event("seen", "them", f"first seen in {reading.system}", task.id, reading)
        return task

    def _unless_loop(self, task: Task) -> Task:
        """Hold a task that is alike to so many others that an automation must be copying our copies back."""
        alike = (task.contact, task.kind, task.title, task.due)
        self.base.recent[alike] = self.base.recent.get(alike, 0) + 1
        if task.held or task.due_synthetic or self.base.recent[alike] <= LOOP_AFTER:
            return task
        return replace(task, held=Reason.LOOP)

    def follow_origin(self, task: Task, reading: Reading, title: str | None, *, anew: bool = False) -> None:
        """The task as its origin's copy now shows it; fields that travel are merged, unless it is read ``anew``."""
        travels = frozenset[TaskField]() if anew else self.inputs.policy.edits
        followed = replace(
            task,
            contact=self._person_of(task, reading),
            title=task.title if TaskField.TITLE in travels else title or task.title,
            notify_at=reading.notify_at or task.notify_at,
        )
        if reading.whole and TaskField.BODY not in travels:
            followed = replace(followed, body=reading.body or task.body)
        if TaskField.DUE not in travels:
            synthetic = task.due_synthetic and reading.due is None
            followed = replace(followed, due=self._due_of(task, reading), due_synthetic=synthetic)
        if followed != task:
            self.put_task(followed)
            self.event("changed", "them", "person, title, body or due follow the origin", followed.id, reading)

    def _due_of(self, task: Task, reading: Reading) -> datetime:
        """The task's due as its origin shows it; where that CRM keeps less of it than is known, what is known."""
        same = self.inputs.policy.dues_of(reading.system).same(reading.due, task.due)
        return task.due if reading.due is None or (same and not task.due_synthetic) else reading.due

    def _person_of(self, task: Task, reading: Reading) -> str:
        """Whose the task is: another one's, whose contact has it by now, once its person has no contact there.

        That is how a contact that was merged into another one looks.
        """
        key, links = (reading.system, reading.contact or ""), self.base.links
        record = self.base.records.get(key)
        if links.get(key) == task.contact or record is None or not (record.phones or record.emails):
            return task.contact
        if any(system == reading.system for system, _ in self.base.contacts_of(task.contact)):
            return task.contact
        return self.contact_of(reading) or task.contact

    def race(self, task: Task, reading: Reading, *, put_back: bool = True) -> None:
        """A write of ours closed what it should not have: it closes nothing elsewhere; theirs is to be put back."""
        detail = f"{reading.system} {reading.raw_type or 'task'} {reading.remote_id} was closed by a write of ours"
        if put_back:
            self.put_task(replace(task, put_back=True))
        self.event("incident", "us", detail, task.id, reading)
        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))

    def is_created(self, task: str, system: str, remote_id: str) -> None:
        """What a create in doubt was to make is there: nothing else that carries its marker is what it made."""
        for operation in self.base.operations_in((task, system, Action.CREATE)):
            if operation.state in UNSETTLED:
                settled = replace(operation, state=OpState.DONE, remote_id=remote_id, failures=0, not_before=None)
                self.base.operations[operation.id] = self.changes.operations[operation.id] = settled
        self._creating.discard((task, system))

    def is_back(self, task_id: str, system: str) -> None:
        """A task that waited to be put back there is open again, by whomever."""
        task = self.base.tasks[task_id]
        if task.put_back and self.lane_policy(system) is not None:
            self.put_task(replace(task, put_back=False))

    def leave(self, reading: Reading, words: str) -> None:
        """Until it is known what this is, nothing is made for its contact there, which might be it."""
        self.waiting.append(Item(None, reading.system, Reason.UNREAD, words))
        self.undecided.add((reading.system, reading.contact or ""))

    def set_behind(self, link: str, *, behind: bool) -> None:
        """Remember whether something was written for this person that the ledger does not know."""
        self._note(BEHIND + link, "1" if behind else "")

    def note_forerunner(self) -> None:
        """Remember that another ledger wrote here: a later run may not read its markers again."""
        self._note(FORERUNNER, "1")

    def _note(self, cursor: str, value: str) -> None:
        if self.base.cursors.get(cursor, "") != value:
            self.base.cursors[cursor] = self.changes.cursors[cursor] = value

    @property
    def may_have_company(self) -> bool:
        """Whether another ledger may write beside this one."""
        return bool(self.base.cursors.get(COMPANY))

    def note_ledger(self, reading: Reading) -> None:
        """Notice a ledger that writes beside this one: its marker is in a task that was made after this ledger.

        People copy tasks with their markers. So only the one copy of its task in this CRM counts.
        """
        marker, made_at, created_at = reading.marker, self.base.ledger_made_at, reading.created_at
        if not is_by_another(self.base, reading) or marker is None or made_at is None or created_at is None:
            return
        self._note(COMPANY, "1")
        former = marker.ledger in self.base.former_ids
        if created_at <= made_at + (FORMER_SINCE if former else CLOCKS_DIFFER_BY):
            return
        known = [copy for copy in self.base.copies(marker.task, reading.system) if copy.remote_id != reading.remote_id]
        if self._marked[reading.system, marker.task] <= 1 and not known:
            self.other_ledgers.add(marker.ledger)

    @cached_property
    def _marked(self) -> Counter[tuple[str, str]]:
        """By CRM and task, how many of the readings carry its marker."""
        rows = [row for seen in self.inputs.seen.values() for row in seen.readings.values()]
        return Counter((row.system, row.marker.task) for row in rows if row.marker is not None)

    def put_task(self, task: Task) -> None:
        self.base.tasks[task.id] = self.changes.tasks[task.id] = task

    def put_replica(self, replica: Replica) -> None:
        old = self.base.replicas.get(replica.key)
        if old is not None and replica.state is ReplicaState.OPEN and self.is_being_written(old):
            # That it has another due by now is how its completion will be known: a recurring task moves on. And that
            # it has another text is how an edit will be.
            replica = replace(replica, due=old.due, title=old.title, body=old.body, assignee=old.assignee)
        if old == replica:
            return
        if old is not None and self._open_in.get((old.task, old.system)) == old.remote_id:
            del self._open_in[old.task, old.system]
        if replica.state is ReplicaState.OPEN:
            before = self._open_in.get((replica.task, replica.system))
            if before is not None and before in self.inputs.seen[replica.system].missing - {replica.remote_id}:
                self.put_replica(replace(self.base.replicas[replica.system, before], state=ReplicaState.GONE))
            self._open_in[replica.task, replica.system] = replica.remote_id
        self.base.replicas[replica.key] = self.changes.replicas[replica.key] = replica

    def end_mistaken(self, mistaken: Task, task: str, row: Reading) -> None:
        """What the row was taken for, while nothing else could be read, is no task: it is a copy of this one."""
        ended = replace(mistaken, state=State.CANCELLED)
        if self.base.tasks.get(mistaken.id) == ended:
            return
        self.put_task(ended)
        self.event("joined", "us", f"it is a copy of {task}", mistaken.id, row)

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
        body=(reading.body or "") if reading.whole else None,
        assignee=(reading.assignee or "") if reading.whole else None,
    )


def in_order(readings: Iterable[Reading]) -> list[Reading]:
    """Oldest first; the id breaks ties, so that the same readings always give the same result."""
    return sorted(readings, key=lambda r: (r.created_at is None, r.created_at or 0, r.number))
