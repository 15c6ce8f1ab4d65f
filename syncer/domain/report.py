"""The report of a run or a plan, and its JSON form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

from syncer.domain.fields import Value
from syncer.domain.reasons import Item
from syncer.domain.redact import redact
from syncer.domain.snapshot import ConnectionState


class Exit(IntEnum):
    """The exit statuses of every command."""

    DONE = 0
    PARTIAL = 1
    WRONG = 2
    LIMIT = 3
    BUSY = 4
    # What a shell reports for a process that a signal has ended: 128 and the signal's number.
    SIGINT = 130
    SIGTERM = 143


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """The state of one connection. ``open`` counts the open copies that are known there."""

    state: ConnectionState
    reads: int = 0
    writes: int = 0
    open: int = 0
    message: str = ""

    def as_json(self) -> dict[str, Any]:
        numbers = {"state": self.state.value, "reads": self.reads, "writes": self.writes, "open": self.open}
        return {**numbers, "message": redact(self.message)} if self.message else numbers


@dataclass(frozen=True, slots=True)
class OperationReport:
    """One operation of a plan. ``contact`` is a name, ``sources`` are the places of the task's known copies.

    ``changes`` has, for an edit, the old and the new value of each field. ``content`` is a hash of what would
    be written, and for whom.
    """

    task: str
    system: str
    action: str
    kind: str
    contact: str
    due: datetime
    reason: str
    title: str = ""
    remote_id: str | None = None
    sources: tuple[str, ...] = ()
    changes: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    content: str = ""

    def as_json(self) -> dict[str, Any]:
        changes = {"changes": {name: list(values) for name, values in self.changes.items()}} if self.changes else {}
        return {
            "task": self.task,
            "system": self.system,
            "action": self.action,
            "kind": self.kind,
            "contact": self.contact,
            "due": as_instant(self.due),
            "reason": self.reason,
            "title": self.title,
            "remote_id": self.remote_id,
            "sources": list(self.sources),
            "content": self.content,
            **changes,
        }


@dataclass(frozen=True, slots=True)
class Overwrite:
    """A value that somebody typed in ``system``, and that the value typed in ``by`` replaced. A due is ISO 8601."""

    task: str
    system: str
    field: str
    value: str
    by: str
    name: TaskName

    def as_json(self) -> dict[str, Any]:
        mine = {"task": self.task, "system": self.system, "field": self.field}
        return {**mine, "value": redact(self.value), "by": self.by, **self.name._asdict()}


class TaskName(NamedTuple):
    """How users recognise a task: its title, or else its kind, and the contact's name. Unknown parts are empty."""

    title: str
    contact: str


_NOBODY: Final = TaskName("", "")


class Cost(NamedTuple):
    """What a plan costs in one CRM.

    ``requests`` counts the plan's own reads and the requests of its operations. ``seconds`` is the least time that the
    request rates allow for them. ``budget_share`` is the part of the scarcest rate's budget that they use; 1.0 is all.
    """

    requests: int
    seconds: float
    budget_share: float


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one account.

    ``created``, ``completed`` and ``edited`` belong to a run, ``operations`` to a plan. A run that a limit stopped has
    both: it did nothing, and lists what it would have done. ``known_as`` has names for the items of ``waiting``,
    ``attention`` and ``incidents``. ``delays`` has, for each confirmed write, the CRM and the seconds since the change
    was made elsewhere.
    """

    account: str
    run: str
    started_at: datetime
    duration_s: float
    exit: Exit
    created: Mapping[str, int] = field(default_factory=dict)
    completed: Mapping[str, int] = field(default_factory=dict)
    edited: Mapping[str, int] = field(default_factory=dict)
    overwritten: tuple[Overwrite, ...] = ()
    connections: Mapping[str, ConnectionReport] = field(default_factory=dict)
    waiting: tuple[Item, ...] = ()
    attention: tuple[Item, ...] = ()
    incidents: tuple[Item, ...] = ()
    operations: tuple[OperationReport, ...] | None = None
    cost: Mapping[str, Cost] = field(default_factory=dict)
    known_as: Mapping[Item, TaskName] = field(default_factory=dict)
    message: str = ""
    delays: tuple[tuple[str, float], ...] = ()

    @property
    def status(self) -> str:
        if self.exit is Exit.DONE:
            return "ok"
        return "partial" if self.exit is Exit.PARTIAL else "stopped"

    def as_json(self) -> dict[str, Any]:
        """The report for programs. The shape is part of the public interface."""
        head: dict[str, Any] = {
            "account": self.account,
            "run": self.run,
            "status": self.status,
            "exit": int(self.exit),
            "started_at": as_instant(self.started_at),
            "duration_s": round(self.duration_s, 3),
        }
        if self.message:
            head["message"] = redact(self.message)
        done: dict[str, Any] = {}
        # A run that a limit stopped is still a run: its counts are there, and are zero.
        if self.operations is None or self.exit is Exit.LIMIT:
            done |= {"created": dict(self.created), "completed": dict(self.completed), "edited": dict(self.edited)}
        if self.operations is not None:
            done |= {"operations": [operation.as_json() for operation in self.operations], "cost": self._cost()}
        if self.delays:
            done["delays"] = delays_by_system(self.delays)
        return {
            **head,
            **done,
            "connections": {system: connection.as_json() for system, connection in self.connections.items()},
            "waiting": self._items(self.waiting),
            "attention": self._items(self.attention),
            "incidents": self._items(self.incidents),
            "overwritten": [one.as_json() for one in self.overwritten],
        }

    def _cost(self) -> dict[str, Any]:
        return {system: cost._asdict() for system, cost in self.cost.items()}

    def _items(self, items: Iterable[Item]) -> list[dict[str, Any]]:
        """The items as JSON. An item without a detail gets the sentence of its reason."""
        return [
            {
                "task": item.task,
                "system": item.system,
                "reason": item.reason.value,
                "detail": redact(item.detail or item.reason.sentence),
                **self.known_as.get(item, _NOBODY)._asdict(),
            }
            for item in items
        ]


def delays_by_system(delays: Iterable[tuple[str, float]]) -> dict[str, list[float]]:
    """The delays of confirmed writes as a report has them, by CRM: seconds, with one decimal."""
    found: dict[str, list[float]] = {}
    for system, seconds in delays:
        found.setdefault(system, []).append(round(seconds, 1))
    return found


def as_instant(moment: datetime) -> str:
    """``2026-05-19T08:30:00Z``."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def as_text(value: Value) -> str | None:
    """A field's value in a report."""
    return as_instant(value) if isinstance(value, datetime) else value
