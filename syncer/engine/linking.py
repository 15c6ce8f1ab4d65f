"""Link the records of all CRMs that are one person, as far as something about them has changed.

All records of an account are linked once. After that, only some can change: those that a changed record is connected to
by keys and links, directly or through others, and those that were ambiguous.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable

from syncer.domain.base import Base, Changes
from syncer.domain.cursors import LEFT, LINKED, cursors_after
from syncer.engine import own_errors
from syncer.engine.context import RunContext
from syncer.reconcile.contact_linking import Ambiguity, Linked, RecordKey, link_records

MOST_IN_DOUBT = 1000
"""How many ambiguous records are stored by id to be linked again. If there are more, all records are linked again."""


def link(context: RunContext) -> None:
    """Link the records that are one person, and store what is ambiguous.

    Records of a CRM that is no longer in the account file are ignored.
    """
    who, linked, failing = _linked(context)
    context.ambiguous = _with_those_of_others(context, who, linked.ambiguities)
    context.ambiguities = (*context.ambiguous, *context.doubts)
    # The next run links them again, and finds the error as this one did.
    context.changed_records = failing
    if linked.links or linked.merged:
        cursors = cursors_after(context.base.cursors, linked.merged)
        context.record(Changes(links=linked.links, merged=linked.merged, cursors=cursors))


def link_alone(context: RunContext) -> None:
    """Give a link of its own to each contact with a task that shares no key with another contact.

    Such a person is read in full like every other, also if only one CRM has a contact.
    """
    base = context.base
    alone = {
        key
        for system, seen in context.seen.items()
        for row in seen.readings.values()
        if (key := (system, row.contact or "")) in base.records
        and key not in base.links
        and context.person(*key) not in context.left_out
    }
    if alone:
        context.record(Changes(links={key: context.new_id() for key in sorted(alone)}))


def ambiguous_now(context: RunContext) -> tuple[Ambiguity, ...]:
    """Return the ambiguities that `link` would find, without linking or storing anything."""
    who, linked, _ = _linked(context)
    return _with_those_of_others(context, who, linked.ambiguities)


def begin(context: RunContext) -> None:
    """Load which records the last run found ambiguous, if it linked everything that is known now."""
    accounts, _, doubtful = context.base.cursors.get(LINKED, "").partition(" ")
    # Another CRM, or another key to find people by, may join contacts that nothing joined before.
    if accounts == _accounts(context):
        context.changed_records = {(system, remote_id) for system, remote_id in json.loads(doubtful)}
        context.doubted = frozenset(context.changed_records)


def leave_for_the_next_run(context: RunContext) -> None:
    """Store what `begin` loads. `RunContext.record` deletes it with any later change of a contact."""
    again = {record for doubt in context.ambiguous for record in doubt.records} | (context.changed_records or set())
    # Nothing is stored then, and the next run links all records, which is always right.
    if context.changed_records is None or len(again) > MOST_IN_DOUBT:
        return
    value = f"{_accounts(context)} {json.dumps(sorted(again))}"
    if context.base.cursors.get(LINKED) != value:
        context.record(Changes(cursors={LINKED: value}))


def around(base: Base, records: Iterable[RecordKey]) -> set[RecordKey]:
    """Return these records and all that keys and links connect to them, directly or through others."""
    found = set(records)
    todo = list(found)
    while todo:
        fresh = base.neighbours(todo.pop()) - found
        # Along the whole chain: one key may join, or set apart, records that do not share it themselves.
        found |= fresh
        todo += fresh
    return found


def _linked(context: RunContext) -> tuple[set[RecordKey] | None, Linked, set[RecordKey]]:
    """Return the records that were linked again (``None`` for all of them), the result, and those that could not be.

    What cannot be linked because of an error of ours stays as it is, and its persons are left out of the run.
    """
    base, changed = context.base, context.changed_records
    if changed is not None and not changed:
        return set(), Linked(), set()
    who = None if changed is None else around(base, changed)
    among = {*base.records, *base.links} if who is None else who
    try:
        return who, _link_among(context, among, whole=who is None), set()
    except Exception as error:
        if own_errors.ends_the_run(error):
            raise
    found, failing, left = Linked(), set[RecordKey](), {*among}
    while left:
        # Whoever nothing connects with others can be linked alone.
        group = around(base, [min(left)])
        left -= group
        persons = {context.person(*key) for key in group}
        if not persons & context.left_out.keys():
            with own_errors.or_leave_out(context, *sorted(persons)):
                one = _link_among(context, group, whole=False)
                found.links |= one.links
                found.merged |= one.merged
                found.ambiguities += one.ambiguities
        if persons & context.left_out.keys():
            failing |= group
    return who, found, failing


def _link_among(context: RunContext, among: Collection[RecordKey], *, whole: bool) -> Linked:
    base = context.base
    # Sorted, because new links get their ids in this order, and a replayed history must get the same ones. A CRM that
    # was taken out of the account file keeps its records here, and is asked no more. They may be wrong by now.
    keys = [key for key in sorted(among) if key[0] in context.connections]
    records = {key: base.records[key] for key in keys if key in base.records}
    links = {key: base.links[key] for key in keys if key in base.links}
    by_phone = [system for system, able in context.capabilities.items() if "email" not in able.contact_keys]
    # The keys of a deleted contact count only until its person has another one there.
    there = {(link, system) for (system, _), link in links.items()}
    left = {
        link: [key for system, keys in of_link.items() if (link, system) not in there for key in keys]
        for link, of_link in _left_by_link(base, None if whole else {*links.values()}).items()
    }
    return link_records(records, links, context.new_id, by_phone=by_phone, left=left)


def _with_those_of_others(
    context: RunContext, who: set[RecordKey] | None, found: tuple[Ambiguity, ...]
) -> tuple[Ambiguity, ...]:
    """Return the ambiguities of these records, and the earlier ones of all others."""
    others = () if who is None else [doubt for doubt in context.ambiguous if who.isdisjoint(doubt.records)]
    return tuple(sorted((*others, *found), key=lambda doubt: (doubt.link or "", doubt.records, doubt.keys)))


def _left_by_link(base: Base, links: Collection[str] | None) -> dict[str, dict[str, list[str]]]:
    """Return the keys of deleted contacts by link and CRM, for all links or for these."""
    names = base.cursors if links is None else (name for link in links for name in base.cursors_about(link))
    left: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for name in names:
        if name.startswith(LEFT):
            system, _, link = name.removeprefix(LEFT).partition(":")
            left[link][system] = base.cursors[name].split()
    return left


def _accounts(context: RunContext) -> str:
    """Return for which CRMs all records were linked, and by which keys those find people."""
    able = context.capabilities.items()
    return ",".join(sorted(f"{system}:{'+'.join(sorted(can.contact_keys))}" for system, can in able))
