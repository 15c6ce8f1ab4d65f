"""A ledger that does not know what was already written: one person after the other is brought up to date."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from itertools import combinations
from typing import Any

import pytest

from syncer.domain.model import Kind, ReplicaState, State
from syncer.domain.reasons import Reason
from tests.support.clock import START
from tests.support.rebuilding import copies_of, done, one_task, places, rebuilt
from tests.support.strategies import (
    API,
    LANE,
    LEDGER,
    OTHER_LEDGER,
    PLAIN,
    ROUTABLE,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    at,
    in_words_of,
    marker_of,
)

SUBSETS = [subset for size in (2, 3) for subset in combinations(SYSTEMS, size)]


# origin and copies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ROUTABLE)
@pytest.mark.parametrize(("origin", "systems"), [(origin, s) for s in SUBSETS for origin in s])
def test_a_lost_ledger_is_rebuilt(origin: str, systems: tuple[str, ...], kind: Kind) -> None:
    kind = in_words_of(TYPED, kind) if origin == TYPED else kind
    task = a_task(f"{origin}:1", kind=kind, origin=origin, title=None if origin == LANE else "Call about the flat")
    found = rebuilt(*copies_of(task, systems))
    again = one_task(found)
    assert places(found, again.id) == set(systems)
    assert not found.base.replicas[origin, "1"].made, "what carries no marker counts as theirs"
    assert not any(replica.ours for replica in found.base.replicas.values())
    if {TYPED, PLAIN} & (set(systems) - {origin}):
        assert (again.id, again.origin) == (task.id, origin)
    knows = next((system for system in (LANE, TYPED) if system in systems), origin)
    assert again.kind is (kind if knows in {origin, LANE} else in_words_of(knows, kind))


@pytest.mark.parametrize("origin", SYSTEMS)
def test_copies_are_found_by_their_marker_whatever_was_edited(origin: str) -> None:
    task = a_task(f"{origin}:1", origin=origin, title=None if origin == LANE else "Call", kind=Kind.FOLLOW_UP_CALL)
    systems = [system for system in (TYPED, PLAIN) if system != origin]
    edited = copies_of(task, systems, title="Something else", due=at(days=9), kind=Kind.SITE_VISIT)
    found = rebuilt(*copies_of(task, [origin]), *edited)
    again = one_task(found)
    assert places(found, task.id) == {origin, *systems}
    assert (again.due, again.title) == (task.due, task.title if origin != LANE else "Something else")


def test_the_kind_comes_from_the_crm_that_knows_most_about_kinds() -> None:
    """A first call and a call were adopted as twins, and copied into the third CRM, before the ledger was lost."""
    task = a_task(f"{LANE}:1", kind=Kind.FIRST_CALL)
    typed = a_reading(TYPED, "x", kind=Kind.FOLLOW_UP_CALL, title="Call Asha", body="soon")
    again = one_task(rebuilt(*copies_of(task, (LANE, PLAIN)), typed))
    assert (again.id, again.kind, again.origin) == (task.id, Kind.FIRST_CALL, LANE)


def test_a_kind_that_was_guessed_counts_for_nothing_beside_one_that_is_known() -> None:
    """Two tasks are due together, a to-do and a call; the CRM without kinds lets both be calls."""
    note = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    call = a_task(f"{TYPED}:2", origin=TYPED, title="Call")
    copies = [
        replace(copy, kind=Kind.FOLLOW_UP_CALL) if copy.system == PLAIN else copy
        for copy in copies_of(note, (TYPED, PLAIN))
    ]
    found = rebuilt(*copies, *copies_of(call))
    assert (places(found, note.id), places(found, call.id)) == ({TYPED, PLAIN}, set(SYSTEMS))


def test_what_carries_no_marker_and_is_like_nothing_is_a_task_of_its_own() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    found = rebuilt(*copies_of(task), a_reading(PLAIN, "x", due=at(days=9), title="Other"))
    assert set(found.base.tasks) == {task.id, f"{PLAIN}:x"}


def test_a_second_copy_that_is_alike_is_a_duplicate_and_another_one_a_task() -> None:
    """People duplicate a task with its text, marker and all; so does a second ledger."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    same, other = replace(ours, remote_id="2-highlevel"), replace(ours, remote_id="3-highlevel", due=at(days=9))
    found = rebuilt(theirs, ours, same, other)
    held = {task.id: task.held for task in found.base.tasks.values()}
    assert held == {task.id: "", same.place: Reason.DUPLICATE, other.place: ""}
    assert found.base.replicas[ours.key].task == task.id


