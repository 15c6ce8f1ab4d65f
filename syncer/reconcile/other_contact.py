"""A copy that people gave to another person's contact in its CRM: the task was entered for the wrong one (pure).

Nothing may be written for one person because of what is done for another. So the copy leaves the others:

- The task goes with its origin. What stays with the first person becomes a task of its own there, and is held.
- Where a copy was moved, and not the origin, that copy becomes a task of its own, and the one that it left is held.

Held, for nobody knows whether the task is still to be done for the first person. If the copy comes back, the two are
one task again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.domain.altering import altered
from syncer.domain.base import Base
from syncer.domain.cursors import ELSEWHERE
from syncer.domain.fields import TaskField, in_order
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.reasons import Item, Reason
from syncer.domain.task_ids import place_of
from syncer.reconcile.edits.base import is_known, owed, owed_fields, shown, typed, with_owed
from syncer.reconcile.edits.by_field import Owed
from syncer.reconcile.edits.travel import behind, put_behind, with_value
from syncer.reconcile.likeness import is_like
from syncer.reconcile.merging import Merging


def elsewhere(base: Base, task: Task, copy: Replica | Reading) -> str | None:
    """Return the link whose contact this copy is on, if that is another person than the task's.

    A contact without keys was deleted, and is no other person. If the task's person has no contact left in that CRM,
    it was merged into the other one.
    """
    key = (copy.system, copy.contact or "")
    link = base.links.get(key)
    if link in (None, task.contact) or not has_keys(base, key):
        return None
    left = (mine for mine in base.contacts_of(task.contact) if mine[0] == copy.system)
    return link if any(has_keys(base, mine) for mine in left) else None


def has_keys(base: Base, contact: tuple[str, str]) -> bool:
    """Whether this contact has a key. One that was deleted has none."""
    record = base.records.get(contact)
    return record is not None and bool(record.phones or record.emails)


def is_divided(base: Base, task: Task) -> Replica | None:
    """Return an open copy of the task that is on another person's contact by now, or ``None``."""
    copies = (copy for copy in base.copies_of(task.id) if copy.state is ReplicaState.OPEN)
    return next((copy for copy in copies if elsewhere(base, task, copy)), None)


def contacts_in_question(base: Base, system: str) -> set[tuple[str, str]]:
    """Return the contacts of this CRM that a task was moved between in the last run. One may be merged away."""
    found = set()
    for _name, copy, link in _noted(base):
        if copy.system == system and copy.state is ReplicaState.OPEN:
            mine = {key for key in base.contacts_of(link) if key[0] == system}
            found |= {key for key in (*mine, (system, copy.contact)) if key in base.records}
    return found


def _noted(base: Base) -> list[tuple[str, Replica, str]]:
    """Return the cursors of copies that were seen elsewhere, each with the copy and the link of the task's person."""
    found = []
    for name in [name for name, run in base.cursors.items() if run and name.startswith(ELSEWHERE)]:
        place, _, link = name.removeprefix(ELSEWHERE).rpartition(":")
        system, _, remote_id = place.partition(":")
        copy = base.replicas.get((system, remote_id))
        if copy is not None:
            found.append((name, copy, link))
    return found


