"""Read every connection of an account into observations.

What has to be read is chosen by need, for the CRMs' request budgets are what is scarce: whole lists where a CRM
has them; the tasks that changed, one by one; lanes with something to do before lanes in turn. An absence is
always turned into a read of the one task that is absent; nothing else may be concluded from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog

from adapters.base import ListsTasks, Missing
from syncer.context import Connection, RunContext, for_each, together
from syncer.model import Reading, Record, Replica, ReplicaState, State, TaskRef
from syncer.observations import ConnectionState
from syncer.observecontacts import (
    find_missing,
    let_go,
    link,
    links_with_open_tasks,
    look_up,
    read_contacts,
    records_of,
    refresh_contacts,
)
from syncer.reasons import Item, Reason
from syncer.state import EVERYBODY, UNSETTLED

_log = structlog.get_logger("syncer.observe")

READING_SHARE = 0.5
"""Of a run's time: so that a first run with much to read still writes something."""


async def observe(context: RunContext, *, pause: timedelta) -> None:
    """Fill every connection's ``seen``. ``pause`` is the time between two runs, of which quiet leads may take half."""
    listing = [c for c in context.connections.values() if c.adapter.capabilities.lists_tasks is ListsTasks.ALL]
    by_lane = [c for c in context.connections.values() if c not in listing]
    for connection in context.connections.values():
        connection.adapter.wire.set_deadline(context.time_left(READING_SHARE))
    await together(_observe_list(context, connection) for connection in listing)
    link(context)
    await together(_observe_lanes(context, connection, pause) for connection in by_lane)
    await together(find_missing(context, connection) for connection in context.connections.values())
    link(context)
    for connection in context.connections.values():
        connection.adapter.wire.set_deadline(context.time_left())
        # What was spent is the share for reading: the rest of the run's time is for writing.
        connection.spent = False


# CRMs that list all tasks ----------------------------------------------------------------------------


async def _observe_list(context: RunContext, connection: Connection) -> None:
    await refresh_contacts(context, connection)
    if not connection.usable:
        return
    listing = await connection.attempt(connection.adapter.list_tasks(), "the list of tasks", whole=True)
    if listing is None:
        return
    seen = connection.seen
    seen.listed = True
    seen.unreadable += listing.unreadable
    context.extend(listing.rows)
    seen.readings = {row.remote_id: row for row in listing.rows}
    await _read_vanished(context, connection)
    await _read_changed(context, connection)
    await read_contacts(context, connection)


async def _read_vanished(context: RunContext, connection: Connection) -> None:
    """Open replicas that the list no longer shows: each is read by itself before anything is said of it."""
    vanished = [
        replica
        for replica in context.base.replicas.values()
        if replica.system == connection.system
        and replica.state in {ReplicaState.OPEN, ReplicaState.GONE}
        and replica.remote_id not in connection.seen.readings
        and not (replica.state is ReplicaState.GONE and context.base.tasks[replica.task].state is not State.OPEN)
    ]
    refs = [TaskRef(replica.system, replica.remote_id, replica.contact) for replica in vanished]
    await for_each(refs, lambda ref: _read_one(connection, ref))
    missing = [replica for replica in vanished if replica.remote_id in connection.seen.missing]
    moved = _elsewhere(context, missing) if missing else []
    connection.seen.missing -= {ref.remote_id for ref in moved}
    await for_each(moved, lambda ref: _read_one(connection, ref))


def _elsewhere(context: RunContext, missing: list[Replica]) -> list[TaskRef]:
    """Where tasks may be now whose contact was merged into another one, which is the person's by now."""
    contacts = {(link, system): remote_id for (system, remote_id), link in context.base.links.items()}
    refs = []
    for replica in missing:
        contact = contacts.get((context.base.tasks[replica.task].contact, replica.system))
        if contact is not None and contact != replica.contact:
            refs.append(TaskRef(replica.system, replica.remote_id, contact))
    return refs


