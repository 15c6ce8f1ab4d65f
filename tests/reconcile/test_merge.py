"""The three-way comparison: what people did to known copies is understood, and nothing else is concluded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from syncer.domain.base import COMPANY, OUR_USER, UNSETTLED, Action, Base, Changes, OpState
from syncer.domain.model import Kind, Reading, Replica, ReplicaState, State, next_task_id, place_of
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import Effects, made_after, maybe_superseded, superseded_by
from syncer.reconcile.merge import Merged
from syncer.reconcile.merging import in_order
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

TASK = a_task()
IN_LANE, IN_TYPED, IN_PLAIN = (a_replica(TASK, system) for system in SYSTEMS)
EVERYWHERE = a_base(TASK, replicas=[IN_LANE, IN_TYPED, IN_PLAIN])
WINDOW = timedelta(seconds=2)


def closed(replica: Replica, state: State = State.DONE, **changes: object) -> Reading:
    return replace(read_back(replica, TASK, state=state), **changes)  # type: ignore[arg-type]


def state_of(found: Merged, replica: Replica) -> ReplicaState:
    return found.base.replicas[replica.key].state


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


# copies that are gone, or open again ---------------------------------------------------------------


def test_a_copy_is_gone_after_two_misses_in_two_runs() -> None:
    seen = seen_of()
    seen[PLAIN].missing = {IN_PLAIN.remote_id}
    first = merged(EVERYWHERE, seen, run="run1")
    assert state_of(first, IN_PLAIN) is ReplicaState.OPEN
    second = merged(first.base, seen, run="run2")
    assert state_of(second, IN_PLAIN) is ReplicaState.GONE
    assert second.base.tasks == EVERYWHERE.tasks
    assert merged(second.base, seen, run="run3").changes == Changes()


def test_one_miss_is_forgotten_when_the_copy_is_read_again() -> None:
    base = a_base(TASK, replicas=[IN_LANE, replace(IN_PLAIN, misses=1)])
    assert merged(base, seen_of(read_back(IN_PLAIN, TASK))).base.replicas[IN_PLAIN.key].misses == 0


@pytest.mark.parametrize("state", [State.OPEN, State.DONE])
def test_a_copy_that_was_gone_and_is_there_again_is_the_same_task(state: State) -> None:
    """If the task was done meanwhile, the copy is to be closed, not to be taken for a new task."""
    task = replace(TASK, state=state)
    base = a_base(task, replicas=[IN_LANE, replace(IN_PLAIN, state=ReplicaState.GONE, misses=2)])
    found = merged(base, seen_of(read_back(IN_PLAIN, TASK)))
    assert found.base.tasks == {"t1": task}
    assert state_of(found, IN_PLAIN) is ReplicaState.OPEN


def test_a_copy_that_is_open_again_after_it_was_closed_is_a_new_task() -> None:
    base = a_base(replace(TASK, state=State.DONE), replicas=[replace(IN_PLAIN, state=ReplicaState.DONE)])
    found = merged(base, seen_of(read_back(IN_PLAIN, TASK)))
    assert found.base.tasks["t1"].state is State.DONE
    assert found.base.tasks[place_of(*IN_PLAIN.key)].origin == PLAIN
    assert found.base.replicas[IN_PLAIN.key].task == place_of(*IN_PLAIN.key)


@pytest.mark.parametrize("system", [TYPED, PLAIN])
def test_an_origin_that_is_open_again_is_the_next_task_of_its_place(system: str) -> None:
    task = a_task(f"{system}:5~2", origin=system, state=State.DONE)
    origin, copy = a_replica(task, system, state=ReplicaState.DONE), a_replica(task, LANE, state=ReplicaState.DONE)
    found = merged(a_base(task, replicas=[origin, copy]), seen_of(read_back(origin, task)))
    assert found.base.replicas[origin.key].task == next_task_id(task.id) == f"{system}:5~3"
    assert found.base.tasks[task.id] == task
    assert (found.base.tasks[f"{system}:5~3"].state, found.base.tasks[f"{system}:5~3"].origin) == (State.OPEN, system)


@pytest.mark.parametrize("reopened", [IN_TYPED, IN_PLAIN], ids=SYSTEMS[1:])
def test_a_copy_reopened_while_its_task_was_done_elsewhere_is_a_new_task(reopened: Replica) -> None:
    """Cancelled there and kept open elsewhere, then done elsewhere and reopened there, all between two runs."""
    cancelled = replace(reopened, state=ReplicaState.CANCELLED)
    other = IN_PLAIN if reopened is IN_TYPED else IN_TYPED
    base = a_base(TASK, replicas=[cancelled, other])
    found = merged(base, seen_of(read_back(reopened, TASK), closed(other)))
    assert found.base.tasks["t1"].state is State.DONE
    assert found.base.replicas[reopened.key].task == place_of(*reopened.key)


def test_a_superseded_copy_that_is_open_again_shows_its_open_task() -> None:
    task = replace(TASK, put_back=True)
    base = a_base(task, replicas=[replace(IN_LANE, state=ReplicaState.SUPERSEDED), IN_PLAIN])
    found = merged(base, seen_of(read_back(IN_LANE, TASK)))
    assert found.base.tasks == {"t1": TASK}, "and needs no putting back any more"
    assert state_of(found, IN_LANE) is ReplicaState.OPEN


def test_a_copy_that_is_open_again_while_another_is_being_made_is_a_new_task() -> None:
    """Else both would be open copies of one task in one CRM."""
    cancelled = replace(IN_TYPED, state=ReplicaState.CANCELLED)
    doubt = an_operation(TASK, TYPED, Action.CREATE, OpState.IN_DOUBT)
    found = merged(a_base(TASK, replicas=[IN_LANE, cancelled], operations=[doubt]), seen_of(read_back(IN_TYPED, TASK)))
    assert found.base.replicas[IN_TYPED.key].task == place_of(*IN_TYPED.key)


def test_a_row_of_a_list_reopens_nothing() -> None:
    base = a_base(replace(TASK, state=State.DONE), replicas=[replace(IN_TYPED, state=ReplicaState.DONE)])
    assert merged(base, seen_of(read_back(IN_TYPED, TASK, whole=False))).changes == Changes()


# fields --------------------------------------------------------------------------------------------


def test_title_body_and_due_follow_the_origin() -> None:
    task = a_task(origin=PLAIN, title="Call", body="soon")
    base = a_base(task, replicas=[a_replica(task, PLAIN), a_replica(task, TYPED)])
    edited = read_back(a_replica(task, PLAIN), task, title="Call now", body="today", due=at(hours=1))
    found = merged(base, seen_of(edited, read_back(a_replica(task, TYPED), task, title="x", due=at(hours=2))))
    assert found.base.tasks["t1"] == replace(task, title="Call now", body="today", due=at(hours=1))


def test_a_title_that_was_taken_away_is_remembered() -> None:
    task = a_task(origin=PLAIN, title="Call", body="soon")
    bare = read_back(a_replica(task, PLAIN), task, title=None, body=None, due=None)
    assert merged(a_base(task, replicas=[a_replica(task, PLAIN)]), seen_of(bare)).base.tasks == {"t1": task}


def test_a_copy_that_we_made_in_the_origin_is_not_followed() -> None:
    """It cannot carry everything: in the lane's CRM a title that we make does not come back."""
    task = replace(TASK, title="Ring")
    old = a_replica(task, LANE, "old", state=ReplicaState.SUPERSEDED)
    again = a_replica(task, LANE, made=True)
    found = merged(a_base(task, replicas=[old, again]), seen_of(read_back(again, task, due=at(hours=6))))
    assert found.base.tasks == {"t1": task}


