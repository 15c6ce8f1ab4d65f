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
from itertools import takewhile, zip_longest
from math import inf
from typing import Any, Final

from syncer.domain.cursors import GONE, TEXTS
from syncer.domain.snapshot import ConnectionState
from syncer.engine.connection import Connection
from syncer.engine.context import AT_ONCE, ONE_BY_ONE, RunContext, for_each, together
from syncer.engine.linking import link, link_alone
from syncer.engine.observe_changes import all_were_read, ask_for_changes
from syncer.engine.observe_contacts import let_go, read_for_newcomers, recheck_doubtful, refresh_contacts
from syncer.engine.observe_items import items_to_read, list_tasks, lists_all, read_item, whose
from syncer.engine.observe_persons import note_unfinished, persons_to_read, read_at_once
from syncer.engine.observe_unread import leave_out_what_was_read, mention_unread, remember_failing
from syncer.engine.own_errors import or_leave_out
from syncer.engine.reading_time import (
    FAILING_SHARE,
    LEAST_FOR_PERSONS,
    LEAST_LATE,
    LONG_ENOUGH,
    NEWCOMERS_SHARE,
    PERSONS_SHARE,
    TEXTS_SHARE,
    URGENT_SHARE,
    ReadingTime,
    shorter,
)
from syncer.reconcile.persons_in_turn import in_turn
from syncer.reconcile.read_items import (
    CONTACTS,
    GONE_IN_TURN,
    NEWCOMERS,
    PERSONS,
    QUIET,
    TASKS,
    TEXTS_IN_TURN,
    URGENT,
    Place,
    ReadItem,
    What,
)
from syncer.reconcile.reading_list import is_failing

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
LEAST_QUIET: Final = 2.0
"""The least seconds for contacts of whom nothing is known to have changed, even if an event waits for the run's end."""
QUIET_IN_A_HURRY: Final = 0.1
"""The part of their time that they have then. Where events never end, the longer pause must not cost them more."""


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
    # Asked last: only now all markers of the run are known, which name what this ledger does not know.
    persons = await persons_to_read(context)
    observer.persons = in_turn(context.base, context.seen, persons)
    await together(observer.read_persons(connection) for connection in connections)
    leave_out_what_was_read(context)
    note_unfinished(context, persons)
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
    _time: ReadingTime = field(init=False)
    _lists: dict[str, asyncio.Event] = field(init=False)
    """By system: set once the lists were read or given up."""

    def __post_init__(self) -> None:
        self._time = ReadingTime(self.context)
        self._lists = {c.system: asyncio.Event() for c in self.context.connections.values() if lists_all(c)}

    # one connection --------------------------------------------------------------------------------

    async def read(self, connection: Connection) -> None:
        """Read everything from this connection that does not depend on people in other CRMs."""
        self._time.allow(connection, self._time.left())
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
        spent, late = connection.spent, self._time.part(FAILING_SHARE, LEAST_LATE)
        await self._for_a_while(connection, read_for_newcomers(self.context, connection), late)
        late = shorter(max(self.allowance, LONG_ENOUGH), self._time.part(FAILING_SHARE, LEAST_LATE))
        await self._for_a_while(connection, self._read_failing(connection), late)
        if any(system == connection.system for system, _ in self.gone):
            late = self._time.part(FAILING_SHARE, LEAST_LATE)
            await self._for_a_while(connection, self._let_go(connection), late)
        if lists_all(connection):
            late = self._time.part(FAILING_SHARE, LEAST_LATE)
            await self._for_a_while(connection, self._read_in_turn(connection, GONE_IN_TURN, GONE), late)
            run = self.context.time_left()
            late = None if run is None else max(run * TEXTS_SHARE, min(run / 2, LEAST_LATE))
            # One by one, so that this ends in time: texts are never urgent.
            texts = self._read_in_turn(connection, TEXTS_IN_TURN, TEXTS, at_once=1)
            await self._for_a_while(connection, texts, late)
        connection.spent = spent
        if not lists_all(connection):
            connection.stop_if_silent()
        mention_unread(self.context, connection)

    async def _read_failing(self, connection: Connection) -> None:
        """Read the items that failed before, then what follows from them, such as the tasks of a contact now found."""
        stages = TASKS | CONTACTS | URGENT | NEWCOMERS
        await self._by_need(connection, stages | QUIET | GONE_IN_TURN, failing=True)
        # A number that was asked for in vain before may lead to a contact now, whose tasks have not failed.
        if self._has_failing(connection):
            await self._by_need(connection, stages)

    def _has_failing(self, connection: Connection) -> bool:
        return any(system == connection.system for system, _, _ in self.context.base.failing)

    async def _read_in_turn(
        self, connection: Connection, stages: Collection[int], cursor: str, *, at_once: int = AT_ONCE
    ) -> None:
        """Read these items in turn, and note in the cursor how far this run got. What it read anyway counts as read."""
        if not connection.usable:
            return
        listed, asked = await self._items(connection, stages), connection.asked
        items = [item for item in listed if not is_failing(self.context.base, item)]
        # Those that failed come last in the list. They are tried between the others, and no more of them than have a
        # turn: the time may end before all others are read, in each run, and one that hangs may take all that is left.
        failing = listed[len(items) :][: self.turns.get(connection.system, 0)]
        mixed = [one for pair in zip_longest(items, failing) for one in pair if one is not None]
        try:
            await self._batch(connection, [one for one in mixed if one.place not in asked], at_once=at_once)
        finally:
            # The turn goes on after the last one before a gap, so that none is left out.
            for item in takewhile(lambda item: item.place in asked, items):
                self.context.turned[cursor + connection.system] = item.key

    async def read_persons(self, connection: Connection) -> None:
        """Read all tasks of the persons whom the ledger may not know in full."""
        if self.persons:
            # Nothing is written for these persons before they are read, so they always get a part of the time.
            seconds = self._time.part(PERSONS_SHARE, LEAST_FOR_PERSONS)
            self._time.allow(connection, seconds)
            # What was read of a person counts only whole. If all took turns, there might be no time for any of them.
            scarce = seconds is not None and seconds < ONE_BY_ONE and connection.waits_for_budget
            at_once = 1 if scarce else AT_ONCE
            await self._in_time(connection, self._read_all_of_them(connection, at_once), seconds)
            self._note_cut(connection)

    async def _read_all_of_them(self, connection: Connection, at_once: int) -> None:
        items = [item for item in await self._items(connection, PERSONS) if item.place not in connection.asked]
        if lists_all(connection):
            await read_at_once(connection, [item.key for item in items])
        await self._by_need(connection, PERSONS, failing=None, at_once=at_once)

    async def _in_time(
        self, connection: Connection, work: Coroutine[Any, Any, None], seconds: float | None = None
    ) -> None:
        """Do this within these seconds, or the time for reading. What is not read by then is left to the next run."""
        ended = await connection.while_it_answers(
            work,
            patience=lambda _requests: inf if connection.answers else SILENCE,
            seconds=self._time.longest() if seconds is None else seconds,
        )
        if ended:
            return
        # A CRM that has answered is alive: there was only too much to read.
        if connection.answers or not connection.asked:
            connection.spent = True
        else:
            words = "nothing that it was asked for was answered in the time for reading"
            connection.stop(ConnectionState.UNAVAILABLE, words)

    async def _for_a_while(
        self, connection: Connection, work: Coroutine[Any, Any, None], seconds: float | None
    ) -> None:
        """Do this within these seconds, which it has for itself, however much was read before."""
        self._time.allow(connection, seconds)
        await self._in_time(connection, work, seconds)
        self._note_cut(connection)

    def _note_cut(self, connection: Connection) -> None:
        if connection.spent:
            self.cut.add(connection.system)

    async def _by_need(
        self,
        connection: Connection,
        stages: Collection[int],
        *,
        failing: bool | None = False,
        at_once: int = AT_ONCE,
    ) -> None:
        """Read the items of these stages, each once a run. What is read may add items to the list."""
        failing_here = self._has_failing(connection)
        while connection.usable and not connection.spent and (failing_here or not failing):
            items = [
                item
                for item in await self._items(connection, stages)
                if item.place not in connection.asked
                and (failing is None or is_failing(self.context.base, item) is failing)
            ]
            if not items:
                return
            # Items that failed before are read at the same time, so that one that hangs delays no other.
            wanted = [item for item in items if failing or item.stage == items[0].stage]
            await self._batch(connection, wanted, at_once=at_once)

    async def _items(self, connection: Connection, stages: Collection[int]) -> list[ReadItem]:
        turns = self.turns.get(connection.system, 0)
        items = await items_to_read(self.context, connection, stages, self.named, self.persons, turns)
        self.listed.update(item.place for item in items)
        return items

    async def _batch(self, connection: Connection, items: list[ReadItem], *, at_once: int = AT_ONCE) -> None:
        if not items:
            return
        gone: list[str] = []

        async def read(item: ReadItem) -> None:
            connection.spent = connection.spent or self._time.is_over(connection)
            if connection.usable and not connection.spent:
                connection.asked.add(item.place)
                with or_leave_out(self.context, *whose(self.context, item)):
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
        # A CRM that has shown some contact's tasks knows its contacts. Before that, one that it misses proves nothing.
        if connection.seen.lanes:
            await self._let_go(connection)
        # A contact that was just found may be of a person with an open task. Then its tasks are among the next to read.
        if any(item.what is What.LOOKUP for item in items):
            link(self.context)

    async def _let_go(self, connection: Connection) -> None:
        """Unlink contacts that are gone. This comes last, as a CRM that misses all its contacts is not believed."""
        for system, contact in sorted(self.gone):
            if system == connection.system and not connection.spent:
                await let_go(self.context, connection, contact)
                # If there was no time to ask for its numbers, it is checked in the time for what failed before.
                if not connection.spent:
                    self.gone.discard((system, contact))

    async def _read_quiet(self, connection: Connection) -> None:
        """Read contacts of whom nothing is known to have changed, until an event waits for the end of the run."""
        self._time.allow(connection, shorter(self.allowance, self._time.left()))
        hurry = asyncio.create_task(self._hurry(connection))
        try:
            await self._by_need(connection, QUIET)
        finally:
            hurry.cancel()
        self._note_cut(connection)

    async def _hurry(self, connection: Connection) -> None:
        # However many events there are, each run reads some contacts, those first that were read longest ago.
        await asyncio.sleep(max(LEAST_QUIET, self.allowance * QUIET_IN_A_HURRY))
        await self.context.hurry.wait()
        connection.spent = True
        # Nor is anything sent that waits for the CRM's budget by now.
        connection.adapter.wire.set_deadline(0.0)

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
                if not await connection.while_it_answers(reading, patience=_patient, seconds=self._time.longest()):
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
        # There is no list of all tasks. Whose tasks were read is in `lanes`.
        connection.seen.listed = True
        told = await ask_for_changes(self.context, connection)
        if told is not None:
            self.named |= {(connection.system, contact) for contact in told.contacts}
        # Each kind has its part of the time. Otherwise many busy leads would keep new ones from ever being found.
        self._time.allow(connection, self._time.left(URGENT_SHARE))
        await self._by_need(connection, URGENT)
        # New leads are found by the phone numbers of the other CRMs' contacts, so their lists come first.
        await together(arrived.wait() for arrived in self._lists.values())  # type: ignore[misc]
        link(self.context)
        await self._by_need(connection, URGENT)
        self._note_cut(connection)
        self._time.allow(connection, self._time.left(NEWCOMERS_SHARE))
        await self._by_need(connection, NEWCOMERS)
        await recheck_doubtful(self.context, connection)
        await self._by_need(connection, URGENT)
        self._note_cut(connection)
        await self._read_quiet(connection)
        # What the quiet contacts left of the time is for what came too late before.
        self._time.allow(connection, self._time.left())
        await self._by_need(connection, URGENT)
        await self._by_need(connection, NEWCOMERS)
        self._note_cut(connection)
        await self._let_go(connection)
        if told is not None:
            all_were_read(self.context, connection, told)
