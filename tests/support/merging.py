"""One task that is in every CRM, as the tests of the comparison know it."""

from __future__ import annotations

from dataclasses import replace

from syncer.domain.model import Reading, Replica, ReplicaState, State
from syncer.reconcile.merge import Merged
from tests.support.strategies import SYSTEMS, a_base, a_replica, a_task, read_back

TASK = a_task()
IN_LANE, IN_TYPED, IN_PLAIN = (a_replica(TASK, system) for system in SYSTEMS)
EVERYWHERE = a_base(TASK, replicas=[IN_LANE, IN_TYPED, IN_PLAIN])


def closed(replica: Replica, state: State = State.DONE, **changes: object) -> Reading:
    """The copy as it is read once it is closed."""
    return replace(read_back(replica, TASK, state=state), **changes)  # type: ignore[arg-type]


def state_of(found: Merged, replica: Replica) -> ReplicaState:
    """What is known of the copy's state afterwards."""
    return found.base.replicas[replica.key].state
