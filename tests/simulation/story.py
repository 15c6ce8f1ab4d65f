"""What the judge remembers of one task, or of several that nothing tells apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

UNTOLD = frozenset({"L2", "L4", "L7"})
"""The laws that nobody can be held to for a task whose copies nothing connects any more."""
DEFAULT_DUE = timedelta(days=1)
SAME_DUE = timedelta(seconds=1)
"""CRMs drop fractions of a second."""
WINDOW = timedelta(seconds=60)
"""What is due within it of something else may be taken for it where nothing but the due tells them apart."""


@dataclass(slots=True)
class Typed:
    """A value that a person gave to a field of one copy, the ``number``-th that anybody typed.

    ``spread``: another copy has shown it since. ``settled``: nobody can be asked for it any more: it was told as
    overwritten, it gave way to a later one in the same copy, or no engine could have kept it. ``made``: the copy was
    made with it.
    """

    field: str
    value: object
    copy: tuple[str, str]
    number: int
    at: datetime
    spread: bool = False
    settled: bool = False
    made: bool = False


@dataclass(slots=True)
class Story:
    """What really happened to one task of a person's.

    ``many`` is how many tasks have this name: equal ones, of which nobody can say which is which. They are judged
    together, by their number. ``twins`` are the copies that people made of it by hand.

    ``seen`` and ``noticed``: a clean run has seen it open, and closed. ``deeds`` are what people did to its copies,
    ``dues`` the dues that they ever gave to one, ``excused`` the laws that no engine could keep for it any more.
    ``to_put_back``: a race closed it. ``undated``: since when it has no due; ``due_made_up``: one was made up for it.
    ``they_closed`` and ``we_closed`` count closings, by system. ``alike`` are the names of the stories that nothing
    but a name tells apart from it in Superfone. ``gone`` are the CRMs
    where its contact was deleted. ``extra``: how many doubles of each other ledgers may have made at most.
    """

    person: int
    systems: tuple[str, ...]
    many: int = 1
    extra: int = 0
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
    they_closed: Counter[str] = field(default_factory=Counter)
    we_closed: Counter[str] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)
    typed: list[Typed] = field(default_factory=list)

    @property
    def done(self) -> bool:
        """Whether all of them are done."""
        return self.done_at_least >= self.many

    @property
    def done_at_least(self) -> int:
        """How many are done: two copies that people closed in one CRM are two tasks."""
        return min(self.many, max(self.they_closed.values(), default=0))

    @property
    def done_at_most(self) -> int:
        """How many may be done: two copies that people closed in two CRMs may be two tasks, or one."""
        return min(self.many, self.they_closed.total())

    @property
    def most_open(self) -> int:
        """How many copies may be open in one CRM."""
        return self.many * (1 + self.extra)

    def gets_due(self, due: datetime | None, now: datetime) -> None:
        """Somebody gave it this due, or none."""
        if due is None:
            self.undated = now.replace(microsecond=0)
        else:
            self.dues.add(due)

    def may_be_due(self, due: datetime | None, now: datetime, off: tuple[timedelta, timedelta]) -> bool:
        """Whether somebody gave it this due or, where nobody gave it any, we did, to all its copies the same.

        ``off``: how much our clock was ever slow, and fast.
        """
        if due is not None and any(abs(due - one) < SAME_DUE for one in self.dues):
            return True
        if due is None or self.undated is None or (self.due_made_up and not self.extra and not self.excused >= UNTOLD):
            return False
        self.due_made_up = self.undated + off[0] <= due - DEFAULT_DUE <= now + off[1]
        if self.due_made_up:
            self.dues.add(due)
        return self.due_made_up

    def is_like(self, other: Story) -> bool:
        """Whether both are one person's, and due together: in Superfone nothing else tells them apart."""
        near = any(abs(mine - theirs) <= WINDOW for mine in self.dues for theirs in other.dues)
        return self is not other and self.person == other.person and near
