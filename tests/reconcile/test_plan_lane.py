"""The plan of a lane: what is done there, what waits for the slot, and what blocks the others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.model import Kind, ReplicaState, State
from syncer.domain.operations import Action, Operation, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.obstacles import fingerprint
from syncer.reconcile.plan import plan_one_lane
from tests.support.clock import START
from tests.support.planning import IN_TYPED, ONLY_THERE, TASK, done, plan, read_lane, reasons
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    seen_of,
)

OTHER = a_task("t2", due=at(hours=9), state=State.DONE)


def test_the_lane_decides_what_is_done_in_it() -> None:
    base = a_base(TASK, OTHER, replicas=[IN_TYPED, a_replica(TASK, PLAIN), a_replica(OTHER, LANE)])
    found = plan(base, read_lane(base))
    assert done(found) == [("complete", "t2", LANE), ("create", "t1", LANE)]
    one = plan_one_lane(
        base.narrowed("p1", []), read_lane(base), CAPABILITIES, POLICY, (), system=LANE, contact=f"p1-{LANE}", now=START
    )
    assert [step.task for step in one.steps] == ["t2", "t1"]


def test_in_a_lane_what_comes_back_is_not_kept_waiting_by_a_task_whose_person_is_in_doubt() -> None:
    """Both plans leave that one out; a step that only one of them had would end the lane."""
    back = a_task("t3", put_back=True, due=at(hours=9))
    base = a_base(TASK, back, replicas=[IN_TYPED, a_replica(back, LANE, state=ReplicaState.SUPERSEDED)])
    doubt = Ambiguity(((PLAIN, "h1"), (LANE, f"p1-{LANE}")), ("+919876543210",), link="p1")
    seen = seen_of(a_reading(LANE, "gone", state=State.DONE))
    assert ("create", "t3", LANE) in done(plan(base, seen, ambiguities=(doubt,)))
    one = plan_one_lane(base, seen, CAPABILITIES, POLICY, (doubt,), system=LANE, contact=f"p1-{LANE}", now=START)
    assert [step.task for step in one.steps] == ["t3"]


def test_an_unknown_task_of_theirs_keeps_the_slot() -> None:
    found = plan(ONLY_THERE, seen_of(a_reading(LANE, "x")))
    assert reasons(found, LANE) == [Reason.SLOT_TAKEN]


def test_a_write_in_doubt_blocks_its_lane_and_no_other() -> None:
    elsewhere = a_task("t3", contact="p2", origin=TYPED)
    doubt = an_operation(OTHER, LANE, Action.COMPLETE, OpState.IN_DOUBT)
    base = a_base(
        TASK, OTHER, elsewhere, replicas=[IN_TYPED, a_replica(elsewhere, TYPED), a_replica(OTHER, LANE)],
        operations=[doubt],
    )  # fmt: skip
    found = plan(base, read_lane(base))
    assert [(i.task, i.reason) for i in found.waiting] == [("t2", Reason.IN_DOUBT), ("t1", Reason.LANE_BLOCKED)]
    assert ("create", "t3", LANE) in done(found)


def test_a_create_in_doubt_blocks_its_lane() -> None:
    late = a_task("t3", due=at(hours=9), origin=TYPED)
    doubt = an_operation(late, LANE, Action.CREATE, OpState.IN_DOUBT)
    found = plan(a_base(TASK, late, replicas=[IN_TYPED, a_replica(late, TYPED)], operations=[doubt]))
    assert [(i.task, i.reason) for i in found.waiting] == [("t3", Reason.IN_DOUBT), ("t1", Reason.LANE_BLOCKED)]


def test_a_refused_create_leaves_the_slot_to_the_next() -> None:
    late = a_task("t3", due=at(hours=9), origin=TYPED)
    mark = fingerprint(TASK, ONLY_THERE, LANE, f"p1-{LANE}")
    parked = an_operation(TASK, LANE, Action.CREATE, OpState.PARKED, fingerprint=mark)
    found = plan(a_base(TASK, late, replicas=[IN_TYPED, a_replica(late, TYPED)], operations=[parked]))
    assert [operation.task for operation in found.operations if operation.system == LANE] == ["t3"]
    assert reasons(found, LANE) == [Reason.REFUSED]


@pytest.mark.parametrize("ours", [True, False])
def test_what_is_due_earlier_takes_the_slot_from_ours_alone(ours: bool) -> None:
    later = a_task("t3", due=at(hours=9))
    base = a_base(TASK, later, replicas=[IN_TYPED, a_replica(later, LANE, ours=ours)])
    found = plan(base, read_lane(base))
    assert [operation.task for operation in found.operations if operation.system == LANE] == (["t1"] if ours else [])
    assert [item.task for item in found.waiting] == ["t3" if ours else "t1"]


def refused_completion() -> Operation:
    mark, copy = fingerprint(OTHER, a_base(OTHER), LANE, f"p1-{LANE}"), a_replica(OTHER, LANE).remote_id
    return an_operation(OTHER, LANE, Action.COMPLETE, OpState.PARKED, fingerprint=mark, remote_id=copy)


def test_a_refused_completion_on_top_blocks_its_lane() -> None:
    base = a_base(TASK, OTHER, replicas=[IN_TYPED, a_replica(OTHER, LANE)], operations=[refused_completion()])
    found = plan(base, read_lane(base))
    assert reasons(found, LANE) == [Reason.LANE_BLOCKED, Reason.REFUSED]
    assert done(found) == [("create", "t1", PLAIN)]


def test_a_refused_completion_further_down_is_not_tried_again() -> None:
    above = a_task("t3", state=State.DONE, kind=Kind.REMINDER)
    replicas = [IN_TYPED, a_replica(OTHER, LANE), a_replica(above, LANE)]
    base = a_base(TASK, OTHER, above, replicas=replicas, operations=[refused_completion()])
    found = plan(base, read_lane(base))
    assert done(found) == [("complete", "t3", LANE), ("create", "t1", PLAIN)]
    assert reasons(found, LANE) == [Reason.LANE_BLOCKED, Reason.REFUSED]


def test_below_a_refused_completion_nothing_is_completed() -> None:
    below = a_task("t3", state=State.DONE, kind=Kind.REMINDER)
    replicas = [a_replica(below, LANE), a_replica(OTHER, LANE)]
    base = a_base(OTHER, below, replicas=replicas, operations=[refused_completion()])
    found = plan(base, read_lane(base))
    assert not done(found)
    assert [(item.task, item.reason) for item in found.waiting] == [("t3", Reason.LANE_BLOCKED)]


def test_a_copy_to_be_closed_that_its_lane_does_not_show_is_mentioned() -> None:
    found = plan(a_base(OTHER, replicas=[a_replica(OTHER, LANE)]))
    assert [(item.task, item.reason) for item in found.waiting] == [("t2", Reason.NEXT_RUN)]


def test_what_is_to_be_put_back_needs_no_route() -> None:
    policy = replace(POLICY, routes=POLICY.routes | {Kind.FOLLOW_UP_CALL: ()})  # type: ignore[operator]
    base = a_base(replace(TASK, put_back=True), replicas=[IN_TYPED, a_replica(TASK, LANE, state="superseded")])
    assert done(plan(base, policy=policy)) == [("create", "t1", LANE)]
