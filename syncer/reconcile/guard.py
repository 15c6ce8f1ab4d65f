"""Refuse a plan that does more than a day's work usually does (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from syncer.domain.base import Action
from syncer.reconcile.plan import Planned


@dataclass(frozen=True, slots=True)
class Limits:
    """The most creates and the most completions of one run; more stops the whole run before its first write."""

    creates: int
    completions: int


@dataclass(frozen=True, slots=True)
class Excess:
    """What a refused run would have done, and what it was allowed."""

    creates: int
    completions: int
    limits: Limits

    @property
    def sentence(self) -> str:
        options = []
        if self.creates > self.limits.creates:
            options.append(f"--allow-creates {self.creates}")
        if self.completions > self.limits.completions:
            options.append(f"--allow-completions {self.completions}")
        return (
            f"this run would create {self.creates} and complete {self.completions} tasks, and at most "
            f"{self.limits.creates} creates and {self.limits.completions} completions are allowed, so nothing was "
            f"written; look at it with: syncer plan; then allow it once with: syncer sync --once {' '.join(options)}"
        )


def exceeds(operations: Iterable[Planned], limits: Limits) -> Excess | None:
    """The excess, if the operations of a finished plan are over a limit."""
    counts = Counter(operation.action for operation in operations)
    creates, completions = counts[Action.CREATE], counts[Action.COMPLETE]
    if creates <= limits.creates and completions <= limits.completions:
        return None
    return Excess(creates, completions, limits)
