"""After a lost ledger, the lane, which keeps no markers: what names a copy there is its type and its due."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.cursors import OUR_USER
from syncer.domain.model import Kind, Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from tests.support.clock import START
from tests.support.rebuilding import copies_of, done, from_yesterday, places, put_back, rebuilt
from tests.support.strategies import (
    API,
    LANE,
    LEDGER,
    OTHER_LEDGER,
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
    read_back,
)


@pytest.mark.parametrize("state", [State.OPEN, State.DONE])
def test_of_two_that_are_due_together_the_one_that_was_there_first_has_the_copy(state: State) -> None:
    """Three minutes are less than the clocks of two CRMs differ by, and tell more than nothing."""
    rows = []
    for number, made in ((1, at(hours=-2, minutes=3)), (2, at(hours=-3))):
        task = a_task(f"{TYPED}:{number}", origin=TYPED, title="Call")
        theirs, ours = copies_of(task, [TYPED, PLAIN])
        rows += [replace(theirs, created_at=made), replace(ours, created_at=at(hours=-1))]
    copy = a_reading(LANE, "9", created_by=API, created_at=at(hours=-2), updated_at=at(hours=-1), state=state)
    assert rebuilt(*rows, copy).base.replicas[copy.key].task == f"{TYPED}:2"


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_two_that_are_due_together_are_paired_in_their_order(origin: str) -> None:
    """Equal candidates are never taken for new."""
    tasks = [a_task(f"{origin}:{n}", origin=origin, kind=Kind.TODO, title=f"Note {n}") for n in (1, 2)]
    rows = [from_yesterday(row) for task in tasks for row in copies_of(task)]
    found = rebuilt(*rows)
    assert set(found.base.tasks) == {task.id for task in tasks}
    for task in tasks:
        assert places(found, task.id) == set(SYSTEMS)
        assert found.base.replicas[LANE, f"{task.id[-1]}-{LANE}"].task == task.id


@pytest.mark.parametrize("ids", [(1, 2), (10, 9)])
def test_of_two_that_are_due_together_the_lanes_one_place_went_to_the_first_by_id(ids: tuple[int, int]) -> None:
    """So the lane would fill it: what was finished there is that one."""
    first, second = (a_task(f"{s}:{n}", origin=s, title=f"Call {n}") for s, n in zip((PLAIN, TYPED), ids, strict=True))
    mine = [done(from_yesterday(row)) if row.system == LANE else row for row in copies_of(first)]
    found = rebuilt(*mine, *copies_of(second, (TYPED, PLAIN)))
    assert found.base.replicas[LANE, mine[0].remote_id].task == first.id
    assert found.base.tasks[second.id].state is State.OPEN


@pytest.mark.parametrize(("later", "tasks"), [(timedelta(seconds=7), 2), (timedelta(seconds=-7), 3)])
def test_only_what_was_made_after_one_of_two_equal_tasks_may_be_its_copy(later: timedelta, tasks: int) -> None:
    """No marker tells that another ledger made it: what was there before is a task of its own."""
    equal = [a_reading(PLAIN, str(n), title="Ring", due=at(days=2), created_at=at(hours=-1)) for n in (1, 2)]
    in_lane = a_reading(LANE, "9", due=at(days=2), created_at=at(hours=-1) + later, created_by=API)
    assert len(rebuilt(*equal, in_lane).base.tasks) == tasks


@pytest.mark.parametrize("made", [timedelta(minutes=-1), timedelta(hours=2)])
def test_a_task_of_another_kind_that_is_only_due_with_it_is_a_task_of_its_own(made: timedelta) -> None:
    """A CRM without kinds has one for each of its tasks all the same: a copy of ours would be of that kind."""
    theirs = a_reading(PLAIN, "1", title="Ring", due=at(days=2), created_at=at(hours=-3))
    visit = a_reading(LANE, "9", kind=Kind.BOOKING, due=at(days=2), created_at=at(hours=-3) + made)
    found = rebuilt(theirs, visit)
    assert {task.id: task.held for task in found.base.tasks.values()} == {theirs.place: "", visit.place: ""}


@pytest.mark.parametrize("by", ["person", "us"])
def test_what_a_newer_task_closed_in_the_lane_is_open(by: str) -> None:
    who = API if by == "us" else "7"
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, *others = (from_yesterday(row) for row in copies_of(task))
    newer = a_reading(LANE, "2", created_at=at(hours=-1), created_by=who, due=at(days=9), kind=Kind.SITE_VISIT)
    found = rebuilt(done(in_lane, updated_by=who), newer, *others)
    assert found.base.tasks[task.id].state is State.OPEN
    assert places(found, task.id, ReplicaState.SUPERSEDED) == {LANE}
    assert places(found, task.id) == {TYPED, PLAIN}
    assert len(found.base.tasks) == 2


@pytest.mark.parametrize(
    ("closed_by", "elsewhere", "state"), [(API, False, State.OPEN), (API, True, State.DONE), ("8", False, State.DONE)]
)
def test_what_our_own_user_closed_in_the_lane_while_all_others_are_open_was_hit(
    closed_by: str, elsewhere: bool, state: State
) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    found = rebuilt(done(in_lane, updated_by=closed_by), theirs, done(ours) if elsewhere else ours, base=base)
    assert found.base.tasks[task.id].state is state


def test_what_a_newer_task_closed_in_the_lane_is_done_where_the_ledger_took_it_so() -> None:
    """So the account file may say. Its copies were reopened as other tasks, and one's text was copied."""
    task = a_task(f"{LANE}:1", state=State.DONE)
    in_lane = done(from_yesterday(copies_of(task)[0]))
    newer = a_reading(LANE, "2", created_at=at(hours=-1), created_by="8", due=at(days=9), kind=Kind.SITE_VISIT)
    pasted = a_reading(PLAIN, "p", title="Send the plan", due=at(days=5), marker=marker_of(task))
    base = a_base(task, replicas=[a_replica(task, LANE, in_lane.remote_id, state=ReplicaState.DONE, made=False)])
    found = rebuilt(in_lane, newer, pasted, base=base)
    assert found.base.tasks[task.id].state is State.DONE
    assert found.base.tasks[f"{PLAIN}:p"].held == Reason.DONE_OR_REOPENED


