"""Why a task is closed that was open: by a person, by a newer task, by a create or a completion of ours (pure).

Superfone gives no reason for a closure. Creating a task closes the lead's other open ones, and *complete* closes the
newest open one, whichever that is when the request arrives. So the reason follows from what is passed in: the lane
before and after, and what we wrote meanwhile.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from syncer.domain.base import Operation
from syncer.domain.model import Reading, Replica, ReplicaState, State, split_task_id

ZERO = timedelta(0)


class Cause(StrEnum):
    """What closed a task."""

    PERSON = "person"
    """Somebody completed or cancelled it, so it is done."""
    NEWER_TASK = "newer_task"
    """Somebody made a newer task in the same lane."""
    MAYBE_OURS = "maybe_ours"
    """Our user made a newer task that this ledger does not know. The user may also be a person."""
    OUR_CREATE = "our_create"
    ANOTHER_LEDGER = "another_ledger"
    """Our user closed it, and this ledger had not asked for it: another one's completion may have hit it."""
    OUR_COMPLETION = "our_completion"
    """A completion of ours hit it instead of the task that was meant."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What our own writes did in one CRM since the reading before, by remote id.

    ``closed`` are tasks that a create of ours closed, ``hit`` those that a completion of ours closed instead of what it
    meant. ``history`` are unknown tasks that were closed before our write, so that it cannot have closed them.
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
    """What closed this task. ``lane`` are all tasks of its contact now, ``made`` the keys of those that we made.

    ``us`` is the user that the CRM names for us, if known. ``window`` is how near in time a creation and the closure
    that it caused are; ``None`` where creating a task closes nothing.
    """
    if closed.remote_id in effects.hit:
        return Cause.OUR_COMPLETION
    if closed.remote_id in effects.closed:
        return Cause.OUR_CREATE
    if window is None or not closed.exclusive or closed.state is not State.DONE:
        return Cause.PERSON
    newer = [other for other in lane if superseded_by(closed, other, window)]
    if any(other.key in made for other in newer):
        return Cause.OUR_CREATE
    if not newer:
        return Cause.PERSON
    return Cause.MAYBE_OURS if us is not None and any(row.created_by == us for row in newer) else Cause.NEWER_TASK


def is_copy(row: Reading, known: Replica | None) -> bool:
    """Whether the ledger knows it as the copy of something else: who made it may be us.

    A ledger that was brought up to date knows of copies only that they are, not that we made them.
    """
    return known is not None and split_task_id(known.task)[0] != row.place


# creates -------------------------------------------------------------------------------------------------------------


def superseded_by(closed: Reading, newer: Reading, window: timedelta) -> bool:
    """Whether ``closed`` was closed by the creation of ``newer``, rather than done.

    The times agree within the window, and so do the actors, where both are known.
    """
    if closed.remote_id == newer.remote_id or not (closed.exclusive and newer.exclusive):
        return False
    if closed.updated_at is None or newer.created_at is None or made_after(closed, newer):
        return False
    actors = {closed.updated_by, newer.created_by} - {None}
    return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2


def made_after(one: Reading, other: Reading) -> bool:
    """Whether ``one`` is surely the newer of the two.

    Superfone numbers its tasks as they are made, which tells apart what was made in one instant.
    """
    if one.created_at is None or other.created_at is None:
        return False
    if one.created_at != other.created_at:
        return one.created_at > other.created_at
    return one.number > other.number


def maybe_superseded(rows: Iterable[Reading], window: timedelta) -> list[Reading]:
    """Closed rows near whose closure an exclusive task of the same contact was created: n log n, for long lists."""
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
    """The ids of what a create of ours closed: open in the listing before it, and closed in the one after it."""
    was_open = {row.remote_id: row for row in before if row.state is State.OPEN and row.exclusive}
    return {
        row.remote_id
        for row in after
        if row.state is not State.OPEN
        and row.remote_id in was_open
        and _by_this_create(made, row, was_open[row.remote_id], window)
    }


def _by_this_create(made: Reading, row: Reading, before: Reading, window: timedelta) -> bool:
    """Whether this create closed the row, rather than somebody in the moment between the two listings."""
    if row.updated_at is None or row.updated_at == before.updated_at or made.created_at is None:
        return True
    if abs(row.updated_at - made.created_at) > window:
        return False
    actor = row.updated_by if row.updated_by != before.updated_by else None
    return actor is None or made.created_by is None or actor == made.created_by


def _any_within(instants: list[datetime], moment: datetime, window: timedelta) -> bool:
    """Whether one of these, in order, is so near. Differences only: next to the calendar's ends a sum has no value."""
    first = bisect_left(instants, -window, key=lambda instant: instant - moment)
    return first < len(instants) and instants[first] - moment <= window


