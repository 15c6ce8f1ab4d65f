"""What a ledger answers to people, however it was opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

from syncer.domain.alarms import Alarm
from syncer.domain.base import Event, Operation
from syncer.ledger import questions
from syncer.ledger.holder import Judge, Now, holder_of
from syncer.ledger.owner import Owner, current_owner, process_alive
from syncer.ledger.questions import Ask
from syncer.ledger.values import Counts, Incidents, Run, TaskView


class Answers(ABC):
    """Each question is asked of one consistent view of the ledger, and raises `LedgerError`. ``where`` names it."""

    @property
    @abstractmethod
    def where(self) -> str:
        """The path or the address, without a password."""

    @abstractmethod
    def _asking(self) -> AbstractContextManager[Ask]:
        """One consistent view."""

    @abstractmethod
    def _present(self, ask: Ask) -> Now:
        """Now, by the clocks that leases are held against."""

    @abstractmethod
    def _judge(self, alive: Callable[[Owner], bool]) -> Judge:
        """Who tells whether a lease is lost."""

    def tasks(self, contact: str | None = None, state: str | None = None, system: str | None = None) -> list[TaskView]:
        """Tasks by due; ``contact`` is part of a name, a phone number, an e-mail or a link, ``system`` has a copy."""
        with self._asking() as ask:
            return questions.tasks(ask, contact=contact, state=state, system=system)

    def views_of(self, tasks: Collection[str]) -> list[TaskView]:
        """These tasks, as far as they are known."""
        with self._asking() as ask:
            return questions.views_of(ask, tasks)

    def history(self, task: str) -> list[Event]:
        """One task's events, oldest first."""
        with self._asking() as ask:
            return questions.history(ask, task)

    def open_operations(self, task: str) -> list[Operation]:
        """What is not settled of one task, and what failed or was refused last."""
        with self._asking() as ask:
            return questions.open_operations(ask, task)

    def had_copy(self, task: str, system: str) -> bool:
        """Whether a copy of the task was ever known there, also one that was forgotten since."""
        with self._asking() as ask:
            return questions.had_copy(ask, task, system)

    def find(self, reference: str) -> str | None:
        """A task's id, by itself, by its unambiguous beginning (6 characters or more), or by ``system:remote id``."""
        with self._asking() as ask:
            return questions.find(ask, reference)

    def beginning_with(self, reference: str) -> list[TaskView]:
        """The tasks whose ids begin so (6 characters or more), by due, without their copies."""
        with self._asking() as ask:
            return questions.beginning_with(ask, reference)

    def alarms_on(self) -> dict[str, Alarm]:
        """The alarms that are on, by name, the oldest first."""
        with self._asking() as ask:
            return questions.alarms_on(ask)

    def good_at(self) -> datetime | None:
        """When a run last ended well: ``ok`` or ``partial``."""
        with self._asking() as ask:
            return questions.good_at(ask)

    def incidents(self, since: datetime) -> Incidents | None:
        """Those of since then; ``None`` if there were none."""
        with self._asking() as ask:
            return questions.incidents(ask, since)

    def counts(self) -> Counts:
        """How many there are of everything."""
        with self._asking() as ask:
            return questions.counts(ask)

    def cursors(self) -> dict[str, str]:
        """The small values by name, without all the rest."""
        with self._asking() as ask:
            return questions.cursors(ask)

    def last_run(self) -> Run | None:
        """The run that began last, finished or not."""
        return next(iter(self.runs(1)), None)

    def runs(self, limit: int = 20, alive: Callable[[Owner], bool] = process_alive) -> list[Run]:
        """The last runs, the newest first."""
        with self._asking() as ask:
            found = self._running(ask, alive)
            return questions.recent_runs(ask, limit, None if found is None else found[1])

    def running(self, alive: Callable[[Owner], bool] = process_alive) -> Owner | None:
        """The process that runs the account now."""
        with self._asking() as ask:
            found = self._running(ask, alive)
        return None if found is None else found[0]

    def _running(self, ask: Ask, alive: Callable[[Owner], bool]) -> tuple[Owner, str | None] | None:
        """Who holds the lease and has not lost it, with its run, as far as this process can tell."""
        held = questions.lease(ask)
        if held is None or self._judge(alive).has_lost(held, current_owner(""), self._present(ask)):
            return None
        return holder_of(held), held.run
