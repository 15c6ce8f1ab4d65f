"""Read all tasks of one person in one CRM: open and closed ones, with the texts that are needed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Final

from syncer.contract.adapter import ListsTasks
from syncer.contract.errors import Missing
from syncer.domain.cursors import UNFINISHED
from syncer.domain.model import Reading, State, TaskRef, Unreadable
from syncer.domain.snapshot import Seen, with_times
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext, for_each
from syncer.engine.kept_texts import keep_texts, kept_text
from syncer.engine.own_errors import for_everybody
from syncer.reconcile.apart import still_apart
from syncer.reconcile.failing import is_given_up, place_of_task
from syncer.reconcile.read_items import Need, Place, ReadItem, What
from syncer.reconcile.standing import Standing

CLOSED_READ: Final = 20
"""How many closed tasks of one contact are read by themselves, the newest first. Each takes a request."""

AT_ONCE: Final = 8
"""From so many contacts on, their tasks are read together if the CRM can. The attempt itself costs requests."""


async def persons_to_read(context: RunContext) -> list[str]:
    """Return the persons whose tasks are to be read in full, and note the places that the markers name."""
    persons = await for_everybody(context, partial(_to_read, context))
    context.named = Standing(context.base, context.seen, context.capabilities, context.policy).named_places()
    return persons


def _to_read(context: RunContext, seen: Mapping[str, Seen], left_out: Collection[str]) -> list[str]:
    standing = Standing(context.base, seen, context.capabilities, context.policy)
    persons = [person for person in standing.persons_to_read() if person not in left_out]
    waiting = still_apart(context.base, seen, standing, persons)
    # Who is apart was read in full before. Until people correct the contacts, reading them again tells nothing new.
    return [person for person in persons if person not in waiting]


async def read_at_once(connection: Connection, contacts: Collection[str]) -> None:
    """Read the lists of these contacts with fewer requests, if their CRM can. It may return none of them."""
    if len(contacts) >= AT_ONCE and connection.usable:
        reading = connection.adapter.list_tasks_of(contacts)
        connection.listed_at_once = await connection.attempt(reading, "the tasks of several contacts") or {}


async def read_person(context: RunContext, connection: Connection, item: ReadItem) -> None:
    """Read all tasks of a contact into ``seen.persons``, if everything that is needed could be read.

    Unknown rows without their text are read one by one: open rows always, closed rows unless a sequence created them.
    Other rows stay as they were listed. This happens even if some rows could not be understood, so that every failure
    counts from its first run on and two failures take no more runs than one.
    """
    seen, contact = connection.seen, item.key
    try:
        listing = connection.listed_at_once.pop(contact, None) or await connection.attempt(
            connection.adapter.list_contact_tasks(contact), item
        )
    except Missing:
        # A contact that is gone has no tasks, and its person need not wait for it.
        _keep(context, connection, contact, {})
        return
    if listing is None:
        _note_unread(context, connection, contact, [item.place])
        return
    if listing.unreadable:
        seen.unreadable += listing.unreadable
        connection.note(item, f"{len(listing.unreadable)} of its rows could not be understood")
        if _hides_a_copy(context, listing.unreadable):
            _note_unread(context, connection, contact, [item.place])
    complete = not listing.unreadable or is_given_up(context.base, item.place, failed_now=True)
    context.extend(listing.rows)
    rows = {row.remote_id: row for row in listing.rows}
    wanted = _wanted(context, listing.rows)

    await for_each(wanted, partial(_read_whole, context, connection, contact, rows))
    unread = [row.remote_id for row in wanted if row.remote_id in rows and not rows[row.remote_id].whole]
    places = [place_of_task(connection.system, remote_id) for remote_id in unread]
    _note(context, connection.seen, rows)
    if complete and all(is_given_up(context.base, place, failed_now=place in connection.failed) for place in places):
        _keep(context, connection, contact, rows)
    else:
        _note_unread(context, connection, contact, places)


async def _read_whole(
    context: RunContext, connection: Connection, contact: str, rows: dict[str, Reading], row: Reading
) -> None:
    """Put this row with its text into ``rows``. If it is gone, remove it; if it cannot be read, leave it."""
    whole = connection.seen.readings.get(row.remote_id)
    rows[row.remote_id] = whole if whole is not None and whole.whole else kept_text(context, row) or row
    if rows[row.remote_id].whole or not connection.usable or connection.spent:
        return
    one = ReadItem(connection.system, What.TASK, row.remote_id, Need.NEW, contact)
    # Asked again in the same run, it would cost a time-out twice.
    if one.place in connection.failed:
        return
    connection.asked.add(one.place)
    try:
        reading = await connection.attempt(connection.adapter.get_task(_ref(row, contact)), one)
    except Missing:
        del rows[row.remote_id]
    else:
        rows[row.remote_id] = reading or row
        if reading is not None:
            connection.read_alone[row.remote_id] = (row, reading)


def note_unfinished(context: RunContext, persons: Collection[str]) -> None:
    """Note whom this run began to read in full and had no time to finish. They come last in the next run."""
    lists = [connection for connection in context.connections.values() if _lists_all(connection)]
    unfinished = []
    for link in persons:
        theirs = [
            (one, contact) for one in lists for where, contact in context.base.contacts_of(link) if where == one.system
        ]
        # Who was not begun in every CRM was kept waiting by somebody else.
        begun = all((one.system, What.PERSON.value, contact) in one.asked for one, contact in theirs)
        if begun and not all(contact in one.seen.persons for one, contact in theirs):
            unfinished.append(link)
    keep_texts(context, persons)
    value = " ".join(unfinished)
    if value != context.base.cursors.get(UNFINISHED, ""):
        context.turned[UNFINISHED] = value


def _lists_all(connection: Connection) -> bool:
    return connection.adapter.capabilities.lists_tasks is ListsTasks.ALL


def _hides_a_copy(context: RunContext, rows: Iterable[Unreadable]) -> bool:
    """Whether one of these rows may be a copy of any task: the ledger does not know it, and it shows no due date."""
    undated = [(row.system, row.remote_id or "") for row in rows if row.due is None]
    context.ledger.extend(context.base, replicas=undated)
    return any(key not in context.base.replicas for key in undated)


def _note_unread(context: RunContext, connection: Connection, contact: str, places: Iterable[Place]) -> None:
    """Note that nothing may be created for the contact, if one of these items failed and has not for several runs."""
    failed = [place for place in places if place in connection.failed]
    if not all(is_given_up(context.base, place, failed_now=True) for place in failed):
        connection.seen.unread.add(contact)


def _note(context: RunContext, seen: Seen, rows: dict[str, Reading]) -> None:
    """Replace the list's rows by the tasks that were read by themselves. Only the list shows their creation times.

    A marker tells of a lost ledger, whether the contact's other tasks could be read or not.
    """
    for remote_id, row in rows.items():
        known = seen.readings.get(remote_id)
        # A person's own list may show no text, and so no marker.
        best = known if known is not None and known.whole and not row.whole else row
        rows[remote_id] = with_times(best, seen.rows.get(remote_id))
        if best.whole:
            seen.readings[remote_id] = rows[remote_id]
    context.extend(rows.values(), whole=True)


def _keep(context: RunContext, connection: Connection, contact: str, rows: dict[str, Reading]) -> None:
    """Keep them as all tasks of this contact, with those that have gone since their marker was read.

    Such a marker still tells what was written for the person, and only its own read shows that a copy is missing.
    """
    seen = connection.seen
    gone = _forget_what_is_gone(context, seen, contact, rows)
    seen.persons[contact] = (*rows.values(), *(row for row in gone if row.marker is not None))
    # A create for this contact need not list its tasks again.
    connection.has_listed(contact)
    context.visits[connection.system, contact] = context.clock()


def _forget_what_is_gone(context: RunContext, seen: Seen, contact: str, rows: Collection[str]) -> list[Reading]:
    """Drop unknown tasks that the list of all tasks showed and this contact's own list does not show. Return them.

    They are deleted, or another contact's. The next run reads them again. A task that the ledger knows is never
    dropped, because only its own read shows that it is missing.
    """
    known = context.base.replicas
    unlisted = [row for row in seen.readings_of(contact) if row.remote_id not in rows and row.key not in known]
    not_understood = {row.remote_id for row in seen.unreadable} if unlisted else set()
    gone = [row for row in unlisted if row.remote_id not in not_understood]
    for row in gone:
        del seen.readings[row.remote_id]
    return gone


def _ref(row: Reading, contact: str) -> TaskRef:
    return TaskRef(row.system, row.remote_id, row.contact or contact)


def _wanted(context: RunContext, rows: tuple[Reading, ...]) -> list[Reading]:
    """Return the rows to be read by themselves. A place that a marker names is read, no matter when it was closed."""
    unknown = [row for row in rows if not row.whole and row.mirrored and row.key not in context.base.replicas]
    always = [row for row in unknown if row.state is State.OPEN or row.key in context.named]
    # We never create a task of a sequence, so a closed one is nobody's copy.
    closed = [row for row in unknown if not (row.state is State.OPEN or row.key in context.named or row.sequence)]
    closed.sort(key=lambda row: row.number, reverse=True)
    return [*always, *closed[:CLOSED_READ]]
