"""Whether two tasks look alike, as far as their CRMs can show that (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from syncer.domain.model import Reading, Replica, Task
from syncer.domain.policy import Dated, Policy
from syncer.domain.titles import same_title


def is_like(policy: Policy, reading: Reading | Replica, known: Reading | Task | Replica) -> bool:
    """Whether title and due date are the same."""
    return policy.same_due(reading, known) and same_title(reading.title, known.title)


def is_made_like(policy: Policy, row: Reading, other: Reading) -> bool:
    """Whether we may have made the row from what the other shows: its CRM may keep only the minutes of a due."""
    return policy.may_keep(row, other) and same_title(row.title, other.title)


def unlikeness(policy: Policy, reading: Reading, known: Reading | Task | None) -> tuple[bool, bool, bool]:
    """Rank tasks that share a marker. The lowest is probably ours: same due date and title, then one of the two.

    All are alike if what the marker names is not ``known``.
    """
    if known is None:
        return (False, False, False)
    # The origin may have been put off since. Then the title tells which of two copies is the more likely one, and if
    # that was changed, too, the due date alone.
    due, title = policy.same_due(reading, known), same_title(reading.title, known.title)
    return (not (due and title), not title, not due)


def title_shown(replica: Replica, reading: Reading) -> str | None:
    """Return the title of a copy after this reading. A row of a list may not tell it."""
    return reading.title if reading.whole or reading.title else replica.title


def still_ours(policy: Policy, replica: Replica, reading: Reading) -> bool:
    """Whether we created it and nobody has changed it since."""
    as_read = (reading.raw_type, title_shown(replica, reading))
    # A copy counts as theirs from the first change on, and for good: a lane replaces only what is ours.
    if not replica.ours or as_read != (replica.raw_type, replica.title) or not policy.same_due(reading, replica):
        return False
    # A row of a list may not tell the assignee, and a replica whose assignee was never read has none.
    return not reading.whole or replica.assignee in (None, reading.assignee or "")


class DueTogether:
    """Readings and tasks by key. `has` tells whether one of them has a given due date."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._found: dict[Hashable, list[Dated]] = defaultdict(list)

    def add(self, key: Hashable, dated: Dated) -> None:
        self._found[key].append(dated)

    def has(self, key: Hashable, dated: Dated) -> bool:
        """Whether an entry of this key has the same due date, as far as both CRMs can show it."""
        return any(self._policy.same_due(dated, one) for one in self._found.get(key, ()))
