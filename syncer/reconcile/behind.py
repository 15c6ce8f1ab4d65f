"""Persons for whom something was written that this ledger does not know: who is rebuilt now, and who waits (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from syncer.domain.model import Reading, State
from syncer.reconcile.agreement import may_be_one
from syncer.reconcile.merging import Merging


def make_known(work: Merging) -> None:
    """Give each contact with an unknown marked task a link, even if only one CRM knows it.

    Whether a person is behind is stored by link, so there must be one.
    """
    for system in work.systems:
        for reading in work.inputs.seen[system].readings.values():
            if reading.marker is not None and reading.state is State.OPEN and reading.key not in work.base.replicas:
                work.contact_of(reading)


def is_read(work: Merging, link: str, visits: Mapping[tuple[str, str], datetime]) -> bool:
    """Whether all tasks of this person were read in this run, and late enough after a backup was restored."""
    times = (visits.get(contact, work.inputs.now) for contact in work.standing.contacts_of(link))
    return work.standing.is_read(link) and not any(work.standing.is_too_early(time) for time in times)


def apart(work: Merging, links: Iterable[str]) -> set[str]:
    """Return the links with a copy whose origin is a contact's that shares a key with theirs and is not joined to it.

    One of the two exists twice, or a key is wrong. If the copy were taken for a task of its own, there would be two
    once people have corrected that.
    """
    return {link for link in links if any(_is_apart(work, row) for row in work.standing.rows_of(link))}


def _is_apart(work: Merging, row: Reading) -> bool:
    base = work.base
    if row.marker is None or row.key in base.replicas:
        return False
    system, remote_id = row.marker.place
    known, seen = base.replicas.get(row.marker.place), work.inputs.seen.get(system)
    shown = seen.readings.get(remote_id) if seen is not None else None
    origin = (system, known.contact if known is not None else (shown.contact or "") if shown is not None else "")
    return may_be_one(base, origin, (row.system, row.contact or ""))


def leave(work: Merging, behind: set[str], told: set[str], visits: Mapping[tuple[str, str], datetime]) -> None:
    """Note the persons for whom nothing may be written yet. A later run may not read again what ``told`` of them."""
    # After a backup was restored, each run may read one CRM only. It takes one run that reads everything.
    in_part = visits.keys() if work.base.restored_at is not None else ()
    for link in behind:
        contacts = set(work.standing.contacts_of(link))
        if link in told or not contacts.isdisjoint(in_part):
            work.set_behind(link, behind=True)
        work.undecided |= contacts
    work.base.behind = behind
