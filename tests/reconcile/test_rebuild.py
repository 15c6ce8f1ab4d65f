"""A ledger that does not know what was already written: one person after the other is brought up to date."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import Any

import pytest

from syncer.domain.base import OUR_USER
from syncer.domain.model import Kind, Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from tests.support.clock import START
from tests.support.rebuilding import copies_of, done, from_yesterday, one_task, open_tasks, places, rebuilt
from tests.support.strategies import (
    API,
    CAPABILITIES,
    LANE,
    LEDGER,
    OTHER_LEDGER,
    PLAIN,
    POLICY,
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
    read_back,
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


def test_a_twin_of_a_copy_whose_origin_cannot_be_read_is_no_task_of_its_own() -> None:
    """This ledger does not know yet that the person has a contact in the lane, where another one saw the origin."""
    task = a_task(f"{LANE}:1", title="Call")
    twin = a_reading(TYPED, "5", title="Call")
    again = one_task(found := rebuilt(*copies_of(task, [PLAIN]), twin))
    assert (again.id, again.held, places(found, task.id)) == (task.id, "", {PLAIN, TYPED})


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


def test_a_finished_task_that_was_pasted_finishes_nothing_though_the_origin_was_put_off_since() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", title="Other", due=at(days=9))
    found = rebuilt(replace(theirs, due=at(days=5)), ours, done(pasted))
    again = one_task(found)
    assert (again.id, again.state, places(found, task.id)) == (task.id, State.OPEN, {TYPED, PLAIN})


@pytest.mark.parametrize("changed_in", [TYPED, PLAIN])
def test_a_copy_that_was_moved_is_ours_still_though_people_finished_another_task_with_its_text(changed_in: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    origin, ours = copies_of(task, (TYPED, PLAIN))
    pasted = replace(ours, remote_id="x", title="Another call", due=at(hours=9))
    moved = [replace(row, due=at(hours=7)) if row.system == changed_in else row for row in (origin, ours)]
    found = rebuilt(*moved, done(pasted))
    assert found.base.tasks[task.id].state is State.OPEN
    assert found.base.replicas[ours.key].task == task.id


def test_a_marker_of_another_persons_task_is_in_a_text_that_somebody_copied() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    pasted = a_reading(PLAIN, "x", person="p2", marker=marker_of(task, OTHER_LEDGER), title="Call", due=at(days=9))
    found = rebuilt(*copies_of(task), pasted)
    assert set(found.base.tasks) == {task.id, pasted.place}
    assert found.base.tasks[pasted.place].contact == "p2"


# what was done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed_in", [TYPED, PLAIN])
def test_what_was_finished_is_done_and_the_lanes_origin_is_to_be_completed(closed_in: str) -> None:
    task = a_task(f"{LANE}:1")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == closed_in else row for row in rows))
    assert one_task(found).state is State.DONE
    assert one_task(found).id == task.id
    assert places(found, task.id) == set(SYSTEMS) - {closed_in}
    assert places(found, task.id, ReplicaState.DONE) == {closed_in}
    assert not found.incidents


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_a_finished_origin_makes_the_task_done_and_its_copies_are_to_be_completed(origin: str) -> None:
    task = a_task(f"{origin}:1", origin=origin, title="Call")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == origin else row for row in rows))
    assert (one_task(found).id, one_task(found).state) == (task.id, State.DONE)
    assert places(found, task.id) == set(SYSTEMS) - {origin}


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
@pytest.mark.parametrize("closed_in", SYSTEMS)
def test_an_open_origin_beside_a_finished_copy_may_be_reopened_and_is_held(origin: str, closed_in: str) -> None:
    """Nothing tells whether somebody reopened it since: it is neither completed nor mirrored."""
    if origin == closed_in:
        return
    task = a_task(f"{origin}:1", origin=origin, title="Call")
    rows = [from_yesterday(row) for row in copies_of(task)]
    found = rebuilt(*(done(row) if row.system == closed_in else row for row in rows))
    assert found.base.tasks[task.id].state is State.DONE
    held = found.base.tasks[f"{task.id}~2"]
    assert (held.state, held.held) == (State.OPEN, Reason.DONE_OR_REOPENED)
    assert places(found, held.id) == {origin}
    assert places(found, task.id) == set(SYSTEMS) - {origin, closed_in}


@pytest.mark.parametrize(
    ("title", "is_read", "held"),
    [
        ("Call", True, ""),
        ("Another call", True, Reason.DONE_OR_REOPENED),
        ("Another call", False, Reason.DONE_OR_REOPENED),
    ],
)
def test_a_copy_of_what_is_finished_is_held_where_its_title_may_be_that_of_another_task(
    title: str, is_read: bool, held: str
) -> None:
    """The lane's copy has no title, and of the origin its list tells none either: that is no likeness."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, origin, copy = (from_yesterday(row) for row in copies_of(task))
    if not is_read:
        origin = replace(origin, title=None, whole=False)
    found = rebuilt(done(in_lane), done(origin), replace(copy, title=title))
    assert [one.held for one in found.base.tasks.values() if places(found, one.id)] == [held]
    assert found.base.tasks[task.id].state is State.DONE
    assert found.base.replicas[origin.key].state is ReplicaState.DONE, "it is there, and not gone"


