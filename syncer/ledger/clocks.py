"""Correct stored times after the wall clock was set, so that no wait takes longer or shorter than intended.

The steady clock of a boot is never set. Compared with it, the wall clock shows by how much it was put forward.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, bindparam, update

from syncer.ledger import direct
from syncer.ledger.tables import METADATA

CLOCKS: Final = "clocks"
"""The cursor with both clocks at the start of the last run, and the boot of the steady clock."""
_visit: Final = METADATA.tables["visit"]
_BRING_BACK: Final = update(_visit).where(_visit.c.read_at >= bindparam("now")).values(read_at=bindparam("before"))
_DRIFT: Final = timedelta(seconds=1)
"""A smaller difference is no change of the clock: two clocks never run at exactly the same speed."""
_JUST_BEFORE: Final = timedelta.resolution


def noted(machine: str, now: datetime, steady: float) -> dict[str, str]:
    """Return the cursor to store at the start of a run."""
    return {CLOCKS: f"{now.isoformat()} {steady!r} {machine}"}


def put_forward(cursors: Mapping[str, str], machine: str, now: datetime, steady: float) -> timedelta:
    """Return by how much the wall clock was put forward since the last run; zero if it was not or is not known."""
    then, seconds, boot = (*cursors.get(CLOCKS, "").split(" ", 2), "", "", "")[:3]
    # The steady clock began anew since then, so there is nothing to compare with.
    if boot != machine or float(seconds) > steady:
        return timedelta(0)
    by = now - datetime.fromisoformat(then) - timedelta(seconds=steady - float(seconds))
    # Put back is no trouble here: an instant in the future is recognised wherever it is read.
    return by if by > _DRIFT else timedelta(0)


def bring_back(connection: Connection, now: datetime) -> None:
    """Correct visits that are dated in the future. Otherwise they would count as the latest for years."""
    direct.change(connection, _BRING_BACK, {"now": now, "before": now - _JUST_BEFORE})
