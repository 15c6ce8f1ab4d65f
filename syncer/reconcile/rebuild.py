"""Update the ledger for one person, if it may not know everything that was written for them (pure).

The input is all tasks of the person in every CRM, including closed tasks and markers. The steps are:

1. Each task is put into a group. A group is one task of ours. The ledger decides, then the marker. A task that neither
   of them knows becomes a group of its own.
2. In a CRM that keeps no markers, tasks are matched by kind and due date. Equal candidates are taken in their order.
3. If a member of a group was finished, the task is finished, and no new copies of it are made.

A task that stays unclear is held under attention, and nothing is written for it. A task that nothing connects to
another one is left to first sight, where it may still be a twin.
"""

from __future__ import annotations

from dataclasses import replace

from syncer.domain.model import Kind, Reading, Replica, ReplicaState, State, Task
from syncer.domain.reasons import Reason
from syncer.domain.task_ids import next_task_id, split_task_id
from syncer.domain.titles import same_title
from syncer.reconcile.closures import Cause
from syncer.reconcile.edits.travel import follow
from syncer.reconcile.edits.without_base import compare, origin_is_read
from syncer.reconcile.grouping import Group, Grouping
from syncer.reconcile.markers import is_history, names_another
from syncer.reconcile.matching import Matching
from syncer.reconcile.merging import Merging, in_order, replica_of
from syncer.reconcile.moved_unseen import may_be_moved
from syncer.reconcile.unmatched import with_origin

CLOSED_AS = {State.DONE: ReplicaState.DONE, State.CANCELLED: ReplicaState.CANCELLED}


def rebuild(work: Merging, link: str) -> None:
    """Store every task of this person as a ledger that was never lost would have stored it."""
    person = Grouping(work, link)
    groups = person.group()
    Matching(work, link, groups, person.readings).match()
    # Reopening a finished task begins a new task at the same place, with the next number. So every group but the
    # latest of its place was finished, even if nothing in it is closed. The sort makes `dict` keep the highest number.
    latest = dict(sorted(split_task_id(task) for task in groups))
    for task in work.base.tasks_of(link):
        place, number = split_task_id(task.id)
        # The only row left of it may be the later task's by now.
        if number < latest.get(place, 0):
            groups.setdefault(task.id, Group(task.id))
    for group in sorted(groups.values(), key=lambda group: group.task):
        place, number = split_task_id(group.task)
        _Conclusion(work, group, was_reopened=number < latest[place]).store()


