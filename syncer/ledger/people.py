"""Questions that people ask, and what `syncer retry` does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, func, or_, select, update

from syncer.domain.base import Event
from syncer.domain.cursors import FULL
from syncer.domain.model import Record, Replica, Task
from syncer.domain.reasons import Reason
from syncer.ledger.reading import LATEST, LIVE, REPLICAS_BY_TASK, STALLED, chunked, chunks
from syncer.ledger.rows import EVENTS, OPERATIONS, RECORDS, REPLICAS, TASKS
from syncer.ledger.tables import METADATA
from syncer.ledger.writing import append, forget

_LEAST_PREFIX: Final = 6
_LEAST_DIGITS: Final = 3
_task = TASKS.table
_replica = REPLICAS.table
_operation = OPERATIONS.table
_event = EVENTS.table
_record = RECORDS.table
_cursor = METADATA.tables["cursor"]


class TaskView(NamedTuple):
    """A task as people see it; ``contact`` is the person's name, empty if no CRM gave one."""

    task: Task
    replicas: list[Replica]
    contact: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are: tasks by state, replicas and records by system, operations by state, people."""

    tasks: dict[str, int] = field(default_factory=dict)
    replicas: dict[str, dict[str, int]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    links: int = 0


def tasks(
    connection: Connection, *, contact: str | None = None, state: str | None = None, system: str | None = None
) -> list[TaskView]:
    """Tasks by due; ``contact`` is part of a name, end of a number, e-mail or link's id. With a copy in ``system``."""
    people = _people(connection)
    wanted = None if contact is None else {link for link in people if _matches(contact, link, people[link])}
    query = TASKS.select.order_by(_task.c.due, _task.c.id)
    if state is not None:
        query = query.where(_task.c.state == state)
    if system is not None:
        query = query.where(_task.c.id.in_(select(_replica.c.task).where(_replica.c.system == system)))
    found = [task for task in TASKS.values(connection.execute(query)) if wanted is None or task.contact in wanted]
    copies: dict[str, list[Replica]] = {task.id: [] for task in found}
    for replica in REPLICAS.values(chunked(connection, REPLICAS_BY_TASK, copies)):
        copies[replica.task].append(replica)
    names = {task.id: name_of(task, people.get(task.contact)) for task in found}
    return [TaskView(task, sorted(copies[task.id], key=lambda copy: copy.key), names[task.id]) for task in found]


def history(connection: Connection, task: str) -> list[Event]:
    """One task's events, oldest first."""
    return EVENTS.values(connection.execute(EVENTS.select.where(_event.c.task == task).order_by(_event.c.id)))


def had_copy(connection: Connection, task: str, system: str) -> bool:
    """Whether a copy of the task was ever known there, also one that was forgotten since."""
    told = select(_event.c.id).where(_event.c.task == task, _event.c.system == system, _event.c.remote_id.is_not(None))
    return connection.execute(told.limit(1)).first() is not None


def incidents(connection: Connection, seen_by: list[str]) -> list[Event]:
    """The incidents that these runs saw, oldest first."""
    if not seen_by:
        return []
    found = EVENTS.select.where(_event.c.what == "incident", _event.c.run.in_(seen_by)).order_by(_event.c.id)
    return EVENTS.values(connection.execute(found))


def find(connection: Connection, reference: str) -> str | None:
    """The id of a task: as it stands, by a copy's ``system:remote id``, or by an unambiguous beginning (6 characters).

    A replica that was forgotten is still found by what was written about it.
    """
    reference = reference.strip()
    task = connection.execute(select(_task.c.id).where(_task.c.id == reference)).scalar()
    system, colon, remote_id = reference.partition(":")
    if task is None and colon:
        task = _find_replica(connection, system, remote_id)
    if task is not None or len(reference) < _LEAST_PREFIX:
        return task
    ids = list(connection.execute(select(_task.c.id).where(_begins(reference)).limit(2)).scalars())
    return str(ids[0]) if len(ids) == 1 else None


def beginning_with(connection: Connection, reference: str) -> list[TaskView]:
    """The tasks whose ids begin so, by due; none where fewer than 6 characters are given."""
    if len(reference.strip()) < _LEAST_PREFIX:
        return []
    query = TASKS.select.where(_begins(reference.strip())).order_by(_task.c.due, _task.c.id)
    people = _people(connection)
    return [
        TaskView(task, [], name_of(task, people.get(task.contact))) for task in TASKS.values(connection.execute(query))
    ]


def counts(connection: Connection) -> Counts:
    """Numbers for ``syncer status``."""
    replicas: dict[str, dict[str, int]] = {}
    grouped = select(_replica.c.system, _replica.c.state, func.count()).group_by(_replica.c.system, _replica.c.state)
    for system, state, number in connection.execute(grouped):
        replicas.setdefault(system, {})[state] = number
    return Counts(
        tasks=_count(connection, _task, _task.c.state),
        replicas=replicas,
        operations=_count(connection, _operation, _operation.c.state),
        records=_count(connection, _record, _record.c.system),
        links=connection.execute(select(func.count()).select_from(METADATA.tables["contact"])).scalar_one(),
    )


