"""The lane of one contact in a CRM where creating a task closes others and only the newest can be closed (pure).

A lane is a stack: the newest open task is its top, and *complete* reaches nothing else. Its slot holds the
one open exclusive task. Out of what lies there, what is to be shown and what is to be closed follow steps,
in order, each assuming that the ones before it succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncer.domain.reasons import Reason


@dataclass(frozen=True, slots=True)
class OpenTask:
    """One open task in the lane. ``close`` says that it is done elsewhere; ``task`` is ours, if we know it.

    ``ours`` may be replaced: nobody but us has touched it. ``due`` is only compared for those.
    """

    remote_id: str
    exclusive: bool
    ours: bool
    close: bool
    task: str | None
    due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """A task that has no open replica in the lane and should have one, or one with another due than ``replaces``."""

    task: str
    exclusive: bool
    due: datetime
    put_back: bool = False
    replaces: str = ""

    @property
    def order(self) -> tuple[bool, datetime, str]:
        """What is to be put back comes first, then what is due first."""
        return (not self.put_back, self.due, self.task)


@dataclass(frozen=True, slots=True)
class CompleteTop:
    """Complete the lane's top, which must be this one."""

    remote_id: str
    task: str


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Create a task; ``closes`` are the open tasks that this closes, all of them expendable.

    ``replaces`` is the task's own copy, which has another due.
    """

    task: str
    closes: tuple[str, ...] = ()
    replaces: str = ""


Step = CompleteTop | CreateTask


@dataclass(frozen=True, slots=True)
class LanePlan:
    """Steps in order, and what waits: (task, reason)."""

    steps: tuple[Step, ...]
    waits: tuple[tuple[str, Reason], ...]


def plan_lane(lane: Sequence[OpenTask], wishes: Iterable[Wish], *, replace_later: bool) -> LanePlan:
    """What may be done in a lane, newest task first.

    A task of theirs is never closed unless it is to be closed: a wish replaces only what is to be closed
    anyway, its own copy or, if it is due earlier or to be put back, a task of ours. Reminders are created last, for
    they come to lie on top.
    """
    stack = list(lane)
    steps: list[Step] = []
    waits: list[tuple[str, Reason]] = []

    while stack and stack[0].close and stack[0].task:
        steps.append(CompleteTop(stack[0].remote_id, stack[0].task))
        del stack[0]

    in_order = sorted(wishes, key=lambda wish: wish.order)
    for_slot = [wish for wish in in_order if wish.exclusive]
    slot = [task for task in stack if task.exclusive]
    first = next((wish for wish in for_slot if _may_have(slot, wish, replace_later=replace_later)), None)
    if first is not None:
        for_slot.remove(first)
        steps.append(CreateTask(first.task, tuple(task.remote_id for task in slot), first.replaces))
        given_up = [task.task for task in slot if task.task and not task.close and task.task != first.task]
        waits += [(task, Reason.SLOT_TAKEN) for task in given_up]
        for_slot = [wish for wish in for_slot if not (wish.replaces and wish.task in given_up)]
        stack = [task for task in stack if not task.exclusive]
    waits += [(wish.task, _why_not(wish)) for wish in for_slot]
    waits += [(task.task, Reason.NEWER_ABOVE) for task in stack if task.close and task.task]

    steps += [CreateTask(wish.task) for wish in in_order if not wish.exclusive]
    return LanePlan(tuple(steps), tuple(waits))


def _why_not(wish: Wish) -> Reason:
    if wish.replaces:
        return Reason.NOT_EDITABLE
    return Reason.PUT_BACK if wish.put_back else Reason.SLOT_TAKEN


def _may_have(slot: Sequence[OpenTask], wish: Wish, *, replace_later: bool) -> bool:
    """Whether all that is in the slot gives way to it; what replaces its own copy needs it to be there."""
    if wish.replaces and wish.replaces not in {task.remote_id for task in slot}:
        return False
    return all(_gives_way(task, wish, replace_later=replace_later) for task in slot)


def _gives_way(task: OpenTask, wish: Wish, *, replace_later: bool) -> bool:
    if task.close or task.remote_id == wish.replaces:
        return True
    earlier = replace_later and task.due is not None and wish.due < task.due
    return task.ours and (wish.put_back or earlier)
