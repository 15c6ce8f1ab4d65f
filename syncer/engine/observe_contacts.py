"""Read the contacts of each CRM, and search for contacts by their keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from syncer.contract.errors import Ambiguous, Missing
from syncer.domain.base import Base, Changes, within
from syncer.domain.cursors import LEFT, RECHECKED, UNSTORED
from syncer.domain.model import Record
from syncer.domain.operations import Action, OpState
from syncer.domain.snapshot import Seen
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext, for_each
from syncer.engine.linking import ambiguous_now
from syncer.engine.own_errors import for_everybody
from syncer.reconcile.contact_linking import Ambiguity
from syncer.reconcile.edits.rows import turn_after
from syncer.reconcile.left_out import Persons
from syncer.reconcile.other_contact import contacts_in_question
from syncer.reconcile.read_items import Need, ReadItem, What
from syncer.reconcile.reading_list import busy_links, lookup_is_due, records_of

CONTACTS_EVERY = timedelta(seconds=30)
"""Contacts are listed again after this time for each page but the first, so a small list is read in every run."""
MISSING_RECHECK = timedelta(minutes=10)
"""A contact that a search did not find is searched for again after this time: people may have added it since."""
AT_ONCE = 100
"""How many answers to lookups are stored together. Answers lost with a process are asked for again."""
RECHECKS = 50
"""How many ambiguous contacts a run asks for again, with one request each. There may be many for a long time."""


async def refresh_contacts(context: RunContext, connection: Connection) -> None:
    """Read the list of all contacts. The longer it is, the less often it is read."""
    capabilities = connection.adapter.capabilities
    if not capabilities.lists_contacts or not connection.usable:
        return
    # When the CRM merged two contacts, the tasks of one are on the other. A long list would tell that too late.
    await _read_again(context, connection, contacts_in_question(context.base, connection.system))
    cursor = f"contacts:{connection.system}"
    # Each page is a request, so a long list is too much for every run.
    known = [record for record in context.base.records.values() if record.system == connection.system]
    pages_but_one = max(0, (len(known) - 1) // capabilities.contacts_page)
    last = context.base.cursors.get(cursor)
    now = context.clock()
    if last is not None and within(datetime.fromisoformat(last), now, CONTACTS_EVERY * pages_but_one):
        return
    item = ReadItem(connection.system, What.LIST, "contacts", Need.OPEN)
    listing = await connection.attempt(connection.adapter.list_contacts(), item, whole=True)
    if listing is None:
        return
    connection.seen.unreadable += listing.unreadable
    # Read in this run, so nobody is asked once more before a create whether they are still who they were.
    context.confirmed |= {row.key for row in listing.rows}
    changed = {row.key: row for row in listing.rows if context.base.records.get(row.key) != row}
    # A single page is read in every run anyway. Storing the time would make every quiet run write.
    cursors = {cursor: now.isoformat()} if pages_but_one or last is None else {}
    if changed or cursors:
        context.record(Changes(records=changed, cursors=cursors))
    # People end an ambiguity by deleting or merging one of the contacts. That it is not listed any more proves nothing.
    ambiguous = _ambiguous(ambiguous_now(context), connection.system)
    await _read_again(context, connection, ambiguous | _refusing(context.base, connection.system))


def _ambiguous(doubts: Iterable[Ambiguity], system: str) -> set[tuple[str, str]]:
    """Return the contacts of this CRM that make a key ambiguous. If they are deleted, their keys are free."""
    return {key for doubt in doubts for key in doubt.records if key[0] == system}


async def _recheck_in_turn(context: RunContext, connection: Connection) -> None:
    """Read contacts that are ambiguous since this run, and from time to time some of the others.

    A twin is recognised only in the run that reads it first, so what is new must not wait for the next list.
    """
    ambiguous, refusing = _ambiguous(context.ambiguities, connection.system), _refusing(context.base, connection.system)
    doubtful = (ambiguous | refusing) - context.confirmed
    name, now = RECHECKED + connection.system, context.clock()
    at, _, last = context.base.cursors.get(name, "").partition(" ")
    waits = bool(at) and within(datetime.fromisoformat(at), now, MISSING_RECHECK)
    new = set[tuple[str, str]]()
    # A run that a limit stops does not store who is ambiguous. Then nobody is known to be new.
    if context.doubted is not None:
        new = doubtful - context.doubted - refusing
    await _read_again(context, connection, new)
    if waits or not (others := doubtful - new):
        return
    asked = sorted(others, key=lambda key: turn_after(last, key[1]))[:RECHECKS]
    # At once: a run that a limit stops stores no turns, and the next one would ask for them again.
    context.record(Changes(cursors={name: f"{now.isoformat()} {asked[-1][1]}"}))
    await _read_again(context, connection, asked)


async def _read_again(context: RunContext, connection: Connection, contacts: Collection[tuple[str, str]]) -> None:
    """Read these contacts by themselves, as far as no list of this run has shown them. Unlink those that are gone."""
    for key in sorted({*contacts} - context.confirmed)[:RECHECKS]:
        try:
            item = ReadItem(connection.system, What.CONTACT, key[1], Need.OPEN)
            record = await connection.attempt(connection.adapter.get_contact(key[1]), item)
        except Missing:
            take_away(context, context.base.records[key])
        else:
            if record is not None and record != context.base.records[key]:
                context.record(Changes(records={key: record}))
            context.confirmed |= {key} if record is not None else set()


def _refusing(base: Base, system: str) -> set[tuple[str, str]]:
    """Return the contacts for which this CRM has refused to create a task. They may be deleted."""
    refused = [one for one in base.operations.values() if one.state is OpState.PARKED and one.action is Action.CREATE]
    contacts = {(one.system, one.contact) for one in refused if one.system == system}
    # A contact that was found deleted has no keys left.
    return {key for key in contacts if (known := base.records.get(key)) and (known.phones or known.emails)}


def take_away(context: RunContext, record: Record) -> None:
    """Unlink a deleted contact. Its keys may belong to another contact now.

    Other records may have been linked only through its keys. They stay linked.
    """
    gone = replace(record, phones=(), emails=())
    link = context.base.links.get(record.key)
    name = f"{LEFT}{record.system}:{link}"
    before = context.base.cursors.get(name, "").split()
    # The people whom it joined are still one person, and these keys are all that shows it.
    left = {name: " ".join(dict.fromkeys((*before, *record.phones, *record.emails)))} if link is not None else {}
    # A link of its own instead of none, because a link is changed and never removed.
    context.record(Changes(records={gone.key: gone}, links={gone.key: context.new_id()}, cursors=left))


async def read_record(context: RunContext, connection: Connection, item: ReadItem) -> None:
    """Read one contact whose task was seen and that no list of contacts has shown yet."""
    try:
        record = await connection.attempt(connection.adapter.get_contact(item.key), item)
    except Missing:
        return
    if record is not None:
        context.record(Changes(records={record.key: record}))
        context.confirmed.add(record.key)


async def read_for_newcomers(context: RunContext, connection: Connection) -> None:
    """Read contacts of this CRM for contacts that only another CRM has shown."""
    lists = connection.adapter.capabilities.lists_contacts
    if lists and connection.usable and any(system == connection.system for system, _ in context.confirmed):
        # A key may be ambiguous only since then.
        await _recheck_in_turn(context, connection)
    await _find_missing(context, connection)


async def _find_missing(context: RunContext, connection: Connection) -> None:
    """Search by key for contacts of open tasks that this CRM seems not to have, because its list may be old."""
    capabilities = connection.adapter.capabilities
    if not capabilities.contact_keys or not capabilities.lists_contacts:
        return

    def keys(seen: Mapping[str, Seen], left_out: Collection[str]) -> dict[str, None]:
        base, seen = Persons(context.base, seen).to_read(left_out)
        have = {link for (system, _), link in base.links.items() if system == connection.system}
        found = [
            key
            for record in records_of(base, busy_links(base, seen) - have)
            for key in (*record.emails, *record.phones)
            if ("phone" if key.startswith("+") else "email") in capabilities.contact_keys
        ]
        return dict.fromkeys(found)

    wanted = await for_everybody(context, keys, reading=True)
    await look_up(context, connection, wanted, recheck=MISSING_RECHECK)


async def let_go(context: RunContext, connection: Connection, contact: str) -> None:
    """Unlink contacts that are gone.

    The CRM must confirm this twice: the contact does not exist, and none of its phone numbers leads to it. The CRM must
    also still know some other contact; if it knows none, it is probably another account. A contact that is found again
    by its number is linked again.
    """
    record = context.base.records.get((connection.system, contact))
    if record is None:
        return
    others = bool(connection.seen.lanes)
    for phone in record.phones:
        item = ReadItem(connection.system, What.LOOKUP, phone, Need.OPEN)
        found = await connection.attempt(connection.adapter.find_contacts(phone), item)
        # Its number still leads to it, so only the list of its tasks has failed.
        if found is None or record.key in {other.key for other in found}:
            return
        others = others or bool(found)
    # Whoever else is known may fail to be read for good. That must not keep a deleted contact for ever.
    if not (others or await _knows_an_unread_one(context, connection)):
        return
    if record.phones:
        take_away(context, record)
    # Its tasks are known now: there are none. Otherwise the whole person would wait for them.
    context.visits[record.key] = context.base.visits[record.key] = context.clock()
    name = f"{UNSTORED}{record.system}:{contact}"
    if context.base.cursors.get(name):
        context.record(Changes(cursors={name: ""}))


async def _knows_an_unread_one(context: RunContext, connection: Connection) -> bool:
    """Whether the CRM finds somebody by the number of a contact whose tasks could not be read when last tried."""
    unread = sorted(connection.failed.keys() | context.base.failing.keys())
    lanes = [(system, key) for system, what, key in unread if (system, what) == (connection.system, What.LANE.value)]
    records = [context.base.records[key] for key in lanes if key in context.base.records]
    for phone in (phone for record in records for phone in record.phones):
        item = ReadItem(connection.system, What.LOOKUP, phone, Need.OPEN)
        if await connection.attempt(connection.adapter.find_contacts(phone), item):
            return True
    return False


async def look_up(context: RunContext, connection: Connection, keys: Iterable[str], *, recheck: timedelta) -> None:
    """Search for contacts by key. No key is searched for again before ``recheck``, unless the last search was too early
    to find the contact that we created."""
    now, base, grace = context.clock(), context.base, context.policy.doubt_grace
    due = [key for key in keys if lookup_is_due(base, connection.system, key, now, recheck, grace)]
    items = [ReadItem(connection.system, What.LOOKUP, key, Need.OPEN) for key in due]
    # Keys that failed before come last, so that they delay no others.
    items.sort(key=lambda item: item.place in base.failing)

    async def look(item: ReadItem) -> None:
        if connection.usable and not connection.spent:
            await ask(context, connection, item)
        work.done += 1

    with context.progress.work(connection.system, "looking up contacts", len(items)) as work, context.learning():
        await for_each(items, look)


async def ask(context: RunContext, connection: Connection, item: ReadItem) -> None:
    """Search for the contacts with one key."""
    now, key = context.clock(), item.key
    found = await connection.attempt(find(context, connection, key), item)
    if found is None:
        return
    if found:
        context.learned.records |= {record.key: record for record in found}
        context.confirmed |= {record.key for record in found}
    else:
        context.learned.lookups[connection.system, key] = now
    context.store_learned(at_least=AT_ONCE)


async def find(context: RunContext, connection: Connection, key: str) -> tuple[Record, ...] | None:
    """Return the contacts with this key, or ``None`` if that is ambiguous; the ambiguity is reported.

    A search may lag and find a deleted contact, so each contact is read by itself. Raises what `find_contacts` raises.
    """
    try:
        found = await connection.adapter.find_contacts(key)
    except Ambiguous as error:
        who = sorted(record.key for record in context.base.records_with(key))
        system = connection.system
        tell(context, Ambiguity(tuple(who), (key,), system=system, words=error.words, crm=context.policy.crm(system)))
        return None
    if connection.adapter.capabilities.listing_lags:
        # A deleted contact that a search still finds would join people who have nothing in common any more.
        there = [record for one in found if (record := await _as_it_is(connection, one)) is not None]
        return tuple(record for record in there if key in (*record.phones, *record.emails))
    return tuple(_with_key(record, key) for record in found)


def tell(context: RunContext, doubt: Ambiguity) -> None:
    """Report an ambiguity that only a search of this run has shown. The stored records do not show it."""
    if doubt not in context.doubts:
        context.doubts.append(doubt)
        context.ambiguities += (doubt,)


async def _as_it_is(connection: Connection, record: Record) -> Record | None:
    try:
        return await connection.adapter.get_contact(record.remote_id)
    except Missing:
        return None


def _with_key(record: Record, key: str) -> Record:
    """Return the record with the key by which its CRM found it, even if the CRM writes that key in another way."""
    if key in (*record.phones, *record.emails):
        return record
    if key.startswith("+"):
        return replace(record, phones=(*record.phones, key))
    return replace(record, emails=(*record.emails, key))


async def recheck_doubtful(context: RunContext, connection: Connection) -> None:
    """Find out who has the keys of ambiguous contacts now, in a CRM without a list of contacts."""
    system = connection.system
    doubtful = [doubt for doubt in context.ambiguities if any(where == system for where, _ in doubt.records)]
    theirs = _ambiguous(doubtful, system)
    phones = {phone for key in theirs if key in context.base.records for phone in context.base.records[key].phones}
    asked = {key for doubt in doubtful for key in doubt.keys if key.startswith("+")}
    now = context.clock()

    async def look(phone: str) -> None:
        if connection.usable and not connection.spent:
            found = await connection.attempt(find(context, connection, phone), f"the contact {phone}")
            if found is not None:
                see_who_has(context, connection, phone, found)
                context.record(Changes(lookups={(system, phone): now}))

    lookups = context.base.lookups
    due = [
        (lookups.get((system, phone), now - MISSING_RECHECK), phone)
        for phone in phones | asked
        if (system, phone) not in lookups or not within(lookups[system, phone], now, MISSING_RECHECK)
    ]
    # Who was asked about longest ago comes first, so that many doubts have their turn.
    await for_each([phone for _, phone in sorted(due)[:RECHECKS]], look)


def see_who_has(context: RunContext, connection: Connection, key: str, found: Collection[Record]) -> None:
    """Store who has a key now, and that no other contact has it. If nobody was found, nothing follows."""
    records = {record.key: record for record in found}
    # A search that finds nobody may only be behind.
    if not records:
        return
    for record in context.base.records_with(key):
        if record.system == connection.system and record.key not in records and key in record.phones:
            records[record.key] = replace(record, phones=tuple(phone for phone in record.phones if phone != key))
    changed = {name: record for name, record in records.items() if context.base.records.get(name) != record}
    if changed:
        context.record(Changes(records=changed))
    context.confirmed |= {record.key for record in found}
