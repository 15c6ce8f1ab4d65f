"""What becomes of a person's values when two persons turn out to be one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pytest

from syncer.domain.base import Base, Changes, cursors_after
from syncer.domain.model import Kind
from tests.support.ledgers import NOW, make_task

MERGED: Mapping[str, str] = {"a": "b", "b": "c"}


@pytest.mark.parametrize(
    ("before", "changed"),
    [
        ({"behind:a": "1"}, {"behind:a": "", "behind:c": "1"}),
        ({"behind:a": "1", "behind:b": "1", "behind:c": "1"}, {"behind:a": "", "behind:b": "", "behind:c": "1"}),
        ({"behind:c": "1", "behind:a": ""}, {}),
        ({"left:reply:b": "+1 x@y.z"}, {"left:reply:b": "", "left:reply:c": "+1 x@y.z"}),
        (
            {"left:reply:c": "+1 +2", "left:reply:a": "+2 +3", "left:superfone:a": "+4"},
            {"left:reply:a": "", "left:reply:c": "+1 +2 +3", "left:superfone:a": "", "left:superfone:c": "+4"},
        ),
        ({"contacts:a": "2026-01-01", "behind:d": "1", "left:reply:d": "+5"}, {}),
    ],
)
def test_what_is_kept_of_a_person_follows_them(before: dict[str, str], changed: dict[str, str]) -> None:
    assert cursors_after(before, MERGED) == changed
    assert cursors_after(before | changed, MERGED) == {}


def test_a_link_merged_into_itself_keeps_its_values() -> None:
    before = {"behind:a": "1", "left:reply:a": "+1"}
    assert before | cursors_after(before, {"a": "a"}) == before


def test_all_that_names_a_person_follows_them() -> None:
    """Their tasks, their contacts of any CRM, that they are behind, and how many of their tasks are alike."""
    base = Base(
        tasks={"t": make_task("t", contact="a"), "u": make_task("u", contact="d")},
        links={("reply", "1"): "a", ("highlevel", "2"): "b", ("superfone", "3"): "c", ("reply", "4"): "d"},
        behind={"b", "d"},
        recent=Counter({(link, Kind.TODO, "Ring", NOW): 2 for link in "acd"}),
    )

    base.update(Changes(tasks={"v": make_task("v", contact="b")}, links={("reply", "1"): "c"}, merged=dict(MERGED)))

    assert {task.id: task.contact for task in base.tasks.values()} == {"t": "c", "u": "d", "v": "c"}
    assert {key[1]: link for key, link in base.links.items()} == {"1": "c", "2": "c", "3": "c", "4": "d"}
    assert base.behind == {"c", "d"}
    assert base.recent == {("c", Kind.TODO, "Ring", NOW): 4, ("d", Kind.TODO, "Ring", NOW): 2}
