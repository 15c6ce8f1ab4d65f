"""Which records are one person: what surely belongs together is joined, and nothing is ever guessed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations
from random import Random
from types import FrameType
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from syncer.contacts import Linked, RecordKey, link_records
from syncer.model import Record
from tests.strategies import LANE, PLAIN, SYSTEMS, TYPED, fresh_ids

PHONE, OTHER_PHONE, OFFICE = "+919876543210", "+919876543211", "+912223456789"
Records = Mapping[RecordKey, Record]


def person(system: str, number: int, *keys: str) -> Record:
    phones = tuple(key for key in keys if key.startswith("+"))
    return Record(system, f"{system[0]}{number}", phones=phones, emails=tuple(key for key in keys if key not in phones))


def linked(records: Iterable[Record], links: Mapping[RecordKey, str] | None = None) -> Linked:
    return link_records({record.key: record for record in records}, links or {}, fresh_ids("link"))


def people(found: Linked, links: Mapping[RecordKey, str] | None = None) -> set[frozenset[str]]:
    """Who is one person now: sets of remote ids."""
    after = links_after(found, links or {})
    return {frozenset(key[1] for key in after if after[key] == link) for link in after.values()}


def links_after(found: Linked, links: Mapping[RecordKey, str]) -> dict[RecordKey, str]:
    after = {**links, **found.links}
    return {key: found.merged.get(link, link) for key, link in after.items()}


def doubted(found: Linked) -> list[tuple[list[str], list[str]]]:
    return [([key[1] for key in doubt.records], list(doubt.keys)) for doubt in found.ambiguities]


# examples ------------------------------------------------------------------------------------------


def test_one_person_in_three_crms() -> None:
    found = linked([person(LANE, 1, PHONE), person(TYPED, 1, "a@x.com"), person(PLAIN, 1, "a@x.com", PHONE)])
    assert people(found) == {frozenset({"s1", "r1", "h1"})}
    assert not found.ambiguities


def test_a_secondary_number_counts_as_well() -> None:
    found = linked([person(LANE, 1, PHONE, OTHER_PHONE), person(PLAIN, 1, OTHER_PHONE)])
    assert people(found) == {frozenset({"s1", "h1"})}


def test_who_shares_no_key_stays_without_a_link() -> None:
    assert linked([person(LANE, 1, PHONE), person(PLAIN, 1, OTHER_PHONE), person(TYPED, 1)]) == Linked()


def test_a_key_that_names_two_records_joins_nothing_and_is_listed() -> None:
    found = linked([person(LANE, 1, PHONE), person(PLAIN, 1, PHONE), person(PLAIN, 2, PHONE)])
    assert not found.links
    assert doubted(found) == [(["h1", "h2", "s1"], [PHONE])]
    assert found.ambiguities[0].sentence == f"{PHONE} leads to highlevel:h1, highlevel:h2, superfone:s1"


def test_other_keys_still_join_what_one_key_leaves_open() -> None:
    records = [person(LANE, 1, PHONE), person(PLAIN, 1, PHONE, "a@x.com"), person(PLAIN, 2, PHONE)]
    found = linked([*records, person(TYPED, 1, "a@x.com")])
    assert people(found) == {frozenset({"h1", "r1"})}
    assert doubted(found) == [(["h1", "h2", "s1"], [PHONE])]


def test_two_records_of_one_crm_alone_are_nobodys_question() -> None:
    assert linked([person(PLAIN, 1, PHONE), person(PLAIN, 2, PHONE)]) == Linked()


def test_a_record_whose_keys_lead_to_two_records_of_one_crm_joins_nothing() -> None:
    found = linked([person(PLAIN, 1, "a@x.com", "b@x.com"), person(TYPED, 1, "a@x.com"), person(TYPED, 2, "b@x.com")])
    assert not found.links
    assert doubted(found) == [(["h1", "r1", "r2"], ["a@x.com", "b@x.com"])]


def test_such_a_record_is_not_joined_by_phone_either() -> None:
    records = [person(PLAIN, 1, "a@x.com", "b@x.com", PHONE), person(TYPED, 1, "a@x.com"), person(TYPED, 2, "b@x.com")]
    assert not linked([*records, person(LANE, 1, PHONE)]).links


def test_whoever_such_a_record_might_have_joined_is_listed_as_well() -> None:
    records = [person(PLAIN, 1, PHONE, OTHER_PHONE), person(TYPED, 1, PHONE), person(TYPED, 2, OTHER_PHONE)]
    found = linked([*records, person(LANE, 1, PHONE)])
    assert people(found) == {frozenset({"r1", "s1"})}
    assert doubted(found) == [(["h1", "r1", "r2", "s1"], [PHONE, OTHER_PHONE])]


def test_email_comes_before_phone() -> None:
    found = linked([person(PLAIN, 1, "a@x.com", PHONE), person(TYPED, 1, "a@x.com"), person(TYPED, 2, PHONE)])
    assert people(found) == {frozenset({"h1", "r1"})}
    assert doubted(found) == [(["h1", "r1", "r2"], [PHONE])]


def test_a_newcomer_to_a_link_is_listed_and_the_link_stays() -> None:
    links = {(LANE, "s1"): "old", (PLAIN, "h1"): "old"}
    found = linked([person(LANE, 1, PHONE), person(PLAIN, 1, PHONE), person(PLAIN, 2, PHONE)], links)
    assert not found.links
    assert not found.merged
    assert doubted(found) == [(["h1", "h2", "s1"], [PHONE])]


def test_a_newcomer_by_another_key_is_listed_and_the_link_stays() -> None:
    links = {(LANE, "s1"): "old", (PLAIN, "h1"): "old"}
    records = [person(LANE, 1, PHONE, OTHER_PHONE), person(PLAIN, 1, PHONE), person(PLAIN, 2, OTHER_PHONE)]
    found = linked([*records, person(TYPED, 1, PHONE)], links)
    assert found.links == {(TYPED, "r1"): "old"}
    assert doubted(found) == [(["h1", "h2", "s1"], [OTHER_PHONE])]


def test_a_chain_that_ends_in_a_second_record_of_a_crm_joins_nothing() -> None:
    """Every neighbour fits, the whole does not; the doubt names these people's keys and nobody else's."""
    chain = [
        person(PLAIN, 1, "a@x.com"),
        person(TYPED, 1, "a@x.com", "b@x.com"),
        person(LANE, 1, "b@x.com", "c@x.com"),
        person(PLAIN, 2, "c@x.com"),
    ]
    found = linked([*chain, person(PLAIN, 3, "z@x.com"), person(TYPED, 3, "z@x.com")])
    assert people(found) == {frozenset({"h3", "r3"})}
    assert doubted(found) == [(["h1", "h2", "r1", "s1"], ["a@x.com", "b@x.com", "c@x.com"])]


def test_two_links_that_turn_out_to_be_one_person_become_the_older_one() -> None:
    links = {(LANE, "s1"): "01", (PLAIN, "h1"): "02", (TYPED, "r1"): "02"}
    found = linked([person(LANE, 1, PHONE), person(PLAIN, 1, PHONE, "a@x.com"), person(TYPED, 1, "a@x.com")], links)
    assert found.merged == {"02": "01"}
    assert found.links == {(PLAIN, "h1"): "01", (TYPED, "r1"): "01"}


# a number that many share ---------------------------------------------------------------------------


def test_an_office_joins_nobody_whose_emails_differ() -> None:
    """Ten colleagues with one switchboard are nobody's question either."""
    colleagues = [person(system, n, f"{system}{n}@x.com", OFFICE) for system in (TYPED, PLAIN) for n in range(5)]
    assert linked(colleagues) == Linked()


