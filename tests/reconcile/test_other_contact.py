"""A copy that people gave to another person's contact: when it leaves its task, and when the two are one again."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.base import Base
from syncer.domain.cursors import ELSEWHERE
from syncer.domain.model import Record, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.reconcile.merge import Merged
from syncer.reconcile.other_contact import elsewhere
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
    an_operation,
    at,
    marker_of,
    merged,
    read_back,
    read_in_full,
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


@pytest.mark.parametrize(
    ("keyless", "also", "on", "found"),
    [
        ("", "", THERE, "p2"),
        ("", "", COPY.contact, None),
        ("", "", "stranger", None),
        # A contact without keys was deleted, or merged away with all of its tasks.
        (THERE, "", THERE, None),
        (COPY.contact, "", THERE, None),
        # One person may have two contacts in a CRM.
        (COPY.contact, "p1-again", THERE, "p2"),
        ("p1-again", "p1-again", THERE, "p2"),
        ("", "p1-again", "p1-again", None),
    ],
)
def test_a_copy_is_elsewhere_on_the_contact_of_another_person_that_has_keys(
    keyless: str, also: str, on: str, found: str | None
) -> None:
    base = known()
    if also:
        base.links[PLAIN, also] = "p1"
        base.records[PLAIN, also] = Record(PLAIN, also, "p1", ("+919876543210",))
    if keyless:
        base.records[PLAIN, keyless] = replace(base.records[PLAIN, keyless], phones=())
    assert elsewhere(base, TASK, replace(COPY, contact=on)) == found


def test_whose_person_has_no_contact_left_there_was_merged_into_the_other_one() -> None:
    base = known()
    del base.links[PLAIN, COPY.contact]
    assert elsewhere(base, TASK, replace(COPY, contact=THERE)) is None


def test_an_origin_that_leaves_with_one_of_its_copies_stays_the_task() -> None:
    """The copy that is left behind is a task of its own, for whoever it is of now."""
    lane = a_replica(TASK, LANE, "3")
    base = known(copies=(ORIGIN, COPY, lane))
    moved = [
        read_back(ORIGIN, TASK, contact=f"p2-{TYPED}"),
        read_back(COPY, TASK, contact=THERE),
        read_back(lane, TASK),
    ]
    for run in ("run1", "run2", "run3"):
        seen = seen_of(*moved)
        for row in moved:
            seen[row.system].rows[row.remote_id] = row
        base = merged(base, seen, run=run).base
    assert {copy.system: copy.task for copy in base.replicas.values()} == {
        TYPED: TASK.id,
        PLAIN: TASK.id,
        LANE: f"{LANE}:3",
    }
    assert (base.tasks[TASK.id].contact, base.tasks[f"{LANE}:3"].contact) == ("p2", "p1")


def given_away(*contacts: str) -> dict[str, str]:
    """How a new ledger holds a task whose copies in another CRM are on these contacts, the oldest first."""
    marker = marker_of(TASK, OTHER_LEDGER)
    copies = [
        a_reading(PLAIN, str(number), contact=contact, title="Ring", marker=marker, created_at=at(minutes=number))
        for number, contact in enumerate(contacts, 1)
    ]
    found = merged(replace(known(), tasks={}, replicas={}), read_in_full(read_back(ORIGIN, TASK), *copies))
    return {task.id: task.held for task in found.base.tasks.values()}


def test_after_a_lost_ledger_the_older_of_two_copies_is_the_one_that_it_made() -> None:
    """People pasted the younger one into another person's task, unless they gave the older one away."""
    away = Reason.OTHER_CONTACT
    assert given_away(COPY.contact) == {TASK.id: ""}
    assert given_away(THERE) == {TASK.id: away, f"{PLAIN}:1": away}
    assert given_away(THERE, COPY.contact) == {TASK.id: "", f"{PLAIN}:1": away}
    assert given_away(COPY.contact, THERE) == {TASK.id: "", f"{PLAIN}:2": ""}


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
