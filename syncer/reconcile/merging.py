"""The state of one merge: a copy of the base that is updated step by step, and its changes (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from syncer.contract.adapter import Capabilities, LanePolicy
from syncer.domain.altering import altered
from syncer.domain.base import Base, Changes
from syncer.domain.cursors import APART, BEHIND, COMPANY
from syncer.domain.events import Event
from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.policy import Policy
from syncer.domain.reasons import MAY_BE_ANOTHER, Item, Reason
from syncer.domain.snapshot import Seen
from syncer.domain.task_ids import next_task_id, split_task_id
from syncer.domain.titles import same_title
from syncer.reconcile.closures import NONE, Cause, Effects, explain
from syncer.reconcile.edits.travel import Overwritten, follow
from syncer.reconcile.markers import named_by
from syncer.reconcile.standing import Standing

LOOP_AFTER = 3
"""How many equal tasks may be first seen within a day: people do make three. One more is taken for a loop."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input of a merge, beside the base. ``effects`` are what our writes did since the CRMs were last read."""

    seen: Mapping[str, Seen]
    capabilities: Mapping[str, Capabilities]
    policy: Policy
    now: datetime
    run: str
    new_id: Callable[[], str]
    effects: Mapping[str, Effects] = field(default_factory=dict)

    @property
    def made_up_due(self) -> datetime:
        """The due date of a task without one that is first seen now, in whole seconds."""
        return (self.now + self.policy.default_due).replace(microsecond=0)