def test_what_we_may_not_complete_is_not_held_for_it_stays_open_in_any_case() -> None:
    mail = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(mail, (TYPED, PLAIN))
    found = rebuilt(theirs, done(ours))
    assert (one_task(found).state, one_task(found).held) == (State.DONE, "")
    assert places(found, mail.id) == {TYPED}


def test_what_we_may_not_complete_is_held_where_it_has_another_title_by_now() -> None:
    """Somebody reopened it as another one: it is not taken for done."""
    mail = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    [theirs, ours] = copies_of(mail, (TYPED, PLAIN))
    found = rebuilt(replace(theirs, title="Other mail"), done(ours))
    assert found.base.tasks[mail.id].state is State.DONE
    assert found.base.tasks[f"{mail.id}~2"].held == Reason.DONE_OR_REOPENED


def test_what_a_sequence_owns_is_not_held_where_we_only_read_it() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    [theirs, ours] = copies_of(task, (TYPED, PLAIN))
    read_only = CAPABILITIES | {TYPED: replace(CAPABILITIES[TYPED], completes_sequences=False)}
    rows = (replace(theirs, sequence=True), done(ours))
    assert one_task(rebuilt(*rows, capabilities=read_only)).state is State.DONE
    assert set(rebuilt(*rows).base.tasks) == {task.id, f"{task.id}~2"}


@pytest.mark.parametrize(("closes", "state"), [(True, State.CANCELLED), (False, State.OPEN)])
def test_what_was_cancelled_is_cancelled_where_that_is_wished(closes: bool, state: State) -> None:
    task = a_task(f"{LANE}:1")
    rows = copies_of(task)
    cancelled = [replace(row, state=State.CANCELLED) if row.system == TYPED else row for row in rows]
    found = rebuilt(*cancelled, policy=replace(POLICY, cancelled_closes=closes))
    assert one_task(found).state is state
    assert places(found, task.id, ReplicaState.CANCELLED) == {TYPED}


def test_where_the_same_crm_shows_another_one_open_the_finished_copy_says_nothing() -> None:
    """It was made anew, after the first copy was superseded, gone or pasted."""
    task = a_task(f"{LANE}:1")
    rows = copies_of(task)
    older = done(replace(rows[2], remote_id="0"))
    found = rebuilt(*rows, older)
    assert one_task(found).state is State.OPEN
    assert places(found, task.id) == set(SYSTEMS)


def test_what_is_finished_everywhere_is_history() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    other = a_reading(TYPED, "9", due=at(days=9), title="Other")
    found = rebuilt(*(done(from_yesterday(row)) for row in copies_of(task)), other)
    assert {known.id: known.state for known in found.base.tasks.values()} == {
        other.place: State.OPEN,
        task.id: State.DONE,
    }


