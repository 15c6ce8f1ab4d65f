"""The three-way comparison: what people did to known copies is understood, and nothing else is concluded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.base import Base, Changes
from syncer.domain.cursors import COMPANY, FORERUNNER, OUR_USER
from syncer.domain.model import Kind, Reading, Replica, ReplicaState, State
from syncer.domain.operations import UNSETTLED, Action, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import Effects, made_after, maybe_superseded, superseded_by
from syncer.reconcile.merging import in_order
from tests.support.merging import EVERYWHERE, IN_LANE, IN_PLAIN, IN_TYPED, TASK, closed, state_of
from tests.support.strategies import (
    API,
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
    merged,
    read_back,
    seen_of,
    with_lane,
)

WINDOW = timedelta(seconds=2)


# closures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("replica", [IN_LANE, IN_TYPED, IN_PLAIN], ids=SYSTEMS)
def test_a_copy_that_they_close_makes_the_task_done(replica: Replica) -> None:
    found = merged(EVERYWHERE, seen_of(closed(replica)))
    assert found.base.tasks["t1"].state is State.DONE
    assert state_of(found, replica) is ReplicaState.DONE
    assert not found.incidents


def test_what_an_answer_called_ours_and_is_somebody_elses_closes_nothing() -> None:
    """The create was answered with the number of a finished task that no list had shown."""
    task = a_task(title="Call Asha")
    copy = a_replica(task, TYPED)
    base = a_base(task, replicas=[a_replica(task, LANE), copy])
    another = a_reading(TYPED, copy.remote_id, state=State.DONE, title="Other", due=at(days=9), marker=None)
    found = merged(base, seen_of(another))
    assert found.base.tasks[task.id].state is State.OPEN
    assert state_of(found, copy) is ReplicaState.GONE
    edited = replace(another, due=copy.due)
    assert state_of(merged(base, seen_of(edited)), copy) is ReplicaState.DONE


@pytest.mark.parametrize(
    ("company", "by", "held"),
    [("1", API, Reason.DONE_OR_REOPENED), ("1", "8", ""), ("", API, "")],
    ids=["our user's", "a person's", "no other ledger"],
)
def test_what_our_user_closed_in_the_lane_unasked_is_held_where_another_ledger_writes(
    company: str, by: str, held: str
) -> None:
    """That one may have completed it because it is done, or hit it instead of another task: nothing tells."""
    base = replace(EVERYWHERE, cursors={OUR_USER + LANE: API, COMPANY: company})
    shut = closed(IN_LANE, updated_by=by, updated_at=at(hours=1))
    task = merged(base, seen_of(shut)).base.tasks["t1"]
    assert (task.held, task.state) == (held, State.OPEN if held else State.DONE)
    task = merged(base, seen_of(shut, closed(IN_TYPED))).base.tasks["t1"]
    assert task.state is State.DONE, "it is done elsewhere"


@pytest.mark.parametrize(("by", "held"), [(API, Reason.DONE_OR_REOPENED), ("8", "")])
def test_what_the_maker_of_the_lanes_copies_closed_there_is_held_though_this_ledger_made_nothing_there(
    by: str, held: str
) -> None:
    """Another ledger writes, and its markers tell who it is in the lane."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, in_typed, in_plain = (a_replica(task, system, made=system == PLAIN) for system in SYSTEMS)
    base = a_base(task, replicas=[in_lane, in_typed, in_plain], cursors={COMPANY: "1"})
    shut = read_back(in_lane, task, state=State.DONE, created_by=API, updated_by=by, updated_at=at(hours=1))
    found = merged(base, seen_of(shut, read_back(in_typed, task), read_back(in_plain, task))).base.tasks[task.id]
    assert (found.held, found.state) == (held, State.OPEN if held else State.DONE)


