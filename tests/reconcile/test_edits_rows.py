"""Which rows of a list are read by themselves, because they say something new."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.fields import TaskField
from syncer.domain.model import ReplicaState
from syncer.domain.operations import Action, OpState
from syncer.reconcile.edits.rows import in_turn, says_something_new, turn_after
from tests.support.strategies import CAPABILITIES, PLAIN, TYPED, a_base, a_reading, a_replica, a_task, an_operation, at

TASK = a_task(f"{PLAIN}:1", origin=PLAIN, title="Ring", body="Bring the papers", assignee="Asha")
ORIGIN = a_replica(TASK, PLAIN, body="Bring the papers", assignee="6")
COPY = a_replica(TASK, TYPED, "2", body="Bring the papers", assignee="66")
EVERY = frozenset(TaskField)
ALL = CAPABILITIES[PLAIN]
NO_TEXTS = replace(ALL, lists_texts=False)
LAGS = replace(ALL, listing_lags=True)
PROMPT = replace(ALL, listing_lags=False)


def a_row(copy: Any, **changes: Any) -> Any:
    """The copy in a list, as it was read before but for these changes."""
    shown = {"title": copy.title, "body": copy.body, "due": copy.due, "assignee": copy.assignee, "whole": False}
    return a_reading(copy.system, copy.remote_id, **(shown | changes))


def is_new(row: Any, *copies: Any, can: Any = PROMPT, edits: Any = EVERY, **more: Any) -> bool:
    return says_something_new(a_base(TASK, replicas=copies or [ORIGIN, COPY], **more), row, can, edits)


CHANGES: list[tuple[TaskField, dict[str, Any]]] = [
    (TaskField.DUE, {"due": at(hours=9)}),
    (TaskField.DUE, {"due": None}),
    (TaskField.TITLE, {"title": "Ring Ravi"}),
    (TaskField.BODY, {"body": "Bring nothing"}),
    (TaskField.ASSIGNEE, {"assignee": "7"}),
]


@pytest.mark.parametrize(("field", "change"), CHANGES)
def test_a_copy_of_ours_that_shows_another_value_is_read_if_that_field_travels(
    field: TaskField, change: dict[str, Any]
) -> None:
    assert not is_new(a_row(COPY))
    assert is_new(a_row(COPY, **change))
    assert is_new(a_row(COPY, **change), edits={field})
    assert not is_new(a_row(COPY, **change), edits=EVERY - {field})
    assert not is_new(a_row(COPY, **change), edits=())


@pytest.mark.parametrize(("field", "change"), CHANGES)
def test_an_origin_that_shows_another_value_is_read_whatever_travels(field: TaskField, change: dict[str, Any]) -> None:
    """Later copies are made from it. An assignee is told from its next whole read."""
    assert not is_new(a_row(ORIGIN))
    assert is_new(a_row(ORIGIN, **change))
    assert is_new(a_row(ORIGIN, **change), edits=EVERY - {field}) is (field is not TaskField.ASSIGNEE)


def test_the_text_of_what_is_no_origin_matters_only_if_it_travels() -> None:
    theirs = replace(COPY, made=False)
    assert is_new(a_row(theirs, body="Bring nothing"), ORIGIN, theirs)
    assert not is_new(a_row(theirs, body="Bring nothing"), ORIGIN, theirs, edits={TaskField.DUE})


def test_what_a_list_does_not_show_is_no_change() -> None:
    assert not is_new(a_row(COPY, title=None))
    assert not is_new(a_row(COPY, body=None), can=NO_TEXTS)
    assert is_new(a_row(COPY, body=None)), "a list that has texts shows that it was removed"
    unread = replace(COPY, body=None, assignee=None)
    assert not is_new(a_row(unread, body="Bring nothing", assignee="7"), ORIGIN, unread), "it was never read before"


def test_what_is_unknown_or_closed_is_read() -> None:
    assert is_new(a_reading(TYPED, "new", whole=False))
    assert is_new(a_row(COPY), ORIGIN, replace(COPY, state=ReplicaState.DONE))
    assert not is_new(a_reading(TYPED, "new"))
    assert not is_new(a_reading(TYPED, "new", whole=False, mirrored=False))


def test_where_lists_lag_what_is_owed_a_value_that_it_did_not_show_yet_is_read() -> None:
    owed = replace(COPY, owed=("due?",))
    assert is_new(a_row(owed), ORIGIN, owed, can=LAGS)
    assert not is_new(a_row(owed), ORIGIN, owed)


@pytest.mark.parametrize(
    ("sent", "is_read"),
    [
        ({}, True),
        ({"state": OpState.FAILED}, True),
        ({"state": OpState.DONE}, False),
        ({"action": Action.COMPLETE}, False),
        ({"system": PLAIN}, False),
        ({"due": at(hours=9)}, False),
        (None, False),
    ],
)
def test_what_nobody_has_is_read_if_a_lost_create_may_have_made_it(
    sent: dict[str, Any] | None, *, is_read: bool
) -> None:
    """Its contact was deleted since."""
    create = an_operation(TASK, TYPED, Action.CREATE, OpState.IN_DOUBT, due=TASK.due)
    operations = [] if sent is None else [replace(create, **sent)]
    row = a_reading(TYPED, "9", contact=None, whole=False)
    assert is_new(row, operations=operations) is is_read
    assert not is_new(replace(row, remote_id=COPY.remote_id), operations=operations), "it is known"


def test_texts_that_no_list_shows_are_read_in_turn() -> None:
    copies = [a_replica(TASK, TYPED, number) for number in ("9", "10", "11", "12")]
    base = a_base(TASK, replicas=copies)
    rows = [a_row(copy, mirrored=copy.remote_id != "12") for copy in reversed(copies)]
    rows.append(a_reading(TYPED, "8", whole=False))
    for last, order in (("", ["9", "10", "11"]), ("9", ["10", "11", "9"]), ("11", ["9", "10", "11"])):
        assert [row.remote_id for row in in_turn(base, rows, NO_TEXTS, {TaskField.BODY}, last)] == order
    assert in_turn(base, rows, NO_TEXTS, {TaskField.TITLE}, "")
    assert in_turn(base, rows, NO_TEXTS, {TaskField.DUE}, "") == []
    assert in_turn(base, rows, ALL, EVERY, "") == []
    assert sorted(["10", "9", "8"], key=lambda one: turn_after("9", one)) == ["10", "8", "9"]
