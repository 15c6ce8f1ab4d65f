"""Settle a create in doubt: find the task that it made, by its marker or as what is new in the contact's list."""

from __future__ import annotations

from dataclasses import replace

import structlog

from syncer.contract.errors import Missing
from syncer.domain.model import Listing, Reading, State, TaskRef, Unreadable
from syncer.domain.operations import Action, Operation
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.doubts import as_known, list_contact, may_still_arrive, not_carried_out, read_task
from syncer.engine.outcomes import created
from syncer.reconcile.failing import is_no_candidate, place_of_task
from syncer.reconcile.lane_creates import find_new, is_edited
from syncer.reconcile.read_items import Need

_log = structlog.get_logger("syncer.settle")

LATEST_CLOSED = 5
"""How many closed tasks of a contact are read for a create in doubt, with one request each."""


async def settle_create(context: RunContext, connection: Connection, operation: Operation) -> None:
    """Look among the contact's tasks for the one that the request made, and store what became of the operation."""
    adapter, listing = connection.adapter, await list_contact(connection, operation)
    if listing is None:
        return
    # Closed rows, too: what the ledger knows as closed long ago is not what this request made.
    context.extend(listing.rows, whole=True)
    unknown = [
        row
        for row in listing.rows
        if row.key not in context.base.replicas and not _failed_before(context, operation, row)
    ]
    dues, read_all = adapter.capabilities.dues, True
    if adapter.capabilities.reads_marker:
        found, read_all = await _find_marker(context, connection, operation, unknown)
    else:
        found = find_new(context.base, dues, operation, unknown, listing.rows, context.policy.doubt_grace)
    if found is not None:
        _log.info("doubt.settled", task=operation.task, system=operation.system, remote_id=found.remote_id)
        # In a lane the contact's other tasks tell what the create closed. The row of the list has no text, and so no
        # marker.
        in_lane = adapter.capabilities.lane is not None
        others = as_known(context, listing.rows) if in_lane else ()
        rows = tuple(found if row.remote_id == found.remote_id else row for row in others) or (found,)
        how = "created; its answer was lost, and reading showed it"
        changes = created(context, operation, found, how, found=True)
        if is_edited(found):
            changes.replicas[found.key] = replace(changes.replicas[found.key], ours=False)
        context.merge_contact(operation.system, operation.contact, Listing(rows), also=changes, whole=in_lane)
        (context.edited if operation.action is Action.EDIT else context.created)[operation.system] += 1
    # A row that could not be read may be what the request made.
    elif read_all and not any(_may_be_made(context, operation, row) for row in listing.unreadable):
        not_carried_out(context, operation, "nothing was created")


def _may_be_made(context: RunContext, operation: Operation, row: Unreadable) -> bool:
    """Whether the request may have made this row: it was not there before, and it may have the due date."""
    return row.remote_id not in operation.seen and (row.due is None or context.is_due(operation, row.due))


def _failed_before(context: RunContext, operation: Operation, row: Reading) -> bool:
    """Whether the row could not be read before the request was sent, so that it existed and is not what was made."""
    failing = context.base.failing.get(place_of_task(*row.key))
    return failing is not None and failing.since < operation.sent_at


async def _find_marker(
    context: RunContext, connection: Connection, operation: Operation, unknown: list[Reading]
) -> tuple[Reading | None, bool]:
    """Return the unknown task with the operation's marker, and whether all likely rows could be read."""
    likely = [row for row in unknown if row.state is State.OPEN or context.is_due(operation, row.due)]
    # Each read is a request, and the row with the due that was sent is most likely ours.
    likely.sort(key=lambda row: not context.is_due(operation, row.due))
    read_all = True
    for row in likely:
        reading = await _with_body(connection, operation, row)
        if reading is None:
            read_all &= is_no_candidate(context.base, operation, row, context.policy)
        elif _is_marked(context, reading, operation):
            return reading, True
    # People may have moved and finished our copy before we knew of it. Without this, a finished task would be made
    # again.
    for row in _moved_and_closed(context, operation, unknown):
        reading = await _with_body(connection, operation, row)
        if reading is None:
            # Nothing waits for unlikely rows, and their failures must not make the connection count as broken.
            break
        if _is_marked(context, reading, operation):
            return reading, True
    return None, read_all


def _is_marked(context: RunContext, reading: Reading, operation: Operation) -> bool:
    """Whether the task carries the operation's marker. A copy that another ledger made is left to the merge."""
    marker = reading.marker
    return marker is not None and marker.task == operation.task and context.base.wrote(marker)


async def _with_body(connection: Connection, operation: Operation, row: Reading) -> Reading | None:
    """Return the task read in full, the row itself if the task is gone, or ``None`` if it could not be read."""
    if row.whole:
        return row
    ref = TaskRef(row.system, row.remote_id, row.contact or operation.contact)
    try:
        return await read_task(connection, ref, Need.NEW)
    except Missing:
        return row


def _moved_and_closed(context: RunContext, operation: Operation, unknown: list[Reading]) -> list[Reading]:
    """Return closed tasks with another due date: somebody may have rescheduled and closed the one that we made.

    A person may also have copied an earlier replica with its marker, or it may be from before a lost ledger. So they
    are returned only if there was no earlier replica and the request can no longer arrive.
    """
    if may_still_arrive(context, operation) or context.ledger.had_copy(operation.task, operation.system):
        return []
    rows = [row for row in unknown if row.state is not State.OPEN and not context.is_due(operation, row.due)]
    unread = sorted((row for row in rows if not row.whole), key=lambda row: row.number, reverse=True)
    return [*(row for row in rows if row.whole), *unread[:LATEST_CLOSED]]
