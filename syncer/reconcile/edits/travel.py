"""Find what people edited in the copies that were read, store it in the task, and note it for the others (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from syncer.domain.altering import altered
from syncer.domain.events import Event
from syncer.domain.fields import Change, TaskField, Value, in_order, restored, same_value, stored
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.policy import Policy
from syncer.domain.task_ids import place_of
from syncer.domain.titles import short
from syncer.reconcile.edits.base import (
    base_of,
    is_known,
    owed,
    owed_fields,
    shown,
    typed,
    was_read,
    with_owed,
    with_typed,
)
from syncer.reconcile.edits.by_field import FieldMerge, Lost, Owed, Side, merge_field

if TYPE_CHECKING:
    from syncer.contract.adapter import Capabilities
    from syncer.domain.snapshot import Seen

    # `merging` imports this module.
    from syncer.reconcile.merging import Merging

COMPARED: Final = (TaskField.DUE, TaskField.TITLE, TaskField.BODY)
"""The fields that every copy gets when it is created. An assignee may never have been written into it."""
_FILLED_IN: Final = ("{{", "{%")


@dataclass(frozen=True, slots=True)
class Read:
    """A copy as the ledger knew it, and what was read of it."""

    before: Replica
    reading: Reading


@dataclass(frozen=True, slots=True)
class Overwritten:
    """A value that somebody typed in ``system``, and that was overwritten by what was typed in ``by``."""

    task: str
    system: str
    field: TaskField
    value: Value
    by: str

    @property
    def parts(self) -> tuple[str, ...]:
        """What the event of it stores, so that it can be reported if this run does not live to report it."""
        value = stored(self.value)
        return (self.field.value, self.by, *(() if value is None else (value,)))

    @classmethod
    def of(cls, event: Event) -> Overwritten:
        """Return what an event that has these parts tells."""
        name, by, *value = event.lost
        field = TaskField(name)
        return cls(event.task or "", event.system or "", field, restored(field, value[0] if value else None), by)


def value_of(task: Task, field: TaskField) -> Value:
    """Return the task's value of a field."""
    match field:
        case TaskField.DUE:
            return task.due
        case TaskField.TITLE:
            return task.title
        case TaskField.BODY:
            return task.body or ""
        case TaskField.ASSIGNEE:
            return task.assignee


def with_value(task: Task, field: TaskField, value: Value) -> Task:
    """Return the task with a value that people typed."""
    if isinstance(value, datetime):
        return replace(task, due=value, due_synthetic=False)
    return replace(task, **{field.value: value or None})  # type: ignore[arg-type]


def value_in(system: str, task: Task, field: TaskField, policy: Policy) -> Value:
    """Return what a copy in this CRM should show. An assignee is the CRM's own user id, or ``None`` if it has none."""
    value = value_of(task, field)
    return policy.user_id(system, task.assignee) if field is TaskField.ASSIGNEE else value


def changes_owed(task: Task, replica: Replica, can: Capabilities, policy: Policy) -> tuple[Change, ...]:
    """Return what is still to be written into a copy. A value that it shows already, as its CRM stores it, is left out.

    A copy that is to be closed is not edited.
    """
    if task.state is not State.OPEN:
        return ()
    found = []
    for field in owed_fields(replica):
        if field not in policy.edits or field not in can.shows:
            continue
        old, new = shown(replica, field), value_in(replica.system, task, field, policy)
        # Without a value nothing is written: the CRM may not have this user.
        if new is not None and not (is_known(replica, field) and can.alike(field, old, new)):
            found.append(Change(field, old, new))
    return tuple(found)


def can_change(task: Task, replica: Replica, can: Capabilities, field: TaskField, seen: Seen) -> bool:
    """Whether this field of a copy can be changed through the CRM's API, and may be."""
    kept = replica.sequence and field in can.sequence_keeps
    # What the CRM sends to a customer by itself must never be sent at another time because of us.
    return task.kind in can.edits.get(field, ()) and not kept and not seen.runs_by_itself(replica.remote_id)


def take(work: Merging, task_id: str, read: Iterable[Read]) -> None:
    """Merge every field of one task, given all copies that were just read. Their new base is stored already."""
    task = work.base.tasks[task_id]
    by_place = {(one.before.system, one.before.remote_id): one for one in read}
    if task.state is not State.OPEN:
        return
    for field in TaskField:
        if field in work.inputs.policy.edits:
            _take_field(work, task_id, field, by_place)


def take_again(work: Merging, task_id: str, again: Read, now: Replica) -> None:
    """Merge a copy that is open again, as ``now``. It is owed what the task took while the copy was closed."""
    task, can, policy = work.base.tasks[task_id], work.inputs.capabilities[now.system], work.inputs.policy
    noted = dict.fromkeys(owed_fields(again.before), Owed.UNSEEN)
    missed = {**noted, **behind(task, again.before, (), can, policy)} if was_read(again.before) else {}
    # A due that we made up is never written to an origin, which has none.
    if task.due_synthetic:
        missed.pop(TaskField.DUE, None)
    work.put_replica(now)
    take(work, task_id, [replace(again, before=with_owed(again.before, missed))])


