"""An old copy of the ledger was put back, or not everything could be read: what nobody knows is left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from syncer.domain.base import Changes
from syncer.domain.cursors import BEHIND, FORERUNNER, OUR_USER, UNSTORED
from syncer.domain.model import Kind, ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import ConnectionState, Seen
from tests.support.clock import START
from tests.support.rebuilding import copies_of, done, from_yesterday, one_task, places, put_back, rebuilt
from tests.support.strategies import (
    API,
    LANE,
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
    read_in_full,
)

KNOWN = a_task(f"{TYPED}:1", origin=TYPED, title="Call")


def test_after_an_old_copy_was_put_back_what_was_done_since_is_done() -> None:
    rows = [from_yesterday(row) for row in copies_of(KNOWN)]
    found = rebuilt(*(row if row.system == LANE else done(row) for row in rows), base=put_back(KNOWN))
    assert (one_task(found).id, one_task(found).state) == (KNOWN.id, State.DONE)
    assert places(found, KNOWN.id) == {LANE}


def test_what_was_cancelled_without_a_name_is_no_reason_to_doubt_what_a_finished_copy_names() -> None:
    """The old copy of the ledger knows the copy for a task of its own, from when nothing else could be read."""
    task = a_task(f"{LANE}:2", title="Call")
    theirs, copy = copies_of(task, [LANE, PLAIN])
    cancelled = a_reading(TYPED, "4", title="Call", state=State.CANCELLED)
    mistaken = a_task(copy.place, origin=PLAIN, title="Call")
    base = put_back(mistaken, systems=[PLAIN])
    found = rebuilt(theirs, done(copy), cancelled, base=base)
    assert (found.base.tasks[task.id].state, found.base.tasks[task.id].held) == (State.DONE, "")


@pytest.mark.parametrize(("behind", "state"), [(True, State.OPEN), (False, State.CANCELLED)])
def test_what_was_deleted_since_an_old_copy_ends_nothing(behind: bool, state: State) -> None:
    """The newer ledger may have completed the other copies, and what is open now was reopened or has moved on."""
    theirs, *_ = copies_of(KNOWN, [TYPED])
    base = put_back(KNOWN, systems=[TYPED, PLAIN])
    if not behind:
        base = merged(base, read_in_full(*copies_of(KNOWN, [TYPED, PLAIN]))).base
        base.visits = dict.fromkeys(base.links, START)
    seen = read_in_full(theirs)
    seen[PLAIN].missing = {a_replica(KNOWN, PLAIN).remote_id}
    for run in ("run1", "run2"):
        base = merged(base, seen, policy=replace(POLICY, deleted_closes=True), run=run).base
        base.visits = dict.fromkeys(base.links, START)
    assert base.tasks[KNOWN.id].state is state
    assert base.replicas[a_replica(KNOWN, PLAIN).key].state is ReplicaState.GONE


@pytest.mark.parametrize("shown_between", [False, True])
def test_a_copy_that_was_missed_before_its_person_was_read_needs_one_more_miss(shown_between: bool) -> None:
    theirs, copy = copies_of(KNOWN, [TYPED, PLAIN])
    unread, missed = read_in_full(theirs), read_in_full(theirs)
    for seen in (unread, missed):
        seen[PLAIN].missing = {copy.remote_id}
    unread[TYPED].persons = {}
    base = merged(put_back(KNOWN, systems=[TYPED, PLAIN], visits={}), unread, visits={}).base
    assert base.replicas[copy.key].state is ReplicaState.OPEN
    assert "p1" in base.behind
    if shown_between:
        shown = read_in_full(theirs, copy)
        shown[TYPED].persons = {}
        base = merged(base, shown, visits={}).base
    found = merged(base, missed)
    assert "p1" not in found.base.behind
    assert found.base.replicas[copy.key].state is (ReplicaState.OPEN if shown_between else ReplicaState.GONE)


@pytest.mark.parametrize("finished", [True, False])
def test_what_was_reopened_since_an_old_copy_was_finished_before_though_none_of_its_copies_is_left(
    finished: bool,
) -> None:
    """Its origin is a later task's by now, and its copy was deleted: nothing is made of it again."""
    later = replace(KNOWN, id=f"{KNOWN.id}~2", title="Another call")
    origin, copy = copies_of(later, [TYPED, PLAIN])
    origin = replace(origin, remote_id=KNOWN.id.partition(":")[2])
    copy = replace(copy, remote_id="later", marker=marker_of(later, OTHER_LEDGER))
    base = put_back(KNOWN, systems=[TYPED, PLAIN])
    seen = read_in_full(done(origin) if finished else origin, copy)
    seen[PLAIN].missing = {a_replica(KNOWN, PLAIN).remote_id}
    found = merged(base, seen)
    assert found.base.tasks[KNOWN.id].state is State.DONE
    assert found.base.tasks[later.id].state is (State.DONE if finished else State.OPEN)


