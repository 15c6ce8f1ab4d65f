"""What surrounds a run: the lease, the connections, the accounts on the other side, the run's row in the ledger."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from ulid import ULID

from syncer.config.schema import Account
from syncer.contract.adapter import Adapter, WrongAccount
from syncer.domain.base import Base, Changes
from syncer.domain.cursors import IDENTITY
from syncer.domain.model import Kind
from syncer.domain.policy import Policy
from syncer.domain.reasons import Item, Reason
from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import Connection
from syncer.engine.context import Clock, RunContext, together
from syncer.engine.progress import Progress
from syncer.ledger.owner import LEASE_TERM

if TYPE_CHECKING:
    from syncer.ledger import Ledger, Owner

LOCK_PATIENCE = timedelta(seconds=20)
"""How long a run waits for another process that keeps the ledger locked; it is then made again at the next interval."""
SELDOM = (50_000, 20, 100)
"""When Python looks for garbage that refers to itself: of the hundred thousands of values of a run nothing does, and to
look at them again and again takes a third of a run's time. It is set for the process: runs of several accounts meet."""
_BELIEVED = timedelta(days=8)
_AT_ONCE = 0.0
_LOCK_PAUSE = 0.3
IDENTITY_PATIENCE = 15.0
"""Seconds for which the answer to whose account it is is awaited, while all connections wait for it."""

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
    progress: Progress = field(default_factory=Progress)

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
    token, run = account.new_id(), account.new_id()
    gc.set_threshold(*SELDOM)
    base = await _acquire(account, token, run)
    heartbeat = asyncio.create_task(_keep_alive(account, token))
    try:
        with structlog.contextvars.bound_contextvars(account=account.settings.name, run=run):
            for adapter in account.adapters.values():
                adapter.wire.set_fence(partial(account.ledger.hold, token))
            yield _context(account, run, base, token)
    finally:
        heartbeat.cancel()
        _release(account, token)
    await tend(account)


async def tend(account: AccountInHand) -> None:
    """After the first run of a day: forget what is old, and copy the ledger. What fails there fails no run."""
    from syncer.ledger import LedgerError, make_daily_copy

    now, settings = account.clock(), account.settings
    today = now.astimezone(UTC).date()
    ended = threading.Event()
    try:
        before = account.ledger.begin_day(today)
        if before == today:
            return
        # A clock that was set years ahead, or is not set yet, must not make us forget what is not old.
        more = timedelta(0) < today - before < _BELIEVED
        while more:
            more = account.ledger.forget(settings.ledger_keep, now)
            await asyncio.sleep(0)
        if settings.ledger_backup == "daily":
            await asyncio.to_thread(make_daily_copy, account.ledger.place, today, ended=ended.is_set)
    except LedgerError as error:
        _log.warning("ledger.not_tended", account=settings.name, words=str(error))
    finally:
        ended.set()


def unleased(account: AccountInHand) -> RunContext:
    """A context for reading only: whatever it records stays in memory."""
    base = account.ledger.foresee(account.clock(), account.random_bytes)
    return _context(account, account.new_id(), base, None)


async def _acquire(account: AccountInHand, token: str, run: str) -> Base:
    """Take the lease; while others write, wait beside the event loop, so that nobody else does. Raises `Locked`."""
    from syncer.ledger import Locked, current_owner

    alive = {} if account.alive is None else {"alive": account.alive}
    loop = asyncio.get_running_loop()
    end = loop.time() + LOCK_PATIENCE.total_seconds()
    while True:
        try:
            return account.ledger.acquire(
                current_owner(token),
                account.clock(),
                LEASE_TERM,
                **alive,
                run=run,
                random_bytes=account.random_bytes,
                patience=_AT_ONCE,
            )
        except Locked:
            if loop.time() >= end:
                raise
            await asyncio.sleep(_LOCK_PAUSE)


