"""Why a task was closed: by a person, by a newer task, or by a create or a completion of ours (pure).

Superfone gives no reason for a closure. Creating a task closes the lead's other open tasks, and *complete* closes the
task that is the newest open one when the request arrives. So the reason is found by comparing the lane before and
after, and from what we wrote in between.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.domain.model import Reading, Replica, ReplicaState, State
from syncer.domain.operations import Operation
from syncer.domain.task_ids import split_task_id

ZERO = timedelta(0)


class Cause(StrEnum):
    """What closed a task."""

    PERSON = "person"
    """Somebody completed or cancelled it, so it is done."""
    NEWER_TASK = "newer_task"
    """Somebody created a newer task in the same lane."""
    MAYBE_OURS = "maybe_ours"
    """Our user created a newer task that this ledger does not know. A person may use the same user."""
    OUR_CREATE = "our_create"
    ANOTHER_LEDGER = "another_ledger"
    """Our user closed it, and this ledger did not: another ledger's completion may have hit it."""
    OUR_COMPLETION = "our_completion"
    """A completion of ours closed it instead of the task that was meant."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What our own writes did in one CRM since it was last read, by remote id.

    ``closed`` are tasks that a create of ours closed. ``hit`` are tasks that a completion of ours closed instead of
    the one that was meant. ``history`` are unknown tasks that were closed before our write, so not by it.
    """

    closed: frozenset[str] = frozenset()
    hit: frozenset[str] = frozenset()
    history: frozenset[str] = frozenset()


NONE = Effects()


def explain(
    closed: Reading,
    lane: Iterable[Reading],
    effects: Effects,
    *,
    made: Collection[tuple[str, str]],
    us: str | None,
    window: timedelta | None,
) -> Cause:
    """Return what closed this task.

    ``lane`` are all tasks of its contact now, and ``made`` the keys of those that we created. ``us`` is the user id
    that the CRM reports for our requests, if known. ``window`` is the longest time between a create and a closure that
    it caused; it is ``None`` in a CRM where creating a task closes nothing.
    """
    # What we know from our own writes comes first: times and users only make a cause likely.
    if closed.remote_id in effects.hit:
        return Cause.OUR_COMPLETION
    if closed.remote_id in effects.closed:
        return Cause.OUR_CREATE
    # What a create closes looks completed. So a cancelled one was cancelled by somebody.
    if window is None or not closed.exclusive or closed.state is not State.DONE:
        return Cause.PERSON
    # One newer task of ours in the window is enough to leave the task open. The other error would be worse: a task
    # that nobody did would count as done.
    newer = [other for other in lane if superseded_by(closed, other, window)]
    if any(other.key in made for other in newer):
        return Cause.OUR_CREATE
    if not newer:
        return Cause.PERSON
    return Cause.MAYBE_OURS if us is not None and any(row.created_by == us for row in newer) else Cause.NEWER_TASK


def is_copy(row: Reading, known: Replica | None) -> bool:
    """Whether the ledger knows this row as a copy of another task, so that we may have created it.

    After a rebuild the ledger knows which rows are copies, but not always that we created them.
    """
    return known is not None and split_task_id(known.task)[0] != row.place


# creates -------------------------------------------------------------------------------------------------------------


def superseded_by(closed: Reading, newer: Reading, window: timedelta) -> bool:
    """Whether the creation of ``newer`` closed ``closed``, so that nobody did it.

    The times agree within the window. The users are the same, if both are known.
    """
    if closed.remote_id == newer.remote_id or not (closed.exclusive and newer.exclusive):
        return False
    if closed.updated_at is None or newer.created_at is None or made_after(closed, newer):
        return False
    # One person may finish a task in the second in which another one creates a task.
    actors = {closed.updated_by, newer.created_by} - {None}
    return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2


def made_after(one: Reading, other: Reading) -> bool:
    """Whether ``one`` was certainly created after ``other``.

    Superfone's ids grow, so they give the order of tasks that were created at the same instant.
    """
    if one.created_at is None or other.created_at is None:
        return False
    if one.created_at != other.created_at:
        return one.created_at > other.created_at
    return one.number > other.number


def maybe_superseded(rows: Iterable[Reading], window: timedelta) -> list[Reading]:
    """Return the closed rows that may have been superseded.

    These are the rows for whose contact an exclusive task was created at about the time of the closure.
    """
    # Lists can hold tens of thousands of rows: sorted times keep this at n log n.
    rows = list(rows)
    created: dict[str | None, list[datetime]] = defaultdict(list)
    for row in rows:
        if row.exclusive and row.created_at is not None:
            created[row.contact].append(row.created_at)
    for instants in created.values():
        instants.sort()
    found = []
    for row in rows:
        if row.state is State.OPEN or not row.exclusive or row.updated_at is None:
            continue
        if _any_within(created[row.contact], row.updated_at, window):
            found.append(row)
    return found


def closed_by_create(made: Reading, before: Iterable[Reading], after: Iterable[Reading], window: timedelta) -> set[str]:
    """Return the ids of the tasks that a create of ours closed: open in the list before it, closed in the one after."""
    if not made.exclusive:
        return set()
    was_open = {row.remote_id: row for row in before if row.state is State.OPEN and row.exclusive}
    return {
        row.remote_id
        for row in after
        if row.state is not State.OPEN
        and row.remote_id in was_open
        and _by_this_create(made, row, was_open[row.remote_id], window)
    }


