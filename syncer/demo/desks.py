"""The actions of people in a simulated CRM, with the same verbs for all three, and what they see there."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final

from pydantic import ValidationError

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.reply.sandbox import ReplySandbox
from adapters.reply.words import TASK_TYPE
from adapters.sandbox import Sandbox
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.settings import StrictModel, parse_duration

LABELS: Final = {"superfone": "Superfone", "reply": "Reply.io", "highlevel": "HighLevel"}
UNTITLED: Final = "Call back about the offer"


class NotPossible(ValueError):
    """The action is not possible. The text says why, and what is possible."""


class NewContact(StrictModel):
    """Somebody is added to a CRM's contacts."""

    name: str
    phone: str | None = None
    email: str | None = None


class NewTask(StrictModel):
    """A task for one contact, given by id or name. HighLevel's tasks have no type."""

    contact: str
    title: str = UNTITLED
    type: str | None = None
    due: str = "1d"


class OneTask(StrictModel):
    """Something happens to the task with this id."""

    task: str


class ChangedTask(StrictModel):
    """Somebody moves a task to another due, gives it another title, or both."""

    task: str
    title: str | None = None
    due: str | None = None


VERBS: Final[Mapping[str, type[StrictModel]]] = {
    "add": NewContact,
    "create": NewTask,
    "edit": ChangedTask,
    "complete": OneTask,
    "reopen": OneTask,
    "cancel": OneTask,
    "delete": OneTask,
}


@dataclass(frozen=True, slots=True)
class DeskTask:
    """One task as the CRM's own screen shows it. A ``type`` or a ``due`` that is missing there is empty."""

    system: str
    id: str
    contact: str
    title: str
    type: str
    open: bool
    state: str
    due: str

    def as_json(self) -> dict[str, str]:
        shown = asdict(self)
        del shown["system"], shown["open"]
        return shown


class Desk(ABC):
    """One CRM, as the people who work in it see it."""

    system: ClassVar[str]
    types: tuple[str, ...] = ()
    sandbox: Sandbox

    @abstractmethod
    def contacts(self) -> dict[str, str]:
        """Names by id."""

    @abstractmethod
    def tasks(self) -> list[DeskTask]:
        """Every task, oldest first."""

    @abstractmethod
    def _add(self, new: NewContact) -> str: ...

    @abstractmethod
    def _create(self, contact: str, new: NewTask, due: datetime) -> str: ...

    @abstractmethod
    def _retitle(self, task: str, title: str) -> None: ...

    @abstractmethod
    def _reschedule(self, task: str, due: datetime) -> None: ...

    @abstractmethod
    def _change(self, verb: str, task: str) -> None: ...

    def understand(self, verb: str, fields: Mapping[str, Any], now: datetime) -> StrictModel:
        """The checked fields of a verb, with the contact's id and the due as an instant. Raises `NotPossible`."""
        asked = checked(verb, fields)
        if isinstance(asked, NewTask):
            return self._new_task(asked, now)
        if isinstance(asked, ChangedTask):
            return self._changed_task(asked, now)
        if isinstance(asked, OneTask):
            self._check_state(verb, self.task(asked.task))
        return asked

    def perform(self, verb: str, asked: StrictModel) -> str:
        """Carry out an action, and return the id of the contact or the task."""
        match asked:
            case NewContact():
                return self._add(asked)
            case NewTask():
                return self._create(asked.contact, asked, datetime.fromisoformat(asked.due))
            case ChangedTask():
                if asked.title:
                    self._retitle(asked.task, asked.title)
                if asked.due:
                    self._reschedule(asked.task, datetime.fromisoformat(asked.due))
                return asked.task
            case OneTask():
                self._change(verb, asked.task)
                return asked.task
        raise TypeError(verb)

    def task(self, task: str) -> DeskTask:
        """One task as it is now. Raises `NotPossible`."""
        for shown in self.tasks():
            if shown.id == task:
                return shown
        msg = f"{LABELS[self.system]} has no task {task}"
        raise NotPossible(msg)

    def _new_task(self, asked: NewTask, now: datetime) -> NewTask:
        if asked.type is not None and asked.type not in self.types:
            msg = f"{LABELS[self.system]} has these types of tasks: {', '.join(self.types) or 'none'}"
            raise NotPossible(msg)
        due = read_due(asked.due, now)
        # The instant and not "5h": a journal that is replayed later must give the same due.
        return asked.model_copy(update={"contact": self._contact(asked.contact), "due": due.isoformat()})

    def _changed_task(self, asked: ChangedTask, now: datetime) -> ChangedTask:
        self._check_state("edit", self.task(asked.task))
        if not (asked.title or asked.due):
            example = json.dumps({"task": asked.task, "due": "2d"})
            msg = f"an edit needs a title or a due, such as {example}"
            raise NotPossible(msg)
        due = read_due(asked.due, now).isoformat() if asked.due else None
        return asked.model_copy(update={"due": due})

    def _contact(self, name: str) -> str:
        contacts = self.contacts()
        if name in contacts:
            return name
        found = [contact for contact, known in contacts.items() if name.casefold() in known.casefold()]
        # Neither of two: a person at a screen would see which one it is.
        if len(found) != 1:
            people = ", ".join(contacts.values()) or "nobody"
            msg = f"{len(found)} contacts of {LABELS[self.system]} are called {name}; there are: {people}"
            raise NotPossible(msg)
        return found[0]

    def _check_state(self, verb: str, task: DeskTask) -> None:
        # The two others have no word for it: a task there is open, completed or deleted.
        if verb == "cancel" and self.system != "reply":
            msg = f"{LABELS[self.system]} has no cancelled tasks"
            raise NotPossible(msg)
        # A task can be deleted in any state, completed and cancelled only while it is open.
        must_be_open = verb != "reopen"
        if verb != "delete" and task.open is not must_be_open:
            msg = f"task {task.id} is {task.state}"
            raise NotPossible(msg)


