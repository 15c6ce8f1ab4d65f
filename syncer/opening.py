"""What surrounds a run: the lease, the connections, the accounts on the other side, the run's row in the ledger."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from ulid import ULID

from adapters.base import Adapter, WrongAccount
from syncer.account import Account
from syncer.context import Clock, Connection, RunContext, together
from syncer.policy import Policy
from syncer.reasons import Item, Reason
from syncer.state import Base, Changes

if TYPE_CHECKING:
    from syncer.ledger import Ledger, Owner

LEASE_TERM = timedelta(minutes=2)
IDENTITY = "identity:"

_log = structlog.get_logger("syncer.run")


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


@dataclass(slots=True)
class AccountInHand:
    """An account with its connections and its ledger open; a simulation brings its own clock, ids and liveness."""

    settings: Account
    adapters: Mapping[str, Adapter]
    ledger: Ledger
    clock: Clock = utc_now
    random_bytes: Callable[[int], bytes] = os.urandom
    alive: Callable[[Owner], bool] | None = None
    progress: Callable[[str], None] = field(default=lambda _stage: None)

    def new_id(self) -> str:
        """A ULID: sorts by time, 26 characters."""
        milliseconds = int(self.clock().timestamp() * 1000)
        return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + self.random_bytes(10)))


def seeded_bytes(seed: int) -> Callable[[int], bytes]:
    """A source of ids that is the same every time, for simulations."""
    return random.Random(seed).randbytes  # noqa: S311 - no secret depends on it


@asynccontextmanager
async def leased(account: AccountInHand) -> AsyncIterator[RunContext]:
    """Hold the account's lease for one run; raises `Busy`. The lease is kept alive while requests wait."""
    from syncer.ledger import current_owner

    token, run = account.new_id(), account.new_id()
    alive = {} if account.alive is None else {"alive": account.alive}
    base = account.ledger.acquire(current_owner(token), account.clock(), LEASE_TERM, **alive, run=run)
    heartbeat = asyncio.create_task(_keep_alive(account, token))
    try:
        with structlog.contextvars.bound_contextvars(account=account.settings.name, run=run):
            for adapter in account.adapters.values():
                adapter.wire.set_fence(partial(account.ledger.hold, token))
            yield _context(account, run, base, token)
    finally:
        heartbeat.cancel()
        account.ledger.release(token)


def unleased(account: AccountInHand) -> RunContext:
    """A context for reading only: whatever it records stays in memory."""
    return _context(account, account.new_id(), account.ledger.load(), None)


async def _keep_alive(account: AccountInHand, token: str) -> None:
    from syncer.ledger import LeaseLost

    with suppress(LeaseLost):
        while True:
            await asyncio.sleep(LEASE_TERM.total_seconds() / 3)
            account.ledger.renew(token, account.clock(), LEASE_TERM)


def _context(account: AccountInHand, run: str, base: Base, token: str | None) -> RunContext:
    limit = account.settings.sync.run_limit.total_seconds()
    return RunContext(
        run=run,
        started_at=account.clock(),
        connections={
            system: Connection(adapter, reads_before=adapter.wire.reads, writes_before=adapter.wire.writes)
            for system, adapter in account.adapters.items()
        },
        policy=policy_of(account.settings),
        base=base,
        ledger=account.ledger,
        token=token,
        clock=account.clock,
        new_id=account.new_id,
        incidents=[
            Item(event.task, event.system or "", Reason.CLOSED_BY_RACE, event.detail) for event in base.unreported
        ],
        deadline=asyncio.get_running_loop().time() + limit if limit else None,
    )


def policy_of(settings: Account) -> Policy:
    """What the account file means to the engine."""
    sync = settings.sync
    return Policy(
        systems=tuple(settings.connections),
        routes=settings.routes,
        twin_window=sync.twin_window,
        default_due=sync.default_due,
        doubt_grace=sync.doubt_grace,
        cancelled_closes=sync.cancelled == "close",
        create_missing=frozenset(
            system for system, connection in settings.connections.items() if connection.create_missing_contacts
        ),
        users={(system, uid): user.name for user in settings.users for system, uid in user.ids.items()},
    )


async def verify_identities(context: RunContext) -> None:
    """Refuse, before anything is read further, a key that opens another account than the ledger's."""

    async def verify(connection: Connection) -> None:
        adapter = connection.adapter
        adapter.wire.set_deadline(context.time_left())
        expected = context.base.cursors.get(IDENTITY + connection.system)
        if expected is not None and adapter.expected_identity == expected:
            # Asked when this process opened the connection; its key has not changed since.
            return
        adapter.expected_identity = expected
        identity = await connection.attempt(adapter.identity(), "the account", whole=True)
        if identity is None or identity.id is None:
            return
        if expected is not None and identity.id != expected:
            raise WrongAccount(expected, identity.id, system=connection.system)
        adapter.expected_identity = identity.id

    await together(verify(connection) for connection in context.connections.values())


def remember_identities(context: RunContext) -> None:
    """Store which accounts the ledger now belongs to."""
    learned = {
        IDENTITY + system: connection.adapter.expected_identity
        for system, connection in context.connections.items()
        if connection.adapter.expected_identity is not None
    }
    new = {name: value for name, value in learned.items() if context.base.cursors.get(name) != value}
    if new:
        context.record(Changes(cursors=new))
