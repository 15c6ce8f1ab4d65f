"""Merge copies of which no base is known, with their task (pure).

This is needed after a lost or an old ledger, and for a copy that another ledger or a late request made. A copy that
shows what the task has, or had before this merge, was not changed. Of the other values, and the task's own, one wins as
in `syncer.reconcile.edits.by_field`: the later one if both CRMs report when, else the origin's. The others are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING

from syncer.domain.fields import Change, TaskField, Value, same_value, words_of
from syncer.domain.model import Kind, Reading, Replica, ReplicaState, State, Task
from syncer.domain.task_ids import place_of
from syncer.reconcile.edits.base import is_known, shown, typed, with_owed
from syncer.reconcile.edits.by_field import Owed, Side, merge_field
from syncer.reconcile.edits.travel import (
    settle_sent,
    tell_lost,
    tells,
    value_in,
    value_of,
    with_value,
)

if TYPE_CHECKING:
    # `merging` imports `travel`.
    from syncer.reconcile.merging import Merging


@dataclass(frozen=True, slots=True)
class _There:
    """What one copy shows of a field, and when that was changed, if its CRM reports it."""

    copy: Replica
    value: Value
    at: datetime | None

    @property
    def place(self) -> str:
        return place_of(*self.copy.key)


def settle_first(work: Merging, task_id: str, replica: Replica, reading: Reading, sent: Iterable[Change]) -> None:
    """Compare a copy that we made and that this ledger did not know with the task.

    ``sent`` is what we wrote into it, if that is known. Then every other value was typed by people. If it is not known,
    a value that differs from the task's competes with it.
    """
    if sent := tuple(sent):
        settle_sent(work, task_id, replica, reading, sent)
    else:
        compare(work, task_id, [(replica, reading)])


def compare(work: Merging, task_id: str, learned: Iterable[tuple[Replica, Reading]]) -> None:
    """Merge copies that this ledger did not know with the task.

    What carries no marker counts as theirs, so its values stay. If it is in a lane, it is told where its due differs.
    """
    learned, before = list(learned), work.before.tasks.get(task_id)
    for field in TaskField:
        told = [(copy, row) for copy, row in learned if copy.made and tells(row, field, None)]
        there = [_There(copy, _name(work, copy, field, row.shown(field)), row.updated_at) for copy, row in told]
        # A copy that shows what the ledger had before this merge was not changed since.
        _compare(work, task_id, field, there, () if before is None else (value_of(before, field),))
    for copy, row in learned:
        if not copy.made and work.lane_policy(copy.system) is not None:
            _owe_due(work, work.base.tasks[task_id], copy, row)


def origin_is_read(work: Merging, task_id: str) -> None:
    """Compare the copies with an origin that is read only now. Where they differ, the origin's value counts."""
    for field in TaskField:
        made = [copy for copy in work.base.copies_of(task_id) if copy.made and copy.state is ReplicaState.OPEN]
        known = [copy for copy in made if is_known(copy, field)]
        there = [_There(copy, _name(work, copy, field, shown(copy, field)), None) for copy in known]
        _compare(work, task_id, field, there)


def _name(work: Merging, copy: Replica, field: TaskField, value: Value) -> Value:
    """Return what a copy shows of a field. An assignee is the name in the account file, or ``None``."""
    return work.inputs.policy.users.get((copy.system, str(value or ""))) if field is TaskField.ASSIGNEE else value


def _compare(
    work: Merging, task_id: str, field: TaskField, there: list[_There], before: tuple[Value, ...] = ()
) -> None:
    task, policy = work.base.tasks[task_id], work.inputs.policy
    there = [one for one in there if _shows(work, one.copy, field)]
    if field is TaskField.ASSIGNEE:
        there = [one for one in there if _assigns(work, task, one)]
    if not there or field not in policy.edits or task.state is not State.OPEN:
        return
    copies = {place_of(*copy.key): copy for copy in work.base.copies_of(task_id)}
    changed = [one for one in there if _is_changed(work, task, field, one, before)]
    sides = [Side(one.place, None, one.value, read=True, at=one.at, same=partial(_same, field)) for one in changed]
    own = _own_side(work, task, field, copies, {one.place: one for one in there if one not in changed})
    merged = merge_field(field, None, [*sides, *([own] if own is not None else [])])
    taken = merged.winner is not None and (own is None or merged.winner != own.place)
    if taken:
        work.put_task(_with_value(task, field, merged.value))
    for lost in merged.lost:
        if lost.place in copies:
            tell_lost(work, task_id, field, lost, copies)
    now = work.base.tasks[task_id]
    # What the task takes reaches the copies that were not compared, too.
    for copy in copies.values() if taken else [one.copy for one in there]:
        _owe(work, now, field, copy)


