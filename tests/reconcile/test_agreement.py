"""Whose records an ambiguity is about, and which two contacts may be one person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncer.domain.model import Record
from syncer.reconcile.agreement import Ambiguity, may_be_one
from tests.support.strategies import LANE, PLAIN, SYSTEMS, TYPED, a_base

PHONE = "+919876543210"
TWICE = Record(TYPED, "twice", "Asha", phones=(PHONE,))


@pytest.mark.parametrize(
    ("doubt", "concerned"),
    [
        (Ambiguity(((PLAIN, "1"), (PLAIN, "2")), (PHONE,)), {PLAIN}),
        (Ambiguity(((PLAIN, "1"), (LANE, "2")), (PHONE,)), {PLAIN, LANE}),
        (Ambiguity(((PLAIN, "1"),), (PHONE,), system=TYPED), {PLAIN, TYPED}),
    ],
)
def test_an_ambiguity_holds_up_the_crms_of_its_records_and_the_one_that_told_it(
    doubt: Ambiguity, concerned: set[str]
) -> None:
    assert {system for system in SYSTEMS if doubt.concerns(system)} == concerned


def two_with(one: str, other: str, *, link: str = "p2") -> bool:
    """Whether the contact of p1 in a CRM and another one there may be one person, given a number of each."""
    base = a_base(people=("p1",))
    mine = (TYPED, f"p1-{TYPED}")
    base.records[mine] = replace(base.records[mine], phones=(one,))
    base.records[TWICE.key] = replace(TWICE, phones=(other,))
    base.links[TWICE.key] = link
    return may_be_one(base, mine, TWICE.key)


def test_two_persons_may_be_one_if_their_contacts_share_a_key() -> None:
    assert two_with(PHONE, PHONE)
    assert not two_with(PHONE, "+919876543211")


def test_who_is_one_person_already_is_no_namesake() -> None:
    assert not two_with(PHONE, PHONE, link="p1")


def test_of_a_contact_that_was_not_read_nobody_can_tell() -> None:
    base = a_base(people=("p1",))
    assert not may_be_one(base, (TYPED, f"p1-{TYPED}"), TWICE.key)
    assert not may_be_one(base, TWICE.key, (TYPED, f"p1-{TYPED}"))
