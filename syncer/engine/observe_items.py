"""Read one item of the reading list, or a list of all tasks, into ``seen``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from syncer.contract.adapter import ListsTasks
from syncer.contract.errors import Missing
from syncer.domain.model import Listing, Reading, ReplicaState, TaskRef
from syncer.domain.snapshot import Seen, untold_of, with_times
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.kept_texts import kept_text
from syncer.engine.observe_contacts import ask, read_record
from syncer.engine.observe_persons import read_person
from syncer.engine.own_errors import for_everybody
from syncer.reconcile.edits.rows import says_something_new
from syncer.reconcile.failing import is_given_up, place_of_task, told_apart
from syncer.reconcile.left_out import Persons
from syncer.reconcile.read_items import Need, ReadItem, What
from syncer.reconcile.reading_list import items_of


def lists_all(connection: Connection) -> bool:
    """Whether one list shows all tasks of the account. Otherwise each contact's tasks are read."""
    return connection.adapter.capabilities.lists_tasks is ListsTasks.ALL


async def items_to_read(
    context: RunContext,
    connection: Connection,
    stages: Collection[int],
    named: Collection[tuple[str, str]],
    persons: Collection[str],
    turns: int,
) -> list[ReadItem]:
    """Return what could be read now in this CRM. See `syncer.reconcile.reading_list.items_of`."""

    def listed(seen: Mapping[str, Seen], left_out: Collection[str]) -> list[ReadItem]:
        base, seen = Persons(context.base, seen).to_read(left_out)
        return items_of(
            connection.system,
            base,
            seen,
            connection.adapter.capabilities,
            now=context.clock(),
            grace=context.policy.doubt_grace,
            named=named,
            persons=[person for person in persons if person not in left_out],
            stages=stages,
            edits=context.policy.edits,
            turns=turns,
        )

    return await for_everybody(context, listed, reading=True)


def whose(context: RunContext, item: ReadItem) -> tuple[str, ...]:
    """Return the persons of this item: more than one if the number that is searched for is theirs."""
    if item.what is What.LOOKUP:
        return tuple(sorted({context.person(*one.key) for one in context.base.records_with(item.key)}))
    copy = context.base.replicas.get((item.system, item.key)) if item.what is What.TASK else None
    contact = item.contact or (copy.contact if copy else "") if item.what is What.TASK else item.key
    return (Persons(context.base, {}).of(item.system, contact, item.key),)


async def read_item(context: RunContext, connection: Connection, item: ReadItem, gone: list[str]) -> None:
    """Read an item of any kind. Contacts that their CRM reports as missing are added to ``gone``."""
    match item.what:
        case What.TASK:
            await _read_task(context, connection, item)
        case What.CONTACT:
            await read_record(context, connection, item)
        case What.LOOKUP:
            await ask(context, connection, item)
        case What.LANE:
            await _read_lane(context, connection, item, gone)
        case What.PERSON if lists_all(connection):
            await read_person(context, connection, item)
        case What.PERSON:
            await _read_person_by_lane(context, connection, item.key, gone)


async def _read_task(context: RunContext, connection: Connection, item: ReadItem) -> None:
    """Read one task, even if its contact was merged into another contact of the person."""
    seen, reading = connection.seen, None
    refs = [TaskRef(item.system, item.key, item.contact)]
    for ref in refs:
        try:
            reading = await connection.attempt(connection.adapter.get_task(ref), item)
            break
        except Missing:
            # Where a task is addressed by its contact, it is not found under the one that was merged away, nor under
            # one that a list shows which is behind.
            if len(refs) == 1:
                refs += [TaskRef(item.system, item.key, contact) for contact in _elsewhere(context, item)]
            if ref != refs[-1]:
                continue
            # A row of an older list may stand there, and the read of the task itself counts more.
            seen.readings.pop(item.key, None)
            seen.missing.add(item.key)
    if reading is not None:
        row = seen.rows.get(item.key)
        seen.readings[item.key] = with_times(reading, row)
        if row is not None:
            connection.read_alone[item.key] = (row, reading)


def _elsewhere(context: RunContext, item: ReadItem) -> list[str]:
    """Return where else the task may be: at the contact where it was last seen, and at that of the task's person."""
    base = context.base
    replica = base.replicas.get((item.system, item.key))
    if replica is None:
        return []
    person = base.tasks[replica.task].contact
    theirs = [contact for system, contact in base.contacts_of(person) if system == item.system]
    places = dict.fromkeys((replica.contact, *theirs[-1:]))
    return [contact for contact in places if contact and contact != item.contact]


