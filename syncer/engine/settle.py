"""Settle operations in doubt: find out by reading whether they were carried out. No request is repeated here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from syncer.contract.adapter import Completes
from syncer.contract.errors import Missing
from syncer.domain.base import Changes
from syncer.domain.cursors import FULL, NEWCOMER, OUR_USER
from syncer.domain.model import Listing, Reading, ReplicaState, State, TaskRef, Unreadable
from syncer.domain.operations import LONGEST_WAIT, Action, Operation, OpState
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext, for_each, together
from syncer.engine.delays import note_delay
from syncer.engine.own_errors import or_operation_fails
from syncer.reconcile.closures import Effects, LaneCompletion
from syncer.reconcile.edits.travel import as_created
from syncer.reconcile.failing import is_no_candidate, place_of_task
from syncer.reconcile.lane_creates import find_new, is_edited
from syncer.reconcile.merging import replica_of
from syncer.reconcile.obstacles import FAILURES_UNTIL_ATTENTION
from syncer.reconcile.reading_list import Need, ReadItem, What
from syncer.reconcile.rebuild import CLOSED_AS

_T = TypeVar("_T")
_log = structlog.get_logger("syncer.settle")

SETTLING_SHARE = 0.5
"""The largest share of a run's time for this, so that what cannot be settled leaves time for everything else."""
LATEST_CLOSED = 5
"""How many closed tasks of a contact are read for a create in doubt, with one request each."""


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


async def _settle_edit(context: RunContext, connection: Connection, operation: Operation) -> None:
    # Imported here because `syncer.engine.edits` imports this module.
    from syncer.engine.edits import settle_edit

    ref = TaskRef(operation.system, operation.remote_id or "", operation.contact)
    reading = await _read(connection, _item(ref, Need.OPEN), connection.adapter.get_task(ref))
    final = not _may_still_arrive(context, operation)
    if reading is not None and not settle_edit(context, operation, reading, final=final):
        _stays_in_doubt(context, operation)


async def settle(context: RunContext, operation: Operation) -> None:
    """Read what the request concerned. If that cannot be read, the operation stays in doubt."""
    connection = context.connections.get(operation.system)
    if connection is None or not connection.usable:
        return
    capabilities = connection.adapter.capabilities
    try:
        # An edit in a lane was sent as a create.
        if operation.action is Action.CREATE or (operation.action is Action.EDIT and capabilities.lane is not None):
            await _settle_create(context, connection, operation)
        elif operation.action is Action.EDIT:
            await _settle_edit(context, connection, operation)
        elif capabilities.completes is Completes.TOP_OF_LANE:
            await _settle_lane_complete(context, connection, operation)
        else:
            await _settle_complete(context, connection, operation)
    except Missing as error:
        # Nothing is left that a read could show, and a doubt must not hold up the contact for ever.
        _not_carried_out(context, operation, f"gone: {error.words}")


def created(context: RunContext, operation: Operation, reading: Reading, how: str, *, found: bool = False) -> Changes:
    """Return the changes to store when it is known which task a create made.

    The replica is stored as open even if it is closed now: the merge then finds out who closed it. A task that was
    put back counts as theirs. ``found`` is true if the answer was lost and the task was found by reading.
    """
    task = context.base.tasks[operation.task]
    put_back = task.put_back and context.capabilities[operation.system].lane is not None
    contact = reading.contact or operation.contact
    replica = replace(replica_of(reading, operation.task, made=True), contact=contact, ours=not put_back)
    can = context.capabilities[operation.system]
    replica = as_created(task, replica, operation.changes, can, context.policy, found=reading if found else None)
    changes = Changes(replicas={replica.key: replica})
    if put_back:
        changes.tasks[task.id] = replace(task, put_back=False)
    changes.operations[operation.id] = replace(
        operation, state=OpState.DONE, remote_id=reading.remote_id, failures=0, not_before=None, changes=()
    )
    # The answer to a create names our user. By that name a second ledger's work is told from a person's.
    if reading.created_by is not None and context.base.cursors.get(OUR_USER + operation.system) != reading.created_by:
        changes.cursors[OUR_USER + operation.system] = reading.created_by
    # The create went through, so there is room again.
    if context.base.is_full(operation.system):
        changes.cursors[FULL + operation.system] = ""
    what = "edited" if operation.action is Action.EDIT else "created"
    changes.events.append(context.event(operation, what, how, reading.remote_id))
    note_delay(context, operation)
    return changes


