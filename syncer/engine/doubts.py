"""What all operations in doubt have in common: how they are read, and when finding nothing counts."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import TypeVar

from syncer.domain.base import Changes
from syncer.domain.model import Listing, Reading, ReplicaState, State, TaskRef
from syncer.domain.operations import Operation, OpState
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.outcomes import failed_again
from syncer.reconcile.read_items import Need, ReadItem, What

_T = TypeVar("_T")


async def read_task(connection: Connection, ref: TaskRef, need: Need) -> Reading | None:
    """Read one task in full. Returns ``None`` if that failed. Raises `Missing`."""
    item = ReadItem(ref.system, What.TASK, ref.remote_id, need, ref.contact)
    return await _read(connection, item, connection.adapter.get_task(ref))


async def read_meant(connection: Connection, operation: Operation, need: Need) -> Reading | None:
    """Read the task that the operation is about, as `read_task` does."""
    return await read_task(connection, TaskRef(operation.system, operation.remote_id or "", operation.contact), need)


async def list_contact(connection: Connection, operation: Operation) -> Listing[Reading] | None:
    """Read all tasks of the operation's contact. Returns ``None`` if that failed. Raises `Missing`."""
    item = ReadItem(operation.system, What.LANE, operation.contact, Need.OPERATION)
    return await _read(connection, item, connection.adapter.list_contact_tasks(operation.contact))


async def _read(connection: Connection, item: ReadItem, reading: Awaitable[_T]) -> _T | None:
    """Read an item. A failure counts like any other, and the item is not read a second time in this run."""
    answer = await connection.attempt(reading, item)
    if item.place in connection.failed:
        connection.asked.add(item.place)
    return answer


def as_known(context: RunContext, lane: Iterable[Reading]) -> tuple[Reading, ...]:
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


def may_still_arrive(context: RunContext, operation: Operation) -> bool:
    """Whether the request was sent so recently that it may still arrive."""
    # If it seems to be sent in the future, our clock was set back. Then the grace begins again now.
    now, sent_at = context.clock(), context.base.operations[operation.id].sent_at
    if sent_at > now:
        context.record(Changes(operations={operation.id: replace(operation, sent_at=now)}))
        return True
    return now - sent_at < context.policy.doubt_grace


def stays_in_doubt(context: RunContext, operation: Operation) -> None:
    """Store that a later run has to settle the operation, if that is not stored yet."""
    known = context.base.operations[operation.id]
    if known.state is not OpState.IN_DOUBT:
        context.record(Changes(operations={known.id: replace(known, state=OpState.IN_DOUBT)}))


def not_carried_out(context: RunContext, operation: Operation, words: str) -> None:
    """Store that the operation was not carried out, once the grace has passed. Before that, it stays in doubt."""
    if may_still_arrive(context, operation):
        stays_in_doubt(context, operation)
        return
    changes = Changes(operations={operation.id: failed_again(context, operation, words)})
    changes.events.append(context.event(operation, "not_carried_out", words))
    context.record(changes)
