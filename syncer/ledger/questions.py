"""The queries of the commands, in SQL that SQLite and PostgreSQL both understand."""

from __future__ import annotations

import json
import zlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from syncer.domain.alarms import Alarm
from syncer.domain.events import Event
from syncer.domain.model import Kind, Record, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, Operation, OpState
from syncer.ledger.holder import LEASE, HeldRow
from syncer.ledger.marks import PART
from syncer.ledger.numbers import last_digits
from syncer.ledger.values import (
    CHANGES,
    FEW,
    TEXTS,
    Counts,
    Incidents,
    PlainShape,
    Run,
    TaskView,
    instant,
    storable,
    word,
)

_LEAST_PREFIX: Final = 6
_AT_ONCE: Final = 500
_TASKS: Final = PlainShape("task", Task, kind=word(Kind), state=word(State))
_REPLICAS: Final = PlainShape("replica", Replica, state=word(ReplicaState), owed=FEW, typed=FEW)
_OPERATIONS: Final = PlainShape(
    "operation", Operation, action=word(Action), state=word(OpState), before=TEXTS, seen=TEXTS, changes=CHANGES
)
_EVENTS: Final = PlainShape("event", Event, lost=FEW)
_RECORDS: Final = PlainShape("record", Record, phones=TEXTS, emails=TEXTS)


class Ask(Protocol):
    """Run one SQL query with ``:name`` parameters from ``values``. Returns the rows as the driver gives them."""

    def __call__(self, sql: str, /, **values: object) -> Sequence[Sequence[Any]]: ...


def tasks(
    ask: Ask, *, contact: str | None = None, state: str | None = None, system: str | None = None
) -> list[TaskView]:
    """Return tasks by due date.

    ``contact`` is a part of a name or e-mail, a link's id, or the last digits of a phone number. ``system`` is a CRM
    that has a copy.
    """
    # All people: names are compared without case, which SQLite can do for ASCII only.
    people = _people(ask)
    wanted = None if contact is None else {link for link in people if _matches(contact, link, people[link])}
    having = ""
    if state is not None:
        having += " AND task.state = :state"
    if system is not None:
        having += " AND task.id IN (SELECT replica.task FROM replica WHERE replica.system = :system)"
    # What people type may have characters that a database refuses even in a question.
    values = {name: storable(value) for name, value in (("state", state), ("system", system)) if value is not None}
    found = _tasks(ask, f"1 = 1{having}", **values)
    return _views(ask, [task for task in found if wanted is None or task.contact in wanted], people)


def views_of(ask: Ask, ids: Collection[str]) -> list[TaskView]:
    """Return those of these tasks that the ledger knows."""
    if not ids:
        return []
    found = [task for part in _parts(ids) for task in _tasks(ask, f"task.id IN ({_names(part)})", **part)]
    return _views(ask, found, _people(ask, {task.contact for task in found}))


def beginning_with(ask: Ask, reference: str) -> list[TaskView]:
    """Return the tasks whose ids have this prefix, by due date; none if it has fewer than 6 characters."""
    begin = storable(reference.strip()).upper()
    if len(begin) < _LEAST_PREFIX:
        return []
    found = _tasks(ask, _BEGINS, begin=begin, length=len(begin))
    people = _people(ask, {task.contact for task in found})
    return [TaskView(task, [], _name(task, people.get(task.contact))) for task in found]


def find(ask: Ask, reference: str) -> str | None:
    """Return a task's id, given the id, a copy's ``system:remote id``, or an unambiguous prefix (6 characters).

    A replica that was deleted from the ledger is still found by its history.
    """
    reference = storable(reference.strip())
    task = _one(ask("SELECT id FROM task WHERE id = :id", id=reference))
    system, colon, remote_id = reference.partition(":")
    if task is None and colon:
        task = _find_replica(ask, system, remote_id)
    if task is not None or len(reference) < _LEAST_PREFIX:
        return task
    begin = reference.upper()
    # Two are enough to know that it is ambiguous.
    rows = ask(f"SELECT task.id FROM task WHERE {_BEGINS} LIMIT 2", begin=begin, length=len(begin))
    return str(rows[0][0]) if len(rows) == 1 else None


def history(ask: Ask, task: str) -> list[Event]:
    """Return one task's events, oldest first."""
    return _EVENTS.values(
        ask(f"SELECT {_EVENTS.columns} FROM event WHERE task = :task ORDER BY event.id", task=storable(task))
    )


