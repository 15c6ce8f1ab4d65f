"""Which records are one person: what holds for any address books whatever."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from random import Random
from types import FrameType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import Record
from syncer.reconcile.contact_linking import RecordKey
from tests.support.address_books import OFFICE, OTHER_PHONE, PHONE, linked, links_after, people, person
from tests.support.strategies import LANE, PLAIN, SYSTEMS, TYPED

KEYS = ("a@x.com", "b@x.com", "c@x.com", PHONE, OTHER_PHONE, "+919876543212")
OFFICES = (OFFICE, "+912223456780")


@st.composite
def address_books(draw: st.DrawFn, keys: Sequence[str] = KEYS) -> list[Record]:
    """Few keys for many records, so that they meet."""
    numbers = {system: draw(st.integers(0, 3)) for system in SYSTEMS}
    return [
        person(system, number, *draw(st.lists(st.sampled_from(keys), max_size=3, unique=True)))
        for system, most in numbers.items()
        for number in range(most)
    ]


@st.composite
def with_links(draw: st.DrawFn) -> tuple[list[Record], dict[RecordKey, str]]:
    """An address book in which some were linked before, whatever their keys are by now."""
    records = draw(address_books((*KEYS, *OFFICES)))
    links: dict[RecordKey, str] = {}
    for number in range(draw(st.integers(0, 2))):
        free = [record.key for record in records if record.key not in links]
        chosen = draw(st.lists(st.sampled_from(free), max_size=3, unique_by=lambda key: key[0])) if free else []
        links |= dict.fromkeys(chosen, f"0{number}")
    return records, links


def components(records: Sequence[Record], links: Mapping[RecordKey, str]) -> list[set[RecordKey]]:
    """Everybody who is connected by keys and links, however often removed."""
    groups = [{record.key} for record in records]
    by_key = {record.key: record for record in records}

    def touch(one: set[RecordKey], other: set[RecordKey]) -> bool:
        keys = [{k for key in group for k in (*by_key[key].emails, *by_key[key].phones)} for group in (one, other)]
        names = [{links[key] for key in group if key in links} for group in (one, other)]
        return bool(keys[0] & keys[1] or names[0] & names[1])

    while pair := next(((a, b) for a, b in combinations(groups, 2) if touch(a, b)), None):
        groups = [group for group in groups if group not in pair] + [pair[0] | pair[1]]
    return groups


@given(with_links())
def test_links_never_break_and_never_hold_two_records_of_a_crm(
    given_: tuple[list[Record], dict[RecordKey, str]],
) -> None:
    records, links = given_
    after = links_after(linked(records, links), links)
    for group in people(linked(records, links), links):
        assert len({remote_id[0] for remote_id in group}) == len(group)
    for one, other in combinations(links, 2):
        if links[one] == links[other]:
            assert after[one] == after[other], "who was linked before stays linked"
    assert set(links) <= set(after)


@given(with_links())
def test_who_is_linked_is_connected_by_keys_or_was_linked_before(
    given_: tuple[list[Record], dict[RecordKey, str]],
) -> None:
    records, links = given_
    after = links_after(linked(records, links), links)
    for one, other in combinations(after, 2):
        if after[one] == after[other]:
            assert any({one, other} <= group for group in components(records, links))


@given(with_links())
def test_only_new_creates_are_stopped_by_a_contradiction(given_: tuple[list[Record], dict[RecordKey, str]]) -> None:
    """Each is of one link, tells of records that are there, and is found again the next time."""
    records, links = given_
    found = linked(records, links)
    after = links_after(found, links)
    broken = [doubt for doubt in found.ambiguities if doubt.link]
    assert len({doubt.link for doubt in broken}) == len(broken)
    for doubt in broken:
        assert {key for key in doubt.records if key not in doubt.others} <= {k for k in after if after[k] == doubt.link}
    again = [doubt for doubt in linked(records, after).ambiguities if doubt.link]
    assert {doubt.link for doubt in broken} <= {doubt.link for doubt in again}


@given(with_links(), st.randoms(use_true_random=False))
def test_the_order_of_records_does_not_matter(
    given_: tuple[list[Record], dict[RecordKey, str]], random: Random
) -> None:
    records, links = given_
    shuffled = random.sample(records, len(records))
    shuffled_links = dict(random.sample(sorted(links.items()), len(links)))
    assert linked(records, links) == linked(shuffled, shuffled_links)


@given(address_books())
def test_a_group_of_records_without_any_doubt_is_joined_whole(records: list[Record]) -> None:
    """Where everything that is connected fits together, it is one person; elsewhere something is listed."""
    found = linked(records)
    together = people(found)
    in_doubt = {key for doubt in found.ambiguities for key in doubt.records}
    for group in components(records, {}):
        if len({system for system, _ in group}) == len(group):
            assert not group & in_doubt
            assert len(group) == 1 or frozenset(remote_id for _, remote_id in group) in together


@given(address_books())
def test_what_shares_a_key_and_is_not_joined_is_listed(records: list[Record]) -> None:
    found = linked(records)
    after = links_after(found, {})
    in_doubt = {key for doubt in found.ambiguities for key in doubt.records}
    for one, other in combinations(records, 2):
        share = {*one.emails, *one.phones} & {*other.emails, *other.phones}
        if one.system != other.system and share and (one.key not in after or after[one.key] != after.get(other.key)):
            assert {one.key, other.key} <= in_doubt


@given(address_books())
def test_a_key_that_names_two_records_joins_nothing_by_itself(records: list[Record]) -> None:
    """Who was joined shares some key that names one record of each CRM, directly or one after another."""
    holders = {key: [r.key for r in records if key in (*r.emails, *r.phones)] for key in KEYS}
    clean = {key for key, found in holders.items() if len({system for system, _ in found}) == len(found)}
    only_clean = [
        Record(r.system, r.remote_id, phones=_only(r.phones, clean), emails=_only(r.emails, clean)) for r in records
    ]
    assert people(linked(records)) == people(linked(only_clean))


def _only(keys: Iterable[str], wanted: set[str]) -> tuple[str, ...]:
    return tuple(key for key in keys if key in wanted)


@given(address_books((*KEYS[:2], *OFFICES)))
def test_offices_alone_never_join_whose_emails_differ(records: list[Record]) -> None:
    after = links_after(linked(records), {})
    for one, other in combinations(records, 2):
        together = one.key in after and after[one.key] == after.get(other.key)
        if together and one.emails and other.emails and not set(one.emails) & set(other.emails):
            between = [r for r in records if after.get(r.key) == after[one.key] and r not in (one, other)]
            assert any(set(r.emails) & set(one.emails) and set(r.emails) & set(other.emails) for r in between)


@given(address_books())
def test_a_second_look_changes_nothing(records: list[Record]) -> None:
    first = linked(records)
    again = linked(records, links_after(first, {}))
    assert (again.links, again.merged) == ({}, {})


@given(address_books())
def test_doubts_name_only_keys_of_the_records_in_question(records: list[Record]) -> None:
    by_key = {record.key: record for record in records}
    for doubt in linked(records).ambiguities:
        theirs = {key for record in doubt.records for key in (*by_key[record].emails, *by_key[record].phones)}
        assert set(doubt.keys) <= theirs


def crowd(people_: int) -> list[Record]:
    """As many people in three CRMs each; every tenth of them is ambiguous in one way or the other."""
    found = []
    for number in range(people_):
        phone, email = f"+9198{number:08d}", f"{number}@x.com"
        found += [person(LANE, number, phone), person(TYPED, number, email), person(PLAIN, number, email, phone)]
        if number % 20 == 0:
            found.append(person(LANE, people_ + number, phone))
        if number % 20 == 10:
            found.append(person(TYPED, people_ + number, email, f"{number + 1}@x.com"))
    return found


def steps(records: Iterable[Record]) -> int:
    """How many lines of code run, every turn of a loop counted."""
    count = 0

    def trace(_frame: FrameType, _event: str, _argument: object) -> Callable[..., Any]:
        nonlocal count
        count += 1
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        linked(records)
    finally:
        sys.settrace(before)
    return count


def test_twice_the_people_are_twice_the_work() -> None:
    assert steps(crowd(400)) < 2.2 * steps(crowd(200))


def test_a_crowd_is_linked() -> None:
    found = linked(crowd(200))
    assert len(people(found)) == 200
    assert len(found.ambiguities) == 30