@pytest.mark.parametrize("copy_id", ["0", "9"])
def test_of_two_with_one_marker_the_one_that_is_like_the_origin_is_ours(copy_id: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    copied = replace(ours, remote_id=copy_id, title="Ring about it", due=at(days=9))
    found = rebuilt(theirs, ours, copied)
    assert found.base.replicas[ours.key].task == task.id
    assert found.base.replicas[copied.key].task == copied.place


@pytest.mark.parametrize(
    ("ledger", "held"), [(OTHER_LEDGER, ""), (LEDGER, Reason.DUPLICATE)], ids=["pasted", "of two ledgers"]
)
def test_a_second_copy_that_people_changed_is_one_where_each_of_two_ledgers_made_one(ledger: str, held: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    first, second = (
        replace(copies_of(task, [PLAIN])[0], remote_id=name, marker=marker_of(task, by), created_at=START)
        for name, by in (("x", ledger), ("y", OTHER_LEDGER))
    )
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, PLAIN, "x")], ledger_made_at=at(days=-1))
    found = rebuilt(*copies_of(task, [TYPED]), first, replace(second, due=at(days=9)), base=base)
    assert found.base.tasks[f"{PLAIN}:y"].held == held


@pytest.mark.parametrize("is_finished", [False, True])
@pytest.mark.parametrize(
    ("known", "due", "held"),
    [
        ("", at(hours=5), ""),
        ("", at(days=8), Reason.DUPLICATE),
        ("with its marker", at(days=8), ""),
        ("without", at(hours=5), ""),
        ("without", at(days=8), Reason.DUPLICATE),
    ],
)
def test_what_people_copied_from_another_ledgers_copy_is_a_task_of_its_own(
    known: str, due: datetime, held: str, is_finished: bool
) -> None:
    """That ledger made one copy. If people changed it before it was seen, nothing tells which of the two it is."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    first, its_copy, pasted = (
        replace(copies_of(task, [PLAIN])[0], remote_id=name, marker=marker_of(task, by), created_at=START)
        for name, by in (("x", LEDGER), ("y", OTHER_LEDGER), ("z", OTHER_LEDGER))
    )
    its_copy = replace(its_copy, due=due)
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, PLAIN, "x")], ledger_made_at=at(days=-1))
    if known:
        base = rebuilt(*copies_of(task, [TYPED]), first, its_copy, base=base).base
        assert base.tasks[its_copy.place].held == Reason.DUPLICATE
    if known == "without":
        its_copy = replace(its_copy, marker=None, whole=False)
    its_copy = replace(its_copy, state=State.DONE) if is_finished else its_copy
    found = rebuilt(*copies_of(task, [TYPED]), first, its_copy, replace(pasted, due=at(days=9)), base=base)
    assert found.base.tasks[pasted.place].held == held


def test_a_twin_of_a_copy_whose_origin_cannot_be_read_is_no_task_of_its_own() -> None:
    """This ledger does not know yet that the person has a contact in the lane, where another one saw the origin."""
    task = a_task(f"{LANE}:1", title="Call")
    twin = a_reading(TYPED, "5", title="Call")
    again = one_task(found := rebuilt(*copies_of(task, [PLAIN]), twin))
    assert (again.id, again.held, places(found, task.id)) == (task.id, "", {PLAIN, TYPED})


@pytest.mark.parametrize(("days", "joined"), [(1, True), (9, False)])
def test_what_another_ledger_copied_is_the_twin_of_a_task_whose_other_origin_it_saw_first(
    days: int, *, joined: bool
) -> None:
    """Each of the two has made a copy in the third CRM; this one could not read the lane until now."""
    mine, theirs = (
        a_task(place, origin=place.partition(":")[0], title="Call", due=at(days=due))
        for place, due in ((f"{PLAIN}:1", 1), (f"{LANE}:2", days))
    )
    copy = a_replica(mine, TYPED, "4", made=True)
    base = a_base(mine, replicas=[a_replica(mine, PLAIN, "1"), copy], ledger_made_at=at(days=-1))
    [ours] = copies_of(mine, [TYPED])
    [another] = copies_of(theirs, [TYPED], created_at=START)
    rows = [
        *copies_of(mine, [PLAIN]),
        replace(ours, remote_id="4", marker=marker_of(mine)),
        *copies_of(theirs, [LANE]),
        replace(another, remote_id="5", marker=marker_of(theirs, OTHER_LEDGER)),
    ]
    found = rebuilt(*rows, base=base)
    assert places(found, mine.id) == ({LANE, TYPED, PLAIN} if joined else {TYPED, PLAIN})
    second = found.base.tasks[found.base.replicas[TYPED, "5"].task]
    # Both ledgers have made a copy there. People decide which of the two stays.
    assert (second.id, second.held) == ((f"{TYPED}:5", Reason.DUPLICATE) if joined else (theirs.id, ""))


def test_a_finished_copy_is_finished_though_people_made_another_task_of_it_and_its_text() -> None:
    task = a_task(f"{LANE}:1", title="Call")
    base = a_base(task, replicas=[a_replica(task, LANE), a_replica(task, PLAIN)], ledger_made_at=at(days=-1))
    [copy] = copies_of(task, [PLAIN], created_at=START)
    pasted = replace(copy, remote_id="y", title="Other", due=at(days=9))
    found = rebuilt(*copies_of(task, [LANE]), done(copy), pasted, base=base)
    assert {one.id: (one.state, one.held) for one in found.base.tasks.values()} == {
        task.id: (State.DONE, ""),
        f"{PLAIN}:y": (State.OPEN, ""),
    }


def test_the_copy_that_another_ledger_made_in_the_stead_of_one_that_was_deleted_is_the_copy() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    base = a_base(task, replicas=[a_replica(task, TYPED), a_replica(task, PLAIN, "deleted")])
    [another] = copies_of(task, [PLAIN])
    found = rebuilt(
        *copies_of(task, [TYPED]), replace(another, created_at=START), base=replace(base, ledger_made_at=at(days=-1))
    )
    assert found.base.replicas[PLAIN, "deleted"].state is ReplicaState.GONE
    assert places(found, task.id) == {TYPED, PLAIN}


def test_a_task_without_a_due_and_what_may_be_its_copy_in_the_lane_are_both_held() -> None:
    """The copy's due was made up, and its marker would stand in a CRM that keeps markers, where nothing is left."""
    strange = a_reading(PLAIN, "y", person="p2", marker=marker_of(f"{TYPED}:9", OTHER_LEDGER), state=State.DONE)
    origin, copy = a_reading(PLAIN, "x", due=None), a_reading(LANE, "7", created_by=API)
    found = rebuilt(origin, copy, strange)
    mine = [task for task in found.base.tasks.values() if task.contact == "p1"]
    assert {task.held for task in mine} == {Reason.DONE_OR_REOPENED, Reason.UNMATCHED}