def test_an_office_joins_where_emails_do_not_differ() -> None:
    found = linked([person(PLAIN, 1, "a@x.com", OFFICE), person(LANE, 1, OFFICE)])
    assert people(found) == {frozenset({"h1", "s1"})}
    same = [person(PLAIN, 1, "a@x.com", OFFICE), person(LANE, 1, "a@x.com", OFFICE), person(TYPED, 1, OFFICE)]
    assert people(linked(same)) == {frozenset({"h1", "s1", "r1"})}


def test_who_has_an_offices_number_and_no_email_could_be_any_of_them() -> None:
    found = linked([person(PLAIN, 1, "a@x.com", OFFICE), person(TYPED, 1, "b@x.com", OFFICE), person(LANE, 1, OFFICE)])
    assert not found.links
    assert doubted(found) == [(["h1", "r1", "s1"], [OFFICE])]


def test_two_offices_join_nobody_by_way_of_a_third_record() -> None:
    other = "+912223456780"
    records = [person(PLAIN, 1, "a@x.com", OFFICE), person(LANE, 1, OFFICE, other), person(TYPED, 1, "b@x.com", other)]
    found = linked(records)
    assert not found.links
    assert doubted(found) == [(["h1", "r1", "s1"], [other, OFFICE])]


def test_colleagues_are_joined_by_email_and_told_apart_by_it() -> None:
    one = [person(system, 1, "a@x.com", OFFICE) for system in SYSTEMS]
    other = [person(system, 2, "b@x.com", OFFICE) for system in SYSTEMS]
    found = linked([*one, *other])
    assert people(found) == {frozenset({"s1", "r1", "h1"}), frozenset({"s2", "r2", "h2"})}
    assert not found.ambiguities


def test_a_mobile_number_joins_whose_emails_differ() -> None:
    assert linked([person(PLAIN, 1, "a@x.com", PHONE), person(LANE, 1, "b@x.com", PHONE)]).links


# a link that contradicts itself ---------------------------------------------------------------------

OLD = {(LANE, "s1"): "old", (PLAIN, "h1"): "old"}


