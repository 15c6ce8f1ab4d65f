"""One run at a time: the lease that a dead owner loses by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

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
    .values(expires_at=bindparam("until"))
)
_CHECK: Final = select(_lease.c.token).where(_lease.c.name == NAME).with_for_update()
_RELEASE: Final = delete(_lease).where(_lease.c.name == NAME, _lease.c.token == bindparam("held"))


def acquire(
    connection: Connection, owner: Owner, now: datetime, term: timedelta, alive: Callable[[Owner], bool]
) -> None:
    """Take the lease if it is free, has expired, or its owner ran on this machine and is dead; else raise `Busy`."""
    row: dict[str, Any] = {
        "name": NAME,
        "token": owner.token,
        "machine": owner.machine,
        "pid": owner.pid,
        "started": owner.started,
        "acquired_at": now,
        "expires_at": now + term,
    }
    while not _insert(connection, row):
        held = connection.execute(_HELD).first()
        # On PostgreSQL it may be released between the two statements.
        if held is None:
            continue
        _check_free(held, owner, now, alive)
        connection.execute(_TAKE, row)
        return


def renew(connection: Connection, token: str, until: datetime) -> None:
    """Keep the lease until then; raise `LeaseLost` if it is not held by this token."""
    if connection.execute(_RENEW, {"held": token, "until": until}).rowcount != 1:
        raise LeaseLost


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


def _check_free(held: Row[Any], owner: Owner, now: datetime, alive: Callable[[Owner], bool]) -> None:
    holder = Owner(held.token, held.machine, held.pid, held.started)
    if held.token == owner.token or held.expires_at <= now:
        return
    if holder.machine == owner.machine and not alive(holder):
        return
    raise Busy(holder, held.expires_at)
