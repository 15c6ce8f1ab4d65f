"""Which task a marker names, and which texts with a marker people copied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.model import ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.task_ids import Marker
from syncer.reconcile.markers import is_copy_of_another, is_pasted, named_by
from tests.support.clock import START
from tests.support.strategies import (
    LANE,
    LEDGER,
    OTHER_LEDGER,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    marker_of,
    seen_of,
)

TASK = a_task(f"{TYPED}:1", origin=TYPED, title="Ring")
ORIGIN, COPY = a_replica(TASK, TYPED), a_replica(TASK, PLAIN)


# whose a marker is -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("marker", "named"),
    [
        (marker_of(TASK), True),
        (marker_of(TASK, OTHER_LEDGER), True),
        (marker_of(f"{LANE}:7"), True),
        (marker_of(f"{TYPED}:1~2"), False),
        (marker_of(f"{LANE}:7~2"), True),
        (marker_of(f"{PLAIN}:{COPY.remote_id}"), True),
        (marker_of(f"{PLAIN}:shut"), False),
        (marker_of(f"{TYPED}:9"), False),
        (marker_of("elsewhere:1"), False),
    ],
    ids=lambda value: value.task if isinstance(value, Marker) else str(value),
)
def test_a_marker_names_a_task_by_its_id_or_by_the_place_of_a_twin(marker: Marker, named: bool) -> None:
    """Or of a copy of ours. But not a later task of the same place, nor what a copy became when it was reopened."""
    shut = a_replica(TASK, PLAIN, "shut", state=ReplicaState.DONE)
    base = a_base(TASK, replicas=[ORIGIN, COPY, shut, a_replica(TASK, LANE, "7", made=False)])
    assert (named_by(base, marker) == TASK) is named


@pytest.mark.parametrize("tried", [False, True])
def test_a_marker_names_what_is_done_where_we_tried_to_copy_it(tried: bool) -> None:
    """A lost request of ours may arrive late: the copy that it makes is that task's, and is closed with it."""
    done = replace(TASK, state=State.DONE)
    base = a_base(done, replicas=[replace(ORIGIN, state=ReplicaState.DONE)])
    if tried:
        doubt = an_operation(done, PLAIN, Action.CREATE, state=OpState.IN_DOUBT)
        base.operations[doubt.id] = doubt
    assert (named_by(base, marker_of(done)) == done) is tried


def test_a_marker_names_what_is_done_and_still_open_where_it_was_made() -> None:
    """Somebody finished its copies, and reopened them as other tasks before ours was completed."""
    done = replace(TASK, state=State.DONE)
    assert named_by(a_base(done, replicas=[ORIGIN]), marker_of(done)) == done


@pytest.mark.parametrize("state", [State.OPEN, State.DONE])
def test_a_marker_names_what_a_newer_task_closed_as_long_as_it_is_to_be_done(state: State) -> None:
    """Another ledger took our copy for an origin, before that copy was superseded."""
    task, replaced = replace(TASK, state=state), a_replica(TASK, LANE, "7", state=ReplicaState.SUPERSEDED)
    base = a_base(task, replicas=[ORIGIN, replaced])
    assert (named_by(base, marker_of(f"{LANE}:7")) == task) is (state is State.OPEN)


def test_after_an_old_copy_was_put_back_a_copy_of_ours_may_have_been_reopened_since() -> None:
    base = a_base(TASK, replicas=[ORIGIN, COPY], restored_at=START)
    assert named_by(base, marker_of(f"{PLAIN}:{COPY.remote_id}")) is None


@pytest.mark.parametrize("ledger", [LEDGER, OTHER_LEDGER])
@pytest.mark.parametrize(
    ("had", "changes", "pasted"),
    [
        ([], {}, False),
        ([], {"title": "Other", "due": at(days=9)}, False),
        (["gone"], {}, False),
        (["gone"], {"title": "Other"}, True),
        (["gone"], {"due": at(days=9)}, True),
        ([], {"state": State.DONE}, False),
        (["gone"], {"state": State.DONE, "title": "Other"}, True),
    ],
    ids=str,
)
def test_people_copy_a_task_with_its_marker_and_change_it(
    had: list[str], changes: dict[str, Any], pasted: bool, ledger: str
) -> None:
    gone = [replace(COPY, remote_id=name, state=ReplicaState.GONE) for name in had]
    base = a_base(TASK, replicas=[ORIGIN, *gone])
    reading = a_reading(PLAIN, "x", **({"marker": marker_of(TASK, ledger), "title": "Ring"} | changes))
    assert is_pasted(base, POLICY, reading, TASK) is pasted


