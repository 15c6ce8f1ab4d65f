"""Note what could not be read in a run: it is reported, holds back what may depend on it, and is tried again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from syncer.domain.base import EVERYBODY, Changes
from syncer.domain.model import Reading, State, Unreadable
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import untold_of
from syncer.engine.connection import Connection
from syncer.engine.context import RunContext
from syncer.engine.observe_items import lists_all
from syncer.reconcile.failing import failing_after, is_given_up, place_of_task, told
from syncer.reconcile.read_items import Place


def remember_failing(context: RunContext, listed: Collection[Place], cut: Collection[str]) -> None:
    """Count and report what could not be read, so that the next run reads it last.

    ``listed`` was on one of the run's reading lists. In the CRMs ``cut``, not every item could be tried.
    """
    before, now, changes = context.base.failing, context.clock(), Changes()
    for connection in context.connections.values():
        system = connection.system
        # If not everything could be tried, what is not on a list may only have had no turn yet.
        whole = connection.usable and system not in cut
        unwanted = {place for place in before if whole and place[0] == system and place not in listed}
        mine = failing_after(before, connection.failed, connection.answered, unwanted, now=now)
        changes.failing |= mine.failing
        changes.readable |= mine.readable
    if changes.failing or changes.readable:
        context.record(changes)
    waiting, attention = told(context.base, context.seen)
    context.waiting += waiting
    context.attention += attention


def mention_unread(context: RunContext, connection: Connection) -> None:
    """Note unknown tasks that were not read yet: nothing is created for their contacts, unless they fail long."""
    seen, system = connection.seen, connection.system
    if not lists_all(connection) or not seen.listed:
        return
    base = context.base
    unread = [r for r in seen.readings.values() if not r.whole and r.mirrored and r.key not in base.replicas]
    blocking = []
    for row in unread:
        place = place_of_task(system, row.remote_id)
        if not is_given_up(base, place, failed_now=place in connection.failed):
            blocking.append(row)
    seen.unread |= {row.contact for row in blocking if row.contact is not None}
    strange = [row for row in seen.unreadable if (system, row.remote_id or "") not in base.replicas]
    untold: list[Reading | Unreadable] = [*unread, *strange]
    seen.untold = untold_of(untold)
    everybody = (system, EVERYBODY)
    if not (blocking or seen.unread) and everybody not in base.visits:
        # It counts from the next run on: in this run no row of the list had been read before.
        context.visits[everybody] = context.clock()
    if connection.spent or not connection.usable:
        reason = Reason.BUDGET if connection.spent else Reason.UNAVAILABLE
        context.waiting += [_item(context, reason, *row.key) for row in blocking]
    # A list that lags shows for a while what was deleted. What stays may be a task whose contact is gone.
    hidden = [row for row in seen.rows.values() if row.remote_id not in seen.readings and row.key not in base.replicas]
    for row in (row for row in hidden if row.mirrored and row.state is State.OPEN):
        item = _item(context, Reason.UNREAD, *row.key)
        words = "its list shows it, but it cannot be opened; if it is there, give it a contact"
        context.waiting.append(replace(item, detail=f"{item.detail}: {words}"))


def leave_out_what_was_read(context: RunContext) -> None:
    """Drop those of these tasks from the report that were read later in the run, with all tasks of their persons."""
    if not context.waiting:
        return
    read = {
        _item(context, reason, row.system, row.remote_id)
        for seen in context.seen.values()
        for row in seen.readings.values()
        if row.whole
        for reason in (Reason.BUDGET, Reason.UNAVAILABLE)
    }
    context.waiting = [item for item in context.waiting if item not in read]


def _item(context: RunContext, reason: Reason, system: str, remote_id: str) -> Item:
    return Item(None, system, reason, f"{context.policy.crm(system)} task {remote_id}", remote_id)
