"""After a lost ledger, what was done stays done, and what may have been reopened is held."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.model import Kind, ReplicaState, State
from syncer.domain.reasons import Reason
from tests.support.clock import START
from tests.support.rebuilding import copies_of, done, from_yesterday, one_task, open_tasks, places, rebuilt
from tests.support.strategies import (
    API,
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
    at,
    marker_of,
)


@pytest.mark.parametrize("closed_in", [TYPED, PLAIN])
def test_what_was_finished_is_done_and_the_lanes_origin_is_to_be_completed(closed_in: str) -> None:
    task = a_task(f"{LANE}:1")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == closed_in else row for row in rows))
    assert one_task(found).state is State.DONE
    assert one_task(found).id == task.id
    assert places(found, task.id) == set(SYSTEMS) - {closed_in}
    assert places(found, task.id, ReplicaState.DONE) == {closed_in}
    assert not found.incidents


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_a_finished_origin_makes_the_task_done_and_its_copies_are_to_be_completed(origin: str) -> None:
    task = a_task(f"{origin}:1", origin=origin, title="Call")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == origin else row for row in rows))
    assert (one_task(found).id, one_task(found).state) == (task.id, State.DONE)
    assert places(found, task.id) == set(SYSTEMS) - {origin}


def test_of_what_is_closed_it_is_known_which_copies_we_made() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    found = rebuilt(*(from_yesterday(done(row)) for row in copies_of(task, (TYPED, PLAIN))))
    assert {copy.system: copy.made for copy in found.base.replicas.values()} == {TYPED: False, PLAIN: True}


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
@pytest.mark.parametrize("closed_in", SYSTEMS)
def test_an_open_origin_beside_a_finished_copy_may_be_reopened_and_is_held(origin: str, closed_in: str) -> None:
    """Nothing tells whether somebody reopened it since: it is neither completed nor mirrored."""
    if origin == closed_in:
        return
    task = a_task(f"{origin}:1", origin=origin, title="Call")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == closed_in else row for row in rows))
    assert found.base.tasks[task.id].state is State.DONE
    held = found.base.tasks[f"{task.id}~2"]
    assert (held.state, held.held) == (State.OPEN, Reason.DONE_OR_REOPENED)
    assert places(found, held.id) == {origin}
    assert places(found, task.id) == set(SYSTEMS) - {origin, closed_in}


@pytest.mark.parametrize(
    ("title", "is_read", "held"),
    [
        ("Call", True, ""),
        ("Another call", True, Reason.DONE_OR_REOPENED),
        ("Another call", False, Reason.DONE_OR_REOPENED),
    ],
)
def test_a_copy_of_what_is_finished_is_held_where_its_title_may_be_that_of_another_task(
    title: str, is_read: bool, held: str
) -> None:
    """The lane's copy has no title, and of the origin its list tells none either: that is no likeness."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, origin, copy = (from_yesterday(row) for row in copies_of(task))
    if not is_read:
        origin = replace(origin, title=None, whole=False)
    found = rebuilt(done(in_lane), done(origin), replace(copy, title=title))
    assert [one.held for one in found.base.tasks.values() if places(found, one.id)] == [held]
    assert found.base.tasks[task.id].state is State.DONE
    assert found.base.replicas[origin.key].state is ReplicaState.DONE, "it is there, and not gone"


def test_what_we_may_not_complete_is_not_held_for_it_stays_open_in_any_case() -> None:
    mail = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(mail, (TYPED, PLAIN))
    found = rebuilt(theirs, done(ours))
    assert (one_task(found).state, one_task(found).held) == (State.DONE, "")
    assert places(found, mail.id) == {TYPED}


def test_what_we_may_not_complete_is_held_where_it_has_another_title_by_now() -> None:
    """Somebody reopened it as another one: it is not taken for done."""
    mail = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(mail, (TYPED, PLAIN))
    found = rebuilt(replace(theirs, title="Other mail"), done(ours))
    assert found.base.tasks[mail.id].state is State.DONE
    assert found.base.tasks[f"{mail.id}~2"].held == Reason.DONE_OR_REOPENED


