"""Three-way comparison: what all sides last agreed on, and what each CRM says now (pure).

In this order, so that each step can rely on the one before:

1. replicas that we know: what changed since the base, and who did it
2. tasks of theirs that a create of ours closed before we ever saw them
3. unknown open tasks: by marker, else as a twin, else new
4. the state of each task: completed beats cancelled beats open
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from adapters.base import Capabilities, LanePolicy
from syncer.model import Reading, Replica, ReplicaState, State, Task
from syncer.observations import Seen
from syncer.policy import Policy
from syncer.reasons import Item, Reason
from syncer.state import UNSETTLED, Action, Base, Changes, Event

REBUILD_WINDOW = timedelta(seconds=60)
MISSES_UNTIL_GONE = 2

_CLOSED_AS = {State.DONE: ReplicaState.DONE, State.CANCELLED: ReplicaState.CANCELLED}


@dataclass(slots=True)
class Merged:
    """The base brought up to date, what of it is new, and what went wrong between a read and a write."""

    base: Base
    changes: Changes
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)


def merge(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    policy: Policy,
    *,
    now: datetime,
    run: str,
    new_id: Callable[[], str],
) -> Merged:
    """Bring the base up to date with what was seen. ``base`` itself is left as it was."""
    work = _Merge(base, seen, capabilities, policy, now, run, new_id)
    work.known_replicas()
    work.closed_unseen()
    work.unknown_tasks()
    return Merged(work.base, work.changes, work.incidents, work.waiting)


def superseded_by(closed: Reading, newer: Reading, window: timedelta) -> bool:
    """Whether ``closed`` was closed by the creation of ``newer``, rather than done.

    Superfone gives no reason for a closure: the times agree within the window, and so do the actors, where both
    are known.
    """
    if closed.remote_id == newer.remote_id or not (closed.exclusive and newer.exclusive):
        return False
    if closed.updated_at is None or newer.created_at is None:
        return False
    if closed.created_at is not None and closed.created_at > newer.created_at:
        return False
    actors = {closed.updated_by, newer.created_by} - {None}
    return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2


def maybe_superseded(rows: Iterable[Reading], window: timedelta) -> list[Reading]:
    """Closed rows near whose closure an exclusive task of the same contact was created: n log n, for long lists."""
    rows = list(rows)
    created: dict[str | None, list[datetime]] = defaultdict(list)
    for row in rows:
        if row.exclusive and row.created_at is not None:
            created[row.contact].append(row.created_at)
    for instants in created.values():
        instants.sort()
    found = []
    for row in rows:
        if row.state is State.OPEN or not row.exclusive or row.updated_at is None:
            continue
        instants = created[row.contact]
        first = bisect_left(instants, row.updated_at - window)
        if first < len(instants) and instants[first] <= row.updated_at + window:
            found.append(row)
    return found


def same_title(one: str | None, other: str | None) -> bool:
    """Whether the titles do not contradict each other; none contradicts nothing, and only letters and digits count."""
    plain_one, plain_other = (re.sub(r"\W+", "", title or "").casefold() for title in (one, other))
    return not plain_one or not plain_other or plain_one == plain_other


class _Merge:
    """One merge in progress: a copy of the base that the steps bring up to date."""

    def __init__(
        self,
        base: Base,
        seen: Mapping[str, Seen],
        capabilities: Mapping[str, Capabilities],
        policy: Policy,
        now: datetime,
        run: str,
        new_id: Callable[[], str],
    ) -> None:
        self.base = replace(base, tasks=dict(base.tasks), replicas=dict(base.replicas), links=dict(base.links))
        self.changes = Changes()
        self.incidents: list[Item] = []
        self.waiting: list[Item] = []
        self._seen = seen
        self._capabilities = capabilities
        self._policy = policy
        self._now = now
        self._run = run
        self._new_id = new_id
        self._open_in: dict[tuple[str, str], str] = {}
        for replica in base.replicas.values():
            if replica.state is ReplicaState.OPEN:
                self._open_in[replica.task, replica.system] = replica.remote_id
        self._creating = {
            (op.task, op.system)
            for op in base.operations.values()
            if op.action is Action.CREATE and op.state in UNSETTLED
        }
        self._kind_guessed: set[str] = set()

    # 1 ---------------------------------------------------------------------------------------------

    def known_replicas(self) -> None:
        for system in self._policy.systems:
            if system not in self._seen:
                continue
            for reading in self._in_order(self._seen[system].readings.values()):
                replica = self.base.replicas.get(reading.key)
                if replica is not None:
                    self._known(replica, reading)
            for remote_id in sorted(self._seen[system].missing):
                replica = self.base.replicas.get((system, remote_id))
                if replica is not None and replica.state is ReplicaState.OPEN:
                    self._missed(replica)

    def _known(self, replica: Replica, reading: Reading) -> None:
        was_open = replica.state in {ReplicaState.OPEN, ReplicaState.GONE}
        if reading.state is State.OPEN:
            if replica.state is ReplicaState.OPEN:
                self._still_open(replica, reading)
            else:
                self._open_again(replica, reading)
        elif was_open:
            self._closed(replica, reading)

    def _still_open(self, replica: Replica, reading: Reading) -> None:
        title = reading.title if reading.whole or reading.title else replica.title
        body_read = reading.whole
        as_answered = (reading.raw_type, reading.due, title) == (replica.raw_type, replica.due, replica.title)
        self._put_replica(
            replace(
                replica,
                contact=reading.contact or replica.contact,
                ours=replica.ours and as_answered,
                raw_type=reading.raw_type,
                title=title,
                due=reading.due,
                exclusive=reading.exclusive,
                sequence=reading.sequence,
                misses=0,
            )
        )
        task = self.base.tasks[replica.task]
        if replica.system == task.origin and not replica.made and task.state is State.OPEN:
            self._follow_origin(task, reading, title, body_read=body_read)

    def _follow_origin(self, task: Task, reading: Reading, title: str | None, *, body_read: bool) -> None:
        followed = replace(
            task,
            title=title,
            body=reading.body if body_read else task.body,
            due=reading.due or task.due,
            due_synthetic=task.due_synthetic and reading.due is None,
            notify_at=reading.notify_at or task.notify_at,
        )
        if followed != task:
            self._put_task(followed)
            self._event("changed", "them", "title, body or due follow the origin", followed.id, reading)

    def _open_again(self, replica: Replica, reading: Reading) -> None:
        """Reopened there: the same task if it is still open and nothing else shows it there, else a new one."""
        task = self.base.tasks[replica.task]
        if task.state is State.OPEN and (task.id, replica.system) not in self._open_in:
            self._event("open_again", "them", "open again after it was closed there", task.id, reading)
            self._put_replica(replace(self._replica_of(reading, task.id), made=replica.made))
            return
        self._event("reopened", "them", "reopened there, which makes it a new task", task.id, reading)
        self._begin(reading)

    def _closed(self, replica: Replica, reading: Reading) -> None:
        task = self.base.tasks[replica.task]
        cause = self._what_superseded(reading)
        if cause is not None:
            self._superseded(replica, reading, task, cause)
            return
        state = _CLOSED_AS[reading.state]
        self._put_replica(replace(replica, state=state, misses=0))
        self._event(state.value, "them", f"{state.value} in {replica.system}", task.id, reading)
        self._conclude(task, reading.state)

    def _conclude(self, task: Task, closed_as: State) -> None:
        """Completed beats cancelled beats open."""
        if closed_as is State.DONE and task.state is not State.DONE:
            self._put_task(replace(task, state=State.DONE, put_back=False))
        elif closed_as is State.CANCELLED and task.state is State.OPEN and self._policy.cancelled_closes:
            self._put_task(replace(task, state=State.CANCELLED, put_back=False))

    def _what_superseded(self, reading: Reading) -> Reading | str | None:
        """The task whose creation closed this one, or ``"ours"`` where a write of ours is known to have."""
        seen, lane_policy = self._seen[reading.system], self._lane_policy(reading.system)
        if reading.remote_id in seen.closed_by_us:
            return "ours"
        if lane_policy is None or not reading.exclusive or reading.state is not State.DONE:
            return None
        newer = [
            other
            for other in seen.lanes.get(reading.contact or "", ())
            if superseded_by(reading, other, lane_policy.supersede_window)
        ]
        made = [other for other in newer if self._made(other)]
        return next(iter(made or newer), None)

    def _superseded(self, replica: Replica, reading: Reading, task: Task, cause: Reading | str) -> None:
        lane_policy = self._lane_policy(replica.system)
        by_us = isinstance(cause, str) or self._made(cause)
        if task.state is not State.OPEN:
            self._put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            self._event("completed", "us" if by_us else "them", "closed in its lane", task.id, reading)
        elif not by_us and lane_policy is not None and lane_policy.superseded_is_done:
            self._put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            self._event("done", "them", "a newer task of theirs took its place", task.id, reading)
            self._conclude(task, State.DONE)
        else:
            self._put_replica(replace(replica, state=ReplicaState.SUPERSEDED, misses=0))
            self._event("superseded", "us" if by_us else "them", "closed, but not done", task.id, reading)
            if by_us and not replica.ours:
                self._race(task, reading)

    def _race(self, task: Task, reading: Reading) -> None:
        """A write of ours closed a task of theirs: it is to be put back, and closes nothing elsewhere."""
        detail = f"{reading.system} {reading.raw_type or 'task'} {reading.remote_id} was closed by a write of ours"
        self._put_task(replace(task, put_back=True))
        self._event("incident", "us", detail, task.id, reading)
        self.incidents.append(Item(task.id, reading.system, Reason.CLOSED_BY_RACE, detail))

    def _missed(self, replica: Replica) -> None:
        misses = replica.misses + 1
        gone = misses >= MISSES_UNTIL_GONE
        state = ReplicaState.GONE if gone else ReplicaState.OPEN
        self._put_replica(replace(replica, misses=misses, state=state))
        if gone:
            detail = f"{replica.system} says, in two runs, that there is no such task"
            self.changes.events.append(
                Event(self._now, "gone", "them", detail, replica.task, replica.system, replica.remote_id, self._run)
            )

    # 2 ---------------------------------------------------------------------------------------------

    def closed_unseen(self) -> None:
        for system, seen in self._seen.items():
            lane_policy = self._lane_policy(system)
            if lane_policy is None:
                continue
            for lane in seen.lanes.values():
                by_a_create = maybe_superseded(lane, lane_policy.supersede_window)
                by_us = [row for row in lane if row.remote_id in seen.closed_by_us and row.state is not State.OPEN]
                for reading in self._in_order({row.remote_id: row for row in (*by_a_create, *by_us)}.values()):
                    if reading.key not in self.base.replicas:
                        self._closed_before_seen(reading)

    def _closed_before_seen(self, reading: Reading) -> None:
        cause = self._what_superseded(reading)
        if cause is None or (not isinstance(cause, str) and not self._made(cause)):
            return
        if self._contact_of(reading) is None:
            return
        task = self._begin(reading)
        self._put_replica(replace(self.base.replicas[reading.key], state=ReplicaState.SUPERSEDED))
        self._race(task, reading)

    # 3 ---------------------------------------------------------------------------------------------

    def unknown_tasks(self) -> None:
        unknown = {system: self._unknown_open(system) for system in self._policy.systems if system in self._seen}
        for system, readings in unknown.items():
            unknown[system] = [reading for reading in readings if not self._adopt_marked(reading)]
        for readings in unknown.values():
            twins = self._twins(readings)
            for reading in readings:
                twin = twins.get(reading.remote_id)
                if twin is None:
                    self._begin(reading)
                else:
                    self._adopt(reading, self.base.tasks[twin], "adopted as the same task, seen in another CRM")

    def _unknown_open(self, system: str) -> list[Reading]:
        """Unknown open tasks that can become replicas, oldest first; the others are listed with their reason."""
        found = []
        for reading in self._in_order(self._seen[system].readings.values()):
            if reading.state is not State.OPEN or reading.key in self.base.replicas:
                continue
            reason = self._unfit(reading)
            if reason is not None:
                self.waiting.append(Item(None, system, reason, f"{system} task {reading.remote_id}"))
            elif reading.whole:
                found.append(reading)
        return found

    def _unfit(self, reading: Reading) -> Reason | None:
        if not reading.mirrored:
            return Reason.SCHEDULED
        if reading.contact is None:
            return Reason.WITHOUT_CONTACT
        return Reason.CONTACT_UNREAD if self._contact_of(reading) is None else None

    def _adopt_marked(self, reading: Reading) -> bool:
        """Join by our marker; any marker that does not fit is a copy that somebody made, and is ignored."""
        if reading.marker is None:
            return False
        task = self.base.tasks.get(reading.marker)
        if task is None:
            self._rebuild(reading, reading.marker)
            return True
        place = (task.id, reading.system)
        alive = task.state is State.OPEN or place in self._creating
        if not alive or place in self._open_in or task.contact != self._contact_of(reading):
            return False
        self._adopt(reading, task, "recognised by its marker", made=True)
        return True

    def _rebuild(self, reading: Reading, task_id: str) -> None:
        """A marker whose task no ledger knows: written before the ledger was lost."""
        self._begin(reading, task_id=task_id, made=True)
        if not reading.kind_known:
            self._kind_guessed.add(task_id)

    def _twins(self, readings: list[Reading]) -> dict[str, str]:
        """Pairs of a reading and an open task that are each other's only candidate: remote id → task id."""
        of_reading: dict[str, list[str]] = defaultdict(list)
        of_task: dict[str, list[str]] = defaultdict(list)
        by_contact: dict[str, list[Task]] = defaultdict(list)
        for task in self.base.tasks.values():
            if task.state is State.OPEN:
                by_contact[task.contact].append(task)
        for reading in readings:
            for task in by_contact.get(self._contact_of(reading) or "", ()):
                if self._may_be_twins(reading, task):
                    of_reading[reading.remote_id].append(task.id)
                    of_task[task.id].append(reading.remote_id)
        return {
            remote_id: tasks[0] for remote_id, tasks in of_reading.items() if len(tasks) == len(of_task[tasks[0]]) == 1
        }

    def _may_be_twins(self, reading: Reading, task: Task) -> bool:
        place = (task.id, reading.system)
        if place in self._open_in or place in self._creating or reading.due is None:
            return False
        rebuilt = self.base.empty and self._made_somewhere(task)
        window = max(self._policy.twin_window, REBUILD_WINDOW) if rebuilt else self._policy.twin_window
        near = window > timedelta(0) and abs(reading.due - task.due) <= window
        kinds_fit = reading.kind.compatible(task.kind) or task.id in self._kind_guessed
        return near and kinds_fit and same_title(reading.title, task.title)

    def _made_somewhere(self, task: Task) -> bool:
        return any(
            self.base.replicas[system, self._open_in[task.id, system]].made
            for system in self._policy.systems
            if (task.id, system) in self._open_in
        )

    # bookkeeping -----------------------------------------------------------------------------------

    def _begin(self, reading: Reading, *, task_id: str | None = None, made: bool = False) -> Task:
        """A new task whose origin is this reading."""
        task = Task(
            id=task_id or self._new_id(),
            contact=self._contact_of(reading) or self._new_id(),
            kind=reading.kind,
            title=reading.title,
            body=reading.body,
            due=reading.due or (self._now + self._policy.default_due).replace(microsecond=0),
            due_synthetic=reading.due is None,
            origin=reading.system,
            assignee=self._policy.users.get((reading.system, reading.assignee or "")),
            notify_at=reading.notify_at,
            first_seen=self._now,
        )
        self._put_task(task)
        self._put_replica(self._replica_of(reading, task.id, made=made))
        self._event("seen", "them", f"first seen in {reading.system}", task.id, reading)
        return task

    def _adopt(self, reading: Reading, task: Task, why: str, *, made: bool = False) -> None:
        if self.base.empty and not made and self._made_somewhere(task):
            kind = reading.kind if reading.kind_known or task.id in self._kind_guessed else task.kind
            self._put_task(replace(task, kind=kind, origin=reading.system))
        self._put_replica(self._replica_of(reading, task.id, made=made))
        self._event("adopted", "us", why, task.id, reading)

    @staticmethod
    def _replica_of(reading: Reading, task: str, *, made: bool = False) -> Replica:
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

    def _contact_of(self, reading: Reading) -> str | None:
        """The link of the reading's contact, made now if its record was linked to nobody; ``None`` if unread."""
        key = (reading.system, reading.contact or "")
        if key not in self.base.links:
            if key not in self.base.records:
                return None
            self.base.links[key] = self.changes.links[key] = self._new_id()
        return self.base.links[key]

    def _lane_policy(self, system: str) -> LanePolicy | None:
        return self._capabilities[system].lane

    def _made(self, reading: Reading) -> bool:
        replica = self.base.replicas.get(reading.key)
        return replica is not None and replica.made

    def _put_task(self, task: Task) -> None:
        self.base.tasks[task.id] = self.changes.tasks[task.id] = task

    def _put_replica(self, replica: Replica) -> None:
        old = self.base.replicas.get(replica.key)
        if old == replica:
            return
        if old is not None and self._open_in.get((old.task, old.system)) == old.remote_id:
            del self._open_in[old.task, old.system]
        if replica.state is ReplicaState.OPEN:
            self._open_in[replica.task, replica.system] = replica.remote_id
        self.base.replicas[replica.key] = self.changes.replicas[replica.key] = replica

    def _event(self, what: str, who: str, detail: str, task: str, reading: Reading) -> None:
        self.changes.events.append(
            Event(self._now, what, who, detail, task, reading.system, reading.remote_id, self._run)
        )

    @staticmethod
    def _in_order(readings: Iterable[Reading]) -> list[Reading]:
        """Oldest first; the id breaks ties, so that the same readings always give the same result."""
        return sorted(readings, key=lambda r: (r.created_at is None, r.created_at or 0, len(r.remote_id), r.remote_id))
