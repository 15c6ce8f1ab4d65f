"""One task that is in every CRM, as the tests of the comparison know it."""

from __future__ import annotations

from dataclasses import replace

from syncer.domain.base import Base, Changes
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


def without_turns(changes: Changes, before: Base) -> Changes:
    """The changes without that a copy which is owed something was read again: what people do there now is newer."""
    read_again = {
        key: copy
        for key, copy in changes.replicas.items()
        if key in before.replicas and copy == replace(before.replicas[key], owed=copy.owed)
    }
    asked = {
        key
        for key, copy in read_again.items()
        if {f"{word.rstrip('?')}?" for word in copy.owed}
        <= {f"{word.rstrip('?')}?" for word in before.replicas[key].owed}
    }
    return replace(changes, replicas={key: copy for key, copy in changes.replicas.items() if key not in asked})
