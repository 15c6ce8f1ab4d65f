"""What a completion in a lane has closed, told from the lane as it is afterwards (pure).

Superfone completes a lead's newest open task, whichever that is when the request arrives. Where the answer was
lost, the task that was meant may be closed by somebody else, and another one by us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from syncer.model import Reading, Replica, ReplicaState, State
from syncer.state import Operation
from syncer.superseded import made_after, superseded_by

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """``rows`` are all tasks of the lane now, ``known`` our replicas, from before these rows were looked at.

    ``window`` is how near in time a creation and the closure that it caused are. ``grace`` is how late a request may
    arrive. ``us`` is whom the CRM names for what we do there, if that is known.
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
    def closed_instead(self) -> set[str]:
        """The ids of what the request may have hit instead: open or unknown before, and closed now."""
        meant = self.meant
        return {
            row.remote_id
            for row in self.rows
            if self._closed_since(row)
            and not self._superseded(row)
            and (meant is None or self._may_have_been_hit(row, meant))
        }

    @property
    def closed_by_us(self) -> bool:
        """Whether the CRM says that we closed what was meant."""
        meant = self.meant
        return meant is not None and meant.state is not State.OPEN and meant.updated_by in self._us

    @property
    def closed_by_another(self) -> bool:
        """Whether somebody else closed what was meant, so that our request may still be under way, and hit another."""
        meant, us = self.meant, self._us
        if meant is None:
            return False
        others = bool(us) and meant.updated_by is not None and meant.updated_by not in us
        return others or self._superseded(meant)

    @property
    def _us(self) -> set[str | None]:
        """Whom the CRM names for what we do, as far as it tells: whoever made the tasks that we made."""
        return ({row.created_by for row in self.rows if self._made(row)} | {self.us}) - {None}

    @property
    def _people(self) -> set[str | None]:
        """Who made what we did not make: none of them is us, as long as we do not know better."""
        return {row.created_by for row in self.rows if not self._made(row)} - {None}

    def _made(self, row: Reading) -> bool:
        return row.key in self.known and self.known[row.key].made

    def _closed_since(self, row: Reading) -> bool:
        operation, replica = self.operation, self.known.get(row.key)
        was_open = row.remote_id in operation.before or row.remote_id not in operation.seen
        known_closed = replica is not None and replica.state is not ReplicaState.OPEN
        return was_open and not known_closed and row.state is not State.OPEN and row.remote_id != operation.remote_id

    def _superseded(self, row: Reading) -> bool:
        return any(superseded_by(row, other, self.window) for other in self.rows)

    def _may_have_been_hit(self, row: Reading, meant: Reading) -> bool:
        """Whether this row was the lane's top when our request arrived.

        Below a task that is still open nothing can be reached. Where somebody else closed what was meant, a row was
        hit after that, within the grace, or before it if it was made above it and lived no longer.
        """
        if meant.state is State.OPEN:
            return not made_after(meant, row)
        if row.updated_at is None or meant.updated_at is None:
            return not self.closed_by_us
        if self.closed_by_us:
            # Our key may be a person's: perhaps the person closed what was meant, and our request the one below.
            return row.updated_by == meant.updated_by and ZERO <= row.updated_at - meant.updated_at <= self.window
        if row.updated_by is not None and row.updated_by == meant.updated_by:
            return False
        if not self._us and row.updated_by in self._people:
            return False
        if row.updated_at < meant.updated_at:
            if row.created_at is None or row.remote_id in self.operation.seen:
                return False
            return row.updated_at - row.created_at <= self.grace
        return row.updated_at - meant.updated_at <= self.grace
