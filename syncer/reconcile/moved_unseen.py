"""Copies that people gave to another person's contact before this ledger could know of that (pure).

See `syncer.reconcile.other_contact` for what follows where a ledger has seen both.
"""

from __future__ import annotations

from syncer.domain.model import Reading
from syncer.reconcile.agreement import may_be_one
from syncer.reconcile.likeness import is_like
from syncer.reconcile.markers import CLOCKS_DIFFER_BY, named_by
from syncer.reconcile.merging import Merging, in_order
from syncer.reconcile.other_contact import elsewhere, has_keys


def may_be_moved(work: Merging, row: Reading) -> bool:
    """Whether this unknown task and its origin, or its copy, are on contacts of different persons.

    People moved one of the two, and may have finished it since: that finished nothing for this person. If they pasted
    a text with its marker into another person's task, the copy that they took it from is older.
    """
    if row.system not in work.inputs.seen or work.contact_of(row) is None:
        return False
    if _has_left(work, row, row.key):
        return True
    origin = _origin_of(work, row)
    # We make no copy in the CRM of the origin.
    if origin is None or origin.system == row.system:
        return False
    if not (_may_be_a_lost_ledgers(work, row, origin) or _is_first(work, row)):
        return False
    return _is_anothers(work, row, origin) or _has_left(work, row, origin.key) or _has_come(work, row, origin)


def _has_come(work: Merging, row: Reading, origin: Reading) -> bool:
    """Whether the origin came to the row's person, and its task is still another person's for this ledger."""
    known = work.base.replicas.get(origin.key)
    return known is not None and elsewhere(work.base, work.base.tasks[known.task], origin) == work.contact_of(row)


def _may_be_a_lost_ledgers(work: Merging, row: Reading, origin: Reading) -> bool:
    """Whether a ledger before this one may have made this copy for whoever had the origin then."""
    since = work.base.restored_at or work.base.ledger_made_at
    is_older = since is not None and (row.created_at is None or row.created_at <= since + CLOCKS_DIFFER_BY)
    # Of what people pasted, something differs.
    return is_older and is_like(work.inputs.policy, row, origin)


def _has_left(work: Merging, row: Reading, place: tuple[str, str]) -> bool:
    """Whether some CRM has copies of the task of this place on contacts of other persons than the row's alone."""
    for system in work.systems:
        copies = work.inputs.seen[system].copies_of(place) if system not in {row.system, place[0]} else ()
        if all(_is_anothers(work, row, copy) for copy in copies) and any(_is_first(work, copy) for copy in copies):
            return True
    return False


def _origin_of(work: Merging, row: Reading) -> Reading | None:
    """Return the task that the marker of this one names, if it was read."""
    system, remote_id = ("", "") if row.marker is None else row.marker.place
    seen = work.inputs.seen.get(system)
    return None if seen is None else seen.readings.get(remote_id)


def _is_anothers(work: Merging, row: Reading, other: Reading) -> bool:
    """Whether these two are on contacts of two persons, as far as anybody can tell."""
    base, one, two = work.base, (row.system, row.contact or ""), (other.system, other.contact or "")
    keyed = has_keys(base, one) and has_keys(base, two)
    return keyed and base.links.get(one) != base.links.get(two) and not may_be_one(base, one, two)


def _is_first(work: Merging, copy: Reading) -> bool:
    """Whether no older task of its CRM has this marker, and the ledger knows no other copy there of the task it names.

    A known copy that was read in full counts by its age: whose tasks are stored first decides nothing.
    """
    marked = () if copy.marker is None else work.inputs.seen[copy.system].marked(copy.marker)
    task = None if copy.marker is None else named_by(work.base, copy.marker)
    # A marker is pasted from a copy that we made. The origin of a task has none.
    known = [] if task is None else [one for one in work.base.copies(task.id, copy.system) if one.made]
    if not {one.key for one in known} <= {copy.key, *(row.key for row in marked)}:
        return False
    return all(in_order((copy, other))[0].key == copy.key for other in marked)
