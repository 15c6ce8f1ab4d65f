"""What interrupted runs could not report, and what `syncer retry` does."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, or_, select, update

from syncer.domain.cursors import FULL
from syncer.domain.events import Event
from syncer.domain.reasons import Reason
from syncer.ledger.reading import LATEST, LIVE, STALLED, chunks, cursors
from syncer.ledger.rows import EVENTS, OPERATIONS, REPLICAS, TASKS
from syncer.ledger.tables import METADATA
from syncer.ledger.writing import append, forget, store_cursors

FREED: Final = "freed"
"""The cursor with the tasks that `syncer retry` has freed since the last run began."""

_task = TASKS.table
_replica = REPLICAS.table
_operation = OPERATIONS.table
_event = EVENTS.table
_cursor = METADATA.tables["cursor"]


def unreported(connection: Connection, seen_by: list[str]) -> list[Event]:
    """Return the incidents and the overwritten values of these runs, oldest first."""
    if not seen_by:
        return []
    told = and_(_event.c.what.in_(["incident", "overwritten"]), _event.c.run.in_(seen_by))
    return EVENTS.values(connection.execute(EVENTS.select.where(told).order_by(_event.c.id)))


def free(connection: Connection, task: str | None, now: datetime) -> int:
    """Let parked, failed, gone and held items of one task or of all be tried again. Returns how many there were.

    Full CRMs are tried again, too. An event is written for each item.
    """
    released = _release_tasks(connection, task, now)
    events = [*_free_operations(connection, task, now), *released, *_lift_holds(connection, now)]
    append(connection, events)
    if released:
        before = cursors(connection).get(FREED, "").split()
        tasks = dict.fromkeys((*before, *(event.task for event in released if event.task)))
        store_cursors(connection, {FREED: " ".join(tasks)})
    return len(events)


def free_again(connection: Connection, now: datetime) -> None:
    """Free the tasks again that were freed since the last run began: it may have stored them as it had loaded them."""
    if tasks := cursors(connection).get(FREED, "").split():
        gone = select(_replica.c.task).where(_replica.c.state == "gone")
        # Hardly any is: thousands may have been freed at once, and a run begins with this.
        back = set(connection.execute(select(_task.c.id).where(_task.c.held != "").union(gone)).scalars())
        for task in tasks:
            if task in back:
                append(connection, _release_tasks(connection, task, now))
        store_cursors(connection, {FREED: ""})


def _release_tasks(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    return [*_forget_gone(connection, task, now), *_release(connection, task, now)]


def _free_operations(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    # What is not held back is tried by the next run anyway, and would be counted for nothing.
    held = or_(_operation.c.not_before.is_not(None), _operation.c.fingerprint != "", _operation.c.failures > 0)
    query = OPERATIONS.select.where(STALLED, LATEST, held, _of_task(_operation.c.task, task))
    operations = OPERATIONS.values(connection.execute(query.order_by(_operation.c.id)))
    # An empty fingerprint agrees with none, so what was rejected is planned again.
    reset = update(_operation).values(not_before=None, fingerprint="", failures=0)
    for part in chunks(operation.id for operation in operations):
        connection.execute(reset.where(_operation.c.id.in_(part)))
    return [
        Event(now, "freed", "us", f"{o.action} is tried again by the next run", o.task, o.system, o.remote_id)
        for o in operations
    ]


def _forget_gone(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    query = REPLICAS.select.where(_replica.c.state == "gone", _of_task(_replica.c.task, task))
    gone = sorted(REPLICAS.values(connection.execute(query)), key=lambda replica: replica.key)
    # Without its gone copy, the task lacks one there like any other.
    forget(connection, [replica.key for replica in gone])
    words = "the copy was deleted there; the next run may create it again"
    return [Event(now, "freed", "us", words, replica.task, *replica.key) for replica in gone]


def _release(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    """Release held tasks, so that they are copied like any other task.

    Duplicates are released only by id, one at a time. Most of them should be deleted, and not be copied.
    """
    kept = ("", Reason.DUPLICATE) if task is None else ("",)
    query = TASKS.select.where(_task.c.held.not_in(kept), _of_task(_task.c.id, task))
    held = sorted(TASKS.values(connection.execute(query)), key=lambda one: one.id)
    for part in chunks(one.id for one in held):
        connection.execute(update(_task).where(_task.c.id.in_(part)).values(held=""))
    words = "it is no longer held; the next run copies it"
    return [Event(now, "freed", "us", words, one.id, one.origin) for one in held]


def _lift_holds(connection: Connection, now: datetime) -> list[Event]:
    is_hold = and_(_cursor.c.name.startswith(FULL, autoescape=True), _cursor.c.value != "")
    names = list(connection.execute(select(_cursor.c.name).where(is_hold).order_by(_cursor.c.name)).scalars())
    if names:
        connection.execute(delete(_cursor).where(is_hold))
    return [
        Event(
            now, "freed", "us", f"the next run tries to create tasks in {name.removeprefix(FULL)} again, which was full"
        )
        for name in names
    ]


def _of_task(column: ColumnElement[str], task: str | None) -> ColumnElement[bool]:
    return column.in_(LIVE) if task is None else column == task
