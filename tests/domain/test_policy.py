"""The user's choices as the engine sees them, and the words for whatever is not done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from syncer.domain.reasons import Reason
from tests.support.strategies import LANE, PLAIN, POLICY, TYPED

USERS = {(TYPED, "41"): "Asha", (PLAIN, "abc"): "Asha", (TYPED, "42"): "Ben"}


@pytest.mark.parametrize(
    ("system", "name", "expected"),
    [(TYPED, "Asha", "41"), (PLAIN, "Asha", "abc"), (LANE, "Asha", None), (PLAIN, "Ben", None), (TYPED, None, None)],
)
def test_a_person_has_an_id_where_it_is_mapped(system: str, name: str | None, expected: str | None) -> None:
    assert replace(POLICY, users=USERS).user_id(system, name) == expected


def test_the_defaults_are_those_of_the_contract() -> None:
    assert POLICY.twin_window == timedelta(seconds=60)
    assert POLICY.default_due == timedelta(days=1)
    assert POLICY.doubt_grace == timedelta(seconds=30)
    assert POLICY.cancelled_closes
    assert not POLICY.create_missing


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_a_word_with_a_sentence(reason: Reason) -> None:
    assert reason.value == reason.name.lower()
    assert reason.sentence.endswith(".")
    assert len({other.sentence for other in Reason}) == len(Reason)
