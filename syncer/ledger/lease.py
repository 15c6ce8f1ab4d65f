"""One run at a time: the lease that a dead owner loses by itself."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from syncer.ledger.errors import Busy, LeaseLost
from syncer.ledger.owner import Owner
from syncer.ledger.tables import METADATA

NAME: Final = "run"
"""A ledger has one lease. It is not the account's name, which may be changed while a daemon runs."""

_lease: Final = METADATA.tables["lease"]
_HELD: Final = select(_lease).where(_lease.c.name == NAME).with_for_update()
_TAKE: Final = update(_lease).where(_lease.c.name == NAME)
_RENEW: Final = (
    update(_lease)
    .where(_lease.c.name == NAME, _lease.c.token == bindparam("held"))
    .values(expires_at=bindparam("expires_at"), steady_until=bindparam("steady_until"))
)
_SHORTEN: Final = (
    update(_lease)
    .where(_lease.c.name == NAME, _lease.c.token == bindparam("held"))
    .values(expires_at=bindparam("until"))
)
_HOLDER: Final = select(_lease.c.token).where(_lease.c.name == NAME)
_CHECK: Final = _HOLDER.with_for_update()
_RELEASE: Final = delete(_lease).where(_lease.c.name == NAME, _lease.c.token == bindparam("held"))


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

    def has_lost(self, held: Row[Any], owner: Owner, now: Now) -> bool:
        """Whether the holder of this row has lost its lease to the owner: by its end, or by the end of its term."""
        holder = Owner(held.token, held.machine, held.pid, held.started)
        if held.token == owner.token:
            return True
        if holder.process == owner.process and held.token not in self.going:
            # An earlier run of ours ended, and its lease could not be given back: the disk was full, for one.
            return True
        if holder.machine == owner.machine:
            return bool(held.steady_until <= now.steady) or not self.alive(holder)
        if self.local and holder.is_of_an_earlier_boot(owner):
            return True
        return bool(held.expires_at <= now.at)


def acquire(connection: Connection, owner: Owner, now: Now, judge: Judge, run: str | None = None) -> None:
    """Take the lease if it is free, or its holder has lost it; else raise `Busy`."""
    row: dict[str, Any] = {
        "name": NAME,
        "token": owner.token,
        "machine": owner.machine,
        "pid": owner.pid,
        "started": owner.started,
        "acquired_at": now.at,
        **now.end,
        "run": run,
    }
    while not _insert(connection, row):
        held = connection.execute(_HELD).first()
        # On PostgreSQL it may be released between the two statements.
        if held is None:
            continue
        if not judge.has_lost(held, owner, now):
            raise Busy(Owner(held.token, held.machine, held.pid, held.started), held.expires_at)
        connection.execute(_TAKE, row)
        return


def renew(connection: Connection, token: str, now: Now) -> None:
    """Keep the lease for another term; raise `LeaseLost` if it is not held by this token."""
    if connection.execute(_RENEW, {"held": token, **now.end}).rowcount != 1:
        raise LeaseLost


def shorten(connection: Connection, token: str, until: datetime) -> None:
    """Let the lease end then: a clock that was ahead took it. Its holder, if it lives, renews it long before."""
    connection.execute(_SHORTEN, {"held": token, "until": until})


def look(connection: Connection, token: str) -> None:
    """Raise `LeaseLost` if the lease is not held by this token now."""
    found = connection.execute(_HOLDER).scalar()
    if found != token:
        raise LeaseLost


def going(connection: Connection, owner: Owner, now: Now, judge: Judge) -> tuple[Owner, str | None] | None:
    """Who holds the lease and has not lost it, with its run, as far as this owner can tell."""
    held = connection.execute(select(_lease).where(_lease.c.name == NAME)).first()
    if held is None or judge.has_lost(held, owner, now):
        return None
    return Owner(held.token, held.machine, held.pid, held.started), held.run


def check(connection: Connection, token: str) -> None:
    """Raise `LeaseLost` if the lease is not held by this token; nobody can take it before the transaction ends."""
    if connection.execute(_CHECK).scalar() != token:
        raise LeaseLost


def release(connection: Connection, token: str) -> None:
    """Give the lease back, if this token holds it."""
    connection.execute(_RELEASE, {"held": token})


def _insert(connection: Connection, row: dict[str, Any]) -> bool:
    return bool(connection.execute(_insert_statement(connection.dialect.name), row).rowcount == 1)


@cache
def _insert_statement(dialect: str) -> Any:
    make: Any = sqlite_insert
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as make
    return make(_lease).on_conflict_do_nothing()