def _assigns(work: Merging, task: Task, one: _There) -> bool:
    """Whether task and copy are assigned to somebody of the account file, and the copy gets its assignee from us.

    Some CRMs choose the assignee of our copies by themselves. Nobody typed that.
    """
    takes = task.kind in work.inputs.capabilities[one.copy.system].edits.get(TaskField.ASSIGNEE, ())
    return takes and bool(task.assignee) and one.value is not None


def _is_changed(work: Merging, task: Task, field: TaskField, one: _There, before: tuple[Value, ...]) -> bool:
    """Whether people may have typed what the copy shows."""
    can, known = work.inputs.capabilities[one.copy.system], (value_of(task, field), *before)
    if one.value is None or any(can.keeps(field, value, one.value) for value in known):
        return False
    return not _is_made_up(work, task, field, one.value)


def _own_side(
    work: Merging, task: Task, field: TaskField, copies: Mapping[str, Replica], agreeing: Mapping[str, _There]
) -> Side | None:
    """Return the copy that the task has its value from: where people typed it, else the origin, else any.

    There is none if nobody typed the value: we make up a due or a title.
    """
    value = value_of(task, field)
    if (field is TaskField.DUE and task.due_synthetic) or _is_made_up(work, task, field, value):
        return None
    origin = next((place for place, copy in copies.items() if copy.system == task.origin and not copy.made), "")
    for place, copy in copies.items():
        by_hand, since = typed(copy, field)
        can = work.inputs.capabilities.get(copy.system)
        its_value = _name(work, copy, field, shown(copy, field))
        if by_hand and can is not None and can.alike(field, its_value, value):
            return Side(place, None, value, read=True, at=since, origin=place == origin)
    if origin and _has(work, copies[origin], field):
        # The task itself has no time of change. The origin's stands for it, as the origin's value does.
        its_crm = work.inputs.seen.get(task.origin)
        row = its_crm.readings.get(copies[origin].remote_id) if its_crm is not None else None
        return Side(origin, None, value, read=True, at=row.updated_at if row is not None else None, origin=True)
    if value in (None, ""):
        return None
    first = next(iter(agreeing.values()), None)
    return None if first is None else Side(first.place, None, value, read=True, at=first.at)


def _has(work: Merging, origin: Replica, field: TaskField) -> bool:
    """Whether the origin has this field. Superfone has no text, and a title only if people gave it one."""
    if field is TaskField.BODY:
        return is_known(origin, field) and _shows(work, origin, field)
    return shown(origin, field) not in (None, "")


def _owe(work: Merging, task: Task, field: TaskField, copy: Replica) -> None:
    """Note that an open copy is to get the task's value, if it shows another one."""
    copy, value = work.base.replicas[copy.key], value_in(copy.system, task, field, work.inputs.policy)
    if copy.state is not ReplicaState.OPEN or not (_shows(work, copy, field) and is_known(copy, field)):
        return
    # A value that we made up stays where it is, and is never written to an origin.
    made_up = field is TaskField.DUE and task.due_synthetic and not copy.made
    if made_up or value is None or _is_made_up(work, task, field, value):
        return
    if not work.inputs.capabilities[copy.system].keeps(field, value, shown(copy, field)):
        # Not `YES`: what people changed in this copy may be older than the task's value.
        work.put_replica(with_owed(copy, {field: Owed.UNSEEN}))


def _owe_due(work: Merging, task: Task, copy: Replica, row: Reading) -> None:
    policy = work.inputs.policy
    # The origin is where the due was read, and twins need not be due at the same second.
    if copy.system == task.origin or row.due is None or abs(row.due - task.due) <= policy.twin_window:
        return
    if TaskField.DUE in policy.edits and task.state is State.OPEN:
        _owe(work, task, TaskField.DUE, copy)


def _same(field: TaskField, one: Value, other: Value) -> bool:
    """Whether two values are the same. That there is no text is a value, and ``None`` is none."""
    return (one is None) is (other is None) and same_value(field, one, other)


def _shows(work: Merging, copy: Replica, field: TaskField) -> bool:
    can = work.inputs.capabilities.get(copy.system)
    return can is not None and field in can.shows


def _with_value(task: Task, field: TaskField, value: Value) -> Task:
    # A task without a due of its own takes the copy's, still as made up, so that it is never sent back.
    if field is TaskField.DUE and task.due_synthetic and isinstance(value, datetime):
        return replace(task, due=value)
    return with_value(task, field, value)


def _is_made_up(work: Merging, task: Task, field: TaskField, value: Value) -> bool:
    """Whether this is a title that we make up for a task without one: its kind, and the name of its contact."""
    if field is not TaskField.TITLE or not isinstance(value, str):
        return False
    # Each CRM has its own name of the person, and people may have given a surname since.
    names = {word for record in work.base.records_of(task.contact) for word in words_of(record.name).split()}
    label = next((kind.label for kind in Kind if value.startswith(kind.label)), None)
    return label is not None and set(words_of(value.removeprefix(label)).split()) <= names
