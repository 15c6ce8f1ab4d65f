"""Whoever a change cannot concern is not looked at again: the result is that of looking at everybody."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.base import Base, Changes
from syncer.domain.model import Record
from syncer.engine.linking import around
from syncer.reconcile.contact_linking import RecordKey, link_records
from tests.reconcile.test_contact_linking_laws import KEYS, OFFICES, address_books, with_links
from tests.support.address_books import links_after
from tests.support.strategies import fresh_ids

Found = tuple[dict[RecordKey, RecordKey], set[tuple[object, ...]]]


def looked_at(base: Base, who: Sequence[RecordKey]) -> Found:
    """Who is with whom afterwards, by the least of each group, and what is ambiguous of these."""
    records = {key: base.records[key] for key in who if key in base.records}
    links = {key: base.links[key] for key in who if key in base.links}
    linked = link_records(records, links, fresh_ids("link"))
    after = links_after(linked, links)
    groups = {key: min(other for other in after if after[other] == after[key]) for key in after}
    return groups, {(doubt.records, doubt.keys, doubt.link, doubt.others) for doubt in linked.ambiguities}


@given(with_links(), st.data())
def test_who_is_around_a_change_is_all_that_it_can_concern(
    given_: tuple[list[Record], dict[RecordKey, str]], data: st.DataObject
) -> None:
    records, links = given_
    base = Base(records={record.key: record for record in records}, links=links)
    before, doubts = looked_at(base, sorted(base.records))
    changed = {record.key: record for record in data.draw(address_books((*KEYS, *OFFICES)))[:1]}
    seeds = set[RecordKey]().union(*({key, *base.neighbours(key)} for key in changed))
    base.update(Changes(records=changed))

    who = around(base, seeds)
    now, told = looked_at(base, sorted(who))

    whole, whole_told = looked_at(base, sorted(base.records))
    assert {key: group for key, group in whole.items() if key in who} == now
    assert {key: group for key, group in whole.items() if key not in who} == {
        key: group for key, group in before.items() if key not in who
    }
    assert whole_told == told | {doubt for doubt in doubts if who.isdisjoint(doubt[0])}  # type: ignore[arg-type]
