"""What was dated by a wall clock that was set since: no wait lasts longer than it was meant to, and none is cut short.

A clock that nobody sets goes on through all runs of one boot. It tells by how much the wall clock was put forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, update

from syncer.ledger.tables import METADATA

CLOCKS: Final = "clocks"
"""The cursor that has what both clocks said when the last run began, and of which boot the steady one is."""
_visit: Final = METADATA.tables["visit"]
_DRIFT: Final = timedelta(seconds=1)
"""Two clocks never go exactly alike."""
_JUST_BEFORE: Final = timedelta.resolution


def noted(machine: str, now: datetime, steady: float) -> dict[str, str]:
    """The cursor to be stored at the start of a run."""
    return {CLOCKS: f"{now.isoformat()} {steady!r} {machine}"}


def put_forward(cursors: Mapping[str, str], machine: str, now: datetime, steady: float) -> timedelta:
    """By how much the wall clock was put forward since the last run; zero if it was not, or nothing tells."""
    then, seconds, boot = (*cursors.get(CLOCKS, "").split(" ", 2), "", "", "")[:3]
    if boot != machine or float(seconds) > steady:
        return timedelta(0)
    by = now - datetime.fromisoformat(then) - timedelta(seconds=steady - float(seconds))
    return by if by > _DRIFT else timedelta(0)


def bring_back(connection: Connection, now: datetime) -> None:
    """Readings that are dated ahead were made before this run: else they would count as the latest for years."""
    connection.execute(update(_visit).where(_visit.c.read_at >= now).values(read_at=now - _JUST_BEFORE))
