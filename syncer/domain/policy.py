"""What the account's settings mean to the engine, as one frozen value (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from syncer.domain.model import Kind


@dataclass(frozen=True, slots=True)
class Policy:
    """The user's choices.

    ``systems`` are the connections that are on, the one that knows most about kinds first. ``routes`` name,
    for each kind, the systems that shall show it. ``users`` gives a person's name for (system, user id).
    """

    systems: tuple[str, ...]
    routes: Mapping[Kind, tuple[str, ...]]
    twin_window: timedelta = timedelta(seconds=60)
    default_due: timedelta = timedelta(days=1)
    doubt_grace: timedelta = timedelta(seconds=30)
    cancelled_closes: bool = True
    create_missing: frozenset[str] = frozenset()
    users: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def user_id(self, system: str, name: str | None) -> str | None:
        """The id that this person has in a system; ``None`` if unmapped."""
        return next((uid for (where, uid), who in self.users.items() if where == system and who == name), None)
