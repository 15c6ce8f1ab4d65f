"""What tells of a row, or of a group, while one person is matched: its creator, who closed it, the ledger (pure).

What two of them show beside each other is in `syncer.reconcile.lane_copies`.
"""

from __future__ import annotations

from functools import cached_property

from syncer.domain.model import Reading, ReplicaState, State
from syncer.domain.reasons import Reason
from syncer.domain.task_ids import earlier_task_ids
from syncer.reconcile.closures import Cause, made_after
from syncer.reconcile.grouping import Group
from syncer.reconcile.markers import is_held_as_second
from syncer.reconcile.merging import Merging


class Evidence:
    """What tells of the rows and groups of one person (``link``)."""

    def __init__(self, work: Merging, link: str) -> None:
        self._work = work
        self._link = link

    @cached_property
    def is_behind(self) -> bool:
        """Whether something may have been written for this person that this ledger does not know."""
        standing, link = self._work.standing, self._link
        return link in standing.behind(link) or (standing.has_forerunner and standing.is_never_read(link))

    def is_surely_by_us(self, row: Reading) -> bool:
        """Whether our known user created the row. That is certain enough to complete it."""
        us = self._work.standing.us.known(row.system)
        return us is not None and row.created_by == us

    def is_by_us(self, row: Reading) -> bool:
        """Whether our user created the row, or our user is not known."""
        probably = self._work.standing.us.probable(row.system)
        return probably is None or row.created_by == probably

    def may_be_ours(self, row: Reading) -> bool:
        """Whether the row may be a copy that we made and this ledger does not know of."""
        # A ledger that is up to date knows every copy that we made.
        return self.is_behind and self.is_by_us(row)

    def is_by_a_person(self, closed: Reading) -> bool:
        """Whether a person closed it. The ledger tells if it saw the closure, else the lane does."""
        known = self._work.base.replicas.get(closed.key)
        superseded = known is not None and known.state is ReplicaState.SUPERSEDED
        return not superseded and self._work.cause(closed) is Cause.PERSON

    def is_replaced(self, closed: Reading) -> bool:
        """Whether a newer task in its lane closed it. What it was a copy of is still to be done."""
        cause, lane_policy = self._work.cause(closed), self._work.lane_policy(closed.system)
        done = lane_policy is not None and lane_policy.superseded_is_done
        return cause in {Cause.OUR_CREATE, Cause.MAYBE_OURS} or (cause is Cause.NEWER_TASK and not done)

    def is_finished(self, other: Group) -> bool:
        """Whether a person finished one of its copies."""
        # What a newer task closed is still to be done, although its CRM shows it as completed.
        closed = [row for rows in other.closed.values() for row in rows]
        return any(row.state is State.DONE and self.is_by_a_person(row) for row in closed)

    def has_room(self, row: Reading, other: Group) -> bool:
        """Whether the group has no copy there, or only superseded ones that are older than the row."""
        return row.system not in other.open and all(
            not self.is_by_a_person(before) and not made_after(before, row)
            for before in other.closed.get(row.system, ())
        )

    def is_known_as_open(self, other: Group) -> bool:
        """Whether the ledger knows the task as open, though people deleted all copies that would show it."""
        known = self._work.base.tasks.get(other.task)
        return known is not None and known.state is State.OPEN

    def had_an_unknown_one(self, later: Group) -> bool:
        """Whether the place of this task had an earlier task that this ledger does not know. That one is finished."""
        return any(earlier not in self._work.base.tasks for earlier in earlier_task_ids(later.task))

    def is_second(self, other: Group) -> bool:
        """Whether this is a second copy of some task, which we have never copied."""
        return any(is_held_as_second(self._work.base, row) for row in other.readings) or other.held == Reason.DUPLICATE
