"""Which records are one person: what surely belongs together is joined, and nothing is ever guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from syncer.domain.model import Record
from syncer.reconcile.contact_linking import Linked, RecordKey, link_records
from tests.support.address_books import OFFICE, OTHER_PHONE, PHONE, doubted, linked, people, person
from tests.support.strategies import LANE, PLAIN, SYSTEMS, TYPED, fresh_ids

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
