"""What the judge remembers of one task."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

UNTOLD = frozenset({"L2", "L4", "L7"})
"""The laws that nobody can be held to for a task whose copies nothing connects any more."""
DEFAULT_DUE = timedelta(days=1)


@dataclass(slots=True)
class Story:
    """What really happened to one task of a person's.

    ``seen`` and ``noticed``: a clean run has seen it open, and closed. ``deeds`` are what people did to its copies,
    ``dues`` the dues that they ever gave to one, ``excused`` the laws that no engine could keep for it any more.
    ``to_put_back``: a race closed it. ``undated``: since when it has no due; ``due_made_up``: one was made up for it.
    """

    person: int
    systems: tuple[str, ...]
    done: bool = False
    cancelled: bool = False
    seen: bool = False
    noticed: bool = False
    to_put_back: bool = False
    twins: int = 0
    dues: set[datetime] = field(default_factory=set)
    undated: datetime | None = None
    due_made_up: bool = False
    deeds: set[str] = field(default_factory=set)
    excused: set[str] = field(default_factory=set)

    def gets_due(self, due: datetime | None, now: datetime) -> None:
        """Somebody gave it this due, or none."""
        if due is None:
            self.undated = now.replace(microsecond=0)
        else:
            self.dues.add(due)

    def may_be_due(self, due: datetime | None, now: datetime) -> bool:
        """Whether somebody gave it this due or, where nobody gave it any, we did, to all its copies the same."""
        if due in self.dues:
            return True
        if due is None or self.undated is None or (self.due_made_up and not self.excused >= UNTOLD):
            return False
        self.due_made_up = self.undated <= due - DEFAULT_DUE <= now
        if self.due_made_up:
            self.dues.add(due)
        return self.due_made_up