class SuperfoneDesk(Desk):
    """People in Superfone. Their new task closes the lead's other ones.

    This is documented only of tasks that the API creates.
    """

    system = "superfone"

    def __init__(self, sandbox: SuperfoneSandbox) -> None:
        self.sandbox = self._crm = sandbox
        self.types = sandbox.allowed_types

    def contacts(self) -> dict[str, str]:
        return {str(lead.id): _name(lead.fields) for lead in self._crm.leads()}

    def tasks(self) -> list[DeskTask]:
        rows = [
            DeskTask(
                system=self.system,
                id=str(task.id),
                contact=contact,
                title=task.title or _first_line(task.note),
                type=task.type,
                open=task.open,
                state="PENDING" if task.open else "COMPLETE",
                due=_minute(task.due),
            )
            for lead, contact in self.contacts().items()
            for task in self._crm.tasks(lead)
        ]
        return sorted(rows, key=lambda row: int(row.id))

    def _add(self, new: NewContact) -> str:
        first, _, last = new.name.partition(" ")
        phones = [new.phone] if new.phone else []
        return str(self._crm.add_lead(first, phones, [new.email] if new.email else None, last_name=last or None))

    def _create(self, contact: str, new: NewTask, due: datetime) -> str:
        return str(self._crm.person_creates(contact, new.type or self.types[0], due, new.title))

    def _retitle(self, task: str, title: str) -> None:
        self._crm.person_retitles(task, title)

    def _reschedule(self, task: str, due: datetime) -> None:
        self._crm.person_reschedules(task, due)

    def _change(self, verb: str, task: str) -> None:
        match verb:
            case "complete":
                self._crm.person_completes(task)
            case "reopen":
                self._crm.person_reopens(task)
            case "delete":
                self._crm.person_deletes(task)


