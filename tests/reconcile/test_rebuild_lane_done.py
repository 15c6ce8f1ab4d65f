"""After a lost ledger, what is finished in the lane: whose copy it may have been, and which task that holds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.cursors import OUR_USER
from syncer.domain.model import Kind, Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from tests.support.rebuilding import copies_of, done, from_yesterday, one_task, places, rebuilt
from tests.support.strategies import (
    API,
    LANE,
    PLAIN,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    at,
    marker_of,
)


def test_what_may_be_the_finished_copy_of_a_task_without_a_due_holds_it() -> None:
    undated = a_reading(TYPED, "1", kind=Kind.TODO, title="Note", due=None)
    ours = done(a_reading(LANE, "2", kind=Kind.REMINDER, due=at(days=1), created_by=API))
    marked = done(copies_of(a_task(f"{TYPED}:7", origin=TYPED, kind=Kind.TODO, title="Old"), [PLAIN])[0])
    found = rebuilt(undated, ours, marked)
    assert found.base.tasks[undated.place].held == Reason.DONE_OR_REOPENED


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_of_two_equal_tasks_the_finished_copy_in_the_lane_is_the_one_that_is_finished_elsewhere(origin: str) -> None:
    finished, still_open = (a_task(f"{origin}:{n}", origin=origin, kind=Kind.TODO, title="Note") for n in (2, 1))
    rows = [from_yesterday(row) for row in copies_of(finished)]
    others = copies_of(still_open, (TYPED, PLAIN))
    found = rebuilt(*(done(row) for row in rows), *others)
    assert places(found, still_open.id) == {TYPED, PLAIN}
    assert found.base.tasks[still_open.id].state is State.OPEN
    assert found.base.tasks[finished.id].state is State.DONE


@pytest.mark.parametrize("knows_us", [True, False])
@pytest.mark.parametrize("finished", [1, 2])
def test_of_two_that_are_due_together_the_lane_shows_the_finished_one_where_it_was_made(
    finished: int, knows_us: bool
) -> None:
    """Both still have their copy there: the two rows are paired in their order, whatever was finished elsewhere."""
    tasks = {n: a_task(f"{PLAIN}:{n}", origin=PLAIN, kind=Kind.TODO, title=f"Note {n}") for n in (1, 2)}
    rows = [(n, from_yesterday(row)) for n, task in tasks.items() for row in copies_of(task)]
    rows_now = [done(row) if n == finished and row.system != LANE else row for n, row in rows]
    found = rebuilt(*rows_now, base=a_base(cursors={OUR_USER + LANE: API} if knows_us else {}))
    there = {n: found.base.replicas[LANE, f"{n}-{LANE}"].task for n in tasks}
    held = found.base.tasks[there[finished]].held
    assert there.pop(finished) == (tasks[finished].id if knows_us else f"{LANE}:{finished}-{LANE}")
    assert held == ("" if knows_us else Reason.DONE_OR_REOPENED)
    assert list(there.values()) == [tasks[n].id for n in there]


@pytest.mark.parametrize("made_by", [API, "7"])
def test_a_finished_task_in_the_lane_that_may_be_the_copy_of_what_is_finished_without_a_marker_holds_what_is_open(
    made_by: str,
) -> None:
    """A copy was reopened and reworded, and so became an origin: of the task before, no marker tells any more."""
    before = done(a_reading(PLAIN, "9", title="Call"))
    again = a_task(f"{TYPED}:1", origin=TYPED, title="Another call")
    in_lane, origin, copy = copies_of(again)
    found = rebuilt(before, done(in_lane, created_by=made_by), origin, copy)
    assert places(found, again.id) == {TYPED, PLAIN}
    assert (found.base.tasks[again.id].state, found.base.tasks[again.id].held) == (
        State.OPEN,
        Reason.DONE_OR_REOPENED,
    )


def at_place(remote_id: str, rows: list[Reading]) -> list[Reading]:
    """The same, where the one without kinds has this id."""
    return [replace(row, remote_id=remote_id) if row.system == PLAIN else row for row in rows]


@pytest.mark.parametrize("later_is_open", [True, False])
def test_a_finished_task_in_the_lane_that_may_be_the_copy_of_an_earlier_task_of_a_place_holds_what_is_open(
    later_is_open: bool,
) -> None:
    """Somebody reopened both the origin and its copy: of the task before there is nothing but its copy in the lane."""
    later = a_task(f"{PLAIN}:9~2", origin=PLAIN, title="Call")
    again = a_task(f"{TYPED}:1", origin=TYPED, title="Another call")
    rows = at_place("9", copies_of(later))
    before = done(a_reading(LANE, "3", created_by=API, created_at=at(days=-1)))
    found = rebuilt(before, *(row if later_is_open else done(row) for row in rows), *copies_of(again, (TYPED, PLAIN)))
    assert places(found, again.id) == {TYPED, PLAIN}
    assert (found.base.tasks[again.id].state, found.base.tasks[again.id].held) == (
        State.OPEN,
        Reason.DONE_OR_REOPENED,
    )


@pytest.mark.parametrize("knows_before", [True, False])
def test_a_finished_task_in_the_lane_may_be_the_copy_of_what_was_finished_before_it_was_reopened(
    knows_before: bool,
) -> None:
    before = a_task(f"{PLAIN}:9", origin=PLAIN, title="Call", state=State.DONE)
    later = a_task(f"{PLAIN}:9~2", origin=PLAIN, title="Call")
    in_lane, *rows = at_place("9", copies_of(later))
    base = a_base(before, replicas=[a_replica(before, PLAIN, "9", state=ReplicaState.DONE)])
    found = rebuilt(done(in_lane), *rows, base=base if knows_before else None)
    assert found.base.tasks[later.id].state is (State.DONE if knows_before else State.OPEN)
    assert found.base.tasks[later.id].held == ("" if knows_before else Reason.DONE_OR_REOPENED)


@pytest.mark.parametrize(("had_one", "held"), [(True, Reason.DONE_OR_REOPENED), (False, "")])
def test_a_finished_task_in_the_lane_may_be_the_copy_of_what_is_open_where_the_finished_one_had_another(
    had_one: bool, held: str
) -> None:
    """The finished one's copy was superseded. Somebody reopened its copy elsewhere, which began the open one."""
    before = a_task(f"{LANE}:1", title="Call")
    again = a_task(f"{TYPED}:9", origin=TYPED, title="Call")
    superseded, _, plain = copies_of(before)
    in_lane, *rows = copies_of(again)
    in_lane = replace(from_yesterday(done(in_lane)), updated_at=at(hours=-1), created_by=API)
    superseded = done(replace(superseded, created_at=at(days=-2)), updated_at=at(days=-1), updated_by=API)
    found = rebuilt(*[superseded][: int(had_one)], done(plain), in_lane, *rows)
    assert places(found, again.id) == {TYPED, PLAIN}
    assert (found.base.tasks[again.id].state, found.base.tasks[again.id].held) == (State.OPEN, held)


