"""The identity of a ledger: its id, and whether and since when its file is a copy of another one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Final

from syncer.domain.base import Base
from syncer.domain.cursors import COMPANY, OTHER_LEDGER
from syncer.domain.ledger_ids import LedgerIdentity, made_at, new, parse, taking_over
from syncer.ledger.clocks import CLOCKS

__all__ = [
    "OWN",
    "LedgerIdentity",
    "as_copy",
    "as_only_one",
    "fill",
    "identify",
    "is_copy",
    "new",
    "parse",
    "runs_of",
    "taking_over",
    "tended",
    "tended_on",
]

_ID: Final = "ledger"
_RESTORED: Final = "restored"
FINGERPRINT: Final = "fingerprint"
"""The cursor that names the place of a ledger's file. It is empty in a backup."""
_RUNS: Final = "runs"
_FORMER: Final = "former"
_TENDED: Final = "tended"
OWN: Final = frozenset({_ID, _RESTORED, FINGERPRINT, _FORMER, _RUNS, _TENDED, CLOCKS})
"""The cursors about the ledger itself. `Base` has fields for them."""

Random = Callable[[int], bytes]


def identify(
    cursors: Mapping[str, str], fingerprint: str, noted: int, now: datetime, random_bytes: Random
) -> dict[str, str]:
    """Return the cursors to store at the start of a run.

    A ledger without an id gets one. If its fingerprint has changed, it was copied, restored or moved to another
    machine. If it counts fewer runs than are noted beside its file, an old copy was put over the file. In both cases it
    is another ledger from now on: it gets a new id and is marked as restored. ``fingerprint`` belongs to its place, and
    ``noted`` is the number of runs that is noted there.
    """
    runs = _number(cursors.get(_RUNS, ""))
    # Never below the number that is noted, or the next run would take this ledger for an old copy again.
    found = {FINGERPRINT: fingerprint, _RUNS: str(max(runs, noted) + 1)}
    if made_at(cursors.get(_ID, "")) is None:
        # A ledger without an id is empty, so the number beside it is that of a lost ledger.
        return {**found, _ID: new(now, random_bytes).id, _RUNS: "1"}
    if cursors.get(FINGERPRINT) != fingerprint or runs < noted:
        return {**found, **as_copy(cursors, now, random_bytes)}
    if is_copy(cursors) and datetime.fromisoformat(cursors[_RESTORED]) > now:
        # The copy was noticed while our clock was ahead. Everything read since would count as read before, for years.
        found[_RESTORED] = now.isoformat()
    return found


def as_copy(cursors: Mapping[str, str], now: datetime, random_bytes: Random) -> dict[str, str]:
    """Return the cursors of a ledger that was restored or copied now. It keeps its former ids."""
    # Its former markers are still in the CRMs, and must not be taken for those of another ledger.
    former = [*cursors.get(_FORMER, "").split(), cursors.get(_ID, "")]
    names = " ".join(dict.fromkeys(name for name in former if made_at(name)))
    return {_ID: new(now, random_bytes).id, _RESTORED: now.isoformat(), _FORMER: names}


def as_only_one(ledger: LedgerIdentity) -> dict[str, str]:
    """Return the cursors of a ledger that took over with this identity. What it knows of other ledgers is deleted."""
    return {_ID: ledger.id, OTHER_LEDGER: "", COMPANY: ""}


def runs_of(cursors: Mapping[str, str]) -> int:
    """Return how many runs the ledger counts."""
    return _number(cursors.get(_RUNS, ""))


def is_copy(cursors: Mapping[str, str]) -> bool:
    """Whether these cursors are those of a ledger that was just found to be a copy."""
    return _RESTORED in cursors


def tended(day: date, again_at: datetime | None = None) -> dict[str, str]:
    """Return the cursors of a ledger that is cleaned up on this day. ``again_at`` is set until it is backed up, too."""
    return {_TENDED: day.isoformat() if again_at is None else f"{day.isoformat()} {again_at.isoformat()}"}


def tended_on(cursors: Mapping[str, str]) -> tuple[date | None, datetime | None]:
    """Return the last day on which the ledger was cleaned up, and when its backup is tried again, if that failed."""
    day, _, again_at = cursors.get(_TENDED, "").partition(" ")
    return date.fromisoformat(day) if day else None, datetime.fromisoformat(again_at) if again_at else None


def fill(base: Base, cursors: Mapping[str, str]) -> None:
    """Fill the base with the ledger's id and the other cursors."""
    ledger, restored = cursors.get(_ID, ""), cursors.get(_RESTORED)
    if began := made_at(ledger):
        base.ledger_id, base.ledger_made_at = ledger, began
    base.former_ids = frozenset(cursors.get(_FORMER, "").split())
    base.restored_at = datetime.fromisoformat(restored) if restored else None
    if base.restored_at is not None:
        # A contact that a CRM did not have when the copy was made may exist now.
        base.lookups = {key: asked for key, asked in base.lookups.items() if asked >= base.restored_at}
    base.cursors.clear()
    base.cursors.update((name, value) for name, value in cursors.items() if name not in OWN)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
