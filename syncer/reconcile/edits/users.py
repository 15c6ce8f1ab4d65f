"""Follow changes of ``[[users]]``: a person of the account file may be renamed, or added, after a task was seen (pure).

A task has the name that the file had then. Under another name it would be nobody's in each copy that is made later.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Replica
from syncer.reconcile.edits.base import owed, typed

if TYPE_CHECKING:
    # `merging` imports `travel`, and this folder is one.
    from syncer.reconcile.merging import Merging


def follow_file(work: Merging, replica: Replica, reading: Reading) -> None:
    """Give the task the name that the file has now for the user of this open copy.

    Only a copy counts in which people chose the user: the origin, or one in which they changed it.
    """
    policy, task = work.inputs.policy, work.base.tasks[replica.task]
    name = policy.users.get((replica.system, reading.assignee or ""))
    # A name that the file still has is right. Whoever was changed just now is an edit.
    if name in (None, task.assignee) or replica.assignee != reading.assignee or task.assignee in policy.users.values():
        return
    is_origin = replica.system == task.origin and not replica.made
    if owed(replica, TaskField.ASSIGNEE) or not (is_origin or typed(replica, TaskField.ASSIGNEE)[0]):
        return
    work.put_task(replace(task, assignee=name))
    words = f"{name} is the name in the account file now"
    work.event("changed", "us", words, task.id, reading)
