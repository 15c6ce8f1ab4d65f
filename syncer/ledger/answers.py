"""What commands ask of a ledger, however it was opened."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime

from syncer.domain.alarms import Alarm
from syncer.domain.events import Event
from syncer.domain.operations import Action, Operation
from syncer.ledger import questions
from syncer.ledger.holder import Judge, Now, holder_of
from syncer.ledger.owner import Owner, current_owner, process_alive
from syncer.ledger.questions import Ask
from syncer.ledger.values import Counts, Incidents, Run, TaskView


class Answers(ABC):
    """Each method reads one consistent view of the ledger, and raises `LedgerError`. ``where`` names the ledger."""

    @property
    @abstractmethod
    def where(self) -> str:
        """The ledger's path or address, without a password."""

    @abstractmethod
    def _asking(self) -> AbstractContextManager[Ask]:
        """Open one consistent view."""

    @abstractmethod
    def _present(self, ask: Ask) -> Now:
        """Return the current time by the clocks that decide about leases."""

    @abstractmethod
    def _judge(self, alive: Callable[[Owner], bool]) -> Judge:
        """Return the judge of whether a lease is lost."""

    def tasks(self, contact: str | None = None, state: str | None = None, system: str | None = None) -> list[TaskView]:
        """Return tasks by due date.

        ``contact`` is a part of a name or e-mail, a link's id, or the last digits of a phone number. ``system`` is a
        CRM that has a copy.
        """
        with self._asking() as ask:
            return questions.tasks(ask, contact=contact, state=state, system=system)

    def views_of(self, tasks: Collection[str]) -> list[TaskView]:
        """Return those of these tasks that the ledger knows."""
        with self._asking() as ask:
            return questions.views_of(ask, tasks)

    def history(self, task: str) -> list[Event]:
        """Return one task's events, oldest first."""
        with self._asking() as ask:
            return questions.history(ask, task)

    def open_operations(self, task: str) -> list[Operation]:
        """Return one task's unsettled operations, and those that failed or were refused last."""
        with self._asking() as ask:
            return questions.open_operations(ask, task)

    def had_copy(self, task: str, system: str) -> bool:
        """Whether a copy of the task was ever known there, even if it was deleted from the ledger since."""
        with self._asking() as ask:
            return questions.had_copy(ask, task, system)

    def latest_intent(self, slot: tuple[str, str, Action]) -> datetime | None:
        """Return when the latest operation of a slot was stored, by our clock then; ``None`` if there was none."""
        with self._asking() as ask:
            return questions.latest_intent(ask, slot)

    def find(self, reference: str) -> str | None:
        """Return a task's id, given the id, an unambiguous prefix (6 characters or more), or ``system:remote id``."""
        with self._asking() as ask:
            return questions.find(ask, reference)

    def beginning_with(self, reference: str) -> list[TaskView]:
        """Return the tasks whose ids have this prefix (6 characters or more), by due date, without their copies."""
        with self._asking() as ask:
            return questions.beginning_with(ask, reference)

    def alarms_on(self) -> dict[str, Alarm]:
        """Return the active alarms by name, oldest first."""
        with self._asking() as ask:
            return questions.alarms_on(ask)

    def good_at(self) -> datetime | None:
        """Return when a run last ended with ``ok`` or ``partial``."""
        with self._asking() as ask:
            return questions.good_at(ask)

    def incidents(self, since: datetime) -> Incidents | None:
        """Return the incidents since then, or ``None`` if there were none."""
        with self._asking() as ask:
            return questions.incidents(ask, since)

    def counts(self) -> Counts:
        """Return how many tasks, copies, contacts and operations there are."""
        with self._asking() as ask:
            return questions.counts(ask)

    def cursors(self) -> dict[str, str]:
        """Return the cursors by name."""
        with self._asking() as ask:
            return questions.cursors(ask)

    def last_run(self) -> Run | None:
        """Return the run that began last, finished or not."""
        return next(iter(self.runs(1)), None)

    def runs(self, limit: int = 20, alive: Callable[[Owner], bool] = process_alive) -> list[Run]:
        """Return the last runs, newest first."""
        with self._asking() as ask:
            found = self._running(ask, alive)
            # In one view with the lease: a run that ended in between would seem to be broken off.
            return questions.recent_runs(ask, limit, None if found is None else found[1])

    def running(self, alive: Callable[[Owner], bool] = process_alive) -> Owner | None:
        """Return the process that runs the account now, or ``None``."""
        with self._asking() as ask:
            found = self._running(ask, alive)
        return None if found is None else found[0]

    def _running(self, ask: Ask, alive: Callable[[Owner], bool]) -> tuple[Owner, str | None] | None:
        """Return the current holder of the lease and its run, as far as this process can tell."""
        held = questions.lease(ask)
        if held is None or self._judge(alive).has_lost(held, current_owner(""), self._present(ask)):
            return None
        return holder_of(held), held.run