def test_a_copy_of_what_was_finished_everywhere_is_a_new_task_once_it_is_reopened() -> None:
    """What the person's last reading showed is known: the copy is no completion that was never carried over."""
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    theirs, ours = (from_yesterday(row) for row in copies_of(task, (TYPED, PLAIN)))
    other = a_reading(TYPED, "9", due=at(days=9), title="Other")
    base = rebuilt(done(theirs), done(ours), other).base
    found = rebuilt(done(theirs), ours, other, base=base)
    assert open_tasks(found) == {other.place, ours.place}
    assert found.base.tasks[task.id].state is State.DONE


def test_a_finished_lane_task_that_may_have_been_the_copy_holds_what_is_open_elsewhere() -> None:
    """Without a marker anywhere its kind, its due and the order in time are all there is."""
    open_one = a_reading(TYPED, "1", kind=Kind.FOLLOW_UP_CALL, title="Call", created_at=at(hours=-9))
    before, after = (a_reading(LANE, "2", kind=Kind.FOLLOW_UP_CALL, created_at=at(hours=when)) for when in (-10, -8))
    assert one_task(rebuilt(open_one, done(after))).held == Reason.DONE_OR_REOPENED
    assert one_task(rebuilt(open_one, done(before))).held == ""


def test_what_still_waits_to_be_completed_in_the_lane_is_not_made_again_elsewhere() -> None:
    """Under a newer task nothing can be completed: the ledger was lost while that one was open.

    Who our user is, is lost too, so nothing tells our copy from a task that somebody made anew."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    found = rebuilt(in_lane, done(theirs), done(ours))
    assert {known.id: (known.state, known.held) for known in found.base.tasks.values()} == {
        in_lane.place: (State.OPEN, Reason.DONE_OR_REOPENED),
        task.id: (State.DONE, ""),
    }


def test_a_finished_twin_makes_the_task_done() -> None:
    """Two people had made it in two CRMs, and our copy in the third tells of one of them alone."""
    task = a_task(f"{LANE}:1")
    rows = [from_yesterday(row) for row in copies_of(task, (LANE, PLAIN))]
    found = rebuilt(*rows, done(a_reading(TYPED, "x", title="Call Asha")))
    assert one_task(found).state is State.DONE


@pytest.mark.parametrize(
    ("minutes", "state", "held"),
    [(-60, State.DONE, ""), (-3, State.OPEN, Reason.DONE_OR_REOPENED), (3, State.OPEN, Reason.DONE_OR_REOPENED)],
)
def test_an_open_twin_of_what_was_finished_is_finished_if_it_was_there_before_our_copy(
    minutes: int, state: State, held: str
) -> None:
    """Two people had made it in two CRMs; somebody finished our copy in the third."""
    task = a_task(f"{LANE}:1", title="Call")
    rows = copies_of(task, (LANE, TYPED), created_at=at(days=-1))
    theirs = a_reading(PLAIN, "x", title=rows[1].title, created_at=at(days=-1, minutes=minutes))
    found = rebuilt(*(done(row) if row.system == TYPED else row for row in rows), theirs)
    assert found.base.tasks[task.id].state is State.DONE
    twin = found.base.tasks[found.base.replicas[theirs.key].task]
    assert (twin.state, twin.held) == (state, held)


def test_what_people_made_after_our_copy_is_another_task_though_that_one_is_finished() -> None:
    task = a_task(f"{LANE}:1", title="Call")
    rows = copies_of(task, (LANE, TYPED), created_at=at(days=-1))
    theirs = a_reading(PLAIN, "x", title=rows[1].title, created_at=at(hours=-2))
    found = rebuilt(*(done(row) if row.system == TYPED else row for row in rows), theirs)
    assert (found.base.tasks[theirs.place].state, found.base.tasks[theirs.place].held) == (State.OPEN, "")


# places that were reopened, or are gone ----------------------------------------------------------------


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


# the lane, which keeps no markers ----------------------------------------------------------------------


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_two_that_are_due_together_are_paired_in_their_order(origin: str) -> None:
    """Equal candidates are never taken for new."""
    tasks = [a_task(f"{origin}:{n}", origin=origin, kind=Kind.TODO, title=f"Note {n}") for n in (1, 2)]
    rows = [from_yesterday(row) for task in tasks for row in copies_of(task)]
    found = rebuilt(*rows)
    assert set(found.base.tasks) == {task.id for task in tasks}
    for task in tasks:
        assert places(found, task.id) == set(SYSTEMS)
        assert found.base.replicas[LANE, f"{task.id[-1]}-{LANE}"].task == task.id


@pytest.mark.parametrize("ids", [(1, 2), (10, 9)])
def test_of_two_that_are_due_together_the_lanes_one_place_went_to_the_first_by_id(ids: tuple[int, int]) -> None:
    """So the lane would fill it: what was finished there is that one."""
    first, second = (a_task(f"{s}:{n}", origin=s, title=f"Call {n}") for s, n in zip((PLAIN, TYPED), ids, strict=True))
    mine = [done(from_yesterday(row)) if row.system == LANE else row for row in copies_of(first)]
    found = rebuilt(*mine, *copies_of(second, (TYPED, PLAIN)))
    assert found.base.replicas[LANE, mine[0].remote_id].task == first.id
    assert found.base.tasks[second.id].state is State.OPEN


@pytest.mark.parametrize("by", ["person", "us"])
def test_what_a_newer_task_closed_in_the_lane_is_open(by: str) -> None:
    who = API if by == "us" else "7"
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, *others = (from_yesterday(row) for row in copies_of(task))
    newer = a_reading(LANE, "2", created_at=at(hours=-1), created_by=who, due=at(days=9), kind=Kind.SITE_VISIT)
    found = rebuilt(done(in_lane, updated_by=who), newer, *others)
    assert found.base.tasks[task.id].state is State.OPEN
    assert places(found, task.id, ReplicaState.SUPERSEDED) == {LANE}
    assert places(found, task.id) == {TYPED, PLAIN}
    assert len(found.base.tasks) == 2


@pytest.mark.parametrize(
    ("closed_by", "elsewhere", "state"), [(API, False, State.OPEN), (API, True, State.DONE), ("8", False, State.DONE)]
)
def test_what_our_own_user_closed_in_the_lane_while_all_others_are_open_was_hit(
    closed_by: str, elsewhere: bool, state: State
) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    found = rebuilt(done(in_lane, updated_by=closed_by), theirs, done(ours) if elsewhere else ours, base=base)
    assert found.base.tasks[task.id].state is state


@pytest.mark.parametrize(("closes", "state"), [(True, State.DONE), (False, State.OPEN)])
def test_what_our_own_user_hit_in_the_lane_is_not_done_because_it_was_cancelled_and_kept(
    closes: bool, state: State
) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = (from_yesterday(row) for row in copies_of(task))
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    rows = done(in_lane, updated_by=API), replace(theirs, state=State.CANCELLED), ours
    found = rebuilt(*rows, base=base, policy=replace(POLICY, cancelled_closes=closes))
    assert found.base.tasks[task.id].state is state


def test_what_our_user_made_in_the_lane_and_nothing_tells_of_is_held() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    base = a_base()
    base.cursors[OUR_USER + LANE] = API
    strange = a_reading(LANE, "9", kind=Kind.REMINDER, due=at(days=9), created_by=API)
    found = rebuilt(*copies_of(task), strange, replace(strange, remote_id="10", created_by="7"), base=base)
    assert {task.id: task.held for task in found.base.tasks.values()} == {
        # The one that nothing tells of may be its copy, with another due by now.
        task.id: Reason.DONE_OR_REOPENED,
        f"{LANE}:9": Reason.UNMATCHED,
        f"{LANE}:10": "",
    }


def test_what_has_no_due_is_held_too_where_that_may_be_its_copy() -> None:
    """Its copy has a due that was made up; of the person, another task's marker tells that we wrote for them."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    undated = a_reading(PLAIN, "x", due=None, title="Ring", created_at=at(hours=-2))
    in_lane = a_reading(LANE, "9", due=at(days=1), created_by=API)
    found = rebuilt(*copies_of(task), undated, in_lane)
    held = {task.id: task.held for task in found.base.tasks.values()}
    assert held == {task.id: "", undated.place: Reason.DONE_OR_REOPENED, in_lane.place: Reason.UNMATCHED}


