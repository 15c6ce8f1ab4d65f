"""In which order persons are read of whom everything must be read before anything is concluded (pure).

No run may have the time for all of them, and what was read of one counts only whole. So what is read first of all tasks
is all of one person, and who was begun in vain in the last run comes last in the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from syncer.domain.base import Base
from syncer.domain.cursors import UNFINISHED
from syncer.domain.model import Reading, State
from syncer.domain.snapshot import Seen

_LAST: Final = datetime.max.replace(tzinfo=UTC)


def in_turn(base: Base, seen: Mapping[str, Seen], persons: Collection[str]) -> list[str]:
    """Return these links in the order in which they are read: who has a task that is due first comes first."""
    readings = (row for one in seen.values() for row in one.readings.values() if row.state is State.OPEN)
    due = _first_due(base, readings) if persons else {}
    begun = _begun(base)
    return sorted(persons, key=lambda link: (link in begun, due.get(link, _LAST), link))


def rows_in_turn(base: Base, rows: Iterable[Reading]) -> list[Reading]:
    """Return rows with something new in the order in which they are read.

    Those of known contacts come first, the earliest due first. The others follow person by person.
    """
    rows = list(rows)
    due, begun = _first_due(base, rows), _begun(base)

    def key(row: Reading) -> tuple[bool, bool, datetime, str, datetime, str]:
        own, place = row.due or _LAST, (row.system, row.contact or "")
        if place in base.visits:
            return (False, False, own, "", own, row.remote_id)
        link = base.links.get(place, "")
        return (True, link in begun, due.get(link, own), link, own, row.remote_id)

    return sorted(rows, key=key)


def _first_due(base: Base, rows: Iterable[Reading]) -> dict[str, datetime]:
    """Return by link when the first of these tasks is due."""
    first: dict[str, datetime] = {}
    for row in rows:
        link = base.links.get((row.system, row.contact or ""))
        if link is not None:
            first[link] = min(first.get(link, _LAST), row.due or _LAST)
    return first


def _begun(base: Base) -> set[str]:
    return set(base.cursors.get(UNFINISHED, "").split())
