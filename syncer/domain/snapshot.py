"""What one run read, before anything is concluded from it (pure).

Only what was read of a task by itself, or in one contact's full list, is a `Reading` here. That something
is absent from a list never appears: the observer turns an absence into a read of that one task first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from syncer.domain.model import Reading, Unreadable
from syncer.domain.table import as_table


class ConnectionState(StrEnum):
    """How a connection fared in this run. ``IDLE`` is for reports alone: nothing was asked of it."""

    OK = "ok"
    IDLE = "idle"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    OFF = "off"


def _by_tasks(_contact: str, rows: tuple[Reading, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(row.remote_id for row in rows))


@dataclass(slots=True)
class Seen:
    """What was read of one CRM.

    ``readings`` by remote id. ``missing`` are replicas whose own read said that they do not exist.
    ``listed`` is true if every open task was listed, whole, and ``rows`` is that list. ``lanes`` are full lists of one
    contact's tasks, newest created first. ``persons`` are all tasks, open and closed, of those contacts of whom
    everything was read.
    ``unread`` are the contacts of unknown open tasks that could not be read yet, but for tasks that could not be read
    for several runs: they hold up nothing but themselves. ``untold`` has the contact and the due of each of those: it
    may be a copy of what is due then, and of nothing else.
    ``unreadable`` was answered but not understood, ``unreached`` not answered.
    """

    state: ConnectionState = ConnectionState.OK
    message: str = ""
    readings: dict[str, Reading] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    listed: bool = False
    rows: dict[str, Reading] = field(default_factory=dict)
    lanes: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    persons: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    untold: set[tuple[str, datetime]] = field(default_factory=set)
    unreadable: list[Unreadable] = field(default_factory=list)
    unreached: list[Unreadable] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.lanes = as_table(self.lanes)
        self.persons = as_table(self.persons)

    def has(self, remote_id: str) -> bool:
        """Whether anything that was read shows this task, be it a row that could not be understood."""
        if remote_id in self.rows or remote_id in self.readings:
            return True
        if any(remote_id == row.remote_id for row in self.unreadable):
            return True
        return any(as_table(contacts).keys_by(_by_tasks, remote_id) for contacts in (self.lanes, self.persons))

    def without_readings(self) -> Seen:
        """How much was read of it, and not what."""
        return Seen(self.state, listed=self.listed, unread=self.unread, untold=self.untold)

    def lacks(self, contact: str | None, *, lists_all: bool, visited: bool) -> bool:
        """Whether somebody's tasks are not known: not read in this run, or, one contact at a time, never yet.

        ``contact`` is theirs in this CRM, if it is known; ``visited`` is whether its tasks were ever read.
        """
        if self.state is not ConnectionState.OK:
            return True
        if lists_all:
            return not self.listed or contact in self.unread
        return contact is not None and not visited
