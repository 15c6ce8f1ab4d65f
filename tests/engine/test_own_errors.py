"""What a run may store beside whoever is left out of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from syncer.domain.base import Base
from syncer.domain.cursors import BEHIND, CHANGES, ELSEWHERE, GONE, UNSTORED
from syncer.engine.own_errors import may_be_stored

ASHA, RAVI = "asha", "ravi"


def context(*left_out: str) -> Any:
    """The same number is Asha's id in one CRM, and Ravi's in the other."""
    links = {("superfone", "12"): ASHA, ("reply", "12"): RAVI}
    return SimpleNamespace(base=Base(links=links), left_out=dict.fromkeys(left_out, "a bug"))


@pytest.mark.parametrize(
    "cursor",
    [
        f"{CHANGES}superfone",
        f"{BEHIND}{ASHA}",
        f"{ELSEWHERE}reply:7:{ASHA}",
        f"{UNSTORED}superfone:12",
        f"{UNSTORED}reply:99",
    ],
)
def test_what_is_about_whoever_is_left_out_is_not_stored(cursor: str) -> None:
    assert not may_be_stored(context(ASHA, "reply:99"), cursor)
    assert may_be_stored(context(), cursor)


@pytest.mark.parametrize("cursor", [f"{GONE}superfone", f"{BEHIND}{RAVI}", f"{UNSTORED}reply:12"])
def test_what_is_about_others_is_stored(cursor: str) -> None:
    assert may_be_stored(context(ASHA), cursor)
