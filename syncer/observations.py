"""What one run read, before anything is concluded from it (pure).

Only what was read of a task by itself, or in one contact's full list, is a `Reading` here. That something
is absent from a list never appears: the observer turns an absence into a read of that one task first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from syncer.model import Reading, Unreadable


class ConnectionState(StrEnum):
    """How a connection fared in this run."""

    OK = "ok"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    OFF = "off"


@dataclass(slots=True)
class Seen:
    """What was read of one CRM.

    ``readings`` by remote id. ``missing`` are replicas whose own read said that they do not exist.
    ``listed`` is true if every open task was listed, whole. ``lanes`` are full lists of one contact's tasks, newest
    created first. ``unread`` are contacts of whom an unknown open task could not be read yet. ``unreadable`` was
    answered but not understood, ``unreached`` not answered. ``closed_by_us`` are tasks that a write of ours is known
    to have closed, whatever it was meant to do; ``hit_by_us`` those that a completion closed instead of what it meant.
    ``first_read`` are contacts of whom no run has read the tasks before, since the ledger is there.
    ``history`` are closed tasks, unknown so far, that are to be known from now on as closed by somebody else.
    """

    state: ConnectionState = ConnectionState.OK
    message: str = ""
    readings: dict[str, Reading] = field(default_factory=dict)
    missing: set[str] = field(default_factory=set)
    listed: bool = False
    lanes: dict[str, tuple[Reading, ...]] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    unreadable: list[Unreadable] = field(default_factory=list)
    unreached: list[Unreadable] = field(default_factory=list)
    closed_by_us: set[str] = field(default_factory=set)
    hit_by_us: set[str] = field(default_factory=set)
    first_read: set[str] = field(default_factory=set)
    history: set[str] = field(default_factory=set)

    def without_readings(self) -> Seen:
        """How much was read of it, and not what."""
        return Seen(self.state, listed=self.listed, unread=self.unread)

    def lacks(self, contact: str | None, *, lists_all: bool, visited: bool) -> bool:
        """Whether somebody's tasks are not known: not read in this run, or, one contact at a time, never yet.

        ``contact`` is theirs in this CRM, if it is known; ``visited`` is whether its tasks were ever read.
        """
        if self.state is not ConnectionState.OK:
            return True
        if lists_all:
            return not self.listed or contact in self.unread
        return contact is not None and not visited