def free(connection: Connection, task: str | None, now: datetime) -> int:
    """Let what is parked, failed, gone or held be tried again, of one task or of all; how many things were freed.

    That a whole CRM is full is forgotten too, and an event is written for each thing.
    """
    events = [
        *_free_operations(connection, task, now),
        *_forget_gone(connection, task, now),
        *_release(connection, task, now),
        *_lift_holds(connection, now),
    ]
    append(connection, events)
    return len(events)


def _free_operations(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    held = or_(_operation.c.not_before.is_not(None), _operation.c.fingerprint != "", _operation.c.failures > 0)
    query = OPERATIONS.select.where(STALLED, LATEST, held, _of_task(_operation.c.task, task))
    operations = OPERATIONS.values(connection.execute(query.order_by(_operation.c.id)))
    reset = update(_operation).values(not_before=None, fingerprint="", failures=0)
    for part in chunks(operation.id for operation in operations):
        connection.execute(reset.where(_operation.c.id.in_(part)))
    return [
        Event(now, "freed", "us", f"{o.action} may be tried again", o.task, o.system, o.remote_id) for o in operations
    ]


def _forget_gone(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    query = REPLICAS.select.where(_replica.c.state == "gone", _of_task(_replica.c.task, task))
    gone = sorted(REPLICAS.values(connection.execute(query)), key=lambda replica: replica.key)
    forget(connection, [replica.key for replica in gone])
    words = "the copy that is gone was forgotten and may be made again"
    return [Event(now, "freed", "us", words, replica.task, *replica.key) for replica in gone]


def _release(connection: Connection, task: str | None, now: datetime) -> list[Event]:
    """Tasks that are held under attention count as tasks of their own from now on, of which copies are made.

    Duplicates are let go one by one, by their ids: most are to be deleted, and all at once would double what is there.
    """
    kept = ("", Reason.DUPLICATE) if task is None else ("",)
    query = TASKS.select.where(_task.c.held.not_in(kept), _of_task(_task.c.id, task))
    held = sorted(TASKS.values(connection.execute(query)), key=lambda one: one.id)
    for part in chunks(one.id for one in held):
        connection.execute(update(_task).where(_task.c.id.in_(part)).values(held=""))
    words = "it is no longer held, so that copies are made of it"
    return [Event(now, "freed", "us", words, one.id, one.origin) for one in held]


def _lift_holds(connection: Connection, now: datetime) -> list[Event]:
    is_hold = and_(_cursor.c.name.startswith(FULL, autoescape=True), _cursor.c.value != "")
    names = list(connection.execute(select(_cursor.c.name).where(is_hold).order_by(_cursor.c.name)).scalars())
    if names:
        connection.execute(delete(_cursor).where(is_hold))
    return [Event(now, "freed", "us", f"no longer full: {name.removeprefix(FULL)}") for name in names]


def _of_task(column: ColumnElement[str], task: str | None) -> ColumnElement[bool]:
    return column.in_(LIVE) if task is None else column == task


def _count(connection: Connection, table: Table, column: ColumnElement[Any]) -> dict[str, int]:
    query = select(column, func.count()).select_from(table).group_by(column)
    return {row[0]: row[1] for row in connection.execute(query)}


def _begins(reference: str) -> ColumnElement[bool]:
    return func.upper(_task.c.id).startswith(reference.upper(), autoescape=True)


def _find_replica(connection: Connection, system: str, remote_id: str) -> str | None:
    known = select(_replica.c.task).where(_replica.c.system == system, _replica.c.remote_id == remote_id)
    told = select(_event.c.task).where(
        _event.c.system == system, _event.c.remote_id == remote_id, _event.c.task.is_not(None)
    )
    task = connection.execute(known).scalar()
    return task or connection.execute(told.order_by(_event.c.id.desc()).limit(1)).scalar()


def names_of(connection: Connection, links: Iterable[str]) -> dict[str, list[Record]]:
    """What the CRMs know of these persons."""
    found: dict[str, list[Record]] = {}
    query = RECORDS.select.add_columns(_record.c.link).order_by(_record.c.system, _record.c.remote_id)
    for part in chunks(links):
        for row in connection.execute(query.where(_record.c.link.in_(part))):
            found.setdefault(row[-1], []).append(RECORDS.value(row))
    return found


def _people(connection: Connection) -> dict[str, list[Record]]:
    people: dict[str, list[Record]] = {}
    linked = RECORDS.select.add_columns(_record.c.link).where(_record.c.link.is_not(None))
    for row in connection.execute(linked.order_by(_record.c.system, _record.c.remote_id)):
        people.setdefault(row[-1], []).append(RECORDS.value(row))
    return people


def _matches(text: str, link: str, records: Iterable[Record]) -> bool:
    needle = text.strip().casefold()
    if needle == link.casefold():
        return True
    digits = re.sub(r"[\s().+-]", "", needle)
    is_number = digits.isdigit() and len(digits) >= _LEAST_DIGITS
    return any(
        needle in record.name.casefold()
        or needle in record.emails
        or (is_number and any(phone.endswith(digits) for phone in record.phones))
        for record in records
    )


def name_of(task: Task, records: Iterable[Record] | None) -> str:
    """The name that the task's origin knows the person by, else any other."""
    names = {record.system: record.name for record in records or () if record.name}
    return names.get(task.origin) or next(iter(names.values()), "")
