"""Notice another ledger that writes to the same account beside this one (pure).

Two ledgers cannot exclude each other, for neither sees the other's lease. Only the markers in the CRMs tell.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from syncer.domain.cursors import COMPANY, FORERUNNER
from syncer.domain.model import Reading
from syncer.reconcile.markers import CLOCKS_DIFFER_BY, is_by_another
from syncer.reconcile.merging import Merging

FORMER_SINCE = timedelta(hours=1)
"""How long after a ledger's file was copied a marker with its former id shows that the other file is used, too."""


def note_ledgers(work: Merging) -> None:
    """Note what the markers that were just read tell of other ledgers."""
    if work.standing.has_forerunner:
        # A later run may not read its markers again.
        work.note(FORERUNNER, "1")
    rows = [row for system in work.systems for row in work.inputs.seen[system].readings.values()]
    marked = Counter((row.system, row.marker.task) for row in rows if row.marker is not None)
    for row in rows:
        _note_ledger(work, row, marked)


def _note_ledger(work: Merging, reading: Reading, marked: Counter[tuple[str, str]]) -> None:
    """Note another ledger that writes beside this one: its marker is in a task that is newer than this ledger.

    People copy tasks with their markers, so a marker counts only if one task in this CRM has it.
    """
    base, marker, created_at = work.base, reading.marker, reading.created_at
    made_at = base.ledger_made_at
    # A lost ledger left its markers, too. Only in a task that is newer than this ledger does one tell of company.
    if not is_by_another(base, reading) or marker is None or made_at is None or created_at is None:
        return
    work.note(COMPANY, "1")
    # What this ledger sent before it was found to be a copy has its former id.
    former = marker.ledger in base.former_ids
    if created_at <= made_at + (FORMER_SINCE if former else CLOCKS_DIFFER_BY):
        return
    known = [copy for copy in base.copies(marker.task, reading.system) if copy.remote_id != reading.remote_id]
    # A false alarm would stop the younger ledger until a person acts.
    if marked[reading.system, marker.task] <= 1 and not known:
        work.other_ledgers.add(marker.ledger)
