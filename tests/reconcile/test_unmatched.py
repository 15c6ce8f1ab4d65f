"""What an unknown open task becomes: a copy of ours by its marker, the same task in another CRM, or a new one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.base import OUR_USER, Action, OpState
from syncer.domain.model import Kind, Reading, ReplicaState, State, Task
from syncer.domain.reasons import Reason
from syncer.reconcile.merge import Merged
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
    an_operation,
    at,
    marker_of,
    merged,
    seen_of,
)

TASK = a_task(f"{LANE}:1")
ID = TASK.id
KNOWN = a_base(TASK, replicas=[a_replica(TASK, LANE)])
NEW = f"{PLAIN}:x"


def one_task(found: Merged) -> Task:
    [task] = found.base.tasks.values()
    return task


def shown_in(found: Merged, task: str = ID) -> list[str]:
    return [r.system for r in found.base.replicas.values() if r.task == task and r.state is ReplicaState.OPEN]


# new tasks -----------------------------------------------------------------------------------------


def test_a_new_task_is_what_its_origin_says() -> None:
    policy = replace(POLICY, users={(TYPED, "41"): "Asha"})
    new = a_reading(TYPED, "x", kind=Kind.SITE_VISIT, title="Visit", body="bring keys", assignee="41")
    found = merged(a_base(), seen_of(new), policy=policy)
    assert one_task(found) == Task(
        f"{TYPED}:x", "p1", Kind.SITE_VISIT, "Visit", "bring keys", at(hours=5), TYPED, assignee="Asha", first_seen=at()
    )
    [replica] = found.base.replicas.values()
    assert (replica.made, replica.ours, replica.state) == (False, False, ReplicaState.OPEN)


def test_a_contact_that_is_linked_to_nobody_is_a_person_of_its_own() -> None:
    base = a_base()
    base.links.clear()
    found = merged(base, seen_of(a_reading(PLAIN, "x"), a_reading(PLAIN, "y", due=at(days=3))))
    assert found.changes.links == {(PLAIN, f"p1-{PLAIN}"): "new0001"}
    assert {task.contact for task in found.base.tasks.values()} == {"new0001"}


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        (a_reading(TYPED, "x", mirrored=False), Reason.SCHEDULED),
        (a_reading(PLAIN, "x", contact=None), Reason.WITHOUT_CONTACT),
        (a_reading(PLAIN, "x", contact="stranger"), Reason.CONTACT_UNREAD),
    ],
)
def test_what_cannot_be_a_task_waits_with_its_reason(reading: Reading, reason: Reason) -> None:
    found = merged(a_base(), seen_of(reading))
    assert not found.base.tasks
    assert [item.reason for item in found.waiting] == [reason]


def test_a_row_without_its_body_is_read_first() -> None:
    assert not merged(a_base(), seen_of(a_reading(TYPED, "x", whole=False))).base.tasks


# twins ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "is_twin"),
    [
        ({}, True),
        ({"due": at(hours=5, seconds=60)}, True),
        ({"due": at(hours=5, seconds=61)}, False),
        ({"due": None}, False),
        ({"kind": Kind.CALLBACK}, True),
        ({"kind": Kind.SITE_VISIT}, False),
        ({"person": "p2"}, False),
        ({"title": "Something else"}, True),
    ],
    ids=str,
)
def test_a_twin_is_due_at_the_same_time_and_of_a_like_kind(changes: dict[str, object], is_twin: bool) -> None:
    found = merged(KNOWN, seen_of(a_reading(TYPED, "x", **changes)))
    assert (len(found.base.tasks) == 1) is is_twin
    assert (TYPED in shown_in(found)) is is_twin


def test_a_twin_has_no_other_title() -> None:
    task = a_task(f"{PLAIN}:1", origin=PLAIN, title="Call about the flat")
    base = a_base(task, replicas=[a_replica(task, PLAIN)])
    assert len(merged(base, seen_of(a_reading(TYPED, "x", title="call: about the flat!"))).base.tasks) == 1
    assert len(merged(base, seen_of(a_reading(TYPED, "x", title="Send papers"))).base.tasks) == 2


def test_twins_can_be_switched_off() -> None:
    policy = replace(POLICY, twin_window=timedelta(0))
    assert len(merged(KNOWN, seen_of(a_reading(TYPED, "x")), policy=policy).base.tasks) == 2


def test_three_crms_at_once_give_one_task() -> None:
    found = merged(a_base(), seen_of(*(a_reading(system, "x") for system in SYSTEMS)))
    assert one_task(found).origin == LANE
    assert shown_in(found, f"{LANE}:x") == list(SYSTEMS)


def test_two_candidates_are_neither() -> None:
    two_readings = seen_of(a_reading(TYPED, "x"), a_reading(TYPED, "y"))
    assert len(merged(KNOWN, two_readings).base.tasks) == 3
    other = a_task(f"{LANE}:2")
    base = a_base(TASK, other, replicas=[a_replica(TASK, LANE), a_replica(other, LANE)])
    assert len(merged(base, seen_of(a_reading(TYPED, "x"))).base.tasks) == 3


def test_a_task_that_is_shown_there_or_being_made_there_has_no_twin() -> None:
    shown = a_base(TASK, replicas=[a_replica(TASK, LANE), a_replica(TASK, TYPED)])
    assert len(merged(shown, seen_of(a_reading(TYPED, "x"))).base.tasks) == 2
    doubt = an_operation(TASK, TYPED, Action.CREATE, OpState.IN_DOUBT)
    making = a_base(TASK, replicas=[a_replica(TASK, LANE)], operations=[doubt])
    assert len(merged(making, seen_of(a_reading(TYPED, "x"))).base.tasks) == 2


def test_a_twin_in_the_lane_is_what_was_to_be_put_back() -> None:
    task = replace(TASK, put_back=True)
    base = a_base(task, replicas=[a_replica(task, LANE, state=ReplicaState.SUPERSEDED), a_replica(task, PLAIN)])
    assert not one_task(merged(base, seen_of(a_reading(LANE, "x")))).put_back
    elsewhere = merged(base, seen_of(a_reading(TYPED, "x")))
    assert one_task(elsewhere).put_back


def test_a_twin_changes_no_kind() -> None:
    """Neither where the first copy was put back, nor where it was made again after it had gone."""
    task = a_task(ID, kind=Kind.FIRST_CALL)
    put_back = [a_replica(task, LANE, state=ReplicaState.SUPERSEDED), a_replica(task, LANE, "b", made=True, ours=False)]
    for replicas in (put_back, [a_replica(task, LANE, "b", made=True, ours=True)]):
        found = merged(a_base(task, replicas=replicas), seen_of(a_reading(TYPED, "x")))
        assert one_task(found) == task
        assert shown_in(found) == [LANE, TYPED]


# markers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ledger", [LEDGER, OTHER_LEDGER])
def test_a_marker_names_its_task(ledger: str) -> None:
    """Whatever was edited since, and whichever ledger made it."""
    marker = marker_of(TASK, ledger)
    found = merged(KNOWN, seen_of(a_reading(PLAIN, "x", marker=marker, due=at(days=9), title="edited since")))
    assert one_task(found) == TASK
    [copy] = [replica for replica in found.base.replicas.values() if replica.system == PLAIN]
    assert (copy.made, copy.ours) == (True, False)


def test_a_marker_may_name_the_place_of_a_twin() -> None:
    """Another ledger saw that one first."""
    twin = a_replica(TASK, TYPED, "7", made=False)
    base = a_base(TASK, replicas=[a_replica(TASK, LANE), twin])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker=marker_of(f"{TYPED}:7", OTHER_LEDGER), due=at(days=9))))
    assert shown_in(found) == [LANE, TYPED, PLAIN]
    assert list(found.base.tasks) == [ID]


def test_a_marker_of_a_task_that_was_done_while_its_create_was_in_doubt_is_still_its_copy() -> None:
    task = replace(TASK, state=State.DONE)
    doubt = an_operation(task, PLAIN, Action.CREATE, OpState.SENT)
    found = merged(a_base(task, operations=[doubt]), seen_of(a_reading(PLAIN, "x", marker=marker_of(task))))
    assert shown_in(found) == [PLAIN]


@pytest.mark.parametrize("state", [OpState.SENT, OpState.IN_DOUBT])
def test_a_marker_settles_the_create_that_was_in_doubt(state: OpState) -> None:
    """Otherwise a copy that somebody makes of it would be taken for what the create has made."""
    doubt = an_operation(TASK, PLAIN, Action.CREATE, state, failures=2, not_before=at())
    elsewhere = an_operation(TASK, TYPED, Action.CREATE, state)
    completion = an_operation(TASK, PLAIN, Action.COMPLETE, state)
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)], operations=[doubt, elsewhere, completion])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker=marker_of(TASK))))
    settled = replace(doubt, state=OpState.DONE, remote_id="x", failures=0, not_before=None)
    assert found.changes.operations == {doubt.id: settled}
    assert found.base.operations == {**base.operations, doubt.id: settled}
    assert base.operations[doubt.id] == doubt, "what was given is left as it was"


def test_what_may_be_the_work_of_a_create_in_doubt_is_nothing_else_though_its_marker_is_damaged() -> None:
    doubt = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=TASK.due)
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)], operations=[doubt])
    found = merged(base, seen_of(a_reading(PLAIN, "x", due=TASK.due), a_reading(PLAIN, "y", due=at(days=3))))
    assert set(found.base.tasks) == {ID, f"{PLAIN}:y"}
    assert [item.reason for item in found.waiting] == [Reason.IN_DOUBT]


@pytest.mark.parametrize(
    ("due", "unread", "waits"),
    [(TASK.due, set(), False), (at(days=3), set(), True), (TASK.due, {f"p1-{PLAIN}"}, True)],
    ids=["given up", "given up, and due at another time", "not yet given up"],
)
def test_a_doubt_that_cannot_be_settled_keeps_nothing_else_waiting(due: Any, unread: set[str], waits: bool) -> None:
    """What the create made may be what cannot be read, run after run."""
    doubt = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=TASK.due)
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)], operations=[doubt])
    seen = seen_of(a_reading(PLAIN, "x", due=TASK.due, title="Theirs"))
    seen[PLAIN].untold, seen[PLAIN].unread = {(f"p1-{PLAIN}", due)}, unread
    found = merged(base, seen)
    assert (Reason.IN_DOUBT in {item.reason for item in found.waiting}) is waits
    assert (f"{PLAIN}:x" in found.base.tasks) is not waits


@pytest.mark.parametrize(
    ("task", "copies", "changes"),
    [
        (TASK, [LANE], {"person": "p2"}),
        (replace(TASK, state=State.DONE), [], {}),
        (TASK, [LANE, PLAIN], {"due": at(days=9)}),
        (TASK, [LANE, PLAIN], {"title": "Something else"}),
    ],
    ids=["another contact", "a closed task", "a second copy, moved", "a second copy, renamed"],
)
def test_a_marker_that_does_not_fit_is_a_copy_that_somebody_made(
    task: Task, copies: list[str], changes: dict[str, Any]
) -> None:
    shown = [a_replica(task, system, title="Ring") for system in copies]
    reading = a_reading(PLAIN, "x", marker=marker_of(task), **({"title": "Ring"} | changes))
    found = merged(a_base(task, replicas=shown), seen_of(reading))
    assert (found.base.tasks[NEW].origin, found.base.tasks[NEW].held) == (PLAIN, "")
    assert not found.base.replicas[PLAIN, "x"].made


@pytest.mark.parametrize(
    ("ledger", "title", "copy_of"),
    [(OTHER_LEDGER, None, ID), (OTHER_LEDGER, "Other", NEW), (LEDGER, None, NEW)],
)
def test_what_another_ledger_made_of_a_task_that_is_done_is_its_copy(
    ledger: str, title: str | None, copy_of: str
) -> None:
    """It was made while ours completed the task, and is now to be completed; of our own making nothing is open."""
    task = replace(TASK, title="Ring", state=State.DONE)
    reading = a_reading(PLAIN, "x", marker=marker_of(task, ledger), title=title or "Ring")
    assert merged(a_base(task), seen_of(reading)).base.replicas[PLAIN, "x"].task == copy_of


@pytest.mark.parametrize("moved", [False, True])
def test_of_two_with_one_marker_the_one_that_is_called_as_the_task_is_ours(moved: bool) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call", due=at(days=2) if moved else at(hours=5))
    ours = a_reading(PLAIN, "9", title="Call", marker=marker_of(task))
    pasted = a_reading(PLAIN, "1", title="Another", due=at(hours=9), marker=marker_of(task))
    found = merged(a_base(task, replicas=[a_replica(task, TYPED)]), seen_of(pasted, ours))
    assert {key[1]: one.task for key, one in found.base.replicas.items() if key[0] == PLAIN} == {
        "9": task.id,
        "1": f"{PLAIN}:1",
    }


def test_a_second_copy_that_is_alike_is_a_duplicate() -> None:
    """Two requests of two ledgers arrived together: nothing is made of the second one, and nothing is closed."""
    base = a_base(TASK, replicas=[a_replica(TASK, system) for system in SYSTEMS])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker=marker_of(TASK, OTHER_LEDGER))))
    assert found.base.tasks[NEW].held == Reason.DUPLICATE
    assert shown_in(found, NEW) == [PLAIN]
    assert found.base.tasks[ID] == TASK
    assert shown_in(found) == list(SYSTEMS)


@pytest.mark.parametrize(
    ("changes", "creating", "copy_of"),
    [
        ({"due": at(days=9)}, False, NEW),
        ({"title": "Something else"}, False, NEW),
        ({"due": at(days=9)}, True, ID),
        ({}, False, ID),
        ({"due": at(days=1), "title": "as it was made"}, False, ID),
    ],
    ids=["moved", "renamed", "moved while we make one", "like the task", "like the copy that is gone"],
)
@pytest.mark.parametrize("state", [ReplicaState.GONE, ReplicaState.DONE])
def test_a_marker_of_a_task_whose_copy_was_another_one(
    state: ReplicaState, changes: dict[str, Any], creating: bool, copy_of: str
) -> None:
    """People duplicate a task with its text, and delete the one that we made: the rest is not its copy."""
    task = replace(TASK, title="Call")
    gone = a_replica(task, PLAIN, "old", state=state, made=True, due=at(days=1), title="as it was made")
    create = an_operation(task, PLAIN, Action.CREATE, OpState.SENT)
    base = a_base(task, replicas=[a_replica(task, LANE), gone], operations=[create] if creating else [])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker=marker_of(task), **({"title": "Call"} | changes))))
    assert found.base.replicas[PLAIN, "x"].task == copy_of


def test_nothing_is_made_of_a_marker_that_the_ledger_does_not_know_before_that_person_is_read() -> None:
    marked = a_reading(PLAIN, "x", marker=marker_of(f"{TYPED}:9"), due=at(days=2))
    other = a_reading(PLAIN, "y", person="p2", due=at(days=2))
    found = merged(KNOWN, seen_of(marked, other))
    assert set(found.base.tasks) == {ID, f"{PLAIN}:y"}
    assert found.base.behind == {"p1"}
    assert [item.reason for item in found.waiting] == [Reason.UNREAD]


def test_what_takes_the_place_of_a_lost_origin_is_followed_at_once() -> None:
    lost = replace(a_replica(TASK, LANE, made=False), state=ReplicaState.GONE)
    again = a_reading(LANE, "again", due=TASK.due + timedelta(seconds=30), title=TASK.title)
    found = merged(a_base(TASK, replicas=[lost, a_replica(TASK, PLAIN)]), seen_of(again))
    assert one_task(found).due == again.due
    assert shown_in(found, TASK.id) == [PLAIN, LANE]


# tasks of our own user, and loops --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "held"),
    [
        ({}, Reason.DUPLICATE),
        ({"created_by": "7"}, ""),
        ({"due": at(hours=6)}, ""),
        ({"kind": Kind.BOOKING}, ""),
        ({"person": "p2"}, ""),
    ],
    ids=str,
)
def test_what_our_user_made_in_the_lane_beside_our_copy_is_a_duplicate(changes: dict[str, Any], held: str) -> None:
    """A CRM that keeps no markers does not tell it from what a second ledger made in the same moment."""
    assert held_beside_our_copy(made=True, **changes) == held


def test_what_our_user_made_in_the_lane_is_the_lacking_copy_though_people_moved_another_copy() -> None:
    """Another ledger made it, which took the due of the copy that people had moved."""
    task = a_task(f"{TYPED}:1", origin=TYPED)
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, PLAIN, due=at(days=2))])
    base.cursors[OUR_USER + LANE] = API
    copy = a_reading(LANE, "x", due=at(days=2), created_by=API)
    assert merged(base, seen_of(copy)).base.replicas[copy.key].task == task.id


def test_a_copy_that_was_known_again_has_duplicates_too() -> None:
    assert held_beside_our_copy(made=False) == Reason.DUPLICATE


def held_beside_our_copy(*, made: bool, **changes: Any) -> str:
    """Why no copies are made of what was made in the lane beside the copy of a task of another CRM."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.REMINDER)
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, LANE, made=made)])
    base.cursors[OUR_USER + LANE] = API
    beside = a_reading(LANE, "x", **({"kind": Kind.REMINDER, "created_by": API} | changes))
    return merged(base, seen_of(beside)).base.tasks[f"{LANE}:x"].held


