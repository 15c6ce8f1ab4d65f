"""Tasks in lanes that were closed before we first saw them, and that a write of ours may have closed (pure).

What is closed when first seen is history. This is the exception: people made a task between our read and our write, and
our write closed it. They still need it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from syncer.contract.adapter import LanePolicy
from syncer.domain.model import Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import Cause, maybe_superseded, superseded_by
from syncer.reconcile.merging import Merging, in_order, replica_of
from syncer.reconcile.rebuild import CLOSED_AS
from syncer.reconcile.unmatched import second_copy_of, twin_of


def look_at_closed(work: Merging) -> None:
    """Store the closed, unknown tasks of each lane, as far as something follows from them."""
    for system in work.systems:
        lane_policy, seen = work.lane_policy(system), work.inputs.seen[system]
        if lane_policy is None:
            continue
        effects = work.effects(system)
        for contact, lane in sorted(seen.lanes.items()):
            # What our lost request has made would be taken for a new task, and what it has closed for their doing.
            if work.is_doubtful(system, contact):
                continue
            for reading in in_order(row for row in lane if row.remote_id in effects.history):
                if reading.key not in work.base.replicas:
                    _closed_by_others(work, reading, lane, lane_policy)
            by_a_create = maybe_superseded(lane, lane_policy.supersede_window)
            # What a completion hit need have no newer task beside it, and where rows name no time, what a create closed
            # has none that fits. Our writes' own records tell of both.
            ours = effects.closed | effects.hit
            by_us = [row for row in lane if row.remote_id in ours and row.state is not State.OPEN]
            for reading in in_order({row.remote_id: row for row in (*by_a_create, *by_us)}.values()):
                if reading.key not in work.base.replicas:
                    _closed_by_us(work, reading)
            for reading in lane:
                _hold_if_anothers(work, reading)


def _closed_by_others(work: Merging, reading: Reading, lane: Iterable[Reading], lane_policy: LanePolicy) -> None:
    """Store a task that was closed before our write, so that a copy that is found later is known as a copy.

    If a newer task of theirs or another ledger closed it, it is superseded and not done.
    """
    if work.contact_of(reading) is None:
        return
    # Another ledger may have seen it open and copied it. A marker tells that later, and if this said "done", those
    # copies would be completed though nobody did the task.
    theirs = (row for row in lane if not work.made(row))
    replaced = any(superseded_by(reading, row, lane_policy.supersede_window) for row in theirs)
    not_done = replaced and not lane_policy.superseded_is_done
    not_done = not_done or work.cause(reading) is Cause.ANOTHER_LEDGER
    superseded = not_done and reading.state is State.DONE
    task = work.begin(reading)
    work.put_task(replace(task, state=reading.state))
    state = ReplicaState.SUPERSEDED if superseded else CLOSED_AS[reading.state]
    work.put_replica(replace(replica_of(reading, task.id), state=state))
    work.event(reading.state.value, "them", "closed before it was ever seen", task.id, reading)


def _hold_if_anothers(work: Merging, reading: Reading) -> None:
    """Hold a task that is to be put back, if it turns out to be what another ledger made.

    Our write closed it before anything had shown that there is another ledger. Put back it would be there twice, and be
    copied everywhere as a new task.
    """
    replica = work.base.replicas.get(reading.key)
    task = None if replica is None or replica.made else work.base.tasks.get(replica.task)
    if task is None or not task.put_back or task.held or work.base.operations_of(task.id):
        return
    alone = len(work.base.copies_of(task.id)) == 1
    if alone and _may_be_anothers(work, reading):
        work.put_task(replace(task, put_back=False, held=Reason.UNMATCHED))
        detail = "our user made it, so it may be a copy that another ledger made"
        work.event("duplicate", "us", detail, task.id, reading)


def _may_be_anothers(work: Merging, reading: Reading) -> bool:
    """Whether our user made this task for another ledger, or before this one was restored, so that it is a copy."""
    return work.standing.may_lack_writes and work.standing.us.made_unmarked(reading)


def _closed_by_us(work: Merging, reading: Reading) -> None:
    """Store a task that a write of ours closed before we first saw it, report the incident, and put the task back."""
    if work.cause(reading) not in {Cause.OUR_CREATE, Cause.OUR_COMPLETION}:
        return
    if work.contact_of(reading) is None:
        return
    # A second ledger made the same copy in the same moment. The one that closed it takes its place, so nobody lost
    # anything.
    copied = second_copy_of(work, reading)
    # Then its origin may be in another CRM, so it is not put back.
    held = Reason.UNMATCHED if _may_be_anothers(work, reading) else ""
    task = copied or twin_of(work, reading) or work.begin(reading, held=held)
    made = copied is not None
    work.put_replica(replace(replica_of(reading, task.id, made=made), state=ReplicaState.SUPERSEDED))
    if not made:
        work.race(task, reading, put_back=task.held != Reason.UNMATCHED)