def _take_field(work: Merging, task_id: str, field: TaskField, read: Mapping[tuple[str, str], Read]) -> None:
    task = work.base.tasks[task_id]
    copies = {place_of(*copy.key): copy for copy in work.base.copies_of(task_id)}
    # Closed copies take part: what people changed before they closed one counts.
    sides = [_side(work, task, field, copy, read.get(copy.key)) for copy in copies.values()]
    merged = merge_field(field, value_of(task, field), sides)
    if merged.winner is not None:
        work.put_task(with_value(task, field, merged.value))
    at = {side.place: side.at for side in sides}
    for place, copy in copies.items():
        now = with_owed(copy, {field: merged.owed[place]})
        if place in merged.changed:
            now = with_typed(now, {field}, at[place])
            if copy.state is ReplicaState.OPEN:
                # The guard compares this number with that of the open copies.
                work.edited[copy.system, field] += 1
        work.put_replica(now)
    _tell(work, task, field, merged, copies)


def _side(work: Merging, task: Task, field: TaskField, copy: Replica, read: Read | None) -> Side:
    # ``None`` if its CRM was taken out of the account file. Once that is back, the copy gets what it is owed.
    can, policy = work.inputs.capabilities.get(copy.system), work.inputs.policy
    before = read.before if read is not None else copy
    base, now = shown(before, field), read.reading.shown(field) if read is not None else None
    known, origin = is_known(before, field), copy.system == task.origin and not copy.made
    if field is TaskField.BODY and origin and not known and now:
        # The text of this origin was stored before copies had a base, so only the task has it.
        base, known = task.body or "", True
    if field is TaskField.ASSIGNEE:
        base, now = _name(policy, copy.system, base), _name(policy, copy.system, now)
    by_hand, since = typed(before, field)
    return Side(
        place=place_of(*copy.key),
        base=base,
        now=now,
        known=known,
        read=read is not None and tells(read.reading, field, base),
        origin=origin,
        shows=can is None or field in can.shows,
        # What it got owed in this merge, when its task was divided, counts too.
        owed=owed(before, field) or owed(copy, field),
        at=read.reading.updated_at if read is not None else None,
        typed=by_hand,
        since=since,
        same=partial(same_value if can is None else can.alike, field),
    )


def _name(policy: Policy, system: str, user: Value) -> Value:
    # A user who is not mapped is nobody here, and so leaves the other copies as they are.
    return policy.users.get((system, user)) if isinstance(user, str) and user else user


def tells(reading: Reading, field: TaskField, base: Value) -> bool:
    """Whether a reading shows the field as people left it. In a closed task, the CRM may have filled in variables."""
    if field is TaskField.DUE:
        return True
    # A row of a list need not show a title, and our copies in a lane have none.
    if field is TaskField.TITLE and not reading.title:
        return False
    if not reading.whole:
        return False
    filled_in = isinstance(base, str) and any(sign in base for sign in _FILLED_IN)
    return not (reading.state is not State.OPEN and filled_in and field in (TaskField.TITLE, TaskField.BODY))


def _tell(work: Merging, task: Task, field: TaskField, merged: FieldMerge, copies: Mapping[str, Replica]) -> None:
    """Add a line of history for the value that the task took, and one for each value that was overwritten."""
    if merged.winner is not None:
        words = f"{field.value} is {in_words(merged.value)}, and was {in_words(value_of(task, field))}"
        work.event("edited", "them", words, task.id, copies[merged.winner])
    for lost in merged.lost:
        tell_lost(work, task.id, field, lost, copies)


def tell_lost(work: Merging, task: str, field: TaskField, lost: Lost, copies: Mapping[str, Replica]) -> None:
    """Report a value that somebody typed and that was overwritten, in the history and in the report of the run."""
    by = lost.by.partition(":")[0]
    words = (
        f"{field.value} was {in_words(lost.value)} there; the value that was typed in {by or 'another CRM'} replaced it"
    )
    told = Overwritten(task, copies[lost.place].system, field, lost.value, by)
    work.event("overwritten", "them", words, task, copies[lost.place], told.parts)
    work.overwritten.append(told)


def in_words(value: Value) -> str:
    """Return a value in one short line, for people."""
    if isinstance(value, datetime):
        return f"{value:%FT%TZ}"
    text = short(value or "")
    return f"“{text}”" if text else "empty"


