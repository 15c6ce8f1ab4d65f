"""A second copy of a task that is held, when the first one is gone (pure).

People are told to delete one of the two, and nobody can see which of them we made. The one that is left is the task's.
"""

from __future__ import annotations

from dataclasses import replace

from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.reasons import Reason
from syncer.reconcile.edits.travel import put_behind
from syncer.reconcile.likeness import is_like
from syncer.reconcile.markers import named_by
from syncer.reconcile.merging import Merging
from syncer.reconcile.unmatched import open_tasks_of


def is_left_alone(work: Merging, replica: Replica, reading: Reading) -> bool:
    """Whether this duplicate is the only copy of its task by now. If so, it is stored as that copy."""
    task = _task_of(work, replica, reading)
    if task is None:
        return False
    mine = replace(replica, task=task.id, made=True, ours=False, misses=0)
    held = work.base.tasks[replica.task]
    put_behind(work, task, mine)
    work.end_mistaken(held, task.id, reading)
    work.event("adopted", "us", "the copy beside it is gone", task.id, reading)
    return True


def has_second_copy(work: Merging, gone: Replica) -> bool:
    """Whether a duplicate that is open beside this copy will be the task's, now that this copy is gone."""
    task, system = work.base.tasks[gone.task], gone.system
    held = [other for other in work.base.tasks_of(task.contact) if other.held == Reason.DUPLICATE]
    copies = [copy for other in held if (copy := work.open_replica(other.id, system)) is not None]
    return any(_is_gone_beside(work, task, copy, copy) for copy in copies)


def waiting_for(work: Merging, second: Replica) -> list[Task]:
    """Return the open tasks whose place this duplicate would have taken, if it is deleted and no other one is left."""
    held = work.base.tasks[second.task]
    if held.held != Reason.DUPLICATE:
        return []
    return [
        task
        for task in work.base.tasks_of(held.contact)
        if task.state is State.OPEN
        and not task.held
        and _is_gone_beside(work, task, second, second)
        and not any(has_second_copy(work, copy) for copy in work.base.copies(task.id, second.system))
    ]


def _task_of(work: Merging, replica: Replica, reading: Reading) -> Task | None:
    """Return the task that has this title and due date, and whose copy there is gone. Of equal ones, any open one.

    A finished task needs a marker: its copy will be completed.
    """
    marker = reading.marker
    named = None if marker is None else named_by(work.base, marker)
    finished = [named] if named is not None and named.state is State.DONE else []
    fitting = [
        task
        for task in (*open_tasks_of(work, reading), *finished)
        if not task.held and work.has_room(task.id, replica.system) and _is_gone_beside(work, task, replica, reading)
    ]
    return min(fitting, key=lambda task: (task.state is State.DONE, task.id), default=None)


def _is_gone_beside(work: Merging, task: Task, replica: Replica, reading: Reading | Replica) -> bool:
    """Whether the task's copy there is gone, and this one looks like it."""
    policy, copies = work.inputs.policy, work.base.copies(task.id, replica.system)
    if {copy.state for copy in copies} != {ReplicaState.GONE}:
        return False
    if not work.inputs.capabilities[replica.system].reads_marker:
        # What we make there has no title, see `second_copy_of`.
        return any(copy.raw_type == reading.raw_type and policy.same_due(copy, reading) for copy in copies)
    # A row of a list may have no title, and no marker.
    return is_like(policy, reading if reading.title is not None else replace(reading, title=replica.title), task)
