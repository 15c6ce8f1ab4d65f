"""One CRM during one run: what was seen of it, what failed, and whether it can still be used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from syncer.contract.adapter import Adapter, Wire
from syncer.contract.errors import (
    AdapterError,
    BadAnswer,
    BudgetSpent,
    Forbidden,
    InDoubt,
    Missing,
    NoConnection,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.contract.unforeseen import not_understood
from syncer.domain.model import Listing, Reading, Unreadable
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.engine.own_errors import ends_the_run
from syncer.reconcile.failing import Failure
from syncer.reconcile.read_items import Place, ReadItem, What

_T = TypeVar("_T")
_log = structlog.get_logger("syncer.run")

FAILURES_UNTIL_UNAVAILABLE: Final = 24
"""After so many failures in a row the CRM counts as unavailable. Items that failed in earlier runs do not count.

Some items may fail for good, so a few failures show nothing. They come last in the next run."""
HANGS: Final = 10.0
"""An item without an answer for so many seconds when the time for reading ends counts as failed, so that it comes last
in the next run."""
LEAST_WAIT: Final = 0.1
"""Seconds between two looks at a piece of work, at least: shorter waits would only keep the processor busy."""
LATEST: Final = 10.0
"""Seconds for which a read after a write may wait for the CRM's budget when the run's time is over."""
JUST_LISTED: Final = 60.0
"""Seconds for which a list of one contact's tasks may be used for the next step there: the daemon's usual pause."""


SCARCE: Final = 0.5
"""From this used part on, the budget of a long rate is kept for regular runs."""
LONG_RATE: Final = 600.0
"""The least seconds of a long rate. A shorter one is free again soon."""


def is_scarce(wire: Wire) -> bool:
    """Whether so much of an hour's or a day's budget is used up that events must not cause lists to be read.

    A list of all tasks takes many requests in a large account. Read for every event, it would use up the whole day's,
    and then nothing could be read any more.
    """
    used = wire.budgets().items()
    return any(part >= SCARCE for window, part in used if float(window.removesuffix("s")) >= LONG_RATE)


def tasks_of(contact: str) -> str:
    """Return the words for all tasks of one contact, by which a failure to read them is noted."""
    return f"the tasks of contact {contact}"


@dataclass(slots=True)
class Connection:
    """One CRM during one run: its adapter, what was seen of it, and whether it can still be used.

    ``failing`` are the items that could not be read in earlier runs. ``asked`` are those that were tried in this run,
    and ``answered`` and ``failed`` are their outcomes. ``answers`` counts everything that could be read.
    """

    adapter: Adapter
    seen: Seen = field(default_factory=Seen)
    spent: bool = False
    reads_before: int = 0
    writes_before: int = 0
    paused_before: float = 0.0
    failing: Container[Place] = frozenset()
    asked: set[Place] = field(default_factory=set)
    answered: set[Place] = field(default_factory=set)
    failed: dict[Place, Failure] = field(default_factory=dict)
    answers: int = 0
    failures: dict[object, Failure] = field(default_factory=dict)
    in_a_row: set[object] = field(default_factory=set)
    budget_words: str = ""
    """Why a read had to be left to a later run: when the CRM, or its rate, allows the next request."""
    read_alone: dict[str, tuple[Reading, Reading]] = field(default_factory=dict)
    """By task: its row in a list that shows no texts, and the task as it was then read by itself."""
    listed_at_once: dict[str, Listing[Reading]] = field(default_factory=dict)
    """By contact: lists that the same requests read for several contacts, until they are used."""
    _just_listed: dict[str, float] = field(default_factory=dict)
    _confirming: int = 0

    @property
    def system(self) -> str:
        return self.adapter.system

    @property
    def waits_for_budget(self) -> bool:
        """Whether a request of this run had to wait because the CRM allows so few."""
        return self.adapter.wire.paused() > self.paused_before

    @property
    def usable(self) -> bool:
        return self.seen.state is ConnectionState.OK

    async def attempt(self, reading: Awaitable[_T], what: str | ReadItem, *, whole: bool = False) -> _T | None:
        """Await a read. Returns ``None`` if it failed; the failure is noted and reported, and nothing follows from it.

        ``whole`` marks a read that the connection cannot do without in this run. Any other failure, including a
        refused permission and an error of the adapter itself, concerns only its item, unless nothing at all can be
        read. `Missing` is raised.
        """
        began = asyncio.get_running_loop().time()
        try:
            answer = await reading
        except asyncio.CancelledError as cut:
            # Short runs cut off the pauses between the attempts. If that did not count, it would never fail often.
            if isinstance(cut.__cause__, InDoubt):
                self._failed(what, Failure(cut.__cause__.words))
            elif asyncio.get_running_loop().time() - began >= HANGS:
                self._failed(what, Failure(f"no answer within {HANGS:.0f} s"))
            raise
        except BudgetSpent as error:
            # A limit says nothing about the CRM, so this is not a failure.
            self.spent, self.budget_words = True, error.words
            if isinstance(what, ReadItem):
                # It was not sent, so a part of this run that has its own time may still ask for it.
                self.asked.discard(what.place)
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        except Missing:
            # The CRM has answered, so it is neither silent nor out of order.
            self._succeeded(what)
            raise
        except (Unauthorized, Unavailable, InDoubt, NotSent, BadAnswer, Refused) as error:
            self._note(error, what, whole=whole)
        except Exception as error:
            if ends_the_run(error):
                raise
            # Something in the answer that the adapter does not expect.
            name = what.words if isinstance(what, ReadItem) else what
            words = not_understood(error, f"{self.system}: {name}")
            self._failed(what, Failure(words, garbled=True))
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, words)
        else:
            # That a CRM told whose account it is does not show that any task can be read there.
            if not whole or isinstance(what, ReadItem):
                self._succeeded(what)
            return answer
        return None

    def _note(self, error: AdapterError, what: str | ReadItem, *, whole: bool) -> None:
        """Note a failed read for its item, or for the whole connection if it says something of everything there."""
        # A wrong key fails every request. A 403 may concern this item only, unless it is a list that the run needs.
        if isinstance(error, Unauthorized) and (whole or not isinstance(error, Forbidden)):
            self.stop(ConnectionState.UNAUTHORIZED, error.words)
        elif isinstance(error, NoConnection):
            # It says nothing of what was to be read.
            self.stop(ConnectionState.UNAVAILABLE, error.words)
        else:
            garbled = isinstance(error, (BadAnswer, Refused))
            self._failed(what, Failure(error.words, garbled, isinstance(error, Forbidden)))
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)

    async def read_contact(self, contact: str, *, damaged: bool = False) -> Listing[Reading] | None:
        """Read all tasks of one contact; ``None`` if that failed. Raises `Missing`.

        With ``damaged``, the tasks are returned although some rows could not be understood.
        """
        listing = await self.attempt(self.adapter.list_contact_tasks(contact), tasks_of(contact))
        if listing is not None and listing.unreadable:
            self.seen.unreadable += listing.unreadable
            return listing if damaged else None
        return listing

    @contextmanager
    def confirming(self, time_left: Callable[[], float | None]) -> Iterator[None]:
        """Let what is read in this block wait for the CRM's budget, even if the run's time is over by then.

        It tells what a write has done. Otherwise a run that ends just now would not notice what it has closed.
        ``time_left`` returns the seconds until the run's end, or ``None`` without a limit.
        """
        left, wire = time_left(), self.adapter.wire
        wire.set_deadline(None if left is None else max(left, LATEST))
        self._confirming += 1
        try:
            yield
        finally:
            self._confirming -= 1
            # Several lanes are worked on at once, and another one may still wait for its answer.
            if not self._confirming:
                wire.set_deadline(time_left())

    def has_listed(self, contact: str) -> None:
        """Note that all tasks of this contact were just read into ``seen``: the next step need not read them again."""
        self._just_listed[contact] = asyncio.get_running_loop().time()

    def was_just_listed(self, contact: str) -> bool:
        """Whether the contact's tasks were just read. True only once: the steps after the next one read again."""
        # The step that is taken now changes the list.
        at = self._just_listed.pop(contact, None)
        return at is not None and asyncio.get_running_loop().time() - at < JUST_LISTED

    def note(self, item: ReadItem, words: str) -> None:
        """Note an answer that cannot be used."""
        self.answered.discard(item.place)
        self.failed[item.place] = Failure(words, garbled=True)

    def stop(self, state: ConnectionState, words: str) -> None:
        """Stop using this connection in this run. Nothing is concluded from that."""
        if self.usable:
            self.seen.state = state
            self.seen.message = words
            _log.warning("connection.stopped", system=self.system, state=state.value, words=words)

    def stop_if_silent(self) -> None:
        """Mark the CRM as unavailable if nothing could be read, even after a few requests, or within its limits."""
        if self.failures and not self.answers:
            self._out_of_order()
        elif self.budget_words and not self.answers:
            self.stop(ConnectionState.UNAVAILABLE, self.budget_words)

    async def while_it_answers(
        self, work: Coroutine[Any, Any, None], *, patience: Callable[[int], float], seconds: float | None = None
    ) -> bool:
        """Do this work. Returns whether it was finished.

        It is cancelled after ``seconds``, or when its answers took longer in total than ``patience`` allows for that
        number of requests. Pauses for a request budget, or that the CRM asked for, do not count.
        """
        wire, loop = self.adapter.wire, asyncio.get_running_loop()
        started, waited, reads = loop.time(), wire.waited(), wire.reads

        def left() -> float:
            patient = patience(wire.reads - reads) - (wire.waited() - waited)
            return patient if seconds is None else min(patient, started + seconds - loop.time())

        task = asyncio.ensure_future(work)
        try:
            while not task.done() and (rest := left()) > 0:
                # Looked at again and again, because pauses for a rate limit move the end.
                await asyncio.wait({task}, timeout=None if rest == float("inf") else max(rest, LEAST_WAIT))
        finally:
            # Cancelling only asks the work to end. It must have ended before anybody uses what it was still changing.
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled():
            return False
        task.result()
        return True

    def _succeeded(self, what: str | ReadItem) -> None:
        self.answers += 1
        self.in_a_row.clear()
        if isinstance(what, ReadItem):
            self.answered.add(what.place)

    def _failed(self, what: str | ReadItem, failure: Failure) -> None:
        if isinstance(what, ReadItem) and what.what is not What.LIST:
            self.failed[what.place] = failure._replace(contact=what.contact)
        else:
            trouble = self.seen.unreadable if failure.garbled else self.seen.unreached
            named = what.words if isinstance(what, ReadItem) else what
            trouble.append(Unreadable(self.system, None, f"{named}: {failure.words}"))
        thing = what.place if isinstance(what, ReadItem) else what
        self.failures[thing] = failure
        if thing not in self.failing:
            self.in_a_row.add(thing)
        # If nothing was ever answered, items that failed in earlier runs count as well.
        silent = 0 if self.answers else len(self.failures)
        if max(silent, len(self.in_a_row)) >= FAILURES_UNTIL_UNAVAILABLE:
            self._out_of_order()

    def _out_of_order(self) -> None:
        # If everything is refused, people have to correct the key. A CRM that is out of order needs nobody.
        forbidden = all(failure.forbidden for failure in self.failures.values())
        state = ConnectionState.UNAUTHORIZED if forbidden else ConnectionState.UNAVAILABLE
        self.stop(state, list(self.failures.values())[-1].words)
