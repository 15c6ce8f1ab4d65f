"""``syncer tasks``: list the tasks of the ledger and their copies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from syncer.cli.errors import UsageError
from syncer.cli.screens import Screen, moment, short_ids
from syncer.cli.session import Session, for_each_account
from syncer.config.registry import installed_systems, label_of
from syncer.config.schema import Account
from syncer.domain.model import Replica, ReplicaState, State
from syncer.domain.report import Exit, as_instant
from syncer.ledger import TaskView, look

_ROOMY: Final = 120
"""The least width of a terminal for whole ids."""
_CLOSED: Final = {ReplicaState.SUPERSEDED: "closed", ReplicaState.CANCELLED: "closed"}
_FIRST: Final = {ReplicaState.OPEN: 0}


def list_tasks(session: Session, contact: str | None, state: State | None, system: str | None) -> int:
    """List the tasks, each with its copies."""
    if system is not None and system not in installed_systems():
        # A name with a typing error would find nothing, and look like a CRM without tasks.
        known = ", ".join(installed_systems())
        return session.fail(None, UsageError(f"there is no CRM named {system}; --system is one of {known}"))

    def work(account: Account) -> Exit:
        with look(account.ledger_url, account.name) as ledger:
            found = ledger.tasks(contact, None if state is None else state.value, system)
        if session.json:
            session.answer({"account": account.name, "tasks": [as_json(view) for view in found]})
        else:
            _show(session.screen, account, found)
        return Exit.DONE

    return for_each_account(session, work, looking=True)


def as_json(view: TaskView) -> dict[str, Any]:
    """Return one task with its copies as JSON."""
    task = view.task
    copies: dict[str, list[dict[str, Any]]] = {}
    for replica in _in_order(view.replicas):
        copy = {"id": replica.remote_id, "state": replica.state.value, "made_by_us": replica.made}
        copies.setdefault(replica.system, []).append(copy)
    return {
        "task": task.id,
        "state": task.state.value,
        "kind": task.kind.value,
        "title": task.title,
        "contact": view.contact,
        "due": as_instant(task.due),
        "origin": task.origin,
        "assignee": task.assignee,
        "copies": copies,
    }


def _in_order(replicas: Iterable[Replica]) -> list[Replica]:
    """Sort copies by CRM, open ones first."""
    return sorted(replicas, key=lambda replica: (replica.system, _FIRST.get(replica.state, 1), replica.remote_id))


def _show(screen: Screen, account: Account, found: list[TaskView]) -> None:
    number = f"{len(found)} task{'s' if len(found) != 1 else ''}"
    screen.say(f"{account.name}: {number} ({account.timezone})", "bold")
    if not found:
        return
    systems = tuple(account.connections)
    if screen.tables:
        columns = ["due", "task", *map(label_of, systems), "ID"]
        whole = screen.width >= _ROOMY
        ids = [view.task.id for view in found] if whole else short_ids([view.task.id for view in found])
        rows = [_line(account, view, systems, shown) for view, shown in zip(found, ids, strict=True)]
        screen.table(columns, rows, indent=0, elastic="task")
    else:
        screen.table(["task", *map(label_of, systems)], [_row(account, view, systems) for view in found], indent=0)


def _line(account: Account, view: TaskView, systems: Iterable[str], shown: str) -> list[str]:
    """Return one task in one line, with the state of one copy in each CRM: the open one, if there is one."""
    task = view.task
    states: dict[str, str] = {}
    for copy in _in_order(view.replicas):
        states.setdefault(copy.system, _CLOSED.get(copy.state, copy.state.value))
    # The person comes first, because the end of the column is cut if there is no room.
    name = ": ".join(part for part in (view.contact, task.name) if part)
    return [moment(task.due, account.zone), name, *(states.get(system, "") for system in systems), shown]


def _row(account: Account, view: TaskView, systems: Iterable[str]) -> list[str]:
    task = view.task
    copies = {system: [copy for copy in _in_order(view.replicas) if copy.system == system] for system in systems}
    cells = [", ".join(f"{copy.state} {copy.remote_id}" for copy in copies[system]) for system in systems]
    state = "" if task.state is State.OPEN else task.state.value
    parts = (task.name, view.contact, moment(task.due, account.zone), state, task.id)
    return [", ".join(part for part in parts if part), *cells]
