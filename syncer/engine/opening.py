"""What a run needs around it: the lease, the connections, the CRM accounts, and the run's row in the ledger."""

from __future__ import annotations

import asyncio
import gc
import os
import random
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog
from ulid import ULID

from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.contract.adapter import Adapter
from syncer.contract.errors import WrongAccount
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
from syncer.reconcile.edits.travel import Overwritten

if TYPE_CHECKING:
    from syncer.ledger import Ledger, Owner

LOCK_PATIENCE = timedelta(seconds=20)
"""How long a run waits for a ledger that another process keeps locked. After that, the next interval tries again."""
SELDOM = (50_000, 20, 100)
"""The thresholds of Python's garbage collector during runs.

A run holds hundreds of thousands of values without reference cycles. Scanning them with the default thresholds takes a
third of a run's time. They are set for the process, because runs of several accounts overlap.
"""
# A daemon may stand still for a week. A longer jump is more likely a clock that was set.
_BELIEVED = timedelta(days=8)
_AT_ONCE = 0.0
_LAST_DRAFT = 2.0
_LOCK_PAUSE = 0.3
_SHORTEST: Final = 20.0
_WITHOUT_LIMIT: Final = 3600.0
"""Seconds, halved as the others, for a run after one that was broken off where the account file sets no limit."""
IDENTITY_PATIENCE = 15.0
"""Seconds to wait for a CRM's answer to whose account this is. All connections wait for it."""

_log = structlog.get_logger("syncer.run")


def utc_now() -> datetime:
    """Return the current time of the system's clock, in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class AccountInHand:
    """An account with its connections and its ledger open. A simulation brings its own clock, ids and liveness."""

    settings: Account
    adapters: Mapping[str, Adapter]
    ledger: Ledger
    clock: Clock = utc_now
    random_bytes: Callable[[int], bytes] = os.urandom
    alive: Callable[[Owner], bool] | None = None
    progress: Progress = field(default_factory=Progress)
    hurry: asyncio.Event = field(default_factory=asyncio.Event)

    def new_id(self) -> str:
        """Return a new ULID: 26 characters that sort by time."""
        # By the run's own clock, so that the ids of a simulated history are the same each time.
        milliseconds = int(self.clock().timestamp() * 1000)
        return str(ULID.from_bytes(milliseconds.to_bytes(6, "big") + self.random_bytes(10)))


def seeded_bytes(seed: int) -> Callable[[int], bytes]:
    """Return a source of random bytes that is the same every time, for simulations."""
    return random.Random(seed).randbytes  # noqa: S311 - no secret depends on it


@asynccontextmanager
async def leased(account: AccountInHand, *, part: bool = False) -> AsyncIterator[RunContext]:
    """Hold the account's lease for one run, or one for a few contacts, and renew it while requests wait.

    Raises `Busy`.
    """
    token, run = account.new_id(), account.new_id()
    gc.set_threshold(*SELDOM)
    base = await _acquire(account, token, run, part=part)
    heartbeat = asyncio.create_task(_keep_alive(account, token))
    try:
        with structlog.contextvars.bound_contextvars(account=account.settings.name, run=run):
            for adapter in account.adapters.values():
                # A process may sleep for an hour between a check here and its request, so the client asks just before
                # it sends.
                adapter.wire.set_fence(partial(account.ledger.hold, token))
            yield _context(account, run, base, token)
    finally:
        heartbeat.cancel()
        _release(account, token)
    # Only now, without the lease: tidying may take long, and must not keep another process from its run. If a signal
    # ends it, the run is complete all the same.
    with suppress(asyncio.CancelledError):
        await tend(account)


async def tend(account: AccountInHand) -> None:
    """After the first run of a day, delete old entries and back up the ledger. A failure here does not fail the run."""
    from syncer.ledger import LedgerError, make_daily_copy

    now, settings = account.clock(), account.settings
    today = now.astimezone(UTC).date()
    try:
        before = account.ledger.begin_day(today, now)
        if before is None:
            return
        # If our clock is years ahead, or not set yet, it must not make us delete entries that are not old.
        more = timedelta(0) < today - before < _BELIEVED
        while more:
            more = account.ledger.forget(settings.ledger_keep, now)
            # In steps, so that the other accounts' runs go on meanwhile.
            await asyncio.sleep(0)
        if settings.ledger_backup == "daily":
            await _until_ended(partial(make_daily_copy, account.ledger.place, today))
        account.ledger.end_day(today)
    except LedgerError as error:
        _log.warning("ledger.not_tended", account=settings.name, words=str(error))


async def _until_ended(copy: Callable[..., object]) -> None:
    """Make a copy in a thread. If that is cancelled, the thread gets the time to delete its draft."""
    ended = threading.Event()
    copying = asyncio.ensure_future(asyncio.to_thread(copy, ended=ended.is_set))
    try:
        await asyncio.shield(copying)
    except asyncio.CancelledError:
        ended.set()
        # Nobody waits for threads when the process ends.
        await asyncio.wait({copying}, timeout=_LAST_DRAFT)
        if copying.done() and not copying.cancelled():
            copying.exception()
        raise


def unleased(account: AccountInHand) -> RunContext:
    """Return a context that stores nothing: what it records stays in memory."""
    base = account.ledger.foresee(account.clock(), account.random_bytes)
    return _context(account, account.new_id(), base, None)


async def _acquire(account: AccountInHand, token: str, run: str, *, part: bool) -> Base:
    """Take the lease. If another process writes, wait without blocking the other accounts. Raises `Locked`."""
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
                part=part,
                random_bytes=account.random_bytes,
                # If SQLite itself waited, the event loop would stand still, and every other account with it.
                patience=_AT_ONCE,
            )
        except Locked:
            if loop.time() >= end:
                raise
            await asyncio.sleep(_LOCK_PAUSE)


def _release(account: AccountInHand, token: str) -> None:
    """Release the lease. If that cannot be written, the next run of this process can take it anyway."""
    from syncer.ledger import LedgerError

    try:
        account.ledger.release(token)
    except LedgerError as error:
        _log.warning("lease.not_released", account=account.settings.name, words=str(error))


async def _keep_alive(account: AccountInHand, token: str) -> None:
    """Renew the lease until it is lost. The run notices the loss itself, before its next write."""
    from syncer.ledger import LeaseLost, LedgerError, LedgerReplaced

    while True:
        # One renewal may fail without the lease being lost.
        await asyncio.sleep(LEASE_TERM.total_seconds() / 3)
        try:
            account.ledger.renew(token, account.clock(), LEASE_TERM)
        except (LeaseLost, LedgerReplaced):
            return
        except LedgerError as error:
            _log.warning("lease.not_renewed", account=account.settings.name, words=str(error))


def limit_of(allowed: timedelta, broken_off: int) -> float:
    """Return the seconds that a run may take: half as many for each run in a row before it that was broken off.

    Nothing is written before everything was read, so a process that is restarted each minute would else read for ever.
    """
    seconds = allowed.total_seconds()
    if broken_off == 0:
        return seconds
    usual = seconds or _WITHOUT_LIMIT
    return min(usual, max(_SHORTEST, usual * 0.5**broken_off))


def _context(account: AccountInHand, run: str, base: Base, token: str | None) -> RunContext:
    limit = limit_of(account.settings.sync.run_limit, base.broken_off)
    return RunContext(
        run=run,
        started_at=account.clock(),
        connections={
            system: Connection(
                adapter,
                reads_before=adapter.wire.reads,
                writes_before=adapter.wire.writes,
                paused_before=adapter.wire.paused(),
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
            # A run that was killed reported nothing, so its incidents are reported by this one.
            Item(event.task, event.system or "", Reason.CLOSED_BY_RACE, event.detail)
            for event in base.unreported
            if event.what == "incident"
        ],
        # Without its parts the event is older than this version.
        overwritten=[Overwritten.of(event) for event in base.unreported if event.lost],
        deadline=asyncio.get_running_loop().time() + limit if limit else None,
        progress=account.progress,
        hurry=account.hurry,
    )


# Little, because the budget is needed for what is known to have changed.
TURNS_SHARE: Final = 0.05


def policy_of(settings: Account, adapters: Mapping[str, Adapter]) -> Policy:
    """Return the policy: the account's settings, and how its CRMs store due dates."""
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
        titles={system: label_of(system) for system in settings.connections},
    )


