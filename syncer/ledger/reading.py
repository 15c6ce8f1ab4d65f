"""Load what a run needs: everything that may still matter, in a few statements."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
)

from syncer.domain.base import Base
from syncer.domain.model import Kind
from syncer.ledger import direct, identity
from syncer.ledger.rows import FAILING, OPERATIONS, RECORDS, REPLICAS, TASKS
from syncer.ledger.tables import METADATA

T = TypeVar("T")
Key = tuple[str, str]

# SQLite before 3.32 takes at most 999 parameters in one statement.
CHUNK: Final = 500
RECENTLY: Final = timedelta(days=1)
"""For how long equal tasks are counted, to detect loops."""

_task = TASKS.table
_replica = REPLICAS.table
_operation = OPERATIONS.table
_record = RECORDS.table
_lookup = METADATA.tables["lookup"]
_visit = METADATA.tables["visit"]
_cursor = METADATA.tables["cursor"]

# Literals, not parameters: SQLite uses a partial index only if the query shows the condition of the index.
_OPEN: Final[ColumnElement[str]] = literal_column("'open'")
_UNSETTLED: Final = _operation.c.state.in_([literal_column("'sent'"), literal_column("'in_doubt'")])
STALLED: Final = _operation.c.state.in_([literal_column("'failed'"), literal_column("'parked'")])


def _is_latest() -> ColumnElement[bool]:
    later = _operation.alias()
    same = and_(*(later.c[name] == _operation.c[name] for name in ("task", "system", "action")))
    newer = or_(
        later.c.created_at > _operation.c.created_at,
        and_(later.c.created_at == _operation.c.created_at, later.c.id > _operation.c.id),
    )
    return ~exists().where(same, newer)


LATEST: Final = _is_latest()
LIVE: Final = (
    select(_task.c.id)
    .where(_task.c.state == _OPEN)
    .union(select(_replica.c.task).where(_replica.c.state == _OPEN), select(_operation.c.task).where(_UNSETTLED))
)
"""The ids of the tasks that may still matter."""

# A copy that we made shows that the task was open, even after people reopened the copy, which made it another task.
_MADE: Final = and_(_operation.c.action == literal_column("'create'"), _operation.c.state == literal_column("'done'"))
_RELEVANT: Final = or_(_UNSETTLED, and_(STALLED, LATEST), _MADE)
_IDS: Final[BindParameter[str]] = bindparam("ids", expanding=True)

_LIVE_TASKS: Final = TASKS.select.where(_task.c.id.in_(LIVE))
_LIVE_REPLICAS: Final = REPLICAS.select.where(_replica.c.task.in_(LIVE))
_LIVE_OPERATIONS: Final = OPERATIONS.select.where(or_(_UNSETTLED, and_(STALLED, _operation.c.task.in_(LIVE), LATEST)))
_RECORDS: Final = RECORDS.select.add_columns(_record.c.link)
_RECENT: Final = (
    select(_task.c.contact, _task.c.kind, _task.c.title, _task.c.due, func.count())
    .where(_task.c.first_seen > bindparam("since"))
    .group_by(_task.c.contact, _task.c.kind, _task.c.title, _task.c.due)
)

_HOW_MANY: Final = [select(func.count()).select_from(table) for table in (_task, _replica)]
_LOOKUPS: Final = select(_lookup)
_VISITS: Final = select(_visit)
_CURSORS: Final = select(_cursor)

_TASKS_BY_ID: Final = TASKS.select.where(_task.c.id.in_(_IDS))
REPLICAS_BY_TASK: Final = REPLICAS.select.where(_replica.c.task.in_(_IDS))
_OPERATIONS_BY_TASK: Final = OPERATIONS.select.where(_operation.c.task.in_(_IDS), _RELEVANT)
_REPLICAS_BY_KEY: Final = REPLICAS.select.where(
    _replica.c.system == bindparam("system"), _replica.c.remote_id.in_(_IDS)
)


def load(connection: Connection, now: datetime) -> Base:
    """Load everything that a run starts from, as `Base` describes it."""
    since = {"since": now - RECENTLY}
    shared = _Shared()

    def rows(query: Select[Any]) -> Iterator[Sequence[Any]]:
        return map(shared.row, direct.rows(connection, query))

    base = Base(
        tasks={task.id: task for task in TASKS.each(rows(_LIVE_TASKS))},
        replicas={replica.key: replica for replica in REPLICAS.each(rows(_LIVE_REPLICAS))},
        operations={operation.id: operation for operation in OPERATIONS.each(rows(_LIVE_OPERATIONS))},
        lookups={(row[0], row[1]): row[2] for row in rows(_LOOKUPS)},
        visits={(row[0], row[1]): row[2] for row in rows(_VISITS)},
        recent={(row[0], Kind(row[1]), row[2], row[3]): row[4] for row in direct.rows(connection, _RECENT, since)},
        failing={failing.place: failing for failing in FAILING.values(direct.rows(connection, FAILING.select))},
    )
    known = (len(base.tasks), len(base.replicas))
    # In a small ledger everything is loaded, and a run then saves a query for each new row that it reads.
    base.is_whole = known == tuple(direct.scalar(connection, count) for count in _HOW_MANY)
    identity.fill(base, cursors(connection))
    for row in rows(_RECORDS):
        record = RECORDS.value(row)
        base.records[record.key] = record
        if (link := row[-1]) is not None:
            base.links[record.key] = link
    return base


_SHARED: Final = (str, datetime)


class _Shared(dict[Any, Any]):
    """One object for all equal texts and instants that are loaded.

    A task's id and due are in each of its copies, a contact's id in its record, its visit and its tasks, and the driver
    returns each of them as a new object. Together that is a fifth of a run's memory.
    """

    def row(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return the row's cells. Numbers stay as they are: to a dictionary, 1 and ``True`` are equal."""
        share = self.setdefault
        return [share(cell, cell) if cell.__class__ in _SHARED else cell for cell in row]


