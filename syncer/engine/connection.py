"""One CRM during one run: what was seen of it, what failed, and whether it can still be used."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import structlog

from syncer.contract.adapter import (
    Adapter,
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
from syncer.domain.model import Listing, Reading, Unreadable
from syncer.domain.snapshot import ConnectionState, Seen
from syncer.reconcile.failing import Failure
from syncer.reconcile.reading_list import Place, ReadItem, What

_T = TypeVar("_T")
_log = structlog.get_logger("syncer.run")

FAILURES_UNTIL_UNAVAILABLE: Final = 24
"""So many things, one after another, none of which was known to fail, and the CRM itself is taken to be out of order.
Some of a run's items may fail for good, so fewer say nothing: what fails stands at the end of the next run's list."""
HANGS: Final = 10.0
"""Seconds after which what has no answer, when the time for reading ends, goes to the end of the next run's list."""
LEAST_WAIT: Final = 0.1
JUST_LISTED: Final = 60.0
"""Seconds for which a listing of one contact's tasks may serve the next step there: the daemon's usual pause."""


@dataclass(slots=True)
class Connection:
    """One CRM during one run: its adapter, what was seen of it, and whether it can still be used.

    ``failing`` is what could not be read in earlier runs. ``asked`` is what was tried in this one, with ``answered``
    and ``failed`` as its outcomes; ``answers`` counts everything that could be read.
    """

    adapter: Adapter
    seen: Seen = field(default_factory=Seen)
    spent: bool = False
    reads_before: int = 0
    writes_before: int = 0
    failing: Container[Place] = frozenset()
    asked: set[Place] = field(default_factory=set)
    answered: set[Place] = field(default_factory=set)
    failed: dict[Place, Failure] = field(default_factory=dict)
    answers: int = 0
    failures: dict[object, Failure] = field(default_factory=dict)
    in_a_row: set[object] = field(default_factory=set)
    listed_at_once: dict[str, Listing[Reading]] = field(default_factory=dict)
    """By contact, what was read of several of them by the same requests, until it is used."""
    _just_listed: dict[str, float] = field(default_factory=dict)

    @property
    def system(self) -> str:
        return self.adapter.system

    @property
    def usable(self) -> bool:
        return self.seen.state is ConnectionState.OK

    async def attempt(self, reading: Awaitable[_T], what: str | ReadItem, *, whole: bool = False) -> _T | None:
        """Read; ``None`` if that failed, which is remembered and reported, and from which nothing follows.

        ``whole`` marks a read without which the connection is of no use in this run. What goes wrong with any other
        one, a refused permission too, is about that one thing and stops nobody else, unless nothing at all can be
        read. `Missing` goes through.
        """
        began = asyncio.get_running_loop().time()
        try:
            answer = await reading
        except asyncio.CancelledError:
            if asyncio.get_running_loop().time() - began >= HANGS:
                self._failed(what, Failure(f"no answer within {HANGS:.0f} s"))
            raise
        except BudgetSpent as error:
            self.spent = True
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        except Missing:
            self._succeeded(what)
            raise
        except (Unauthorized, Unavailable, InDoubt, NotSent, BadAnswer, Refused) as error:
            if isinstance(error, Unauthorized) and (whole or not isinstance(error, Forbidden)):
                self.stop(ConnectionState.UNAUTHORIZED, error.words)
                return None
            garbled = isinstance(error, (BadAnswer, Refused))
            if isinstance(error, NoConnection):
                # It says nothing of what was to be read.
                self.stop(ConnectionState.UNAVAILABLE, error.words)
                return None
            self._failed(what, Failure(error.words, garbled, isinstance(error, Forbidden)))
            if whole:
                self.stop(ConnectionState.UNAVAILABLE, error.words)
        else:
            if not whole or isinstance(what, ReadItem):
                self._succeeded(what)
            return answer
        return None

    async def read_contact(self, contact: str) -> Listing[Reading] | None:
        """One contact's tasks, every one of them; ``None`` if that failed. `Missing` goes through."""
        listing = await self.attempt(self.adapter.list_contact_tasks(contact), f"the tasks of contact {contact}")
        if listing is not None and listing.unreadable:
            self.seen.unreadable += listing.unreadable
            return None
        return listing

    def has_listed(self, contact: str) -> None:
        """All tasks of this contact were just read, and are in ``seen``: its next step need not ask again."""
        self._just_listed[contact] = asyncio.get_running_loop().time()

    def was_just_listed(self, contact: str) -> bool:
        """Whether that is so. It serves one step alone: whatever follows reads again, or has what this step read."""
        at = self._just_listed.pop(contact, None)
        return at is not None and asyncio.get_running_loop().time() - at < JUST_LISTED

    def note(self, item: ReadItem, words: str) -> None:
        """It was answered, and cannot be used all the same."""
        self.answered.discard(item.place)
        self.failed[item.place] = Failure(words, garbled=True)

    def stop(self, state: ConnectionState, words: str) -> None:
        """Use this connection no more in this run; nothing is inferred from that."""
        if self.usable:
            self.seen.state = state
            self.seen.message = words
            _log.warning("connection.stopped", system=self.system, state=state.value, words=words)

    def stop_if_silent(self) -> None:
        """A CRM of which nothing could be read is out of order, however little was asked."""
        if self.failures and not self.answers:
            self._out_of_order()

    async def while_it_answers(
        self, work: Coroutine[Any, Any, None], *, patience: Callable[[int], float], seconds: float | None = None
    ) -> bool:
        """Do this work, and whether it came to its end.

        It is cancelled after ``seconds``, or when answers have been awaited for longer, in all, than ``patience`` has
        for so many requests. A pause that the CRM asked for, or a budget's, tries nobody's patience.
        """
        wire, loop = self.adapter.wire, asyncio.get_running_loop()
        started, waited, reads = loop.time(), wire.waited(), wire.reads

        def left() -> float:
            patient = patience(wire.reads - reads) - (wire.waited() - waited)
            return patient if seconds is None else min(patient, started + seconds - loop.time())

        task = asyncio.ensure_future(work)
        try:
            while not task.done() and (rest := left()) > 0:
                await asyncio.wait({task}, timeout=None if rest == float("inf") else max(rest, LEAST_WAIT))
        finally:
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
            self.failed[what.place] = failure
        else:
            trouble = self.seen.unreadable if failure.garbled else self.seen.unreached
            named = what.words if isinstance(what, ReadItem) else what
            trouble.append(Unreadable(self.system, None, f"{named}: {failure.words}"))
        thing = what.place if isinstance(what, ReadItem) else what
        self.failures[thing] = failure
        if thing not in self.failing:
            self.in_a_row.add(thing)
        silent = 0 if self.answers else len(self.failures)
        if max(silent, len(self.in_a_row)) >= FAILURES_UNTIL_UNAVAILABLE:
            self._out_of_order()

    def _out_of_order(self) -> None:
        forbidden = all(failure.forbidden for failure in self.failures.values())
        state = ConnectionState.UNAUTHORIZED if forbidden else ConnectionState.UNAVAILABLE
        self.stop(state, list(self.failures.values())[-1].words)