def test_what_our_user_replaced_in_the_lane_is_not_done_though_this_ledger_made_nothing_there() -> None:
    """Another ledger did. Its markers tell who made the lane's copies."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, in_typed, in_plain = (a_replica(task, system, made=system == PLAIN) for system in SYSTEMS)
    base = a_base(task, replicas=[in_lane, in_typed, in_plain])
    shut = read_back(in_lane, task, state=State.DONE, created_by=API, updated_by=API, updated_at=at(hours=1))
    newer = a_reading(LANE, "9", due=at(hours=2), created_by=API, created_at=at(hours=1))
    seen = seen_of(shut, newer, read_back(in_typed, task), read_back(in_plain, task))
    found = merged(base, seen, capabilities=with_lane(superseded_is_done=True))
    assert found.base.tasks[task.id].state is State.OPEN


@pytest.mark.parametrize("first", [State.DONE, State.CANCELLED])
def test_completed_beats_cancelled(first: State) -> None:
    second = State.CANCELLED if first is State.DONE else State.DONE
    found = merged(EVERYWHERE, seen_of(closed(IN_TYPED, first), closed(IN_PLAIN, second)))
    assert found.base.tasks["t1"].state is State.DONE


@pytest.mark.parametrize(("closes", "state"), [(True, State.CANCELLED), (False, State.OPEN)])
def test_a_cancelled_copy_cancels_the_task_where_that_is_wished(closes: bool, state: State) -> None:
    policy = replace(POLICY, cancelled_closes=closes)
    found = merged(EVERYWHERE, seen_of(closed(IN_TYPED, State.CANCELLED)), policy=policy)
    assert found.base.tasks["t1"].state is state
    assert state_of(found, IN_TYPED) is ReplicaState.CANCELLED


def test_history_is_not_propagated() -> None:
    found = merged(a_base(), seen_of(a_reading(PLAIN, "x", state=State.DONE)))
    assert found.changes == Changes()


@pytest.mark.parametrize(
    ("apart", "actor", "creator", "expected"),
    [
        (0, "7", "7", True),
        (2, "7", "7", True),
        (-2, "7", "7", True),
        (3, "7", "7", False),
        (0, "7", "8", False),
        (0, None, "8", True),
        (0, "7", None, True),
    ],
)
def test_superseded_means_closed_when_and_by_whom_a_newer_one_was_made(
    apart: int, actor: str | None, creator: str | None, expected: bool
) -> None:
    old = closed(IN_LANE, created_at=at(hours=-1), updated_at=at(seconds=apart), updated_by=actor)
    new = a_reading(LANE, "new", created_at=at(), created_by=creator)
    assert superseded_by(old, new, WINDOW) is expected
    assert (old in maybe_superseded([old, new], WINDOW)) is (abs(apart) <= 2)


def test_only_exclusive_and_newer_tasks_supersede() -> None:
    old = closed(IN_LANE, created_at=at(hours=-1), updated_at=at())
    assert not superseded_by(old, a_reading(LANE, "new", kind=Kind.REMINDER, created_at=at()), WINDOW)
    assert not superseded_by(replace(old, exclusive=False), a_reading(LANE, "new", created_at=at()), WINDOW)
    assert not superseded_by(replace(old, created_at=at(seconds=1)), a_reading(LANE, "new", created_at=at()), WINDOW)
    assert not superseded_by(old, replace(old, created_at=at()), WINDOW), "nothing supersedes itself"


def test_rows_that_say_too_little_supersede_nothing() -> None:
    old = closed(IN_LANE, created_at=None, updated_at=at())
    silent = [a_reading(LANE, name, created_at=None) for name in ("x", "y")]
    assert maybe_superseded([old, *silent], WINDOW) == []
    reminder = a_reading(LANE, "z", kind=Kind.REMINDER, created_at=at())
    assert maybe_superseded([old, *silent, reminder], WINDOW) == []
    newer = a_reading(LANE, "n", created_at=at())
    assert maybe_superseded([replace(old, updated_at=None), newer], WINDOW) == []
    assert not superseded_by(old, silent[0], WINDOW)
    assert not superseded_by(replace(old, updated_at=None), newer, WINDOW)
    assert superseded_by(old, newer, WINDOW), "only when it was made is unknown"
    assert not made_after(old, newer)
    assert not made_after(newer, old)


def test_of_two_tasks_made_in_one_instant_the_one_with_the_higher_number_is_newer() -> None:
    first = closed(a_replica(TASK, LANE, remote_id="999"), created_at=at(), updated_at=at())
    second = replace(first, remote_id="1000")
    assert superseded_by(first, replace(second, state=State.OPEN), WINDOW)
    assert not superseded_by(second, first, WINDOW)


def test_readings_are_looked_at_in_the_order_in_which_they_were_made() -> None:
    made = [
        a_reading(PLAIN, name, created_at=at(hours=hour)) for name, hour in (("9", 2), ("1", 3), ("11", 1), ("2", 1))
    ]
    undated = a_reading(PLAIN, "0", created_at=None)
    assert [reading.remote_id for reading in in_order([undated, *made])] == ["2", "11", "9", "1", "0"]


def superseding(creator: str) -> tuple[Reading, Reading]:
    """Our task in the lane as a newer one closed it, and that newer one."""
    old = closed(IN_LANE, created_at=at(hours=-1), updated_at=at(minutes=-1), updated_by=creator)
    return old, a_reading(LANE, "new", created_at=at(minutes=-1), created_by=creator, due=at(hours=9))


def test_what_they_superseded_stays_open_and_the_newer_one_is_a_new_task() -> None:
    found = merged(EVERYWHERE, seen_of(*superseding("7")))
    assert found.base.tasks["t1"] == TASK
    assert state_of(found, IN_LANE) is ReplicaState.SUPERSEDED
    assert len(found.base.tasks) == 2
    assert not found.incidents


def test_what_they_superseded_is_done_where_that_is_wished() -> None:
    found = merged(EVERYWHERE, seen_of(*superseding("7")), capabilities=with_lane(superseded_is_done=True))
    assert found.base.tasks["t1"].state is State.DONE


def with_our_newer_one(*, ours: bool) -> Base:
    newer = a_task("t2", due=at(hours=9))
    return a_base(TASK, newer, replicas=[replace(IN_LANE, ours=ours), a_replica(newer, LANE, "new", made=True)])


def test_where_either_may_have_closed_it_we_take_the_blame() -> None:
    """Better a task put back that they had replaced than one lost that we closed."""
    old, ours = superseding(API)
    theirs = a_reading(LANE, "theirs", created_at=ours.created_at, created_by=None, due=at(days=3))
    seen = seen_of(old, ours, theirs)
    for lane in (seen[LANE].lanes[f"p1-{LANE}"], seen[LANE].lanes[f"p1-{LANE}"][::-1]):
        seen[LANE].lanes[f"p1-{LANE}"] = lane
        assert merged(with_our_newer_one(ours=False), seen).base.tasks["t1"].put_back


@pytest.mark.parametrize("is_done", [True, False])
def test_a_task_of_theirs_that_our_create_closed_is_an_incident_and_put_back(is_done: bool) -> None:
    capabilities = with_lane(superseded_is_done=is_done)
    found = merged(with_our_newer_one(ours=False), seen_of(*superseding(API)), capabilities=capabilities)
    assert found.base.tasks["t1"] == replace(TASK, put_back=True)
    assert [(item.task, item.reason) for item in found.incidents] == [("t1", Reason.CLOSED_BY_RACE)]


def test_a_task_of_ours_that_our_create_closed_waits_again() -> None:
    found = merged(with_our_newer_one(ours=True), seen_of(*superseding(API)))
    assert found.base.tasks["t1"] == TASK
    assert state_of(found, IN_LANE) is ReplicaState.SUPERSEDED
    assert not found.incidents


def test_a_task_of_ours_that_they_had_moved_before_our_create_closed_it_is_put_back() -> None:
    old, ours = superseding(API)
    moved = replace(old, due=at(hours=9))
    found = merged(with_our_newer_one(ours=True), seen_of(moved, ours))
    assert found.base.tasks["t1"].put_back
    assert len(found.incidents) == 1


@pytest.mark.parametrize("ours", [True, False])
def test_a_completion_that_hit_another_task_is_an_incident_and_closes_nothing_elsewhere(*, ours: bool) -> None:
    """Ours waits for its place again; theirs comes back before all others."""
    copy = replace(IN_LANE, made=ours, ours=ours)
    hit = {LANE: Effects(hit=frozenset({IN_LANE.remote_id}))}
    found = merged(a_base(TASK, replicas=[copy, IN_PLAIN]), seen_of(closed(copy)), effects=hit)
    assert found.base.tasks["t1"] == replace(TASK, put_back=not ours)
    assert state_of(found, copy) is ReplicaState.SUPERSEDED
    assert [(item.task, item.reason) for item in found.incidents] == [("t1", Reason.CLOSED_BY_RACE)]


def test_what_is_done_elsewhere_may_be_closed_in_its_lane_by_anything() -> None:
    """A completion there and our create here between two runs: nobody lost anything."""
    base = with_our_newer_one(ours=False)
    base.replicas[IN_PLAIN.key] = IN_PLAIN
    found = merged(base, seen_of(*superseding(API), closed(IN_PLAIN)))
    assert found.base.tasks["t1"] == replace(TASK, state=State.DONE)
    assert not found.incidents


@pytest.mark.parametrize("known_by", ["listing", "times"])
def test_a_task_that_our_create_closed_before_we_saw_it_is_put_back(known_by: str) -> None:
    unseen, newer = superseding(API)
    seen = seen_of(replace(unseen, updated_by="7" if known_by == "listing" else API), newer)
    by_us = Effects(closed=frozenset({unseen.remote_id} if known_by == "listing" else ()))
    base = with_our_newer_one(ours=True)
    del base.replicas[IN_LANE.key]
    found = merged(base, seen, effects={LANE: by_us})
    [incident] = found.incidents
    assert found.base.tasks[incident.task or ""].put_back
    assert state_of(found, IN_LANE) is ReplicaState.SUPERSEDED


@pytest.mark.parametrize(
    ("lacks", "held"),
    [({}, ""), ({"cursors": {FORERUNNER: "1"}}, Reason.UNMATCHED), ({"restored_at": at(days=-1)}, Reason.UNMATCHED)],
)
def test_what_our_user_made_and_our_create_closed_is_told_and_held_where_this_ledger_may_not_know_it(
    lacks: dict[str, Any], held: str
) -> None:
    """It is the copy of something. Nothing here tells of what, and put back it would be there twice."""
    unseen, newer = superseding(API)
    base = replace(with_our_newer_one(ours=True), **lacks)
    base.visits = dict.fromkeys(base.links, at())
    del base.replicas[IN_LANE.key]
    base.cursors[OUR_USER + LANE] = API
    found = merged(base, seen_of(replace(unseen, created_by=API, due=at(days=5)), newer))
    [incident] = found.incidents
    task = found.base.tasks[incident.task or ""]
    assert (task.held, task.put_back) == (held, not held)


def test_the_same_copy_that_another_ledger_made_the_moment_before_ours_closed_it_is_nobodys_loss() -> None:
    unseen, newer = superseding(API)
    base = with_our_newer_one(ours=True)
    base.visits = dict.fromkeys(base.links, at())
    del base.replicas[IN_LANE.key]
    base.cursors[OUR_USER + LANE] = API
    found = merged(base, seen_of(replace(unseen, created_by=API, due=newer.due), newer))
    assert not found.incidents
    assert found.base.replicas[IN_LANE.key].task == "t2"
    assert state_of(found, IN_LANE) is ReplicaState.SUPERSEDED


def test_what_is_to_be_put_back_is_held_once_another_ledger_is_known_that_may_have_made_it() -> None:
    unseen, newer = superseding(API)
    rows = seen_of(replace(unseen, created_by=API, due=at(days=5)), newer)
    base = with_our_newer_one(ours=True)
    base.visits = dict.fromkeys(base.links, at())
    del base.replicas[IN_LANE.key]
    base.cursors[OUR_USER + LANE] = API
    first = merged(base, rows)
    [incident] = first.incidents
    assert first.base.tasks[incident.task or ""].put_back
    first.base.cursors[FORERUNNER] = "1"
    task = merged(first.base, rows, run="later").base.tasks[incident.task or ""]
    assert (task.held, task.put_back) == (Reason.UNMATCHED, False)


@pytest.mark.parametrize("state", [State.DONE, State.CANCELLED])
def test_what_was_closed_before_our_create_is_remembered_as_closed_by_others(state: State) -> None:
    unseen, newer = superseding(API)
    seen = seen_of(replace(unseen, state=state, updated_by=API), newer)
    base = with_our_newer_one(ours=True)
    del base.replicas[IN_LANE.key]
    found = merged(base, seen, effects={LANE: Effects(history=frozenset({unseen.remote_id}))})
    replica = found.base.replicas[IN_LANE.key]
    assert not found.incidents
    assert (found.base.tasks[replica.task].state.value, replica.state.value) == (state.value, state.value)
    assert not found.base.tasks[replica.task].put_back


@pytest.mark.parametrize("done", [False, True])
def test_what_their_newer_task_closed_before_our_create_is_remembered_as_not_done(done: bool) -> None:
    """Another ledger may have seen it open, and copied it: the marker tells so later, and its copies stay open."""
    unseen, newer = superseding("7")
    history = Effects(history=frozenset({unseen.remote_id}))
    capabilities = with_lane(superseded_is_done=done)
    found = merged(a_base(), seen_of(unseen, newer), effects={LANE: history}, capabilities=capabilities)
    assert state_of(found, IN_LANE) is (ReplicaState.DONE if done else ReplicaState.SUPERSEDED)
    cancelled = seen_of(replace(unseen, state=State.CANCELLED), newer)
    found = merged(a_base(), cancelled, effects={LANE: history}, capabilities=capabilities)
    assert state_of(found, IN_LANE) is ReplicaState.CANCELLED


def test_what_we_closed_unseen_is_put_back_as_the_twin_that_it_was() -> None:
    """While its lane was in doubt it could not be looked at, and what was its twin elsewhere was taken for new."""
    unseen, newer = superseding(API)
    twin = a_task("twin", origin=PLAIN, due=unseen.due)
    other = a_task("t2", due=at(hours=9))
    base = a_base(twin, other, replicas=[a_replica(twin, PLAIN), a_replica(other, LANE, "new", made=True)])
    found = merged(base, seen_of(unseen, newer))
    assert set(found.base.tasks) == {"twin", "t2"}
    assert found.base.tasks["twin"].put_back
    assert found.base.replicas[unseen.key].task == "twin"


def test_two_that_we_closed_unseen_are_two_though_they_could_be_twins() -> None:
    one, newer = superseding(API)
    seen = seen_of(one, replace(one, remote_id="another"), newer)
    base = with_our_newer_one(ours=True)
    del base.replicas[IN_LANE.key], base.tasks["t1"]
    found = merged(base, seen)
    assert len({item.task for item in found.incidents}) == 2
    assert sum(task.put_back for task in found.base.tasks.values()) == 2


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("state", sorted(UNSETTLED))
def test_a_lane_with_a_write_in_doubt_is_looked_at_after_it_is_settled(action: Action, state: OpState) -> None:
    """What our lost request made would be taken for a new task, what it closed for their doing."""
    newer = a_task("t2", due=at(hours=9))
    base = a_base(TASK, newer, replicas=[IN_LANE], operations=[an_operation(newer, LANE, action, state)])
    found = merged(base, seen_of(*superseding(API), a_reading(LANE, "reminder", kind=Kind.REMINDER)))
    assert found.changes == Changes()
    assert {(item.system, item.reason) for item in found.waiting} == {(LANE, Reason.IN_DOUBT)}