def follow(work: Merging, replica: Replica, reading: Reading) -> Replica:
    """Return the copy with what was just read as its base.

    A field that is not synced is owed to nobody. Its base follows, so that nothing is sent when it is switched on.
    """
    policy, can = work.inputs.policy, work.inputs.capabilities[replica.system]
    now = altered(replica, **base_of(reading))
    if not reading.whole:
        # As long as no full read has shown a field, the list is taken for its base if it shows the field.
        if now.assignee is None and reading.assignee is not None:
            now = replace(now, assignee=reading.assignee)
        if now.body is None and can.lists_texts:
            now = replace(now, body=reading.body or "")
    off = {field: Owed.NO for field in owed_fields(now) if field not in policy.edits}
    return with_owed(now, off) if off else now


def is_edited(work: Merging, replica: Replica, reading: Reading) -> bool:
    """Whether an open copy shows another value than before in a field that is synced."""
    now, can = follow(work, replica, reading), work.inputs.capabilities[replica.system]
    known = [field for field in can.shows & work.inputs.policy.edits if is_known(replica, field)]
    changed = any(not can.alike(field, shown(replica, field), shown(now, field)) for field in known)
    return changed and reading.state is State.OPEN


def settle_sent(work: Merging, task_id: str, replica: Replica, reading: Reading, sent: Iterable[Change]) -> None:
    """Compare a copy that our request made, and that is known only now, with what was ``sent``.

    Every other value was typed by people.
    """
    policy, can = work.inputs.policy, work.inputs.capabilities[replica.system]
    task, known = work.base.tasks[task_id], {change.field: change.new for change in sent}
    values = {field: value for field, value in known.items() if _is_taken(task, field, can)}
    there = {field: reading.shown(field) for field in values}
    # What the CRM made of a value that we sent was not typed by people.
    values = {one: there[one] if can.makes(one, value, there[one]) else value for one, value in values.items()}
    before = _showing(replica, values)
    work.put_replica(with_owed(before, behind(task, _showing(replica, known), known, can, policy)))
    before = work.base.replicas[replica.key]
    work.put_replica(follow(work, before, reading))
    take(work, task_id, [Read(before, reading)])


def as_created(
    task: Task, replica: Replica, sent: Iterable[Change], can: Capabilities, policy: Policy, *, found: Reading | None
) -> Replica:
    """Return the copy that our create made, with what it is owed by now.

    Its base is what the CRM answered. If the answer was lost and the copy was ``found`` by reading, people may have
    changed it since: where it differs from what was sent, its base is what was sent. A title that the CRM does not
    take from us is always theirs.
    """
    values = {one.field: one.new for one in sent if one.field in can.shows}
    as_sent = _showing(replica, values)
    if found is not None and found.whole:
        there = {field: value for field, value in values.items() if _is_taken(task, field, can)}
        there |= {} if TaskField.TITLE in can.shows else {TaskField.TITLE: None}
        differing = [field for field, value in there.items() if not can.makes(field, value, found.shown(field))]
        replica = _showing(replica, {field: there[field] for field in differing})
    owed_now = behind(task, as_sent, values, can, policy)
    if found is None and values.get(TaskField.ASSIGNEE) and not replica.assignee:
        # It was created without the assignee, whom the CRM did not accept. Alone, the CRM says why.
        owed_now |= {TaskField.ASSIGNEE: Owed.YES} if _is_taken(task, TaskField.ASSIGNEE, can) else {}
    return with_owed(replica, owed_now) if values else replica


def _showing(replica: Replica, values: Mapping[TaskField, Value]) -> Replica:
    return replace(replica, **{field.value: value for field, value in values.items()})  # type: ignore[arg-type]


def _is_taken(task: Task, field: TaskField, can: Capabilities) -> bool:
    """Whether a create takes this field from us. A CRM in which no task can be assigned chooses the assignee itself."""
    return field is not TaskField.ASSIGNEE or task.kind in can.edits.get(field, ())


def behind(
    task: Task, copy: Replica, sent: Iterable[TaskField], can: Capabilities, policy: Policy
) -> dict[TaskField, Owed]:
    """Return the fields of which the task took another value since this copy was written.

    An assignee counts only if it was ``sent``.
    """
    found: dict[TaskField, Owed] = {}
    for field in in_order({*COMPARED, *sent}):
        value = value_in(copy.system, task, field, policy)
        differs = value is not None and not can.keeps(field, value, shown(copy, field))
        if field in policy.edits and field in can.shows and differs:
            # Not `YES`: what people changed in this copy may be older than the task's value.
            found[field] = Owed.UNSEEN
    return found


def put_behind(work: Merging, task: Task, copy: Replica) -> None:
    """Store this copy of the task, which is owed what the task took since it was written."""
    can, policy = work.inputs.capabilities[copy.system], work.inputs.policy
    work.put_replica(with_owed(copy, behind(task, copy, (), can, policy)))