def test_a_second_copy_in_the_lane_is_a_duplicate_for_a_lost_ledger_too() -> None:
    """Its markers tell which of the lane's tasks our user made, and so who that is."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = copies_of(task)
    found = rebuilt(in_lane, replace(in_lane, remote_id="2-superfone"), theirs, ours)
    assert all(one.held for one in found.base.tasks.values() if one.id != task.id)


@pytest.mark.parametrize("us", [None, API])
def test_two_that_our_user_made_at_one_due_stay_with_the_two_tasks_that_have_it(us: str | None) -> None:
    tasks = [a_task(f"{TYPED}:{n}", origin=TYPED, kind=Kind.TODO, title="Note") for n in (1, 2)]
    base = a_base(cursors={OUR_USER + LANE: us} if us else {})
    found = rebuilt(*(row for task in tasks for row in copies_of(task)), base=base)
    assert [(task.id, task.held) for task in found.base.tasks.values()] == [(task.id, "") for task in tasks]


def test_what_a_place_was_taken_for_ends_when_a_marker_tells_of_a_later_task_there() -> None:
    """The CRM with the marker could not be read at first: one task is left, or its copies would be made twice."""
    taken_for = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    reopened = replace(taken_for, id=f"{TYPED}:1~2")
    _, origin, copy = copies_of(reopened)
    base = a_base(taken_for, replicas=[a_replica(taken_for, TYPED, "1", made=False)])
    found = rebuilt(origin, copy, base=base)
    assert {task.id: task.state for task in found.base.tasks.values()} == {
        taken_for.id: State.CANCELLED,
        reopened.id: State.OPEN,
    }


def test_what_the_origins_maker_made_beside_it_in_the_lane_is_no_second_copy_of_ours() -> None:
    task = a_task(f"{LANE}:1", kind=Kind.TODO)
    origin, copy = copies_of(task, (LANE, TYPED))
    origin, equal = (replace(origin, remote_id=at_place, created_by="7") for at_place in ("1", "2"))
    found = rebuilt(origin, equal, copy)
    assert {one.id: one.held for one in found.base.tasks.values()} == {f"{LANE}:1": "", f"{LANE}:2": ""}


def test_a_copy_in_the_lane_that_people_gave_a_title_holds_what_is_due_with_it() -> None:
    """Of an old or a lost ledger nothing tells whether it is the copy of the one that has none there."""
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    in_lane, theirs, ours = copies_of(task)
    titled = replace(in_lane, title="Another word")
    found = rebuilt(titled, theirs, ours)
    assert all(one.held for one in found.base.tasks.values())


def test_what_may_be_the_finished_copy_of_a_task_without_a_due_holds_it() -> None:
    undated = a_reading(TYPED, "1", kind=Kind.TODO, title="Note", due=None)
    ours = done(a_reading(LANE, "2", kind=Kind.REMINDER, due=at(days=1), created_by=API))
    marked = done(copies_of(a_task(f"{TYPED}:7", origin=TYPED, kind=Kind.TODO, title="Old"), [PLAIN])[0])
    found = rebuilt(undated, ours, marked)
    assert found.base.tasks[undated.place].held == Reason.DONE_OR_REOPENED


def a_copy_of_what_has_no_due() -> list[Reading]:
    """A task without a due, and our only copy of it, in the lane."""
    undated = a_reading(PLAIN, "1", title="Ring", due=None)
    return [undated, a_reading(LANE, "9", due=at(days=1), created_by=API)]


@pytest.mark.parametrize("is_closed", [False, True])
@pytest.mark.parametrize("other", [OTHER_LEDGER, LEDGER, None], ids=["another's", "our own", "none"])
def test_after_a_lost_ledger_what_may_be_the_only_copy_of_a_task_without_a_due_is_held(
    other: str | None, is_closed: bool
) -> None:
    """No marker tells that it is a copy; one of another person's task tells that there was a ledger before."""
    undated, copy = a_copy_of_what_has_no_due()
    elsewhere = a_task(f"{TYPED}:5", origin=TYPED, title="Note", contact="p2")
    marked = read_back(a_replica(elsewhere, PLAIN), elsewhere)
    others = [] if other is None else [replace(marked, marker=marker_of(elsewhere, other))]
    found = rebuilt(done(undated) if is_closed else undated, copy, *others)
    held = {task.id: bool(task.held) for task in found.base.tasks.values() if task.contact == "p1"}
    expected = [copy.place] if is_closed else [copy.place, undated.place]
    assert held == dict.fromkeys(expected, other == OTHER_LEDGER)


