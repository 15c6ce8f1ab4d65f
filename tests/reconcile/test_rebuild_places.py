"""After a lost ledger, places: one that was reopened, and origins that are gone, or of which little can be read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.model import Kind, ReplicaState, State, Unreadable
from syncer.domain.reasons import Reason
from tests.support.rebuilding import copies_of, done, one_task, open_tasks, places, rebuilt
from tests.support.strategies import (
    LANE,
    OTHER_LEDGER,
    PLAIN,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    at,
    marker_of,
    merged,
    read_in_full,
    seen_of,
)


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_of_a_place_that_was_reopened_the_latest_task_is_the_open_one(origin: str) -> None:
    first = a_task(f"{origin}:1", origin=origin, title="Call")
    second = replace(first, id=f"{first.id}~2", due=at(hours=7))
    [other] = {TYPED, PLAIN} - {origin}
    [theirs] = copies_of(second, [origin])
    [old] = copies_of(first, [other])
    [new] = copies_of(second, [other])
    found = rebuilt(theirs, done(replace(old, remote_id="0")), new)
    assert open_tasks(found) == {second.id}
    assert places(found, second.id) == {TYPED, PLAIN}


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_a_place_and_its_copy_that_were_both_reopened_are_two_tasks(origin: str) -> None:
    """People deleted the copy of the one, so that nothing is left of the task before. The run ended with a crash."""
    [other] = {TYPED, PLAIN} - {origin}
    first = a_task(f"{origin}:1", origin=origin, title="Call")
    later = replace(first, id=f"{first.id}~2")
    [reopened] = copies_of(first, [other])
    theirs, copy = copies_of(later, [origin, other])
    found = rebuilt(replace(theirs, remote_id="1"), replace(reopened, remote_id="7"), replace(copy, remote_id="8"))
    held = {task.id: task.held for task in found.base.tasks.values()}
    assert held == {later.id: "", f"{other}:7": Reason.DONE_OR_REOPENED}


def test_a_copy_that_was_reopened_is_an_origin_though_it_carries_a_marker() -> None:
    first = a_task(f"{TYPED}:5", origin=TYPED, title="Call")
    again = a_task(f"{PLAIN}:7", origin=PLAIN, title="Call")
    [theirs] = copies_of(first, [TYPED])
    reopened = a_reading(PLAIN, "7", marker=marker_of(first, OTHER_LEDGER), title="Call")
    [copy] = copies_of(again, [TYPED])
    found = rebuilt(done(theirs), reopened, copy)
    assert open_tasks(found) == {again.id}
    assert places(found, again.id) == {TYPED, PLAIN}
    assert not found.base.replicas[reopened.key].made


def test_an_origin_that_was_deleted_is_gone_and_is_not_made_again() -> None:
    task = a_task(f"{PLAIN}:1", origin=PLAIN, title="Call")
    found = rebuilt(*copies_of(task, (LANE, TYPED)))
    assert (one_task(found).id, one_task(found).state, one_task(found).held) == (task.id, State.OPEN, "")
    assert places(found, task.id) == {LANE, TYPED}
    assert places(found, task.id, ReplicaState.GONE) == {PLAIN}


def test_a_copy_whose_origin_was_deleted_and_of_whose_kind_nothing_tells_is_held() -> None:
    """A copy in a CRM without kinds does not tell that it is of an e-mail."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    found = rebuilt(*copies_of(task, [PLAIN]))
    assert (one_task(found).id, one_task(found).held) == (task.id, Reason.UNMATCHED)


def test_an_origin_of_which_its_list_alone_can_be_read_is_there_and_not_gone() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, origin, copy = copies_of(task)
    found = rebuilt(in_lane, replace(origin, title=None, whole=False), copy)
    assert (one_task(found).id, one_task(found).held, one_task(found).title) == (task.id, "", "Call")
    assert places(found, task.id) == set(SYSTEMS)


def test_an_origin_that_could_not_be_understood_is_there_and_is_the_tasks_again_once_it_can_be() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.SITE_VISIT, title="Visit")
    origin, copy = copies_of(task, (TYPED, PLAIN))
    seen = read_in_full(copy)
    seen[TYPED].unreadable.append(Unreadable(TYPED, "1", "no text", contact=origin.contact, due=origin.due))
    unread = merged(a_base(), seen)
    assert places(unread, task.id, ReplicaState.GONE) == set()
    read = rebuilt(origin, copy, base=unread.base)
    assert (one_task(read).id, one_task(read).kind, one_task(read).held) == (task.id, task.kind, "")
    assert places(read, task.id) == {TYPED, PLAIN}


@pytest.mark.parametrize(("closed", "held"), [(State.OPEN, ""), (State.DONE, Reason.DONE_OR_REOPENED)])
def test_an_origin_that_is_read_late_is_held_where_its_copies_were_finished(closed: State, held: str) -> None:
    """It may have been open all along, or reopened since."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call", state=closed)
    copy = a_replica(task, PLAIN)
    copy = copy if closed is State.OPEN else replace(copy, state=ReplicaState.DONE)
    found = merged(a_base(task, replicas=[copy]), seen_of(a_reading(TYPED, "1", title="Call")))
    task_id = found.base.replicas[TYPED, "1"].task
    assert found.base.tasks[task_id].held == held
    assert found.base.tasks[task.id].state is closed
    assert (task_id == task.id) is not bool(held)