class ReplyDesk(Desk):
    """People in Reply. Their title becomes the task's body, because Reply's tasks have no title."""

    system = "reply"
    types = tuple(TASK_TYPE.names.values())

    def __init__(self, sandbox: ReplySandbox) -> None:
        self.sandbox = self._crm = sandbox

    def contacts(self) -> dict[str, str]:
        return {str(contact.id): contact.full_name for contact in self._crm.contacts()}

    def tasks(self) -> list[DeskTask]:
        contacts = self.contacts()
        return [
            DeskTask(
                system=self.system,
                id=str(task.id),
                contact=contacts.get(str(task.contact_id), ""),
                title=_first_line(task.template.get("body")),
                type=task.task_type,
                open=task.status == "New",
                state=task.status,
                due=_minute(task.due_to),
            )
            for task in self._crm.tasks()
        ]

    def _add(self, new: NewContact) -> str:
        return self._crm.add_contact(new.name, new.email, new.phone)

    def _create(self, contact: str, new: NewTask, due: datetime) -> str:
        return self._crm.person_creates(contact, new.type or "Call", due, new.title)

    def _retitle(self, task: str, title: str) -> None:
        body = next(str(one.template.get("body") or "") for one in self._crm.tasks() if str(one.id) == task)
        # The first line is what other CRMs call the title.
        _, line, rest = body.partition("\n")
        self._crm.person_edits_body(task, f"{title}{line}{rest}")

    def _reschedule(self, task: str, due: datetime) -> None:
        self._crm.person_reschedules(task, due)

    def _change(self, verb: str, task: str) -> None:
        match verb:
            case "complete":
                self._crm.person_completes(task)
            case "reopen":
                self._crm.person_reopens(task)
            case "cancel":
                self._crm.person_cancels(task)
            case "delete":
                self._crm.person_deletes(task)


class HighLevelDesk(Desk):
    """People in HighLevel."""

    system = "highlevel"

    def __init__(self, sandbox: HighLevelSandbox) -> None:
        self.sandbox = self._crm = sandbox

    def contacts(self) -> dict[str, str]:
        return {contact.id: contact.name for contact in self._crm.contacts() if not contact.deleted}

    def tasks(self) -> list[DeskTask]:
        contacts = self.contacts()
        return [
            DeskTask(
                system=self.system,
                id=task.id,
                contact=contacts.get(task.contact or "", ""),
                title=task.title,
                type="",
                open=not task.completed,
                state="completed" if task.completed else "open",
                due=_minute(task.due) if task.due else "",
            )
            for task in self._crm.tasks()
            if not task.deleted
        ]

    def _add(self, new: NewContact) -> str:
        first, _, last = new.name.partition(" ")
        return self._crm.add_contact(first, last, new.email or "", new.phone or "")

    def _create(self, contact: str, new: NewTask, due: datetime) -> str:
        return self._crm.person_creates(contact, new.title, due)

    def _retitle(self, task: str, title: str) -> None:
        self._crm.person_retitles(task, title)

    def _reschedule(self, task: str, due: datetime) -> None:
        self._crm.person_reschedules(task, due)

    def _change(self, verb: str, task: str) -> None:
        match verb:
            case "complete":
                self._crm.person_completes(task)
            case "reopen":
                self._crm.person_reopens(task)
            case "delete":
                self._crm.person_deletes(task)


def checked(verb: str, fields: Mapping[str, Any]) -> StrictModel:
    """The fields of a verb. Raises `NotPossible` with all errors."""
    model = VERBS.get(verb)
    if model is None:
        msg = f"people can {', '.join(VERBS)}; not {verb}"
        raise NotPossible(msg)
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False)]
        msg = f"{'; '.join(wrong)}; {verb} takes {', '.join(model.model_fields)}"
        raise NotPossible(msg) from None


def read_due(text: str, now: datetime) -> datetime:
    """``"5h"`` is five hours from now; anything else is an instant. Cut to the second, as people type it."""
    try:
        return (now + parse_duration(text)).replace(microsecond=0)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        msg = f'a due is a time from now such as "5h", or an instant such as "{now + timedelta(days=1):%FT%H:%MZ}"'
        raise NotPossible(msg) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _name(fields: Mapping[str, Any]) -> str:
    return " ".join(str(fields[part]) for part in ("first_name", "last_name") if fields.get(part))


def _minute(due: datetime | str) -> str:
    moment = datetime.fromisoformat(due) if isinstance(due, str) else due
    return f"{moment.astimezone(UTC):%F %H:%MZ}"


def _first_line(text: object) -> str:
    return str(text or "").strip().partition("\n")[0]
