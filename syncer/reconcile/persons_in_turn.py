"""In which order persons are read of whom everything must be read before anything is concluded (pure).

No run may have the time for all of them, and what was read of one counts only whole. So what is read first of all tasks
is all of one person. Who was begun in vain in the last run comes last in the next one, and behind them who has a list
of tasks that could not be read: until it can be, everything else of them is read in vain.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from syncer.domain.base import Base
from syncer.domain.cursors import BEHIND, UNFINISHED
from syncer.domain.model import Reading, State
from syncer.domain.snapshot import Seen
from syncer.reconcile.read_items import What

_LISTS: Final = (What.LANE, What.PERSON)
"""What reads all tasks of a contact."""
_LAST: Final = datetime.max.replace(tzinfo=UTC)


def in_turn(base: Base, seen: Mapping[str, Seen], persons: Collection[str]) -> list[str]:
    """Return these links in the order in which they are read: who has a task that is due first comes first."""
    readings = (row for one in seen.values() for row in one.readings.values() if row.state is State.OPEN)
    due = _first_due(base, readings) if persons else {}
    behind = _behind(base)
    return sorted(persons, key=lambda link: (behind.get(link, 0), due.get(link, _LAST), link))


def rows_in_turn(base: Base, rows: Iterable[Reading]) -> list[Reading]:
    """Return rows with something new in the order in which they are read.

    Those of known contacts come first, the earliest due first. The others follow person by person.
    """
    rows = list(rows)
    due, behind = _first_due(base, rows), _behind(base)

    def key(row: Reading) -> tuple[bool, int, datetime, str, datetime, str]:
        own, place = row.due or _LAST, (row.system, row.contact or "")
        link = base.links.get(place, "")
        if place in base.visits and (row.key in base.replicas or link not in behind):
            return (False, 0, own, "", own, row.remote_id)
        return (True, behind.get(link, 0), due.get(link, own), link, own, row.remote_id)

    return sorted(rows, key=key)


def _first_due(base: Base, rows: Iterable[Reading]) -> dict[str, datetime]:
    """Return by link when the first of these tasks is due."""
    first: dict[str, datetime] = {}
    for row in rows:
        link = base.links.get((row.system, row.contact or ""))
        if link is not None:
            first[link] = min(first.get(link, _LAST), row.due or _LAST)
    return first


def _behind(base: Base) -> dict[str, int]:
    """Return by link how far behind the others these persons come."""
    behind = dict.fromkeys(base.cursors.get(UNFINISHED, "").split(), 1)
    for one in base.failing.values():
        contact = (one.system, one.key)
        link = base.links.get(contact, "") if one.what in _LISTS else ""
        # Of whoever is known, what can be read counts.
        if link and (contact not in base.visits or base.cursors.get(BEHIND + link)):
            behind[link] = 2
    return behind