@pytest.mark.parametrize(
    ("closed_by", "elsewhere", "expected"),
    [
        (API, False, (State.OPEN, Reason.DONE_OR_REOPENED)),
        ("7", False, (State.DONE, "")),
        (API, True, (State.DONE, "")),
    ],
)
def test_what_somebody_unknown_closed_in_the_lane_may_have_been_hit_as_long_as_our_user_is_unknown(
    closed_by: str, elsewhere: bool, expected: tuple[State, str]
) -> None:
    """Another ledger's completion may have hit a reminder that people made the moment before."""
    task = a_task(f"{LANE}:1", kind=Kind.TODO, title="Note")
    in_lane, *copies = copies_of(task)
    rows = [replace(in_lane, remote_id="1"), *copies]
    if elsewhere:
        rows[1] = done(rows[1])
    found = rebuilt(done(rows[0], updated_by=closed_by), *rows[1:])
    assert (found.base.tasks[task.id].state, found.base.tasks[task.id].held) == expected
    assert len(found.base.tasks) == 1


@pytest.mark.parametrize(("made_by", "held"), [(API, Reason.DONE_OR_REOPENED), ("7", "")])
def test_what_may_have_been_finished_in_the_lane_before_the_ledger_was_lost_is_held(made_by: str, held: str) -> None:
    """No marker tells of it in an account of the lane and one CRM more."""
    theirs = a_reading(PLAIN, "1", title="Ring")
    copy = done(a_reading(LANE, "9", created_by=made_by, created_at=at(hours=-2)))
    base = a_base(cursors={OUR_USER + LANE: API})
    assert one_task(rebuilt(theirs, copy, base=base)).held == held


