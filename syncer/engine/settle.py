"""Settle operations in doubt: find out by reading whether they were carried out. No request is repeated here."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

from syncer.contract.adapter import Capabilities, Completes
from syncer.contract.errors import Missing
from syncer.domain.base import Changes
from syncer.domain.cursors import NEWCOMER, OUR_USER
from syncer.domain.fields import Change, Value
from syncer.domain.model import Listing, Reading, State
from syncer.domain.operations import Action, Operation
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext, for_each, together
from syncer.engine.doubts import as_known, list_contact, may_still_arrive, not_carried_out, read_meant, stays_in_doubt
from syncer.engine.outcomes import completed, edited, failed_again, moved_on, owed_after
from syncer.engine.own_errors import or_operation_fails
from syncer.engine.settle_create import settle_create
from syncer.reconcile.closures import Effects, LaneCompletion
from syncer.reconcile.edits.base import with_owed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.failing import place_of_task
from syncer.reconcile.read_items import Need, What

SETTLING_SHARE = 0.5
"""The largest share of a run's time for this, so that what cannot be settled leaves time for everything else."""


async def settle_doubts(context: RunContext) -> None:
    """Settle every operation whose request may have been carried out, before the CRMs are read.

    Operations of one contact are settled one after another, everything else at the same time.
    """
    _date_anew(context)
    # What is still `sent` was under way when a process died, and is as doubtful as a lost answer.
    doubtful = [op for op in context.base.operations.values() if op.is_unsettled]
    queues: dict[str, dict[str, list[Operation]]] = defaultdict(lambda: defaultdict(list))
    # In the order in which they were sent: a later one may be about what an earlier one made.
    for operation in sorted(doubtful, key=lambda op: (op.contact, op.created_at)):
        queues[operation.system][operation.contact].append(operation)
    for connection in context.connections.values():
        connection.adapter.wire.set_deadline(context.time_left(SETTLING_SHARE))

    async def settle_all(operations: list[Operation]) -> None:
        # All of one contact. A task may have moved to it from another person's, and then both are connected.
        with or_operation_fails(context, context.person(operations[0].system, operations[0].contact)):
            for operation in operations:
                await settle(context, operation)

    def failed_before(operations: list[Operation]) -> bool:
        return any(_failed_to_be_read(context, operation) for operation in operations)

    await together(for_each(sorted(contacts.values(), key=failed_before), settle_all) for contacts in queues.values())
    for connection in context.connections.values():
        connection.adapter.wire.set_deadline(context.time_left())
        # Only the time for this is spent.
        connection.spent = False


def _failed_to_be_read(context: RunContext, operation: Operation) -> bool:
    """Whether what tells of this operation could not be read when it was last tried. Then it delays no other."""
    system, failing = operation.system, context.base.failing
    return (system, What.LANE.value, operation.contact) in failing or (
        place_of_task(system, operation.remote_id or "") in failing
    )


def _date_anew(context: RunContext) -> None:
    """Correct the times of unsettled requests after our clock was set, so that no grace ends too early or never."""
    now, forward, changes = context.clock(), context.base.put_forward, Changes()
    for operation in context.base.operations.values():
        if operation.is_unsettled and (sent_at := min(operation.sent_at + forward, now)) != operation.sent_at:
            changes.operations[operation.id] = replace(operation, sent_at=sent_at)
    for name, value in context.base.cursors.items():
        if name.startswith(NEWCOMER):
            asked = datetime.fromisoformat(value)
            if (at := min(asked + forward, now)) != asked:
                changes.cursors[name] = at.isoformat()
    if changes.operations or changes.cursors:
        context.record(changes)


async def settle(context: RunContext, operation: Operation) -> None:
    """Read what the request concerned. If that cannot be read, the operation stays in doubt."""
    connection = context.connections.get(operation.system)
    if connection is None or not connection.usable:
        return
    capabilities = connection.adapter.capabilities
    try:
        # An edit in a lane was sent as a create.
        if operation.action is Action.CREATE or (operation.action is Action.EDIT and capabilities.lane is not None):
            await settle_create(context, connection, operation)
        elif operation.action is Action.EDIT:
            await _settle_edit(context, connection, operation)
        elif capabilities.completes is Completes.TOP_OF_LANE:
            await _settle_lane_complete(context, connection, operation)
        else:
            await _settle_complete(context, connection, operation)
    except Missing as error:
        # Nothing is left that a read could show, and a doubt must not hold up the contact for ever.
        not_carried_out(context, operation, f"gone: {error.words}")


