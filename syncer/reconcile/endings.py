"""What a closed, superseded or missing copy means for its task: done, cancelled, held, put back or still open (pure).

Completed beats cancelled, and cancelled beats open.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Final

from syncer.domain.altering import altered
from syncer.domain.model import Reading, Replica, ReplicaState, State, Task
from syncer.domain.reasons import Reason
from syncer.reconcile.closures import Cause
from syncer.reconcile.likeness import still_ours
from syncer.reconcile.merging import Merging
from syncer.reconcile.other_contact import Divided, elsewhere
from syncer.reconcile.rebuild import CLOSED_AS
from syncer.reconcile.second_copies import has_second_copy, waiting_for

MISSES_UNTIL_GONE: Final = 2


class Endings:
    """What becomes of the tasks of known copies that were closed or are missing.

    ``rebuilt`` are the persons who are brought up to date by this merge.
    """

    def __init__(self, work: Merging, divided: Divided, rebuilt: Collection[str]) -> None:
        self._work = work
        self._divided = divided
        self._rebuilt = rebuilt
        self._seen = work.inputs.seen

    def closed(self, replica: Replica, reading: Reading) -> None:
        """Store that a copy is closed, which was open or gone when it was last read."""
        task, cause = self._work.base.tasks[replica.task], self._work.cause(reading)
        # The answer to our create named this task, and it is somebody else's. Its closing says nothing of our task.
        if self._work.is_mistaken(replica, reading):
            if replica.state is ReplicaState.GONE:
                return
            self._work.put_replica(replace(replica, state=ReplicaState.GONE, misses=0))
            self._work.event(
                "gone", "them", "it is not the task that we made, though the answer said so", task.id, reading
            )
            return
        if cause is Cause.ANOTHER_LEDGER and task.state is State.OPEN:
            self._hold(replica, reading, task)
            return
        if cause in {Cause.PERSON, Cause.NEWER_TASK} and self._divided.leaves(replica, reading):
            return
        self.closed_because(replica, reading, cause)

    def closed_because(self, replica: Replica, reading: Reading, cause: Cause) -> None:
        """Store that a copy is closed for this cause, and what that means for its task."""
        task = self._work.base.tasks[replica.task]
        if cause is not Cause.PERSON:
            self._superseded(replica, reading, task, cause)
            return
        state = CLOSED_AS[reading.state]
        self._work.put_replica(replace(replica, state=state, misses=0))
        self._work.event(state.value, "them", f"{state.value} in {replica.system}", task.id, reading)
        self._conclude(task, reading.state)

    def _hold(self, replica: Replica, reading: Reading, task: Task) -> None:
        """Hold a task that another ledger completed.

        Either the task was done elsewhere, or that ledger's request hit the wrong task. Nothing tells which.
        """
        work = self._work
        work.put_replica(replace(replica, state=ReplicaState.SUPERSEDED, misses=0))
        work.put_task(replace(task, held=Reason.DONE_OR_REOPENED))
        work.event("superseded", "us", "closed by our user, and this ledger had not asked for it", task.id, reading)

    def _conclude(self, task: Task, closed_as: State) -> None:
        """Update the task's state. Completed beats cancelled, and cancelled beats open."""
        if closed_as is State.DONE and task.state is not State.DONE:
            self._work.put_task(replace(task, state=State.DONE, put_back=False))
        elif closed_as is State.CANCELLED and task.state is State.OPEN and self._work.inputs.policy.cancelled_closes:
            self._work.put_task(replace(task, state=State.CANCELLED, put_back=False))

    def _superseded(self, replica: Replica, reading: Reading, task: Task, cause: Cause) -> None:
        work = self._work
        lane_policy = work.lane_policy(replica.system)
        by_us = cause in {Cause.OUR_CREATE, Cause.OUR_COMPLETION}
        who = "us" if by_us else "them"
        # A task that is done elsewhere was to be closed here anyway, whatever closed it.
        if task.state is not State.OPEN:
            work.put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            work.event("completed", who, "closed there by a newer task; it was done already", task.id, reading)
        elif cause is Cause.NEWER_TASK and lane_policy is not None and lane_policy.superseded_is_done:
            work.put_replica(replace(replica, state=ReplicaState.DONE, misses=0))
            work.event("done", "them", "a newer task of theirs took its place", task.id, reading)
            self._conclude(task, State.DONE)
        else:
            work.put_replica(replace(replica, state=ReplicaState.SUPERSEDED, misses=0))
            work.event("superseded", who, "closed, but not done", task.id, reading)
            # A copy of ours waits for the slot again. A task of theirs is missing where people look for it, so it is
            # put back before all others.
            theirs = not still_ours(self._work.inputs.policy, replica, reading)
            # What a completion hit is always reported, also a copy of ours: the request was meant for another task.
            if by_us and (theirs or cause is Cause.OUR_COMPLETION):
                work.race(task, reading, put_back=theirs)

    def missing(self, replica: Replica) -> None:
        """Store that the read of an open copy answered that there is no such task."""
        # While a person is brought up to date, nobody knows since when a copy is missing. If another ledger closed the
        # task for that, what is open now is a later one. So the miss counts for two, and more than two end no task.
        task = self._work.base.tasks[replica.task]
        untold = task.contact in self._rebuilt
        is_theirs = elsewhere(self._work.base, task, replica) is not None
        if task in self._divided and not is_theirs:
            # It may be another task's by the next run, and its absence says nothing of this one.
            self.note_miss(replica)
            return
        if self._work.inputs.policy.deleted_closes and replica.remote_id in self._seen[replica.system].rows:
            # It looks so, too, if people gave it to another contact, and the list does not show that yet. Nothing may
            # be completed for that, so the list must agree first.
            self.note_miss(replica)
            self._work.wait_until_listed(replica)
            return
        misses = replica.misses + (MISSES_UNTIL_GONE if untold else 1)
        # A CRM that lags may report a task as missing once, so one answer is not enough.
        gone = misses >= MISSES_UNTIL_GONE and replica.misses > 0
        state = ReplicaState.GONE if gone else ReplicaState.OPEN
        self._work.put_replica(replace(replica, misses=misses, state=state))
        if gone:
            crm = self._work.inputs.policy.crm(replica.system)
            detail = f"{crm} says, in two runs, that there is no such task"
            self._work.event("gone", "them", detail, replica.task, replica)
            # What was deleted for another person is not deleted for this one.
            if misses == MISSES_UNTIL_GONE and not is_theirs:
                self._is_deleted(replica)

    def note_miss(self, replica: Replica) -> None:
        """Store that a copy is missing. Nothing else follows, however often that is read."""
        self._work.put_replica(altered(replica, misses=max(replica.misses, 1)))

    def _is_deleted(self, replica: Replica) -> None:
        task = self._work.base.tasks[replica.task]
        # Nothing was made of a held task. `syncer retry` must not make again what people have deleted.
        alone = bool(task.held) and len(self._work.base.copies_of(task.id)) == 1
        # Whoever deletes one of two copies goes on with the other one.
        if not alone and has_second_copy(self._work, replica):
            return
        closes = self._work.inputs.policy.deleted_closes
        if alone or closes:
            self._cancel(task, replica)
        # The task waited for this one to take the place of its own copy. By now both are deleted.
        for waited in waiting_for(self._work, replica) if closes else ():
            self._cancel(waited, replica)

    def _cancel(self, task: Task, gone: Replica) -> None:
        if task.state is State.OPEN:
            self._work.put_task(replace(task, state=State.CANCELLED, put_back=False))
            crm = self._work.inputs.policy.crm(gone.system)
            detail = f"its copy in {crm} was deleted, so its other copies are completed"
            self._work.event("cancelled", "them", detail, task.id, gone)
