"""Persons for whom something was written that this ledger does not know: who is rebuilt now, and who waits (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from syncer.domain.model import State
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
    # A long run may have read a person when a request from before the old copy could still arrive. So the time of the
    # read counts, and not that of the merge.
    times = (visits.get(contact, work.inputs.now) for contact in work.standing.contacts_of(link))
    return work.standing.is_read(link) and not any(work.standing.is_too_early(time) for time in times)


def leave(work: Merging, behind: set[str], told: set[str], visits: Mapping[tuple[str, str], datetime]) -> None:
    """Note the persons for whom nothing may be written yet. A later run may not read again what ``told`` of them."""
    # After a backup was restored, each run may read one CRM only. It takes one run that reads everything.
    in_part = visits.keys() if work.base.restored_at is not None else ()
    for link in behind:
        contacts = set(work.standing.contacts_of(link))
        # Several runs that read one CRM each must not add up to one that has read all: in between, people finish and
        # reopen tasks. So the note stays until one run has read everything.
        if link in told or link in work.apart or not contacts.isdisjoint(in_part):
            work.set_behind(link, behind=True)
        work.undecided |= contacts
    work.base.behind = behind
