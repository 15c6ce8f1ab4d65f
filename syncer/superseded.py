"""Closed by the creation of another task, or done? Where a create closes others, the CRM does not tell (pure)."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from syncer.model import Reading, State


def superseded_by(closed: Reading, newer: Reading, window: timedelta) -> bool:
    """Whether ``closed`` was closed by the creation of ``newer``, rather than done.

    Superfone gives no reason for a closure: the times agree within the window, and so do the actors, where both
    are known.
    """
    if closed.remote_id == newer.remote_id or not (closed.exclusive and newer.exclusive):
        return False
    if closed.updated_at is None or newer.created_at is None:
        return False
    if made_after(closed, newer):
        return False
    actors = {closed.updated_by, newer.created_by} - {None}
    return abs(closed.updated_at - newer.created_at) <= window and len(actors) < 2


def made_after(one: Reading, other: Reading) -> bool:
    """Whether ``one`` is surely the newer of the two; Superfone numbers its tasks as they are made, which tells apart
    what was made in one instant."""
    if one.created_at is None or other.created_at is None:
        return False
    if one.created_at != other.created_at:
        return one.created_at > other.created_at
    return one.number > other.number


def maybe_superseded(rows: Iterable[Reading], window: timedelta) -> list[Reading]:
    """Closed rows near whose closure an exclusive task of the same contact was created: n log n, for long lists."""
    rows = list(rows)
    created: dict[str | None, list[datetime]] = defaultdict(list)
    for row in rows:
        if row.exclusive and row.created_at is not None:
            created[row.contact].append(row.created_at)
    for instants in created.values():
        instants.sort()
    found = []
    for row in rows:
        if row.state is State.OPEN or not row.exclusive or row.updated_at is None:
            continue
        if _any_within(created[row.contact], row.updated_at, window):
            found.append(row)
    return found


def _any_within(instants: list[datetime], moment: datetime, window: timedelta) -> bool:
    """Whether one of these, in order, is so near. Differences only: next to the calendar's ends a sum has no value."""
    first = bisect_left(instants, -window, key=lambda instant: instant - moment)
    return first < len(instants) and instants[first] - moment <= window
