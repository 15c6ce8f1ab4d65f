"""A person of the account file who was renamed, or added, after a task was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from syncer.domain.fields import TaskField
from syncer.domain.model import Replica, Task
from syncer.reconcile.edits.base import with_owed, with_typed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.merge import Merged
from tests.support.strategies import (
    CAPABILITIES,
    PLAIN,
    POLICY,
    SYSTEMS,
    TYPED,
    a_base,
    a_replica,
    a_task,
    merged,
    read_back,
    seen_of,
)

SHOWS: Final = frozenset(TaskField)
ASSIGNED: Final = {system: replace(CAPABILITIES[system], shows=SHOWS) for system in SYSTEMS}
POLICY_NOW: Final = replace(
    POLICY, users={(PLAIN, "6"): "Asha", (TYPED, "66"): "Asha", (PLAIN, "7"): "Bob", (TYPED, "77"): "Bob"}
)
FORMER: Final = a_task(origin=PLAIN, title="Ring", assignee="Asha Rao")
"""Asha was called that when the task was seen."""
ORIGIN: Final = a_replica(FORMER, PLAIN, assignee="6", body="")


def read(copy: Replica, task: Task = FORMER, user: str | None = None) -> Merged:
    """One merge after this copy was read, with this user or as before."""
    base = a_base(task, replicas=[copy])
    row = read_back(copy, task, assignee=user or copy.assignee)
    return merged(base, seen_of(row), policy=POLICY_NOW, capabilities=ASSIGNED)


def name_after(copy: Replica, task: Task = FORMER, user: str | None = None) -> str | None:
    return read(copy, task, user).base.tasks["t1"].assignee


def test_the_task_gets_the_name_that_the_file_has_now_and_its_history_says_why() -> None:
    found = read(ORIGIN)
    assert found.base.tasks["t1"].assignee == "Asha"
    assert [(one.what, one.who) for one in found.changes.events] == [("changed", "us")]
    assert found.edited == {}
    assert name_after(ORIGIN, replace(FORMER, assignee=None)) == "Asha"


def test_whoever_was_chosen_just_now_is_an_edit_of_theirs() -> None:
    found = read(ORIGIN, user="7")
    assert found.base.tasks["t1"].assignee == "Bob"
    assert found.edited == {(PLAIN, TaskField.ASSIGNEE): 1}
    assert [(one.what, one.who) for one in found.changes.events] == [("edited", "them")]


def test_a_name_that_the_file_still_has_is_right() -> None:
    assert name_after(ORIGIN, replace(FORMER, assignee="Bob")) == "Bob"


@pytest.mark.parametrize("system", [PLAIN, TYPED])
def test_a_user_whom_nobody_chose_says_nothing(system: str) -> None:
    """A CRM may have put one in itself when we made the copy."""
    users = {PLAIN: "7", TYPED: "77"}
    made = a_replica(FORMER, system, "copy", made=True, assignee=users[system], body="")
    assert name_after(made) == "Asha Rao"
    assert name_after(with_typed(made, {TaskField.ASSIGNEE}, None)) == "Bob"


def test_a_user_who_is_still_to_be_replaced_says_nothing() -> None:
    assert name_after(with_owed(ORIGIN, {TaskField.ASSIGNEE: Owed.YES})) == "Asha Rao"
