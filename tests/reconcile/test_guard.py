"""A plan that does more than a day's work is refused whole, and the refusal says how to allow it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.base import Base
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind, ReplicaState
from syncer.domain.operations import Action
from syncer.reconcile.guard import Limits, PartEdits, exceeds
from syncer.reconcile.planned import Planned
from tests.support.strategies import PLAIN, TYPED, a_base, a_replica, a_task, at


def operations(creates: int, completions: int) -> list[Planned]:
    actions = [Action.CREATE] * creates + [Action.COMPLETE] * completions
    return [Planned(f"t{number}", PLAIN, action, Kind.TODO, "c", at(), "why") for number, action in enumerate(actions)]


@pytest.mark.parametrize(
    ("creates", "completions", "options"),
    [
        (2, 3, None),
        (3, 3, ["--allow-creates 3"]),
        (2, 4, ["--allow-completions 4"]),
        (9, 9, ["--allow-creates 9", "--allow-completions 9"]),
    ],
)
def test_more_than_the_limit_is_refused(creates: int, completions: int, options: list[str] | None) -> None:
    excess = exceeds(operations(creates, completions), Limits(2, 3))
    if options is None:
        assert excess is None
    else:
        assert excess is not None
        assert excess.sentence.endswith(f"syncer sync --once {' '.join(options)}")
        assert f"would create {creates} and complete {completions} tasks" in excess.sentence
        assert "at most 2 creates and 3 completions" in excess.sentence


def test_one_is_said_as_one() -> None:
    excess = exceeds([*operations(2, 0), *edits(2)], Limits(1, 1, 1))
    assert excess is not None
    assert "at most 1 create and 1 completion and 1 edit are allowed" in excess.sentence


def test_a_limit_of_nothing_allows_nothing() -> None:
    assert exceeds([], Limits(0, 0)) is None
    assert exceeds(operations(1, 0), Limits(0, 0)) is not None
    assert exceeds(operations(0, 1), Limits(0, 0)) is not None


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 20), st.integers(0, 20))
def test_what_the_refusal_names_is_then_allowed(creates: int, completions: int, most: int, most_done: int) -> None:
    excess = exceeds(operations(creates, completions), Limits(most, most_done))
    assert (excess is None) is (creates <= most and completions <= most_done)
    if excess is not None:
        allowed = Limits(max(most, excess.creates), max(most_done, excess.completions))
        assert exceeds(operations(creates, completions), allowed) is None


# edits -----------------------------------------------------------------------------------------------


def edits(number: int) -> list[Planned]:
    return [Planned(f"t{one}", PLAIN, Action.EDIT, Kind.TODO, "c", at(), "why") for one in range(number)]


def test_more_edits_than_the_limit_are_refused() -> None:
    assert exceeds(edits(2), Limits(5, 5, 2)) is None
    excess = exceeds(edits(3), Limits(5, 5, 2))
    assert excess is not None
    assert excess.sentence == (
        "this run would create 0 and complete 0 tasks, and edit 3, and at most 5 creates and 5 completions and 2 edits "
        "are allowed, so nothing was written; look at it with: syncer plan; then allow it once with: syncer sync "
        "--once --allow-edits 3"
    )


@pytest.mark.parametrize(("copies", "changed", "refused"), [(19, 19, False), (20, 10, False), (20, 11, True)])
def test_a_field_that_most_of_twenty_copies_show_changed_stops_the_run(
    copies: int, changed: int, *, refused: bool
) -> None:
    found = exceeds([], Limits(5, 5), {(PLAIN, TaskField.DUE): changed}, {PLAIN: copies}, {PLAIN: "HighLevel"})
    assert (found is not None) is refused
    if found is not None:
        assert found.sentence.startswith(f"{changed} of {copies} open tasks in HighLevel show another due than before")
        assert found.sentence.endswith(f"syncer sync --once --allow-edits {changed}")


def test_of_several_fields_the_one_is_told_that_the_most_copies_show_changed() -> None:
    edited = {(PLAIN, TaskField.DUE): 15, (PLAIN, TaskField.TITLE): 18, (TYPED, TaskField.DUE): 16}
    opened = {PLAIN: 20, TYPED: 20}
    excess = exceeds(edits(3), Limits(5, 5), edited, opened)
    assert excess is not None
    assert excess.sentence.startswith(f"18 of 20 open tasks in {PLAIN} show another title than before")
    assert excess.sentence.endswith("--allow-edits 18"), "the copies that show it, for they are more than the edits"


@pytest.mark.parametrize(("most", "refused"), [(14, True), (15, False)])
def test_what_was_allowed_holds_for_as_many_copies_as_were_named(most: int, *, refused: bool) -> None:
    limits = Limits(5, 5, most, frozenset({Action.EDIT}))
    assert (exceeds([], limits, {(PLAIN, TaskField.DUE): 15}, {PLAIN: 20}) is not None) is refused


@pytest.mark.parametrize(
    ("limits", "shift", "options"),
    [
        (Limits(2, 4, 1, frozenset({Action.COMPLETE})), 0, "--allow-completions 4 --allow-edits 3"),
        (Limits(0, 9, 3, frozenset({Action.EDIT})), 0, "--allow-creates 2 --allow-edits 3"),
        (Limits(0, 9, 30, frozenset({Action.EDIT})), 25, "--allow-creates 2 --allow-edits 30"),
        (Limits(50, 9, 20, frozenset({Action.CREATE, Action.EDIT})), 25, "--allow-creates 50 --allow-edits 25"),
    ],
)
def test_the_command_that_is_named_repeats_what_was_allowed_already(limits: Limits, shift: int, options: str) -> None:
    """Else it stops at the limit that the last one had lifted."""
    planned = [*operations(2, 4), *edits(3)]
    excess = exceeds(planned, limits, {(PLAIN, TaskField.DUE): shift}, {PLAIN: 30})
    assert excess is not None
    assert excess.sentence.endswith(f"syncer sync --once {options}")


# what runs for a few persons take over between two whole runs ----------------------------------------


def opened(copies: int, **cursors: str) -> Base:
    """A ledger with so many open copies in one CRM, and one closed one."""
    tasks = [a_task(f"t{number}") for number in range(copies + 1)]
    replicas = [a_replica(task, PLAIN) for task in tasks[1:]]
    closed = a_replica(tasks[0], PLAIN, state=ReplicaState.DONE)
    return a_base(
        *tasks, replicas=[closed, *replicas], cursors={f"part_edits:{PLAIN}:{k}": v for k, v in cursors.items()}
    )


DUE = {(PLAIN, TaskField.DUE): 1}


@pytest.mark.parametrize(("copies", "most"), [(20, 5), (28, 7), (40, 10), (1000, 10)])
def test_a_quarter_of_the_copies_and_ten_at_most_are_taken_over(copies: int, most: int) -> None:
    """Then whatever was taken over, most of the copies still show a whole run that all were changed."""
    edits = PartEdits(opened(copies))
    assert [edits.take(DUE) for _ in range(most + 2)] == [True] * most + [False, False]
    assert edits.cursors == {f"part_edits:{PLAIN}:due": str(most)}
    assert 2 * (copies - most) > copies


def test_a_crm_with_few_copies_is_not_checked_as_in_a_whole_run() -> None:
    edits = PartEdits(opened(19))
    assert all(edits.take(DUE) for _ in range(40))


def test_it_goes_on_from_what_earlier_ones_took_over_field_by_field() -> None:
    edits = PartEdits(opened(20, due="4", title="5"))
    assert edits.take(DUE)
    assert not edits.take({(PLAIN, TaskField.TITLE): 1})
    assert not edits.take({(PLAIN, TaskField.BODY): 1, (PLAIN, TaskField.DUE): 1}), "all of a person's, or nothing"
    assert edits.take({(PLAIN, TaskField.BODY): 5, (TYPED, TaskField.DUE): 9})
    assert edits.cursors == {
        f"part_edits:{PLAIN}:due": "5",
        f"part_edits:{PLAIN}:body": "5",
        f"part_edits:{TYPED}:due": "9",
    }
