"""Whether two things that CRMs show are alike, as far as they can show them (pure)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable

from syncer.domain.model import Reading, Replica, Task
from syncer.domain.policy import Dated, Policy
from syncer.domain.titles import same_title


def is_like(policy: Policy, reading: Reading, known: Reading | Task | Replica) -> bool:
    """Whether title and due are the same."""
    return policy.same_due(reading, known) and same_title(reading.title, known.title)


def unlikeness(policy: Policy, reading: Reading, known: Reading | Task) -> tuple[bool, bool]:
    """Of several with one marker, the lowest is ours: what is as the task is, then what is called as it is."""
    return (not is_like(policy, reading, known), not same_title(reading.title, known.title))


class DueTogether:
    """Readings and tasks, each under some key, to be asked whether something is due with one of that key."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._found: dict[Hashable, list[Dated]] = defaultdict(list)

    def add(self, key: Hashable, dated: Dated) -> None:
        self._found[key].append(dated)

    def has(self, key: Hashable, dated: Dated) -> bool:
        """Whether one of this key is due with it, as far as both CRMs can tell."""
        return any(self._policy.same_due(dated, one) for one in self._found.get(key, ()))
