"""The plan: whatever is to be done is planned, and whatever is not planned says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from syncer.contract.adapter import Capabilities, LanePolicy
from syncer.domain.base import Base
from syncer.domain.cursors import FULL
from syncer.domain.model import Kind, Record, ReplicaState, State
from syncer.domain.operations import UNSETTLED, Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import ConnectionState, Seen, Untold
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.obstacles import FAILURES_UNTIL_ATTENTION, fingerprint
from syncer.reconcile.planned import Plan
from tests.support.clock import START
from tests.support.planning import DONE, EVERYWHERE, IN_TYPED, ONLY_THERE, TASK, done, plan, read_lane, reasons
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    POLICY,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    seen_of,
)

# creates and completions ---------------------------------------------------------------------------


def test_a_task_is_created_wherever_its_route_names() -> None:
    found = plan(ONLY_THERE)
    assert done(found) == [("create", "t1", PLAIN), ("create", "t1", LANE)]
    assert [operation.contact for operation in found.operations] == [f"p1-{PLAIN}", f"p1-{LANE}"]
    assert [operation.lane for operation in found.operations] == [False, True]
    assert not reasons(found)


def test_a_task_that_is_shown_everywhere_needs_nothing() -> None:
    assert plan(a_base(TASK, replicas=EVERYWHERE)) == Plan((), (), ())


def test_a_task_is_not_created_outside_its_route_and_its_copies_there_stay() -> None:
    policy = replace(POLICY, routes=POLICY.routes | {Kind.FOLLOW_UP_CALL: (TYPED,)})  # type: ignore[operator]
    assert plan(ONLY_THERE, policy=policy) == Plan((), (), ())
    assert plan(a_base(TASK, replicas=EVERYWHERE), policy=policy) == Plan((), (), ())


@pytest.mark.parametrize(("mirrored", "in_list"), [(True, True), (False, True), (True, False), (False, False)])
def test_what_its_crm_carries_out_by_itself_by_now_is_copied_no_more(*, mirrored: bool, in_list: bool) -> None:
    """As a row of the list or a read of its own tells."""
    row = a_reading(TYPED, IN_TYPED.remote_id, mirrored=mirrored)
    seen = seen_of(*([] if in_list else [row]))
    if in_list:
        seen[TYPED].rows[row.remote_id] = row
    found = plan(ONLY_THERE, seen)
    assert done(found) == ([("create", "t1", PLAIN), ("create", "t1", LANE)] if mirrored else [])
    assert set(reasons(found)) == (set() if mirrored else {Reason.SCHEDULED})


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
def test_a_closed_task_is_completed_wherever_it_is_open(state: State) -> None:
    base = a_base(replace(TASK, state=state), replicas=EVERYWHERE)
    found = plan(base, read_lane(base))
    assert done(found) == [("complete", "t1", system) for system in sorted(SYSTEMS)]
    assert {operation.remote_id for operation in found.operations} == {replica.remote_id for replica in EVERYWHERE}


def test_completions_come_first_then_what_is_due_first() -> None:
    tasks = [a_task("t2", due=at(hours=9)), a_task("t3", due=at(hours=2)), replace(TASK, state=State.DONE)]
    replicas = [a_replica(task, LANE, state=ReplicaState.OPEN) for task in tasks[:2]]
    found = plan(a_base(*tasks, replicas=[*replicas, IN_TYPED]))
    assert [(action, task) for action, task, _ in done(found)] == [
        ("complete", "t1"),
        *[("create", "t3")] * 2,
        *[("create", "t2")] * 2,
    ]


def test_every_operation_says_why() -> None:
    superseded = a_replica(TASK, LANE, state=ReplicaState.SUPERSEDED)
    why = {op.system: op.reason for op in plan(a_base(TASK, replicas=[IN_TYPED, superseded])).operations}
    assert why == {
        PLAIN: f"created in {TYPED}, not yet in {PLAIN}",
        LANE: f"closed in {LANE} by a newer task, but still to be done",
    }
    back = plan(a_base(replace(TASK, put_back=True), replicas=[IN_TYPED, superseded]))
    assert {op.reason for op in back.operations if op.system == LANE} == {
        f"closed in {LANE} by our mistake, to be created again"
    }
    [complete] = plan(a_base(DONE, replicas=[IN_TYPED])).operations
    assert complete.reason == f"done elsewhere, still open in {TYPED}"


def test_what_is_to_be_put_back_waits_for_a_task_of_theirs_and_names_it() -> None:
    theirs = a_task("t2", origin=LANE, title="Call Asha", due=at(hours=2))
    in_slot = a_replica(theirs, LANE, state=ReplicaState.OPEN)
    superseded = a_replica(TASK, LANE, state=ReplicaState.SUPERSEDED)
    base = a_base(replace(TASK, put_back=True), theirs, replicas=[IN_TYPED, superseded, in_slot])
    [waits] = [item for item in plan(base, read_lane(base)).waiting if item.reason is Reason.PUT_BACK]
    assert (waits.task, waits.detail) == ("t1", f"“Call Asha” has the place ({LANE}:{in_slot.remote_id})")


# what is not done, and why -------------------------------------------------------------------------


def with_capabilities(system: str, **changes: Any) -> dict[str, Capabilities]:
    return CAPABILITIES | {system: replace(CAPABILITIES[system], **changes)}


def test_a_message_is_shown_but_not_completed_for_it_was_never_sent() -> None:
    message = a_task(origin=TYPED, kind=Kind.EMAIL)
    assert done(plan(a_base(message, replicas=[a_replica(message, TYPED)]))) == [("create", "t1", PLAIN)]
    base = a_base(replace(message, state=State.DONE), replicas=[a_replica(message, TYPED), a_replica(message, PLAIN)])
    found = plan(base)
    assert done(found) == [("complete", "t1", PLAIN)]
    assert reasons(found) == [Reason.NOT_COMPLETABLE]
    allowed = with_capabilities(TYPED, completes_kinds=frozenset(Kind))
    assert len(plan(base, capabilities=allowed).operations) == 2


def test_a_sequences_task_is_completed_unless_the_account_says_otherwise() -> None:
    base = a_base(DONE, replicas=[replace(IN_TYPED, sequence=True)])
    assert len(plan(base).operations) == 1
    found = plan(base, capabilities=with_capabilities(TYPED, completes_sequences=False))
    assert (done(found), reasons(found)) == ([], [Reason.SEQUENCE_READ_ONLY])


def test_a_kind_that_a_crm_does_not_have_waits() -> None:
    message = a_task(origin=TYPED, kind=Kind.SMS)
    policy = replace(POLICY, routes=POLICY.routes | {Kind.SMS: (LANE,)})  # type: ignore[operator]
    found = plan(a_base(message, replicas=[a_replica(message, TYPED)]), policy=policy)
    assert (done(found), reasons(found)) == ([], [Reason.NOT_SUPPORTED])


@pytest.mark.parametrize("lane", [CAPABILITIES[LANE].lane, None])
def test_where_tasks_are_listed_by_contact_nothing_is_made_before_they_were_read(lane: LanePolicy | None) -> None:
    """Without a lane the plan made a copy at once, though somebody may have written the task down there, too."""
    exclusive = CAPABILITIES[LANE].exclusive if lane is not None else frozenset[Kind]()
    capabilities = with_capabilities(LANE, lane=lane, exclusive=exclusive)
    seen = seen_of()
    assert ("create", "t1", LANE) in done(plan(ONLY_THERE, seen, capabilities=capabilities))
    del seen[LANE].lanes[f"p1-{LANE}"]
    visited = replace(ONLY_THERE, visits={(LANE, f"p1-{LANE}"): at(hours=-1)})
    found = plan(visited, seen, capabilities=capabilities)
    assert (done(found), reasons(found)) == ([("create", "t1", PLAIN)], [Reason.UNREAD])


def test_a_missing_contact_is_waited_for_or_made() -> None:
    base = a_base(TASK, replicas=[IN_TYPED])
    del base.links[PLAIN, f"p1-{PLAIN}"]
    found = plan(base)
    assert reasons(found) == [Reason.NO_CONTACT]
    assert found.waiting[0].detail.endswith(f"with {TYPED}:p1-{TYPED} and {LANE}:p1-{LANE}")
    made = plan(base, policy=replace(POLICY, create_missing=frozenset({PLAIN})))
    assert [(op.system, op.contact) for op in made.operations] == [(PLAIN, None), (LANE, f"p1-{LANE}")]


@pytest.mark.parametrize("create_missing", [frozenset[str](), frozenset({PLAIN})])
def test_an_ambiguous_contact_is_never_guessed_nor_made_once_more(create_missing: frozenset[str]) -> None:
    base = a_base(TASK, replicas=[IN_TYPED])
    del base.links[PLAIN, f"p1-{PLAIN}"]
    mine = (TYPED, f"p1-{TYPED}")
    doubts = (
        Ambiguity(((PLAIN, "h1"), (PLAIN, "h2"), mine), ("a@x.com",)),
        Ambiguity((mine, (TYPED, "r2"), (LANE, "s9")), ("b@x.com",)),
    )
    found = plan(base, ambiguities=doubts, policy=replace(POLICY, create_missing=create_missing))
    assert [item.reason for item in found.waiting] == [Reason.AMBIGUOUS_CONTACT]
    assert found.waiting[0].detail == doubts[0].sentence
    assert [item.detail for item in found.attention] == [doubt.sentence for doubt in doubts]
    assert done(found) == [("create", "t1", LANE)]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (ConnectionState.UNAVAILABLE, Reason.UNAVAILABLE),
        (ConnectionState.UNAUTHORIZED, Reason.UNAUTHORIZED),
        (ConnectionState.OFF, Reason.UNAVAILABLE),
    ],
)
@pytest.mark.parametrize("task", [TASK, DONE], ids=["create", "complete"])
def test_nothing_is_planned_for_a_connection_that_cannot_be_used(
    task: Any, state: ConnectionState, reason: Reason
) -> None:
    base = a_base(task, replicas=[replace(IN_TYPED, state=ReplicaState.DONE)] if task is DONE else [IN_TYPED])
    if task is DONE:
        base.replicas |= {replica.key: replica for replica in EVERYWHERE if replica.system != TYPED}
    seen = read_lane(base) | {PLAIN: Seen(state)}
    found = plan(base, seen)
    assert reasons(found) == [reason]
    assert {system for _, _, system in done(found)} == {LANE}


def test_nothing_is_created_where_the_tasks_are_unread() -> None:
    seen = seen_of()
    seen[PLAIN].unread = {f"p1-{PLAIN}"}
    seen[LANE].lanes.clear()
    found = plan(ONLY_THERE, seen)
    assert (done(found), reasons(found)) == ([], [Reason.UNREAD, Reason.UNREAD])
    seen[PLAIN] = Seen(listed=False)
    assert reasons(plan(ONLY_THERE, seen)) == [Reason.UNREAD, Reason.UNREAD]


@pytest.mark.parametrize(("due", "waits"), [(TASK.due, True), (at(days=7), True), (at(days=8), False)])
def test_nothing_is_created_beside_what_cannot_be_read_and_is_due_as_we_sent_it(due: datetime, waits: bool) -> None:
    """That create may have arrived after all, and the task was moved since."""
    create = an_operation(TASK, PLAIN, Action.CREATE, OpState.FAILED, due=at(days=7))
    seen = seen_of()
    seen[PLAIN].untold = {Untold((PLAIN, "9"), f"p1-{PLAIN}", due)}
    base = a_base(TASK, replicas=[IN_TYPED, a_replica(TASK, LANE)], operations=[create])
    assert reasons(plan(base, seen)) == [Reason.UNREAD] * waits


def test_of_the_creates_in_a_full_account_one_is_tried() -> None:
    tasks = [a_task(f"{PLAIN}:{number}", origin=PLAIN, kind=Kind.TODO, due=at(hours=number)) for number in (2, 1, 3)]
    base = a_base(*tasks, replicas=[a_replica(task, system) for task in tasks for system in (PLAIN, TYPED)])
    full = replace(base, cursors={FULL + LANE: "1"})
    assert len(plan(base).operations) == 3
    found = plan(full)
    assert done(found) == [("create", f"{PLAIN}:1", LANE)]
    assert reasons(found) == [Reason.STORAGE_FULL] * 2


def test_a_copy_that_is_gone_is_not_made_again() -> None:
    gone = a_replica(TASK, PLAIN, state=ReplicaState.GONE)
    found = plan(a_base(TASK, replicas=[IN_TYPED, gone, a_replica(TASK, LANE)]))
    assert not found.operations
    assert [(item.system, item.reason) for item in found.attention] == [(PLAIN, Reason.REPLICA_MISSING)]


def test_what_they_cancelled_there_is_not_made_again() -> None:
    cancelled = replace(IN_TYPED, state=ReplicaState.CANCELLED)
    found = plan(a_base(TASK, replicas=[cancelled, a_replica(TASK, PLAIN), a_replica(TASK, LANE)]))
    assert (done(found), reasons(found)) == ([], [Reason.CLOSED_THERE])


# what was tried before -----------------------------------------------------------------------------


def tried(state: OpState, **fields: Any) -> Base:
    return replace(ONLY_THERE, operations={"op": an_operation(TASK, PLAIN, Action.CREATE, state, id="op", **fields)})


@pytest.mark.parametrize("state", sorted(UNSETTLED))
def test_what_is_in_doubt_is_not_repeated(state: OpState) -> None:
    found = plan(tried(state))
    assert reasons(found) == [Reason.IN_DOUBT]
    assert done(found) == [("create", "t1", LANE)]


def test_a_copy_in_doubt_of_a_task_that_is_done_by_now_is_not_forgotten() -> None:
    doubt = an_operation(DONE, PLAIN, Action.CREATE, OpState.IN_DOUBT)
    found = plan(a_base(DONE, replicas=[replace(IN_TYPED, state=ReplicaState.DONE)], operations=[doubt]))
    assert [(item.system, item.reason) for item in found.waiting] == [(PLAIN, Reason.IN_DOUBT)]


def test_a_refused_write_returns_when_the_task_or_the_contact_changes() -> None:
    parked = tried(
        OpState.PARKED, fingerprint=fingerprint(TASK, ONLY_THERE, PLAIN, f"p1-{PLAIN}"), words="no such user"
    )
    found = plan(parked)
    assert [(item.reason, "no such user" in item.detail) for item in found.attention] == [(Reason.REFUSED, True)]
    assert done(found) == [("create", "t1", LANE)]
    edited = replace(parked, tasks={"t1": replace(TASK, title="Ring her")})
    assert not plan(edited).attention
    contact = Record(PLAIN, f"p1-{PLAIN}", "p1", phones=("+919876543210",))
    assert not plan(replace(parked, records=parked.records | {contact.key: contact})).attention


@pytest.mark.parametrize("same", [True, False])
def test_a_completion_that_was_refused_for_a_copy_is_not_refused_for_another_one(*, same: bool) -> None:
    mark = fingerprint(DONE, ONLY_THERE, TYPED, IN_TYPED.contact)
    copy = IN_TYPED.remote_id if same else "a copy that is gone"
    refused = an_operation(DONE, TYPED, Action.COMPLETE, OpState.PARKED, fingerprint=mark, remote_id=copy)
    found = plan(a_base(DONE, replicas=[IN_TYPED], operations=[refused]))
    assert done(found) == ([] if same else [("complete", "t1", TYPED)])
    assert reasons(found) == ([Reason.REFUSED] if same else [])


def test_a_contact_that_could_not_be_made_is_tried_again_when_the_person_changes_elsewhere() -> None:
    base = a_base(TASK, replicas=[IN_TYPED])
    del base.links[PLAIN, f"p1-{PLAIN}"]
    policy = replace(POLICY, create_missing=frozenset({PLAIN}))
    mark = fingerprint(TASK, base, PLAIN, None)
    refused = an_operation(TASK, PLAIN, Action.CREATE, OpState.PARKED, contact="", fingerprint=mark)
    base.operations[refused.id] = refused
    assert reasons(plan(base, policy=policy)) == [Reason.REFUSED]
    base.records[TYPED, f"p1-{TYPED}"] = Record(TYPED, f"p1-{TYPED}", "p1", phones=("+919876543210",))
    assert not reasons(plan(base, policy=policy))


@pytest.mark.parametrize(
    ("failures", "wait", "planned", "expected"),
    [
        (1, None, True, []),
        (1, timedelta(minutes=1), False, [Reason.RETRY_LATER]),
        (1, timedelta(0), True, []),
        (FAILURES_UNTIL_ATTENTION, timedelta(minutes=1), False, [Reason.FAILING]),
        (FAILURES_UNTIL_ATTENTION, timedelta(0), True, [Reason.FAILING]),
    ],
)
def test_what_failed_is_tried_again_and_after_five_times_listed(
    failures: int, wait: timedelta | None, planned: bool, expected: list[Reason]
) -> None:
    not_before = None if wait is None else START + wait
    found = plan(tried(OpState.FAILED, failures=failures, not_before=not_before))
    assert reasons(found) == expected
    assert (("create", "t1", PLAIN) in done(found)) is planned


def test_only_the_latest_try_counts() -> None:
    early = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT, id="a", created_at=at(hours=-2))
    late = an_operation(TASK, PLAIN, Action.CREATE, OpState.DONE, id="b")
    assert not reasons(plan(replace(ONLY_THERE, operations={"b": late, "a": early})))
