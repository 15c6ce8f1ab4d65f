"""From a finished run, or plan, to its report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from syncer.context import Connection, RunContext
from syncer.guard import Excess
from syncer.model import ReplicaState
from syncer.observations import ConnectionState
from syncer.opening import AccountInHand
from syncer.plan import Plan
from syncer.reasons import Item, Reason
from syncer.registry import BUILT_IN
from syncer.report import ConnectionReport, Exit, OperationReport, Report


def left_over(context: RunContext, plan: Plan) -> Plan:
    """A plan made after the run: what could still be done and was not stands under waiting, with its reason."""
    still = [
        Item(operation.task, operation.system, _why_not_done(context, operation.system), operation.reason)
        for operation in plan.operations
    ]
    return Plan((), (*plan.waiting, *still), plan.attention)


def _why_not_done(context: RunContext, system: str) -> Reason:
    return Reason.BUDGET if context.out_of_time or context.connections[system].spent else Reason.NEXT_RUN


def run_report(account: AccountInHand, context: RunContext, plan: Plan) -> Report:
    """What a run did; stored with the run."""
    troubled = [c for c in context.connections.values() if c.seen.state is not ConnectionState.OK]
    report = _report(
        account,
        context,
        plan,
        Exit.PARTIAL if troubled or context.failed else Exit.DONE,
        created=_by_system(context, context.created),
        completed=_by_system(context, context.completed),
    )
    _store(account, context, report)
    return report


def stopped_report(account: AccountInHand, context: RunContext, plan: Plan, excess: Excess) -> Report:
    """What a run that a limit stopped would have done."""
    report = _report(account, context, plan, Exit.LIMIT, operations=_operations(context, plan), message=excess.sentence)
    _store(account, context, report)
    return report


def plan_report(account: AccountInHand, context: RunContext, plan: Plan) -> Report:
    """What a run would do, and what it would cost."""
    troubled = any(connection.seen.state is not ConnectionState.OK for connection in context.connections.values())
    return _report(
        account,
        context,
        plan,
        Exit.PARTIAL if troubled else Exit.DONE,
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
    operations: tuple[OperationReport, ...] | None = None,
    cost: dict[str, str] | None = None,
    message: str = "",
) -> Report:
    troubles = [
        Item(None, found.system, reason, _describe(found.remote_id, found.detail, found.received))
        for connection in context.connections.values()
        for reason, trouble in (
            (Reason.UNREADABLE, connection.seen.unreadable),
            (Reason.UNREAD, connection.seen.unreached),
        )
        for found in trouble
    ]
    return Report(
        account=account.settings.name,
        run=context.run,
        started_at=context.started_at,
        duration_s=(account.clock() - context.started_at).total_seconds(),
        exit=exit_status,
        created=created or {},
        completed=completed or {},
        connections=_connections(context),
        waiting=_unique([*plan.waiting, *context.waiting]),
        attention=_unique([*plan.attention, *troubles]),
        incidents=tuple(context.incidents),
        operations=operations,
        cost=cost or {},
        message=message,
    )


def _describe(remote_id: str | None, detail: str, received: str) -> str:
    what = f"{remote_id}: {detail}" if remote_id else detail
    return f"{what}; received: {received}" if received else what


def _unique(items: Iterable[Item]) -> tuple[Item, ...]:
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
    return ConnectionReport(
        connection.seen.state,
        reads=wire.reads - connection.reads_before,
        writes=wire.writes - connection.writes_before,
        open=opened,
        message=connection.seen.message,
    )


def _operations(context: RunContext, plan: Plan) -> tuple[OperationReport, ...]:
    sources: dict[str, list[str]] = {}
    for replica in context.base.replicas.values():
        sources.setdefault(replica.task, []).append(f"{replica.system}:{replica.remote_id}")
    reports = []
    for planned in plan.operations:
        task = context.base.tasks[planned.task]
        names = [record.name for record in context.records_of(task.contact) if record.name]
        reports.append(
            OperationReport(
                task=task.id,
                system=planned.system,
                action=planned.action.value,
                kind=task.kind.value,
                contact=next(iter(names), ""),
                due=task.due,
                reason=planned.reason,
                title=task.title or task.kind.label,
                remote_id=planned.remote_id,
                sources=tuple(sorted(sources.get(task.id, ()))),
            )
        )
    return tuple(reports)


def _cost(account: AccountInHand, context: RunContext, plan: Plan) -> dict[str, str]:
    """Requests that the operations would take in each CRM, and what share of its smallest budget that is."""
    cost = {}
    for system, connection in context.connections.items():
        capabilities = connection.adapter.capabilities
        mine = [planned for planned in plan.operations if planned.system == system]
        each = 1 + (2 if capabilities.lane is not None else int(capabilities.listing_lags))
        writes = len(mine)
        requests = writes * each
        reads = connection.adapter.wire.reads - connection.reads_before
        windows = account.settings.connections[system].rate
        shares = ", ".join(
            f"{100 * (requests + reads) / rate.requests:.0f}% of {rate}" for rate in windows if rate.requests
        )
        cost[system] = f"{reads + requests} requests ({reads} to read, {requests} for {writes} writes): {shares}"
    return cost