class Divided:
    """The tasks with a copy on another person's contact, as far as this run or an earlier one has read that.

    What people close there waits until it is clear whose task it is. ``moved`` are the (task id, reading) of open
    copies that were not on a contact of their task's person.
    """

    def __init__(self, work: Merging) -> None:
        self.moved: list[tuple[str, Reading]] = []
        self._work = work
        self._closed: list[tuple[tuple[str, str], Reading]] = []
        base = work.base
        rows = (row for system in work.systems for row in work.inputs.seen[system].readings.values())
        known = ((row, copy) for row in rows if (copy := base.replicas.get(row.key)) is not None)
        self._tasks = {
            copy.task
            for row, copy in known
            if copy.state is ReplicaState.OPEN and elsewhere(base, base.tasks[copy.task], row)
        }

    def __contains__(self, task: Task) -> bool:
        return task.id in self._tasks or is_divided(self._work.base, task) is not None

    def leaves(self, copy: Replica, reading: Reading) -> bool:
        """Leave this copy as it is in the ledger although people have closed it. Returns whether it is left."""
        work, task = self._work, self._work.base.tasks[copy.task]
        moved = elsewhere(work.base, task, reading) is not None
        if task.state is not State.OPEN or not (moved or task in self):
            return False
        if moved and copy.state is not ReplicaState.OPEN:
            # It was gone before anybody knew where it is now.
            return True
        work.put_replica(altered(copy, contact=reading.contact or copy.contact, misses=0))
        if moved:
            self.moved.append((copy.task, reading))
        self._closed.append((copy.key, reading))
        return True

    def part(self) -> Iterator[tuple[Replica, Reading]]:
        """Let copies leave their task. Then yield what was closed and waits no more, each with its reading."""
        part(self._work, self.moved)
        base, crm = self._work.base, self._work.inputs.policy.crm
        for key, reading in self._closed:
            copy = base.replicas[key]
            moved = is_divided(base, base.tasks[copy.task])
            if moved is None:
                yield copy, reading
                continue
            there = f"{crm(moved.system)} shows task {moved.remote_id} on another contact"
            words = f"closed in {crm(reading.system)}; {there}; it is read again"
            self._work.waiting.append(Item(copy.task, reading.system, Reason.NEXT_RUN, words))


def part(work: Merging, moved: Iterable[tuple[str, Reading]]) -> None:
    """Let copies leave their task that are on another person's contact in two runs.

    ``moved`` are the (task id, reading) of open copies that were not on a contact of their task's person.
    """
    for task_id, row in moved:
        task, copy = work.base.tasks[task_id], work.base.replicas[row.key]
        if copy.task != task_id or copy.state is not ReplicaState.OPEN:
            continue
        if task.contact == work.base.links.get((row.system, row.contact or "")):
            # It had no copies, and has gone with its contact already.
            _unite(work, task, row)
        elif (link := elsewhere(work.base, task, row)) is not None and _is_certain(work, task, row):
            _part(work, task, row, link)
    # What is back counts as moved anew if it is moved once more.
    for name, copy, person in _noted(work.base):
        task = work.base.tasks[copy.task]
        # After a write only one contact's tasks are merged, and nothing is known there of the other one.
        was_read = copy.system in work.systems and copy.remote_id in work.inputs.seen[copy.system].readings
        if task.contact != person or (was_read and elsewhere(work.base, task, copy) is None):
            work.note(name, "")


def _is_certain(work: Merging, task: Task, row: Reading) -> bool:
    """Whether an earlier run saw it there, too, and no request of ours may have made one more copy meanwhile."""
    # When a CRM merges two contacts, the tasks may be seen on the other one before the first is seen to be gone.
    if any(operation.is_unsettled for operation in work.base.operations_of(task.id)):
        return False
    if _was_copied_there(work, row):
        return True
    cursor = f"{ELSEWHERE}{place_of(*row.key)}:{task.contact}"
    since = work.base.cursors.get(cursor, "")
    if not since:
        work.note(cursor, work.inputs.run)
        return False
    # A run for a few persons reads no list, and does not ask for the two contacts again.
    seen = work.inputs.seen[row.system]
    in_list = row.remote_id in seen.rows if row.state is State.OPEN else seen.listed and not seen.lanes
    if not in_list and work.inputs.capabilities[row.system].lists_tasks is ListsTasks.ALL:
        return False
    if since == work.inputs.run:
        return False
    work.note(cursor, "")
    return True


def _was_copied_there(work: Merging, row: Reading) -> bool:
    """Whether a ledger copied it for the other person already, of which this one is an old copy."""
    base, link = work.base, work.base.links.get((row.system, row.contact or ""))
    copies = (copy for system in work.systems for copy in work.inputs.seen[system].copies_of(row.key))
    return any(
        copy.key not in base.replicas and base.links.get((copy.system, copy.contact or "")) == link for copy in copies
    )


