"""What an unknown open task becomes: a copy of ours by its marker, the same task in another CRM, or a new one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.cursors import COMPANY, FORERUNNER, OUR_USER
from syncer.domain.model import Kind, Reading, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import Untold
from tests.support.matching import ID, KNOWN, NEW, TASK, one_task, shown_in
from tests.support.rebuilding import copies_of, rebuilt
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
    read_back,
    read_in_full,
    seen_of,
)

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


@pytest.mark.parametrize("forerunner", ["1", ""])
@pytest.mark.parametrize(("made_at", "is_left"), [(-60, True), (60, False)])
def test_a_task_without_a_due_waits_for_what_may_be_its_copy_and_cannot_be_read(
    made_at: int, is_left: bool, forerunner: str
) -> None:
    """A lost ledger may have made that copy, with a due of its own. What is newer than this ledger has none."""
    task = a_reading(PLAIN, "1", title="Ring", due=None, created_at=at(minutes=made_at))
    seen = seen_of(task)
    seen[TYPED].untold = {Untold((TYPED, "9"), f"p1-{TYPED}", at(hours=24))}
    visits = dict.fromkeys(a_base().links, at())
    found = merged(a_base(ledger_made_at=at(), cursors={FORERUNNER: forerunner}, visits=visits), seen)
    assert bool(found.base.tasks) is not is_left
    assert [item.reason for item in found.waiting] == [Reason.UNREAD] * is_left


@pytest.mark.parametrize(("due", "waits"), [({"hours": 22}, False), ({"hours": 23}, True), ({"hours": 25}, False)])
def test_a_task_without_a_due_waits_only_for_what_is_due_when_a_ledger_would_have_made_it_up(
    due: dict[str, int], waits: bool
) -> None:
    seen = seen_of(a_reading(PLAIN, "1", title="Ring", due=None, created_at=at(minutes=-60)))
    seen[TYPED].untold = {Untold((TYPED, "9"), f"p1-{TYPED}", at(**due))}
    base = a_base(ledger_made_at=at(), cursors={FORERUNNER: "1"})
    base.visits = dict.fromkeys(base.links, at())
    assert bool(merged(base, seen).waiting) is waits


def test_a_task_without_a_due_does_not_wait_for_what_a_copy_tells_of_though_it_cannot_be_read() -> None:
    known = a_task(f"{TYPED}:9", origin=TYPED)
    task = a_reading(PLAIN, "1", title="Ring", due=None, created_at=at(minutes=-60))
    seen = seen_of(task)
    seen[TYPED].untold = {Untold((TYPED, "9"), f"p1-{TYPED}", known.due)}
    base = a_base(known, replicas=[a_replica(known, TYPED, "9")], ledger_made_at=at(), cursors={FORERUNNER: "1"})
    base.visits = dict.fromkeys(base.links, at())
    assert not merged(base, seen).waiting


@pytest.mark.parametrize("is_read", [False, True])
def test_a_new_task_waits_for_finished_copies_that_a_lost_ledger_may_have_left(is_read: bool) -> None:
    """Its marker says so if one is finished, and one task of the person cannot be read yet."""
    rows = [a_reading(LANE, "1"), *copies_of(a_task(f"{TYPED}:7", contact="p2", origin=TYPED, title="See"), [PLAIN])]
    seen = read_in_full(*rows)
    if not is_read:
        del seen[TYPED].persons[f"p1-{TYPED}"]
    found = merged(a_base(), seen)
    assert (f"{LANE}:1" in found.base.tasks) is is_read
    assert any(item.reason == Reason.UNREAD for item in found.waiting) is not is_read


@pytest.mark.parametrize("was_read", [True, False])
def test_what_our_user_makes_in_a_lane_is_an_automations_once_its_person_was_read(was_read: bool) -> None:
    """Until then a lost ledger may have made it, as the copy of a task that was moved since."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    base = a_base(task, replicas=[a_replica(task, TYPED)], cursors={FORERUNNER: "1", OUR_USER + LANE: API})
    base.visits = dict.fromkeys(base.links, at(days=-1)) if was_read else {}
    row = a_reading(LANE, "77", due=at(hours=9), created_by=API)
    found = merged(base, read_in_full(read_back(a_replica(task, TYPED), task), row))
    assert found.base.tasks[row.place].held == ("" if was_read else Reason.UNMATCHED)


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