async def _settle_complete(context: RunContext, connection: Connection, operation: Operation) -> None:
    reading = await read_meant(connection, operation, Need.COMPLETION)
    if reading is None:
        return
    if reading.state is State.OPEN and not moved_on(context, operation, reading):
        not_carried_out(context, operation, "the task is still open")
        return
    if reading.state is State.OPEN and may_still_arrive(context, operation):
        # A person may have rescheduled the task, and the request may still arrive and close it.
        stays_in_doubt(context, operation)
        return
    context.record(completed(context, operation, reading, "completed; its answer was lost, and reading showed it"))
    context.completed[operation.system] += 1


async def _settle_lane_complete(context: RunContext, connection: Connection, operation: Operation) -> None:
    listing = await list_contact(connection, operation)
    # A row that cannot be understood may be the task that was hit.
    if listing is None or listing.unreadable:
        return
    context.extend(listing.rows)
    lane_policy = connection.adapter.capabilities.lane
    window = lane_policy.supersede_window if lane_policy is not None else timedelta(0)
    us = context.base.cursors.get(OUR_USER + operation.system)
    after = LaneCompletion(operation, listing.rows, context.base.replicas, window, context.policy.doubt_grace, us)
    meant, strays, rows = after.meant, after.hit, as_known(context, listing.rows)
    hit = Effects(hit=frozenset(strays))
    moved = meant is not None and moved_on(context, operation, meant)
    if meant is not None and (meant.state is not State.OPEN or (moved and not strays)):
        # A person closed or moved the task before our request has arrived, which then closes whatever is on top. Until
        # it can no longer arrive, nothing of ours may be created there.
        sure = not moved and _surely_ours(context, after)
        if not strays and not sure and may_still_arrive(context, operation):
            stays_in_doubt(context, operation)
            return
        changes = completed(context, operation, meant, "completed; its answer was lost, and reading showed it")
        context.merge_contact(operation.system, operation.contact, Listing(rows), also=changes, effects=hit)
        context.completed[operation.system] += 1
    # Better a finished task put back than an open one lost.
    elif strays:
        failed = failed_again(context, operation, "it closed another task")
        context.merge_contact(operation.system, operation.contact, Listing(rows), operation=failed, effects=hit)
    else:
        not_carried_out(context, operation, "the task is still open")


def _surely_ours(context: RunContext, after: LaneCompletion) -> bool:
    """Whether our request closed the task that was meant. In a later run, somebody else may have closed it."""
    at_once = after.operation.run == context.run
    return after.closed_by_us or (at_once and not after.closed_by_another)


async def _settle_edit(context: RunContext, connection: Connection, operation: Operation) -> None:
    reading = await read_meant(connection, operation, Need.OPEN)
    final = not may_still_arrive(context, operation)
    if reading is None:
        return
    changes = _shown_of_edit(context, operation, reading, final=final)
    if changes is None:
        stays_in_doubt(context, operation)
        return
    # Without an event nothing of it was carried out: people closed the task before it came, or typed something else.
    context.edited[operation.system] += bool(changes.events)
    context.merge_contact(operation.system, operation.contact, Listing((reading,)), also=changes, whole=False)


def _shown_of_edit(context: RunContext, operation: Operation, reading: Reading, *, final: bool) -> Changes | None:
    """Return what a reading shows of an edit in doubt, field by field, or ``None`` if that is not known yet.

    If the copy shows the new value, the edit was carried out. If it shows the old one, it was not; but as long as the
    reading is not ``final``, the request may still arrive. Any other value was typed by people since, and wins.
    """
    can = context.connections[operation.system].adapter.capabilities
    there = {one.field: reading.shown(one.field) for one in operation.changes}
    done = [one for one in operation.changes if _shows(can, one, there[one.field])]
    missing = [one for one in operation.changes if one not in done and can.alike(one.field, there[one.field], one.old)]
    theirs = [one for one in operation.changes if one not in done and one not in missing]
    if (missing or theirs) and not final and reading.state is State.OPEN:
        return None
    changes = edited(context, operation, reading, done, "edited; its answer was lost, and reading showed it")
    if not done:
        changes.events.clear()
    replica = next(iter(changes.replicas.values()))
    # This is treated as if our value had been written and then changed by people, who may never have seen it.
    written = {one.field.value: one.new for one in theirs}
    owed = {one.field: owed_after(context, operation, one, Owed.IN_DOUBT) for one in theirs}
    replica = with_owed(replace(replica, **written), owed)  # type: ignore[arg-type]
    changes.replicas[replica.key] = replica
    if missing and reading.state is State.OPEN:
        changes.operations[operation.id] = failed_again(context, operation, "nothing was changed")
    return changes


def _shows(can: Capabilities, change: Change, there: Value) -> bool:
    """Whether a copy that shows ``there`` has the new value. What it showed before may be the minute of both values."""
    if can.alike(change.field, there, change.new):
        return True
    return can.makes(change.field, change.new, there) and not can.alike(change.field, there, change.old)
