"""What the account's settings mean to the engine, as one frozen value (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from syncer.domain.dues import Dues
from syncer.domain.model import Kind, Reading, Replica, Task

Dated = Reading | Replica | Task
"""What has a due, and a CRM from which it comes."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's choices.

    ``systems`` are the connections that are on, the one that knows most about kinds first. ``routes`` name,
    for each kind, the systems that shall show it. ``users`` gives a person's name for (system, user id). ``dues``
    is how each system keeps dues.
    """

    systems: tuple[str, ...]
    routes: Mapping[Kind, tuple[str, ...]]
    twin_window: timedelta = timedelta(seconds=60)
    default_due: timedelta = timedelta(days=1)
    doubt_grace: timedelta = timedelta(seconds=30)
    cancelled_closes: bool = True
    create_missing: frozenset[str] = frozenset()
    users: Mapping[tuple[str, str], str] = field(default_factory=dict)
    dues: Mapping[str, Dues] = field(default_factory=dict)

    def user_id(self, system: str, name: str | None) -> str | None:
        """The id that this person has in a system; ``None`` if unmapped."""
        return next((uid for (where, uid), who in self.users.items() if where == system and who == name), None)

    def dues_of(self, system: str, *others: str) -> Dues:
        """How a system keeps dues; of several systems, the one that tells fewest of them apart."""
        found = self.dues.get(system, _TO_THE_SECOND)
        for other in others:
            found = found.coarser(self.dues.get(other, _TO_THE_SECOND))
        return found

    def same_due(self, one: Dated, other: Dated) -> bool:
        """Whether the two are due at once, as far as both CRMs can tell; a task's due is as its origin keeps it."""
        return self.dues_of(_system(one), _system(other)).same(one.due, other.due)


_TO_THE_SECOND = Dues()


def _system(dated: Dated) -> str:
    return dated.origin if isinstance(dated, Task) else dated.system
