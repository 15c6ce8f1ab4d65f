"""Three-way comparison: what all sides last agreed on, and what each CRM says now (pure).

In this order, so that each step can rely on the one before:

1. replicas that we know: what changed since the base, and who did it; completed beats cancelled beats open
2. tasks of theirs that were closed before we ever saw them, where a create of ours did it or might seem to have
3. unknown open tasks: by marker, else as a twin, else new
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from adapters.base import Capabilities
from syncer.firstsight import look_at_unknown, twin_of
from syncer.merging import Inputs, Merging, in_order, replica_of
from syncer.model import Reading, Replica, ReplicaState, State, Task
from syncer.observations import Seen
from syncer.policy import Policy
from syncer.reasons import Item
from syncer.state import Base, Changes
from syncer.superseded import maybe_superseded, superseded_by

MISSES_UNTIL_GONE = 2

_CLOSED_AS = {State.DONE: ReplicaState.DONE, State.CANCELLED: ReplicaState.CANCELLED}


@dataclass(slots=True)
class Merged:
    """The base brought up to date, what of it is new, and what went wrong between a read and a write.

    ``undecided`` are the (system, contact) of tasks that another CRM must be read for.
    """

    base: Base
    changes: Changes
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    undecided: set[tuple[str, str]] = field(default_factory=set)


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
    work = Merging(base, Inputs(seen, capabilities, policy, now, run, new_id))
    known = _Known(work)
    known.look()
    known.closed_unseen()
    look_at_unknown(work)
    return Merged(work.base, work.changes, work.incidents, work.waiting, work.undecided)


class _Known:
    """What has become of replicas that we know, and of those that we would know had we not closed them."""

    def __init__(self, work: Merging) -> None:
        self._work = work
        self._seen = work.inputs.seen
        # What is done elsewhere may be closed in its lane, so lanes come last: no incident is made of it.
        self._systems = sorted(work.systems, key=lambda system: work.lane_policy(system) is not None)

    # 1 ---------------------------------------------------------------------------------------------

    def look(self) -> None:
        replicas = self._work.base.replicas
        reopened: list[tuple[Replica, Reading]] = []
        for system in self._systems:
            for reading in in_order(self._seen[system].readings.values()):
                replica = replicas.get(reading.key)
                if replica is None or self._work.is_doubtful(system, replica.contact):
                    continue
                if reading.state is State.OPEN and replica.state is not ReplicaState.OPEN:
                    reopened.append((replica, reading))
                else:
                    self._known(replica, reading)
            for remote_id in sorted(self._seen[system].missing):
                replica = replicas.get((system, remote_id))
                if replica is None or replica.state is not ReplicaState.OPEN:
                    continue
                if not self._work.is_doubtful(system, replica.contact):
                    self._missed(replica)
        # What was reopened is judged when it is known which tasks are done: nobody reopens what is to be closed.
        for replica, reading in reopened:
            if reading.whole:
                self._open_again(replica, reading)

    def _known(self, replica: Replica, reading: Reading) -> None:
        if reading.state is State.OPEN:
            self._still_open(replica, reading)
        elif replica.state in {ReplicaState.OPEN, ReplicaState.GONE}:
            self._closed(replica, reading)

    def _still_open(self, replica: Replica, reading: Reading) -> None:
        title = _title_of(replica, reading)
        self._work.put_replica(
            replace(
                replica,
                contact=reading.contact or replica.contact,
                ours=_still_ours(replica, reading),
                raw_type=reading.raw_type,
                title=title,
                due=reading.due,
                exclusive=reading.exclusive,
                sequence=reading.sequence,
                misses=0,
            )
        )
        task = self._work.base.tasks[replica.task]
        if replica.system == task.origin and not replica.made and task.state is State.OPEN:
            self._work.follow_origin(task, reading, title)

    def _open_again(self, replica: Replica, reading: Reading) -> None:
        """The same task if nobody closed it, or if it is still open and nothing else shows it there; else a new one."""
        work = self._work
        task = work.base.tasks[replica.task]
        same = task.state is State.OPEN or replica.state is ReplicaState.GONE
        if same and work.has_room(task.id, replica.system):
            work.event("open_again", "them", "open again after it was closed or gone there", task.id, reading)
            work.put_replica(replace(replica_of(reading, task.id), made=replica.made))
            work.is_back(task.id, replica.system)
            return
        work.event("reopened", "them", "reopened there, which makes it a new task", task.id, reading)
        work.begin(reading)

    def _closed(self, replica: Replica, reading: Reading) -> None:
        task = self._work.base.tasks[replica.task]
        cause = self._what_superseded(reading)
        if cause is not None:
            self._superseded(replica, reading, task, cause)
            return
        state = _CLOSED_AS[reading.state]
        self._work.put_replica(replace(replica, state=state, misses=0))
        self._work.event(state.value, "them", f"{state.value} in {replica.system}", task.id, reading)
        self._conclude(task, reading.state)

    def _conclude(self, task: Task, closed_as: State) -> None:
        """Completed beats cancelled beats open."""
        if closed_as is State.DONE and task.state is not State.DONE:
            self._work.put_task(replace(task, state=State.DONE, put_back=False))
        elif closed_as is State.CANCELLED and task.state is State.OPEN and self._work.inputs.policy.cancelled_closes:
            self._work.put_task(replace(task, state=State.CANCELLED, put_back=False))

    def _what_superseded(self, reading: Reading) -> Reading | str | None:
        """The task whose creation closed this one, or ``"ours"`` where a write of ours is known to have."""
        seen, lane_policy = self._seen[reading.system], self._work.lane_policy(reading.system)
        if reading.remote_id in seen.closed_by_us:
            return "ours"
        if lane_policy is None or not reading.exclusive or reading.state is not State.DONE:
            return None
        newer = [
            other
            for other in seen.lanes.get(reading.contact or "", ())
            if superseded_by(reading, other, lane_policy.supersede_window)
        ]
        made = [other for other in newer if self._work.made(other)]
        return next(iter(made or newer), None)

    def _superseded(self, replica: Replica, reading: Reading, task: Task, cause: Reading | str) -> None:
        work = self._work
        lane_policy = work.lane_policy(replica.system)
        by_us = isinstance(cause, str) or work.made(cause)
        who = "us" if by_us else "them"
        if task.state is not State.OPEN:
            work.put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            work.event("completed", who, "closed in its lane", task.id, reading)
        elif not by_us and lane_policy is not None and lane_policy.superseded_is_done:
            work.put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            work.event("done", "them", "a newer task of theirs took its place", task.id, reading)
            self._conclude(task, State.DONE)
        else:
            work.put_replica(replace(replica, state=ReplicaState.SUPERSEDED, misses=0))
            work.event("superseded", who, "closed, but not done", task.id, reading)
            theirs = not _still_ours(replica, reading)
            if by_us and (theirs or reading.remote_id in self._seen[reading.system].hit_by_us):
                work.race(task, reading, put_back=theirs)

    def _missed(self, replica: Replica) -> None:
        misses = replica.misses + 1
        gone = misses >= MISSES_UNTIL_GONE
        state = ReplicaState.GONE if gone else ReplicaState.OPEN
        self._work.put_replica(replace(replica, misses=misses, state=state))
        if gone:
            detail = f"{replica.system} says, in two runs, that there is no such task"
            self._work.event("gone", "them", detail, replica.task, replica)

    # 2 ---------------------------------------------------------------------------------------------

    def closed_unseen(self) -> None:
        for system in self._systems:
            lane_policy, seen = self._work.lane_policy(system), self._seen[system]
            if lane_policy is None:
                continue
            for contact, lane in sorted(seen.lanes.items()):
                if self._work.is_doubtful(system, contact):
                    continue
                for reading in in_order(row for row in lane if row.remote_id in seen.history):
                    if reading.key not in self._work.base.replicas:
                        self._closed_by_others(reading)
                by_a_create = maybe_superseded(lane, lane_policy.supersede_window)
                by_us = [row for row in lane if row.remote_id in seen.closed_by_us and row.state is not State.OPEN]
                for reading in in_order({row.remote_id: row for row in (*by_a_create, *by_us)}.values()):
                    if reading.key not in self._work.base.replicas:
                        self._closed_before_seen(reading)

    def _closed_by_others(self, reading: Reading) -> None:
        if self._work.contact_of(reading) is None:
            return
        task = self._work.begin(reading)
        self._work.put_task(replace(task, state=reading.state))
        self._work.put_replica(replace(replica_of(reading, task.id), state=_CLOSED_AS[reading.state]))
        self._work.event(reading.state.value, "them", "closed before it was ever seen", task.id, reading)

    def _closed_before_seen(self, reading: Reading) -> None:
        cause = self._what_superseded(reading)
        if cause is None or (not isinstance(cause, str) and not self._work.made(cause)):
            return
        if self._work.contact_of(reading) is None:
            return
        task = twin_of(self._work, reading) or self._work.begin(reading)
        self._work.put_replica(replace(replica_of(reading, task.id), state=ReplicaState.SUPERSEDED))
        self._work.race(task, reading)


def _title_of(replica: Replica, reading: Reading) -> str | None:
    return reading.title if reading.whole or reading.title else replica.title


def _still_ours(replica: Replica, reading: Reading) -> bool:
    """Whether we made it and nobody has touched it since."""
    as_read = (reading.raw_type, reading.due, _title_of(replica, reading))
    return replica.ours and as_read == (replica.raw_type, replica.due, replica.title)