def completed(context: RunContext, operation: Operation, reading: Reading, how: str) -> Changes:
    """Return the changes to store when the replica is known to be closed."""
    replica = context.base.replicas[operation.system, operation.remote_id or ""]
    # A recurring task is open again with its next date. The next merge stores that as a new task.
    state = ReplicaState.DONE if reading.state is State.OPEN else CLOSED_AS[reading.state]
    closed = replace(replica, state=state, misses=0)
    changes = Changes(replicas={closed.key: closed})
    changes.operations[operation.id] = replace(operation, state=OpState.DONE, failures=0, not_before=None)
    changes.events.append(context.event(operation, "completed", how))
    note_delay(context, operation)
    return changes


def moved_on(context: RunContext, operation: Operation, reading: Reading) -> bool:
    """Whether the completed task is a recurring one: it is open again with a due date that it did not show before."""
    if reading.state is not State.OPEN:
        return False
    replica = context.base.replicas.get((operation.system, operation.remote_id or ""))
    # The answer in a lane may be about another task.
    if replica is None or reading.remote_id != replica.remote_id or reading.due is None:
        return False
    # What people moved before the request was not moved by it, even if only a list has shown that.
    same = context.policy.dues_of(operation.system).same
    return not any(same(reading.due, before) for before in (replica.due, operation.due))


def _item(ref: TaskRef, need: Need) -> ReadItem:
    return ReadItem(ref.system, What.TASK, ref.remote_id, need, ref.contact)


async def _read(connection: Connection, item: ReadItem, reading: Awaitable[_T]) -> _T | None:
    """Read an item. A failure counts like any other, and the item is not read a second time in this run."""
    answer = await connection.attempt(reading, item)
    if item.place in connection.failed:
        connection.asked.add(item.place)
    return answer


async def _settle_create(context: RunContext, connection: Connection, operation: Operation) -> None:
    adapter = connection.adapter
    lane = ReadItem(operation.system, What.LANE, operation.contact, Need.OPERATION)
    listing = await _read(connection, lane, adapter.list_contact_tasks(operation.contact))
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
        others = _as_known(context, listing.rows) if in_lane else ()
        rows = tuple(found if row.remote_id == found.remote_id else row for row in others) or (found,)
        how = "created; its answer was lost, and reading showed it"
        changes = created(context, operation, found, how, found=True)
        if is_edited(found):
            changes.replicas[found.key] = replace(changes.replicas[found.key], ours=False)
        context.merge_contact(operation.system, operation.contact, Listing(rows), also=changes, whole=in_lane)
        (context.edited if operation.action is Action.EDIT else context.created)[operation.system] += 1
    # A row that could not be read may be what the request made.
    elif read_all and not any(_may_be_made(context, operation, row) for row in listing.unreadable):
        _not_carried_out(context, operation, "nothing was created")


def _as_known(context: RunContext, lane: Iterable[Reading]) -> tuple[Reading, ...]:
    """Return a lane with the known values of each open copy.

    What people changed in these copies is left to the run itself, whose guard has to count it.
    """
    rows = []
    for row in lane:
        copy = context.base.replicas.get(row.key)
        if copy is not None and copy.state is ReplicaState.OPEN and row.state is State.OPEN:
            # ``None`` was never read, and is no value to keep.
            values = {"due": copy.due, "title": copy.title, "body": copy.body, "assignee": copy.assignee}
            row = replace(row, **{name: value for name, value in values.items() if value is not None})  # type: ignore[arg-type]
        rows.append(row)
    return tuple(rows)


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
        return await _read(connection, _item(ref, Need.NEW), connection.adapter.get_task(ref))
    except Missing:
        return row


def _moved_and_closed(context: RunContext, operation: Operation, unknown: list[Reading]) -> list[Reading]:
    """Return closed tasks with another due date: somebody may have rescheduled and closed the one that we made.

    A person may also have copied an earlier replica with its marker, or it may be from before a lost ledger. So they
    are returned only if there was no earlier replica and the request can no longer arrive.
    """
    if _may_still_arrive(context, operation) or context.ledger.had_copy(operation.task, operation.system):
        return []
    rows = [row for row in unknown if row.state is not State.OPEN and not context.is_due(operation, row.due)]
    unread = sorted((row for row in rows if not row.whole), key=lambda row: row.number, reverse=True)
    return [*(row for row in rows if row.whole), *unread[:LATEST_CLOSED]]


