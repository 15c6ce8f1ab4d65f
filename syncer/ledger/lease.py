"""The lease: one run at a time. A dead owner loses it without any action."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from syncer.ledger import direct
from syncer.ledger.errors import Busy, LeaseLost
from syncer.ledger.holder import LEASE, Judge, Now, holder_of
from syncer.ledger.owner import Owner
from syncer.ledger.tables import METADATA

_lease: Final = METADATA.tables["lease"]
# FOR UPDATE is for PostgreSQL: two processes that judge the same dead holder must not both take its lease. In SQLite
# the write transaction itself excludes the second one.
_HELD: Final = select(_lease).where(_lease.c.name == LEASE).with_for_update()
_TAKE: Final = update(_lease).where(_lease.c.name == LEASE)
_RENEW: Final = (
    update(_lease)
    .where(_lease.c.name == LEASE, _lease.c.token == bindparam("held"))
    .values(expires_at=bindparam("expires_at"), steady_until=bindparam("steady_until"))
)
_SHORTEN: Final = (
    update(_lease)
    .where(_lease.c.name == LEASE, _lease.c.token == bindparam("held"))
    .values(expires_at=bindparam("until"))
)
_HOLDER: Final = select(_lease.c.token).where(_lease.c.name == LEASE)
_CHECK: Final = _HOLDER.with_for_update()
_RELEASE: Final = delete(_lease).where(_lease.c.name == LEASE, _lease.c.token == bindparam("held"))


def acquire(connection: Connection, owner: Owner, now: Now, judge: Judge, run: str | None = None) -> None:
    """Take the lease if it is free or its holder has lost it, else raise `Busy`."""
    row: dict[str, Any] = {
        "name": LEASE,
        "token": owner.token,
        "machine": owner.machine,
        "pid": owner.pid,
        "started": owner.started,
        "acquired_at": now.at,
        **now.end,
        "run": run,
    }
    # The insert decides who takes a free lease. A select before it would leave a gap for a second process.
    while not _insert(connection, row):
        held = connection.execute(_HELD).first()
        # On PostgreSQL another process may release it between the two statements.
        if held is None:
            continue
        if not judge.has_lost(held, owner, now):
            raise Busy(holder_of(held), held.expires_at)
        connection.execute(_TAKE, row)
        return


def renew(connection: Connection, token: str, now: Now) -> None:
    """Renew the lease for another term. Raises `LeaseLost` if it is not held by this token."""
    if direct.change(connection, _RENEW, {"held": token, **now.end}) != 1:
        raise LeaseLost


def shorten(connection: Connection, token: str, until: datetime) -> None:
    """Shorten a lease that was taken while a clock was ahead. If its holder lives, it renews it long before the end."""
    connection.execute(_SHORTEN, {"held": token, "until": until})


def look(connection: Connection, token: str) -> None:
    """Raise `LeaseLost` if the lease is not held by this token now."""
    if direct.scalar(connection, _HOLDER) != token:
        raise LeaseLost


def check(connection: Connection, token: str) -> None:
    """Raise `LeaseLost` if the lease is not held by this token. Nobody can take it before this transaction ends."""
    if direct.scalar(connection, _CHECK) != token:
        raise LeaseLost


def release(connection: Connection, token: str) -> None:
    """Release the lease if this token holds it."""
    direct.change(connection, _RELEASE, {"held": token})


def _insert(connection: Connection, row: dict[str, Any]) -> bool:
    return direct.change(connection, _insert_statement(connection.dialect.name), row) == 1


@cache
def _insert_statement(dialect: str) -> Any:
    make: Any = sqlite_insert
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as make
    return make(_lease).on_conflict_do_nothing()