def had_copy(ask: Ask, task: str, system: str) -> bool:
    """Whether a copy of the task was ever known there, even if it was deleted from the ledger since."""
    # `syncer retry` deletes a copy that is gone. Then our create of it is left, or that it was the origin, or else only
    # its history, which is not kept for ever.
    told = (
        "SELECT 1 FROM replica WHERE task = :task AND system = :system"
        " UNION ALL SELECT 1 FROM task WHERE id = :task AND origin = :system"
        " UNION ALL SELECT 1 FROM operation"
        " WHERE task = :task AND system = :system AND action = :create AND state = :done"
        " UNION ALL SELECT 1 FROM event WHERE task = :task AND system = :system AND remote_id IS NOT NULL LIMIT 1"
    )
    made = {"create": Action.CREATE.value, "done": OpState.DONE.value}
    return bool(ask(told, task=storable(task), system=storable(system), **made))


def latest_intent(ask: Ask, slot: tuple[str, str, Action]) -> datetime | None:
    """Return when the latest operation of a slot was stored, by our clock at that time; ``None`` if there was none."""
    told = "SELECT max(created_at) FROM operation WHERE task = :task AND system = :system AND action = :action"
    [[at]] = ask(told, task=storable(slot[0]), system=storable(slot[1]), action=slot[2].value)
    return instant(at)


def open_operations(ask: Ask, task: str) -> list[Operation]:
    """Return one task's unsettled operations, and those that failed or were refused last."""
    rows = ask(f"SELECT {_OPERATIONS.columns} FROM operation WHERE task = :task", task=storable(task))
    found = sorted(_OPERATIONS.values(rows), key=lambda one: (one.created_at, one.id))
    latest = {operation.slot: operation for operation in found}
    stalled = [one for one in latest.values() if one.state in {OpState.FAILED, OpState.PARKED}]
    return [operation for operation in found if operation.is_unsettled or operation in stalled]


def counts(ask: Ask) -> Counts:
    """Return the numbers for ``syncer status``."""
    replicas: dict[str, dict[str, int]] = {}
    for system, state, number in ask("SELECT system, state, count(*) FROM replica GROUP BY system, state"):
        replicas.setdefault(system, {})[state] = number
    return Counts(
        tasks=_count(ask, "task", "state"),
        replicas=replicas,
        operations=_count(ask, "operation", "state"),
        records=_count(ask, "record", "system"),
        links=sum(number for (number,) in ask("SELECT count(*) FROM contact")),
    )


def cursors(ask: Ask) -> dict[str, str]:
    """Return all cursors, including those about the ledger itself."""
    return {row[0]: row[1] for row in ask("SELECT name, value FROM cursor")}


def recent_runs(ask: Ask, limit: int, going: str | None) -> list[Run]:
    """Return the last runs of the whole account, newest first. ``going`` is the one that holds the lease."""
    wanted = (
        "SELECT id, started_at, finished_at, status, report, lists FROM run"
        " WHERE status <> :part ORDER BY number DESC LIMIT :limit"
    )
    return [_run(ask, row, going) for row in ask(wanted, limit=limit, part=PART)]


def lease(ask: Ask) -> HeldRow | None:
    """Return the stored lease, or ``None`` if it was released."""
    columns = "token, machine, pid, started, expires_at, steady_until, run"
    for row in ask(f"SELECT {columns} FROM lease WHERE name = :name", name=LEASE):
        held = HeldRow(*row)
        return held._replace(expires_at=_surely(held.expires_at))
    return None


def put_back(ask: Ask, report: dict[str, Any], lists: dict[str, int]) -> dict[str, Any]:
    """Return the whole report, with its long lists."""
    return report | {name: report_list(ask, number) for name, number in lists.items()}


def alarms_on(ask: Ask) -> dict[str, Alarm]:
    """Return the active alarms by name, oldest first."""
    rows = ask("SELECT name, since, detail, remedy FROM alarm ORDER BY since")
    return {name: Alarm(name, _surely(since), detail, remedy) for name, since, detail, remedy in rows}


def good_at(ask: Ask) -> datetime | None:
    """Return when a run last ended with ``ok`` or ``partial``."""
    ((found,),) = ask("SELECT max(finished_at) FROM run WHERE status IN ('ok', 'partial')")
    return instant(found)


def incidents(ask: Ask, since: datetime) -> Incidents | None:
    """Return the incidents since then, or ``None`` if there were none."""
    sql = (
        # A task may be deleted before its history. Its incident counts all the same.
        "SELECT event.at, task.put_back FROM event LEFT JOIN task ON task.id = event.task"
        " WHERE event.what = 'incident' ORDER BY event.id"
    )
    # Compared here, because the two databases write instants in different ways.
    found = [(_surely(at), bool(put_back)) for at, put_back in ask(sql)]
    recent = [(at, put_back) for at, put_back in found if at > since]
    if not recent:
        return None
    # What was put back is over, and a later incident has not begun with it.
    still = [at for at, put_back in recent if put_back]
    return Incidents(still[0] if still else recent[0][0], len(still))