@pytest.mark.parametrize(("closes", "state"), [(True, State.DONE), (False, State.OPEN)])
def test_what_our_own_user_hit_in_the_lane_is_not_done_because_it_was_cancelled_and_kept(
    closes: bool, state: State
) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    rows = done(in_lane, updated_by=API), replace(theirs, state=State.CANCELLED), ours
    found = rebuilt(*rows, base=base, policy=replace(POLICY, cancelled_closes=closes))
    assert found.base.tasks[task.id].state is state


def test_what_our_user_made_in_the_lane_and_nothing_tells_of_is_held() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    strange = a_reading(LANE, "9", kind=Kind.REMINDER, due=at(days=9), created_by=API)
    found = rebuilt(*copies_of(task), strange, replace(strange, remote_id="10", created_by="7"), base=base)
    assert {task.id: task.held for task in found.base.tasks.values()} == {
        # The one that nothing tells of may be its copy, with another due by now.
        task.id: Reason.DONE_OR_REOPENED,
        f"{LANE}:9": Reason.UNMATCHED,
        f"{LANE}:10": "",
    }


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, Reason.UNMATCHED),
        ({"created_at": START}, ""),
        ({"created_at": at(days=-3)}, ""),
        ({"kind": Kind.BOOKING}, ""),
        ({"created_by": "7"}, ""),
    ],
    ids=["before it was finished", "after it was finished", "before it was copied", "of another kind", "by a person"],
)
def test_what_may_be_the_copy_of_a_task_that_was_moved_and_finished_elsewhere_is_held(
    changes: dict[str, Any], held: str
) -> None:
    """Our user is not known, and the lane's copy keeps its due date of before. A finished task is not copied again."""
    moved = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note", due=at(days=9))
    theirs = a_task(f"{LANE}:2", origin=LANE, kind=Kind.SITE_VISIT, due=at(days=5))
    finished = [done(row, created_at=at(days=-2)) for row in copies_of(moved, (TYPED, PLAIN))]
    origins = [replace(row, created_by="7") if row.system == LANE else row for row in copies_of(theirs, (LANE, TYPED))]
    given = {"kind": Kind.REMINDER, "created_by": API, "created_at": at(days=-1)} | changes
    in_lane = a_reading(LANE, "9", **given)
    found = rebuilt(*finished, *origins, in_lane)
    assert found.base.tasks[in_lane.place].held == held


def test_what_has_no_due_is_held_too_where_that_may_be_its_copy() -> None:
    """Its copy has a due that was made up; of the person, another task's marker tells that we wrote for them."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    undated = a_reading(PLAIN, "x", due=None, title="Ring", created_at=at(hours=-2))
    in_lane = a_reading(LANE, "9", due=at(days=1), created_by=API)
    found = rebuilt(*copies_of(task), undated, in_lane)
    held = {task.id: task.held for task in found.base.tasks.values()}
    assert held == {task.id: "", undated.place: Reason.DONE_OR_REOPENED, in_lane.place: Reason.UNMATCHED}


def test_a_second_copy_in_the_lane_is_a_duplicate_for_a_lost_ledger_too() -> None:
    """Its markers tell which of the lane's tasks our user made, and so who that is."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = copies_of(task)
    found = rebuilt(in_lane, replace(in_lane, remote_id="2-superfone"), theirs, ours)
    assert all(one.held for one in found.base.tasks.values() if one.id != task.id)