@pytest.mark.parametrize(("changes", "is_copy"), [({"title": "Other", "due": at(days=9)}, False), ({}, True)])
def test_what_was_pasted_from_a_copy_that_is_finished_is_a_task_of_its_own(
    changes: dict[str, Any], is_copy: bool
) -> None:
    """What is as that copy was may be it, reopened or made anew by another ledger."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", **changes)
    found = rebuilt(theirs, done(ours), pasted)
    assert (found.base.replicas[pasted.key].task == task.id) is is_copy
    assert found.base.tasks[task.id].state is (State.OPEN if is_copy else State.DONE)


def test_what_another_ledger_made_beside_a_copy_that_is_finished_is_no_task_of_its_own_whatever_people_changed() -> (
    None
):
    """Two ledgers made a copy each. Its marker is not that of the finished one, so nobody pasted it from there."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    another = replace(ours, remote_id="x", due=at(days=9), marker=marker_of(task, "1k2m9ab3yy"))
    found = rebuilt(theirs, done(ours), another)
    assert f"{PLAIN}:x" not in found.base.tasks
    assert found.base.replicas[another.key].task == task.id


def test_a_finished_task_that_was_pasted_finishes_nothing_though_the_origin_was_put_off_since() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", title="Other", due=at(days=9))
    found = rebuilt(replace(theirs, due=at(days=5)), ours, done(pasted))
    again = one_task(found)
    assert (again.id, again.state, places(found, task.id)) == (task.id, State.OPEN, {TYPED, PLAIN})


@pytest.mark.parametrize("finished_in", [TYPED, PLAIN])
def test_what_was_there_before_the_finished_task_was_not_pasted_from_it(finished_in: str) -> None:
    """The origin is gone, so only the times tell who pasted from whom."""
    task = a_task(f"{LANE}:1", title="Call")
    copies = [replace(copy, created_at=START) for copy in copies_of(task, (TYPED, PLAIN))]
    ours = next(copy for copy in copies if copy.system == finished_in)
    pasted = replace(ours, remote_id="99", title="Another call", created_at=at(hours=1))
    found = rebuilt(*copies, done(pasted))
    assert {one.id: (one.state, places(found, one.id)) for one in found.base.tasks.values()} == {
        task.id: (State.OPEN, {TYPED, PLAIN})
    }


