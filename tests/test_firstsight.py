"""What an unknown open task becomes: a copy of ours that was lost, the same task in another CRM, or a new one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given

from syncer.merge import Merged
from syncer.model import Kind, Reading, Replica, ReplicaState, State, Task
from syncer.reasons import Reason
from syncer.state import UNSETTLED, Action, Base, OpState
from syncer.titles import same_title
from tests.strategies import (
    LANE,
    PLAIN,
    POLICY,
    ROUTABLE,
    SYSTEMS,
    TYPED,
    World,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    fresh_ids,
    merged,
    read_back,
    seen_of,
    worlds,
)

ID = "01JVKZ3W6Q8N5R2T7Y4B9C0D1E"
OTHER_ID = "01JVKZ3W6Q8N5R2T7Y4B9C0D1F"
TASK = a_task()
KNOWN = a_base(TASK, replicas=[a_replica(TASK, LANE)])
SUBSETS = [subset for size in (2, 3) for subset in combinations(SYSTEMS, size)]


def one_task(found: Merged) -> Task:
    [task] = found.base.tasks.values()
    return task


def shown_in(found: Merged, task: str = "t1") -> list[str]:
    return [r.system for r in found.base.replicas.values() if r.task == task and r.state is ReplicaState.OPEN]


# new tasks -----------------------------------------------------------------------------------------


def test_a_new_task_is_what_its_origin_says() -> None:
    policy = replace(POLICY, users={(TYPED, "41"): "Asha"})
    new = a_reading(TYPED, "x", kind=Kind.SITE_VISIT, title="Visit", body="bring keys", assignee="41")
    found = merged(a_base(), seen_of(new), policy=policy)
    assert one_task(found) == Task(
        "new0001", "p1", Kind.SITE_VISIT, "Visit", "bring keys", at(hours=5), TYPED, assignee="Asha", first_seen=at()
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
    task = a_task(origin=PLAIN, title="Call about the flat")
    base = a_base(task, replicas=[a_replica(task, PLAIN)])
    assert len(merged(base, seen_of(a_reading(TYPED, "x", title="call: about the flat!"))).base.tasks) == 1
    assert len(merged(base, seen_of(a_reading(TYPED, "x", title="Send papers"))).base.tasks) == 2


def test_twins_can_be_switched_off() -> None:
    policy = replace(POLICY, twin_window=timedelta(0))
    assert len(merged(KNOWN, seen_of(a_reading(TYPED, "x")), policy=policy).base.tasks) == 2


def test_three_crms_at_once_give_one_task() -> None:
    found = merged(a_base(), seen_of(*(a_reading(system, "x") for system in SYSTEMS)))
    assert one_task(found).origin == LANE
    assert shown_in(found, "new0001") == list(SYSTEMS)


def test_two_candidates_are_neither() -> None:
    two_readings = seen_of(a_reading(TYPED, "x"), a_reading(TYPED, "y"))
    assert len(merged(KNOWN, two_readings).base.tasks) == 3
    other = a_task("t2")
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
    task = a_task(kind=Kind.FIRST_CALL)
    put_back = [a_replica(task, LANE, state=ReplicaState.SUPERSEDED), a_replica(task, LANE, "b", made=True, ours=False)]
    for replicas in (put_back, [a_replica(task, LANE, "b", made=True, ours=True)]):
        found = merged(a_base(task, replicas=replicas), seen_of(a_reading(TYPED, "x")))
        assert one_task(found) == task
        assert shown_in(found) == [LANE, TYPED]


# markers -------------------------------------------------------------------------------------------


def test_a_marker_names_its_task() -> None:
    found = merged(KNOWN, seen_of(a_reading(PLAIN, "x", marker="t1", due=at(days=9), title="edited since")))
    assert one_task(found) == TASK
    [copy] = [replica for replica in found.base.replicas.values() if replica.system == PLAIN]
    assert (copy.made, copy.ours) == (True, False)


def test_a_marker_of_a_task_that_was_done_while_its_create_was_in_doubt_is_still_its_copy() -> None:
    task = replace(TASK, state=State.DONE)
    doubt = an_operation(task, PLAIN, Action.CREATE, OpState.SENT)
    found = merged(a_base(task, operations=[doubt]), seen_of(a_reading(PLAIN, "x", marker="t1")))
    assert shown_in(found) == [PLAIN]


@pytest.mark.parametrize("state", [OpState.SENT, OpState.IN_DOUBT])
def test_a_marker_settles_the_create_that_was_in_doubt(state: OpState) -> None:
    """Otherwise a copy that somebody makes of it would be taken for what the create has made."""
    doubt = an_operation(TASK, PLAIN, Action.CREATE, state, failures=2, not_before=at())
    elsewhere = an_operation(TASK, TYPED, Action.CREATE, state)
    completion = an_operation(TASK, PLAIN, Action.COMPLETE, state)
    base = a_base(TASK, replicas=[a_replica(TASK, LANE)], operations=[doubt, elsewhere, completion])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker="t1")))
    settled = replace(doubt, state=OpState.DONE, remote_id="x", failures=0, not_before=None)
    assert found.changes.operations == {doubt.id: settled}
    assert found.base.operations == {**base.operations, doubt.id: settled}
    assert base.operations[doubt.id] == doubt, "what was given is left as it was"


@pytest.mark.parametrize(
    ("task", "copies", "person"),
    [
        (TASK, [LANE], "p2"),
        (replace(TASK, state=State.DONE), [], "p1"),
        (TASK, [LANE, PLAIN], "p1"),
    ],
    ids=["another contact", "a closed task", "a second copy"],
)
def test_a_marker_that_does_not_fit_is_a_copy_that_somebody_made(task: Task, copies: list[str], person: str) -> None:
    base = a_base(task, replicas=[a_replica(task, system) for system in copies])
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker="t1", person=person)))
    assert found.base.tasks["new0001"].origin == PLAIN
    assert not found.base.replicas[PLAIN, "x"].made


@pytest.mark.parametrize(
    ("changes", "creating", "copy_of"),
    [
        ({"due": at(days=9)}, False, "new0001"),
        ({"title": "Something else"}, False, "new0001"),
        ({"due": at(days=9)}, True, "t1"),
        ({}, False, "t1"),
        ({"due": at(days=1), "title": "as it was made"}, False, "t1"),
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
    found = merged(base, seen_of(a_reading(PLAIN, "x", marker="t1", **({"title": "Call"} | changes))))
    assert found.base.replicas[PLAIN, "x"].task == copy_of


def test_a_marker_that_no_ledger_knows_joins_nothing_but_in_an_empty_one() -> None:
    """People paste texts from elsewhere, marker and all; a ledger that has held tasks knows its own markers."""
    visit = a_reading(PLAIN, "x", marker=ID, title="Show the flat", due=at(days=2))
    to_do = a_reading(TYPED, "y", marker=ID, title="Send the bill", kind=Kind.TODO)
    found = merged(KNOWN, seen_of(visit, to_do))
    assert found.base.replicas[PLAIN, "x"].task != found.base.replicas[TYPED, "y"].task
    assert list(merged(a_base(), seen_of(visit, to_do)).base.tasks) == [ID]


@given(worlds())
def test_markers_are_believed_exactly_where_they_fit(world: World) -> None:
    found = world.merged()
    marked = [r for seen in world.seen.values() for r in seen.readings.values() if r.marker in world.base.tasks]
    for reading in marked:
        if reading.key in world.base.replicas or not reading.whole or reading.state is not State.OPEN:
            continue
        copy = found.base.replicas.get(reading.key)
        if copy is not None and copy.made:
            task = found.base.tasks[copy.task]
            assert task.id == reading.marker
            assert task.contact == found.base.links[reading.system, reading.contact or ""]
            assert task.state is State.OPEN or _in_doubt(world.base, task, reading.system)
        elif copy is not None and copy.task != reading.marker:
            task = found.base.tasks[reading.marker or ""]
            other = [r for r in found.base.replicas.values() if (r.task, r.system) == (task.id, reading.system)]
            shown = any(replica.state is ReplicaState.OPEN for replica in other)
            alien = task.contact != found.base.tasks[copy.task].contact
            assert shown or alien or task.state is not State.OPEN or _is_unlike(reading, [task, *other])


def _is_unlike(reading: Reading, known: list[Task | Replica]) -> bool:
    """Whether there was another copy, and this is neither like it nor like the task."""
    near = [one for one in known if reading.due and one.due and abs(reading.due - one.due) <= timedelta(seconds=60)]
    return len(known) > 1 and not any(same_title(reading.title, one.title) for one in near)


def _in_doubt(base: Base, task: Task, system: str) -> bool:
    creates = [o for o in base.operations.values() if (o.task, o.system, o.action) == (task.id, system, Action.CREATE)]
    return any(operation.state in UNSETTLED for operation in creates)


@given(worlds())
def test_a_twin_is_mutual_and_the_only_one(world: World) -> None:
    found = world.merged()
    for event in found.changes.events:
        if event.what != "adopted" or "marker" in event.detail or "before" in event.detail:
            continue
        copy = found.base.replicas[event.system or "", event.remote_id or ""]
        twin, task = _read(world, copy), found.base.tasks[copy.task]
        rivals = [
            rival
            for rival in world.seen[copy.system].readings.values()
            if rival.key not in world.base.replicas and _fits(found, rival, task) and rival.state is State.OPEN
            if rival.whole and rival.mirrored and not found.base.replicas[rival.key].made
        ]
        assert rivals == [twin]
        assert [other.id for other in _free_before(world, found, copy) if _fits(found, twin, other)] in ([], [task.id])


def _read(world: World, replica: Replica) -> Reading:
    return world.seen[replica.system].readings[replica.remote_id]


def _fits(found: Merged, reading: Reading, task: Task) -> bool:
    near = reading.due is not None and abs(reading.due - task.due) <= POLICY.twin_window
    same_person = found.base.links.get((reading.system, reading.contact or "")) == task.contact
    return near and same_person and reading.kind.compatible(task.kind) and same_title(reading.title, task.title)


def _free_before(world: World, found: Merged, copy: Replica) -> Iterable[Task]:
    """Tasks of the ledger that are open now and had no copy in that CRM, nor one on its way."""
    for task in found.base.tasks.values():
        shown = {r.task for r in found.base.replicas.values() if (r.system, r.state) == (copy.system, "open")}
        free = task.id not in shown - {copy.task} and not _in_doubt(world.base, task, copy.system)
        if task.id in world.base.tasks and task.state is State.OPEN and free:
            yield task


def test_what_takes_the_place_of_a_lost_origin_is_followed_at_once() -> None:
    lost = replace(a_replica(TASK, LANE, made=False), state=ReplicaState.GONE)
    again = a_reading(LANE, "again", due=TASK.due + timedelta(seconds=30), title=TASK.title)
    found = merged(a_base(TASK, replicas=[lost, a_replica(TASK, PLAIN)]), seen_of(again))
    assert one_task(found).due == again.due
    assert shown_in(found, TASK.id) == [PLAIN, LANE]


# a ledger that was lost ----------------------------------------------------------------------------

LOST = a_base()


def copies_of(task: Task, systems: Iterable[str]) -> list[Reading]:
    """What the CRMs hold of a task that we had mirrored into them."""
    kinds = {TYPED: _in_words_of_typed(task), PLAIN: Kind.FOLLOW_UP_CALL, LANE: task.kind}
    found = []
    for system in systems:
        kind = task.kind if system == task.origin else kinds[system]
        reading = read_back(a_replica(task, system), task, kind=kind, kind_known=system != PLAIN)
        found.append(replace(reading, created_by=None, updated_by=None))
    return found


def _in_words_of_typed(task: Task) -> Kind:
    words = {"call": Kind.FOLLOW_UP_CALL, "visit": Kind.SITE_VISIT, "note": Kind.TODO}
    return words.get(task.kind.family, task.kind)


@pytest.mark.parametrize("kind", ROUTABLE)
@pytest.mark.parametrize(("origin", "systems"), [(origin, s) for s in SUBSETS for origin in s])
def test_a_lost_ledger_is_rebuilt(origin: str, systems: tuple[str, ...], kind: Kind) -> None:
    title = None if origin == LANE else "Call about the flat"
    task = a_task(ID, kind=kind, origin=origin, title=title)
    if origin == TYPED:
        task = replace(task, kind=_in_words_of_typed(task))
    found = merged(LOST, seen_of(*copies_of(task, systems)))
    rebuilt = one_task(found)
    assert sorted(shown_in(found, rebuilt.id)) == sorted(systems)
    assert not found.base.replicas[origin, f"{ID}-{origin}"].made, "what carries no marker counts as theirs"
    assert not any(replica.ours for replica in found.base.replicas.values())
    if {TYPED, PLAIN} & (set(systems) - {origin}):
        assert rebuilt.id == ID
    if LANE in systems:
        assert rebuilt.kind is task.kind
    elif TYPED in systems:
        assert rebuilt.kind is _in_words_of_typed(task)


def test_the_kind_comes_from_the_crm_that_knows_most_about_kinds() -> None:
    """A first call and a call were adopted as twins, and copied into the third CRM, before the ledger was lost."""
    task = a_task(ID, kind=Kind.FIRST_CALL)
    in_lane, in_plain = copies_of(task, (LANE, PLAIN))
    typed = a_reading(TYPED, "x", kind=Kind.FOLLOW_UP_CALL, title="Ring", body="soon")
    rebuilt = one_task(merged(LOST, seen_of(in_lane, in_plain, typed)))
    assert (rebuilt.id, rebuilt.kind, rebuilt.origin) == (ID, Kind.FIRST_CALL, LANE)


@pytest.mark.parametrize("first", SUBSETS + [(system,) for system in SYSTEMS], ids="+".join)
@pytest.mark.parametrize("twin_window", [0, 60])
@pytest.mark.parametrize("kind", [Kind.FIRST_CALL, Kind.SITE_VISIT])
def test_a_ledger_may_be_rebuilt_in_several_runs(first: tuple[str, ...], twin_window: int, kind: Kind) -> None:
    """What could not be read at first finds its task later, whichever of them comes first."""
    task = a_task(ID, kind=kind)
    policy = replace(POLICY, twin_window=timedelta(seconds=twin_window))
    copies = copies_of(task, SYSTEMS)
    early = merged(LOST, seen_of(*(copy for copy in copies if copy.system in first)), policy=policy)
    base = replace(early.base, empty=False)
    late = merged(base, seen_of(*copies), policy=policy, run="run2", new_id=fresh_ids("late"))
    assert len(shown_in(late, one_task(late).id)) == 3
    assert one_task(late).kind is kind


@pytest.mark.parametrize(
    ("origin", "kind"), [(TYPED, Kind.FOLLOW_UP_CALL), (TYPED, Kind.EMAIL), (LANE, Kind.FIRST_CALL)]
)
@pytest.mark.parametrize("copy_id", ["a", "z"])
@pytest.mark.parametrize("apart", [False, True], ids=["one run", "two runs"])
@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
def test_a_copy_that_somebody_made_of_a_lost_task_is_another_task(
    origin: str, kind: Kind, copy_id: str, apart: bool, mirrored: bool
) -> None:
    """It carries the same marker: the one that is like the task's origin is the task's.

    What we had made of the copy elsewhere carries the marker of the copy's own task.
    """
    task = a_task(ID, origin=origin, kind=kind)
    theirs, ours = copies_of(task, (origin, PLAIN))
    copied = replace(ours, remote_id=copy_id, title="Ring somebody else", due=task.due - timedelta(hours=5))
    of_copy = [
        a_reading(LANE, "9", due=copied.due),
        a_reading(TYPED, "copy of the copy", title=copied.title, due=copied.due, marker=OTHER_ID),
    ]
    rows = [theirs, ours, copied, *(of_copy if mirrored else [])]
    base = replace(merged(LOST, seen_of(theirs)).base, empty=False) if apart else LOST
    found = merged(base, seen_of(*rows), new_id=fresh_ids("late"))
    assert len(found.base.tasks) == 2
    assert found.base.replicas[ours.key].task == found.base.replicas[theirs.key].task
    assert found.base.replicas[copied.key].task != found.base.replicas[ours.key].task


@pytest.mark.parametrize("copy_id", ["a", "z"])
def test_a_copy_is_told_from_one_of_two_lost_tasks_that_are_alike(copy_id: str) -> None:
    """Both are due together: that one looks like the other says nothing against its marker."""
    task, other = a_task(ID, origin=LANE, kind=Kind.REMINDER), a_task(OTHER_ID, origin=LANE, kind=Kind.REMINDER)
    rows = copies_of(task, SYSTEMS) + copies_of(other, SYSTEMS)
    [ours] = [row for row in rows if (row.system, row.marker) == (PLAIN, ID)]
    copied = replace(ours, remote_id=copy_id, due=task.due + timedelta(hours=5))
    found = merged(LOST, seen_of(*rows, copied))
    assert found.base.replicas[ours.key].task == ID
    assert found.base.replicas[copied.key].task not in {ID, OTHER_ID}
    assert len(found.base.tasks) == 3


@pytest.mark.parametrize("copy_id", ["a", "z"])
def test_a_copy_that_was_moved_to_another_tasks_due_is_not_what_a_create_in_doubt_made(copy_id: str) -> None:
    other = a_task("t2", due=TASK.due + timedelta(hours=5))
    doubt = an_operation(TASK, PLAIN, Action.CREATE, OpState.IN_DOUBT)
    base = a_base(TASK, other, replicas=[a_replica(TASK, TYPED), a_replica(other, TYPED)], operations=[doubt])
    ours = a_reading(PLAIN, "m", marker=TASK.id, due=TASK.due, title=TASK.title)
    copied = replace(ours, remote_id=copy_id, due=other.due)
    found = merged(base, seen_of(ours, copied))
    assert found.base.replicas[ours.key].task == TASK.id
    assert found.changes.operations[doubt.id].remote_id == ours.remote_id


@pytest.mark.parametrize(
    ("ours", "changes", "is_its_origin"),
    [
        (False, {}, True),
        (False, {"title": "Send papers"}, False),
        (False, {"title": None}, False),
        (False, {"due": at(days=3)}, False),
        (False, {"person": "p2"}, False),
        (False, {"kind": Kind.SITE_VISIT, "kind_known": True}, False),
        (True, {}, False),
    ],
    ids=str,
)
@pytest.mark.parametrize("known", ["Ring", None])
def test_a_task_without_a_due_is_what_a_lost_copy_was_made_of(
    known: str | None, ours: bool, changes: dict[str, object], is_its_origin: bool
) -> None:
    """A copy that this ledger made has a task already; only one that was known by its marker still needs an origin."""
    task = a_task(origin=LANE, title=known)
    copy = a_replica(task, TYPED, ours=ours, title="Ring")
    base = a_base(task, replicas=[a_replica(task, LANE), copy])
    found = merged(base, seen_of(a_reading(PLAIN, "x", **({"title": "Ring", "due": None} | changes))))
    assert (len(found.base.tasks) == 1) is is_its_origin


@pytest.mark.parametrize("seconds", [20, -20])
def test_of_two_lost_tasks_due_at_nearly_one_time_a_copy_is_of_the_nearer(seconds: int) -> None:
    """Such are those that had no due, and were seen one after the other."""
    gone, task = a_task(ID, kind=Kind.REMINDER), a_task(OTHER_ID, kind=Kind.REMINDER)
    task = replace(task, due=gone.due + timedelta(seconds=seconds))
    rows = copies_of(gone, (TYPED, PLAIN)) + copies_of(task, SYSTEMS)
    found = merged(LOST, seen_of(*rows))
    assert set(shown_in(found, OTHER_ID)) == set(SYSTEMS)
    assert set(shown_in(found, ID)) == {TYPED, PLAIN}


def test_two_lost_tasks_stay_two() -> None:
    one, other = a_task(ID), a_task(OTHER_ID)
    in_typed, in_plain = copies_of(one, (TYPED,)), copies_of(other, (PLAIN,))
    assert set(merged(LOST, seen_of(*in_typed, *in_plain)).base.tasks) == {one.id, other.id}
    early = replace(merged(LOST, seen_of(*in_typed)).base, empty=False)
    assert set(merged(early, seen_of(*in_typed, *in_plain)).base.tasks) == {one.id, other.id}