@pytest.mark.parametrize("later", [timedelta(minutes=-5), timedelta(minutes=5)])
def test_what_our_user_made_in_the_lane_is_the_copy_of_a_task_that_is_first_seen_with_it(later: timedelta) -> None:
    """Another ledger made it. The clock of the lane's CRM may be behind, so it may look older than the task."""
    base = a_base(a_task(f"{TYPED}:1", origin=TYPED, contact="p2"), cursors={OUR_USER + LANE: API, COMPANY: "1"})
    theirs = a_reading(TYPED, "2", title="Call", kind=Kind.REMINDER, created_at=at())
    copy = a_reading(LANE, "x", kind=Kind.REMINDER, created_by=API, created_at=at() + later)
    for read in (seen_of, read_in_full):
        assert merged(base, read(theirs, copy)).base.replicas[copy.key].task == theirs.place


def test_a_copy_that_was_known_again_has_duplicates_too() -> None:
    assert held_beside_our_copy(made=False) == Reason.DUPLICATE


def held_beside_our_copy(*, made: bool, **changes: Any) -> str:
    """Why no copies are made of what was made in the lane beside the copy of a task of another CRM."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.REMINDER)
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, LANE, made=made)])
    base.cursors[OUR_USER + LANE] = API
    beside = a_reading(LANE, "x", **({"kind": Kind.REMINDER, "created_by": API} | changes))
    return merged(base, seen_of(beside)).base.tasks[beside.place].held


@pytest.mark.parametrize(
    ("known_by", "beside_ours", "title", "copied", "held"),
    [
        (API, True, None, False, Reason.DUPLICATE),
        ("", True, None, False, ""),
        ("7", True, None, False, ""),
        (API, False, None, False, ""),
        (API, True, "Call Asha", False, ""),
        (API, True, None, True, ""),
    ],
)
def test_what_was_there_before_our_user_was_known_is_a_duplicate_once_that_is_known(
    known_by: str, beside_ours: bool, title: str | None, copied: bool, held: str
) -> None:
    """The answer to our first create names our user. A task that was copied since, or has a title, is a person's."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.REMINDER)
    first = a_task(f"{LANE}:8", kind=Kind.REMINDER, title=title)
    copies = [a_replica(task, TYPED), a_replica(task, LANE, made=beside_ours), a_replica(first, LANE, title=title)]
    base = a_base(task, first, replicas=[*copies, *([a_replica(first, PLAIN)] if copied else [])])
    base.cursors[OUR_USER + LANE] = known_by
    rows = [
        a_reading(LANE, copy.remote_id, kind=Kind.REMINDER, created_by=API, title=copy.title) for copy in copies[1:]
    ]
    found = merged(base, seen_of(*rows))
    assert [found.base.tasks[one.id].held for one in (task, first)] == ["", held]


@pytest.mark.parametrize(("ledger", "waits"), [(OTHER_LEDGER, True), (LEDGER, False)])
def test_what_our_user_made_in_the_lane_waits_for_what_is_unread_where_another_ledger_wrote(
    ledger: str, waits: bool
) -> None:
    """It may be that one's copy of what nobody can show now."""
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)])
    base.cursors[OUR_USER + LANE] = API
    beside = a_reading(LANE, "x", created_by=API, due=at(days=9))
    marked = a_reading(PLAIN, "y", person="p2", state=State.DONE, marker=marker_of(f"{TYPED}:9", ledger))
    found = merged(base, seen_of(beside, marked))
    assert (beside.place not in found.base.tasks) is waits
    assert any(item.reason == Reason.UNREAD for item in found.waiting) is waits


def test_what_our_user_made_in_the_lane_is_a_task_once_all_was_read_and_nothing_is_like_it() -> None:
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)])
    base.cursors[OUR_USER + LANE] = API
    beside = a_reading(LANE, "x", created_by=API, due=at(days=9))
    assert not rebuilt(*copies_of(TASK, [LANE]), beside, base=base).base.tasks[beside.place].held


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
    # Within what two clocks may differ by, it may be beside this one.
    may_be = fields["marker"] == marker_of(TASK, OTHER_LEDGER) and fields["created_at"] is not None
    assert bool(found.changes.cursors.get(COMPANY)) is may_be
    assert not merged(KNOWN, seen_of(a_reading(PLAIN, "x", **fields))).other_ledgers, "while this one has no age"


@pytest.mark.parametrize("known", [True, False])
def test_a_text_that_people_copied_tells_of_no_other_ledger(known: bool) -> None:
    ours = a_reading(PLAIN, "m", marker=marker_of(TASK, OTHER_LEDGER), created_at=at(days=-1))
    copied = replace(ours, remote_id="x", created_at=at(hours=1), title="Other")
    shown = [a_replica(TASK, LANE), *([a_replica(TASK, PLAIN, "m")] if known else [])]
    base = replace(a_base(TASK, replicas=shown), ledger_made_at=at())
    assert not merged(base, seen_of(copied) if known else seen_of(ours, copied)).other_ledgers