def report_list(ask: Ask, number: int | None) -> list[Any]:
    """Return a long list of a report. It is stored as the difference to the list before."""
    changes = []
    while number is not None:
        [(number, content)] = ask("SELECT base, content FROM report_list WHERE id = :id", id=number)
        changes.append(json.loads(zlib.decompress(content)))
    value: list[Any] = changes.pop()
    while changes:
        value = patched(value, changes.pop())
    return value


def patched(before: list[Any], change: dict[str, Any]) -> list[Any]:
    """Apply a difference to a list: the entries that were removed, and those that were added with their positions."""
    gone = set(change["removed"])
    after = [item for place, item in enumerate(before) if place not in gone]
    for place, item in change["added"]:
        after.insert(place, item)
    return after


# Not LIKE, for which the underscore of an id would stand for any character.
_BEGINS: Final = "upper(substr(task.id, 1, :length)) = :begin"


def _run(ask: Ask, row: Sequence[Any], going: str | None) -> Run:
    run, started_at, finished_at, status, report, lists = row
    whole = put_back(ask, json.loads(report), json.loads(lists))
    broken_off = finished_at is None and run != going
    return Run(run, _surely(started_at), instant(finished_at), status, whole, broken_off)


def _surely(value: object) -> datetime:
    at = instant(value)
    if at is None:
        raise TypeError
    return at


def _one(rows: Sequence[Sequence[Any]]) -> str | None:
    """The first column of the first row, if there is one."""
    return rows[0][0] if rows else None


def _parts(ids: Iterable[str]) -> Iterable[dict[str, str]]:
    """Yield these ids as named parameters, no more at once than every database accepts."""
    every = [storable(one) for one in ids]
    for start in range(0, len(every), _AT_ONCE):
        yield {f"id{number}": one for number, one in enumerate(every[start : start + _AT_ONCE])}


def _names(part: Iterable[str]) -> str:
    return ", ".join(f":{name}" for name in part)


def _tasks(ask: Ask, having: str, **values: object) -> list[Task]:
    return _TASKS.values(ask(f"SELECT {_TASKS.columns} FROM task WHERE {having} ORDER BY task.due, task.id", **values))


def _views(ask: Ask, found: list[Task], people: dict[str, list[Record]]) -> list[TaskView]:
    copies: dict[str, list[Replica]] = {task.id: [] for task in found}
    for part in _parts(copies):
        sql = f"SELECT {_REPLICAS.columns} FROM replica WHERE replica.task IN ({_names(part)})"
        for replica in _REPLICAS.values(ask(sql, **part)):
            copies[replica.task].append(replica)
    return [
        TaskView(task, sorted(copies[task.id], key=lambda copy: copy.key), _name(task, people.get(task.contact)))
        for task in found
    ]


def _count(ask: Ask, table: str, column: str) -> dict[str, int]:
    return {row[0]: row[1] for row in ask(f"SELECT {column}, count(*) FROM {table} GROUP BY {column}")}


def _find_replica(ask: Ask, system: str, remote_id: str) -> str | None:
    place = {"system": system, "remote_id": remote_id}
    known = _one(ask("SELECT task FROM replica WHERE system = :system AND remote_id = :remote_id", **place))
    told = "SELECT task FROM event WHERE system = :system AND remote_id = :remote_id AND task IS NOT NULL"
    # A place has had several tasks if people reopened it. The last one is meant. By number, because a clock may be set.
    return known or _one(ask(f"{told} ORDER BY id DESC LIMIT 1", **place))


def _people(ask: Ask, links: Collection[str] | None = None) -> dict[str, list[Record]]:
    """Return the contacts of all links, or of these."""
    sql = f"SELECT {_RECORDS.columns}, record.link FROM record WHERE"
    if links is None:
        rows = [*ask(f"{sql} record.link IS NOT NULL")]
    else:
        rows = [row for part in _parts(links) for row in ask(f"{sql} record.link IN ({_names(part)})", **part)]
    people: dict[str, list[Record]] = {}
    # In one order, or another of a person's names would be shown now and then.
    for row in sorted(rows, key=lambda row: (row[0], row[1])):
        people.setdefault(row[-1], []).append(_RECORDS.value(row))
    return people


def _matches(text: str, link: str, records: Iterable[Record]) -> bool:
    """Whether a person is meant by a text: the same rule as that of the page's search (`syncer.ledger.pages`)."""
    needle = text.strip().lower()
    if needle == link.lower():
        return True
    digits = last_digits(text)
    return any(
        needle in record.name.lower()
        or any(needle in email for email in record.emails)
        or (digits is not None and any(phone.endswith(digits) for phone in record.phones))
        for record in records
    )


def _name(task: Task, records: Iterable[Record] | None) -> str:
    """Return the person's name in the CRM of the task's origin, else any other name."""
    # Where the task was written down, people know the person by that name.
    names = {record.system: record.name for record in records or () if record.name}
    return names.get(task.origin) or next(iter(names.values()), "")