async def _read_changed(context: RunContext, connection: Connection) -> None:
    """Rows that say something new, the earliest due first; until it is read, an unknown one blocks its contact."""
    changed = [row for row in connection.seen.readings.values() if _says_something_new(context, row)]
    for row in changed:
        if row.key not in context.base.replicas and row.contact is not None:
            connection.seen.unread.add(row.contact)
        elif row.key in context.base.replicas:
            # Until the task itself confirms it, a list's row changes nothing.
            del connection.seen.readings[row.remote_id]
    changed.sort(key=lambda row: (row.due is None, row.due or context.clock(), row.remote_id))
    refs = [TaskRef(row.system, row.remote_id, row.contact or "") for row in changed]
    await for_each(refs, lambda ref: _read_one(connection, ref))
    still_unread = [
        row
        for row in connection.seen.readings.values()
        if not row.whole and row.mirrored and row.key not in context.base.replicas
    ]
    connection.seen.unread = {row.contact for row in still_unread if row.contact is not None}
    everybody = (connection.system, EVERYBODY)
    if not still_unread and everybody not in context.base.visits:
        # Known from the next run on: in this one, nothing of the list had been read before.
        context.visits[everybody] = context.clock()
    if connection.spent or not connection.usable:
        reason = Reason.BUDGET if connection.spent else Reason.UNAVAILABLE
        context.waiting += [
            Item(None, connection.system, reason, f"{row.system} task {row.remote_id}") for row in still_unread
        ]
    context.extend(connection.seen.readings.values())


def _says_something_new(context: RunContext, row: Reading) -> bool:
    if row.whole or not row.mirrored or row.contact is None:
        return False
    replica = context.base.replicas.get(row.key)
    if replica is None or replica.state is not ReplicaState.OPEN:
        return True
    if replica.made:
        return False
    task = context.base.tasks[replica.task]
    rewritten = row.system == task.origin and row.body is not None and row.body != task.body
    return rewritten or row.due != replica.due or (row.title is not None and row.title != replica.title)


async def _read_one(connection: Connection, ref: TaskRef) -> None:
    if not connection.usable or connection.spent:
        return
    try:
        reading = await connection.attempt(connection.adapter.get_task(ref), f"task {ref.remote_id}")
    except Missing:
        connection.seen.readings.pop(ref.remote_id, None)
        connection.seen.missing.add(ref.remote_id)
    else:
        if reading is not None:
            connection.seen.readings[ref.remote_id] = reading


# CRMs that list one contact's tasks ------------------------------------------------------------------


async def _observe_lanes(context: RunContext, connection: Connection, pause: timedelta) -> None:
    """What may hold a completion is read first; new leads are looked for, and quiet ones read, with what is left."""
    if not connection.usable:
        return
    connection.seen.listed = True
    # Each has a part of the time for reading, or many leads in use would keep new ones from ever being found.
    connection.adapter.wire.set_deadline(context.time_left(READING_SHARE / 2))
    await _read_urgent(context, connection)
    connection.spent = False
    connection.adapter.wire.set_deadline(context.time_left(READING_SHARE))
    for phones in (_phones_of_busy, _phones_of_all):
        recheck = connection.adapter.capabilities.contact_recheck
        await look_up(context, connection, phones(context, connection), recheck=recheck)
        link(context)
        await _read_lanes(context, connection, _leads_never_read(context, connection))
    await _read_urgent(context, connection)
    _stop_if_silent(context, connection)
    if connection.usable and not connection.spent:
        allowance = pause.total_seconds() / 2
        left = context.time_left(READING_SHARE)
        connection.adapter.wire.set_deadline(allowance if left is None else min(allowance, left))
        _, quiet = _leads_by_need(context, connection)
        await _read_lanes(context, connection, quiet)


def _stop_if_silent(context: RunContext, connection: Connection) -> None:
    """A CRM of which no lead could be read is unavailable, however few were asked for."""
    failed = [*connection.seen.unreadable, *connection.seen.unreached]
    if failed and not any(system == connection.system for system, _ in context.visits):
        connection.stop(ConnectionState.UNAVAILABLE, failed[-1].detail)


