"""What the oracle remembers of one task, or of several that cannot be told apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

UNTOLD = frozenset({"L2", "L4", "L7"})
"""The laws that no engine can keep for a task whose copies nothing connects any more."""
DEFAULT_DUE = timedelta(days=1)
SAME_DUE = timedelta(seconds=1)
"""CRMs drop fractions of a second."""
CLOCKS_DIFFER_BY = timedelta(minutes=10)
"""The longest difference between two clocks that the engine expects."""
WINDOW = timedelta(seconds=60)
"""Two tasks whose dues differ by less may be mixed up if only the due tells them apart."""


def same(one: object, other: object) -> bool:
    """Whether two values are the same. CRMs drop fractions of a second."""
    if isinstance(one, datetime) and isinstance(other, datetime):
        return abs(one - other) < SAME_DUE
    return one == other


@dataclass(slots=True)
class Typed:
    """A value that a person typed into a field of one copy. ``number`` counts all values that anybody typed.

    ``spread`` is true once another copy has shown the value, and ``taken`` once a run of ours has read it.
    ``settled`` is true if nothing more is expected of it: it was reported as overwritten, a later value replaced it in
    the same copy, or no engine could have kept it. ``made`` is true if the copy was created with it. ``read`` is true
    once the current run has read it, and ``before`` is whose the copy was when people assigned it.
    """

    field: str
    value: object
    copy: tuple[str, str]
    number: int
    at: datetime
    spread: bool = False
    taken: bool = False
    settled: bool = False
    made: bool = False
    read: bool = False
    before: str = ""


@dataclass(slots=True)
class Story:
    """What really happened to one task.

    ``many`` is how many tasks have this name. They are equal, so only their number is checked. ``twins`` counts the
    copies that people made by hand.

    ``seen`` and ``noticed`` are true once a clean run has seen it open, or closed. ``deeds`` are what people did to its
    copies, ``dues`` are all dues that they gave to one, and ``excused`` are the laws that no engine could keep for it.
    ``ended`` is true if people deleted a copy and this ends the task by the account's settings; ``gone_copies`` are the
    deleted ones. ``to_put_back`` is true if a race closed it. ``undated`` is since when it has no due, and
    ``due_made_up`` is true if one was made up for it. ``they_closed`` and ``we_closed`` count closings by system, and
    ``they_deleted`` the open copies that they deleted, by themselves or with the contact.
    ``alike`` are the names of the stories that differ from it in Superfone by their name only. ``gone`` are the CRMs
    where its contact was deleted. ``left`` are the CRMs in which people gave its copy to another person, ``arrived``
    is how many copies they gave to this one; ``is_known_to_have_left`` are those CRMs whose copy a ledger knew.
    ``extra`` is how many duplicates of each copy other ledgers may have made at most.
    """

    person: int
    systems: tuple[str, ...]
    many: int = 1
    extra: int = 0
    cancelled: bool = False
    ended: bool = False
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
    they_deleted: Counter[str] = field(default_factory=Counter)
    gone: set[str] = field(default_factory=set)
    gone_copies: set[tuple[str, str]] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)
    typed: list[Typed] = field(default_factory=list)
    left: set[str] = field(default_factory=set)
    is_known_to_have_left: set[str] = field(default_factory=set)
    arrived: int = 0

    @property
    def done(self) -> bool:
        """Whether all of them are done."""
        return self.done_at_least >= self.many

    @property
    def done_at_least(self) -> int:
        """How many are certainly done: two copies that people closed in one CRM are two tasks."""
        return min(self.many, max(self.they_closed.values(), default=0))

    @property
    def done_at_most(self) -> int:
        """How many may be done: two copies that people closed in two CRMs may be one task or two."""
        return min(self.many, self.they_closed.total())

    @property
    def ended_at_least(self) -> int:
        """How many are certainly done, or ended by a deletion if that ends a task: two copies in one CRM are two."""
        return min(self.many, max((self.they_closed + self.they_deleted).values(), default=0))

    @property
    def typed_last(self) -> list[Typed]:
        """The value that people typed last, for each copy and field."""
        return list({(one.copy, one.field): one for one in self.typed}.values())

    def is_given_back(self, typed: Typed) -> bool:
        """Whether this assignment makes the copy the task of whom a run took last, so that it changes nothing."""
        here = [one for one in self.typed if (one.field, one.copy) == (typed.field, typed.copy)]
        since = [one for one in here if one.number <= typed.number]
        while len(since) > 1 and any(one.taken for one in since[:-1]):
            since.pop(0)
        return typed.field == "assignee" and since[0].before == typed.value

    def was_given_back_unread(self, copy: tuple[str, str], *, concludes: bool = True) -> bool:
        """Whether a copy was assigned and assigned back before anybody read it, so that it shows no trace of people.

        ``concludes`` is whether the run that is under way concludes anything from what it has read.
        """
        here = [one for one in self.typed if (one.field, one.copy) == ("assignee", copy)]
        # A run that reads the assignee of before learns nothing.
        others = [one for one in here if one.value != here[-1].value]
        read = any(one.taken or (one.read and concludes) for one in others)
        return bool(here) and bool(here[-1].value) and self.is_given_back(here[-1]) and not read

    @property
    def closed_twice(self) -> int:
        """How many closings in Superfone are of tasks done elsewhere: each may count for a task that is like it."""
        there = self.they_closed["superfone"]
        return max(0, there + min(self.many, self.they_closed.total() - there) - self.many)

    @property
    def most_open(self) -> int:
        """How many copies may be open in one CRM."""
        return self.many * (1 + self.extra)

    @property
    def has_changed_twins(self) -> bool:
        """Whether people made copies of it by hand and changed it since: one who sees them now takes them for two."""
        return self.twins > 1 and (bool(self.deeds) or self.cancelled or self.done_at_most > 0)

    def gets_due(self, due: datetime | None, now: datetime) -> None:
        """Note that somebody gave it this due, or removed its due."""
        if due is None:
            self.undated = now.replace(microsecond=0)
        else:
            self.dues.add(due)

    def may_be_due(self, due: datetime | None, now: datetime, off: tuple[timedelta, timedelta]) -> bool:
        """Whether somebody gave it this due; or nobody gave it one, and we made up the same due for all its copies.

        ``off`` is how much our clock was slow and fast at most.
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
        """Whether both belong to one person and are due together. In Superfone nothing else tells them apart."""
        near = any(abs(mine - theirs) <= WINDOW for mine in self.dues for theirs in other.dues)
        return self is not other and self.person == other.person and near
