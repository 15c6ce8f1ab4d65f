"""Which task of a lane, where no marker is kept, a create without an answer made."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncer.domain.base import Base
from syncer.domain.cursors import OUR_USER
from syncer.domain.dues import Dues
from syncer.domain.model import Kind, Reading, State
from syncer.domain.operations import Action, OpState
from syncer.reconcile.lane_creates import find_new, is_edited
from tests.support.strategies import API, LANE, PLAIN, a_base, a_reading, a_replica, a_task, an_operation, at

TASK = a_task(f"{PLAIN}:1", origin=PLAIN, title="Ring")
SENT = an_operation(
    TASK,
    LANE,
    Action.CREATE,
    OpState.IN_DOUBT,
    due=TASK.due,
    raw_type=Kind.FOLLOW_UP_CALL.value,
    sent_at=at(),
    seen=("old",),
)
GRACE = timedelta(seconds=30)
OURS = a_reading(LANE, "9", created_by=API, updated_by=API, created_at=at(seconds=5), updated_at=at(seconds=5))
OLD = a_reading(LANE, "old", title="Theirs", created_by="7")
MOVED: dict[str, Any] = {"due": at(hours=9), "updated_at": at(seconds=20), "updated_by": "7"}


def found(*rows: Reading, us: str | None = API, also: Any = (), **base: Any) -> str | None:
    """The id of the task that is taken for ours."""
    cursors = {} if us is None else {OUR_USER + LANE: us}
    known: Base = a_base(TASK, operations=[SENT, *also], cursors=cursors, **base)
    unknown = [row for row in rows if row.key not in known.replicas]
    one = find_new(known, Dues(), SENT, unknown, rows, GRACE)
    return None if one is None else one.remote_id


@pytest.mark.parametrize(
    ("changes", "is_it"),
    [
        ({}, True),
        ({"remote_id": "old"}, False),
        ({"raw_type": "BOOKING"}, False),
        ({"due": at(hours=9)}, False),
        ({"created_by": "7"}, False),
        ({"created_by": None}, True),
        ({"title": "Ring"}, True),
    ],
)
def test_it_is_new_has_the_type_and_the_due_that_were_sent_and_nobody_else_made_it(
    changes: dict[str, Any], *, is_it: bool
) -> None:
    row = replace(OURS, **changes)
    assert (found(OLD, row) is not None) is is_it


def test_of_two_that_fit_the_open_one_is_ours_and_of_two_open_ones_the_first() -> None:
    """If the closed one were taken for ours, the task would count as done in every CRM."""
    assert found(replace(OURS, remote_id="8", state=State.DONE), OURS) == "9"
    assert found(replace(OURS, remote_id="10"), OURS) == "9"


@pytest.mark.parametrize(
    ("changes", "is_it"),
    [
        ({}, True),
        ({"created_at": at(seconds=30)}, False),
        ({"created_at": at(seconds=30), "updated_at": at(seconds=40)}, True),
        ({"created_at": at(seconds=31), "updated_at": at(seconds=40)}, False),
        ({"created_at": None}, False),
        ({"updated_at": at(seconds=5)}, False),
        ({"state": State.DONE}, False),
        ({"created_by": "7"}, False),
        ({"raw_type": "BOOKING"}, False),
        ({"remote_id": "old"}, False),
        ({"title": "Ring Ravi"}, True),
    ],
)
def test_what_people_moved_before_it_was_found_is_the_only_one_that_our_user_made_in_time(
    changes: dict[str, Any], *, is_it: bool
) -> None:
    assert (found(OLD, replace(OURS, **(MOVED | changes))) is not None) is is_it


def test_of_two_that_were_moved_or_two_requests_nothing_tells_which_is_which() -> None:
    moved = replace(OURS, **MOVED)
    assert found(moved) == "9"
    assert found(moved, replace(moved, remote_id="10")) is None
    assert found(moved, also=[replace(SENT, id="another")]) is None
    assert found(moved, also=[replace(SENT, id="another", state=OpState.DONE)]) == "9"


@pytest.mark.parametrize(
    ("title", "changes", "is_it"),
    [
        (None, {}, True),
        ("Ring", {}, True),
        ("Ring Ravi", {}, False),
        (None, MOVED, True),
        ("Ring", MOVED, True),
        ("Ring Ravi", MOVED, False),
    ],
)
def test_as_long_as_our_user_is_unknown_a_title_of_its_own_was_typed_by_a_person(
    title: str | None, changes: dict[str, Any], *, is_it: bool
) -> None:
    assert (found(OLD, replace(OURS, title=title, **changes), us=None) is not None) is is_it


@pytest.mark.parametrize(
    ("before", "held", "is_it"),
    [
        (OLD, "", False),
        (replace(OLD, created_by="8"), "", True),
        (replace(OLD, remote_id="later"), "", True),
        (replace(OLD, state=State.DONE), "", False),
        (replace(OLD, state=State.DONE, title=None), "", True),
        (OLD, "loop", True),
    ],
)
def test_as_long_as_our_user_is_unknown_whoever_made_what_was_there_before_is_a_person(
    before: Reading, held: str, *, is_it: bool
) -> None:
    """Unless it may be a copy of ours: a held task, or a finished one that has no title."""
    known = a_task("t2", origin=LANE, held=held)
    row = replace(OURS, created_by="7", title="Ring")
    base = a_base(TASK, known, operations=[SENT], replicas=[a_replica(known, LANE, before.remote_id)] if held else [])
    one = find_new(base, Dues(), SENT, [row], [before, row], GRACE)
    assert (one is not None) is is_it


@pytest.mark.parametrize(
    ("changes", "edited"),
    [
        ({}, False),
        (MOVED, True),
        (MOVED | {"state": State.DONE}, False),
        (MOVED | {"created_at": None}, False),
        ({"updated_at": None}, False),
    ],
)
def test_whoever_touched_it_since_makes_it_theirs(changes: dict[str, Any], *, edited: bool) -> None:
    assert is_edited(replace(OURS, **changes)) is edited
