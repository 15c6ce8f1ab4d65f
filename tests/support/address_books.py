"""Small address books, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from syncer.domain.model import Record
from syncer.reconcile.contact_linking import Linked, RecordKey, link_records
from tests.support.strategies import fresh_ids

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