async def _read_urgent(context: RunContext, connection: Connection) -> None:
    urgent, _ = _leads_by_need(context, connection)
    await _read_lanes(context, connection, [contact for contact in urgent if contact not in connection.seen.lanes])


def _leads_never_read(context: RunContext, connection: Connection) -> list[str]:
    leads = [key for key in sorted(context.base.records) if key[0] == connection.system]
    return [contact for system, contact in leads if (system, contact) not in context.base.visits]


def _phones_of_busy(context: RunContext, connection: Connection) -> list[str]:
    """Phones, without a lead so far, of contacts that have an open task."""
    return _phones(context, connection, records_of(context, links_with_open_tasks(context)))


def _phones_of_all(context: RunContext, connection: Connection) -> list[str]:
    """Those of all contacts, where all are watched."""
    watched = connection.adapter.capabilities.watches_all_contacts
    return _phones(context, connection, context.base.records.values() if watched else ())


def _phones(context: RunContext, connection: Connection, records: Iterable[Record]) -> list[str]:
    leads = [record for record in context.base.records.values() if record.system == connection.system]
    known = {phone for lead in leads for phone in lead.phones}
    others = [record for record in records if record.system != connection.system]
    return list(dict.fromkeys(phone for record in others for phone in record.phones if phone not in known))


def _leads_by_need(context: RunContext, connection: Connection) -> tuple[list[str], list[str]]:
    """Leads to be read in any case, and the others, those read longest ago first."""
    system, base = connection.system, context.base
    busy = links_with_open_tasks(context)
    urgent = {r.contact for r in base.replicas.values() if r.system == system and r.state is ReplicaState.OPEN}
    urgent |= {op.contact for op in base.operations.values() if op.system == system and op.state in UNSETTLED}
    quiet = []
    never = context.clock() - timedelta(days=10_000)
    for where, contact in sorted(base.records):
        if where != system or contact in urgent:
            continue
        if base.links.get((system, contact)) in busy or (system, contact) not in base.visits:
            urgent.add(contact)
        else:
            quiet.append(contact)

    def last_visit(contact: str) -> tuple[datetime, str]:
        return (base.visits.get((system, contact), never), contact)

    # More leads may be urgent than one run can read: without a turn, the last of them would never have one.
    return sorted(urgent, key=last_visit), sorted(quiet, key=last_visit)


async def _read_lanes(context: RunContext, connection: Connection, contacts: list[str]) -> None:
    read_at = context.clock()
    gone: list[str] = []

    async def read(contact: str) -> None:
        if not connection.usable or connection.spent:
            return
        try:
            reading = connection.adapter.list_contact_tasks(contact)
            listing = await connection.attempt(reading, f"the tasks of contact {contact}")
        except Missing:
            connection.seen.missing |= _open_replicas(context, connection.system, contact)
            gone.append(contact)
            return
        if listing is None:
            return
        if (connection.system, contact) not in context.base.visits:
            connection.seen.first_read.add(contact)
        context.visits[connection.system, contact] = context.base.visits[connection.system, contact] = read_at
        if listing.unreadable:
            connection.seen.unreadable += listing.unreadable
            return
        connection.seen.lanes[contact] = listing.rows
        connection.seen.readings.update({row.remote_id: row for row in listing.rows})
        connection.seen.missing |= _open_replicas(context, connection.system, contact) - {
            row.remote_id for row in listing.rows
        }

    await for_each(contacts, read)
    for contact in gone:
        await let_go(context, connection, contact)
    context.extend(connection.seen.readings.values())


def _open_replicas(context: RunContext, system: str, contact: str) -> set[str]:
    return {
        replica.remote_id
        for replica in context.base.replicas.values()
        if replica.system == system and replica.contact == contact and replica.state is ReplicaState.OPEN
    }
