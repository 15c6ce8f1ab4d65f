"""Join twins of which two ledgers each copied one (pure). See `syncer.reconcile.matching`."""

from __future__ import annotations

from syncer.domain.model import State
from syncer.domain.reasons import Reason
from syncer.reconcile.grouping import Group
from syncer.reconcile.lane_copies import looks_like
from syncer.reconcile.markers import is_by_another
from syncer.reconcile.merging import Merging


def join_twins_of_another(work: Merging, groups: dict[str, Group]) -> None:
    """Join a task that another ledger copied to the task of ours that is its twin. ``groups`` are changed in place.

    Each ledger saw the copy in another CRM first and took it for the origin.
    """
    pairs = [(one, other) for one in groups.values() for other in groups.values()]
    pairs = [(one, other) for one, other in pairs if _is_twin(work, one, other)]
    for one, other in pairs:
        # As at first sight: two candidates are none.
        if sum(one is pair[0] or other is pair[1] for pair in pairs) > 1:
            continue
        del groups[one.task]
        for row in one.readings:
            if row.state is not State.OPEN:
                other.closed[row.system].append(row)
            elif row.system not in other.open:
                other.open[row.system] = row
            else:
                # Both ledgers made a copy here. People decide which one stays, so nothing is closed.
                own = work.fresh_id(row)
                groups[own] = Group(own, {row.system: row}, held=Reason.DUPLICATE)


def _is_twin(work: Merging, one: Group, other: Group) -> bool:
    """Whether first sight would have joined these two groups.

    In a CRM where both have an open row, each ledger has made a copy of its own.
    """
    base, origin, ours = work.base, one.origin, work.base.tasks.get(other.task)
    if origin is None or ours is None or ours.state is not State.OPEN or one.task in base.tasks:
        return False
    doubled = [row for row in one.open.values() if row.system in other.open]
    return (
        not (one.held or ours.held or other.shows(origin.system))
        and looks_like(work.inputs.policy, origin, other)
        and any(is_by_another(base, row) for row in one.readings)
        and all(is_by_another(base, row) for row in doubled)
        and all((copy := base.replicas.get(other.open[row.system].key)) and copy.made for row in doubled)
    )
