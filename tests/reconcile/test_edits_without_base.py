"""Copies of which no base is known: which value wins, who is told, and which copies are owed it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.policy import Policy
from syncer.reconcile.edits.base import owed, with_typed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.edits.without_base import compare
from syncer.reconcile.merging import Inputs, Merging
from tests.support.clock import START
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_replica,
    a_task,
    at,
    fresh_ids,
    read_back,
    seen_of,
)

LATER = at(hours=30)
RING = a_task(title="Ring")
"""A call of Superfone, which shows no title."""
FROM_PLAIN = a_task(origin=PLAIN, title="Ring")


def compared(
    task: Task,
    *copies: Replica,
    learned: Iterable[str] = (TYPED,),
    changed: dict[str, datetime] | None = None,
    policy: Policy = POLICY,
) -> Merging:
    """Compare the copies in the CRMs of ``learned`` with the task. ``changed`` is when their CRMs say they changed."""
    rows = [
        read_back(copy, task, body=copy.body, updated_at=(changed or {}).get(copy.system), updated_by=None)
        for copy in copies
    ]
    base = a_base(task, replicas=copies)
    work = Merging(base, Inputs(seen_of(*rows), CAPABILITIES, policy, START, "run1", fresh_ids()))
    pairs: list[tuple[Replica, Reading]] = list(zip(copies, rows, strict=True))
    compare(work, task.id, [(copy, row) for copy, row in pairs if copy.system in learned])
    return work


def due_of(work: Merging) -> datetime:
    return work.base.tasks["t1"].due


def title_of(work: Merging) -> str | None:
    return work.base.tasks["t1"].title


def owed_in(work: Merging, system: str, field: TaskField = TaskField.DUE) -> Owed:
    [copy] = work.base.copies("t1", system)
    return owed(copy, field)


def origin(task: Task, **fields: Any) -> Replica:
    return a_replica(task, task.origin, **fields)


# which value wins ----------------------------------------------------------------------------------


def test_a_copy_that_was_changed_gives_the_task_its_value_if_nobody_typed_another() -> None:
    made_up = replace(FROM_PLAIN, due_synthetic=True)
    here, moved, same = origin(made_up, due=None), a_replica(made_up, TYPED, due=LATER), a_replica(made_up, LANE)
    work = compared(made_up, here, moved, same, learned=[TYPED, LANE])
    assert due_of(work) == LATER
    assert work.base.tasks["t1"].due_synthetic, "it is never sent back to the origin, which has none"
    assert (owed_in(work, PLAIN), owed_in(work, LANE)) == (Owed.NO, Owed.UNSEEN)
    assert work.overwritten == []


@pytest.mark.parametrize(
    ("task", "policy", "made"),
    [
        (replace(FROM_PLAIN, state=State.DONE), POLICY, True),
        (FROM_PLAIN, replace(POLICY, edits=frozenset({TaskField.TITLE})), True),
        (FROM_PLAIN, POLICY, False),
    ],
    ids=["of a finished task", "of a field that is off", "of what carries no marker"],
)
def test_nothing_is_taken_nor_owed(task: Task, policy: Policy, made: bool) -> None:
    work = compared(task, origin(task), a_replica(task, TYPED, due=LATER, made=made, ours=False), policy=policy)
    assert work.changes.tasks == {}
    assert work.changes.replicas == {}
    assert work.overwritten == []


def test_a_copy_without_a_due_says_nothing_against_the_tasks_and_gets_it() -> None:
    work = compared(FROM_PLAIN, origin(FROM_PLAIN), a_replica(FROM_PLAIN, TYPED, due=None))
    assert due_of(work) == FROM_PLAIN.due
    assert owed_in(work, TYPED) is Owed.UNSEEN
    assert work.overwritten == []


@pytest.mark.parametrize(("typed_at", "wins"), [(at(hours=-1), "Ring"), (at(hours=-3), "Call")])
def test_what_people_typed_in_a_known_copy_competes_by_its_time(typed_at: datetime, wins: str) -> None:
    typed = with_typed(a_replica(RING, PLAIN), {TaskField.TITLE}, typed_at)
    unknown = a_replica(RING, TYPED, title="Call")
    work = compared(RING, origin(RING), typed, unknown, changed={TYPED: at(hours=-2)})
    assert title_of(work) == wins
    assert [one.value for one in work.overwritten] == [({"Ring", "Call"} - {wins}).pop()]


def test_what_people_typed_in_an_origin_that_tells_no_time_wins() -> None:
    here = with_typed(origin(FROM_PLAIN), {TaskField.TITLE}, None)
    unknown = a_replica(FROM_PLAIN, TYPED, title="Call")
    work = compared(FROM_PLAIN, here, unknown, changed={TYPED: at(hours=-1)})
    assert title_of(work) == "Ring"
    assert owed_in(work, TYPED, TaskField.TITLE) is Owed.UNSEEN


@pytest.mark.parametrize(("hours", "wins"), [(-1, "Ring"), (-3, "Call")])
def test_a_copy_that_agrees_with_the_task_stands_for_it_where_the_origin_has_none(hours: int, wins: str) -> None:
    agrees, other = a_replica(RING, TYPED), a_replica(RING, PLAIN, title="Call")
    changed = {TYPED: at(hours=hours), PLAIN: at(hours=-2)}
    work = compared(RING, origin(RING), agrees, other, learned=[TYPED, PLAIN], changed=changed)
    assert title_of(work) == wins


def test_that_there_is_no_text_is_a_value() -> None:
    task = replace(FROM_PLAIN, body="About the flat")
    emptied = a_replica(task, TYPED, body="")
    here = origin(task, body="About the flat")
    work = compared(task, here, emptied, changed={TYPED: at(hours=-1), PLAIN: at(hours=-2)})
    assert not work.base.tasks["t1"].body
    assert [one.value for one in work.overwritten] == ["About the flat"]


@pytest.mark.parametrize(
    ("shown", "typed"),
    [
        ("Follow-up call p1", False),
        ("Follow-up call", False),
        ("Reminder p1", False),
        ("Follow-up call p1 about the flat", True),
        ("p1", True),
    ],
)
def test_a_title_of_kind_and_name_was_typed_by_nobody(shown: str, typed: bool) -> None:
    """Each CRM has its own name of the person, and some have none."""
    task = a_task()
    work = compared(task, origin(task), a_replica(task, TYPED, title=shown))
    assert title_of(work) == (shown if typed else None)


# who is owed it ------------------------------------------------------------------------------------


def test_a_copy_that_is_closed_is_owed_nothing() -> None:
    done = a_replica(FROM_PLAIN, LANE, state=ReplicaState.SUPERSEDED)
    made_up = replace(FROM_PLAIN, due_synthetic=True)
    work = compared(made_up, origin(made_up, due=None), a_replica(made_up, TYPED, due=LATER), done)
    assert due_of(work) == LATER
    assert owed_in(work, LANE) is Owed.NO


@pytest.mark.parametrize(("seconds", "owes"), [(0, False), (60, False), (61, True)])
def test_a_task_in_a_lane_that_is_a_twin_need_not_be_due_at_the_same_second(seconds: int, owes: bool) -> None:
    twin = a_replica(FROM_PLAIN, LANE, made=False, due=at(hours=5, seconds=seconds))
    work = compared(FROM_PLAIN, origin(FROM_PLAIN), twin, learned=[LANE])
    assert (owed_in(work, LANE) is Owed.UNSEEN) is owes
    assert due_of(work) == FROM_PLAIN.due


def test_an_origin_in_a_lane_is_owed_no_due() -> None:
    task = a_task()
    work = compared(task, origin(task, due=LATER), a_replica(task, PLAIN), learned=[LANE])
    assert owed_in(work, LANE) is Owed.NO


@pytest.mark.parametrize(("text", "is_owed"), [(None, Owed.NO), ("", Owed.UNSEEN), ("Bring the plan", Owed.NO)])
def test_a_copy_whose_text_was_never_read_is_not_owed_one_yet(text: str | None, is_owed: Owed) -> None:
    """It may show the task's text already. A read will tell."""
    changed, there = a_replica(RING, PLAIN, body="Bring the plan"), a_replica(RING, TYPED, body=text)
    work = compared(RING, origin(RING), changed, there, learned=[PLAIN])
    assert work.base.tasks["t1"].body == "Bring the plan"
    assert owed_in(work, TYPED, TaskField.BODY) is is_owed
