"""Three-way comparison: what all sides last agreed on, and what each CRM says now (pure).

In this order, so that each step can rely on the one before:

1. Known replicas: what changed since the base, and who did it. Completed beats cancelled, and cancelled beats open.
2. Persons for whom the ledger may not know every write: they are rebuilt, if all their tasks could be read.
3. Tasks of theirs that were closed before we first saw them, if a create may have closed them.
4. Unknown open tasks: joined by marker, else as a twin, else stored as new tasks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from syncer.contract.adapter import Capabilities
from syncer.domain.altering import altered
from syncer.domain.base import Base, Changes
from syncer.domain.fields import TaskField
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import Seen
from syncer.reconcile.apart import apart
from syncer.reconcile.behind import is_read, leave, make_known
from syncer.reconcile.closed_unseen import look_at_closed
from syncer.reconcile.closures import Effects
from syncer.reconcile.edits.travel import Overwritten, Read, follow, is_edited, take, take_again
from syncer.reconcile.edits.users import follow_file
from syncer.reconcile.endings import Endings
from syncer.reconcile.likeness import still_ours, title_shown
from syncer.reconcile.merging import Inputs, Merging, in_order, replica_of
from syncer.reconcile.other_contact import Divided
from syncer.reconcile.other_ledgers import note_ledgers
from syncer.reconcile.rebuild import rebuild
from syncer.reconcile.second_copies import is_left_alone
from syncer.reconcile.unmatched import is_second_after_all, look_at_unknown
from syncer.reconcile.unstored import note_unstored


@dataclass(slots=True)
class Merged:
    """The result of a merge: the new base, its changes, and the incidents.

    ``undecided`` are the (system, contact) for whom nothing may be created before another CRM is read.
    ``other_ledgers`` are the ids of ledgers that write beside this one. ``edited`` counts the open copies that people
    changed, by CRM and field. ``overwritten`` are the values that lost against another change.
    """

    base: Base
    changes: Changes
    incidents: list[Item] = field(default_factory=list)
    waiting: list[Item] = field(default_factory=list)
    undecided: set[tuple[str, str]] = field(default_factory=set)
    other_ledgers: set[str] = field(default_factory=set)
    edited: Counter[tuple[str, TaskField]] = field(default_factory=Counter)
    overwritten: list[Overwritten] = field(default_factory=list)

    @classmethod
    def by(cls, work: Merging) -> Self:
        """What this work has led to."""
        return cls(
            work.base,
            work.changes,
            work.incidents,
            work.waiting,
            work.undecided,
            work.other_ledgers,
            work.edited,
            work.overwritten,
        )


def merge(
    base: Base,
    seen: Mapping[str, Seen],
    capabilities: Mapping[str, Capabilities],
    policy: Policy,
    *,
    now: datetime,
    run: str,
    new_id: Callable[[], str],
    effects: Mapping[str, Effects] | None = None,
    visits: Mapping[tuple[str, str], datetime] | None = None,
) -> Merged:
    """Merge what was seen into a copy of the base, and return it. ``base`` itself is not changed.

    ``effects`` are what our own writes did since the CRMs were last read, by system. ``visits`` are when this run read
    contacts, if not now. In the new base, ``behind`` are the persons for whom nothing may be written yet.
    """
    work = Merging(base, Inputs(seen, capabilities, policy, now, run, new_id, effects or {}))
    make_known(work)
    # These are asked before anything is merged. Afterwards the base knows the copies that tell of a write, and they
    # would tell nothing.
    behind, new = work.standing.behind(), work.standing.new()
    # What tells of a write, or of a copy that may be unread, may not be read again in the next run.
    told = work.standing.told() | work.standing.waiting()
    unread = {link for link in new if work.standing.is_never_read(link)}
    work.apart = apart(work.base, seen, work.standing, behind | unread)
    # To read such a person in full would not help: it is unclear whose tasks the copies are. They wait until people
    # have corrected the contacts.
    behind |= work.apart
    read = {link for link in behind | new if is_read(work, link, visits or {})} - work.apart
    known = _Known(work, behind - read, behind & read)
    # A rebuild relies on what the ledger knows of the person, so known copies come first. First sight comes last: what
    # the rebuild has joined to a task must not become a new one.
    known.look()
    for link in sorted(read):
        rebuild(work, link)
        work.set_behind(link, behind=False)
    leave(work, behind - read, told, visits or {})
    note_ledgers(work)
    look_at_closed(work)
    look_at_unknown(work, behind - read)
    note_unstored(work)
    return Merged.by(work)


class _Known:
    """Step 1: known replicas. What follows if one was closed or is missing is decided by its `Endings`."""

    def __init__(self, work: Merging, leave: Collection[str], rebuilt: Collection[str]) -> None:
        self._work = work
        self._leave = leave
        self._rebuilt = rebuilt
        self._seen = work.inputs.seen
        self._read: list[Read] = []
        self._divided = Divided(work)
        self._endings = Endings(work, self._divided, rebuilt)
        # Lanes come last. If a task is known to be done elsewhere, its closure in a lane by a write of ours is no
        # incident.
        self._systems = sorted(work.systems, key=lambda system: work.lane_policy(system) is not None)

    def look(self) -> None:
        replicas = self._work.base.replicas
        reopened: list[tuple[Replica, Reading]] = []
        for system in self._systems:
            for reading in in_order(self._seen[system].readings.values()):
                replica = replicas.get(reading.key)
                if replica is None:
                    continue
                if self._is_left(replica, reading):
                    self._tell_news(replica, reading)
                elif reading.state is State.OPEN and replica.state is not ReplicaState.OPEN:
                    reopened.append((replica, reading))
                else:
                    self._known(replica, reading)
            for remote_id in sorted(self._seen[system].missing):
                replica = replicas.get((system, remote_id))
                if replica is None or replica.state is not ReplicaState.OPEN:
                    continue
                if self._is_left(replica):
                    # Nothing follows from it yet, but the read that makes it certain may be the next one.
                    self._endings.note_miss(replica)
                else:
                    self._endings.missing(replica)
        # From here on, what is done for one of two persons is not done for the other.
        for copy, reading in self._divided.part():
            self._endings.closed_because(copy, reading, self._work.cause(reading))
        # Edits come after the closures: only a task that stays open takes them, also those from a closed copy.
        read: dict[str, list[Read]] = defaultdict(list)
        for one in self._read:
            read[self._work.base.replicas[one.before.key].task].append(one)
        for task_id, copies in read.items():
            take(self._work, task_id, copies)
        # Reopened rows come last: whether a row is the same task or a new one depends on whether its task is done.
        for replica, reading in reopened:
            # A search that lags may still show a copy as open after it was closed. Only its own read counts.
            if reading.whole:
                self._open_again(replica, reading)

    def _is_left(self, replica: Replica, reading: Reading | None = None) -> bool:
        """Whether nothing may be concluded from this: a write is in doubt, or the ledger may not know every write."""
        person = self._work.base.tasks[replica.task].contact
        both_open = reading is not None and reading.state is State.OPEN and replica.state is ReplicaState.OPEN
        # For its persons the rebuild judges what was closed or reopened, because it knows all rows of the task.
        # An old copy of the ledger does not know its own later completions, so a closure may be ours.
        untold = person in self._leave or (person in self._rebuilt and reading is not None and not both_open)
        if untold and not self._is_closed_by_us(replica, reading):
            return True
        return self._work.is_doubtful(replica.system, replica.contact)

    def _tell_news(self, replica: Replica, reading: Reading) -> None:
        """List what people did to this copy as waiting, if its person is left until everything was read."""
        if replica.misses:
            self._work.put_replica(replace(replica, misses=0))
        task, is_open = self._work.base.tasks[replica.task], reading.state is State.OPEN
        news = is_open is not (replica.state is ReplicaState.OPEN) or is_edited(self._work, replica, reading)
        if news and task.contact in self._leave:
            self._work.wait_until_read(reading.key, reading.contact, task.id)

    def _is_closed_by_us(self, replica: Replica, reading: Reading | None) -> bool:
        """Whether a create of ours closed it: this is known, whatever else was written."""
        if reading is None or reading.state is State.OPEN:
            return False
        instead = self._work.open_replica(replica.task, replica.system)
        # The copy that replaces it is stored already, and the ledger refuses two open copies of a task in one CRM.
        was_replaced = instead is not None and instead.key != replica.key
        return was_replaced or reading.remote_id in self._work.effects(replica.system).closed

    def _known(self, replica: Replica, reading: Reading) -> None:
        is_second = self._work.base.tasks[replica.task].held == Reason.DUPLICATE
        if is_second and replica.state is ReplicaState.OPEN and is_left_alone(self._work, replica, reading):
            # It is read as its task's copy from now on: people may have finished it meanwhile.
            replica = self._work.base.replicas[replica.key]
        if reading.state is State.OPEN:
            self._still_open(replica, reading)
        # A copy that was reported missing in two runs may show up closed after all. Then it was done, not deleted.
        elif replica.state in {ReplicaState.OPEN, ReplicaState.GONE}:
            self._endings.closed(replica, reading)
        else:
            return
        self._look_for_edits(replica, reading)

    def _look_for_edits(self, replica: Replica, reading: Reading) -> None:
        work, now = self._work, self._work.base.replicas[replica.key]
        if now.state is ReplicaState.GONE or now.task != replica.task or work.is_being_written(replica):
            return
        followed = follow(work, now, reading)
        work.put_replica(followed)
        bases = [(one.due, one.title, one.body, one.assignee) for one in (replica, followed)]
        # A copy that is owed a value counts as read even if it did not change: what people type there from now on is
        # newer.
        if replica.owed or bases[0] != bases[1]:
            self._read.append(Read(replica, reading))

    def _still_open(self, replica: Replica, reading: Reading) -> None:
        # `altered` returns the same object if nothing has changed. Most rows of a run are as they were, and nothing is
        # stored for them.
        title = title_shown(replica, reading)
        self._work.put_replica(
            altered(
                replica,
                contact=reading.contact or replica.contact,
                ours=still_ours(self._work.inputs.policy, replica, reading),
                raw_type=reading.raw_type,
                exclusive=reading.exclusive,
                sequence=reading.sequence,
                misses=0,
            )
        )
        follow_file(self._work, replica, reading)
        task = self._work.base.tasks[replica.task]
        if self._work.base.links.get((reading.system, reading.contact or "")) != task.contact:
            self._divided.moved.append((task.id, reading))
        # A copy of ours may stand in the origin's CRM, too, if the origin itself was superseded or is gone. It is no
        # origin: it cannot carry everything that the task has.
        if replica.system == task.origin and not replica.made and task.state is State.OPEN:
            self._work.follow_origin(task, reading, title)
            if is_second_after_all(self._work, reading, self._work.base.tasks[task.id]):
                self._work.put_task(replace(self._work.base.tasks[task.id], held=Reason.DUPLICATE))
                detail = "our user made it beside the copy of another task"
                self._work.event("duplicate", "us", detail, task.id, reading)

    def _open_again(self, replica: Replica, reading: Reading) -> None:
        """Keep the row as the same task if the task is open and has no other copy there, or begin a new task."""
        work = self._work
        task = work.base.tasks[replica.task]
        gone = replica.state is ReplicaState.GONE
        ended_by_deleting = gone and self._ended_by_deleting(task)
        if ended_by_deleting and task.held:
            task = replace(task, state=State.OPEN)
            work.put_task(task)
        same = task.state is State.OPEN or (gone and not ended_by_deleting)
        # Without room, keeping the row would give the task two open copies in one CRM.
        if same and not (gone and work.is_mistaken(replica, reading)) and work.has_room(task.id, replica.system):
            work.event("open_again", "them", "open again after it was closed or gone there", task.id, reading)
            now = replace(replica_of(reading, task.id), made=replica.made)
            take_again(work, task.id, Read(replica, reading), now)
            work.is_back(task.id, replica.system)
            return
        work.event("reopened", "them", "reopened there, which makes it a new task", task.id, reading)
        work.begin(reading, again=True)

    def _ended_by_deleting(self, task: Task) -> bool:
        """Whether nobody finished or cancelled the task, and it ended only because a copy of it was deleted."""
        # Once that copy is there again, it is still to be done: if it were completed with the task, nobody would have
        # done it.
        states = {copy.state for copy in self._work.base.copies_of(task.id)}
        return task.state is State.CANCELLED and ReplicaState.CANCELLED not in states
