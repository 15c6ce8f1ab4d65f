"""Who waits because an unknown task of theirs may be the copy of a namesake's task."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from syncer.domain.base import Base
from syncer.domain.cursors import APART, BEHIND
from syncer.domain.model import Reading, Record
from syncer.reconcile.apart import apart, still_apart
from syncer.reconcile.standing import Standing
from tests.support.strategies import (
    CAPABILITIES,
    OTHER_LEDGER,
    PLAIN,
    POLICY,
    SYSTEMS,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    marker_of,
    seen_of,
)

PHONE = "+919876543210"
HERS = f"p1-{PLAIN}"
TWICE = f"p2-{TYPED}"
"""Asha is p1 in one CRM, and p2 in the other one, where she exists twice; nobody has joined the two."""


def asha(*, number: str = PHONE, **more: Any) -> Base:
    records = [Record(PLAIN, HERS, "p1", (PHONE,)), Record(TYPED, TWICE, "p2", (number,))]
    base = a_base(**more)
    known = {record.key: record for record in records}
    return replace(base, records=known, links={record.key: record.name for record in records})


def waiting(base: Base, *rows: Reading, systems: Any = SYSTEMS) -> set[str]:
    seen = seen_of(*rows, systems=systems)
    return apart(base, seen, Standing(base, seen, CAPABILITIES, POLICY), ["p1", "p2"])


def a_copy(origin: str = f"{TYPED}:9", **fields: Any) -> Reading:
    return a_reading(PLAIN, "x", contact=HERS, marker=marker_of(origin, OTHER_LEDGER), **fields)


def test_a_copy_whose_origin_is_a_namesakes_or_was_not_read_waits() -> None:
    assert waiting(asha(), a_copy()) == {"p1"}
    assert waiting(asha(), a_copy(), a_reading(TYPED, "9", contact=TWICE)) == {"p1"}


def test_nobody_waits_for_a_namesake_without_something_that_may_be_a_copy() -> None:
    """An office shares a number."""
    assert waiting(asha()) == set()
    assert waiting(asha(), a_reading(PLAIN, "x", contact=HERS)) == set()


@pytest.mark.parametrize(
    ("number", "origin", "systems"),
    [
        ("+919876543211", f"{TYPED}:9", SYSTEMS),
        (PHONE, f"{PLAIN}:9", SYSTEMS),
        (PHONE, f"{TYPED}:9", (PLAIN,)),
    ],
    ids=["another number", "its origin is in her own CRM", "that CRM is no part of the account now"],
)
def test_a_copy_that_can_be_no_namesakes_waits_for_none(number: str, origin: str, systems: Any) -> None:
    assert waiting(asha(number=number), a_copy(origin), systems=systems) == set()


def test_a_copy_whose_origin_is_somebody_elses_or_that_is_known_waits_for_none() -> None:
    assert waiting(asha(), a_copy(), a_reading(TYPED, "9", contact="p3-reply")) == set()
    task = a_task(f"{TYPED}:9", origin=TYPED)
    known = replace(a_replica(task, PLAIN, "x"), contact=HERS)
    assert waiting(asha(replicas=[known], tasks={task.id: task}), a_copy()) == set()


def test_whoever_was_read_in_full_and_waits_still_is_not_read_again() -> None:
    for word, still in ((APART, {"p1"}), ("1", set()), ("", set())):
        base = asha(cursors={BEHIND + "p1": word})
        seen = seen_of(a_copy())
        assert still_apart(base, seen, Standing(base, seen, CAPABILITIES, POLICY), ["p1"]) == still
