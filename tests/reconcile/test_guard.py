"""A plan that does more than a day's work is refused whole, and the refusal says how to allow it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import Kind
from syncer.domain.operations import Action
from syncer.reconcile.guard import Limits, exceeds
from syncer.reconcile.planned import Planned
from tests.support.strategies import PLAIN, at


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
