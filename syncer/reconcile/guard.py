"""Refuse a plan that writes far more than usual (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from syncer.domain.base import Base
from syncer.domain.cursors import PART_EDITS
from syncer.domain.fields import TaskField
from syncer.domain.model import ReplicaState
from syncer.domain.operations import Action
from syncer.reconcile.planned import Planned

MANY: Final = 20
"""A CRM with fewer open copies is not checked for a shift: people can edit most of a few in one day."""
FEW: Final = 10
"""The most edits of one field of a CRM's copies that runs for a few persons may take over between two whole runs.

A few persons never show whether most copies read as edited.
"""
PART: Final = 0.25
"""The largest part of a CRM's open copies for the same. If all read as edited, the rest still shows it whole runs."""


class PartEdits:
    """The edits that runs for a few persons have taken over since the last whole run.

    ``cursors`` are the changed counts, to be stored.
    """

    def __init__(self, base: Base) -> None:
        cursors = base.cursors.items()
        self._taken = {name: int(count) for name, count in cursors if count and name.startswith(PART_EDITS)}
        self._opened = opened_in(base)
        self.cursors: dict[str, str] = {}

    def take(self, edited: Mapping[tuple[str, TaskField], int]) -> bool:
        """Count a person's edits. Returns whether they may be taken over; if not, nothing is counted."""
        after = {}
        for (system, field), count in edited.items():
            name, there = f"{PART_EDITS}{system}:{field}", self._opened[system]
            after[name] = self._taken.get(name, 0) + count
            if there >= MANY and after[name] > min(FEW, there * PART):
                return False
        self._taken.update(after)
        self.cursors |= {name: str(count) for name, count in after.items()}
        return True


def opened_in(base: Base) -> Counter[str]:
    """Return the number of open copies of each CRM."""
    return Counter(copy.system for copy in base.replicas.values() if copy.state is ReplicaState.OPEN)


@dataclass(frozen=True, slots=True)
class Limits:
    """The most creates, completions and edits of one run. A plan with more stops the run before its first write.

    ``given``: which of them an option of the command line named. With edits among them, most copies of a CRM may show
    the same field edited, up to ``edits`` copies.
    """

    creates: int
    completions: int
    edits: int = 500
    given: frozenset[Action] = frozenset()


@dataclass(frozen=True, slots=True)
class Shift:
    """Most open copies of a CRM show the same field edited in one run.

    People rarely do this. More likely the CRM began to return the values in another way, or we to read them so.
    """

    crm: str
    field: TaskField
    edited: int
    open: int


@dataclass(frozen=True, slots=True)
class Excess:
    """What a refused run would have done, and what it was allowed."""

    creates: int
    completions: int
    edits: int
    limits: Limits
    shift: Shift | None = None

    @property
    def sentence(self) -> str:
        how = f"look at it with: syncer plan; then allow it once with: syncer sync --once {' '.join(self._options())}"
        if self.shift is not None:
            one = self.shift
            return (
                f"{one.edited} of {one.open} open tasks in {one.crm} show another {one.field.value} than before, "
                "all at once, as if it were written or read in another way by now; so nothing was written, and "
                f"nothing of it was taken over; if people did change them, {how}"
            )
        edits = f", and edit {self.edits}," if self.edits else ""
        allowed = f"{_number(self.limits.creates, 'create')} and {_number(self.limits.completions, 'completion')}"
        allowed += f" and {_number(self.limits.edits, 'edit')}" if self.edits else ""
        return (
            f"this run would create {self.creates} and complete {self.completions} tasks{edits or ','} and at most "
            f"{allowed} are allowed, so nothing was written; {how}"
        )

    def _options(self) -> list[str]:
        """Return all options that the next try needs: what was given in this one holds for it alone."""
        # One number allows both: the edits that are planned, and the copies that show the shift.
        edits = max(self.edits, self.shift.edited if self.shift is not None else 0)
        needed = {
            Action.CREATE: ("--allow-creates", self.creates, self.limits.creates),
            Action.COMPLETE: ("--allow-completions", self.completions, self.limits.completions),
            Action.EDIT: ("--allow-edits", edits, -1 if self.shift is not None else self.limits.edits),
        }
        return [
            f"{option} {max(count, limit)}"
            for action, (option, count, limit) in needed.items()
            if count > limit or action in self.limits.given
        ]


def _number(most: int, what: str) -> str:
    return f"{most} {what}{'s' if most != 1 else ''}"


def exceeds(
    operations: Iterable[Planned],
    limits: Limits,
    edited: Mapping[tuple[str, TaskField], int] | None = None,
    opened: Mapping[str, int] | None = None,
    titles: Mapping[str, str] | None = None,
) -> Excess | None:
    """Return the excess if the operations of a finished plan exceed a limit, else ``None``.

    ``edited`` counts the copies that people changed, by CRM and field. ``opened`` counts the open copies of each CRM.
    ``titles`` are the CRMs' names for people.
    """
    counts = Counter(operation.action for operation in operations)
    creates, completions, edits = counts[Action.CREATE], counts[Action.COMPLETE], counts[Action.EDIT]
    shift = _shift(edited or {}, opened or {}, titles or {})
    # The shift was looked at and allowed with a number. If more copies show it by now, it is asked again.
    if Action.EDIT in limits.given and shift is not None and shift.edited <= limits.edits:
        shift = None
    allowed = creates <= limits.creates and completions <= limits.completions and edits <= limits.edits
    return None if allowed and shift is None else Excess(creates, completions, edits, limits, shift)


def _shift(
    edited: Mapping[tuple[str, TaskField], int], opened: Mapping[str, int], titles: Mapping[str, str]
) -> Shift | None:
    found = [
        Shift(titles.get(system, system), field, count, opened.get(system, 0))
        for (system, field), count in edited.items()
        # An adapter that begins to read a value in another way would otherwise send its mistake to every other CRM at
        # once.
        if opened.get(system, 0) >= MANY and 2 * count > opened.get(system, 0)
    ]
    return max(found, key=lambda one: one.edited, default=None)
