"""What a run did, or would do: one value, for programs as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Final, NamedTuple

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
    SIGINT = 130
    SIGTERM = 143


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """How one connection fared. ``open`` counts the open copies known there."""

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
    """One operation of a plan, for people: ``contact`` is a name, ``sources`` are the task's known copies.

    A task that only the plan has seen gets another id in the run; its copies tell which one is meant.
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

    def as_json(self) -> dict[str, Any]:
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
        }


class TaskName(NamedTuple):
    """What a person knows a task by: its title, else its kind, and the contact's name; empty where nobody knows."""

    title: str
    contact: str


_NOBODY: Final = TaskName("", "")


class Cost(NamedTuple):
    """What a plan costs in one CRM.

    ``requests`` are those that the plan took to read and those that its operations would take, ``seconds`` the least
    time that the rates let them take, ``budget_share`` the largest part of a rate's budget that they are: 1.0 is all.
    """

    requests: int
    seconds: float
    budget_share: float


@dataclass(frozen=True, slots=True)
class Report:
    """One run of one account. ``created`` and ``completed`` are a run's, ``operations`` a plan's.

    A run that a limit stopped has both: nothing done, and what it would have done. ``known_as`` has what people
    know the items of the three lists by. ``delays`` has, of each write that was confirmed, its CRM
    and the seconds since what it carries over was done elsewhere.
    """

    account: str
    run: str
    started_at: datetime
    duration_s: float
    exit: Exit
    created: Mapping[str, int] = field(default_factory=dict)
    completed: Mapping[str, int] = field(default_factory=dict)
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
        """The report as programs read it; the shape is a contract."""
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
        if self.operations is None or self.exit is Exit.LIMIT:
            done |= {"created": dict(self.created), "completed": dict(self.completed)}
        if self.operations is not None:
            done |= {"operations": [operation.as_json() for operation in self.operations], "cost": self._cost()}
        if self.delays:
            done["delays"] = {system: self._delays(system) for system in dict(self.delays)}
        return {
            **head,
            **done,
            "connections": {system: connection.as_json() for system, connection in self.connections.items()},
            "waiting": self._items(self.waiting),
            "attention": self._items(self.attention),
            "incidents": self._items(self.incidents),
        }

    def _delays(self, wanted: str) -> list[float]:
        return [round(seconds, 1) for system, seconds in self.delays if system == wanted]

    def _cost(self) -> dict[str, Any]:
        return {system: cost._asdict() for system, cost in self.cost.items()}

    def _items(self, items: Iterable[Item]) -> list[dict[str, Any]]:
        """Lines of the report; a detail is never empty: without one of its own, the reason's sentence."""
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


def as_instant(moment: datetime) -> str:
    """``2026-05-19T08:30:00Z``."""
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")