def test_a_copy_that_somebody_touched_is_theirs() -> None:
    found = merged(EVERYWHERE, seen_of(read_back(IN_TYPED, TASK), read_back(IN_PLAIN, TASK, due=at(hours=6))))
    assert found.base.replicas[IN_TYPED.key].ours
    assert not found.base.replicas[IN_PLAIN.key].ours
    back = merged(found.base, seen_of(read_back(IN_PLAIN, TASK)))
    assert not back.base.replicas[IN_PLAIN.key].ours, "and stays so"


def test_a_due_that_we_made_never_flows_back() -> None:
    first = merged(a_base(), seen_of(a_reading(PLAIN, "x", due=None)))
    [task] = first.base.tasks.values()
    assert (task.due, task.due_synthetic) == (at(days=1), True)
    copy = a_replica(task, TYPED, due=at(days=1, seconds=-1))
    first.base.replicas[copy.key] = copy
    later = merged(first.base, seen_of(a_reading(PLAIN, "x", due=None), read_back(copy, task)), now=at(days=3))
    assert later.base.tasks == {task.id: task}
    real = merged(later.base, seen_of(a_reading(PLAIN, "x", due=at(hours=2))))
    assert real.base.tasks[task.id] == replace(task, due=at(hours=2), due_synthetic=False)


@pytest.mark.parametrize("state", [OpState.SENT, OpState.DONE])
def test_the_due_before_a_completion_in_doubt_is_remembered(state: OpState) -> None:
    """A recurring task moves to its next date when it is completed: that it did is how a lost answer is made good."""
    completion = an_operation(TASK, PLAIN, Action.COMPLETE, state, remote_id=IN_PLAIN.remote_id)
    base = a_base(replace(TASK, state=State.DONE), replicas=[IN_PLAIN], operations=[completion])
    moved = a_reading(PLAIN, IN_PLAIN.remote_id, due=at(days=7))
    due = merged(base, seen_of(moved)).base.replicas[IN_PLAIN.key].due
    assert due == (IN_PLAIN.due if state is OpState.SENT else at(days=7))
