"""Twins: tasks that people wrote down in several CRMs and that are one (pure)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from datetime import timedelta

from syncer.domain.model import Reading, State, Task
from syncer.domain.titles import same_title
from syncer.reconcile.closures import superseded_by
from syncer.reconcile.merging import Merging


def twins_among(work: Merging, readings: list[Reading]) -> dict[str, str]:
    """Return the pairs of a reading and an open task that are each other's only candidate: remote id → task id.

    The readings are of one CRM.
    """
    reach = _reach(work)
    of_reading: dict[str, list[str]] = defaultdict(list)
    of_task: dict[str, list[str]] = defaultdict(list)
    by_contact: dict[str, list[Task]] = defaultdict(list)
    for task in work.base.tasks.values():
        if task.state is State.OPEN:
            by_contact[task.contact].append(task)
    for tasks in by_contact.values():
        tasks.sort(key=lambda task: (task.due, task.id))
    for reading in readings:
        for task in _around(by_contact[work.contact_of(reading) or ""], reading, reach):
            if may_be_twins(work, reading, task):
                of_reading[reading.remote_id].append(task.id)
                of_task[task.id].append(reading.remote_id)
    # Of two candidates neither is taken: the wrong one would be closed with a task that it has nothing to do with.
    return {remote_id: tasks[0] for remote_id, tasks in of_reading.items() if len(tasks) == len(of_task[tasks[0]]) == 1}


def may_be_twins(work: Merging, reading: Reading, task: Task) -> bool:
    """Whether the reading and the task look like one task, and the task has no replica in this CRM."""
    policy = work.inputs.policy
    # A held task may be a copy of another one itself, so nothing is joined to it.
    if policy.twin_window <= timedelta(0) or task.held or not work.has_room(task.id, reading.system):
        return False
    near = reading.due is not None and abs(reading.due - task.due) <= policy.twin_window
    # A CRM that keeps days cannot show two dues within a minute of each other.
    near = near or policy.same_due(reading, task)
    alike = near and reading.kind.compatible(task.kind) and same_title(reading.title, task.title)
    return alike and not _was_beside(work, reading, task)


def _was_beside(work: Merging, reading: Reading, task: Task) -> bool:
    """Whether this CRM had an open copy of the task when the reading was created: then people made two equal tasks."""
    # If the new task itself closed that copy, it took the copy's place: people wrote the same task down once more.
    seen, lane_policy = work.inputs.seen[reading.system], work.lane_policy(reading.system)
    # A copy that a race closed left its task open and without a copy here. An equal task that people made beside that
    # copy must not take its place.
    closed = [seen.readings.get(copy.remote_id) for copy in work.base.copies(task.id, reading.system)]
    return any(
        row is not None
        and row.updated_at is not None
        and reading.created_at is not None
        and row.updated_at > reading.created_at
        and not (lane_policy and superseded_by(row, reading, lane_policy.supersede_window))
        for row in closed
    )


def _reach(work: Merging) -> timedelta:
    """Return the longest time between the due dates of twins. A CRM that stores days needs more than the window."""
    policy = work.inputs.policy
    return max(policy.twin_window, *(policy.dues_of(system).reach for system in work.systems))


def _around(tasks: list[Task], reading: Reading, window: timedelta) -> list[Task]:
    """Return the tasks, sorted by due date, that are due near the reading."""
    # A contact can have thousands of tasks. Without the search, all would be compared with all.
    due = reading.due
    if due is None:
        return []
    first = bisect_left(tasks, -window, key=lambda task: task.due - due)
    return tasks[first : bisect_right(tasks, window, key=lambda task: task.due - due)]