def test_what_a_sequence_owns_is_not_held_where_we_only_read_it() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    read_only = CAPABILITIES | {TYPED: replace(CAPABILITIES[TYPED], completes_sequences=False)}
    rows = (replace(theirs, sequence=True), done(ours))
    assert one_task(rebuilt(*rows, capabilities=read_only)).state is State.DONE
    assert set(rebuilt(*rows).base.tasks) == {task.id, f"{task.id}~2"}


@pytest.mark.parametrize(("closes", "state"), [(True, State.CANCELLED), (False, State.OPEN)])
def test_what_was_cancelled_is_cancelled_where_that_is_wished(closes: bool, state: State) -> None:
    task = a_task(f"{LANE}:1")
    rows = copies_of(task)
    cancelled = [replace(row, state=State.CANCELLED) if row.system == TYPED else row for row in rows]
    found = rebuilt(*cancelled, policy=replace(POLICY, cancelled_closes=closes))
    assert one_task(found).state is state
    assert places(found, task.id, ReplicaState.CANCELLED) == {TYPED}


def test_where_the_same_crm_shows_another_one_open_the_finished_copy_says_nothing() -> None:
    """It was made anew, after the first copy was superseded, gone or pasted."""
    task = a_task(f"{LANE}:1")
    rows = copies_of(task)
    older = done(replace(rows[2], remote_id="0"))
    found = rebuilt(*rows, older)
    assert one_task(found).state is State.OPEN
    assert places(found, task.id) == set(SYSTEMS)


def test_our_copy_that_people_finished_beside_that_of_another_ledger_makes_the_task_done() -> None:
    """Two ledgers made a copy each, so the open one did not take the place of the finished one."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, another] = copies_of(task, (TYPED, PLAIN), created_at=START)
    ours = replace(another, remote_id="ours", marker=marker_of(task))
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, PLAIN, "ours")], ledger_made_at=at(days=-1))
    found = rebuilt(theirs, done(ours), another, base=base)
    assert found.base.tasks[task.id].state is State.DONE
    assert found.base.replicas[another.key].task == task.id


def test_what_is_finished_everywhere_is_history() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    other = a_reading(TYPED, "9", due=at(days=9), title="Other")
    found = rebuilt(*(done(from_yesterday(row)) for row in copies_of(task)), other)
    assert {known.id: known.state for known in found.base.tasks.values()} == {
        other.place: State.OPEN,
        task.id: State.DONE,
    }


def test_a_copy_of_what_was_finished_everywhere_is_a_new_task_once_it_is_reopened() -> None:
    """What the person's last reading showed is known: the copy is no completion that was never carried over."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    theirs, ours = (from_yesterday(row) for row in copies_of(task, (TYPED, PLAIN)))
    other = a_reading(TYPED, "9", due=at(days=9), title="Other")
    base = rebuilt(done(theirs), done(ours), other).base
    found = rebuilt(done(theirs), ours, other, base=base)
    assert open_tasks(found) == {other.place, ours.place}
    assert found.base.tasks[task.id].state is State.DONE


def test_a_finished_lane_task_that_may_have_been_the_copy_holds_what_is_open_elsewhere() -> None:
    """Without a marker anywhere its kind, its due and the order in time are all there is."""
    open_one = a_reading(TYPED, "1", kind=Kind.FOLLOW_UP_CALL, title="Call", created_at=at(hours=-9))
    before, after = (a_reading(LANE, "2", kind=Kind.FOLLOW_UP_CALL, created_at=at(hours=when)) for when in (-10, -8))
    assert one_task(rebuilt(open_one, done(after))).held == Reason.DONE_OR_REOPENED
    assert one_task(rebuilt(open_one, done(before))).held == ""