def test_a_task_whose_copy_is_the_origin_of_another_one_was_finished_and_is_held() -> None:
    """The copy was reopened. The lost ledger had not been allowed to complete the task itself."""
    first = a_task(f"{TYPED}:5", origin=TYPED, kind=Kind.EMAIL, title="Mail")
    again = a_task(f"{PLAIN}:7", origin=PLAIN, title="Call")
    [theirs] = copies_of(first, [TYPED])
    reopened = a_reading(PLAIN, "7", marker=marker_of(first, OTHER_LEDGER), title="Call")
    [copy] = copies_of(again, [TYPED])
    found = rebuilt(theirs, reopened, copy)
    assert {one.id: one.held for one in found.base.tasks.values()} == {
        first.id: Reason.DONE_OR_REOPENED,
        again.id: "",
    }


@pytest.mark.parametrize("origin", [TYPED, PLAIN])
def test_of_two_equal_tasks_the_finished_copy_in_the_lane_is_the_one_that_is_finished_elsewhere(origin: str) -> None:
    finished, still_open = (a_task(f"{origin}:{n}", origin=origin, kind=Kind.TODO, title="Note") for n in (2, 1))
    rows = [from_yesterday(row) for row in copies_of(finished)]
    others = copies_of(still_open, (TYPED, PLAIN))
    found = rebuilt(*(done(row) for row in rows), *others)
    assert places(found, still_open.id) == {TYPED, PLAIN}
    assert found.base.tasks[still_open.id].state is State.OPEN
    assert found.base.tasks[finished.id].state is State.DONE