def test_who_was_read_in_parts_since_an_old_copy_is_not_up_to_date_before_one_run_has_read_all() -> None:
    base, late = put_back(KNOWN, visits={}), at(hours=0)
    contacts = [(system, f"p1-{system}") for system in SYSTEMS]
    for unread in (PLAIN, TYPED, PLAIN):
        seen = read_in_full(*copies_of(KNOWN))
        seen[unread].persons = {}
        visits = {place: late for place in contacts if place[0] != unread}
        base = merged(base, seen, visits=visits).base
        base.visits.update(visits)
        assert "p1" in base.behind
    assert merged(base, read_in_full(*copies_of(KNOWN))).base.behind == set()


def test_what_was_made_since_an_old_copy_is_known_by_its_marker() -> None:
    found = rebuilt(*(from_yesterday(row) for row in copies_of(KNOWN)), base=put_back(KNOWN, systems=[TYPED]))
    assert one_task(found) == KNOWN
    assert places(found, KNOWN.id) == set(SYSTEMS)
    assert not found.changes.operations


@pytest.mark.parametrize(("known_to_both", "held"), [(False, True), (True, False)])
def test_where_no_other_crm_could_tell_of_a_copy_what_may_be_one_is_held(known_to_both: bool, held: bool) -> None:
    """Somebody moved the only copy, which is in the lane. Another CRM would show a copy with a marker."""
    theirs = a_reading(TYPED, "1", title="Call", due=at(hours=5))
    moved = a_reading(LANE, "9", due=at(hours=9), created_by=API)
    base = put_back()
    if not known_to_both:
        base.links = {key: link for key, link in base.links.items() if key[0] != PLAIN}
    found = rebuilt(theirs, moved, base=base)
    assert {bool(task.held) for task in found.base.tasks.values()} == {held}
    assert len(found.base.tasks) == 2


def test_who_is_brought_up_to_date_twice_is_as_before() -> None:
    seen = read_in_full(*copies_of(KNOWN))
    first = merged(put_back(KNOWN, visits={}), seen)
    assert merged(first.base, seen, run="run2").changes == Changes()


def test_what_was_reopened_since_an_old_copy_is_the_task_that_its_copies_name() -> None:
    second = replace(KNOWN, id=f"{KNOWN.id}~2")
    theirs, ours = copies_of(second, (TYPED, PLAIN))
    old = done(replace(copies_of(KNOWN, [PLAIN])[0]))
    found = rebuilt(theirs, replace(ours, remote_id="2"), old, base=put_back(KNOWN, systems=[TYPED, PLAIN]))
    assert found.base.tasks[KNOWN.id].state is State.DONE
    assert found.base.tasks[second.id].state is State.OPEN
    assert places(found, second.id) == {TYPED, PLAIN}


