"""Laws of the plan, over accounts that people have changed and that were read more or less well."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import ReplicaState, State
from syncer.domain.operations import Action
from syncer.domain.snapshot import ConnectionState
from syncer.reconcile.plan import make_plan
from syncer.reconcile.planned import Plan
from tests.support.clock import START
from tests.support.strategies import LANE, SYSTEMS, RandomWorld, worlds

STATES = st.sampled_from([ConnectionState.OK, ConnectionState.OK, ConnectionState.OK, *ConnectionState])


@st.composite
def accounts(draw: st.DrawFn) -> tuple[RandomWorld, Plan]:
    """An account after its merge, with people who lack a contact, and lists that were not read; and its plan."""
    world = draw(worlds())
    base = world.merged().base
    for key in sorted(base.links):
        if draw(st.integers(0, 9)) == 0:
            del base.links[key]
    for system in SYSTEMS:
        world.seen[system].state = draw(STATES)
        world.seen[system].listed = draw(st.integers(0, 5)) > 0
    if draw(st.integers(0, 5)) == 0:
        world.seen[LANE].lanes.clear()
    world = replace(world, base=base)
    return world, make_plan(base, world.seen, world.capabilities, world.policy, (), now=START)


def closed_by_creates(world: RandomWorld, found: Plan) -> set[tuple[str, str]]:
    """What a create in its lane closes on the way, being done elsewhere."""
    exclusive = world.capabilities[LANE].exclusive
    creates = {op.contact for op in found.operations if op.lane and op.action is Action.CREATE and op.kind in exclusive}
    return {(r.task, LANE) for r in world.base.replicas.values() if r.exclusive and r.contact in creates}


@given(accounts())
def test_every_task_is_shown_or_planned_or_listed_wherever_it_belongs(account: tuple[RandomWorld, Plan]) -> None:
    """Nothing is silent, and nothing is done and listed as waiting at once."""
    world, found = account
    open_in = {(r.task, r.system) for r in world.base.replicas.values() if r.state is ReplicaState.OPEN}
    planned = {(op.task, op.system) for op in found.operations}
    waiting = {(item.task, item.system) for item in found.waiting}
    listed = waiting | {(item.task, item.system) for item in found.attention}
    for task in world.base.tasks.values():
        for system in SYSTEMS:
            place = (task.id, system)
            if task.state is not State.OPEN:
                assert place not in open_in or place in planned | listed | closed_by_creates(world, found)
            elif system in world.policy.routes[task.kind]:
                assert place in open_in | planned | listed
    replaced = {(op.task, op.system) for op in found.operations} & open_in
    assert not planned & waiting - replaced


@given(accounts())
def test_only_what_was_read_well_is_written_to(account: tuple[RandomWorld, Plan]) -> None:
    world, found = account
    for operation in found.operations:
        seen = world.seen[operation.system]
        assert seen.state is ConnectionState.OK
        if operation.lane:
            assert operation.contact in seen.lanes
        elif operation.action is Action.CREATE:
            assert seen.listed
            assert operation.contact not in seen.unread


@given(accounts())
def test_every_operation_makes_sense(account: tuple[RandomWorld, Plan]) -> None:
    world, found = account
    base = world.base
    slots = [operation.slot for operation in found.operations]
    assert len(slots) == len(set(slots))
    assert found.operations == tuple(sorted(found.operations, key=lambda operation: operation.order))
    unsettled = {op.slot for op in base.operations.values() if op.is_unsettled}
    assert not unsettled & set(slots)
    for operation in found.operations:
        task = base.tasks[operation.task]
        assert operation.reason
        if operation.action is Action.CREATE:
            assert task.state is State.OPEN
            assert base.links[operation.system, operation.contact or ""] == task.contact
        else:
            replica = base.replicas[operation.system, operation.remote_id or ""]
            assert task.state is not State.OPEN
            assert (replica.task, replica.state) == (task.id, ReplicaState.OPEN)
            assert task.kind in world.capabilities[operation.system].completes_kinds
