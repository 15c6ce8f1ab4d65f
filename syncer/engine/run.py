"""One run of one account: observe, merge, plan, guard, apply, report.

    account file ─► policy
                       │
    CRMs ─► observe ─► seen ─┐
                             ├─► merge ─► base ─► plan ─► guard ─► operations
    ledger ─► base ──────────┘                                        │
                                                                      ▼
    CRMs ◄─ complete / edit / create ◄───────────────────── apply, one durable step each
                                                                      │
                                       report, events ◄─ ledger ◄─────┘

Observe and apply use the network. Merge, plan and guard are functions of values. Operations in doubt from an earlier
run are settled first. A person for whom merge or plan raises is left out, see `syncer.engine.own_errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial

from syncer.domain.base import Changes
from syncer.domain.cursors import BY_LIMIT, BY_SHIFT, PART_EDITS, STOPPED
from syncer.domain.operations import Action
from syncer.domain.report import Report
from syncer.domain.snapshot import Seen
from syncer.engine import linking, opening
from syncer.engine.apply import apply_plan
from syncer.engine.context import RunContext
from syncer.engine.observe import observe
from syncer.engine.observe_items import lists_all
from syncer.engine.opening import AccountInHand
from syncer.engine.own_errors import for_everybody, may_be_stored
from syncer.engine.reporting import left_over, plan_report, run_report, stopped_report
from syncer.engine.second_ledger import is_younger
from syncer.engine.settle import settle_doubts
from syncer.engine.what_was_read import WhatWasRead, take_in
from syncer.reconcile.guard import MANY, Excess, Limits, exceeds, opened_in
from syncer.reconcile.left_out import check_copies, concern
from syncer.reconcile.merge import Merged, merge
from syncer.reconcile.plan import make_plan
from syncer.reconcile.planned import Plan, Planned


@dataclass(frozen=True, slots=True)
class Options:
    """What one run may do beyond its account's settings.

    ``select`` takes from the plan only the operations that an earlier, saved plan names.
    """

    allow_creates: int | None = None
    allow_completions: int | None = None
    allow_edits: int | None = None
    select: Callable[[RunContext, Plan], Collection[Planned]] | None = None


async def run(account: AccountInHand, options: Options = Options()) -> Report:
    """Synchronise one account once, holding its lease.

    Raises `Busy` if another process runs it, `LeaseLost` if one took it over, `WrongAccount` if a key opens
    another account than the ledger belongs to, `LedgerError` if the ledger cannot be used.
    """
    async with opening.leased(account) as context:
        read = await _read_and_merge(context, account)
        plan = await _plan(context)
        # Before the guard, which has to judge what will be sent and not what could be.
        operations = plan.operations if options.select is None else tuple(options.select(context, plan))
        excess = _guard(account, options, context, operations, read.merged)
        if excess is not None:
            shifted = excess.shift is not None
            kept = read.if_stopped(shifted=shifted)
            context.store(_with_stop(context, kept, BY_SHIFT if shifted else BY_LIMIT))
            context.leave_untold(read.learned.events, kept.events)
            return stopped_report(account, context, plan, excess)
        # Stored before anything is sent: if the process dies while it applies, the next run finds the tasks that the
        # unsettled operations belong to.
        unread, stopped = _unread(context), context.base.cursors.get(STOPPED, "")
        # A saved plan is only a part of what a whole run would do, so a whole run may be stopped all the same. And
        # whether a shift is over is not known before all is read.
        if options.select is None and not (stopped == BY_SHIFT and unread):
            stopped = ""
        context.store(_with_stop(context, _without_part_edits(context, read.learned, unread), stopped))
        linking.leave_for_the_next_run(context)
        account.progress(f"doing {len(operations)} operations")
        # What was read is stored all the same: this ledger may have to go on alone one day.
        if is_younger(context):
            return run_report(account, context, left_over(context, plan))
        await apply_plan(context, operations)
        # Planned again on the base after the writes, so that the report lists what is really left to do.
        return run_report(account, context, left_over(context, await _plan(context)))


async def plan(account: AccountInHand, options: Options = Options()) -> tuple[Report, Excess | None]:
    """Return the report of what `run` would do now. Writes nothing to a CRM or to the ledger."""
    context = opening.unleased(account)
    read = await _read_and_merge(context, account)
    finished = await _plan(context)
    excess = _guard(account, options, context, finished.operations, read.merged)
    if is_younger(context):
        finished = left_over(context, finished)
    return plan_report(account, context, finished), excess


async def _read_and_merge(context: RunContext, account: AccountInHand) -> WhatWasRead:
    linking.begin(context)
    account.progress("opening the connections")
    await opening.verify_identities(context)
    account.progress("settling what is in doubt")
    # Before anything is read: a copy whose create is still in doubt would look like a task of somebody's own.
    await settle_doubts(context)
    account.progress("reading the CRMs")
    await observe(context, pause=account.settings.sync.interval, turns=opening.turns_of(account))
    read = await _merge(context)
    opening.remember_identities(context)
    return read


async def _merge(context: RunContext) -> WhatWasRead:
    """Merge what was read. It is stored after the guard."""
    merged = await for_everybody(context, partial(_merged, context))
    if concern(merged.changes, context.base, context.left_out):
        msg = "persons who were left out have changed all the same"
        raise RuntimeError(msg)
    context.waiting += merged.waiting
    return take_in(context, merged, _learned(context, merged))


def _merged(context: RunContext, seen: Mapping[str, Seen], _left_out: Collection[str]) -> Merged:
    merged = merge(
        context.base,
        seen,
        context.capabilities,
        context.policy,
        now=context.clock(),
        run=context.run,
        new_id=context.new_id,
        visits=context.visits,
    )
    check_copies(merged.base, merged.changes)
    return merged


def _learned(context: RunContext, merged: Merged) -> Changes:
    noted = {**merged.changes.cursors, **context.turned}
    cursors = {name: value for name, value in noted.items() if may_be_stored(context, name)}
    return replace(merged.changes, visits=context.visits, cursors=cursors)


def _with_stop(context: RunContext, changes: Changes, stopped: str) -> Changes:
    """Add to the changes what stopped this run, for the runs for a few contacts that follow; empty for nothing."""
    if context.base.cursors.get(STOPPED, "") == stopped:
        return changes
    return replace(changes, cursors={**changes.cursors, STOPPED: stopped})


def _unread(context: RunContext) -> set[str]:
    """Return the CRMs in which the guard could not see a shift, because this run could not read their tasks."""
    opened = opened_in(context.base)
    return {
        system
        for system, connection in context.connections.items()
        if opened[system] >= MANY and not (connection.seen.listed if lists_all(connection) else connection.seen.lanes)
    }


def _without_part_edits(context: RunContext, changes: Changes, unread: Collection[str]) -> Changes:
    """Let the runs for a few persons count their edits from nothing, but not in CRMs that the guard could not see."""
    begins = tuple(f"{PART_EDITS}{system}:" for system in unread)
    counted = {
        name: ""
        for name, count in context.base.cursors.items()
        if count and name.startswith(PART_EDITS) and not name.startswith(begins)
    }
    return replace(changes, cursors={**changes.cursors, **counted}) if counted else changes


async def _plan(context: RunContext) -> Plan:
    return await for_everybody(context, partial(_planned, context))


def _planned(context: RunContext, seen: Mapping[str, Seen], left_out: Collection[str]) -> Plan:
    base, able, now = context.base, context.capabilities, context.clock()
    return make_plan(base, seen, able, context.policy, context.ambiguities, now=now, left_out=left_out)


def _guard(
    account: AccountInHand, options: Options, context: RunContext, operations: Collection[Planned], merged: Merged
) -> Excess | None:
    sync = account.settings.sync
    creates = sync.max_creates_per_run if options.allow_creates is None else options.allow_creates
    completions = sync.max_completions_per_run if options.allow_completions is None else options.allow_completions
    edits = sync.max_edits_per_run if options.allow_edits is None else options.allow_edits
    given = {
        Action.CREATE: options.allow_creates,
        Action.COMPLETE: options.allow_completions,
        # Whoever allows a number of edits has seen why the run was stopped, so that stop is lifted as well.
        Action.EDIT: options.allow_edits,
    }
    limits = Limits(creates, completions, edits, frozenset(action for action in given if given[action] is not None))
    return exceeds(operations, limits, merged.edited, opened_in(context.base), context.policy.titles)
