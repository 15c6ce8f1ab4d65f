"""Measure the time between a person's change in one CRM and its confirmed copy in another."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Final

from syncer.domain.model import Reading, State
from syncer.domain.operations import Action, Operation
from syncer.domain.task_ids import split_task_id
from syncer.engine.context import RunContext

_CLOSED: Final = frozenset({"done", "cancelled"})


def note_delay(context: RunContext, operation: Operation) -> None:
    """Note for an operation that was carried out how many seconds passed since its cause.

    The time of the cause is the CRM's if it was read in this run, else the time when we first saw it.
    """
    began = (_made_at if operation.action is Action.CREATE else _closed_at)(context, operation) or operation.created_at
    # Their clock may be ahead of ours, and a delay below zero would mean nothing.
    context.delays.append((operation.system, max(0.0, (context.clock() - began).total_seconds())))


def _made_at(context: RunContext, operation: Operation) -> datetime | None:
    system, _, remote_id = split_task_id(operation.task)[0].partition(":")
    instants = (reading.created_at for reading in _read(context, system, remote_id) if reading.created_at is not None)
    task = context.base.tasks.get(operation.task)
    return next(instants, None if task is None else task.first_seen)


def _closed_at(context: RunContext, operation: Operation) -> datetime | None:
    # Not the copy that we have just closed ourselves.
    copies = [copy for copy in context.base.copies_of(operation.task) if copy.system != operation.system]
    instants = [
        reading.updated_at
        for copy in copies
        for reading in _read(context, *copy.key)
        if reading.state is not State.OPEN and reading.updated_at is not None
    ]
    # The first of them: the others are closings that followed from it, ours perhaps.
    if instants:
        return min(instants)
    events = context.ledger.history(operation.task)
    return next((event.at for event in reversed(events) if event.what in _CLOSED), None)


def _read(context: RunContext, system: str, remote_id: str) -> Iterator[Reading]:
    """Return what was read of one task in this run."""
    connection = context.connections.get(system)
    if connection is None:
        return
    seen = connection.seen
    for found in (seen.readings, seen.rows):
        if remote_id in found:
            yield found[remote_id]
    contacts = {copy.contact for copy in context.base.copies_of(f"{system}:{remote_id}") if copy.system == system}
    for contact in contacts:
        listed = chain(seen.lanes.get(contact, ()), seen.persons.get(contact, ()))
        yield from (reading for reading in listed if reading.remote_id == remote_id)