def contradicted(
    records: Iterable[Record], links: Mapping[RecordKey, str], **how: Any
) -> list[tuple[list[str], list[str]]]:
    found = link_records({record.key: record for record in records}, links, fresh_ids("link"), **how)
    assert not found.links
    assert not found.merged
    return [([key[1] for key in doubt.records], list(doubt.keys)) for doubt in found.ambiguities if doubt.link]


def test_linked_records_that_share_no_key_any_more() -> None:
    records = [person(LANE, 1, PHONE), person(PLAIN, 1, OTHER_PHONE)]
    assert contradicted(records, OLD) == [(["h1", "s1"], [OTHER_PHONE, PHONE])]
    [doubt] = linked(records, OLD).ambiguities
    assert doubt.sentence == (
        "highlevel:h1, superfone:s1 are linked as one person, but no longer share a phone number or e-mail "
        f"({OTHER_PHONE} and {PHONE}); correct what is wrong"
    )


def test_a_key_that_leads_to_another_record_by_now() -> None:
    """The number moved to another lead; by e-mail the two still agree."""
    records = [person(LANE, 1, "a@x.com"), person(PLAIN, 1, PHONE, "a@x.com"), person(LANE, 2, PHONE)]
    assert contradicted(records, OLD, by_phone=[LANE]) == [(["h1", "s1", "s2"], [PHONE])]
    doubt = link_records({r.key: r for r in records}, OLD, fresh_ids("link"), by_phone=[LANE]).ambiguities[0]
    assert doubt.sentence == (
        f"highlevel:h1, superfone:s1 are linked as one person, but {PHONE} now leads to superfone:s2; correct what is "
        "wrong"
    )


def test_the_email_is_believed_where_people_are_found_by_it() -> None:
    records = [person(LANE, 1, "a@x.com"), person(PLAIN, 1, PHONE, "a@x.com"), person(LANE, 2, PHONE)]
    assert contradicted(records, OLD) == []


def test_a_lead_that_is_found_by_phone_alone_has_the_person_with_its_number() -> None:
    """The lead's number is another contact's by now: whoever is called there may be that one, whatever the e-mail."""
    records = [person(LANE, 1, PHONE, "a@x.com"), person(PLAIN, 1, OTHER_PHONE, "a@x.com"), person(PLAIN, 2, PHONE)]
    assert contradicted(records, OLD, by_phone=[LANE]) == [(["h1", "h2", "s1"], [PHONE])]
    assert contradicted(records, OLD) == []


def test_a_second_record_beside_their_own_is_a_newcomer_and_no_contradiction() -> None:
    records = [person(LANE, 1, PHONE), person(PLAIN, 1, PHONE), person(PLAIN, 2, PHONE)]
    assert contradicted(records, OLD, by_phone=[LANE]) == []


def test_a_record_that_shows_no_key_contradicts_nobody() -> None:
    assert contradicted([person(LANE, 1, PHONE), person(PLAIN, 1)], OLD) == []
    three = [person(LANE, 1, PHONE), person(PLAIN, 1), person(TYPED, 1, "a@x.com")]
    assert contradicted(three, OLD | {(TYPED, "r1"): "old"}) == [(["r1", "s1"], ["a@x.com", PHONE])]


def test_who_was_joined_by_a_contact_that_is_gone_is_so_still() -> None:
    links = {(LANE, "s1"): "old", (TYPED, "r1"): "old"}
    records = [person(LANE, 1, PHONE), person(TYPED, 1, "a@x.com")]
    assert contradicted(records, links, left={"old": (PHONE, "a@x.com")}) == []
    assert contradicted(records, links, left={"old": (OTHER_PHONE, "a@x.com")}) != []


def test_an_office_whose_people_have_other_emails_by_now() -> None:
    records = [person(LANE, 1, "a@x.com", OFFICE), person(PLAIN, 1, "b@x.com", OFFICE)]
    assert contradicted(records, OLD) == [(["h1", "s1"], [OFFICE, "b@x.com", "a@x.com"])]


def test_a_colleague_with_the_offices_number_contradicts_nobody() -> None:
    records = [person(LANE, 1, "a@x.com"), person(PLAIN, 1, "a@x.com", OFFICE), person(LANE, 2, "b@x.com", OFFICE)]
    assert contradicted(records, OLD, by_phone=[LANE]) == []


def test_a_link_that_contradicts_itself_takes_in_nobody_by_one_sides_key() -> None:
    records = [person(LANE, 1, PHONE), person(PLAIN, 1, OTHER_PHONE), person(TYPED, 1, OTHER_PHONE)]
    found = linked(records, OLD)
    assert not found.links
    assert (["h1", "r1", "s1"], [OTHER_PHONE]) in doubted(found)


def test_what_agrees_again_is_no_contradiction_any_more() -> None:
    assert linked([person(LANE, 1, PHONE), person(PLAIN, 1, PHONE)], OLD) == Linked()


# any address books whatever ------------------------------------------------------------------------

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