def cursors(connection: Connection) -> dict[str, str]:
    """Return all cursors, including those about the ledger itself."""
    return {row[0]: row[1] for row in direct.rows(connection, _CURSORS)}


def extend(connection: Connection, base: Base, *, replicas: Iterable[Key], tasks: Iterable[str]) -> None:
    """Add these tasks, and these replicas with their tasks, to the base, if they exist.

    A task is added with its replicas, its unsettled or stalled operations, and the creates of its copies. What `base`
    has already is not changed.
    """
    by_system: dict[str, list[str]] = {}
    for system, remote_id in dict.fromkeys(replicas):
        if (system, remote_id) not in base.replicas:
            by_system.setdefault(system, []).append(remote_id)
    wanted = dict.fromkeys(tasks)
    for system, ids in by_system.items():
        for row in chunked(connection, _REPLICAS_BY_KEY, ids, system=system):
            wanted[_add_replica(base, row)] = None
    _add_tasks(connection, base, [task for task in wanted if task not in base.tasks])


def _add_tasks(connection: Connection, base: Base, ids: list[str]) -> None:
    found = TASKS.values(chunked(connection, _TASKS_BY_ID, ids))
    base.tasks.update((task.id, task) for task in found)
    known = [task.id for task in found]
    for row in chunked(connection, REPLICAS_BY_TASK, known):
        _add_replica(base, row)
    for operation in OPERATIONS.values(chunked(connection, _OPERATIONS_BY_TASK, known)):
        base.operations.setdefault(operation.id, operation)


def _add_replica(base: Base, row: Row[Any]) -> str:
    """Add a replica and return the id of its task."""
    replica = REPLICAS.value(row)
    return base.replicas.setdefault(replica.key, replica).task


def chunked(connection: Connection, statement: Select[Any], ids: Iterable[str], **more: str) -> Iterator[Row[Any]]:
    """Return the rows of a statement with a list ``ids``, in parts that are small enough for every database."""
    for part in chunks(ids):
        yield from connection.execute(statement, {"ids": part, **more})


def chunks(values: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(values)
    while part := list(islice(iterator, CHUNK)):
        yield part