def _by_this_create(made: Reading, row: Reading, before: Reading, window: timedelta) -> bool:
    """Whether this create closed the row, and not a person between the two lists."""
    # Without a time of its own the closure is counted as ours: the task then stays open instead of being lost.
    if row.updated_at is None or row.updated_at == before.updated_at or made.created_at is None:
        return True
    if abs(row.updated_at - made.created_at) > window:
        return False
    actor = row.updated_by if row.updated_by != before.updated_by else None
    return actor is None or made.created_by is None or actor == made.created_by


def _any_within(instants: list[datetime], moment: datetime, window: timedelta) -> bool:
    """Whether one of these sorted instants is within the window of ``moment``."""
    # Only differences are used: at year 1 or 9999 the sum of an instant and a window overflows.
    first = bisect_left(instants, -window, key=lambda instant: instant - moment)
    return first < len(instants) and instants[first] - moment <= window


# completions of a lane's top whose answer was lost --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneCompletion:
    """A completion whose answer was lost, and the lane as it is now.

    ``rows`` are all tasks of the lane now. ``known`` are the replicas of the ledger before these rows were merged.
    ``window`` and ``us`` are as in `explain`. ``grace`` is the longest time that a request may take to arrive.
    """

    operation: Operation
    rows: Sequence[Reading]
    known: Mapping[tuple[str, str], Replica]
    window: timedelta
    grace: timedelta
    us: str | None = None

    @property
    def meant(self) -> Reading | None:
        """The task that was to be completed, or ``None`` if it does not exist any more."""
        return next((row for row in self.rows if row.remote_id == self.operation.remote_id), None)

    @property
    def closed_by_us(self) -> bool:
        """Whether the CRM reports that our user closed the task that was meant."""
        meant = self.meant
        return meant is not None and meant.state is not State.OPEN and meant.updated_by in self._our_users

    @property
    def closed_by_another(self) -> bool:
        """Whether somebody else closed the task that was meant.

        Then our request may have closed another task, or may still arrive and close one.
        """
        meant, ours = self.meant, self._our_users
        if meant is None:
            return False
        others = bool(ours) and meant.updated_by is not None and meant.updated_by not in ours
        return others or self._superseded(meant)

    @property
    def hit(self) -> set[str]:
        """The ids of the tasks that the request may have closed instead: open or unknown before it, and closed now."""
        meant = self.meant
        return {
            row.remote_id
            for row in self.rows
            if self._closed_since(row) and not self._superseded(row) and (meant is None or self._was_on_top(row, meant))
        }

    @property
    def _our_users(self) -> set[str]:
        """The user ids that the CRM reports for our requests: ``us``, and the creators of the tasks that we created."""
        return {by for by in (self.us, *(row.created_by for row in self.rows if self._made(row))) if by is not None}

    def _made(self, row: Reading) -> bool:
        return row.key in self.known and self.known[row.key].made

    def _closed_since(self, row: Reading) -> bool:
        """Whether the row was closed after the intent was stored, as far as the ledger tells."""
        operation, replica = self.operation, self.known.get(row.key)
        # Also what is newer than our list: people may have put it on top just before our request came.
        was_open = row.remote_id in operation.before or row.remote_id not in operation.seen
        known_closed = replica is not None and replica.state is not ReplicaState.OPEN
        return was_open and not known_closed and row.state is not State.OPEN and row.remote_id != operation.remote_id

    def _superseded(self, row: Reading) -> bool:
        return any(superseded_by(row, other, self.window) for other in self.rows)

    def _was_on_top(self, row: Reading, meant: Reading) -> bool:
        """Whether this row may have been the newest open task of the lane when our request arrived."""
        if meant.state is State.OPEN:
            # *Complete* cannot have closed a task below one that is still open.
            return not made_after(meant, row)
        if row.updated_at is None or meant.updated_at is None:
            return not self.closed_by_us
        after = row.updated_at - meant.updated_at
        if self.closed_by_us:
            # Our API key may belong to a person. That person may have closed the task that was meant just before our
            # request arrived, which then closed the one below it.
            return row.updated_by == meant.updated_by and ZERO <= after <= self.window
        if row.updated_by is not None and self._is_a_person(row.updated_by, meant):
            return False
        if after < ZERO:
            # The row was closed before the task that was meant. Our request hit it only if it lay above that task:
            # created after the intent, and open no longer than a request may take.
            if row.created_at is None or row.remote_id in self.operation.seen:
                return False
            return row.updated_at - row.created_at <= self.grace
        return after <= self.grace

    def _is_a_person(self, user: str, meant: Reading) -> bool:
        """Whether this user is somebody else, and not us.

        It is somebody else if the user closed the task that was meant. As long as our own user is unknown, it is also
        somebody else if the user created a task that is not a copy.
        """
        makers = {row.created_by for row in self.rows if self._is_no_copy(row)}
        return user == meant.updated_by or (not self._our_users and user in makers)

    def _is_no_copy(self, row: Reading) -> bool:
        known = self.known.get(row.key)
        if known is None:
            # What was there before the request, and is unknown all the same, may be a lost ledger's copy.
            return row.remote_id not in self.operation.seen
        return not is_copy(row, known)