@pytest.mark.parametrize("is_known", [False, True])
def test_the_second_copy_in_the_lane_is_none_of_the_second_copy_elsewhere(is_known: bool) -> None:
    """Two ledgers made both at the same moment."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = copies_of(task)
    second, doubled = replace(ours, remote_id="2-highlevel"), replace(in_lane, remote_id="2-superfone")
    held = a_task(second.place, origin=PLAIN, title="Note", held=Reason.DUPLICATE)
    cursors, replicas = {OUR_USER + LANE: API}, [a_replica(held, PLAIN, second.remote_id, made=False)]
    base = a_base(held, cursors=cursors, replicas=replicas) if is_known else a_base(cursors=cursors)
    found = rebuilt(in_lane, doubled, theirs, ours, second, base=base)
    assert {one.id: one.held for one in found.base.tasks.values()} == {
        task.id: "",
        second.place: Reason.DUPLICATE,
        doubled.place: Reason.DUPLICATE,
    }


def test_what_a_person_made_in_the_lane_in_place_of_our_copy_is_its_twin() -> None:
    """It has the same due date, and closed our copy."""
    task = a_task(f"{TYPED}:1", origin=TYPED)
    *elsewhere, ours = (from_yesterday(row) for row in copies_of(task, [TYPED, PLAIN, LANE]))
    theirs = replace(ours, remote_id="9", created_by="7", created_at=at(minutes=-5))
    base = put_back(task, cursors={OUR_USER + LANE: API})
    closed = done(ours, updated_at=theirs.created_at, updated_by="7")
    found = rebuilt(*elsewhere, closed, theirs, base=base)
    assert found.base.tasks.keys() == {task.id}
    assert places(found, task.id) == {TYPED, PLAIN, LANE}


@pytest.mark.parametrize("is_done", [False, True])
def test_what_looks_like_a_second_copy_and_may_be_the_first_of_a_task_that_was_moved_is_unmatched(
    is_done: bool,
) -> None:
    """A reminder in a lane cannot be moved and keeps the due of before; of the moved task no other copy is made."""
    tasks = [a_task(f"{TYPED}:{n}", origin=TYPED, kind=Kind.TODO, title="Note") for n in (1, 2)]
    moved = [row if row.system == LANE else replace(row, due=at(days=9)) for row in copies_of(tasks[0])]
    others = [done(row) if is_done and row.system != LANE else row for row in copies_of(tasks[1])]
    found = rebuilt(*moved, *others)
    held = [task.held for task in found.base.tasks.values() if task.id.startswith(LANE)]
    assert held == ([Reason.DONE_OR_REOPENED] if is_done else []) + [Reason.UNMATCHED]
    assert found.base.tasks[tasks[0].id].held == Reason.DONE_OR_REOPENED


@pytest.mark.parametrize("us", [None, API])
def test_two_that_our_user_made_at_one_due_stay_with_the_two_tasks_that_have_it(us: str | None) -> None:
    tasks = [a_task(f"{TYPED}:{n}", origin=TYPED, kind=Kind.TODO, title="Note") for n in (1, 2)]
    base = a_base(cursors={OUR_USER + LANE: us} if us else {})
    found = rebuilt(*(row for task in tasks for row in copies_of(task)), base=base)
    assert [(task.id, task.held) for task in found.base.tasks.values()] == [(task.id, "") for task in tasks]


def test_what_a_place_was_taken_for_ends_when_a_marker_tells_of_a_later_task_there() -> None:
    """The CRM with the marker could not be read at first: one task is left, or its copies would be made twice."""
    taken_for = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    reopened = replace(taken_for, id=f"{TYPED}:1~2")
    _, origin, copy = copies_of(reopened)
    base = a_base(taken_for, replicas=[a_replica(taken_for, TYPED, "1", made=False)])
    found = rebuilt(origin, copy, base=base)
    assert {task.id: task.state for task in found.base.tasks.values()} == {
        taken_for.id: State.CANCELLED,
        reopened.id: State.OPEN,
    }


def test_what_the_origins_maker_made_beside_it_in_the_lane_is_no_second_copy_of_ours() -> None:
    task = a_task(f"{LANE}:1", kind=Kind.TODO)
    origin, copy = copies_of(task, (LANE, TYPED))
    origin, equal = (replace(origin, remote_id=at_place, created_by="7") for at_place in ("1", "2"))
    found = rebuilt(origin, equal, copy)
    assert {one.id: one.held for one in found.base.tasks.values()} == {f"{LANE}:1": "", f"{LANE}:2": ""}


def test_a_copy_in_the_lane_that_people_gave_a_title_holds_what_is_due_with_it() -> None:
    """Of an old or a lost ledger nothing tells whether it is the copy of the one that has none there."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = copies_of(task)
    titled = replace(in_lane, title="Another word")
    found = rebuilt(titled, theirs, ours)
    assert all(one.held for one in found.base.tasks.values())


