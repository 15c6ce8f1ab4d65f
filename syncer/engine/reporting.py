"""Make the report of a finished run or plan."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from syncer.config.registry import BUILT_IN
from syncer.domain.model import Reading, ReplicaState
from syncer.domain.operations import Action
from syncer.domain.reasons import Item, Reason
from syncer.domain.report import (
    ConnectionReport,
    Cost,
    Exit,
    OperationReport,
    Overwrite,
    Report,
    TaskName,
    as_text,
)
from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.opening import AccountInHand
from syncer.engine.own_errors import left_out_items
from syncer.engine.progress import least_seconds
from syncer.engine.same_person import unconfirmed
from syncer.engine.saved_plan import content_of
from syncer.engine.second_ledger import is_younger
from syncer.reconcile.guard import Excess
from syncer.reconcile.planned import Plan, Planned

_PLACE: Final = re.compile(r"(?<!syncer retry )\b([a-z][a-z0-9_]*):([0-9A-Za-z_-]+)")
"""A contact's place as it is written in sentences. What stands after ``syncer retry`` is a task's."""


def left_over(context: RunContext, plan: Plan) -> Plan:
    """Plan again after the run. Operations that are possible and were not done are listed as waiting, with a reason."""
    still = [
        Item(operation.task, operation.system, _why_not_done(context, operation), operation.reason)
        for operation in plan.operations
    ]
    return Plan((), (*plan.waiting, *still), plan.attention)


def _why_not_done(context: RunContext, operation: Planned) -> Reason:
    # The creates that this run did not try are planned again now, and wait for the same reason as the one that it
    # tried.
    if operation.makes_a_task and context.base.is_full(operation.system):
        return Reason.STORAGE_FULL
    # No run of this ledger does it, for the other one serves the account.
    if is_younger(context):
        return Reason.SECOND_LEDGER
    return Reason.BUDGET if context.out_of_time or context.connections[operation.system].spent else Reason.NEXT_RUN


def run_report(account: AccountInHand, context: RunContext, plan: Plan) -> Report:
    """Return the report of what a run did. It is stored with the run."""
    troubled = [c for c in context.connections.values() if c.seen.state is not ConnectionState.OK]
    report = _report(
        account,
        context,
        plan,
        Exit.PARTIAL if troubled or context.failed or is_younger(context) else Exit.DONE,
        created=_by_system(context, context.created),
        completed=_by_system(context, context.completed),
        edited=_by_system(context, context.edited),
    )
    _store(account, context, report)
    return report


def stopped_report(account: AccountInHand, context: RunContext, plan: Plan, excess: Excess) -> Report:
    """Return the report of what a run would have done that a limit stopped."""
    report = _report(
        account,
        context,
        plan,
        Exit.LIMIT,
        # Programs read a stopped run as they read any other.
        created=_by_system(context, context.created),
        completed=_by_system(context, context.completed),
        edited=_by_system(context, context.edited),
        operations=_operations(context, plan),
        message=excess.sentence,
    )
    _store(account, context, report)
    return report


def plan_report(account: AccountInHand, context: RunContext, plan: Plan) -> Report:
    """Return the report of what a run would do, and how many requests it would take."""
    troubled = any(connection.seen.state is not ConnectionState.OK for connection in context.connections.values())
    return _report(
        account,
        context,
        plan,
        Exit.PARTIAL if troubled or is_younger(context) else Exit.DONE,
        operations=_operations(context, plan),
        cost=_cost(account, context, plan),
    )


def _store(account: AccountInHand, context: RunContext, report: Report) -> None:
    account.ledger.finish_run(context.run, account.clock(), report.status, report.as_json(), token=context.token)


def _report(
    account: AccountInHand,
    context: RunContext,
    plan: Plan,
    exit_status: Exit,
    *,
    created: dict[str, int] | None = None,
    completed: dict[str, int] | None = None,
    edited: dict[str, int] | None = None,
    operations: tuple[OperationReport, ...] | None = None,
    cost: dict[str, Cost] | None = None,
    message: str = "",
) -> Report:
    waiting = _unique(_with_people(context, item) for item in (*plan.waiting, *context.waiting))
    attention = _unique(
        _with_people(context, item)
        for item in (*context.attention, *plan.attention, *_unread_rows(context), *left_out_items(context))
    )
    incidents = tuple(context.incidents)
    return Report(
        account=account.settings.name,
        run=context.run,
        started_at=context.started_at,
        duration_s=(account.clock() - context.started_at).total_seconds(),
        exit=exit_status,
        created=created or {},
        completed=completed or {},
        edited=edited or {},
        overwritten=overwritten(context),
        connections=_connections(context),
        waiting=waiting,
        attention=attention,
        incidents=incidents,
        operations=operations,
        cost=cost or {},
        known_as=_known_as(context, (*waiting, *attention, *incidents)),
        delays=tuple(context.delays),
        message=message,
    )


def _unread_rows(context: RunContext) -> list[Item]:
    """Return what could not be understood or reached, as items under attention."""
    return [
        Item(
            None,
            found.system,
            reason,
            _describe(found.remote_id, found.detail, found.received),
            person=(found.system, found.contact) if found.contact else None,
        )
        for connection in context.connections.values()
        for reason, trouble in (
            (Reason.UNREADABLE, connection.seen.unreadable),
            (Reason.UNREAD, connection.seen.unreached),
        )
        for found in trouble
    ]


def _describe(remote_id: str | None, detail: str, received: str) -> str:
    what = f"{remote_id}: {detail}" if remote_id else detail
    return f"{what}; received: {received}" if received else what


def _with_people(context: RunContext, item: Item) -> Item:
    """Return the item with the name of each person whose contact its sentence names."""
    # Other sentences name tasks in this form, and a task may have the number of somebody's contact.
    if item.reason is not Reason.AMBIGUOUS_CONTACT:
        return item

    def named(found: re.Match[str]) -> str:
        record = context.base.records.get((found[1], found[2]))
        return f"{record.name} ({found[0]})" if record is not None and record.name else found[0]

    return replace(item, detail=_PLACE.sub(named, item.detail))


def _unique(items: Iterable[Item]) -> tuple[Item, ...]:
    # A run merges a contact more than once, and each merge tells what it finds.
    return tuple(dict.fromkeys(items))


def _systems(context: RunContext) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*BUILT_IN, *context.connections)))


def _by_system(context: RunContext, counts: Counter[str]) -> dict[str, int]:
    return {system: counts[system] for system in _systems(context)}


def _connections(context: RunContext) -> dict[str, ConnectionReport]:
    off = {system: ConnectionReport(ConnectionState.OFF) for system in _systems(context)}
    opened = Counter(r.system for r in context.base.replicas.values() if r.state is ReplicaState.OPEN)
    used = {system: _connection(c, opened[system]) for system, c in context.connections.items()}
    return {**off, **used}


def _connection(connection: Connection, opened: int) -> ConnectionReport:
    wire = connection.adapter.wire
    reads, writes = wire.reads - connection.reads_before, wire.writes - connection.writes_before
    idle = connection.usable and not reads and not writes
    state = ConnectionState.IDLE if idle else connection.seen.state
    return ConnectionReport(state, reads=reads, writes=writes, open=opened, message=connection.seen.message)


def _people(context: RunContext) -> dict[str, str]:
    """Return a name for each link that has one."""
    people: dict[str, str] = {}
    # Sorted, so that a person has the same name in every report.
    for key, record in sorted(context.base.records.items()):
        link = context.base.links.get(key)
        if record.name and link is not None:
            people.setdefault(link, record.name)
    return people


def _known_as(context: RunContext, items: Iterable[Item]) -> dict[Item, TaskName]:
    """Return the names of these tasks and contacts: a task's title or kind, and its contact's name."""
    items = tuple(items)
    wanted = {item.task for item in items if item.task is not None}
    if unknown := wanted - context.base.tasks.keys():
        # An incident of a run that was killed may be about a task that is finished by now, and so was not loaded.
        context.ledger.extend(context.base, tasks=unknown)
    people = _people(context) if items else {}

    def name(item: Item) -> TaskName:
        task = context.base.tasks.get(item.task or "")
        if task is not None:
            return TaskName(task.full_name, people.get(task.contact, ""))
        if item.task in context.planned_as:
            return context.planned_as[item.task]
        row = _row(context, item)
        person = item.person or (row and row.contact and (row.system, row.contact))
        record = context.base.records.get(person) if person else None
        return TaskName((row.title or row.kind.label) if row else "", record.name if record else "")

    return {item: name(item) for item in items}


def _row(context: RunContext, item: Item) -> Reading | None:
    """Return what its CRM shows of a task that the ledger does not know."""
    if not item.remote_id or item.system not in context.seen:
        return None
    seen = context.seen[item.system]
    return seen.readings.get(item.remote_id) or seen.rows.get(item.remote_id)


def _operations(context: RunContext, plan: Plan) -> tuple[OperationReport, ...]:
    # Saved with a plan: a task that only the plan has seen may get another id, and its copies tell which one was meant.
    sources: dict[str, list[str]] = {}
    for replica in context.base.replicas.values():
        sources.setdefault(replica.task, []).append(f"{replica.system}:{replica.remote_id}")
    reports = []
    people = _people(context)
    for planned in plan.operations:
        task = context.base.tasks[planned.task]
        reports.append(
            OperationReport(
                task=task.id,
                system=planned.system,
                action=planned.action.value,
                kind=task.kind.value,
                contact=people.get(task.contact, ""),
                due=task.due,
                reason=planned.reason,
                title=task.full_name,
                remote_id=planned.remote_id,
                sources=tuple(sorted(sources.get(task.id, ()))),
                changes={one.field.value: (as_text(one.old), as_text(one.new)) for one in planned.changes},
                content=content_of(context, planned),
            )
        )
    return tuple(reports)


def overwritten(context: RunContext) -> tuple[Overwrite, ...]:
    """Return the values that people typed and that lost against another change, each once."""
    people = _people(context) if context.overwritten else {}
    found = []
    for one in dict.fromkeys(context.overwritten):
        task = context.base.tasks.get(one.task)
        name = TaskName("", "") if task is None else TaskName(task.full_name, people.get(task.contact, ""))
        found.append(Overwrite(one.task, one.system, one.field.value, as_text(one.value) or "", one.by, name))
    return tuple(found)


def _cost(account: AccountInHand, context: RunContext, plan: Plan) -> dict[str, Cost]:
    """Return the cost for each CRM: requests for reading and for the operations, and their share of its budgets."""
    cost = {}
    for system, connection in context.connections.items():
        capabilities = connection.adapter.capabilities
        mine = [planned for planned in plan.operations if planned.system == system]
        # The write, and the lists around it: before and after it in a lane, before it where lists lag.
        each = 1 + (2 if capabilities.lane is not None else int(capabilities.listing_lags))
        # An edit reads the task just before it writes.
        edits = sum(planned.action is Action.EDIT and capabilities.lane is None for planned in mine)
        operations = (len(mine) - edits) * each + edits * 2
        requests = connection.adapter.wire.reads - connection.reads_before + operations
        requests += len(unconfirmed(context, mine))
        rates = account.settings.connections[system].rate
        cost[system] = Cost(
            requests, least_seconds(requests, rates), round(max(requests / rate.requests for rate in rates), 4)
        )
    return cost