async def _read_lane(context: RunContext, connection: Connection, item: ReadItem, gone: list[str]) -> None:
    seen, contact = connection.seen, item.key
    read_at = context.clock()
    try:
        listing = await connection.attempt(connection.adapter.list_contact_tasks(contact), item)
    except Missing:
        seen.missing |= _open_replicas(context, connection.system, contact)
        gone.append(contact)
        return
    if listing is None:
        return
    place = (connection.system, contact)
    given_up = is_given_up(context.base, item.place, failed_now=True)
    if listing.unreadable:
        _read_damaged(context, connection, item, listing)
        if place not in context.base.visits and not given_up:
            return
    found_now = place not in context.base.visits
    # Stored with what is merged from it: until then, this person is one whose tasks were never all read.
    context.visits[place] = read_at
    if listing.unreadable and (connection.adapter.capabilities.lane is not None or not given_up):
        return
    seen.lanes[contact] = listing.rows
    # Whoever is new is written to in this run already, and this list is new enough for that.
    if found_now:
        connection.has_listed(contact)
    seen.readings.update({row.remote_id: row for row in listing.rows})
    # A copy may be among the rows that could not be understood.
    if not listing.unreadable:
        seen.missing |= _open_replicas(context, connection.system, contact) - {row.remote_id for row in listing.rows}


def _read_damaged(context: RunContext, connection: Connection, item: ReadItem, listing: Listing[Reading]) -> None:
    """Use the readable rows of one contact's tasks, of which others could not be understood.

    Nothing is written in such a lane, because its top and its slot are not known. Where there are no lanes, nothing is
    created for the contact until this has failed in several runs, and then only what may be one of these rows waits.
    """
    seen, lane_policy = connection.seen, connection.adapter.capabilities.lane
    seen.unreadable += listing.unreadable
    if lane_policy is None:
        seen.untold |= untold_of(listing.unreadable)
    words = f"{len(listing.unreadable)} of them could not be understood"
    connection.note(item, words if lane_policy is None else f"{words}, so nothing is written there")
    context.extend(listing.rows)
    known = (connection.system, item.key) in context.base.visits
    new = known or is_given_up(context.base, item.place, failed_now=True)
    window = lane_policy.supersede_window if lane_policy is not None else timedelta(0)
    rows = told_apart(listing.rows, listing.unreadable, window, context.base.replicas, new=new)
    seen.readings.update({row.remote_id: row for row in rows})


async def _read_person_by_lane(context: RunContext, connection: Connection, contact: str, gone: list[str]) -> None:
    lane = ReadItem(connection.system, What.LANE, contact, Need.OPEN)
    if lane.place not in connection.asked:
        connection.asked.add(lane.place)
        await _read_lane(context, connection, lane, gone)
    if contact in connection.seen.lanes:
        connection.seen.persons[contact] = connection.seen.lanes[contact]
        context.extend(connection.seen.lanes[contact], whole=True)


def _open_replicas(context: RunContext, system: str, contact: str) -> set[str]:
    return {
        replica.remote_id for replica in context.base.replicas_of(system, contact) if replica.state is ReplicaState.OPEN
    }


async def list_tasks(context: RunContext, connection: Connection) -> None:
    """Read the list of all tasks. Rows that agree with the ledger are taken as read."""
    if not connection.usable:
        return
    item = ReadItem(connection.system, What.LIST, "tasks", Need.OPEN)
    listing = await connection.attempt(connection.adapter.list_tasks(), item, whole=True)
    if listing is None:
        return
    seen = connection.seen
    seen.listed = True
    seen.unreadable += listing.unreadable
    # What settling could not decide is decided anew from what is read from here on.
    seen.unread = set()
    context.extend(listing.rows)
    seen.rows = {row.remote_id: row for row in listing.rows}
    base = context.base
    # A row of a list may be old. Until the task itself was read, the row changes nothing.
    seen.readings.clear()
    can, edits = connection.adapter.capabilities, context.policy.edits

    def believed(_seen: Mapping[str, Seen], left_out: Collection[str]) -> list[tuple[Reading, Reading | None]]:
        """Return the rows that are taken as read, each with its text if an earlier run kept that."""
        rows = Persons(base, {}).others(listing.rows, left_out)
        told = [row for row in rows if row.key not in base.replicas or not says_something_new(base, row, can, edits)]
        return [(row, None if row.key in base.replicas else kept_text(context, row)) for row in told]

    for row, whole in await for_everybody(context, believed, reading=True):
        seen.readings[row.remote_id] = whole or row
        if whole is not None:
            connection.asked.add(place_of_task(*row.key))