def test_what_still_waits_to_be_completed_in_the_lane_is_not_made_again_elsewhere() -> None:
    """Under a newer task nothing can be completed: the ledger was lost while that one was open.

    Who our user is, is lost too, so nothing tells our copy from a task that somebody made anew."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    found = rebuilt(in_lane, done(theirs), done(ours))
    assert {known.id: (known.state, known.held) for known in found.base.tasks.values()} == {
        in_lane.place: (State.OPEN, Reason.DONE_OR_REOPENED),
        task.id: (State.DONE, ""),
    }


def test_a_finished_twin_makes_the_task_done() -> None:
    """Two people had made it in two CRMs, and our copy in the third tells of one of them alone."""
    task = a_task(f"{LANE}:1")
    rows = [from_yesterday(row) for row in copies_of(task, (LANE, PLAIN))]
    found = rebuilt(*rows, done(a_reading(TYPED, "x", title="Call Asha")))
    assert one_task(found).state is State.DONE


@pytest.mark.parametrize(
    ("minutes", "state", "held"),
    [
        (-60, State.DONE, ""),
        (-10, State.OPEN, Reason.DONE_OR_REOPENED),
        (10, State.OPEN, Reason.DONE_OR_REOPENED),
        (60, State.OPEN, ""),
    ],
)
def test_an_open_twin_of_what_was_finished_is_finished_if_it_was_there_before_our_copy(
    minutes: int, state: State, held: str
) -> None:
    """Two people had made it in two CRMs; somebody finished our copy in the third."""
    task = a_task(f"{LANE}:1", title="Call")
    rows = copies_of(task, (LANE, TYPED), created_at=at(days=-1))
    theirs = a_reading(PLAIN, "x", title=rows[1].title, created_at=at(days=-1, minutes=minutes))
    found = rebuilt(*(done(row) if row.system == TYPED else row for row in rows), theirs)
    assert found.base.tasks[task.id].state is State.DONE
    twin = found.base.tasks[found.base.replicas[theirs.key].task]
    assert (twin.state, twin.held) == (state, held)


def test_what_people_made_after_our_copy_is_another_task_though_that_one_is_finished() -> None:
    task = a_task(f"{LANE}:1", title="Call")
    rows = copies_of(task, (LANE, TYPED), created_at=at(days=-1))
    theirs = a_reading(PLAIN, "x", title=rows[1].title, created_at=at(hours=-2))
    found = rebuilt(*(done(row) if row.system == TYPED else row for row in rows), theirs)
    assert (found.base.tasks[theirs.place].state, found.base.tasks[theirs.place].held) == (State.OPEN, "")


@pytest.mark.parametrize(("kind", "is_a_new_copy"), [(Kind.FOLLOW_UP_CALL, False), (Kind.CALLBACK, True)])
def test_what_was_finished_in_the_lane_is_no_new_copy_of_a_superseded_task_of_another_type(
    kind: Kind, is_a_new_copy: bool
) -> None:
    """Two tasks are due together. We make a copy again with the type that it had, so the other one was finished."""
    first = a_task(f"{LANE}:1", kind=Kind.CALLBACK)
    second = a_task(f"{PLAIN}:2", origin=PLAIN, title="Ring")
    superseded, *others = (from_yesterday(row) for row in copies_of(first))
    superseded = done(superseded, updated_by=API)
    newer = a_reading(LANE, "9", kind=kind, created_at=at(hours=-1), created_by=API)
    newer = done(newer, updated_at=at(minutes=-30))
    found = rebuilt(superseded, newer, *map(done, others), *copies_of(second, (TYPED, PLAIN)))
    assert found.base.tasks[first.id].state is State.DONE
    assert found.base.replicas[newer.key].task == (first.id if is_a_new_copy else second.id)
    assert found.base.tasks[second.id].state is (State.OPEN if is_a_new_copy else State.DONE)


@pytest.mark.parametrize("closed", ["1", "2"])
def test_of_two_equal_tasks_the_one_is_done_whose_copy_comes_in_its_place(closed: str) -> None:
    """A lane gets the copies of equal tasks in the order of their ids, so every ledger takes the same one for done."""
    tasks = [a_task(f"{PLAIN}:{number}", origin=PLAIN, title="Call") for number in (1, 2)]
    rows = [replace(row, remote_id=task.id[-1]) for task in tasks for row in copies_of(task)]
    rows = [from_yesterday(row) for row in rows]
    found = rebuilt(*(done(row) if (row.system, row.remote_id) == (LANE, closed) else row for row in rows))
    assert {task.id[-1] for task in tasks if found.base.tasks[task.id].state is State.DONE} == {closed}