async def _settle_complete(context: RunContext, connection: Connection, operation: Operation) -> None:
    ref = TaskRef(operation.system, operation.remote_id or "", operation.contact)
    reading = await _read(connection, _item(ref, Need.COMPLETION), connection.adapter.get_task(ref))
    if reading is None:
        return
    if reading.state is State.OPEN and not moved_on(context, operation, reading):
        _not_carried_out(context, operation, "the task is still open")
        return
    if reading.state is State.OPEN and _may_still_arrive(context, operation):
        # A person may have rescheduled the task, and the request may still arrive and close it.
        _stays_in_doubt(context, operation)
        return
    context.record(completed(context, operation, reading, "completed; its answer was lost, and reading showed it"))
    context.completed[operation.system] += 1


async def _settle_lane_complete(context: RunContext, connection: Connection, operation: Operation) -> None:
    lane = ReadItem(operation.system, What.LANE, operation.contact, Need.OPERATION)
    listing = await _read(connection, lane, connection.adapter.list_contact_tasks(operation.contact))
    # A row that cannot be understood may be the task that was hit.
    if listing is None or listing.unreadable:
        return
    context.extend(listing.rows)
    lane_policy = connection.adapter.capabilities.lane
    window = lane_policy.supersede_window if lane_policy is not None else timedelta(0)
    us = context.base.cursors.get(OUR_USER + operation.system)
    after = LaneCompletion(operation, listing.rows, context.base.replicas, window, context.policy.doubt_grace, us)
    meant, strays, rows = after.meant, after.hit, _as_known(context, listing.rows)
    hit = Effects(hit=frozenset(strays))
    moved = meant is not None and moved_on(context, operation, meant)
    if meant is not None and (meant.state is not State.OPEN or (moved and not strays)):
        # A person closed or moved the task before our request has arrived, which then closes whatever is on top. Until
        # it can no longer arrive, nothing of ours may be created there.
        sure = not moved and _surely_ours(context, after)
        if not strays and not sure and _may_still_arrive(context, operation):
            _stays_in_doubt(context, operation)
            return
        changes = completed(context, operation, meant, "completed; its answer was lost, and reading showed it")
        context.merge_contact(operation.system, operation.contact, Listing(rows), also=changes, effects=hit)
        context.completed[operation.system] += 1
    # Better a finished task put back than an open one lost.
    elif strays:
        failed = failed_again(context, operation, "it closed another task")
        context.merge_contact(operation.system, operation.contact, Listing(rows), operation=failed, effects=hit)
    else:
        _not_carried_out(context, operation, "the task is still open")


def _surely_ours(context: RunContext, after: LaneCompletion) -> bool:
    """Whether our request closed the task that was meant. In a later run, somebody else may have closed it."""
    at_once = after.operation.run == context.run
    return after.closed_by_us or (at_once and not after.closed_by_another)


def _may_still_arrive(context: RunContext, operation: Operation) -> bool:
    """Whether the request was sent so recently that it may still arrive."""
    # If it seems to be sent in the future, our clock was set back. Then the grace begins again now.
    now, sent_at = context.clock(), context.base.operations[operation.id].sent_at
    if sent_at > now:
        context.record(Changes(operations={operation.id: replace(operation, sent_at=now)}))
        return True
    return now - sent_at < context.policy.doubt_grace


def _stays_in_doubt(context: RunContext, operation: Operation) -> None:
    known = context.base.operations[operation.id]
    if known.state is not OpState.IN_DOUBT:
        context.record(Changes(operations={known.id: replace(known, state=OpState.IN_DOUBT)}))


def _not_carried_out(context: RunContext, operation: Operation, words: str) -> None:
    """Store that the operation was not carried out, once the grace has passed. Before that, it stays in doubt."""
    if _may_still_arrive(context, operation):
        _stays_in_doubt(context, operation)
        return
    changes = Changes(operations={operation.id: failed_again(context, operation, words)})
    changes.events.append(context.event(operation, "not_carried_out", words))
    context.record(changes)


def failed_again(context: RunContext, operation: Operation, words: str) -> Operation:
    """Return the operation with one more failure. After five failures in a row it is tried once an hour."""
    failures = operation.failures + 1
    often = failures >= FAILURES_UNTIL_ATTENTION
    return replace(
        operation,
        state=OpState.FAILED,
        failures=failures,
        words=words,
        not_before=context.clock() + LONGEST_WAIT if often else None,
    )
