"""Persons of whom it is unclear who they are, with a task that may be the copy of somebody else's task (pure).

A *namesake* is a contact that shares a key with one of the person's and is not joined to it: one of the two exists
twice, or a key is wrong. A copy whose origin may be a namesake's waits. If it were taken for a task of its own, there
would be two once people have corrected that.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from syncer.domain.base import Base
from syncer.domain.cursors import APART, BEHIND
from syncer.domain.model import Reading
from syncer.domain.snapshot import Seen
from syncer.reconcile.agreement import RecordKey, may_be_one
from syncer.reconcile.standing import Standing


def apart(base: Base, seen: Mapping[str, Seen], standing: Standing, links: Iterable[str]) -> set[str]:
    """Return those of the links that have an unknown task that may be the copy of a namesake's task."""
    return {link for link in links if _is_apart(base, seen, standing, link)}


def still_apart(base: Base, seen: Mapping[str, Seen], standing: Standing, links: Iterable[str]) -> set[str]:
    """Return those of the links that an earlier run has read in full and that are apart still.

    To read all their tasks again would tell nothing new.
    """
    return apart(base, seen, standing, (link for link in links if base.cursors.get(BEHIND + link) == APART))


def _is_apart(base: Base, seen: Mapping[str, Seen], standing: Standing, link: str) -> bool:
    # An example: Asha exists twice in Reply, and her call in HighLevel was copied to one of the two. The ledger is
    # lost. The contacts are not joined, so the copy would become a task of the second one. Once people have merged the
    # two, the call would be there twice.
    unknown = [row for row in standing.rows_of(link) if row.key not in base.replicas]
    copies = [row for row in unknown if row.marker is not None or standing.us.may_be_a_forerunners(row)]
    # Nobody waits merely because a namesake exists: an office shares a number. There must be something that may be a
    # copy of the namesake's task.
    near = _namesakes(base, link, seen) if copies else set[RecordKey]()
    # Where the person has a contact of their own, that one was read, and an origin there is known.
    lacking = {system for system, _ in near} - {system for system, _ in base.contacts_of(link)}
    return any(_may_be_of(base, seen, row, near, lacking) for row in copies)


def _namesakes(base: Base, link: str, systems: Container[str]) -> set[RecordKey]:
    mine = base.contacts_of(link)
    near = {(key, other) for key in mine for other in base.neighbours(key) if other[0] in systems}
    return {other for key, other in near if may_be_one(base, key, other)}


def _may_be_of(base: Base, seen: Mapping[str, Seen], copy: Reading, near: set[RecordKey], lacking: set[str]) -> bool:
    """Whether the origin of this copy may be a namesake's task.

    No list shows a finished origin. It may be in a CRM that is ``lacking``: only namesakes are known there.
    """
    if copy.marker is None:
        # A copy without a marker does not name its origin's CRM. Only a CRM in which nobody but a namesake is known
        # could have the origin unseen.
        return bool(lacking)
    system, remote_id = copy.marker.place
    origin = base.replicas.get(copy.marker.place) or (seen[system].readings.get(remote_id) if system in seen else None)
    return system in lacking if origin is None else (system, origin.contact or "") in near
