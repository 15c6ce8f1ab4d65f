"""Copies that are gone or open again, and what a task's fields follow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.base import Changes
from syncer.domain.model import Replica, ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.domain.task_ids import next_task_id, place_of
from tests.support.merging import EVERYWHERE, IN_LANE, IN_PLAIN, IN_TYPED, TASK, closed, state_of
from tests.support.strategies import (
    LANE,
    PLAIN,
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
)

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


@pytest.mark.parametrize(
    ("read", "ours"),
    [
        ({"whole": True}, True),
        ({"whole": False}, True),
        ({"whole": False, "title": None}, True),
        ({"whole": False, "title": "Ring Ravi"}, False),
        ({"whole": True, "title": "Ring Ravi"}, False),
        ({"whole": True, "title": None}, False),
    ],
)
def test_a_copy_is_ours_until_people_change_its_title(read: dict[str, Any], *, ours: bool) -> None:
    """A row of a list may leave the title out, which is no change."""
    copy = replace(IN_PLAIN, title="Ring Asha")
    base = a_base(replace(TASK, title="Ring Asha"), replicas=[IN_LANE, copy])
    assert merged(base, seen_of(read_back(copy, TASK, **read))).base.replicas[copy.key].ours is ours


@pytest.mark.parametrize("state", [State.OPEN, State.DONE])
def test_a_copy_that_was_gone_and_is_there_again_is_the_same_task(state: State) -> None:
    """If the task was done meanwhile, the copy is to be closed, not to be taken for a new task."""
    task = replace(TASK, state=state)
    base = a_base(task, replicas=[IN_LANE, replace(IN_PLAIN, state=ReplicaState.GONE, misses=2)])
    found = merged(base, seen_of(read_back(IN_PLAIN, TASK)))
    assert found.base.tasks == {"t1": task}
    assert state_of(found, IN_PLAIN) is ReplicaState.OPEN


@pytest.mark.parametrize("title", [None, "Ring Asha"])
def test_what_an_answer_wrongly_called_our_copy_never_becomes_it(title: str | None) -> None:
    """The answer to our create named somebody else's closed task: it closes nothing, however it is read later."""
    ours = replace(IN_PLAIN, made=True, ours=True, title=title)
    base = a_base(TASK, replicas=[IN_LANE, ours])
    theirs = a_reading(PLAIN, ours.remote_id, title="Ring the bank", due=at(hours=70), state=State.DONE)
    known = merged(base, seen_of(theirs))
    assert state_of(known, ours) is ReplicaState.GONE
    row = merged(known.base, seen_of(replace(theirs, whole=False, title=None)), run="run2")
    assert row.changes == Changes()
    reopened = merged(row.base, seen_of(replace(theirs, state=State.OPEN)), run="run3")
    assert reopened.base.tasks["t1"] == TASK
    assert reopened.base.replicas[ours.key].task != "t1"


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


def test_a_copy_that_we_made_in_the_origin_is_followed_where_people_changed_it() -> None:
    """It cannot carry everything: in the lane's CRM a title that we make does not come back."""
    task = replace(TASK, title="Ring")
    old = a_replica(task, LANE, "old", state=ReplicaState.SUPERSEDED)
    again = a_replica(task, LANE, made=True)
    found = merged(a_base(task, replicas=[old, again]), seen_of(read_back(again, task, due=at(hours=6))))
    assert found.base.tasks == {"t1": replace(task, due=at(hours=6))}


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
