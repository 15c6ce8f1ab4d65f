"""Which task a marker names, and which texts with a marker people copied (pure)."""

from __future__ import annotations

from datetime import timedelta

from syncer.domain.base import Base
from syncer.domain.model import Marker, Reading, Replica, ReplicaState, State, Task, split_task_id
from syncer.domain.policy import Policy
from syncer.reconcile.likeness import is_like

CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""More than a CRM's clock and ours usually do."""


def named_by(base: Base, marker: Marker) -> Task | None:
    """The task that this marker names; ``None`` where the ledger does not know it.

    Another ledger may have seen a twin first, or have taken a copy of ours for an origin: then the marker names the
    place of one of our task's other replicas. Where that copy was closed, or may have been since an old ledger was
    copied, it was reopened, which made it a task that we do not know.
    """
    task = base.tasks.get(marker.task)
    if task is not None:
        return None if is_history(base, task) else task
    replica = base.replicas.get(marker.place)
    if replica is None:
        return None
    if replica.state is not ReplicaState.OPEN or (replica.made and base.restored_at is not None):
        return None
    same_place = split_task_id(replica.task)[0] == split_task_id(marker.task)[0]
    return None if same_place else base.tasks.get(replica.task)


def is_history(base: Base, task: Task) -> bool:
    """Whether nothing is known of a closed task but that it is closed where it was made: by whom, nobody saw.

    That we copied it, or tried to, tells that it was open, whatever became of the copies.
    """
    if task.state is State.OPEN or base.operations_of(task.id):
        return False
    copies = base.copies_of(task.id)
    return len(copies) == 1 and not copies[0].made and copies[0].state is not ReplicaState.OPEN


def is_by_another(base: Base, reading: Reading) -> bool:
    """Whether another ledger made this task, as its marker says, while this one was there already."""
    marker, made_at = reading.marker, base.ledger_made_at
    if marker is None or made_at is None or reading.created_at is None:
        return False
    return marker.ledger != base.ledger_id and reading.created_at > made_at


def is_pasted(base: Base, policy: Policy, reading: Reading, task: Task) -> bool:
    """Whether people copied a known task's marker into this task, with a text of ours.

    They duplicate a task, and finish or delete the one that we made. What a lost or late request made is as the task
    is; what another ledger made may have been changed since.
    """
    had = base.copies(task.id, reading.system)
    known: tuple[Task | Replica, ...] = (task, *had)
    alike = any(is_like(policy, reading, one) for one in known)
    another = reading.marker is not None and reading.marker.ledger != base.ledger_id
    if reading.state is not State.OPEN:
        return bool(had) and not alike if another else bool(had) or not alike
    if task.state is State.OPEN and is_by_another(base, reading):
        return False
    if task.state is not State.OPEN:
        return not (another and alike)
    return bool(had) and not alike