@pytest.mark.parametrize("origin", ["gone", "open", "done"])
def test_a_copy_that_was_reopened_since_an_old_one_tells_that_its_task_was_finished(origin: str) -> None:
    """What was made of it names it as its origin, though a list shows it without its text; nothing else may be left."""
    task = a_task(f"{PLAIN}:1", origin=PLAIN, title="Call")
    [theirs], [reopened] = copies_of(task, [PLAIN]), copies_of(task, [TYPED])
    again = a_task(reopened.place, origin=TYPED, title="Call")
    [its_copy] = copies_of(again, [PLAIN])
    rows = [] if origin == "gone" else [done(theirs) if origin == "done" else theirs]
    listed = replace(reopened, title=None, marker=None, whole=False)
    found = rebuilt(listed, its_copy, *rows, base=put_back(task, systems=[PLAIN, TYPED]))
    assert places(found, again.id) == {TYPED, PLAIN}
    assert not found.base.tasks[again.id].held
    told = found.base.tasks[task.id]
    assert (told.state, told.held) == ((State.DONE, "") if origin == "done" else (State.OPEN, Reason.DONE_OR_REOPENED))


@pytest.mark.parametrize("visit", [None, timedelta(hours=-2), timedelta(hours=-1), timedelta(0)])
def test_until_everything_was_read_since_nothing_is_concluded(visit: timedelta | None) -> None:
    """Nor for whom nothing new is seen: a closure may be our own completion, from after the copy was made."""
    base = put_back(KNOWN, visits={} if visit is None else dict.fromkeys(a_base().links, START + visit))
    closed = done(copies_of(KNOWN, [PLAIN])[0])
    seen = {system: replace(one, persons={}) for system, one in read_in_full(closed).items()}
    found = merged(base, seen)
    was_read = visit is not None and visit > timedelta(hours=-1)
    assert found.base.behind == (set() if was_read else {"p1", "p2"})
    assert found.base.tasks[KNOWN.id].state is (State.DONE if was_read else State.OPEN)
    assert bool(found.undecided) is not was_read


@pytest.mark.parametrize("read_at", [{}, {(PLAIN, f"p1-{PLAIN}"): at(seconds=-1)}], ids=["now", "a second ago"])
@pytest.mark.parametrize("over", [timedelta(seconds=-1), timedelta(0), timedelta(seconds=1)])
def test_what_was_read_while_a_request_of_before_might_arrive_tells_nothing(
    over: timedelta, read_at: dict[tuple[str, str], datetime]
) -> None:
    """Only the file that was replaced knew of it. A run may take long after it has read somebody."""
    base = replace(put_back(KNOWN, visits={}), restored_at=START - POLICY.doubt_grace - over)
    found = merged(base, read_in_full(*copies_of(KNOWN)), visits=read_at)
    late_enough = {person: over >= timedelta(seconds=person == "p1" and bool(read_at)) for person in ("p1", "p2")}
    assert found.base.behind == {person for person, told in late_enough.items() if not told}


# persons that were not read in full --------------------------------------------------------------------


def without(seen: dict[str, Seen], what: str) -> dict[str, Seen]:
    changed = {
        "persons": {TYPED: replace(seen[TYPED], persons={f"p2-{TYPED}": seen[TYPED].persons[f"p2-{TYPED}"]})},
        "lane": {LANE: replace(seen[LANE], lanes={})},
        "crm": {TYPED: replace(seen[TYPED], state=ConnectionState.UNAVAILABLE)},
    }
    return seen | changed[what]


def test_what_was_reopened_is_a_new_task_in_the_same_run() -> None:
    """And not only in the next one."""
    task = replace(KNOWN, state=State.DONE)
    base = put_back(task)
    base.replicas = {key: replace(copy, state=ReplicaState.DONE) for key, copy in base.replicas.items()}
    rows = [from_yesterday(row) for row in copies_of(KNOWN)]
    reopened = next(row for row in rows if row.system == PLAIN)
    found = rebuilt(*(row if row is reopened else done(row) for row in rows), base=base)
    new = found.base.tasks[found.base.replicas[reopened.key].task]
    assert (new.id != task.id, new.state, new.held) == (True, State.OPEN, "")


