"""Read every connection of an account into ``seen``.

What to read is chosen by need, because the request budgets of the CRMs are small: see `syncer.reconcile.reading_list`.
A task that is absent from a list is read by itself. Nothing else follows from its absence.

The connections are read at the same time, each within its share of the run's time. Items known from earlier runs are
read at once. Items that depend on the lists of other CRMs wait until these were read or given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import takewhile
from math import inf
from typing import Any, Final

import structlog

from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import Connection
from syncer.engine.context import AT_ONCE, RunContext, for_each, together
from syncer.engine.linking import link, link_alone
from syncer.engine.observe_changes import all_were_read, ask_for_changes
from syncer.engine.observe_contacts import let_go, read_for_newcomers, recheck_doubtful, refresh_contacts
from syncer.engine.observe_items import list_tasks, lists_all, read_item
from syncer.engine.observe_persons import read_at_once
from syncer.engine.observe_unread import mention_unread, remember_failing
from syncer.reconcile.apart import still_apart
from syncer.reconcile.reading_list import (
    CONTACTS,
    NEWCOMERS,
    PERSONS,
    QUIET,
    TASKS,
    TEXTS_IN_TURN,
    URGENT,
    Place,
    ReadItem,
    What,
    is_failing,
    items_of,
)
from syncer.reconcile.standing import Standing

_log = structlog.get_logger("syncer.observe")

READING_SHARE: Final = 0.5
"""The share of a run's time for reading, so that a first run with much to read still writes something."""
PERSONS_SHARE: Final = 0.2
"""The least share of the time left then for reading persons whose tasks the ledger may not know."""
TEXTS_SHARE: Final = 0.05
"""The largest share of a run's time for reading texts again in turn."""
LIST_PATIENCE: Final = 30.0
PAGE_PATIENCE: Final = 5.0
"""Seconds for all answers to one list, and so many more for each request. A CRM that takes longer is unavailable in
this run."""
_WORDS: Final = {
    What.TASK: "tasks",
    What.CONTACT: "contacts",
    What.LANE: "the tasks of contacts",
    What.LOOKUP: "who has a phone number",
    What.PERSON: "all tasks of contacts",
}
SILENCE: Final = 35.0
"""Seconds for which the first answer about any one item is awaited."""
LEAST_SHARE: Final = 60.0
"""The least seconds for reading, even in a short run, if no request budget has to be waited for."""
QUIET_SHARE: Final = 0.8
"""The largest share of the time left for reading that contacts get of whom nothing is known to have changed."""
LEAST_QUIET: Final = 2.0
"""Seconds for contacts of whom nothing is known to have changed, even if an event waits for the run's end."""
FAILING_SHARE: Final = 15.0
"""The least seconds for items that failed before, which are read last."""


async def observe(context: RunContext, *, pause: timedelta, turns: Mapping[str, int] | None = None) -> None:
    """Fill every connection's ``seen``. ``pause`` is the time between two runs; quiet contacts may take half of it.

    ``turns`` is by CRM how many tasks may be read again for texts that its lists do not show.
    """
    observer = _Observer(context, pause.total_seconds() / 2, turns or {})
    connections = list(context.connections.values())
    # Which contacts are one person decides what else is read, so they are linked between the two parts.
    await together(observer.read(connection) for connection in connections)
    link(context)
    await together(observer.read_rest(connection) for connection in connections)
    link(context)
    link_alone(context)
    standing = Standing(context.base, context.seen, context.capabilities, context.policy)
    # Asked last: only now all markers of the run are known, which name what this ledger does not know.
    persons = standing.persons_to_read()
    waiting = still_apart(context.base, context.seen, standing, persons)
    observer.persons = [person for person in persons if person not in waiting]
    context.named = standing.named_places()
    await together(observer.read_persons(connection) for connection in connections)
    remember_failing(context, observer.listed, observer.cut)
    for connection in connections:
        connection.adapter.wire.set_deadline(context.time_left())
        # Only the time for reading is spent. The rest of the run's time is for writing.
        connection.spent = False


def _patient(requests: int) -> float:
    return LIST_PATIENCE + PAGE_PATIENCE * requests