def _release(account: AccountInHand, token: str) -> None:
    """Give the lease back; where that cannot be written, the next run of this process takes it all the same."""
    from syncer.ledger import LedgerError

    try:
        account.ledger.release(token)
    except LedgerError as error:
        _log.warning("lease.not_released", account=account.settings.name, words=str(error))


async def _keep_alive(account: AccountInHand, token: str) -> None:
    """Renew the lease until it is lost, which the run learns by itself before its next write."""
    from syncer.ledger import LeaseLost, LedgerError, LedgerReplaced

    while True:
        await asyncio.sleep(LEASE_TERM.total_seconds() / 3)
        try:
            account.ledger.renew(token, account.clock(), LEASE_TERM)
        except (LeaseLost, LedgerReplaced):
            return
        except LedgerError as error:
            _log.warning("lease.not_renewed", account=account.settings.name, words=str(error))


def _context(account: AccountInHand, run: str, base: Base, token: str | None) -> RunContext:
    limit = account.settings.sync.run_limit.total_seconds()
    return RunContext(
        run=run,
        started_at=account.clock(),
        connections={
            system: Connection(
                adapter,
                reads_before=adapter.wire.reads,
                writes_before=adapter.wire.writes,
                failing=base.failing,
            )
            for system, adapter in account.adapters.items()
        },
        policy=policy_of(account.settings, account.adapters),
        base=base,
        ledger=account.ledger,
        token=token,
        clock=account.clock,
        new_id=account.new_id,
        incidents=[
            Item(event.task, event.system or "", Reason.CLOSED_BY_RACE, event.detail) for event in base.unreported
        ],
        deadline=asyncio.get_running_loop().time() + limit if limit else None,
        progress=account.progress,
    )


TURNS_SHARE: Final = 0.05


def policy_of(settings: Account, adapters: Mapping[str, Adapter]) -> Policy:
    """What the account file, and how its CRMs keep dues, mean to the engine."""
    sync = settings.sync
    return Policy(
        systems=tuple(settings.connections),
        routes={kind: _routed(settings, adapters, kind) for kind in settings.routes},
        twin_window=sync.twin_window,
        default_due=sync.default_due,
        doubt_grace=sync.doubt_grace,
        cancelled_closes=sync.cancelled == "close",
        deleted_closes=sync.deleted == "close",
        edits=frozenset(sync.edits),
        create_missing=frozenset(
            system
            for system, connection in settings.connections.items()
            if connection.create_missing_contacts and adapters[system].capabilities.creates_contacts
        ),
        users={(system, uid): user.name for user in settings.users for system, uid in user.ids.items()},
        dues={system: adapter.capabilities.dues for system, adapter in adapters.items()},
    )


def _routed(settings: Account, adapters: Mapping[str, Adapter], kind: Kind) -> tuple[str, ...]:
    """Where a kind goes: nobody who chose nothing is told, task by task, that a CRM has no such kind."""
    route = settings.routes[kind]
    if kind in settings.chosen_routes:
        return route
    return tuple(system for system in route if system not in adapters or kind in adapters[system].capabilities.creates)


def turns_of(account: AccountInHand) -> dict[str, int]:
    """How many tasks a run may read again, in turn, for their texts: a twentieth of a CRM's budget, one at least."""
    seconds = account.settings.sync.interval.total_seconds()
    return {
        system: max(1, int(TURNS_SHARE * min(rate.requests * seconds / rate.seconds for rate in connection.rate)))
        for system, connection in account.settings.connections.items()
    }


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

    async def in_time(connection: Connection) -> None:
        if not await connection.while_it_answers(verify(connection), patience=lambda _requests: IDENTITY_PATIENCE):
            words = f"it did not say within {IDENTITY_PATIENCE:.0f} s whose account it is"
            connection.stop(ConnectionState.UNAVAILABLE, words)

    await together(in_time(connection) for connection in context.connections.values())


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
