"""The lane of one contact in a CRM where creating a task closes others and only the newest can be closed (pure).

A lane is a stack. The newest open task is its top, and *complete* always closes the top. The slot of the lane
holds the only open exclusive task. `plan_lane` takes the open tasks of the lane and the tasks that should be in
it, and returns steps in order. Each step assumes that the steps before it succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncer.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class OpenTask:
    """One open task in the lane. ``close`` is true if it is to be closed, because the task is done elsewhere.

    ``task`` is the id of its task, or ``None`` if the ledger does not know it. ``ours`` is true if we created it and
    nobody has changed it, so that it may be replaced. ``due`` is the due date of its task.
    """

    remote_id: str
    exclusive: bool
    ours: bool
    close: bool
    task: str | None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A task that should have an open replica in the lane.

    It has none now; or it has one with an old due date, whose remote id is ``replaces``. ``put_back`` is true if a
    write of ours closed its replica by mistake.
    """

    task: str
    exclusive: bool
    due: datetime
    put_back: bool = False
    replaces: str = ""

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """Tasks to be put back come first, then the others by due date."""
        return (not self.put_back, self.due, self.task)


@dataclass(frozen=True, slots=True)
class CompleteTop:
    """Complete the top of the lane, which must be this task."""

    remote_id: str
    task: str


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a replica of a task. ``closes`` are the remote ids of the open tasks that this closes.

    ``replaces`` is the remote id of the task's own replica with the old due date, or empty.
    """

    task: str
    closes: tuple[str, ...] = ()
    replaces: str = ""


Step = CompleteTop | CreateTask


@dataclass(frozen=True, slots=True)
class LanePlan:
    """The steps in order, and the tasks that wait: (task id, reason)."""

    steps: tuple[Step, ...]
    waits: tuple[tuple[str, Reason], ...]


def plan_lane(lane: Sequence[OpenTask], wishes: Iterable[Wish], *, replace_later: bool) -> LanePlan:
    """Return the steps that are allowed in a lane. ``lane`` is ordered from the newest task to the oldest.

    A create closes the task in the slot. This is allowed for a task that is to be closed anyway, for the task's own
    replica, and for a replica of ours if the new task is due earlier (only with ``replace_later``) or to be put back.
    Any other task of theirs stays open.
    """
    stack = list(lane)
    steps: list[Step] = []
    waits: list[tuple[str, Reason]] = []

    # Only the top can be completed, so the first task that stays open ends the completions.
    while stack and stack[0].close and stack[0].task:
        steps.append(CompleteTop(stack[0].remote_id, stack[0].task))
        del stack[0]

    # The slot holds one task, so at most one exclusive task is created. If a task to be closed lies in the slot under
    # a newer reminder, this create closes it: *complete* would close the reminder instead.
    in_order = sorted(wishes, key=lambda wish: wish.order)
    for_slot = [wish for wish in in_order if wish.exclusive]
    slot = [task for task in stack if task.exclusive]
    first = next((wish for wish in for_slot if _may_have(slot, wish, replace_later=replace_later)), None)
    if first is not None:
        for_slot.remove(first)
        steps.append(CreateTask(first.task, tuple(task.remote_id for task in slot), first.replaces))
        # What gave way is still to be done, so it is listed as waiting for the slot.
        given_up = [task.task for task in slot if task.task and not task.close and task.task != first.task]
        waits += [(task, Reason.SLOT_TAKEN) for task in given_up]
        # A task that lost the slot waits for it as a whole. Its new due date is not listed a second time.
        for_slot = [wish for wish in for_slot if not (wish.replaces and wish.task in given_up)]
        stack = [task for task in stack if not task.exclusive]
    waits += [(wish.task, _why_not(wish)) for wish in for_slot]
    waits += [(task.task, Reason.NEWER_ABOVE) for task in stack if task.close and task.task]

    # Reminders are created last: each becomes the top and hides the tasks below it from *complete*.
    steps += [CreateTask(wish.task) for wish in in_order if not wish.exclusive]
    return LanePlan(tuple(steps), tuple(waits))


def _why_not(wish: Wish) -> Reason:
    # It is shown, only with its old due. So it is told as what cannot be edited, and not as waiting for the slot.
    if wish.replaces:
        return Reason.NOT_EDITABLE
    return Reason.PUT_BACK if wish.put_back else Reason.SLOT_TAKEN


def _may_have(slot: Sequence[OpenTask], wish: Wish, *, replace_later: bool) -> bool:
    """Whether the task may take the slot: everything in the slot may be closed for it."""
    # If the replica to be replaced is not in the slot, a create would leave it open and add a second one.
    if wish.replaces and wish.replaces not in {task.remote_id for task in slot}:
        return False
    return all(_gives_way(task, wish, replace_later=replace_later) for task in slot)


def _gives_way(task: OpenTask, wish: Wish, *, replace_later: bool) -> bool:
    """Whether this open task may be closed by creating the wish."""
    if task.close or task.remote_id == wish.replaces:
        return True
    earlier = replace_later and task.due is not None and wish.due < task.due
    return task.ours and (wish.put_back or earlier)
