"""Who holds the lease, and whether the holder has lost it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from syncer.ledger.owner import Owner

LEASE: Final = "run"
"""The name of a ledger's only lease. The account's name is not used: it may change while a daemon runs."""


class Held(Protocol):
    """A lease as it is stored."""

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
    """A stored lease with its run."""

    token: str
    machine: str
    pid: int
    started: float
    expires_at: datetime
    steady_until: float
    run: str | None


class Now(NamedTuple):
    """The current time by both clocks, and the term of a lease that is taken now."""

    at: datetime
    steady: float
    term: timedelta

    @property
    def end(self) -> dict[str, Any]:
        return {"expires_at": self.at + self.term, "steady_until": self.steady + self.term.total_seconds()}


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides whether a holder has lost its lease. ``alive`` is called for processes of this machine.

    ``going`` are the tokens of this process whose runs have not ended. ``local`` is true if no process of another
    machine can have the ledger open.
    """

    alive: Callable[[Owner], bool]
    going: Collection[str] = ()
    local: bool = False

    def has_lost(self, held: Held, owner: Owner, now: Now) -> bool:
        """Whether the holder of this lease has lost it to the owner: its process ended, or the term is over."""
        holder = holder_of(held)
        # The same run once more: its first try may have been stored although it seemed to fail.
        if held.token == owner.token:
            return True
        if holder.process == owner.process and held.token not in self.going:
            # An earlier run of this process ended, and its lease could not be released, for example on a full disk.
            return True
        if holder.machine == owner.machine:
            # On one machine the clock counts that nobody sets.
            return held.steady_until <= now.steady or not self.alive(holder)
        # `alive` cannot tell: since the reboot, another process may have the same id.
        if self.local and holder.is_of_an_earlier_boot(owner):
            return True
        return held.expires_at <= now.at


def holder_of(held: Held) -> Owner:
    """Return the process that took the lease."""
    return Owner(held.token, held.machine, held.pid, held.started)