def test_as_long_as_our_user_is_unknown_nothing_is_held_as_its_work() -> None:
    base = a_base(TASK, replicas=[a_replica(TASK, LANE, made=True), a_replica(TASK, TYPED)])
    assert not merged(base, seen_of(a_reading(LANE, "x", created_by=API))).base.tasks[f"{LANE}:x"].held


@pytest.mark.parametrize("closed", [False, True])
def test_the_fourth_task_that_is_alike_within_a_day_is_a_loop(closed: bool) -> None:
    """Somebody's automation makes a task of each of our copies, and we would make a copy of each of those."""
    base = a_base()
    if closed:
        base.recent["p1", Kind.FOLLOW_UP_CALL, "Ring", at(hours=5)] = 3
    names = ["9"] if closed else ["1", "2", "3", "9"]
    found = merged(base, seen_of(*(a_reading(PLAIN, name, title="Ring") for name in names)))
    assert found.base.tasks[f"{PLAIN}:9"].held == Reason.LOOP
    assert [task.held for task in found.base.tasks.values()].count("") == len(names) - 1


@pytest.mark.parametrize(
    "changes", [{"title": "Other"}, {"due": at(hours=6)}, {"person": "p2"}, {"due": None}], ids=str
)
def test_what_is_not_alike_is_no_loop(changes: dict[str, Any]) -> None:
    base = a_base()
    base.recent["p1", Kind.FOLLOW_UP_CALL, "Ring", at(hours=5)] = 3
    base.recent["p1", Kind.FOLLOW_UP_CALL, "Ring", at(days=1)] = 3
    found = merged(base, seen_of(a_reading(PLAIN, "x", **({"title": "Ring"} | changes))))
    assert not found.base.tasks[NEW].held


