"""Write the changes of one step of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Table, and_, bindparam, delete, insert, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from syncer.domain.base import Changes
from syncer.domain.cursors import survivor
from syncer.domain.events import Event
from syncer.ledger import direct
from syncer.ledger.rows import EVENTS, FAILING, OPERATIONS, RECORDS, REPLICAS, TASKS
from syncer.ledger.tables import METADATA

_contact: Final = METADATA.tables["contact"]
_lookup: Final = METADATA.tables["lookup"]
_visit: Final = METADATA.tables["visit"]
_cursor: Final = METADATA.tables["cursor"]
_record = RECORDS.table
_task = TASKS.table
_replica = REPLICAS.table

_SURVIVOR: Final[BindParameter[str]] = bindparam("survivor")
_ABSORBED: Final[BindParameter[str]] = bindparam("absorbed")
# The link is deleted last, because records and tasks refer to it.
_MERGE: Final = (
    update(_record).where(_record.c.link == _ABSORBED).values(link=_SURVIVOR),
    update(_task).where(_task.c.contact == _ABSORBED).values(contact=_SURVIVOR),
    delete(_contact).where(_contact.c.id == _ABSORBED),
)
_FORGET: Final = delete(_replica).where(
    and_(_replica.c.system == bindparam("of_system"), _replica.c.remote_id == bindparam("of_id"))
)
_failing = FAILING.table
_READABLE: Final = delete(_failing).where(
    and_(*(_failing.c[name] == bindparam(f"of_{name}") for name in ("system", "what", "key")))
)
# Inline: else SQLAlchemy would fetch the new ids, which nobody needs.
_APPEND: Final = insert(EVENTS.table).inline()


def store(connection: Connection, changes: Changes, now: datetime) -> None:
    """Write all changes. A row is written before the rows that refer to it."""
    merged = {absorbed: survivor(absorbed, changes.merged) for absorbed in changes.merged}
    _store_contacts(connection, changes, merged, now)
    _upsert(connection, _task, TASKS.rows(changes.tasks.values()))
    _store_merges(connection, merged)
    forget(connection, changes.forgotten)
    _store_replicas(connection, changes)
    _store_operations(connection, changes)
    append(connection, changes.events)
    _store_small_values(connection, changes)


def is_empty(changes: Changes) -> bool:
    # All fields, so that a new one is not forgotten here.
    return not any(getattr(changes, name) for name in changes.__dataclass_fields__)


def append(connection: Connection, events: Sequence[Event]) -> None:
    if events:
        direct.change(connection, _APPEND, EVENTS.rows(events))


def forget(connection: Connection, replicas: Iterable[tuple[str, str]]) -> None:
    if rows := [{"of_system": system, "of_id": remote_id} for system, remote_id in replicas]:
        direct.change(connection, _FORGET, rows)


def store_cursors(connection: Connection, cursors: Mapping[str, str]) -> None:
    _upsert(connection, _cursor, [{"name": name, "value": value} for name, value in cursors.items()])


def _store_contacts(connection: Connection, changes: Changes, merged: Mapping[str, str], now: datetime) -> None:
    links = {*changes.links.values(), *merged, *merged.values(), *(task.contact for task in changes.tasks.values())}
    _upsert(connection, _contact, [{"id": link, "created_at": now} for link in sorted(links)], columns=())
    # Not the link: a record does not know its own, and would remove it.
    columns = ("name", "phones", "emails")
    _upsert(connection, _record, RECORDS.rows(changes.records.values()), columns=columns)
    # A link may be stored before its record was read. Then the record has no keys yet.
    blank = {"name": "", "phones": "[]", "emails": "[]"}
    rows = [{"system": key[0], "remote_id": key[1], "link": link, **blank} for key, link in changes.links.items()]
    _upsert(connection, _record, rows, columns=("link",))


def _store_merges(connection: Connection, merged: Mapping[str, str]) -> None:
    rows = [{"absorbed": old, "survivor": new} for old, new in merged.items() if old != new]
    for statement in _MERGE if rows else ():
        connection.execute(statement, rows)


def _store_replicas(connection: Connection, changes: Changes) -> None:
    # In one step a replica may be closed and another one opened in its place. If they were updated one by one, the task
    # could have two open replicas in between, which `one_open_replica` refuses.
    forget(connection, changes.replicas)
    _upsert(connection, _replica, REPLICAS.rows(changes.replicas.values()))


def _store_operations(connection: Connection, changes: Changes) -> None:
    # Settled ones first: one operation of a slot may be settled and the next one stored as unsettled in the same step,
    # and `one_unsettled_operation` refuses two.
    for unsettled in (False, True):
        part = [o for o in changes.operations.values() if (o.is_unsettled) is unsettled]
        _upsert(connection, OPERATIONS.table, OPERATIONS.rows(part))


def _store_small_values(connection: Connection, changes: Changes) -> None:
    lookups = [{"system": key[0], "key": key[1], "asked_at": at} for key, at in changes.lookups.items()]
    visits = [{"system": key[0], "contact": key[1], "read_at": at} for key, at in changes.visits.items()]
    _upsert(connection, _lookup, lookups)
    _upsert(connection, _visit, visits)
    store_cursors(connection, changes.cursors)
    if rows := [{"of_system": place[0], "of_what": place[1], "of_key": place[2]} for place in changes.readable]:
        connection.execute(_READABLE, rows)
    _upsert(connection, _failing, FAILING.rows(changes.failing.values()))


def _upsert(
    connection: Connection, table: Table, rows: list[dict[str, Any]], columns: tuple[str, ...] | None = None
) -> None:
    """Insert rows, or update these columns of rows that exist already. Without ``columns``, all are updated."""
    if rows:
        direct.change(connection, _upsert_statement(connection.dialect.name, table, columns), rows)


@cache
def _upsert_statement(dialect: str, table: Table, columns: tuple[str, ...] | None) -> Any:
    make: Any = sqlite_insert
    if dialect == "postgresql":
        # Imported only for PostgreSQL: most ledgers are files.
        from sqlalchemy.dialects.postgresql import insert as make
    statement = make(table)
    keys = [column.name for column in table.primary_key]
    if columns is None:
        columns = tuple(column.name for column in table.columns if column.name not in keys)
    if not columns:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in columns}
    )
