"""Find the task that a create in doubt made in a CRM that keeps no markers (pure)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from syncer.domain.base import Base
from syncer.domain.cursors import OUR_USER
from syncer.domain.dues import Dues
from syncer.domain.model import Reading, State
from syncer.domain.operations import Operation
from syncer.domain.titles import same_title
from syncer.reconcile.closures import is_copy


def find_new(
    base: Base,
    dues: Dues,
    operation: Operation,
    unknown: list[Reading],
    lane: Collection[Reading],
    grace: timedelta,
) -> Reading | None:
    """Return the ``unknown`` task of the lane that the operation made, or ``None``.

    It has the type and the due date that were sent, it is new since the request, and nobody else made it. If none has
    that due date, it may be one that people have moved since. ``grace`` is how long the request may take to arrive.
    """
    others = _others(base, operation, lane)
    found = _fitting(dues, operation, _without_theirs(base, operation, unknown), others)
    return found or _moved(base, operation, unknown, others, grace)


def is_edited(found: Reading) -> bool:
    """Whether somebody changed the task after we made it and before we found it. Then it counts as theirs."""
    if found.state is not State.OPEN or found.created_at is None or found.updated_at is None:
        return False
    # A create sets both times at once. A copy that people touched is theirs and must never be replaced.
    return found.updated_at > found.created_at


def _without_theirs(base: Base, operation: Operation, rows: list[Reading]) -> list[Reading]:
    """Drop the rows that were created with another title, as long as our user is unknown."""
    if base.cursors.get(OUR_USER + operation.system) is not None:
        return rows
    # Superfone keeps no title of ours. So a title that is not the task's was typed by a person, who made a task of our
    # type and due in the same moment.
    title = base.tasks[operation.task].title
    return [row for row in rows if same_title(row.title, title) or is_edited(row)]


def _others(base: Base, operation: Operation, rows: Collection[Reading]) -> set[str | None]:
    """Return the creators of these tasks who are not our user.

    As long as our user is unknown, these are the creators of tasks that were there before and are not copies.
    """
    makers = {row.created_by for row in rows} - {None}
    us = base.cursors.get(OUR_USER + operation.system)
    if us is not None:
        return makers - {us}
    known = {row.key: base.replicas.get(row.key) for row in rows}
    # A held task may be a copy of ours, too, and so may a finished task without a title.
    # Whoever made only copies here may be us. A finished row that has no title may be a copy of a lost ledger, so its
    # maker is not known to be a person, either.
    copies = {
        row.key
        for row in rows
        if (row.state is not State.OPEN and row.title is None)
        or is_copy(row, one := known[row.key])
        or (one is not None and base.tasks[one.task].held)
    }
    return {row.created_by for row in rows if row.remote_id in operation.seen and row.key not in copies} - {None}


def _fitting(
    dues: Dues, operation: Operation, unknown: list[Reading], others: Collection[str | None]
) -> Reading | None:
    # A task that a person created at the same moment is theirs, even if it looks like ours.
    fitting = [
        reading
        for reading in unknown
        if reading.remote_id not in operation.seen
        and reading.raw_type == operation.raw_type
        and dues.keeps(operation.due, reading.due)
        and reading.created_by not in others
    ]
    # If the closed one of two were taken for ours, the task would count as done in every CRM.
    fitting.sort(key=lambda reading: (reading.state is not State.OPEN, reading.number))
    return next(iter(fitting), None)


def _moved(
    base: Base, operation: Operation, unknown: list[Reading], others: Collection[str | None], grace: timedelta
) -> Reading | None:
    """Return the only open task that our user made while the request may have arrived, and that was changed since.

    Taken for a new task, it would be copied, and the task itself would be made a second time.
    """
    # Of two requests in doubt, nothing tells which one made it.
    if len(base.unsettled(operation.system, operation.contact)) > 1:
        return None
    us, title = base.cursors.get(OUR_USER + operation.system), base.tasks[operation.task].title
    # As long as our user is unknown, it has no title or the task's: what people create in a lane has one of its own.
    made = [
        row
        for row in unknown
        if row.remote_id not in operation.seen
        and row.raw_type == operation.raw_type
        and (
            row.created_by == us
            if us is not None
            else row.created_by not in others
            and (row.title is None or (title is not None and same_title(row.title, title)))
        )
        and is_edited(row)
        and row.created_at is not None
        and row.created_at <= operation.sent_at + grace
    ]
    return made[0] if len(made) == 1 else None
