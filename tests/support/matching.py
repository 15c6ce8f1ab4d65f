"""One task that is known in the lane alone, beside which others turn up."""

from __future__ import annotations

from syncer.domain.model import ReplicaState, Task
from syncer.reconcile.merge import Merged
from tests.support.strategies import LANE, PLAIN, a_base, a_replica, a_task

TASK = a_task(f"{LANE}:1")
ID = TASK.id
KNOWN = a_base(TASK, replicas=[a_replica(TASK, LANE)])
NEW = f"{PLAIN}:x"
"""The task of which a reading of ``x`` is the origin."""


def one_task(found: Merged) -> Task:
    """The only task that there is."""
    [task] = found.base.tasks.values()
    return task


def shown_in(found: Merged, task: str = ID) -> list[str]:
    """The CRMs that have an open copy of it."""
    return [r.system for r in found.base.replicas.values() if r.task == task and r.state is ReplicaState.OPEN]
