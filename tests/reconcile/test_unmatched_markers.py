"""Tasks that no copy is known of, and that carry a marker: whose copy they are."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.cursors import BEHIND
from syncer.domain.model import Record, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import Untold
from tests.support.matching import ID, KNOWN, NEW, TASK, one_task, shown_in
from tests.support.strategies import (
    LANE,
    LEDGER,
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


@pytest.mark.parametrize("ledger", [LEDGER, OTHER_LEDGER])
def test_a_marker_names_its_task(ledger: str) -> None:
    """Whatever was edited since, and whichever ledger made it."""
    marker = marker_of(TASK, ledger)
    found = merged(KNOWN, seen_of(a_reading(PLAIN, "x", marker=marker, due=at(days=9), title="edited since")))
    # Its origin has no title, so this is the only one.
    assert one_task(found) == replace(TASK, title="edited since")
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
    seen[PLAIN].untold, seen[PLAIN].unread = {Untold((PLAIN, "9"), f"p1-{PLAIN}", due)}, unread
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
    assert merged(a_base(task), read_in_full(reading)).base.replicas[PLAIN, "x"].task == copy_of


@pytest.mark.parametrize(
    ("ledger", "copies", "held"),
    [
        (OTHER_LEDGER, [LANE, TYPED], Reason.DONE_OR_REOPENED),
        (OTHER_LEDGER, [LANE, TYPED, PLAIN], ""),
        (LEDGER, [LANE, TYPED], ""),
    ],
    ids=["another ledger's", "beside the copy that is known", "of our own making nothing is unknown"],
)
@pytest.mark.parametrize("changes", [{"title": "Ring"}, {"due": at(days=9)}], ids=["renamed", "moved"])
def test_what_another_ledger_may_have_made_of_a_task_that_is_done_is_held(
    changes: dict[str, Any], ledger: str, copies: list[str], held: str
) -> None:
    """It could not be read when the task was changed and done, or people copied a text: no copies of it are made."""
    task = replace(TASK, title="Ring at noon", state=State.DONE)
    closed = [a_replica(task, system, title=task.title, state=ReplicaState.DONE) for system in copies]
    reading = a_reading(
        PLAIN, "x", marker=marker_of(task, ledger), **({"title": task.title, "due": task.due} | changes)
    )
    found = merged(a_base(task, replicas=closed), read_in_full(reading))
    assert found.base.tasks[NEW].held == held
    assert found.base.tasks[task.id] == task


@pytest.mark.parametrize(("others", "held"), [([], Reason.DONE_OR_REOPENED), (["y"], "")], ids=["alone", "copied"])
def test_a_second_copy_that_a_younger_ledger_made_beside_ours_is_held_once_the_task_is_done(
    others: list[str], held: str
) -> None:
    """Both made one at the same time. People finished ours, and moved the other one before it was read."""
    task = replace(TASK, title="Ring at noon", state=State.DONE)
    closed = [a_replica(task, system, title=task.title, state=ReplicaState.DONE) for system in SYSTEMS]
    base = a_base(task, replicas=closed)
    base.ledger_made_at = at(days=-2)
    rows = [
        a_reading(PLAIN, one, marker=marker_of(task, OTHER_LEDGER), title="Ring", due=at(days=9), created_at=at())
        for one in ("x", *others)
    ]
    found = merged(base, read_in_full(*rows))
    assert found.base.tasks[NEW].held == held
    assert found.base.tasks[task.id] == task


@pytest.mark.parametrize(
    ("changes", "copy_of", "held"),
    [({}, ID, ""), ({"title": "Ring", "due": at(days=9)}, NEW, Reason.DONE_OR_REOPENED)],
    ids=["as it was sent", "renamed and moved"],
)
def test_what_a_create_that_seemed_to_have_failed_made_of_a_task_that_is_done_is_its_copy(
    changes: dict[str, Any], copy_of: str, held: str
) -> None:
    """Nobody could read it. Meanwhile the task was moved and done: it is completed, or held, and never copied."""
    task = replace(TASK, title="Ring at noon", state=State.DONE)
    create = an_operation(task, PLAIN, Action.CREATE, OpState.FAILED, due=at(days=5))
    closed = [a_replica(task, system, title=task.title, state=ReplicaState.DONE) for system in (LANE, TYPED)]
    shown = {"title": task.title, "due": at(days=5)} | changes
    found = merged(
        a_base(task, replicas=closed, operations=[create]),
        read_in_full(a_reading(PLAIN, "x", marker=marker_of(task), **shown)),
    )
    assert found.base.replicas[PLAIN, "x"].task == copy_of
    assert found.base.tasks[copy_of].held == held


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


@pytest.mark.parametrize("changes", [{"due": at(days=9)}, {"title": "Ring"}], ids=["moved", "renamed"])
@pytest.mark.parametrize(
    ("ledger", "shown_by", "held"),
    [(OTHER_LEDGER, LEDGER, Reason.DUPLICATE), (OTHER_LEDGER, OTHER_LEDGER, ""), (LEDGER, LEDGER, "")],
    ids=["another ledger's", "that ledger's text was copied", "our text was copied"],
)
def test_a_copy_of_another_ledger_beside_ours_is_a_duplicate_though_one_was_changed_since(
    ledger: str, shown_by: str, held: str, changes: dict[str, Any]
) -> None:
    task = replace(TASK, title="Call")
    shown = a_replica(task, PLAIN)
    rows = [
        read_back(shown, task, marker=marker_of(task, shown_by)),
        a_reading(PLAIN, "x", marker=marker_of(task, ledger), **({"title": "Call"} | changes)),
    ]
    found = merged(a_base(task, replicas=[a_replica(task, LANE), shown]), read_in_full(*rows))
    assert found.base.tasks[NEW].held == held
    assert shown_in(found) == [LANE, PLAIN]


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


# of whom nobody knows the contact any more --------------------------------------------------------------

CHANGED: dict[str, Any] = {"title": "Ring Ravi", "due": at(days=9)}


@pytest.mark.parametrize(
    ("create", "state", "had_copy", "changes", "is_ours"),
    [
        (OpState.IN_DOUBT, State.OPEN, False, CHANGED, True),
        (OpState.IN_DOUBT, State.DONE, False, CHANGED, True),
        (OpState.FAILED, State.OPEN, False, CHANGED, True),
        (OpState.FAILED, State.DONE, False, {}, True),
        (OpState.FAILED, State.DONE, False, CHANGED, False),
        (OpState.DONE, State.OPEN, False, {}, False),
        (OpState.IN_DOUBT, State.OPEN, True, {}, False),
        (OpState.IN_DOUBT, State.OPEN, False, {"marker": None}, False),
        (None, State.OPEN, False, {}, False),
    ],
)
def test_a_copy_of_a_contact_that_was_deleted_is_ours_if_a_lost_create_may_have_made_it(
    create: OpState | None, state: State, *, had_copy: bool, changes: dict[str, Any], is_ours: bool
) -> None:
    task = replace(TASK, state=state)
    sent = [] if create is None else [an_operation(task, PLAIN, Action.CREATE, create, due=task.due)]
    copies = [a_replica(task, LANE), *([a_replica(task, PLAIN, "y", state=ReplicaState.DONE)] if had_copy else [])]
    row = replace(a_reading(PLAIN, "x", contact=None, marker=marker_of(task)), **changes)
    found = merged(a_base(task, replicas=copies, operations=sent), seen_of(row))
    copy = found.base.replicas.get(row.key)
    assert (copy is not None) is is_ours
    if copy is not None:
        assert (copy.task, copy.contact, copy.made) == (ID, f"p1-{PLAIN}", True)
        assert not found.base.operations[sent[0].id].is_unsettled


def test_whoever_is_in_one_crm_alone_waits_like_everybody_until_all_is_read_of_whom_a_marker_tells() -> None:
    """Nobody linked the contact yet, and the note that something unknown was written needs a link."""
    contact = Record(PLAIN, "new", "Asha", ("+919876543210",))
    seen = seen_of(a_reading(PLAIN, "x", contact="new", marker=marker_of(f"{TYPED}:9", OTHER_LEDGER)))
    found = merged(a_base(people=(), records={contact.key: contact}), seen)
    link = found.base.links[contact.key]
    assert found.base.behind == {link}
    assert found.changes.cursors[BEHIND + link]
    assert not found.base.tasks
    assert found.undecided == {contact.key}