def test_a_task_that_is_held_is_nobodys_twin() -> None:
    base = a_base(replace(TASK, held=Reason.LOOP), replicas=[a_replica(TASK, LANE)])
    assert len(merged(base, seen_of(a_reading(TYPED, "x"))).base.tasks) == 2


# another ledger -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "noticed"),
    [
        ({}, True),
        ({"state": State.DONE}, True),
        ({"marker": marker_of(TASK)}, False),
        ({"marker": None}, False),
        ({"created_at": at(minutes=10)}, False),
        ({"created_at": None}, False),
    ],
    ids=str,
)
def test_a_ledger_that_writes_beside_this_one_is_noticed(changes: dict[str, Any], noticed: bool) -> None:
    """Its marker is in a task that was made after this ledger, by more than two clocks may differ."""
    base = replace(KNOWN, ledger_made_at=at())
    fields = {"marker": marker_of(TASK, OTHER_LEDGER), "created_at": at(minutes=10, seconds=1)} | changes
    found = merged(base, seen_of(a_reading(PLAIN, "x", **fields)))
    assert found.other_ledgers == ({OTHER_LEDGER} if noticed else set())
    assert not merged(KNOWN, seen_of(a_reading(PLAIN, "x", **fields))).other_ledgers, "while this one has no age"


@pytest.mark.parametrize("known", [True, False])
def test_a_text_that_people_copied_tells_of_no_other_ledger(known: bool) -> None:
    ours = a_reading(PLAIN, "m", marker=marker_of(TASK, OTHER_LEDGER), created_at=at(days=-1))
    copied = replace(ours, remote_id="x", created_at=at(hours=1), title="Other")
    shown = [a_replica(TASK, LANE), *([a_replica(TASK, PLAIN, "m")] if known else [])]
    base = replace(a_base(TASK, replicas=shown), ledger_made_at=at())
    assert not merged(base, seen_of(copied) if known else seen_of(ours, copied)).other_ledgers