# completions of a lane's top whose answer was lost --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LaneCompletion:
    """A completion whose answer was lost, and the lane as it is now.

    ``rows`` are all tasks of the lane now, ``known`` our replicas from before these rows were looked at. ``window`` is
    as in `explain`, ``grace`` is how late a request may arrive, ``us`` the user that the CRM names for us, if known.
    """

    operation: Operation
    rows: Sequence[Reading]
    known: Mapping[tuple[str, str], Replica]
    window: timedelta
    grace: timedelta
    us: str | None = None

    @property
    def meant(self) -> Reading | None:
        """The task that was to be completed; ``None`` if it is not there any more."""
        return next((row for row in self.rows if row.remote_id == self.operation.remote_id), None)

    @property
    def closed_by_us(self) -> bool:
        """Whether the CRM says that we closed what was meant."""
        meant = self.meant
        return meant is not None and meant.state is not State.OPEN and meant.updated_by in self._our_users

    @property
    def closed_by_another(self) -> bool:
        """Whether somebody else closed what was meant, so that our request may still be under way and hit another."""
        meant, ours = self.meant, self._our_users
        if meant is None:
            return False
        others = bool(ours) and meant.updated_by is not None and meant.updated_by not in ours
        return others or self._superseded(meant)

    @property
    def hit(self) -> set[str]:
        """The ids of what the request may have closed instead: open or unknown before it, and closed now."""
        meant = self.meant
        return {
            row.remote_id
            for row in self.rows
            if self._closed_since(row) and not self._superseded(row) and (meant is None or self._was_on_top(row, meant))
        }

    @property
    def _our_users(self) -> set[str]:
        """The users that the CRM names for what we do: those who made the tasks that we made."""
        return {by for by in (self.us, *(row.created_by for row in self.rows if self._made(row))) if by is not None}

    def _made(self, row: Reading) -> bool:
        return row.key in self.known and self.known[row.key].made

    def _closed_since(self, row: Reading) -> bool:
        operation, replica = self.operation, self.known.get(row.key)
        was_open = row.remote_id in operation.before or row.remote_id not in operation.seen
        known_closed = replica is not None and replica.state is not ReplicaState.OPEN
        return was_open and not known_closed and row.state is not State.OPEN and row.remote_id != operation.remote_id

    def _superseded(self, row: Reading) -> bool:
        return any(superseded_by(row, other, self.window) for other in self.rows)

    def _was_on_top(self, row: Reading, meant: Reading) -> bool:
        """Whether this row may have been the lane's newest open task when our request arrived."""
        if meant.state is State.OPEN:
            # Below a task that is still open nothing can be reached.
            return not made_after(meant, row)
        if row.updated_at is None or meant.updated_at is None:
            return not self.closed_by_us
        after = row.updated_at - meant.updated_at
        if self.closed_by_us:
            # Our key may be a person's: perhaps the person closed what was meant, and our request the one below.
            return row.updated_by == meant.updated_by and ZERO <= after <= self.window
        if row.updated_by is not None and self._is_a_person(row.updated_by, meant):
            return False
        if after < ZERO:
            # Closed before what was meant: hit only if made above it, and living no longer than a request may take.
            if row.created_at is None or row.remote_id in self.operation.seen:
                return False
            return row.updated_at - row.created_at <= self.grace
        return after <= self.grace

    def _is_a_person(self, user: str, meant: Reading) -> bool:
        """Whether this user is not us: who closed what was meant, or, as long as we are unknown, who made no copy."""
        makers = {row.created_by for row in self.rows if not is_copy(row, self.known.get(row.key))}
        return user == meant.updated_by or (not self._our_users and user in makers)
