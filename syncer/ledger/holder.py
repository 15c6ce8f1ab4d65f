"""Who holds the lease, and whether that one has lost it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from syncer.ledger.owner import Owner

LEASE: Final = "run"
"""A ledger has one lease. It is not the account's name, which may be changed while a daemon runs."""


class Held(Protocol):
    """A lease as it stands in its row."""

    @property
    def token(self) -> str: ...
    @property
    def machine(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def started(self) -> float: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def steady_until(self) -> float: ...


class HeldRow(NamedTuple):
    """The same, with the run that is made under it."""

    token: str
    machine: str
    pid: int
    started: float
    expires_at: datetime
    steady_until: float
    run: str | None


class Now(NamedTuple):
    """The present by both clocks, and how long a lease is good from then on."""

    at: datetime
    steady: float
    term: timedelta

    @property
    def end(self) -> dict[str, Any]:
        return {"expires_at": self.at + self.term, "steady_until": self.steady + self.term.total_seconds()}


@dataclass(frozen=True, slots=True)
class Judge:
    """Who else may still hold a lease. ``alive`` is asked about processes of this machine.

    ``going`` are the tokens of this process whose runs have not ended; ``local`` says that nobody on another machine
    can have the ledger open.
    """

    alive: Callable[[Owner], bool]
    going: Collection[str] = ()
    local: bool = False

    def has_lost(self, held: Held, owner: Owner, now: Now) -> bool:
        """Whether the holder of this row has lost its lease to the owner: by its end, or by the end of its term."""
        holder = holder_of(held)
        if held.token == owner.token:
            return True
        if holder.process == owner.process and held.token not in self.going:
            # An earlier run of ours ended, and its lease could not be given back: the disk was full, for one.
            return True
        if holder.machine == owner.machine:
            return held.steady_until <= now.steady or not self.alive(holder)
        if self.local and holder.is_of_an_earlier_boot(owner):
            return True
        return held.expires_at <= now.at


def holder_of(held: Held) -> Owner:
    """The process that took it."""
    return Owner(held.token, held.machine, held.pid, held.started)