def test_of_two_other_titles_with_one_marker_the_one_with_the_due_of_the_origin_is_the_copy() -> None:
    """The CRM tells no times of closed tasks, so nothing else shows which of the two was pasted."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", title="Other", due=at(days=9))
    found = rebuilt(theirs, replace(ours, title="Call at noon", created_at=START), done(pasted))
    assert (found.base.tasks[task.id].state, places(found, task.id)) == (State.OPEN, {TYPED, PLAIN})


@pytest.mark.parametrize("changed_in", [TYPED, PLAIN])
def test_a_copy_that_was_moved_is_ours_still_though_people_finished_another_task_with_its_text(changed_in: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    origin, ours = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", title="Another call", due=at(hours=9))
    moved = [replace(row, due=at(hours=7)) if row.system == changed_in else row for row in (origin, ours)]
    found = rebuilt(*moved, done(pasted))
    assert found.base.tasks[task.id].state is State.OPEN
    assert found.base.replicas[ours.key].task == task.id


@pytest.mark.parametrize("origin_is_read", [False, True])
@pytest.mark.parametrize("times_are_known", [False, True])
def test_of_two_different_tasks_with_one_marker_the_older_is_the_copy_and_without_their_times_neither(
    *, origin_is_read: bool, times_are_known: bool
) -> None:
    """People pasted the text of the copy, and nothing else tells which of the two we made: neither may be closed."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [copy] = copies_of(task, [PLAIN], due=at(days=5))
    rows = [replace(copy, remote_id="b"), replace(copy, remote_id="a", due=at(days=9))]
    if times_are_known:
        rows = [replace(row, created_at=at(hours=hours)) for row, hours in zip(rows, (-2, -1), strict=True)]
    found = rebuilt(*rows, *(copies_of(task, [TYPED]) if origin_is_read else []))
    b, a = (found.base.tasks[found.base.replicas[row.key].task] for row in rows)
    assert (b.id, a.id) == (task.id if times_are_known else f"{PLAIN}:b", f"{PLAIN}:a")
    if times_are_known:
        assert not a.held
    else:
        # Nor is the task copied again: one of the two is its copy.
        assert {one.held for one in found.base.tasks.values()} == {Reason.DONE_OR_REOPENED}


def test_a_marker_of_another_persons_task_is_in_a_text_that_somebody_copied() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    pasted = a_reading(PLAIN, "x", person="p2", marker=marker_of(task, OTHER_LEDGER), title="Call", due=at(days=9))
    found = rebuilt(*copies_of(task), pasted)
    assert set(found.base.tasks) == {task.id, pasted.place}
    assert found.base.tasks[pasted.place].contact == "p2"


def test_what_was_finished_in_the_lane_before_the_origin_was_made_is_no_copy_of_it() -> None:
    """A newer task of theirs has superseded the origin, which leaves room for a copy that was made after it only."""
    task = a_task(f"{LANE}:4", title="Call")
    [origin] = copies_of(task, [LANE], created_by="7", created_at=START)
    origin = done(origin, updated_at=at(hours=1), updated_by="7")
    newer = a_reading(LANE, "5", due=at(days=3), created_by="7", created_at=at(hours=1))
    finished = done(replace(origin, remote_id="3", created_by=API, created_at=at(hours=-1), updated_at=at(minutes=-5)))
    found = rebuilt(origin, newer, finished, *copies_of(task, [TYPED, PLAIN]))
    assert found.base.tasks[task.id].state is State.OPEN


def test_a_text_of_ours_that_people_copied_into_a_task_of_theirs_says_nothing_of_our_open_copy() -> None:
    """Another ledger has mirrored that task, too, so its place is named by a marker."""
    task = a_task(f"{LANE}:1", title="Call")
    pasted = a_task(f"{PLAIN}:5", origin=PLAIN, title="Another call", due=at(hours=9))
    origin, copy = copies_of(task, (LANE, PLAIN))
    theirs = replace(copies_of(pasted, [PLAIN])[0], marker=copy.marker)
    found = rebuilt(origin, copy, theirs, *copies_of(pasted, [TYPED]))
    assert {held.id: held.held for held in found.base.tasks.values()} == {task.id: "", pasted.id: ""}


@pytest.mark.parametrize("copy_id", ["1", "9"])
def test_of_two_with_one_marker_ours_is_called_as_the_origin_which_was_moved_since(copy_id: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    origin, copy = copies_of(task, (TYPED, PLAIN))
    pasted = replace(copy, remote_id="5", title="Another call", due=at(hours=9))
    found = rebuilt(replace(origin, due=at(hours=7)), replace(copy, remote_id=copy_id), pasted)
    assert found.base.replicas[PLAIN, copy_id].task == task.id
    assert found.base.replicas[PLAIN, "5"].task == f"{PLAIN}:5"


def test_of_two_that_are_due_together_what_was_in_the_lane_long_before_one_was_copied_is_of_the_other() -> None:
    """All copies of a task are made in one run, and the clocks of two CRMs tell no order of the origins."""
    later, earlier = (a_task(f"{TYPED}:{n}", origin=TYPED, kind=Kind.TODO, title=f"Note {n}") for n in (1, 2))
    mine = copies_of(earlier, created_at=at(hours=-1))
    found = rebuilt(
        *mine, *copies_of(later, [TYPED], created_at=at(hours=-1)), *copies_of(later, [PLAIN], created_at=at())
    )
    assert (places(found, earlier.id), places(found, later.id)) == (set(SYSTEMS), {TYPED, PLAIN})
