"""Refuse a plan that writes far more than usual (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from syncer.domain.fields import TaskField
from syncer.domain.operations import Action
from syncer.reconcile.planned import Planned

MANY: Final = 20
"""A CRM with fewer open copies is not checked for a shift: people can edit most of a few in one day."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most creates, completions and edits of one run. A plan with more stops the run before its first write.

    ``any_shift`` allows most copies of a CRM to show the same field edited, up to ``edits`` copies.
    """

    creates: int
    completions: int
    edits: int = 500
    any_shift: bool = False


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
        options = []
        if self.creates > self.limits.creates:
            options.append(f"--allow-creates {self.creates}")
        if self.completions > self.limits.completions:
            options.append(f"--allow-completions {self.completions}")
        if self.edits > self.limits.edits or self.shift is not None:
            # One number allows both: the edits that are planned, and the copies that show the shift.
            options.append(f"--allow-edits {max(self.edits, self.shift.edited if self.shift is not None else 0)}")
        how = f"look at it with: syncer plan; then allow it once with: syncer sync --once {' '.join(options)}"
        if self.shift is not None:
            one = self.shift
            return (
                f"{one.edited} of {one.open} open tasks in {one.crm} show another {one.field.value} than before, "
                "all at once, as if it were written or read in another way by now; so nothing was written, and "
                f"nothing of it was taken over; if people did change them, {how}"
            )
        edits = f", and edit {self.edits}," if self.edits else ""
        allowed = f"{self.limits.creates} creates and {self.limits.completions} completions"
        allowed += f" and {self.limits.edits} edits" if self.edits else ""
        return (
            f"this run would create {self.creates} and complete {self.completions} tasks{edits or ','} and at most "
            f"{allowed} are allowed, so nothing was written; {how}"
        )


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
    if limits.any_shift and shift is not None and shift.edited <= limits.edits:
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
