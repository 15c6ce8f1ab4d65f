"""The account's settings in the form that the engine uses, as one frozen value (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from syncer.domain.dues import Dues
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind, Reading, Replica, Task

Dated = Reading | Replica | Task
"""Everything that has a due and a CRM that the due comes from."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's choices.

    ``systems`` are the active connections; the CRM that knows most kinds comes first. ``routes`` has for each kind
    the systems that show it. ``users`` maps (system, user id) to a name of ``[[users]]``. ``dues`` tells how each
    system keeps dues. ``titles`` are the CRMs' names as people write them, by system.
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
    edits: frozenset[TaskField] = frozenset(TaskField)
    deleted_closes: bool = False
    titles: Mapping[str, str] = field(default_factory=dict)

    def crm(self, system: str) -> str:
        """The name of a CRM in a sentence for people."""
        return self.titles.get(system, system)

    def user_id(self, system: str, name: str | None) -> str | None:
        """The user id of this name in a system; ``None`` if the name is not mapped."""
        return next((uid for (where, uid), who in self.users.items() if where == system and who == name), None)

    def dues_of(self, system: str, *others: str) -> Dues:
        """How a system keeps dues. With several systems, the least exact way of theirs."""
        found = self.dues.get(system, _TO_THE_SECOND)
        for other in others:
            # What one CRM cannot show must not look like a difference between two.
            found = found.coarser(self.dues.get(other, _TO_THE_SECOND))
        return found

    def same_due(self, one: Dated, other: Dated) -> bool:
        """Whether two dues are the same, as exactly as both CRMs keep them. A task's due is as exact as its origin."""
        return self.dues_of(_system(one), _system(other)).same(one.due, other.due)

    def may_keep(self, copy: Dated, sent: Dated) -> bool:
        """Whether the CRM of this copy may show the other's due like that: the same, or without its seconds."""
        return self.dues_of(_system(copy), _system(sent)).keeps(sent.due, copy.due)


_TO_THE_SECOND = Dues()


def _system(dated: Dated) -> str:
    return dated.origin if isinstance(dated, Task) else dated.system