@dataclass(slots=True)
class _Observer:
    """The reading of one run. ``allowance`` is the number of seconds for items that are not urgent."""

    context: RunContext
    allowance: float
    turns: Mapping[str, int]
    listed: set[Place] = field(default_factory=set)
    """Everything that was on one of the run's reading lists."""
    cut: set[str] = field(default_factory=set)
    """CRMs in which not every item could be tried."""
    persons: list[str] = field(default_factory=list)
    named: set[tuple[str, str]] = field(default_factory=set)
    """The (system, contact) that a CRM named because a task changed there."""
    gone: set[tuple[str, str]] = field(default_factory=set)
    """The (system, contact) that their CRM reports as missing. `_let_go` checks them at the end."""
    _began: float = field(init=False)
    _until: float | None = field(init=False)
    _lists: dict[str, asyncio.Event] = field(init=False)
    """By system: set once the lists were read or given up."""

    def __post_init__(self) -> None:
        context = self.context
        self._began = self._now()
        self._until = None if (left := context.time_left(READING_SHARE)) is None else self._now() + left
        self._lists = {c.system: asyncio.Event() for c in context.connections.values() if lists_all(c)}

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

    def _left(self, share: float = 1.0) -> float | None:
        """Return the seconds left for reading, or for the first part of it."""
        if self._until is None:
            return None
        return max(0.0, (self._until - self._now()) * share)

    def _longest(self) -> float | None:
        """Return the seconds after which reading ends. The share of a short run would be too short to read anything."""
        left = self._left()
        return None if left is None else max(left, self._began + LEAST_SHARE - self._now())

    # one connection --------------------------------------------------------------------------------

    async def read(self, connection: Connection) -> None:
        """Read everything from this connection that does not depend on people in other CRMs."""
        connection.adapter.wire.set_deadline(self._left())
        if not lists_all(connection):
            await self._in_time(connection, self._read_lanes(connection))
            return
        try:
            await self._read_lists(connection)
        finally:
            self._lists[connection.system].set()
        await self._in_time(connection, self._read_listed(connection))

    async def read_rest(self, connection: Connection) -> None:
        """Read contacts that only another CRM showed, then the items that failed before."""
        await self._in_time(connection, read_for_newcomers(self.context, connection))
        # What failed before has a time of its own. In an account whose quiet contacts take all of the time in each run,
        # it would never be read again.
        spent, allowed = connection.spent, max(self.allowance, FAILING_SHARE)
        self._allow(connection, allowed)
        await self._in_time(connection, self._read_failing(connection), allowed)
        if connection.spent:
            self.cut.add(connection.system)
        connection.spent = spent
        await self._in_time(connection, self._read_texts(connection), self.context.time_left(TEXTS_SHARE))
        connection.spent = spent
        if not lists_all(connection):
            connection.stop_if_silent()
        mention_unread(self.context, connection)

    async def _read_failing(self, connection: Connection) -> None:
        """Read the items that failed before, then what follows from them, such as the tasks of a contact now found."""
        stages = TASKS | CONTACTS | URGENT | NEWCOMERS
        await self._by_need(connection, stages | QUIET | TEXTS_IN_TURN, failing=True)
        # A number that was asked for in vain before may lead to a contact now, whose tasks have not failed.
        if self._has_failing(connection):
            await self._by_need(connection, stages)

    def _has_failing(self, connection: Connection) -> bool:
        return any(system == connection.system for system, _, _ in self.context.base.failing)

    async def _read_texts(self, connection: Connection) -> None:
        """Read some of the texts that no list shows, in turn. Tasks that this run read anyway count as read."""
        if not lists_all(connection) or not connection.usable or connection.spent:
            return
        items = [item for item in self._items(connection, TEXTS_IN_TURN) if not is_failing(self.context.base, item)]
        asked = connection.asked
        try:
            # One by one, so that this ends in time: texts are never urgent.
            await self._batch(connection, [item for item in items if item.place not in asked], at_once=1)
        finally:
            # The turn goes on after the last one before a gap, so that none is left out.
            for item in takewhile(lambda item: item.place in asked, items):
                self.context.turned[connection.system] = item.key

    async def read_persons(self, connection: Connection) -> None:
        """Read all tasks of the persons whom the ledger may not know in full."""
        if self.persons:
            connection.spent = False
            left, run = self._left(), self.context.time_left(PERSONS_SHARE)
            # Nothing is written for these persons before they are read, so they always get a part of the time.
            seconds = None if left is None or run is None else max(left, run)
            self._allow(connection, seconds)
            await self._in_time(connection, self._read_all_of_them(connection), seconds)

    async def _read_all_of_them(self, connection: Connection) -> None:
        items = [item for item in self._items(connection, PERSONS) if item.place not in connection.asked]
        if lists_all(connection):
            await read_at_once(connection, [item.key for item in items])
        await self._by_need(connection, PERSONS, failing=None)

    async def _in_time(
        self, connection: Connection, work: Coroutine[Any, Any, None], seconds: float | None = None
    ) -> None:
        """Do this within the time for reading. What is not read by then is left to the next run."""
        left = [some for some in (self._longest(), seconds) if some is not None]
        limit = min(left) if left else None
        ended = await connection.while_it_answers(
            work, patience=lambda _requests: inf if connection.answers else SILENCE, seconds=limit
        )
        if ended:
            return
        # A CRM that has answered is alive: there was only too much to read.
        if connection.answers or not connection.asked:
            connection.spent = True
        else:
            words = "nothing that it was asked for was answered in the time for reading"
            connection.stop(ConnectionState.UNAVAILABLE, words)

    def _allow(self, connection: Connection, seconds: float | None) -> None:
        """Limit how long requests may wait for the CRM's budget from now on."""
        left = [some for some in (self._left(), seconds) if some is not None]
        connection.adapter.wire.set_deadline(min(left) if left else None)

    async def _by_need(self, connection: Connection, stages: Collection[int], *, failing: bool | None = False) -> None:
        """Read the items of these stages, each once a run. What is read may add items to the list."""
        failing_here = self._has_failing(connection)
        while connection.usable and not connection.spent and (failing_here or not failing):
            items = [
                item
                for item in self._items(connection, stages)
                if item.place not in connection.asked
                and (failing is None or is_failing(self.context.base, item) is failing)
            ]
            if not items:
                return
            # Items that failed before are read at the same time, so that one that hangs delays no other.
            await self._batch(connection, [item for item in items if failing or item.stage == items[0].stage])

    def _items(self, connection: Connection, stages: Collection[int]) -> list[ReadItem]:
        context = self.context
        items = items_of(
            connection.system,
            context.base,
            context.seen,
            connection.adapter.capabilities,
            now=context.clock(),
            grace=context.policy.doubt_grace,
            named=self.named,
            persons=self.persons,
            stages=stages,
            edits=context.policy.edits,
            turns=self.turns.get(connection.system, 0),
        )
        self.listed.update(item.place for item in items)
        return items

    async def _batch(self, connection: Connection, items: list[ReadItem], *, at_once: int = AT_ONCE) -> None:
        if not items:
            return
        gone: list[str] = []

        async def read(item: ReadItem) -> None:
            if connection.usable and not connection.spent:
                connection.asked.add(item.place)
                await read_item(self.context, connection, item, gone)
            work.done += 1

        what = _WORDS.get(items[0].what, "things") if len({item.what for item in items}) == 1 else "things"
        try:
            with (
                self.context.progress.work(connection.system, f"reading {what}", len(items)) as work,
                self.context.learning(),
            ):
                await for_each(items, read, at_once=at_once)
        finally:
            # Also when the time for reading is over: what was read is merged.
            self.context.extend(connection.seen.readings.values())
        self.gone.update((connection.system, contact) for contact in gone)
        if connection.seen.lanes:
            await self._let_go(connection)
        if any(item.what is What.LOOKUP for item in items):
            link(self.context)

    async def _let_go(self, connection: Connection) -> None:
        """Unlink contacts that are gone. This comes last, as a CRM that misses all its contacts is not believed."""
        for system, contact in sorted(self.gone):
            if system == connection.system:
                self.gone.discard((system, contact))
                await let_go(self.context, connection, contact)

    async def _read_quiet(self, connection: Connection) -> None:
        """Read contacts of whom nothing is known to have changed, until an event waits for the end of the run."""
        left = self._left(QUIET_SHARE)
        self._allow(connection, self.allowance if left is None else min(self.allowance, left))
        hurry = asyncio.create_task(self._hurry(connection))
        try:
            await self._by_need(connection, QUIET)
        finally:
            hurry.cancel()
        # The quiet contacts of a large account take all of their time in each run. What else is to be read has its own.
        if connection.spent:
            self.cut.add(connection.system)
            connection.spent = False
        self._allow(connection, None)

    async def _hurry(self, connection: Connection) -> None:
        # However many events there are, each run reads some contacts, those first that were read longest ago.
        await asyncio.sleep(LEAST_QUIET)
        await self.context.hurry.wait()
        connection.spent = True

    # CRMs that list all tasks ----------------------------------------------------------------------

    async def _read_lists(self, connection: Connection) -> None:
        """Read the lists of contacts and tasks. Without them the connection cannot be used in this run."""
        adapter = connection.adapter
        before = adapter.wire.reads
        with self.context.progress.work(
            connection.system,
            "reading its lists",
            counted=lambda: adapter.wire.reads - before,
            listed=lambda: adapter.listed,
        ):
            for read in (refresh_contacts, list_tasks):
                reading = read(self.context, connection)
                if not await connection.while_it_answers(reading, patience=_patient, seconds=self._longest()):
                    words = "a list did not come in the time that it may take; the other CRMs went on without it"
                    connection.stop(ConnectionState.UNAVAILABLE, words)

    async def _read_listed(self, connection: Connection) -> None:
        """Read what the lists lead to: copies that they no longer show, rows with something new, unknown contacts."""
        await self._by_need(connection, TASKS | CONTACTS)

    # CRMs that list one contact's tasks ------------------------------------------------------------

    async def _read_lanes(self, connection: Connection) -> None:
        """Read lanes that may hold a completion first. The rest of the time is for new contacts and quiet ones."""
        if not connection.usable:
            return
        connection.seen.listed = True
        told = await ask_for_changes(self.context, connection)
        if told is not None:
            self.named |= {(connection.system, contact) for contact in told.contacts}
        # Each kind has its part of the time. Otherwise many busy leads would keep new ones from ever being found.
        connection.adapter.wire.set_deadline(self._left(0.5))
        await self._by_need(connection, URGENT)
        # New leads are found by the phone numbers of the other CRMs' contacts, so their lists come first.
        await together(arrived.wait() for arrived in self._lists.values())  # type: ignore[misc]
        link(self.context)
        await self._by_need(connection, URGENT)
        connection.spent = False
        self._allow(connection, None)
        await self._by_need(connection, NEWCOMERS)
        await recheck_doubtful(self.context, connection)
        await self._by_need(connection, URGENT)
        if not connection.spent:
            await self._read_quiet(connection)
        await self._let_go(connection)
        if told is not None:
            all_were_read(self.context, connection, told)