def test_what_was_finished_before_this_ledger_made_another_copy_there_is_held() -> None:
    """It had not read what the lost one knew: somebody finished the task, or the copy that was one too many."""
    task = a_task(f"{LANE}:1", title="Call")
    origin, old = copies_of(task, (LANE, TYPED))
    made = replace(old, remote_id="7", marker=marker_of(task))
    base = a_base(task, replicas=[a_replica(task, LANE), a_replica(task, TYPED, "7")])
    found = rebuilt(origin, done(old), made, base=base)
    assert one_task(found).held == Reason.DONE_OR_REOPENED


@pytest.mark.parametrize(("mirrored", "held"), [(True, Reason.DONE_OR_REOPENED), (False, "")])
def test_what_may_be_the_copy_of_a_finished_task_is_held_though_that_ones_text_was_not_read(
    mirrored: bool, held: str
) -> None:
    """Of what a sequence made and somebody finished, its list alone is read: its kind and its due, no text."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    copy, origin, _ = (from_yesterday(row) for row in copies_of(task))
    unread = replace(done(origin), title=None, whole=False, mirrored=mirrored)
    assert one_task(rebuilt(copy, unread)).held == held


@pytest.mark.parametrize(("shown", "held"), [(None, Reason.DONE_OR_REOPENED), ("Call", ""), ("Ring", "")])
def test_what_people_called_otherwise_in_the_lane_is_no_copy_of_a_finished_task(shown: str | None, held: str) -> None:
    """On a first day: a call that waits, and another one of the same due that was finished before."""
    theirs = a_reading(LANE, "3", title=shown, created_by="7")
    before = done(from_yesterday(a_reading(TYPED, "8", title="Meet the owner")))
    assert one_task(rebuilt(theirs, before)).held == held


@pytest.mark.parametrize(("made", "held"), [(-3, ""), (-1, Reason.DONE_OR_REOPENED)])
def test_what_was_in_the_lane_before_a_finished_task_was_made_is_no_copy_of_it(made: int, held: str) -> None:
    theirs = a_reading(LANE, "3", created_by="7", created_at=at(hours=made))
    before = done(a_reading(TYPED, "8", created_at=at(hours=-2)))
    assert one_task(rebuilt(theirs, before)).held == held


def test_a_finished_task_whose_text_was_not_read_finishes_nothing_that_has_a_marker() -> None:
    """It may be called otherwise, or have another marker."""
    task = a_task(f"{LANE}:1", origin=LANE, title="Call")
    origin, typed, plain = (from_yesterday(row) for row in copies_of(task))
    other = replace(done(typed), remote_id="9", marker=None, title=None, whole=False)
    found = rebuilt(origin, other, plain)
    assert one_task(found).state is State.OPEN
    assert places(found, task.id) == {LANE, PLAIN}


def test_a_copy_in_the_lane_that_a_ledger_beside_ours_made_for_the_next_date_is_not_completed() -> None:
    """The other ledger completed a recurring task, which moved on. Ours knew nothing of the date before."""
    before = a_task(f"{PLAIN}:9", origin=PLAIN, title="Call", due=at(hours=2))
    later = replace(before, id=f"{before.id}~2", due=at(days=7))
    in_lane, typed, origin = at_place("9", copies_of(later, (LANE, TYPED, PLAIN)))
    [finished] = copies_of(before, (TYPED,))
    ours = replace(before, due=later.due)
    base = a_base(
        ours,
        replicas=[a_replica(ours, PLAIN, "9", made=False), a_replica(ours, LANE, in_lane.remote_id, made=False)],
        cursors={OUR_USER + LANE: API},
    )
    found = rebuilt(in_lane, origin, done(replace(finished, remote_id="5")), replace(typed, remote_id="6"), base=base)
    told = found.base.tasks[found.base.replicas[in_lane.key].task]
    assert (told.state, told.held) == (State.OPEN, Reason.DONE_OR_REOPENED)
    assert (found.base.tasks[later.id].state, found.base.tasks[later.id].held) == (State.OPEN, "")
