"""A second copy of a task takes the place of the first one when that is gone, and of nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.fields import TaskField
from syncer.domain.model import Kind, Reading, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.edits.base import owed
from tests.support.strategies import (
    LANE,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_replica,
    a_task,
    an_operation,
    at,
    merged,
    read_back,
    seen_of,
)

TASK = a_task("t1", origin=PLAIN, title="Ring", kind=Kind.TODO)
HELD = a_task("t2", origin=TYPED, title="Ring", kind=Kind.TODO, held=Reason.DUPLICATE)
GONE = a_replica(TASK, TYPED, state=ReplicaState.GONE, misses=2)
SECOND = a_replica(HELD, TYPED, "second", body="Ring")
CLOSING = replace(POLICY, deleted_closes=True)


def taken(*copies: Replica, task: Task = TASK, held: Task = HELD, row: Reading | None = None, **more: Any) -> Replica:
    """What is known of the last of these copies after a run that has read it: which task it belongs to."""
    base = a_base(task, held, replicas=[a_replica(task, PLAIN), *copies], **more)
    found = merged(base, seen_of(row or read_back(copies[-1], held)))
    return found.base.replicas[copies[-1].key]


@pytest.mark.parametrize("ours", [False, True])
def test_the_one_that_is_left_counts_as_a_copy_of_ours_that_people_have_touched(*, ours: bool) -> None:
    """Its marker is written again with its text, and no lane replaces it: nobody can see which of the two we made."""
    found = taken(GONE, replace(SECOND, made=ours, ours=ours))
    assert (found.task, found.made, found.ours) == ("t1", True, False)


def test_its_history_says_that_it_took_the_place_of_the_one_that_is_gone() -> None:
    base = a_base(TASK, HELD, replicas=[a_replica(TASK, PLAIN), GONE, SECOND])
    events = merged(base, seen_of(read_back(SECOND, HELD))).changes.events
    assert ("adopted", "us", "t1") in {(event.what, event.who, event.task) for event in events}


def test_it_is_owed_what_the_task_has_and_it_does_not() -> None:
    row = read_back(SECOND, HELD, body="Ring")
    found = taken(GONE, SECOND, task=replace(TASK, body="Ring Asha about the flat"), row=row)
    assert owed(found, TaskField.BODY)
    assert not owed(found, TaskField.DUE)


@pytest.mark.parametrize(("title", "task"), [("Ring", "t1"), ("Send the papers", "t2")])
def test_of_a_row_without_a_title_the_known_one_counts(title: str, task: str) -> None:
    """A row of a list need not show it."""
    second = replace(SECOND, title=title)
    assert taken(GONE, second, row=read_back(second, HELD, title=None, body=None, whole=False)).task == task


@pytest.mark.parametrize("state", [ReplicaState.CANCELLED, ReplicaState.DONE, ReplicaState.SUPERSEDED])
def test_a_copy_that_was_closed_is_not_replaced(state: ReplicaState) -> None:
    """Whoever closed it there wants no other one."""
    assert taken(replace(GONE, state=state, misses=0), SECOND).task == "t2"


def test_nothing_takes_the_place_of_a_copy_that_may_just_be_made() -> None:
    create = an_operation(TASK, TYPED, Action.CREATE, OpState.IN_DOUBT)
    assert taken(GONE, SECOND, operations=[create]).task == "t2"


def test_a_task_that_is_held_itself_gets_no_copy() -> None:
    assert taken(GONE, SECOND, task=replace(TASK, held=Reason.LOOP)).task == "t2"


def test_another_task_with_that_copy_gone_gets_none() -> None:
    assert taken(GONE, SECOND, task=replace(TASK, title="Send the papers")).task == "t2"


@pytest.mark.parametrize(
    ("second", "task"),
    [({}, "t1"), ({"due": at(hours=9)}, "t2"), ({"raw_type": "CALLBACK_REQUEST"}, "t2")],
)
def test_in_a_lane_type_and_due_tell_it(second: dict[str, object], task: str) -> None:
    held = replace(HELD, origin=LANE, title=None)
    copy = a_replica(held, LANE, "second", **second)
    gone = a_replica(TASK, LANE, state=ReplicaState.GONE, misses=2)
    assert taken(gone, copy, held=held).task == task


def test_one_that_was_closed_long_ago_stays_what_it_was() -> None:
    closed = replace(SECOND, state=ReplicaState.DONE)
    row = read_back(SECOND, HELD, state=State.DONE)
    assert taken(GONE, closed, held=replace(HELD, state=State.DONE), row=row).task == "t2"


def deleted(*copies: Replica, held: Task = HELD, also: Task | None = None) -> State:
    """What becomes of the task once the second read says that the last of these copies does not exist.

    The copy of ``also`` could not be read.
    """
    *others, last = copies
    tasks = [TASK, held, *([also] if also is not None else [])]
    base = a_base(*tasks, replicas=[a_replica(TASK, PLAIN), *others, replace(last, misses=1)])
    still_there = [copy for copy in others if copy.state is ReplicaState.OPEN and copy.task in ("t1", "t2")]
    seen = seen_of(*(read_back(copy, base.tasks[copy.task]) for copy in still_there))
    seen[TYPED].missing = {last.remote_id}
    return merged(base, seen, policy=CLOSING).base.tasks["t1"].state


def test_a_task_goes_on_with_a_second_copy_and_with_nothing_else_that_is_held() -> None:
    first = a_replica(TASK, TYPED)
    assert deleted(SECOND, first) is State.OPEN
    assert deleted(SECOND, first, held=replace(HELD, held=Reason.LOOP)) is State.CANCELLED


def test_a_task_ends_with_the_last_of_its_copies_there() -> None:
    assert deleted(GONE, SECOND) is State.CANCELLED
    third = a_task("t3", origin=TYPED, title="Ring", kind=Kind.TODO, held=Reason.DUPLICATE)
    assert deleted(GONE, a_replica(third, TYPED, "third"), SECOND, also=third) is State.OPEN


def test_what_an_automation_made_and_people_delete_ends_no_task_that_looks_like_it() -> None:
    assert deleted(GONE, SECOND, held=replace(HELD, held=Reason.LOOP)) is State.OPEN