COPIED_AT = at(hours=-2)


def put_off_elsewhere_and_due_with_another(hours: int = 0) -> tuple[Reading, Reading, list[Reading]]:
    """A lane's task, one of theirs that is due with it, and one without a due, whose copy in Reply was put off.

    The lane's task is due so many hours after the due that we made up for the one that has none.
    """
    due = COPIED_AT + POLICY.default_due + timedelta(hours=hours)
    undated = a_reading(PLAIN, "1", title="Ring", due=None)
    task = a_task(undated.place, origin=PLAIN, title="Ring", due=at(days=3))
    lane = a_reading(LANE, "9", due=due, created_by=API, created_at=COPIED_AT, updated_at=COPIED_AT)
    other = a_reading(TYPED, "2", title="Call", due=due, created_at=COPIED_AT)
    return lane, other, [undated, *copies_of(task, [TYPED], created_at=COPIED_AT)]


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("us", ["", API])
def test_a_due_that_was_made_up_and_put_off_elsewhere_names_no_other_task(us: str, is_closed: bool) -> None:
    """Somebody made another task that is due just then: whose copy the lane's is, nothing tells."""
    lane, other, undated = put_off_elsewhere_and_due_with_another()
    base = a_base()
    base.cursors[OUR_USER + LANE] = us
    found = rebuilt(done(lane) if is_closed else lane, other, *undated, base=base)
    unsure = {undated[0].place: Reason.DONE_OR_REOPENED, other.place: Reason.DONE_OR_REOPENED}
    assert {task.id: task.held for task in found.base.tasks.values()} == unsure | (
        {} if is_closed else {lane.place: Reason.UNMATCHED}
    )


def test_what_is_due_at_another_hour_than_was_made_up_is_what_is_due_with_it() -> None:
    lane, other, undated = put_off_elsewhere_and_due_with_another(hours=3)
    found = rebuilt(lane, other, *undated)
    assert found.base.replicas[lane.key].task == other.place
    assert not any(task.held for task in found.base.tasks.values())


def a_copy_of_what_has_no_due() -> list[Reading]:
    """A task without a due, and our only copy of it, in the lane."""
    undated = a_reading(PLAIN, "1", title="Ring", due=None)
    return [undated, a_reading(LANE, "9", due=at(days=1), created_by=API)]


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("other", [OTHER_LEDGER, LEDGER, None], ids=["another's", "our own", "none"])
def test_after_a_lost_ledger_what_may_be_the_only_copy_of_a_task_without_a_due_is_held(
    other: str | None, is_closed: bool
) -> None:
    """No marker tells that it is a copy; one of another person's task tells that there was a ledger before."""
    undated, copy = a_copy_of_what_has_no_due()
    elsewhere = a_task(f"{TYPED}:5", origin=TYPED, title="Note", contact="p2")
    marked = read_back(a_replica(elsewhere, PLAIN), elsewhere)
    others = [] if other is None else [replace(marked, marker=marker_of(elsewhere, other))]
    found = rebuilt(done(undated) if is_closed else undated, copy, *others)
    held = {task.id: bool(task.held) for task in found.base.tasks.values() if task.contact == "p1"}
    expected = [copy.place] if is_closed else [copy.place, undated.place]
    assert held == dict.fromkeys(expected, other == OTHER_LEDGER)


def test_a_task_whose_copy_is_the_origin_of_another_one_was_finished_and_is_held() -> None:
    """The copy was reopened. The lost ledger had not been allowed to complete the task itself."""
    first = a_task(f"{TYPED}:5", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    again = a_task(f"{PLAIN}:7", origin=PLAIN, title="Call")
    [theirs] = copies_of(first, [TYPED])
    reopened = a_reading(PLAIN, "7", marker=marker_of(first, OTHER_LEDGER), title="Call")
    [copy] = copies_of(again, [TYPED])
    found = rebuilt(theirs, reopened, copy)
    assert {one.id: one.held for one in found.base.tasks.values()} == {
        first.id: Reason.DONE_OR_REOPENED,
        again.id: "",
    }