@pytest.mark.parametrize("unread", ["persons", "lane", "crm"])
def test_who_was_not_read_in_full_is_left_alone_until_that_is_done(unread: str) -> None:
    task = a_task(f"{TYPED}:1", origin=TYPED, kind=Kind.TODO, title="Note")
    rows = copies_of(task, (LANE, PLAIN))
    other = a_reading(PLAIN, "x", person="p2")
    seen = read_in_full(*rows, other)
    left = merged(a_base(), without(seen, unread))
    assert set(left.base.tasks) == {other.place}
    assert left.base.behind == {"p1"}
    assert left.undecided >= {(system, f"p1-{system}") for system in SYSTEMS}
    # No list shows again what was read there.
    kept = {} if unread == "lane" else {f"{UNSTORED}{LANE}:p1-{LANE}": f"1-{LANE}"}
    assert left.changes.cursors == {BEHIND + "p1": "1", FORERUNNER: "1"} | kept

    base = replace(left.base, cursors=left.changes.cursors)
    later = merged(base, seen, run="run2")
    assert places(later, task.id) == {LANE, PLAIN}
    assert later.changes.cursors == {BEHIND + "p1": ""} | dict.fromkeys(kept, "")
    assert not later.base.behind


def test_who_was_found_behind_stays_so_though_the_marker_is_not_seen_again() -> None:
    base = put_back(KNOWN, cursors={BEHIND + "p1": "1"})
    base.restored_at = None
    theirs = copies_of(KNOWN, [TYPED])[0]
    seen = {system: replace(one, persons={}) for system, one in read_in_full(done(theirs)).items()}
    found = merged(base, seen)
    assert found.base.behind == {"p1"}
    assert found.base.tasks[KNOWN.id].state is State.OPEN


def test_who_has_a_write_in_doubt_is_left_alone_until_it_is_settled() -> None:
    doubt = an_operation(KNOWN, PLAIN, Action.CREATE, OpState.IN_DOUBT)
    base = put_back(KNOWN, systems=[TYPED], operations=[doubt])
    found = merged(base, read_in_full(*copies_of(KNOWN, (TYPED, PLAIN))))
    assert found.base.behind == {"p1"}
    assert places(found, KNOWN.id) == {TYPED}


def test_an_open_task_whose_place_has_a_later_one_was_finished_since_the_copy_was_made() -> None:
    """Its own copy was cancelled, which alone would not close it; another one may have been reopened by now."""
    second = replace(KNOWN, id=f"{KNOWN.id}~2")
    theirs, ours = copies_of(second, (TYPED, PLAIN))
    [old] = copies_of(KNOWN, [PLAIN])
    base = put_back(KNOWN, systems=[TYPED, PLAIN])
    policy = replace(POLICY, cancelled_closes=False)
    cancelled = replace(old, state=State.CANCELLED)
    found = rebuilt(theirs, replace(ours, remote_id="2"), cancelled, base=base, policy=policy)
    assert found.base.tasks[KNOWN.id].state is State.DONE
    reopened = replace(old, marker=None, title=None, whole=False)
    found = rebuilt(theirs, replace(ours, remote_id="2"), reopened, base=base, policy=policy)
    assert found.base.tasks[found.base.replicas[old.key].task].held == Reason.DONE_OR_REOPENED


