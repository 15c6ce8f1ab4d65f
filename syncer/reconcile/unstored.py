"""Open tasks that were read and not stored, because it is not clear yet what they are (pure).

A list of all tasks shows them again in each run. A CRM that lists contact by contact does not, so for it the ledger
keeps their ids: their persons are read first, and the tasks are told in runs that have no time for them, too.
"""

from __future__ import annotations

from syncer.contract.adapter import ListsTasks
from syncer.domain.cursors import UNSTORED, unstored
from syncer.domain.model import State
from syncer.reconcile.merging import Merging


def note_unstored(work: Merging) -> None:
    """Note them of each contact whose tasks were read now, and list those of the others as waiting."""
    for system in work.systems:
        if work.inputs.capabilities[system].lists_tasks is not ListsTasks.ALL:
            _note(work, system)


def _note(work: Merging, system: str) -> None:
    lanes = work.inputs.seen[system].lanes
    for contact, rows in lanes.items():
        if work.is_doubtful(system, contact):
            # One of them may be what our own create made. Settling will tell.
            continue
        open_now = [row for row in rows if row.state is State.OPEN and row.mirrored]
        unknown = sorted(row.remote_id for row in open_now if row.key not in work.base.replicas)
        work.note(f"{UNSTORED}{system}:{contact}", " ".join(unknown))
    for (where, contact), ids in unstored(work.base.cursors).items():
        if where == system and contact not in lanes:
            for remote_id in ids:
                work.wait_until_read((system, remote_id), contact, None)
