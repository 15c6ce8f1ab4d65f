"""A copy that people gave to another person's contact: when it leaves its task, and when the two are one again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from syncer.domain.base import Base
from syncer.domain.cursors import ELSEWHERE
from syncer.domain.model import Record, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.merge import Merged
from tests.support.strategies import (
    PLAIN,
    SYSTEMS,
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

TASK = a_task(f"{TYPED}:1", origin=TYPED, title="Ring", first_seen=at(days=-1))
ORIGIN, COPY = a_replica(TASK, TYPED, "1"), a_replica(TASK, PLAIN, "2")
THERE = f"p2-{PLAIN}"
OWN = f"{PLAIN}:2"
"""What the copy is called as a task of its own."""


def known(*tasks: Task, copies: Any = (ORIGIN, COPY), **more: Any) -> Base:
    """Two persons with numbers of their own in every CRM."""
    people = {"p1": "+919876543210", "p2": "+919876543211"}
    records = [Record(system, f"{one}-{system}", one, (phone,)) for one, phone in people.items() for system in SYSTEMS]
    base = a_base(*(tasks or (TASK,)), replicas=copies, **more)
    return replace(base, records={record.key: record for record in records})


def read(base: Base, run: str, contact: str = THERE, state: State = State.OPEN, origin: State = State.OPEN) -> Merged:
    """One run that reads the copy on this contact."""
    rows = (read_back(ORIGIN, TASK, state=origin), read_back(COPY, TASK, contact=contact, state=state))
    seen = seen_of(*rows)
    for row in rows:
        seen[row.system].rows[row.remote_id] = row
    return merged(base, seen, run=run)


def tasks_of(found: Merged) -> dict[str, tuple[str, str]]:
    return {task.id: (task.contact, task.held) for task in found.base.tasks.values()}


PARTED = {TASK.id: ("p1", Reason.OTHER_CONTACT), OWN: ("p2", "")}


def test_it_leaves_its_task_when_a_second_run_sees_it_there() -> None:
    first = read(known(), "run1")
    assert tasks_of(first) == {TASK.id: ("p1", "")}
    assert tasks_of(read(first.base, "run1")) == {TASK.id: ("p1", "")}, "one run reads it twice"
    second = read(first.base, "run2")
    assert tasks_of(second) == PARTED
    assert second.base.replicas[COPY.key].task == OWN
    assert not [name for name, run in second.base.cursors.items() if name.startswith(ELSEWHERE) and run]


def test_what_may_have_made_a_copy_since_is_waited_for() -> None:
    sent = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT)
    first = read(known(operations=[sent]), "run1")
    assert tasks_of(read(first.base, "run2")) == {TASK.id: ("p1", "")}


def test_one_that_is_back_at_once_has_not_moved() -> None:
    first = read(known(), "run1")
    back = read(first.base, "run2", contact=COPY.contact)
    assert tasks_of(back) == {TASK.id: ("p1", "")}
    assert tasks_of(read(back.base, "run3")) == {TASK.id: ("p1", "")}, "it counts as moved anew"


def test_what_is_closed_meanwhile_closes_nothing_and_is_told() -> None:
    """It is not clear yet whose task was done."""
    found = read(known(), "run1", origin=State.DONE)
    assert found.base.tasks[TASK.id].state is State.OPEN
    assert found.base.replicas[ORIGIN.key].state is ReplicaState.OPEN
    [line] = [item for item in found.waiting if item.task == TASK.id]
    assert (line.system, line.reason) == (TYPED, Reason.NEXT_RUN)
    assert line.detail.startswith(f"closed in {TYPED}; {PLAIN} shows task 2 on another contact")
    later = read(found.base, "run2", origin=State.DONE)
    assert (later.base.tasks[TASK.id].state, later.base.tasks[OWN].state) == (State.DONE, State.OPEN)


def test_the_two_are_one_again_once_the_copy_comes_back() -> None:
    parted = read(read(known(), "run1").base, "run2")
    assert tasks_of(parted) == PARTED
    once = read(parted.base, "run3", contact=COPY.contact)
    back = read(once.base, "run4", contact=COPY.contact)
    assert {task.id for task in back.base.tasks.values() if task.state is State.OPEN} == {TASK.id}
    assert (back.base.tasks[TASK.id].contact, back.base.tasks[TASK.id].held) == ("p1", "")
    assert {copy.task for copy in back.base.replicas.values()} == {TASK.id}


def test_they_stay_two_where_both_have_a_copy_in_one_crm() -> None:
    parted = read(read(known(), "run1").base, "run2")
    mine = a_replica(parted.base.tasks[TASK.id], PLAIN, "3")
    beside = replace(parted.base, replicas={**parted.base.replicas, mine.key: mine})
    back = read(read(beside, "run3", contact=COPY.contact).base, "run4", contact=COPY.contact)
    assert back.base.replicas[COPY.key].task == OWN
    assert back.base.replicas[mine.key].task == TASK.id
