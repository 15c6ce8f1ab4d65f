"""One account's alarms while a daemon serves it: check them, store them, send messages.

An alarm and the messages about it are stored in one transaction, so that a restart sends nothing twice. Only if the
ledger cannot be written, its alarm is kept in memory until it can, and so is what became of a message.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import structlog

from syncer.config.schema import Account
from syncer.domain.alarms import Alarm
from syncer.ledger import AlarmBook, Ledger, LedgerError, Locked, Telling
from syncer.web.alarms.facts import await_a_run, facts_of
from syncer.web.alarms.rules import AlarmFacts, judge
from syncer.web.alarms.telling import LONGEST_WAIT, NotTold, Way, next_try, ways_of

_T = TypeVar("_T")
_log: Final = structlog.get_logger("syncer.alarms")


class Apart(Protocol):
    """Does work that may have to wait in a thread, beside the event loop."""

    def __call__(self, work: Callable[[], _T], /) -> Coroutine[Any, Any, _T]: ...


class AlarmKeeper:
    """Checks one account's alarms and sends messages about them."""

    def __init__(
        self, account: Account, apart: Apart, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.on: dict[str, Alarm] = {}
        self.take_up(account)
        self._apart = apart
        self._clock = clock
        self._good_at = clock()
        self._trouble: str | None = None
        self._unstored: list[tuple[str, str, str]] = []
        self._loose: list[Telling] = []
        self._outcomes: list[tuple[Telling, datetime | None]] = []
        self._in_memory: set[str] = set()
        self._pending = True
        self._telling = asyncio.Lock()
        self._judging = asyncio.Lock()

    def take_up(self, account: Account) -> None:
        """Use the account's file as it is now. What is known of its alarms stays, so that nothing is told again."""
        self.account = account
        self._ways: dict[str, Way] = ways_of(account.alarms)

    @property
    def has_news(self) -> bool:
        """Whether there may be messages to send, and none are being sent now."""
        return self._pending and not self._telling.locked()

    async def begin(self) -> None:
        """Begin: the daemon serves the account from now on."""
        await self._apart(partial(self._in_ledger, lambda ledger: await_a_run(ledger, self._clock())))
        await self.judge()

    async def judge(self, trouble: str | None = None) -> None:
        """Check the alarms. ``trouble`` is what a run found wrong with the ledger, or empty if it was fine."""
        if trouble is not None:
            self._trouble = trouble
        # A beat and the end of a run may judge at the same time, and both would make the same messages. What became of
        # a message is noted under this lock, too: a check may be storing that very message.
        async with self._judging:
            try:
                self.on = await self._apart(partial(self._in_ledger, self._judge))
            except Locked:
                # Another process writes. The next check is soon.
                return
            except LedgerError:
                self._judge_in_memory()

    def _in_ledger(self, work: Callable[[Ledger], _T]) -> _T:
        with Ledger.open(self.account.ledger_url, name=self.account.name) as ledger:
            return work(ledger)

    def _judge(self, ledger: Ledger) -> dict[str, Alarm]:
        book, now = AlarmBook(ledger), self._clock()
        stored = ledger.alarms_on()
        # Messages about those in memory were made already, and must not be made again.
        before = {**stored, **{name: self.on[name] for name in self._in_memory if name in self.on}}
        facts = facts_of(ledger, self.account, now, self._trouble)
        if facts.good_at is None:
            # A new ledger, because the one before was lost under the daemon. What the daemon knows of its runs counts.
            await_a_run(ledger, self._good_at)
            facts = replace(facts, good_at=self._good_at)
        # For as long as the ledger cannot be read, see `_judge_in_memory`.
        self._good_at = facts.good_at or self._good_at
        after = judge(facts, before)
        messages = [*self._unstored, *self._messages(before, after)]
        begun = [alarm for name, alarm in after.items() if name not in stored]
        ended = [name for name in stored if name not in after]
        if begun or ended or messages:
            book.change(begun, ended, messages, now)
        # Only now: where this could not be stored, it is judged once more.
        self._note(before, after)
        self._unstored, self._loose, self._in_memory = [], [], set()
        self._pending |= bool(messages)
        return after

    def _judge_in_memory(self) -> None:
        """Check the alarms without the ledger, which cannot be used."""
        alone = AlarmFacts(self._clock(), self.account.stuck_after, self._good_at, trouble=self._trouble or "")
        after = {**self.on, **judge(alone, self.on)}
        now, new = self._clock(), self._messages(self.on, after)
        self._note(self.on, after)
        self._in_memory |= after.keys() - self.on.keys()
        self._unstored += new
        self._pending |= bool(new)
        self._loose += [Telling(name, way, message, now, now, 0) for name, way, message in new]
        self.on = after

    def _messages(self, before: Mapping[str, Alarm], after: Mapping[str, Alarm]) -> list[tuple[str, str, str]]:
        """Return the messages to send: (alarm, way, JSON)."""
        return [
            (alarm.name, way, json.dumps(alarm.message(self.account.name, state), ensure_ascii=False))
            for alarm, state in _changed(before, after)
            for way in self._ways
        ]

    def _note(self, before: Mapping[str, Alarm], after: Mapping[str, Alarm]) -> None:
        for alarm, state in _changed(before, after):
            say = _log.warning if state == "begun" else _log.info
            say(f"alarm.{state}", account=self.account.name, alarm=alarm.name, detail=alarm.detail)

    async def tell(self) -> None:
        """Send the messages that are due: all ways at once, and those of each alarm in order."""
        async with self._telling:
            # Before the look, or news that comes during it would be forgotten.
            self._pending = False
            waiting = await self._waiting()
            await asyncio.gather(*(self._tell(one) for one in waiting if _is_due(one, self._clock())))
            # What is not due yet, or has failed, is looked at again.
            self._pending |= bool(waiting)

    async def _waiting(self) -> list[Telling]:
        """Return the messages to send, those in the ledger and those in memory: the first of each alarm and way."""
        # Both at once, or a message that is being stored would be found in both.
        async with self._judging:
            try:
                found = await self._apart(partial(self._in_ledger, self._stored))
            except LedgerError:
                # The ledger may have messages, and it may only be locked for a moment.
                found, self._pending = [], True
            # Backwards, so that the oldest one stays: the messages of an alarm go in their order.
            loose = {(one.alarm, one.way): one for one in reversed(self._loose)}
        return [*found, *loose.values()]

    def _stored(self, ledger: Ledger) -> list[Telling]:
        """Return the messages in the ledger, after what became of earlier ones was stored. Otherwise they go twice."""
        self._store_outcomes(ledger)
        return AlarmBook(ledger).tellings()

    def _store_outcomes(self, ledger: Ledger) -> None:
        book = AlarmBook(ledger)
        while self._outcomes:
            telling, again = self._outcomes[0]
            if again is None:
                book.told(telling)
            else:
                book.tell_later(telling, again)
            del self._outcomes[0]

    async def _tell(self, telling: Telling) -> None:
        again = None
        try:
            # Else the account file does not have this way any more, and the message is dropped.
            if (way := self._ways.get(telling.way)) is not None:
                await way(telling.message)
        except NotTold as error:
            again = next_try(telling.made_at, telling.tries, self._clock())
            words = {"account": self.account.name, "alarm": telling.alarm, "way": telling.way, "words": str(error)}
            _log.warning("alarm.not_told", **words, again=None if again is None else again.isoformat())
        async with self._judging:
            if telling in self._loose:
                self._settle_loose(telling, again)
                return
            # One from memory was stored while it was on its way. In the ledger it is the one with the same text.
            self._outcomes.append((telling, again))
            try:
                await self._apart(partial(self._in_ledger, self._store_outcomes))
            except LedgerError as error:
                _log.warning("alarm.not_stored", account=self.account.name, words=str(error))

    def _settle_loose(self, telling: Telling, again: datetime | None) -> None:
        """Settle a message that is only in memory: if it was sent, it need not be stored any more."""
        self._loose.remove(telling)
        if again is None:
            self._unstored.remove((telling.alarm, telling.way, telling.message))
        else:
            self._loose.append(telling._replace(not_before=again, tries=telling.tries + 1))


def _changed(before: Mapping[str, Alarm], after: Mapping[str, Alarm]) -> list[tuple[Alarm, str]]:
    """Return the alarms that ended or began, each with its new state. Those that ended come first."""
    changed = [(alarm, "ended") for name, alarm in before.items() if name not in after]
    return [*changed, *((alarm, "begun") for name, alarm in after.items() if name not in before)]


def _is_due(telling: Telling, now: datetime) -> bool:
    """Whether a message may be sent now. If our clock was set back, nobody waits longer than the longest pause."""
    return telling.not_before <= now or telling.not_before > now + LONGEST_WAIT
