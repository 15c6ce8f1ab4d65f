"""Plans of one task of one person, and what stands in them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncer.domain.base import Base
from syncer.domain.model import ReplicaState, State
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import Seen
from syncer.reconcile.plan import make_plan
from syncer.reconcile.planned import Plan
from tests.support.clock import START
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    POLICY,
    SYSTEMS,
    TYPED,
    a_base,
    a_replica,
    a_task,
    at,
    read_back,
    seen_of,
)

TASK = a_task(origin=TYPED, title="Ring")
DONE = replace(TASK, state=State.DONE)
IN_TYPED = a_replica(TASK, TYPED)
ONLY_THERE = a_base(TASK, replicas=[IN_TYPED])
EVERYWHERE = [a_replica(TASK, system) for system in SYSTEMS]


def plan(base: Base, seen: dict[str, Seen] | None = None, **given_: Any) -> Plan:
    seen = seen_of() if seen is None else seen
    options: dict[str, Any] = {"capabilities": CAPABILITIES, "policy": POLICY, "ambiguities": (), "now": START}
    options |= given_
    return make_plan(base, seen, now=options.pop("now"), **options)


def read_lane(base: Base) -> dict[str, Seen]:
    """Every open copy in a lane is still there, as it was, the last one on top."""
    rows = [
        read_back(replica, base.tasks[replica.task], created_at=at(minutes=-60 + number))
        for number, replica in enumerate(base.replicas.values())
        if replica.system == LANE and replica.state is ReplicaState.OPEN
    ]
    return seen_of(*rows)


def done(found: Plan) -> list[tuple[str, str, str]]:
    return [(operation.action.value, operation.task, operation.system) for operation in found.operations]


def reasons(found: Plan, system: str | None = None) -> list[Reason]:
    return [item.reason for item in (*found.waiting, *found.attention) if system in {None, item.system}]