@pytest.mark.parametrize(("ledger", "pasted"), [(LEDGER, True), (OTHER_LEDGER, False)])
def test_a_closed_copy_beside_an_open_one_of_ours_counts_if_another_ledger_made_it(ledger: str, pasted: bool) -> None:
    """Its task was renamed since this ledger took it up, so it does not look like it any more."""
    base = a_base(TASK, replicas=[ORIGIN, COPY])
    finished = a_reading(PLAIN, "x", title="Other", state=State.DONE, marker=marker_of(TASK, ledger))
    assert is_pasted(base, POLICY, finished, TASK) is pasted


def test_a_finished_task_with_a_marker_of_ours_is_pasted_where_we_had_a_copy() -> None:
    """Another ledger may have made its own copy there, which somebody finished."""
    base = a_base(TASK, replicas=[ORIGIN, replace(COPY, state=ReplicaState.GONE)])
    finished = a_reading(PLAIN, "x", title="Ring", state=State.DONE, marker=marker_of(TASK))
    assert is_pasted(base, POLICY, finished, TASK)
    assert not is_pasted(base, POLICY, replace(finished, marker=marker_of(TASK, OTHER_LEDGER)), TASK)


@pytest.mark.parametrize(("ledger", "pasted"), [(LEDGER, True), (OTHER_LEDGER, False)])
@pytest.mark.parametrize("changes", [{"title": "Other"}, {"due": at(days=9)}], ids=str)
def test_a_finished_copy_that_another_ledger_made_is_one_though_the_task_was_changed_since(
    changes: dict[str, Any], ledger: str, pasted: bool
) -> None:
    """A lost ledger had made it, and this one has read the origin alone until now."""
    copy = a_reading(PLAIN, "x", marker=marker_of(TASK, ledger), title="Ring", state=State.DONE)
    finished = replace(copy, **changes)
    assert is_pasted(a_base(TASK, replicas=[ORIGIN]), POLICY, finished, TASK) is pasted


@pytest.mark.parametrize(
    ("ledger", "title", "pasted"),
    [(LEDGER, "Ring", True), (OTHER_LEDGER, "Ring", False), (OTHER_LEDGER, "Other", True)],
)
def test_of_a_task_that_is_done_only_another_ledger_makes_a_copy(ledger: str, title: str, pasted: bool) -> None:
    task = replace(TASK, state=State.DONE)
    reading = a_reading(PLAIN, "x", marker=marker_of(task, ledger), title=title)
    assert is_pasted(a_base(task, replicas=[ORIGIN]), POLICY, reading, task) is pasted


def test_a_copy_of_another_ledger_that_works_beside_this_one_is_one_whatever_people_changed() -> None:
    base = a_base(TASK, replicas=[ORIGIN, COPY], ledger_made_at=at(days=-1))
    changed = a_reading(
        PLAIN, "x", marker=marker_of(TASK, OTHER_LEDGER), title="Other", due=at(days=9), created_at=START
    )
    assert not is_pasted(base, POLICY, changed, TASK)
    assert is_pasted(base, POLICY, replace(changed, marker=marker_of(TASK)), TASK)
    assert is_pasted(base, POLICY, replace(changed, created_at=at(days=-2)), TASK), "from before this ledger"


# copies that another ledger made beside ours -----------------------------------------------------------

THEIRS = a_reading(PLAIN, "theirs", title="Ring", marker=marker_of(TASK, OTHER_LEDGER))


@pytest.mark.parametrize(
    ("beside", "is_one"),
    [
        (None, True),
        ({"remote_id": "held"}, False),
        ({"remote_id": "held", "title": "Meet the owner"}, True),
        ({"remote_id": "new"}, True),
        ({"remote_id": "new", "marker": THEIRS.marker}, False),
    ],
)
def test_another_ledger_made_a_copy_unless_people_may_have_taken_its_marker_from_a_row_beside_it(
    beside: dict[str, Any] | None, *, is_one: bool
) -> None:
    """From one that carries the same, or from one that is held as that ledger's and was read without its text."""
    held = a_task("t2", origin=PLAIN, title="Ring", held=Reason.DUPLICATE)
    base = a_base(TASK, held, replicas=[ORIGIN, COPY, a_replica(held, PLAIN, "held")])
    rows = [THEIRS] if beside is None else [THEIRS, a_reading(PLAIN, **({"title": "Ring"} | beside))]
    assert is_copy_of_another(base, POLICY, THEIRS, replace(COPY, title="Ring"), seen_of(*rows)[PLAIN]) is is_one


@pytest.mark.parametrize("marker", [None, marker_of(TASK)])
def test_what_carries_no_marker_or_ours_is_no_copy_of_another_ledger(marker: Marker | None) -> None:
    row = replace(THEIRS, marker=marker)
    assert not is_copy_of_another(a_base(TASK, replicas=[ORIGIN, COPY]), POLICY, row, COPY, seen_of(row)[PLAIN])