@pytest.mark.parametrize(("made_by", "held"), [(API, Reason.DONE_OR_REOPENED), ("7", "")])
def test_what_may_have_been_finished_in_the_lane_before_the_ledger_was_lost_is_held(made_by: str, held: str) -> None:
    """No marker tells of it in an account of the lane and one CRM more."""
    theirs = a_reading(PLAIN, "1", title="Ring")
    copy = done(a_reading(LANE, "9", created_by=made_by, created_at=at(hours=-2)))
    base = a_base(cursors={OUR_USER + LANE: API})
    assert one_task(rebuilt(theirs, copy, base=base)).held == held


def test_an_origin_of_which_its_list_alone_can_be_read_is_there_and_not_gone() -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    in_lane, origin, copy = copies_of(task)
    found = rebuilt(in_lane, replace(origin, title=None, whole=False), copy)
    assert (one_task(found).id, one_task(found).held, one_task(found).title) == (task.id, "", "Call")
    assert places(found, task.id) == set(SYSTEMS)


def test_what_was_finished_before_this_ledger_made_another_copy_there_is_held() -> None:
    """It had not read what the lost one knew: somebody finished the task, or the copy that was one too many."""
    task = a_task(f"{LANE}:1", title="Call")
    origin, old = copies_of(task, (LANE, TYPED))
    made = replace(old, remote_id="7", marker=marker_of(task))
    base = a_base(task, replicas=[a_replica(task, LANE), a_replica(task, TYPED, "7")])
    found = rebuilt(origin, done(old), made, base=base)
    assert one_task(found).held == Reason.DONE_OR_REOPENED


@pytest.mark.parametrize("copy_id", ["1", "9"])
def test_of_two_with_one_marker_ours_is_called_as_the_origin_which_was_moved_since(copy_id: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, title="Call")
    origin, copy = copies_of(task, (TYPED, PLAIN))
    pasted = replace(copy, remote_id="5", title="Another call", due=at(hours=9))
    found = rebuilt(replace(origin, due=at(hours=7)), replace(copy, remote_id=copy_id), pasted)
    assert found.base.replicas[PLAIN, copy_id].task == task.id
    assert found.base.replicas[PLAIN, "5"].task == f"{PLAIN}:5"
