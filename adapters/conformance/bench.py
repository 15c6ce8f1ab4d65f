"""What a trial works with: an adapter, the sandbox behind it, and the actions of people in that sandbox."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from adapters.sandbox import Call, Sandbox
from syncer.contract.adapter import Adapter
from syncer.domain.model import Kind


@dataclass(frozen=True, slots=True)
class Shown:
    """A task as the CRM itself has it, known without the adapter. ``text`` is all that people can read of it.

    A ``due`` that is a day is what ``capabilities.dues.of_day`` makes of it. ``assignee`` is a user's id.
    """

    contact: str
    open: bool
    due: datetime | None
    text: str
    assignee: str | None = None


class Bench(ABC):
    """One adapter in front of one empty sandbox.

    ``secrets`` are the keys that the adapter was given. ``state_field`` is the JSON field by which the CRM says
    whether a task is open; ``open_states``, ``done_states`` and ``cancelled_states`` are the values that its
    documentation has; ``strange_states`` are values that it does not have. ``throttled_for`` is how many seconds the
    sandbox's 429 asks to wait, and 0 where it does not say. ``page`` is the
    most rows that the sandbox puts on one page of tasks or contacts, and 0 where the CRM has no pages: make it small.
    ``no_task`` and ``no_contact`` are well-formed ids that nothing has.

    What a CRM does not have is left empty, and its trials are skipped. ``type_field`` is the JSON field with a task's
    type, and ``strange_types`` are values that the documentation does not have. ``contact_fields`` are the fields that
    name the contact in the list of all tasks. ``deleted_field`` is true in deleted tasks that are still sent. ``user``
    is the id of a user to whom tasks can be assigned.

    ``keys`` are the keys that a contact can have. ``key_in_address`` is true if the CRM accepts its API key in the
    address only. Then the key gets into the logs of every server on the way.
    """

    state_field: str
    open_states: tuple[object, ...]
    done_states: tuple[object, ...]
    cancelled_states: tuple[object, ...] = ()
    strange_states: tuple[object, ...] = ("frobnicated", 77, None)
    throttled_for: float = 0
    page: int = 0
    no_task: str = "99999999"
    no_contact: str = "99999999"
    type_field: str = ""
    strange_types: tuple[object, ...] = ("frobnicated",)
    contact_fields: tuple[str, ...] = ()
    deleted_field: str = ""
    user: str = ""
    keys: tuple[str, ...] = ("email", "phone")
    key_in_address: bool = False

    def __init__(self, adapter: Adapter, sandbox: Sandbox, *, secrets: tuple[str, ...]) -> None:
        self.adapter = adapter
        self.sandbox = sandbox
        self.secrets = secrets

    @abstractmethod
    def add_contact(self, name: str, email: str, phone: str) -> str:
        """Somebody adds a contact with these keys, which are stored as given. Returns its id."""

    @abstractmethod
    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:
        """Somebody adds an open task, which closes no other one. Returns its id. The due is kept as the CRM can."""

    @abstractmethod
    def complete(self, task: str) -> None:
        """Somebody completes a task."""

    @abstractmethod
    def tasks(self) -> Mapping[str, Shown]:
        """Every task that is there, by id."""

    def reopen(self, task: str) -> None:
        """A person reopens a completed task. Do not override this if the CRM cannot do it."""
        raise NotImplementedError

    def delete(self, task: str) -> None:
        """A person deletes a task. Do not override this if the CRM cannot do it."""
        raise NotImplementedError

    def add_task_of_day(self, contact: str, day: date, title: str) -> str:
        """Somebody adds an open task that is due on a day, without a time. Do not override this if no due is a day."""
        raise NotImplementedError

    @property
    def calls(self) -> list[Call]:
        """Every request that arrived, oldest first."""
        return [call for call, _status in self.sandbox.calls]

    @property
    def writes(self) -> list[Call]:
        """The requests that would change something."""
        return [call for call in self.calls if self.sandbox.is_write(call)]

    def open_tasks(self) -> set[str]:
        """Return the ids of the open tasks."""
        return {task for task, shown in self.tasks().items() if shown.open}