def _part(work: Merging, task: Task, row: Reading, link: str) -> None:
    copies = [copy for copy in work.base.copies_of(task.id) if copy.state is ReplicaState.OPEN]
    going = [copy for copy in copies if work.base.links.get((copy.system, copy.contact)) == link]
    staying = [copy for copy in copies if copy not in going]
    rest = [copy for copy in work.base.copies_of(task.id) if copy not in copies]
    closed = [copy for copy in rest if work.base.links.get((copy.system, copy.contact)) != link]
    left = replace(task, held=task.held or Reason.OTHER_CONTACT)
    if not staying:
        # Nothing is open for the first person any more.
        left = replace(task, state=State.CANCELLED)
    moved = replace(task, contact=link, held="" if task.held == Reason.OTHER_CONTACT else task.held, put_back=False)
    work.event("moved", "them", "it is on another contact now", task.id, row)
    if task.state is not State.OPEN:
        # It was finished for the first person, and nobody has finished it for the other one.
        moved = _begin_as_shown(work, replace(moved, state=State.OPEN), going)
    elif (staying or closed) and not any(copy.system == task.origin and not copy.made for copy in going):
        moved = _begin_as_shown(work, moved, going)
        work.put_task(left)
    else:
        if task.held == Reason.OTHER_CONTACT:
            # It was on this contact before the other one went, perhaps with a value that was typed since.
            moved, kept = _as_shown(work, moved, going)
            for copy in going:
                work.put_replica(replace(copy, owed=()))
            _owe(work, moved, going, kept)
        work.put_task(moved)
        if staying or closed:
            left = _begin(work, left, staying or closed)
        # What was deleted or closed for the first person is no reason to make no copy for the other one.
        for copy in closed if staying else ():
            work.put_replica(replace(copy, task=left.id))
    if _is_second(work, moved, row):
        work.put_task(replace(moved, held=Reason.DUPLICATE))
    else:
        _unite(work, moved, row, left=task.held == Reason.OTHER_CONTACT)


def _begin_as_shown(work: Merging, like: Task, copies: list[Replica]) -> Task:
    """Begin a task for these copies with what the first of them shows."""
    like, kept = _as_shown(work, like, copies)
    task = _begin(work, like, [replace(copy, owed=()) for copy in copies])
    _owe(work, task, copies, kept)
    return task


def _as_shown(work: Merging, task: Task, copies: list[Replica]) -> tuple[Task, list[TaskField]]:
    """Return the task with what the first of its copies shows, and the fields that this one still is to get.

    The values that it was still to get may have been typed after it had left, unless another one of them shows them.
    """
    first, policy, able = copies[0], work.inputs.policy, work.inputs.capabilities
    fields = owed_fields(first)
    if work.before.tasks[first.task].state is not State.OPEN:
        # A finished task takes no edits. What was typed in this copy since was typed for the other person.
        fields = in_order({*fields, *behind(task, first, (TaskField.ASSIGNEE,), able[first.system], policy)})
    kept = [field for field in owed_fields(first) if any(_has(copy, field, able[copy.system]) for copy in copies[1:])]
    # Nobody is named, so nobody was typed.
    kept += [TaskField.ASSIGNEE] if task.assignee is None and owed(first, TaskField.ASSIGNEE) else []
    for field in fields:
        value = shown(first, field)
        if field is TaskField.ASSIGNEE:
            # A copy has the CRM's own user. Whom the CRM put there by itself nobody chose.
            user = "" if _has_a_user_of_its_crm(work, first, task) else str(value or "")
            value = policy.users.get((first.system, user))
        if field not in kept and is_known(first, field):
            task = with_value(task, field, value)
    return task, kept


def _owe(work: Merging, task: Task, copies: list[Replica], kept: list[TaskField]) -> None:
    """Note what the copies of a task that is as the first of them shows it still are to get."""
    policy, able = work.inputs.policy, work.inputs.capabilities
    for copy in copies:
        now = work.base.replicas[copy.key]
        found = {} if copy is copies[0] else behind(task, now, (), able[copy.system], policy)
        work.put_replica(with_owed(now, found | {field: owed(copy, field) for field in kept}))


def _has(copy: Replica, field: TaskField, can: Capabilities) -> bool:
    """Whether the copy shows what its task has in this field."""
    return field in can.shows and is_known(copy, field) and not owed(copy, field)


