"""Who is there: the contacts of each CRM read, found by their keys, and joined to persons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from adapters.base import Missing
from syncer.contacts import link_records
from syncer.context import Connection, RunContext, for_each
from syncer.model import Record, State
from syncer.state import Changes, within

CONTACTS_EVERY = timedelta(seconds=30)
"""Contacts are listed again after this long for each page but the first: a small list with every run."""
MISSING_RECHECK = timedelta(minutes=10)


def link(context: RunContext) -> None:
    """Join the records that are one person, and remember what is ambiguous.

    What was known of a CRM that is in the account file no longer joins nobody, and is in nobody's way.
    """
    records = {key: record for key, record in context.base.records.items() if key[0] in context.connections}
    links = {key: link for key, link in context.base.links.items() if key[0] in context.connections}
    linked = link_records(records, links, context.new_id)
    context.ambiguities = linked.ambiguities
    if linked.links or linked.merged:
        context.record(Changes(links=linked.links, merged=linked.merged))


async def refresh_contacts(context: RunContext, connection: Connection) -> None:
    """The list of all contacts, the more seldom the longer it is."""
    capabilities = connection.adapter.capabilities
    if not capabilities.lists_contacts or not connection.usable:
        return
    cursor = f"contacts:{connection.system}"
    known = [record for record in context.base.records.values() if record.system == connection.system]
    pages_but_one = max(0, (len(known) - 1) // capabilities.contacts_page)
    last = context.base.cursors.get(cursor)
    now = context.clock()
    if last is not None and within(datetime.fromisoformat(last), now, CONTACTS_EVERY * pages_but_one):
        return
    listing = await connection.attempt(connection.adapter.list_contacts(), "the list of contacts", whole=True)
    if listing is None:
        return
    connection.seen.unreadable += listing.unreadable
    changed = {row.key: row for row in listing.rows if context.base.records.get(row.key) != row}
    # A single page is read with every run: storing when would make a quiet run write.
    cursors = {cursor: now.isoformat()} if pages_but_one or last is None else {}
    if changed or cursors:
        context.record(Changes(records=changed, cursors=cursors))
    await _recheck_doubtful(context, connection, {row.key for row in listing.rows})


async def _recheck_doubtful(context: RunContext, connection: Connection, listed: set[tuple[str, str]]) -> None:
    """Contacts that make a key ambiguous but are no longer listed: if they are gone, their keys are free."""
    ambiguities = link_records(context.base.records, context.base.links, lambda: "").ambiguities
    doubtful = {key for doubt in ambiguities for key in doubt.records if key[0] == connection.system}
    for key in sorted(doubtful - listed):
        try:
            await connection.attempt(connection.adapter.get_contact(key[1]), f"contact {key[1]}")
        except Missing:
            _take_away(context, context.base.records[key])


def _take_away(context: RunContext, record: Record) -> None:
    """A contact that is gone is its person's no longer, and its keys may be another one's now."""
    gone = replace(record, phones=(), emails=())
    context.record(Changes(records={gone.key: gone}, links={gone.key: context.new_id()}))


async def read_contacts(context: RunContext, connection: Connection) -> None:
    """The contacts of tasks that no list of contacts has shown yet."""
    wanted = {row.contact for row in connection.seen.readings.values() if row.contact is not None and row.mirrored}
    unknown = sorted(contact for contact in wanted if (connection.system, contact) not in context.base.records)

    async def read(contact: str) -> None:
        if not connection.usable or connection.spent:
            return
        try:
            record = await connection.attempt(connection.adapter.get_contact(contact), f"contact {contact}")
        except Missing:
            return
        if record is not None:
            context.record(Changes(records={record.key: record}))

    await for_each(unknown, read)


async def find_missing(context: RunContext, connection: Connection) -> None:
    """Contacts of open tasks that this CRM seems not to have: asked for by key, where its list may be old."""
    capabilities = connection.adapter.capabilities
    if not capabilities.contact_keys or not capabilities.lists_contacts:
        return
    have = {link for (system, _), link in context.base.links.items() if system == connection.system}
    wanted = links_with_open_tasks(context) - have
    by_email = [
        key
        for record in records_of(context, wanted)
        for key in (*record.emails, *record.phones)
        if ("phone" if key.startswith("+") else "email") in capabilities.contact_keys
    ]
    await look_up(context, connection, dict.fromkeys(by_email), recheck=MISSING_RECHECK)


async def let_go(context: RunContext, connection: Connection, contact: str) -> None:
    """Take a contact that is gone from its person, whose number may have another one now.

    Its CRM must say so twice: that it has no such contact, and that none of its numbers leads to it. And it must know
    any other contact: one that knows nobody is another CRM than before. If the contact turns up again, by its number,
    it is joined again.
    """
    record = context.base.records.get((connection.system, contact))
    if record is None:
        return
    others = bool(connection.seen.lanes)
    for phone in record.phones:
        found = await connection.attempt(connection.adapter.find_contacts(phone), f"the contact {phone}")
        if found is None or record.key in {other.key for other in found}:
            return
        others = others or bool(found)
    if not others:
        return
    if record.phones:
        _take_away(context, record)
    context.visits[record.key] = context.base.visits[record.key] = context.clock()


async def look_up(context: RunContext, connection: Connection, keys: Iterable[str], *, recheck: timedelta) -> None:
    """Ask for contacts by key, none again before ``recheck``, unless it was too early to see what we had made."""
    now = context.clock()

    def due(key: str) -> bool:
        asked = context.base.lookups.get((connection.system, key))
        if asked is None or not within(asked, now, recheck):
            return True
        sent = context.base.asked_to_make(connection.system, key)
        return sent is not None and sent <= now and asked < sent + context.policy.doubt_grace

    async def ask(key: str) -> None:
        if not connection.usable or connection.spent:
            return
        found = await connection.attempt(connection.adapter.find_contacts(key), f"the contact {key}")
        if found is None:
            return
        if found:
            context.record(Changes(records={record.key: _with_key(record, key) for record in found}))
        else:
            context.record(Changes(lookups={(connection.system, key): now}))

    await for_each([key for key in keys if due(key)], ask)


def _with_key(record: Record, key: str) -> Record:
    """A record has the key by which its CRM found it, however that CRM writes it."""
    if key in (*record.phones, *record.emails):
        return record
    if key.startswith("+"):
        return replace(record, phones=(*record.phones, key))
    return replace(record, emails=(*record.emails, key))


def links_with_open_tasks(context: RunContext) -> set[str]:
    """Links that have something open, as far as is known now: in the ledger, or in a list just read."""
    open_now = {task.contact for task in context.base.tasks.values() if task.state is State.OPEN}
    for connection in context.connections.values():
        for reading in connection.seen.readings.values():
            key = (connection.system, reading.contact or "")
            if reading.state is State.OPEN and key in context.base.records:
                open_now.add(context.base.links.get(key) or f"{key[0]}:{key[1]}")
    return open_now


def records_of(context: RunContext, links: set[str]) -> list[Record]:
    """The records of these links; a record that is linked to nobody is its own link."""
    return [
        record
        for key, record in sorted(context.base.records.items())
        if (context.base.links.get(key) or f"{key[0]}:{key[1]}") in links
    ]
