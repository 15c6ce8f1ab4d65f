"""The content of a simulated Superfone account, its rules, and the actions of people."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapters.superfone.types import REMINDER

API_USER: Final = 1
PERSON: Final = 678
_FIRST: Final = datetime.min.replace(tzinfo=UTC) + timedelta(days=1)
"""The earliest due from which ten minutes can be subtracted."""


@dataclass(frozen=True, slots=True)
class SandboxLead:
    """A lead. The first of ``phones`` is the primary number."""

    id: int
    phones: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    fields: Mapping[str, Any]
    assignee: int | None = PERSON


@dataclass(frozen=True, slots=True)
class SandboxTask:
    """A task. ``note`` is the ``customer_note`` of its creation; no call returns it."""

    id: int
    lead: int
    type: str
    due: datetime
    notify_at: datetime
    created_by: int
    created_at: datetime
    updated_at: datetime
    updated_by: int | None = None
    title: str | None = None
    note: str | None = None
    assignee: int | None = PERSON
    open: bool = True

    @property
    def order(self) -> tuple[datetime, int]:
        """A sort key: greater is newer. The order within one millisecond is undocumented."""
        return (self.created_at, self.id)


class Organisation:
    """Leads and their tasks. ``clock`` is Superfone's. Instants are kept to the millisecond.

    ``auto_complete`` is the documented rule that a new task closes the lead's other non-reminders. ``sibling_actor``
    tells whether a task that was closed so has the user who created the new one; this is undocumented.
    """

    def __init__(self, clock: Callable[[], datetime], *, first_lead: int, first_task: int) -> None:
        self.clock = clock
        self.auto_complete = True
        self.sibling_actor = True
        self._next_lead = first_lead
        self._next_task = first_task
        self._leads: dict[int, SandboxLead] = {}
        self._tasks: dict[int, dict[int, SandboxTask]] = {}
        self._lead_of: dict[int, int] = {}
        self._by_phone: dict[str, int] = {}

    def add_lead(
        self,
        first_name: str | None = None,
        phones: tuple[str, ...] | list[str] = (),
        emails: tuple[str, ...] | list[str] | None = None,
        *,
        last_name: str | None = None,
        assignee: int | None = PERSON,
    ) -> int:
        """A person adds a lead; its id."""
        fields = {"first_name": first_name, "last_name": last_name, "email": list(emails) if emails else None}
        return self.insert_lead(tuple(phones), fields, assignee)

    def person_creates(
        self,
        lead: int | str,
        type: str,  # noqa: A002
        due: datetime,
        title: str | None = None,
        by: int = PERSON,
        *,
        closes_others: bool = True,
    ) -> int:
        """A person or an automation creates a task; returns its id. It is undocumented whether this closes others."""
        task = self.insert_task(int(lead), type, due, title=title, by=by)
        if closes_others:
            self.supersede(task)
        return task.id

    def person_completes(self, task: int | str, by: int = PERSON) -> None:
        """A person completes this one task."""
        self.touch(int(task), by, open=False)

    def person_reschedules(self, task: int | str, due: datetime, by: int = PERSON) -> None:
        """A person moves a task's due."""
        self.touch(int(task), by, due=to_millisecond(due))

    def person_retitles(self, task: int | str, title: str | None, by: int = PERSON) -> None:
        """A person gives a task a title."""
        self.touch(int(task), by, title=title)

    def person_assigns(self, task: int | str, user: int | None, by: int = PERSON) -> None:
        """A person assigns a task to a colleague, or to nobody."""
        self.touch(int(task), by, assignee=user)

    def person_reopens(self, task: int | str, by: int = PERSON) -> None:
        """A person opens a completed task again."""
        self.touch(int(task), by, open=True)

    def person_deletes(self, task: int | str) -> None:
        """A person deletes a task: it is in no list any more."""
        del self._tasks[self._lead_of.pop(int(task))][int(task)]

    def person_deletes_lead(self, lead: int | str) -> None:
        """A person deletes a lead with its tasks. Another lead may get its number."""
        gone = self._leads.pop(int(lead))
        for task in self._tasks.pop(gone.id):
            del self._lead_of[task]
        self._by_phone = {phone: holder for phone, holder in self._by_phone.items() if holder != gone.id}

    def person_renumbers_lead(self, lead: int | str, phones: Iterable[str]) -> None:
        """A person gives a lead these numbers, the primary one first. Other leads lose them."""
        numbers = tuple(phones)
        for other in list(self._leads.values()):
            kept = numbers if other.id == int(lead) else tuple(phone for phone in other.phones if phone not in numbers)
            if kept != other.phones:
                self._leads[other.id] = replace(other, phones=kept, updated_at=self.now())
        held = {phone: holder for phone, holder in self._by_phone.items() if holder != int(lead)}
        self._by_phone = {**held, **dict.fromkeys(numbers, int(lead))}

    def leads(self) -> tuple[SandboxLead, ...]:
        """Every lead, oldest first."""
        return tuple(self._leads.values())

    def task(self, task: int | str) -> SandboxTask:
        """One task as it is now; raises `KeyError`."""
        return self._tasks[self._lead_of[int(task)]][int(task)]

    def tasks(self, lead: int | str) -> tuple[SandboxTask, ...]:
        """A lead's tasks, newest first."""
        # By creation and not by change, as documented: what is closed later does not move to the first page.
        return tuple(sorted(self._tasks[int(lead)].values(), key=lambda task: task.order, reverse=True))

    def open_tasks(self, lead: int | str) -> tuple[SandboxTask, ...]:
        """A lead's open tasks, newest first."""
        return tuple(task for task in self.tasks(lead) if task.open)

    def supersede(self, task: SandboxTask) -> None:
        """Close the lead's other non-reminders at the instant in which this one was created."""
        # Documented: reminders are independent. That creating one closes nothing is the natural reading.
        if not self.auto_complete or task.type == REMINDER:
            return
        for sibling in list(self._siblings(task)):
            # Nothing in the task tells that nobody did it: it looks like one that a person completed.
            actor = task.created_by if self.sibling_actor else sibling.updated_by
            closed = replace(sibling, open=False, updated_at=task.created_at, updated_by=actor)
            self._tasks[task.lead][sibling.id] = closed

    def _siblings(self, task: SandboxTask) -> Iterator[SandboxTask]:
        for other in self._tasks[task.lead].values():
            if other.open and other.type != REMINDER and other.id != task.id:
                yield other

    def lead(self, lead: int | str) -> SandboxLead:
        """One lead as it is now; raises `KeyError`."""
        return self._leads[int(lead)]

    def lead_by_phone(self, phone: str) -> SandboxLead | None:
        """The lead with exactly this primary or secondary number."""
        lead = self._by_phone.get(phone)
        return None if lead is None else self._leads[lead]

    def has_lead(self, lead: int) -> bool:
        """Whether the account has this lead."""
        return lead in self._leads

    def insert_lead(self, phones: tuple[str, ...], fields: Mapping[str, Any], assignee: int | None) -> int:
        """Add a lead and return its id, which is greater than all before."""
        now = self.now()
        lead = SandboxLead(self._next_lead, phones, now, now, fields, assignee)
        self._next_lead += 1
        self._leads[lead.id] = lead
        self._tasks[lead.id] = {}
        for phone in phones:
            # Undocumented: which of two leads with one number is found. Here it is the older one.
            self._by_phone.setdefault(phone, lead.id)
        return lead.id

    def update_lead(self, lead: SandboxLead, fields: Mapping[str, Any]) -> SandboxLead:
        """Overwrite these fields of a lead."""
        updated = replace(lead, fields={**lead.fields, **fields}, updated_at=self.now())
        self._leads[lead.id] = updated
        return updated

    def insert_task(
        self,
        lead: int,
        raw_type: str,
        due: datetime,
        *,
        by: int = API_USER,
        title: str | None = None,
        notify_at: datetime | None = None,
        note: str | None = None,
    ) -> SandboxTask:
        """Add a task with the lead's assignee. Its id is greater than all before. It does not close other tasks yet."""
        now, due = self.now(), to_millisecond(due)
        notify_at = notify_at or _default_notify(raw_type, due, now)
        # No call takes an assignee.
        assignee = self._leads[lead].assignee
        task = SandboxTask(
            self._next_task, lead, raw_type, due, notify_at, by, now, now, title=title, note=note, assignee=assignee
        )
        # Ids that grow tell which of two tasks of one instant is newer. The engine relies on that.
        self._next_task += 1
        self._tasks[lead][task.id] = task
        self._lead_of[task.id] = lead
        return task

    def touch(self, task: int, by: int, **changes: Any) -> SandboxTask:
        """Change a task as user ``by``."""
        changed = replace(self.task(task), updated_at=self.now(), updated_by=by, **changes)
        self._tasks[changed.lead][task] = changed
        return changed

    def now(self) -> datetime:
        """Superfone's time, to the millisecond."""
        return to_millisecond(self.clock())


def _default_notify(raw_type: str, due: datetime, now: datetime) -> datetime:
    """The documented defaults: reminders at their due, first calls at once, others ten minutes before their due."""
    if raw_type == REMINDER:
        return due
    return now if raw_type == "FIRST_CALL" else max(due, _FIRST) - timedelta(minutes=10)


def to_millisecond(moment: datetime) -> datetime:
    """An instant as Superfone keeps it: in UTC, cut to the millisecond."""
    utc = moment.astimezone(UTC)
    # Instants come back with milliseconds, so what was sent must not be compared as text.
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000)