class _Conclusion:
    """What follows from one group, and is stored.

    ``was_reopened`` is true if its place has a later task, so that this one was finished.
    """

    def __init__(self, work: Merging, group: Group, *, was_reopened: bool) -> None:
        self._work = work
        self._group = group
        self._was_reopened = was_reopened
        # Of a task that was closed when first seen the ledger knows little. If a row is open, the group knows more.
        known = work.base.tasks.get(group.task)
        self._known = None if known is None or (group.open and is_history(work.base, known)) else known

    def store(self) -> None:
        group, work = self._group, self._work
        if group.is_alone and self._known is None:
            # Nothing connects this task to another one. First sight decides, because it also looks for twins.
            self._begin_again()
            return
        if not group.open and (self._known is None or self._known.state is not State.OPEN):
            self._store_history()
            return
        finished = self._finished()
        # Only a group of one open row is ever held.
        if group.held and self._known is None:
            work.begin(next(iter(group.open.values())), task_id=group.task, held=group.held)
            return
        # What is still open in a finished group is completed by the plan, so rows that somebody may have left open on
        # purpose are taken out first.
        if finished is not State.OPEN:
            for row in [row for row in group.open.values() if self._may_be_open_on_purpose(row)]:
                del group.open[row.system]
                self._hold(row)
        if self._known is None and not group.readings:
            # All rows were taken out: they are tasks of their own, and nothing is left of the finished one.
            return
        task = self._known or self._new_task()
        if self._known is not None and group.origin is not None and group.origin.key not in work.base.replicas:
            task = with_origin(task, group.origin)
        if finished is not State.OPEN and task.state is State.OPEN:
            task = replace(task, state=finished, put_back=False)
        closed = [row for rows in group.closed.values() for row in rows]
        unsure = group.unsure or self._has_finished_copy_beside_ours() or self._was_finished_before_anothers()
        unsure = unsure or any(self._is_anybodys(row) for row in closed)
        if unsure and task.state is State.OPEN:
            task = replace(task, held=Reason.DONE_OR_REOPENED)
        if self._known is None and not task.held and any(may_be_moved(work, row) for row in group.open.values()):
            task = replace(task, held=Reason.OTHER_CONTACT)
        if self._known is None:
            # What an automation made in a loop stays stopped: these tasks were stopped at, so the next one is, too.
            work.count_alike(task)
        if task != self._known:
            work.put_task(task)
        self._store_replicas(task)

    def _begin_again(self) -> None:
        """Begin a new task for a copy of a finished task that is open again.

        First sight cannot do this: it skips rows that the ledger knows.
        """
        for row in self._group.open.values():
            if row.key in self._work.base.replicas:
                self._work.event("reopened", "them", "reopened there, which makes it a new task", self._group.task, row)
                self._work.begin(row, task_id=self._group.task, again=True)

    def _store_history(self) -> None:
        """Store a task that is closed everywhere, so that a copy that is reopened later is known as a new task."""
        if not self._group.marked:
            return
        if self._known is None:
            states = {row.state for row in self._group.readings}
            state = State.DONE if State.DONE in states else State.CANCELLED
            self._known = replace(self._new_task(), state=state, held="")
            self._work.put_task(self._known)
        self._store_replicas(self._known)

    def _finished(self) -> State:
        """Return the state that the closed rows of the group give the task.

        A closed row does not count if its CRM also shows an open one: that row took its place. It counts if the open
        one is another ledger's copy and this ledger knew the closed one as open: they were there side by side.
        """
        states = {
            row.state
            for system, rows in self._group.closed.items()
            for row in rows
            if (system not in self._group.open or self._was_beside_anothers(row)) and not self._is_superseded(row)
        }
        if self._known is not None and self._known.state is not State.OPEN:
            return self._known.state
        if State.DONE in states or self._was_reopened:
            return State.DONE
        return State.CANCELLED if any(map(self._closes, states)) else State.OPEN

    def _was_beside_anothers(self, row: Reading) -> bool:
        """Whether the ledger knew this closed row as open, and the open row in its CRM is another ledger's copy."""
        base, shown = self._work.base, self._group.open[row.system]
        return self._was_known_open(row) and shown.key not in base.replicas and names_another(base, shown)

    def _has_finished_copy_beside_ours(self) -> bool:
        """Whether another ledger's copy was closed in a CRM where this ledger has an open copy of its own.

        Somebody may have closed the task, or only the superfluous copy.
        """
        base = self._work.base
        made = [
            row.system for row in self._group.open.values() if row.key in base.replicas and base.replicas[row.key].ours
        ]
        closed = [row for system in made for row in self._group.closed.get(system, ()) if row.key not in base.replicas]
        return any(self._closes(row.state) and names_another(base, row) for row in closed)

    def _was_finished_before_anothers(self) -> bool:
        """Whether people finished a lane's copy that this ledger knew as open, and another ledger made the open one.

        The other ledger never knew the finished copy, or people reopened the task since: no marker tells which.
        """
        base, group = self._work.base, self._group
        # What an old copy of a ledger knew as open, it may have made again itself, since.
        if base.restored_at is not None:
            return False
        systems = [system for system, row in group.open.items() if row.key not in base.replicas]
        closed = [row for system in systems for row in group.closed.get(system, ()) if self._work.lane_policy(system)]
        return any(
            self._closes(row.state) and self._was_known_open(row) and not self._is_superseded(row) for row in closed
        )

    def _was_known_open(self, row: Reading) -> bool:
        """Whether this closed row is a copy of the group's task that the ledger knew as open."""
        known = self._work.base.replicas.get(row.key)
        return known is not None and known.task == self._group.task and known.state is ReplicaState.OPEN

    def _closes(self, state: State) -> bool:
        """Whether a copy in this state closes its task."""
        return state is State.DONE or (state is State.CANCELLED and self._work.inputs.policy.cancelled_closes)

    def _is_superseded(self, row: Reading) -> bool:
        """Whether a create closed this row, or a write of ours did by mistake. The ledger decides if it knows."""
        known = self._work.base.replicas.get(row.key)
        if known is not None and known.state in {ReplicaState.SUPERSEDED, ReplicaState.DONE}:
            return known.state is ReplicaState.SUPERSEDED
        if self._work.lane_policy(row.system) is None:
            return False
        return self._work.cause(row) is not Cause.PERSON or self._may_be_hit(row)

    def _may_be_hit(self, row: Reading) -> bool:
        """Whether a write of ours may have closed this row by mistake.

        Our user may have closed it, and no closed row in another CRM gave a reason to.
        """
        # If another copy was closed, too, our user had a reason to complete this one. Else a completion that was meant
        # for another task may have hit it, and this task is still to be done.
        others = [other for system, rows in self._group.closed.items() if system != row.system for other in rows]
        ended = any(self._closes(other.state) for other in others)
        return not ended and self._work.standing.us.may_be(row.system, row.updated_by)

    def _is_anybodys(self, row: Reading) -> bool:
        """Whether this row was closed by a person or by another ledger's write, and nothing tells by which."""
        work = self._work
        if work.lane_policy(row.system) is None or work.standing.us.probable(row.system) is not None:
            return False
        known = work.base.replicas.get(row.key)
        told = known is not None and known.state is not ReplicaState.OPEN
        return not told and work.cause(row) is Cause.PERSON and self._may_be_hit(row)

    def _may_be_open_on_purpose(self, row: Reading) -> bool:
        """Whether this open row of a finished task may be still to be done.

        A person may have reopened the origin, or copied the text of a copy into a new task. Tasks in a lane cannot be
        reopened. A row that we may not complete stays as it is, unless another title shows that it is another task.
        """
        work, known = self._work, self._known
        if known is not None and known.state is not State.OPEN:
            return False
        closed = [member for rows in self._group.closed.values() for member in rows]
        # What a sequence made is known by its list alone, without a title. That is no likeness.
        unread = any(not member.whole and member.key not in work.base.replicas for member in closed)
        # Rows of a lane have no title, so they are compared only if no other closed row has one.
        telling = [member for member in closed if member.title] or closed
        alike = [member for member in telling if same_title(row.title, member.title)]
        # The origin of a finished task is open: people reopened it, or our completion of it was never carried out. If
        # it could be completed by us, nothing tells which.
        if row is self._group.origin:
            return work.lane_policy(row.system) is None and (self._may_complete(row) or not alike)
        policy = work.inputs.policy
        is_like = any(member.due is None or policy.may_keep(member, row) for member in alike)
        # In a CRM without markers, our user's task may have been taken over from a ledger that wrote at the same time.
        copied = row.marker is not None or work.made(row) or work.standing.us.made_unmarked(row)
        return copied and (unread or not is_like)

    def _may_complete(self, row: Reading) -> bool:
        capabilities = self._work.inputs.capabilities[row.system]
        kind = self._known.kind if self._known is not None else self._kind()
        return kind in capabilities.completes_kinds and (capabilities.completes_sequences or not row.sequence)

    def _hold(self, row: Reading) -> None:
        """Store the row as a task of its own. It is not copied until a person decides."""
        place = split_task_id(self._group.task)[0]
        # At the origin's place it was reopened, and so is the next task of that place.
        task_id = next_task_id(self._group.task) if row.place == place else ""
        self._work.begin(row, task_id=task_id, held=Reason.DONE_OR_REOPENED, again=True)

    def _new_task(self) -> Task:
        """Return the task as its origin shows it. If the origin was not read, its copies are used."""
        group, inputs = self._group, self._work.inputs
        first = group.origin or next(iter(in_order(group.open.values())), None) or group.readings[0]
        # Copies of a task without a due show the one that we made up. It stays, so that they need not be moved.
        dues = [row.due for row in (first, *group.readings) if row.due is not None]
        due = dues[0] if dues else inputs.made_up_due
        titles = [row.title for row in (first, *group.readings) if row.title is not None]
        # Without an origin and without a CRM that keeps kinds, the kind is a guess: people have to look.
        lost = group.origin is None and not any(row.kind_known for row in group.readings)
        return Task(
            id=group.task,
            contact=self._work.contact_of(first) or inputs.new_id(),
            kind=self._kind(),
            title=titles[0] if titles else None,
            body=first.body,
            due=due,
            due_synthetic=first.due is None,
            # A marker names the origin, even if that was not read or is gone.
            origin=group.task.partition(":")[0] if group.marked else first.system,
            assignee=inputs.policy.users.get((first.system, first.assignee or "")),
            notify_at=first.notify_at,
            held=Reason.UNMATCHED if lost else "",
            first_seen=inputs.now,
        )

    def _kind(self) -> Kind:
        """Return the kind from the first CRM that stores kinds. If none does, it is guessed from a title."""
        systems = self._work.systems
        rows = sorted(self._group.readings, key=lambda row: systems.index(row.system))
        return next((row.kind for row in rows if row.kind_known), rows[0].kind)

    def _store_replicas(self, task: Task) -> None:
        work, group = self._work, self._group
        for row in in_order(row for rows in group.closed.values() for row in rows):
            known = work.base.replicas.get(row.key)
            if known is not None and known.state is not ReplicaState.OPEN:
                continue
            # Taken for done, a copy that a newer task closed would never be made again.
            state = ReplicaState.SUPERSEDED if self._is_superseded(row) else CLOSED_AS[row.state]
            replica = known or replica_of(row, task.id, made=row.marker is not None)
            work.put_replica(replace(replica, task=task.id, state=state, misses=0))
            work.event(state.value, "them", "closed while this ledger did not know of it", task.id, row)
        learned: list[tuple[Replica, Reading]] = []
        for row in group.open.values():
            known = work.base.replicas.get(row.key)
            if known is not None and known.task == task.id and known.state is ReplicaState.OPEN:
                continue
            self._let_go(task, row)
            replica = replica_of(row, task.id, made=row.marker is not None and row.place != task.id)
            replica = follow(work, replica, row)
            work.put_replica(replica)
            learned.append((replica, row))
            if known is not None and known.task != task.id:
                self._end_mistaken(known.task, row)
            work.is_back(task.id, row.system)
            # A create that stayed in doubt would later take what people copied from this row for its own work.
            work.is_created(task.id, row.system, row.remote_id)
            work.event("rebuilt", "us", "known again from its markers, its kind and its due", task.id, row)
        self._compare(task, learned)
        self._note_lost_origin(task)

    def _compare(self, task: Task, learned: list[tuple[Replica, Reading]]) -> None:
        """Merge the values of copies that this ledger did not know with those of the task."""
        # The origin comes first, because the copies are compared with the task as it then is.
        work = self._work
        for _replica, row in learned:
            if row is self._group.origin and self._known is not None and task.state is State.OPEN:
                work.follow_origin(work.base.tasks[task.id], row, row.title, anew=True)
                origin_is_read(work, task.id)
        compare(work, task.id, learned)

    def _let_go(self, task: Task, row: Reading) -> None:
        """Mark the replica that the ledger knew there as gone: it was deleted, or belongs to another task now."""
        known = self._work.open_replica(task.id, row.system)
        if known is not None and known.key != row.key:
            self._work.put_replica(replace(known, state=ReplicaState.GONE))
            self._work.event("gone", "them", f"{row.remote_id} is there in its stead", task.id, known)

    def _end_mistaken(self, task_id: str, row: Reading) -> None:
        """End the task that was made from this row alone while the other CRMs could not be read."""
        work = self._work
        mistaken = work.base.tasks.get(task_id)
        if mistaken is not None and not work.base.copies_of(task_id):
            work.end_mistaken(mistaken, self._group.task, row)

    def _note_lost_origin(self, task: Task) -> None:
        """Store the origin as gone if the markers name it and its CRM does not have it any more.

        A row that could not be understood exists, so it is not gone.
        """
        system, _, remote_id = split_task_id(task.id)[0].partition(":")
        seen = self._work.inputs.seen.get(system)
        there = seen is not None and seen.has(remote_id)
        if (
            there
            or not self._group.marked
            or (system, remote_id) in self._work.base.replicas
            or task.state is not State.OPEN
        ):
            return
        # As gone it stands under attention. Without a replica it would be created in the CRM that it was deleted from.
        if system in self._work.inputs.capabilities:
            contact = next((key[1] for key in self._work.standing.contacts_of(task.contact) if key[0] == system), "")
            self._work.put_replica(Replica(system, remote_id, task.id, contact, state=ReplicaState.GONE))
