"""What a run has learned from reading, and what of it a run that a limit stops may store."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from syncer.domain.base import Base, Changes
from syncer.domain.model import ReplicaState, State
from syncer.engine.context import RunContext
from syncer.engine.second_ledger import note_other_ledgers
from syncer.reconcile.merge import Merged


@dataclass(frozen=True, slots=True)
class WhatWasRead:
    """What was read, merged. ``learned`` is what is stored if no limit stops the run; ``newcomers`` are new tasks."""

    merged: Merged
    learned: Changes
    newcomers: Collection[str]
    beside_edits: Changes
    """What else was learned of known tasks, see `_beside_edits`."""

    def if_stopped(self, *, shifted: bool) -> Changes:
        """Return what a stopped run may store: a value that reads as edited must not become the base.

        ``shifted`` is true if most copies of a CRM read as edited.

        What is new counts as seen. A task that somebody replaces before the next run would otherwise never have been
        open, and a twin that somebody deletes would be made again. Closures count, too: what somebody reopens is a new
        task.
        """
        learned, newcomers, others = self.learned, self.newcomers, self.beside_edits
        if not any(self.merged.edited.values()):
            return learned
        # Perhaps we read all values of this CRM wrongly. Then nothing that was read is believed.
        if shifted:
            return Changes()
        told = {*newcomers, *(replica.task for replica in others.replicas.values())}
        return Changes(
            tasks=others.tasks | {task: learned.tasks[task] for task in newcomers},
            replicas=others.replicas | {key: one for key, one in learned.replicas.items() if one.task in newcomers},
            events=[event for event in learned.events if event.task in told],
            records=learned.records,
            links=learned.links,
        )


def take_in(context: RunContext, merged: Merged, changes: Changes) -> WhatWasRead:
    """Take over what was merged, in memory only, for the plan. The guard decides whether the changes are stored."""
    learned = context.noted(changes)
    read = what_was_read(context.base, merged, learned)
    context.base.update(learned)
    note_other_ledgers(context, merged.other_ledgers)
    context.believe(merged)
    return read


def what_was_read(before: Base, merged: Merged, learned: Changes) -> WhatWasRead:
    """Return what was learned, compared with the base before it is updated."""
    # Their copies were known before, and show values that a stopped run must not store as their base.
    reopened = {replica.task for key, replica in learned.replicas.items() if key in before.replicas}
    newcomers = learned.tasks.keys() - before.tasks.keys() - reopened
    return WhatWasRead(merged, learned, newcomers, _beside_edits(before, learned))


def _beside_edits(before: Base, learned: Changes) -> Changes:
    """Return which known tasks were finished, and which have a twin, without any value that may be an edit."""
    tasks = {
        task.id: replace(before.tasks[task.id], state=task.state, put_back=False)
        for task in learned.tasks.values()
        if task.state is not State.OPEN and task.id in before.tasks and before.tasks[task.id].state is State.OPEN
    }
    replicas = {}
    for key, replica in learned.replicas.items():
        known = before.replicas.get(key)
        if known is None:
            # If the task took something from its twin, both are left to the next run. So are two of which one took the
            # place of the other, because a task has one open copy in a CRM.
            took = replica.task in learned.tasks or any(
                copy.state is ReplicaState.OPEN for copy in before.copies(replica.task, replica.system)
            )
            if not replica.made and replica.task in before.tasks and not took:
                replicas[key] = replica
        elif known.task == replica.task and replica.task in tasks and replica.state is not ReplicaState.OPEN:
            replicas[key] = replace(known, state=replica.state, misses=0)
    return Changes(tasks=tasks, replicas=replicas)