class Merging:
    """The new base. Only these methods change its replicas and tasks, so that ``changes`` is complete."""

    def __init__(self, base: Base, inputs: Inputs) -> None:
        self.before = base
        """The base as it was before this merge. It is never changed."""
        self.base = base.copy()
        self.inputs = inputs
        self.changes = Changes()
        self.incidents: list[Item] = []
        self.waiting: list[Item] = []
        self.undecided: set[tuple[str, str]] = set()
        self.apart: set[str] = set()
        """Links that may be one person with another link, see `syncer.reconcile.apart`."""
        self.other_ledgers: set[str] = set()
        self.edited: Counter[tuple[str, TaskField]] = Counter()
        self.overwritten: list[Overwritten] = []
        self.systems = [system for system in inputs.policy.systems if system in inputs.seen]
        self.standing = Standing(self.base, inputs.seen, inputs.capabilities, inputs.policy)
        self._open_in: dict[tuple[str, str], str] = {}
        for replica in base.replicas.values():
            if replica.state is ReplicaState.OPEN:
                self._open_in[replica.task, replica.system] = replica.remote_id
        # These are asked for each row of a merge. Without the sets, each question would walk over all operations.
        unsettled = [operation for operation in base.operations.values() if operation.is_unsettled]
        completions = [operation for operation in unsettled if operation.action is Action.COMPLETE]
        self._completing = {(operation.system, operation.remote_id or "") for operation in completions}
        self._editing = {(op.system, op.remote_id or "") for op in unsettled if op.action is Action.EDIT}
        self._creating = {(op.task, op.system) for op in unsettled if op.action is Action.CREATE}
        self._unsettled = {(operation.system, operation.contact) for operation in unsettled}

    # questions -------------------------------------------------------------------------------------

    def lane_policy(self, system: str) -> LanePolicy | None:
        return self.inputs.capabilities[system].lane

    def open_replica(self, task: str, system: str) -> Replica | None:
        """Return the task's open copy there, unless this run read that it does not exist.

        The answer to a create may have named a task that does not exist. The real copy then carries the marker.
        """
        remote_id = self._open_in.get((task, system))
        # It counts as missing at once here. After the usual two runs, the real copy would have become a duplicate.
        if remote_id is None or remote_id in self.inputs.seen[system].missing:
            return None
        return self.base.replicas[system, remote_id]

    def is_creating(self, task: str, system: str) -> bool:
        """Whether a create of ours is unsettled there, so that an unknown task may be its copy."""
        return (task, system) in self._creating

    def is_doubtful(self, system: str, contact: str | None) -> bool:
        """Whether a write in doubt may have changed this lane, so that nothing follows from it until it is settled."""
        return self.lane_policy(system) is not None and (system, contact) in self._unsettled

    def is_being_written(self, replica: Replica) -> bool:
        """Whether a write in doubt may have changed this copy, so that its base must stay as it is."""
        return replica.key in self._completing or replica.key in self._editing

    def has_room(self, task: str, system: str) -> bool:
        """Whether the task has no open replica there, and no unsettled create may have made one."""
        return (task, system) not in self._open_in and not self.is_creating(task, system)

    def made(self, reading: Reading) -> bool:
        """Whether a create of ours made this row."""
        replica = self.base.replicas.get(reading.key)
        return replica is not None and replica.made

    def is_made_as(self, replica: Replica, reading: Reading) -> bool:
        """Whether the reading may be the copy that we made: it still has our marker, its due date or its title.

        People may change one of these. If all three differ and no run has read the task since, it is another task. A
        row of a list shows no marker, so it counts as our copy unless an earlier full read showed another task.
        """
        if not self.inputs.capabilities[reading.system].reads_marker:
            return True
        due_alike = self.inputs.policy.same_due(reading, replica)
        if not reading.whole:
            return replica.state is not ReplicaState.GONE or due_alike
        task = self.base.tasks[replica.task]
        marked = reading.marker is not None and named_by(self.base, reading.marker) == task
        # The answer to a create may show no title. Then the task's title, which was sent, is compared.
        title = replica.title or task.title
        titled = bool(title and reading.title) and same_title(reading.title, title)
        return marked or titled or due_alike

    def is_mistaken(self, replica: Replica, reading: Reading) -> bool:
        """Whether the answer to our create named this task, although it is somebody else's."""
        return replica.ours and not self.is_made_as(replica, reading)

    def effects(self, system: str) -> Effects:
        """Return what our writes did in this CRM."""
        return self.inputs.effects.get(system, NONE)

    def cause(self, closed: Reading) -> Cause:
        """Return what closed this task."""
        lane_policy = self.lane_policy(closed.system)
        lane = self.inputs.seen[closed.system].lanes.get(closed.contact or "", ())
        # A ledger that has made nothing there does not know its user. The probable one is enough to leave a task alone.
        us = self.standing.us.probable(closed.system)
        cause = explain(
            closed,
            lane,
            self.effects(closed.system),
            made={row.key for row in lane if self.made(row)},
            us=us,
            window=None if lane_policy is None else lane_policy.supersede_window,
        )
        by_us = lane_policy is not None and us is not None and closed.updated_by == us
        # The API key may belong to a person. Without a second ledger, what that user closed and we did not is done.
        return Cause.ANOTHER_LEDGER if cause is Cause.PERSON and by_us and self.may_have_company else cause

    def contact_of(self, reading: Reading) -> str | None:
        """Return the link of the reading's contact, or ``None`` if the contact was not read.

        A record that nobody linked gets a link of its own.
        """
        key = (reading.system, reading.contact or "")
        if key not in self.base.links:
            if key not in self.base.records:
                return None
            self.base.links[key] = self.changes.links[key] = self.inputs.new_id()
        return self.base.links[key]

    # changes ---------------------------------------------------------------------------------------

    def fresh_id(self, reading: Reading) -> str:
        """Return the id of a task that begins at this place. If the place had a task before, the number is higher."""
        task = reading.place
        known = self.base.replicas.get(reading.key)
        if known is not None and split_task_id(known.task)[0] == task:
            task = next_task_id(known.task)
        # This ledger may have learned of later tasks of the place from the markers of another one.
        while task in self.base.tasks:
            task = next_task_id(task)
        return task

    def begin(self, reading: Reading, *, task_id: str = "", held: str = "", again: bool = False) -> Task:
        """Store a new task whose origin is this reading. ``again`` is true if a finished task was reopened there."""
        inputs = self.inputs
        task = Task(
            id=task_id or self.fresh_id(reading),
            contact=self.contact_of(reading) or inputs.new_id(),
            kind=reading.kind,
            title=reading.title,
            body=reading.body,
            due=reading.due or inputs.made_up_due,
            due_synthetic=reading.due is None,
            origin=reading.system,
            assignee=inputs.policy.users.get((reading.system, reading.assignee or "")),
            notify_at=reading.notify_at,
            held=held,
            first_seen=inputs.now,
        )
        task = self._unless_loop(task, again=again)
        self.put_task(task)
        self.put_replica(follow(self, replica_of(reading, task.id), reading))
        self.event("seen", "them", f"first seen in {reading.system}", task.id, reading)
        return task

    def _unless_loop(self, task: Task, *, again: bool) -> Task:
        """Hold a task that equals so many others that an automation probably copies our copies back, or reopens it."""
        many = self.count_alike(task)
        if task.due_synthetic:
            # An equal due date that we made up shows nothing: all undated tasks of one run get the same one. A task
            # that is reopened without a due date gets another one each time.
            many = self._count_undated(task) if again else 0
        return task if task.held or many <= LOOP_AFTER else replace(task, held=Reason.LOOP)

    def _count_undated(self, task: Task) -> int:
        """Count the tasks like this one that were first seen within a day and whose due date we may have made up."""
        return sum(
            self.base.recent[alike]
            for alike in self.base.recent_of(task.contact)
            if alike[1:3] == (task.kind, task.title) and self.inputs.now < alike[3] <= task.due
        )

    def count_alike(self, task: Task) -> int:
        """Count this task, which is first seen now. Returns how many like it were first seen within a day."""
        alike = (task.contact, task.kind, task.title, task.due)
        self.base.recent[alike] = self.base.recent.get(alike, 0) + 1
        return self.base.recent[alike]

    def follow_origin(self, task: Task, reading: Reading, title: str | None, *, anew: bool = False) -> None:
        """Update the task from its origin. Fields that travel are left to the merge of edits, unless ``anew``.

        ``anew`` is true if the origin was not known before.
        """
        travels = frozenset[TaskField]() if anew else self.inputs.policy.edits
        followed = altered(
            task,
            contact=self._person_of(task, reading),
            title=task.title if TaskField.TITLE in travels else title or task.title,
            notify_at=reading.notify_at or task.notify_at,
        )
        # A row of a list has no text. It does not mean that the text is gone.
        if reading.whole and TaskField.BODY not in travels:
            followed = altered(followed, body=reading.body or task.body)
        if TaskField.DUE not in travels:
            synthetic = task.due_synthetic and reading.due is None
            followed = altered(followed, due=self._due_of(task, reading), due_synthetic=synthetic)
        if followed is not task:
            self.put_task(followed)
            self.event("changed", "them", "person, title, body or due follow the origin", followed.id, reading)

    def _due_of(self, task: Task, reading: Reading) -> datetime:
        """Return the due date from the origin, or the known one if the origin's CRM stores it less precisely."""
        same = self.inputs.policy.dues_of(reading.system).same(reading.due, task.due)
        return task.due if reading.due is None or (same and not task.due_synthetic) else reading.due

    def _person_of(self, task: Task, reading: Reading) -> str:
        """Return the task's person. It changes if the task is on another contact and the person has none left there.

        This is the case after one contact was merged into another. A task that has no copy yet goes with its contact.
        """
        record = self.base.records.get((reading.system, reading.contact or ""))
        # A deleted contact loses its keys and gets a link of its own. That is no other person, so its tasks stay where
        # they are.
        if record is None or not (record.phones or record.emails):
            return task.contact
        # Somebody moved the task to another contact by hand. It stays the same task, and its copies are where they are.
        copied = len(self.base.copies_of(task.id)) > 1 or any(
            operation.is_unsettled for operation in self.base.operations_of(task.id)
        )
        # So does what is left of one of which a copy was moved before.
        copied = copied or task.held == Reason.OTHER_CONTACT
        if copied and any(system == reading.system for system, _ in self.base.contacts_of(task.contact)):
            return task.contact
        return self.contact_of(reading) or task.contact

    def race(self, task: Task, reading: Reading, *, put_back: bool = True) -> None:
        """Note that a write of ours closed the wrong task. The task stays open elsewhere, and is put back if asked."""
        crm = self.inputs.policy.crm(reading.system)
        detail = f"{crm} {reading.raw_type or 'task'} {reading.remote_id} was closed by a write of ours"
        # A copy of ours is not put back: it waits for the slot again, like any other.
        if put_back:
            self.put_task(replace(task, put_back=True))
        self.event("incident", "us", detail, task.id, reading)
        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))

    def is_created(self, task: str, system: str, remote_id: str) -> None:
        """Settle a create in doubt: this is its copy, so no other task with the marker is."""
        for operation in self.base.operations_in((task, system, Action.CREATE)):
            if operation.is_unsettled:
                settled = replace(operation, state=OpState.DONE, remote_id=remote_id, failures=0, not_before=None)
                self.base.operations[operation.id] = self.changes.operations[operation.id] = settled
        self._creating.discard((task, system))

    def is_back(self, task_id: str, system: str) -> None:
        """Note that a task to be put back is open there again, whoever created it."""
        task = self.base.tasks[task_id]
        # It comes back where our write closed it: a copy in another CRM changes nothing in the lane.
        if task.put_back and self.lane_policy(system) is not None:
            self.put_task(replace(task, put_back=False))

    def wait_until_read(self, place: tuple[str, str], contact: str | None, task: str | None) -> None:
        """List it as waiting until every CRM was read for its person, and it is clear who that is."""
        (system, remote_id), reason, first = place, Reason.UNREAD, "every CRM must be read for this person first"
        if self.base.links.get((system, contact or "")) in self.apart:
            reason, first = Reason.AMBIGUOUS_CONTACT, MAY_BE_ANOTHER
        words = f"{self.inputs.policy.crm(system)} task {remote_id}: {first}"
        self.waiting.append(Item(task, system, reason, words, "" if task else remote_id))

    def wait_until_listed(self, replica: Replica) -> None:
        """List a copy as waiting that its CRM's list still shows, while a read of it by itself finds none."""
        words = f"{self.inputs.policy.crm(replica.system)} still lists task {replica.remote_id}, and cannot find it"
        self.waiting.append(Item(replica.task, replica.system, Reason.UNREAD, words))

    def leave(self, reading: Reading) -> None:
        """List the reading as waiting, and create nothing for its contact there: it may be the copy that is missing."""
        self.wait_until_read(reading.key, reading.contact, None)
        self.undecided.add((reading.system, reading.contact or ""))

    def set_behind(self, link: str, *, behind: bool) -> None:
        """Store whether something was written for this person that the ledger does not know."""
        self.note(BEHIND + link, (APART if link in self.apart else "1") if behind else "")

    def note(self, cursor: str, value: str) -> None:
        """Store a small value with a name. An empty one deletes it."""
        if self.base.cursors.get(cursor, "") != value:
            self.base.cursors[cursor] = self.changes.cursors[cursor] = value

    @property
    def may_have_company(self) -> bool:
        """Whether another ledger may write beside this one."""
        return bool(self.base.cursors.get(COMPANY))

    def put_task(self, task: Task) -> None:
        self.base.tasks[task.id] = self.changes.tasks[task.id] = task

    def put_replica(self, replica: Replica) -> None:
        old = self.base.replicas.get(replica.key)
        if old is not None and replica.state is ReplicaState.OPEN and self.is_being_written(old):
            # Settling compares the copy with this base. A new due date shows that the completion of a recurring task
            # was carried out, and a new text shows that an edit was.
            replica = replace(replica, due=old.due, title=old.title, body=old.body, assignee=old.assignee)
        if old is replica or old == replica:
            return
        if old is not None and self._open_in.get((old.task, old.system)) == old.remote_id:
            del self._open_in[old.task, old.system]
        if replica.state is ReplicaState.OPEN:
            before = self._open_in.get((replica.task, replica.system))
            # A task has at most one open replica in a CRM. The one before was read as missing, so it gives way at
            # once, without a second run.
            if before is not None and before in self.inputs.seen[replica.system].missing - {replica.remote_id}:
                self.put_replica(replace(self.base.replicas[replica.system, before], state=ReplicaState.GONE))
            self._open_in[replica.task, replica.system] = replica.remote_id
        self.base.replicas[replica.key] = self.changes.replicas[replica.key] = replica

    def end_mistaken(self, mistaken: Task, task: str, row: Reading) -> None:
        """End a task that was made from this row while the other CRMs could not be read: it is a copy of ``task``."""
        ended = replace(mistaken, state=State.CANCELLED)
        if self.base.tasks.get(mistaken.id) == ended:
            return
        self.put_task(ended)
        self.event("joined", "us", f"it is a copy of {task}", mistaken.id, row)

    def event(
        self, what: str, who: str, detail: str, task: str, about: Reading | Replica, lost: tuple[str, ...] = ()
    ) -> None:
        """Add a line to the task's history. ``lost`` is what was overwritten, see `Event`."""
        now, run = self.inputs.now, self.inputs.run
        self.changes.events.append(Event(now, what, who, detail, task, about.system, about.remote_id, run, lost))


def replica_of(reading: Reading, task: str, *, made: bool = False) -> Replica:
    """Return the reading as an open replica of the task. It is not ``ours``, since somebody may have changed it."""
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
    """Sort readings, oldest first. The id breaks ties, so that the same readings always give the same result."""
    return sorted(readings, key=lambda r: (r.created_at is None, r.created_at or 0, r.number))