def _routed(settings: Account, adapters: Mapping[str, Adapter], kind: Kind) -> tuple[str, ...]:
    """Return the CRMs that a kind is copied to.

    Without a route in the account file, CRMs that have no such kind are left out, so that not every task is reported.
    """
    # A route that people wrote is kept as it is: if a CRM in it cannot have the kind, they are told.
    route = settings.routes[kind]
    if kind in settings.chosen_routes:
        return route
    return tuple(system for system in route if system not in adapters or kind in adapters[system].capabilities.creates)


def turns_of(account: AccountInHand) -> dict[str, int]:
    """Return by CRM how many tasks a run may read again for their texts: 5 % of the request budget, at least one."""
    seconds = account.settings.sync.interval.total_seconds()
    turns = {}
    for system, connection in account.settings.connections.items():
        # A rate above the CRM's usual one is for what is urgent. With it, all texts would be read in every run.
        rates = (*connection.rate, *connection.usual_rate)
        turns[system] = max(1, int(TURNS_SHARE * min(rate.requests * seconds / rate.seconds for rate in rates)))
    return turns


async def verify_identities(context: RunContext) -> None:
    """Refuse an API key that opens another account than the ledger's, before anything else is read."""

    async def verify(connection: Connection) -> None:
        adapter = connection.adapter
        adapter.wire.set_deadline(context.time_left())
        expected = context.base.cursors.get(IDENTITY + connection.system)
        if expected is not None and adapter.expected_identity == expected:
            # This was checked when the process opened the connection, and the key has not changed since.
            return
        adapter.expected_identity = expected
        identity = await connection.attempt(adapter.identity(), "the account", whole=True)
        # A CRM need not tell whose account it is. Then there is nothing to compare.
        if identity is None or identity.id is None:
            return
        if expected is not None and identity.id != expected:
            raise WrongAccount(expected, identity.id, system=connection.system)
        adapter.expected_identity = identity.id

    async def in_time(connection: Connection) -> None:
        if not await connection.while_it_answers(verify(connection), patience=lambda _requests: IDENTITY_PATIENCE):
            words = f"it did not say within {IDENTITY_PATIENCE:.0f} s whose account it is"
            connection.stop(ConnectionState.UNAVAILABLE, words)

    # All at once, so that one that hangs delays a run by its own patience only.
    await together(in_time(connection) for connection in context.connections.values())


def remember_identities(context: RunContext) -> None:
    """Store which CRM accounts the ledger belongs to."""
    learned = {
        IDENTITY + system: connection.adapter.expected_identity
        for system, connection in context.connections.items()
        if connection.adapter.expected_identity is not None
    }
    new = {name: value for name, value in learned.items() if context.base.cursors.get(name) != value}
    if new:
        context.record(Changes(cursors=new))
