"""Who is one person: the records of all CRMs joined, as far as anything about them has changed.

Everybody is looked at once for an account. From then on it is enough to look at those whom a change leads to, by a key
or a link, however often removed, and at those who were ambiguous: nobody else's keys meet theirs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable

from syncer.domain.base import Base, Changes
from syncer.domain.cursors import LEFT, LINKED, cursors_after
from syncer.engine.context import RunContext
from syncer.reconcile.contact_linking import Ambiguity, Linked, RecordKey, link_records

MOST_IN_DOUBT = 1000
"""So many records are remembered by name to be looked at again; where there are more, everybody is."""


def link(context: RunContext) -> None:
    """Join the records that are one person, and remember what is ambiguous.

    What was known of a CRM that is in the account file no longer joins nobody, and is in nobody's way.
    """
    who, linked = _linked(context)
    context.ambiguous = _with_those_of_others(context, who, linked.ambiguities)
    context.ambiguities = (*context.ambiguous, *context.doubts)
    context.changed_records = set()
    if linked.links or linked.merged:
        cursors = cursors_after(context.base.cursors, linked.merged)
        context.record(Changes(links=linked.links, merged=linked.merged, cursors=cursors))


def ambiguous_now(context: RunContext) -> tuple[Ambiguity, ...]:
    """What `link` would tell; nothing is joined, and nothing remembered."""
    who, linked = _linked(context)
    return _with_those_of_others(context, who, linked.ambiguities)


def begin(context: RunContext) -> None:
    """Take up what the last run left: whom it could not tell apart, where it looked at all that is known now."""
    accounts, _, doubtful = context.base.cursors.get(LINKED, "").partition(" ")
    if accounts == _accounts(context):
        context.changed_records = {(system, remote_id) for system, remote_id in json.loads(doubtful)}


def leave_for_the_next_run(context: RunContext) -> None:
    """Store what `begin` takes up; `RunContext.record` takes it back with whatever changes a contact afterwards."""
    again = {record for doubt in context.ambiguous for record in doubt.records} | (context.changed_records or set())
    if context.changed_records is None or len(again) > MOST_IN_DOUBT:
        return
    value = f"{_accounts(context)} {json.dumps(sorted(again))}"
    if context.base.cursors.get(LINKED) != value:
        context.record(Changes(cursors={LINKED: value}))


def around(base: Base, records: Iterable[RecordKey]) -> set[RecordKey]:
    """These, and everybody to whom keys and links lead from them, one after another."""
    found = set(records)
    todo = list(found)
    while todo:
        fresh = base.neighbours(todo.pop()) - found
        found |= fresh
        todo += fresh
    return found


def _linked(context: RunContext) -> tuple[set[RecordKey] | None, Linked]:
    """Those who were looked at, ``None`` for everybody, and who of them is one person."""
    base, changed = context.base, context.changed_records
    if changed is not None and not changed:
        return set(), Linked()
    who = None if changed is None else around(base, changed)
    among = sorted({*base.records, *base.links} if who is None else who)
    keys = [key for key in among if key[0] in context.connections]
    records = {key: base.records[key] for key in keys if key in base.records}
    links = {key: base.links[key] for key in keys if key in base.links}
    by_phone = [system for system, able in context.capabilities.items() if "email" not in able.contact_keys]
    there = {(link, system) for (system, _), link in links.items()}
    left = {
        link: [key for system, keys in of_link.items() if (link, system) not in there for key in keys]
        for link, of_link in _left_by_link(base, None if who is None else {*links.values()}).items()
    }
    return who, link_records(records, links, context.new_id, by_phone=by_phone, left=left)


def _with_those_of_others(
    context: RunContext, who: set[RecordKey] | None, found: tuple[Ambiguity, ...]
) -> tuple[Ambiguity, ...]:
    """What is ambiguous of these, and what was of everybody else."""
    others = () if who is None else [doubt for doubt in context.ambiguous if who.isdisjoint(doubt.records)]
    return tuple(sorted((*others, *found), key=lambda doubt: (doubt.link or "", doubt.records, doubt.keys)))


def _left_by_link(base: Base, links: Collection[str] | None) -> dict[str, dict[str, list[str]]]:
    """By link and CRM, the keys of contacts that are gone; of all links, or of these."""
    names = base.cursors if links is None else (name for link in links for name in base.cursors_about(link))
    left: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for name in names:
        if name.startswith(LEFT):
            system, _, link = name.removeprefix(LEFT).partition(":")
            left[link][system] = base.cursors[name].split()
    return left


def _accounts(context: RunContext) -> str:
    """Of which CRMs everybody was looked at, and by which keys they find people."""
    able = context.capabilities.items()
    return ",".join(sorted(f"{system}:{'+'.join(sorted(can.contact_keys))}" for system, can in able))
