"""Which task a marker names, and whether people copied a text together with its marker (pure)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from syncer.domain.base import Base
from syncer.domain.fields import TaskField
from syncer.domain.ledger_ids import made_at
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.operations import Action, OpState
from syncer.domain.policy import Policy
from syncer.domain.reasons import Reason
from syncer.domain.snapshot import Seen
from syncer.domain.task_ids import Marker, split_task_id
from syncer.reconcile.likeness import is_like

CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""The longest difference between two clocks that is counted on. Usual ones are smaller."""


def named_by(base: Base, marker: Marker) -> Task | None:
    """Return the task that this marker names, or ``None`` if the ledger does not know it.

    A marker names the place of a task's origin. Another ledger may have seen a twin first, or taken a copy of ours for
    the origin. Then its marker names the place of another replica of our task.
    """
    task = base.tasks.get(marker.task)
    # Of a task that was closed when first seen, nobody knows who closed it. A copy of it that turns up may tell more.
    if task is not None:
        return None if is_history(base, task) else task
    replica = base.replicas.get(marker.place)
    if replica is None:
        return None
    # A copy that was closed was reopened since, which began a task that this ledger does not know. After a restored
    # backup the same may be true of a copy that is stored as open. One that a newer task closed was open when it was
    # copied: its task is still to be done, and to reopen it begins no other.
    replaced = replica.state is ReplicaState.SUPERSEDED and base.tasks[replica.task].state is State.OPEN
    is_open = replaced or replica.state is ReplicaState.OPEN
    if not is_open or (replica.made and base.restored_at is not None):
        return None
    # A place that was reopened has several tasks. The marker names one of them by its number, and the replica may
    # belong to another one.
    same_place = split_task_id(replica.task)[0] == split_task_id(marker.task)[0]
    return None if same_place else base.tasks.get(replica.task)


def is_history(base: Base, task: Task) -> bool:
    """Whether the task was closed when it was first seen, so that only its origin is known, and not who closed it.

    A task that we copied, or tried to copy, was open, whatever became of the copies.
    """
    # An operation shows that the task was open when we tried to copy it. A lost request may still arrive, and what it
    # makes must be found to be this task's copy.
    if task.state is State.OPEN or base.operations_of(task.id):
        return False
    copies = base.copies_of(task.id)
    return len(copies) == 1 and not copies[0].made and copies[0].state is not ReplicaState.OPEN


def names_another(base: Base, reading: Reading) -> bool:
    """Whether the reading has a marker, and another ledger wrote it."""
    return reading.marker is not None and reading.marker.ledger != base.ledger_id


def is_by_another(base: Base, reading: Reading) -> bool:
    """Whether another ledger created this task after this ledger was created. Its marker shows that.

    If no time was read with the task, the age of that ledger counts: nothing that it created is older than itself.
    """
    marker, began = reading.marker, base.ledger_made_at
    if marker is None or began is None or marker.ledger == base.ledger_id:
        return False
    # The list of one contact shows a second ledger's copy before the list of all tasks does, and may show no time.
    at_the_earliest = reading.created_at or made_at(marker.ledger)
    return at_the_earliest is not None and at_the_earliest > began


def is_held_as_second(base: Base, row: Reading) -> bool:
    """Whether the ledger holds this row as a duplicate."""
    known = base.replicas.get(row.key)
    return known is not None and base.tasks[known.task].held == Reason.DUPLICATE


def is_alone(seen: Seen, reading: Reading) -> bool:
    """Whether no other row of its CRM carries the marker of this one.

    A ledger makes one copy of a task in a CRM. If two rows have its marker, people duplicated one of them.
    """
    return reading.marker is None or all(row.key == reading.key for row in seen.marked(reading.marker))


def is_copy_of_another(base: Base, policy: Policy, reading: Reading, shown: Replica, seen: Seen) -> bool:
    """Whether another ledger made this copy beside the shown one. Of the two, people may have changed one since.

    It is not, if people may have copied its marker from another row of the CRM: one that has this marker, or one of the
    contact that is held as that ledger's copy already and was not read in full again.
    """
    if not names_another(base, reading) or not is_alone(seen, reading):
        return False
    unmarked = (row for row in seen.readings_of(reading.contact) if row.marker is None)
    return not any(is_held_as_second(base, row) and is_like(policy, row, shown) for row in unmarked)


def is_pasted(base: Base, policy: Policy, reading: Reading, task: Task) -> bool:
    """Whether people copied the marker into this task, together with a text of ours.

    People duplicate a task, and finish or delete the copy that we made. A copy that a lost or late request made looks
    like the task, now or when it was sent. A copy that another ledger made may have been changed since, so its look
    counts for less.
    """
    had = base.copies(task.id, reading.system)
    known: tuple[Task | Replica, ...] = (task, *had, *_as_sent(base, reading.system, task))
    # What we sent may differ from the task as it is now, so a copy that arrived late is compared with both.
    alike = any(is_like(policy, reading, one) for one in known)
    another = names_another(base, reading)
    if reading.state is not State.OPEN:
        # Beside an open copy of ours, another ledger's closed copy completes nothing: people decide about the task. So
        # there it may look in any way.
        beside = any(copy.state is ReplicaState.OPEN for copy in had)
        return bool(had) and not (alike or beside) if another else bool(had) or not alike
    # The other ledger writes beside this one, and people may have moved its copy since. If a difference made it a new
    # task, it would be copied once more each time that our own copy is finished.
    if task.state is State.OPEN and is_by_another(base, reading):
        return False
    if task.state is not State.OPEN:
        return not (alike and may_be_unknown(base, reading, task))
    return bool(had) and not alike


def may_be_unknown(base: Base, reading: Reading, task: Task) -> bool:
    """Whether we may have made this copy of the task although the ledger knows nothing of it.

    Another ledger made it; or a create that seemed to have failed was carried out later.
    """
    if names_another(base, reading):
        return True
    return not base.copies(task.id, reading.system) and bool(_as_sent(base, reading.system, task))


def _as_sent(base: Base, system: str, task: Task) -> list[Task]:
    """Return the task as each create sent it that seemed to have failed there."""
    found = []
    for create in base.operations_in((task.id, system, Action.CREATE)):
        if create.state is OpState.FAILED and create.due is not None:
            titles = [change.new for change in create.changes if change.field is TaskField.TITLE]
            title = titles[0] if titles and isinstance(titles[0], str) else task.title
            found.append(replace(task, due=create.due, title=title))
    return found