def test_what_was_put_back_and_finished_since_an_old_copy_is_not_what_is_due_with_it() -> None:
    """In the lane the old ledger knows of it only what a race had closed, which was put back and then finished."""
    raced = a_task(f"{LANE}:1", kind=Kind.FIRST_CALL, title="Call", put_back=True)
    other = a_task(f"{PLAIN}:7", origin=PLAIN, title="Another call")
    in_lane, *copies = copies_of(raced)
    superseded = done(replace(in_lane, remote_id="1", created_at=at(hours=-4)), updated_at=at(hours=-3), updated_by=API)
    put_back_since = replace(in_lane, remote_id="5", created_by=API, created_at=at(hours=-2))
    base = put_back(raced, systems=[])
    base.replicas[LANE, "1"] = replace(a_replica(raced, LANE, "1", made=False), state=ReplicaState.SUPERSEDED)
    base.cursors[OUR_USER + LANE] = API
    rows = [superseded, done(put_back_since), *(done(row) for row in copies), *copies_of(other, (TYPED, PLAIN))]
    found = rebuilt(*rows, base=base)
    assert found.base.tasks[raced.id].state is State.DONE
    assert (found.base.tasks[other.id].state, found.base.tasks[other.id].held) == (State.OPEN, "")
    assert places(found, other.id) == {TYPED, PLAIN}


@pytest.mark.parametrize(("due", "state"), [(at(hours=5), State.DONE), (at(days=3), State.OPEN)])
def test_what_was_made_again_and_finished_since_an_old_copy_ends_its_task_though_all_other_copies_are_deleted(
    due: datetime, state: State
) -> None:
    """The ledger knows the task as open, and what was superseded in the lane shows its kind and due."""
    task = a_task(f"{PLAIN}:1", origin=PLAIN, title="Call")
    [before] = copies_of(task, [LANE], created_at=at(hours=-4))
    again = done(replace(before, remote_id="5", created_by=API, created_at=at(hours=-2), due=due))
    base = put_back(task, cursors={OUR_USER + LANE: API})
    base.replicas[before.key] = replace(base.replicas[before.key], state=ReplicaState.SUPERSEDED)
    found = rebuilt(done(before, updated_at=at(hours=-3), updated_by=API), again, base=base)
    assert found.base.tasks[task.id].state is state


@pytest.mark.parametrize(("closed_by", "held"), [(API, Reason.DONE_OR_REOPENED), ("7", "")])
def test_what_somebody_unknown_closed_since_an_old_copy_may_have_been_hit(closed_by: str, held: str) -> None:
    """A write of ours may have, since the copy was made, in which our user there is not known yet."""
    task = a_task(f"{LANE}:1", kind=Kind.TODO, title="Note")
    in_lane, *copies = copies_of(task)
    mine = [replace(row, marker=marker_of(task)) for row in copies]
    found = rebuilt(done(in_lane, updated_by=closed_by), *mine, base=put_back(task))
    assert one_task(found).state is (State.OPEN if held else State.DONE)
    assert one_task(found).held == held


@pytest.mark.parametrize("known_as", ["the copy", "the next task"])
def test_what_people_pasted_from_a_copy_that_they_had_reopened_is_a_task_of_its_own(known_as: str) -> None:
    """The task is done, and its reopened copy still carries the marker. What was pasted is not completed with it."""
    task = replace(KNOWN, state=State.DONE)
    theirs, copy = copies_of(task, [TYPED, PLAIN])
    reopened = replace(copy, title="Call again", due=at(days=7))
    pasted = replace(copy, remote_id="x", title="Visit", due=at(days=9))
    base = put_back(task, systems=[TYPED])
    base.replicas[a_replica(task, TYPED).key] = a_replica(task, TYPED, state=ReplicaState.DONE)
    if known_as == "the copy":
        base.replicas[copy.key] = a_replica(task, PLAIN, state=ReplicaState.DONE)
    else:
        again = a_task(f"{PLAIN}:{copy.remote_id}", origin=PLAIN, title="Call again", due=at(days=7))
        create = an_operation(task, PLAIN, Action.CREATE, OpState.DONE, remote_id=copy.remote_id)
        base.tasks[again.id], base.operations[create.id] = again, create
        base.replicas[copy.key] = a_replica(again, PLAIN, copy.remote_id)
    found = rebuilt(done(theirs), reopened, pasted, base=base)
    assert found.base.tasks[task.id].state is State.DONE
    for row in (reopened, pasted):
        own = found.base.tasks[found.base.replicas[row.key].task]
        assert own.id != task.id, "it would be completed"
        assert own.state is State.OPEN
