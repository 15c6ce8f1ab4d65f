"""What the base of a copy is that we have just made, and what it is owed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.fields import Change, TaskField
from syncer.domain.model import Kind, Replica
from syncer.reconcile.edits.base import owed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.edits.travel import as_created
from tests.support.strategies import (
    CAPABILITIES,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_replica,
    a_task,
    merged,
    read_back,
    seen_of,
)

EVERY_KIND = frozenset(Kind)
ASSIGNS = replace(
    CAPABILITIES[PLAIN], shows=frozenset(TaskField), edits={TaskField.TITLE: EVERY_KIND, TaskField.ASSIGNEE: EVERY_KIND}
)
CHOOSES = replace(ASSIGNS, edits={TaskField.TITLE: EVERY_KIND})
"""It shows whose a task is, and chooses that itself."""
NOW = replace(POLICY, users={(PLAIN, "6"): "Asha"})
TASK = a_task(origin=TYPED, title="Ring", assignee="Asha")
SENT = (Change(TaskField.TITLE, None, "Ring"), Change(TaskField.ASSIGNEE, None, "6"))
COPY = a_replica(TASK, PLAIN, title="Ring", assignee="6")


def test_the_answer_to_our_create_is_the_base_of_the_copy() -> None:
    shown = replace(COPY, title="RING")
    assert as_created(TASK, shown, SENT, ASSIGNS, NOW, found=None) == shown


def test_what_people_changed_before_the_copy_was_found_is_their_edit() -> None:
    """The answer was lost: what was sent is the base, and the reading that differs from it is an edit."""
    shown = replace(COPY, title="Ring Ravi", assignee="7")
    found = read_back(shown, TASK, assignee="7")
    after = as_created(TASK, shown, SENT, ASSIGNS, NOW, found=found)
    assert (after.title, after.assignee) == ("Ring", "6")


def test_what_the_crm_made_of_our_values_is_nobodys_edit() -> None:
    long = "Ring " * 30
    sent = (Change(TaskField.TITLE, None, long),)
    shown = replace(COPY, title=long[:100])
    task = replace(TASK, title=long)
    assert as_created(task, shown, sent, ASSIGNS, NOW, found=read_back(shown, task)).title == shown.title


def test_whom_a_crm_chose_by_itself_is_nobodys_edit() -> None:
    shown = replace(COPY, assignee="7")
    after = as_created(TASK, shown, SENT, CHOOSES, NOW, found=read_back(shown, TASK, assignee="7"))
    assert after.assignee == "7"


@pytest.mark.parametrize(("can", "how"), [(ASSIGNS, Owed.YES), (CHOOSES, Owed.NO)])
def test_a_copy_that_was_made_without_its_assignee_is_owed_it_where_it_can_be_set(can: object, how: Owed) -> None:
    after = as_created(TASK, replace(COPY, assignee=None), SENT, can, NOW, found=None)  # type: ignore[arg-type]
    assert owed(after, TaskField.ASSIGNEE) is how


# what a row of a list tells ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "row", "shows_texts", "after"),
    [
        (None, "Bring the papers", True, "Bring the papers"),
        (None, None, True, ""),
        (None, None, False, None),
        ("Bring the papers", None, False, "Bring the papers"),
        ("Bring the papers", "Bring them", True, "Bring the papers"),
    ],
)
def test_a_row_of_a_list_tells_the_text_of_a_copy_only_where_its_list_shows_texts_and_none_was_read(
    known: str | None, row: str | None, shows_texts: bool, after: str | None
) -> None:
    copy: Replica = a_replica(TASK, PLAIN, title="Ring", body=known)
    can = CAPABILITIES | {PLAIN: replace(CAPABILITIES[PLAIN], lists_texts=shows_texts)}
    base = a_base(TASK, replicas=[a_replica(TASK, TYPED), copy])
    found = merged(base, seen_of(read_back(copy, TASK, body=row, whole=False)), capabilities=can)
    assert found.base.replicas[copy.key].body == after
