"""The queries of the daemon's pages: a part of the tasks, one task, and what the runs since a given time did.

No query reads more than the page shows, so that large ledgers stay fast.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from syncer.domain.base import Base
from syncer.domain.events import Event
from syncer.domain.operations import Operation
from syncer.ledger import questions, reading
from syncer.ledger.database import asking
from syncer.ledger.numbers import last_digits
from syncer.ledger.rows import RECORDS, REPLICAS, TASKS
from syncer.ledger.store import Ledger
from syncer.ledger.tables import METADATA
from syncer.ledger.values import TaskView, to_json

_task = TASKS.table
_replica = REPLICAS.table
_record = RECORDS.table
_run: Final = METADATA.tables["run"]
_RUNS: Final = select(
    *(_run.c[name] for name in ("number", "id", "started_at", "finished_at", "status", "report", "lists"))
)
_LOOK_BACK: Final = 20
# Runs for a few contacts lie between the whole ones.
_NEWEST: Final = _RUNS.where(_run.c.finished_at.is_not(None)).order_by(_run.c.number.desc()).limit(_LOOK_BACK)
_OPEN: Final = select(func.count()).where(_task.c.state == "open")
_OF_EACH: Final = ("delays", "overwritten")
"""Lists that the pages show of every run, not of the last one alone."""
_NOT_IN_EMAILS: Final = frozenset('[],"')
"""Characters between the e-mails, which stand in a JSON list. No e-mail has them."""


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """A filter for tasks: by state, by a CRM with a copy, and by text in title, name or e-mail, or the last digits of a
    phone number."""

    state: str = ""
    system: str = ""
    text: str = ""


class RunLine(NamedTuple):
    """One finished run: its report without the long lists, except the delays of its writes and what was overwritten."""

    number: int
    id: str
    started_at: datetime
    finished_at: datetime
    status: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class TaskStory:
    """One task with its copies, its open operations and its history."""

    view: TaskView
    operations: list[Operation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class Pages:
    """The queries of the pages. Every method is one transaction, and raises `LedgerError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def tasks(self, wanted: TaskFilter, offset: int, limit: int) -> tuple[list[TaskView], int]:
        """Return a part of the tasks by due date, and the number of all."""
        query = _wanted(select(_task.c.id), wanted)
        with self._database.reading() as connection:
            total = connection.execute(select(func.count()).select_from(query.subquery())).scalar_one()
            part = query.order_by(_task.c.due, _task.c.id).offset(offset).limit(limit)
            ids = list(connection.execute(part).scalars())
            views = questions.views_of(asking(connection), ids)
        # The views are read in parts, so their order is lost.
        place = {task: number for number, task in enumerate(ids)}
        return sorted(views, key=lambda view: place[view.task.id]), total

    def story(self, task: str) -> TaskStory | None:
        """Return everything about one task, or ``None`` if there is no such task."""
        base = Base()
        with self._database.reading() as connection:
            reading.extend(connection, base, replicas=(), tasks=[task])
            if task not in base.tasks:
                return None
            (view,) = questions.views_of(asking(connection), [task])
            return TaskStory(view, base.operations_of(task), questions.history(asking(connection), task))

    def open_tasks(self) -> int:
        """Return how many tasks are open."""
        with self._database.reading() as connection:
            return int(connection.execute(_OPEN).scalar_one())

    def has_run(self, run: str) -> bool:
        """Whether the ledger has this run."""
        with self._database.reading() as connection:
            return connection.execute(select(_run.c.id).where(_run.c.id == run)).first() is not None

    def last_report(self, known: str = "") -> RunLine | None:
        """Return the last run with a report, and its whole report; ``None`` if the caller has it as ``known``."""
        with self._database.reading() as connection:
            for row in connection.execute(_NEWEST):
                report = json.loads(row.report)
                # A run for a few contacts does not tell how the whole account is.
                if "connections" in report:
                    if row.id == known:
                        return None
                    whole = questions.put_back(asking(connection), report, json.loads(row.lists))
                    return RunLine(row.number, row.id, row.started_at, row.finished_at, row.status, whole)
        return None

    def runs(self, after: int, since: datetime, limit: int) -> list[RunLine]:
        """Return finished runs numbered above ``after`` and begun since, oldest first; at most the newest ``limit``."""
        query = (
            _RUNS.where(_run.c.number > after, _run.c.started_at >= since, _run.c.finished_at.is_not(None))
            .order_by(_run.c.number.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [_line(connection, row) for row in reversed(connection.execute(query).all())]


def _wanted(query: Select[Any], wanted: TaskFilter) -> Select[Any]:
    if wanted.state:
        query = query.where(_task.c.state == wanted.state)
    if wanted.system:
        query = query.where(_task.c.id.in_(select(_replica.c.task).where(_replica.c.system == wanted.system)))
    if text := wanted.text.strip().lower():
        named = select(_record.c.link).where(_record.c.link.is_not(None), _is_called(text))
        query = query.where(or_(_has(_task.c.title, text), _task.c.contact.in_(named), func.lower(_task.c.id) == text))
    return query


def _is_called(text: str) -> ColumnElement[bool]:
    """Whether a contact is meant: the same rule as that of the command line (`syncer.ledger.questions`)."""
    ways = [_has(_record.c.name, text)]
    if _NOT_IN_EMAILS.isdisjoint(text):
        # As the text stands in the JSON, where some characters are escaped.
        ways.append(_has(_record.c.emails, to_json(text)[1:-1]))
    if (digits := last_digits(text)) is not None:
        # The numbers stand in a JSON list, each in quotes.
        ways.append(_record.c.phones.contains(f'{digits}"', autoescape=True))
    return or_(*ways)


def _has(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    # What people type may have the database's wildcards in it.
    return func.lower(column).contains(text, autoescape=True)


def _line(connection: Connection, row: Any) -> RunLine:
    report, lists = json.loads(row.report), json.loads(row.lists)
    if wanted := {name: lists[name] for name in _OF_EACH if name in lists}:
        report |= questions.put_back(asking(connection), {}, wanted)
    return RunLine(row.number, row.id, row.started_at, row.finished_at, row.status, report)