def _begin(work: Merging, like: Task, copies: list[Replica]) -> Task:
    """Begin a task like this one for these copies of it. Its origin is the first of them."""
    # Its place, as a ledger that knows nothing of the other task would name it.
    first = copies[0]
    place = place_of(*first.key)
    task_id = place if place not in work.base.tasks else work.fresh_id(_row_of(work, first))
    task = replace(like, id=task_id, origin=first.system, first_seen=work.inputs.now)
    work.put_task(task)
    for copy in copies:
        now = replace(copy, task=task.id, made=copy.made and copy is not first, ours=False)
        if copy is first and _has_a_user_of_its_crm(work, copy, task) and task.assignee is None:
            # As long as it is owed another one, it names nobody, although it is the origin now.
            now = with_owed(now, {TaskField.ASSIGNEE: Owed.YES})
        # It counts as theirs: nobody told us to replace it.
        work.put_replica(now)
        work.event("moved", "them", f"a task of its own, for a copy of {like.id} is on another contact", task.id, copy)
    return task


def _has_a_user_of_its_crm(work: Merging, copy: Replica, task: Task) -> bool:
    """Whether the CRM chose the assignee of this copy of ours by itself, and people have chosen none since."""
    takes = work.inputs.capabilities[copy.system].edits.get(TaskField.ASSIGNEE, ())
    return copy.made and task.kind not in takes and not typed(copy, TaskField.ASSIGNEE)[0]


def _row_of(work: Merging, copy: Replica) -> Reading:
    known = work.inputs.seen[copy.system].readings.get(copy.remote_id)
    kind = work.base.tasks[copy.task].kind
    return known or Reading(copy.system, copy.remote_id, copy.contact, State.OPEN, kind, copy.raw_type)


def _is_second(work: Merging, task: Task, row: Reading) -> bool:
    """Whether the person had this task here already: people moved a copy after we had made one."""
    if len(work.base.copies_of(task.id)) > 1:
        return False
    others = (other for other in work.base.tasks_of(task.contact) if other.id != task.id and not other.held)
    copies = (copy for other in others if (copy := work.open_replica(other.id, row.system)) is not None)
    return any(is_like(work.inputs.policy, row, copy) for copy in copies)


def _unite(work: Merging, task: Task, row: Reading, *, left: bool = False) -> None:
    """Make one task of this one, which has come to the person, and of its other copies there.

    The person has kept them since it had left, or they went before it. Then they look like its twin: if this one was
    not ``left`` itself, nothing else tells.
    """
    if task.held:
        return
    mine = {copy.system for copy in work.base.copies_of(task.id) if copy.state is ReplicaState.OPEN}
    fitting = [
        other
        for other in sorted(work.base.tasks_of(task.contact), key=lambda other: other.id)
        if other.state is State.OPEN
        and other.id != task.id
        and (other.kind.compatible(task.kind) or _is_named(work, other, row))
        and is_like(work.inputs.policy, row, other)
        and all(work.has_room(other.id, system) for system in mine)
    ]
    kept = [other for other in fitting if other.held == Reason.OTHER_CONTACT]
    twins = [other for other in fitting if not other.held] if left or work.inputs.policy.twin_window else []
    if kept or len(twins) == 1:
        _make_one(work, task, (kept or twins)[0], row)


def _is_named(work: Merging, other: Task, row: Reading) -> bool:
    """Whether a marker says that the row and a copy of the other task were one. Not every CRM shows the kind."""
    named = {copy.key for system in work.systems for copy in work.inputs.seen[system].copies_of(row.key)}
    named |= set() if row.marker is None else {row.marker.place}
    return not named.isdisjoint(copy.key for copy in work.base.copies_of(other.id))


def _make_one(work: Merging, task: Task, other: Task, row: Reading) -> None:
    first, second = sorted((task, other), key=lambda one: (one.first_seen or work.inputs.now, one.id))
    kind = first.kind if task.kind.compatible(other.kind) else task.kind if row.kind_known else other.kind
    first = replace(first, held="", kind=kind)
    work.put_task(first)
    for copy in [copy for copy in work.base.copies_of(second.id) if copy.state is ReplicaState.OPEN]:
        put_behind(work, first, replace(copy, task=first.id))
    work.end_mistaken(work.base.tasks[second.id], first.id, row)
    work.event("adopted", "us", "all its copies are with one person again", first.id, row)
