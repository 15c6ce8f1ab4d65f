"""Delete runs, events and closed tasks that are older than the account keeps them, a few at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, select

from syncer.domain.operations import UNSETTLED
from syncer.ledger.reading import chunks
from syncer.ledger.rows import EVENTS, OPERATIONS, REPLICAS, TASKS
from syncer.ledger.tables import METADATA
from syncer.ledger.writing import store_cursors

# A batch is one transaction, and no other writer can write meanwhile.
BATCH: Final = 500
KEPT_FROM: Final = "kept_from"
"""The cursor that allows events older than its value to be deleted. It exists only within one transaction."""

_QUIET_DAYS: Final = timedelta(days=1)
_run = METADATA.tables["run"]
_list = METADATA.tables["report_list"]
_lookup = METADATA.tables["lookup"]
_cursor = METADATA.tables["cursor"]
_task, _replica, _operation, _event = TASKS.table, REPLICAS.table, OPERATIONS.table, EVENTS.table


def forget(connection: Connection, now: datetime, keep: timedelta) -> bool:
    """Delete one batch of what is no longer kept. Returns whether there may be more."""
    limit = now - keep
    return any(step(connection, now, limit) for step in _STEPS)


def _old_runs(connection: Connection, _now: datetime, limit: datetime) -> int:
    # Without an end, it may still go on.
    return _delete(connection, _run, _run.c.id, _run.c.started_at < limit, _run.c.finished_at.is_not(None))


def _quiet_runs(connection: Connection, now: datetime, limit: datetime) -> int:
    """Delete runs in which nothing happened: after a day, one for each hour is kept."""
    quiet = select(_run.c.id, _run.c.started_at).where(
        _run.c.quiet.is_(True), _run.c.started_at >= limit, _run.c.started_at < now - _QUIET_DAYS
    )
    hours = set[datetime]()
    spare = []
    for run, started_at in connection.execute(quiet.order_by(_run.c.started_at, _run.c.id)):
        hour = started_at.replace(minute=0, second=0, microsecond=0)
        if hour in hours:
            spare.append(run)
        hours.add(hour)
    return _delete_ids(connection, _run, _run.c.id, spare[:BATCH])


def _unused_lists(connection: Connection, _now: datetime, _limit: datetime) -> int:
    """Delete report lists that neither a run nor another list needs."""
    used = {
        number
        for text in connection.execute(select(_run.c.lists).distinct()).scalars()
        for number in json.loads(text).values()
    }
    later = _list.alias()
    # A list that another one is the difference to is still needed. Once its leaf is gone, it is a leaf itself.
    leaves = select(_list.c.id).where(~exists().where(later.c.base == _list.c.id))
    spare = [number for number in connection.execute(leaves).scalars() if number not in used]
    return _delete_ids(connection, _list, _list.c.id, spare[:BATCH])


def _old_events(connection: Connection, _now: datetime, limit: datetime) -> int:
    # The instant is written as the database writes it, because the database compares the two.
    text = limit.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    zone = "+00" if connection.dialect.name == "postgresql" else ""
    store_cursors(connection, {KEPT_FROM: text + zone})
    found = _delete(connection, _event, _event.c.id, _event.c.at < limit)
    connection.execute(delete(_cursor).where(_cursor.c.name == KEPT_FROM))
    return found


def _closed_tasks(connection: Connection, _now: datetime, limit: datetime) -> int:
    """Delete tasks of one CRM only that have nothing open or unsettled and no event since then.

    Old events are deleted before this, so a task without any event had none recently. Tasks that were in more than one
    CRM stay, because their copies and the markers in these do, too: if one is reopened, only the ledger tells that it
    is a new task. Otherwise it would look like a copy of a finished task, and be completed. Exclusive tasks of lanes
    stay, too: one that was closed when we created another would look like one that we closed, and be put back.
    """
    done = select(_task.c.id).where(
        _task.c.state != "open",
        ~exists().where(
            _replica.c.task == _task.c.id,
            (_replica.c.state == "open") | (_replica.c.system != _task.c.origin) | _replica.c.exclusive.is_(True),
        ),
        ~exists().where(
            _operation.c.task == _task.c.id,
            _operation.c.state.in_(sorted(UNSETTLED))
            | (_operation.c.action == "create")
            | (_operation.c.created_at >= limit),
        ),
        ~exists().where(_event.c.task == _task.c.id),
        func.coalesce(_task.c.first_seen, _task.c.due) < limit,
        _task.c.due < limit,
    )
    ids = list(connection.execute(done.limit(BATCH)).scalars())
    # Before the tasks that they refer to.
    for table in (_operation, _replica):
        _delete_ids(connection, table, table.c.task, ids)
    return _delete_ids(connection, _task, _task.c.id, ids)


def _old_lookups(connection: Connection, _now: datetime, limit: datetime) -> int:
    # All at once, so there is never more to do.
    connection.execute(delete(_lookup).where(_lookup.c.asked_at < limit))
    return 0


# Runs go before the lists that they use, and events before the tasks that they keep.
_STEPS: Final[tuple[Callable[[Connection, datetime, datetime], int], ...]] = (
    _old_runs,
    _quiet_runs,
    _unused_lists,
    _old_events,
    _closed_tasks,
    _old_lookups,
)


def _delete(connection: Connection, table: Table, key: ColumnElement[str], *conditions: ColumnElement[bool]) -> int:
    # The ids are read first, because PostgreSQL and most builds of SQLite know no DELETE with a LIMIT.
    return _delete_ids(
        connection, table, key, connection.execute(select(key).where(*conditions).limit(BATCH)).scalars()
    )


def _delete_ids(connection: Connection, table: Table, key: ColumnElement[str], ids: Iterable[str]) -> int:
    number = 0
    for part in chunks(ids):
        number += connection.execute(delete(table).where(key.in_(part))).rowcount
    return number
