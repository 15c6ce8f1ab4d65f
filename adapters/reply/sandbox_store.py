"""The tasks and contacts of the Reply sandbox, and how the API shows them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.reply.wire import instant
from adapters.reply.words import CREATION_SOURCE, LINKEDIN_TYPE, STATUS, TASK_TYPE, Dialect, Vocabulary

_VARIABLE: Final = re.compile(r"\{\{\s*+(\w*+)\s*+\}\}")
CONTACT_FIELDS: Final = ("firstName", "lastName", "email", "phone", "title", "company", "linkedInUrl", "timeZoneId")
_DELIVERY: Final = {
    "ManualEmail": ("email", "email"),
    "Call": ("phoneNumber", "phone"),
    "Sms": ("phoneNumber", "phone"),
    "LinkedIn": ("linkedInUrl", "linkedInUrl"),
}


@dataclass(slots=True)
class SandboxContact:
    """One contact; the keys of ``fields`` are Reply's own."""

    id: int
    fields: dict[str, Any]

    @classmethod
    def with_fields(cls, contact_id: int, given: Mapping[str, Any]) -> SandboxContact:
        """A contact with the fields that Reply has, and no others."""
        return cls(contact_id, {name: given.get(name) for name in CONTACT_FIELDS})

    @property
    def full_name(self) -> str:
        names = (self.fields.get("firstName"), self.fields.get("lastName"))
        return " ".join(str(name) for name in names if name)

    def shown(self) -> dict[str, Any]:
        """The contact as the calls for contacts return it."""
        return {"id": self.id, **self.fields}

    def has(self, term: str) -> bool:
        """Whether a search for this text finds the contact."""
        return any(term.casefold() in str(value).casefold() for value in self.fields.values() if value)


@dataclass(slots=True)
class SandboxTask:
    """One task, with Reply's words for enumerations. ``resolution`` is the call resolution of its completion."""

    id: int
    task_type: str
    start_at: datetime
    due_to: datetime
    created_at: datetime
    assigned_user_id: int
    status: str = "New"
    contact_id: int | None = None
    template: dict[str, Any] = field(default_factory=dict)
    creation_source: str = "User"
    linkedin_type: str | None = None
    sequence_id: int | None = None
    sequence_step_id: int | None = None
    finished_at: datetime | None = None
    is_failed: bool = False
    is_scheduled: bool = False
    resolution: str | None = None
    every: timedelta | None = None

    def finish(self, now: datetime, contact: SandboxContact | None) -> None:
        """Complete the task. Its template is rendered, and the raw template is lost.

        Recurring tasks are not documented. Here they stay new, and their dates move on by ``every``.
        """
        if self.every is not None:
            self.start_at, self.due_to = self.start_at + self.every, self.due_to + self.every
            return
        self.status = "Finished"
        self.finished_at = now
        # So the text of a task changes when it is finished, and no person has edited it.
        self.template = {**self.template, **rendered(self.template, contact)}

    def row(self, dialect: Dialect, contact: SandboxContact | None) -> dict[str, Any]:
        """The task as a list returns it."""
        return {
            **self._common(dialect),
            # A row of a list has no text, no creation time and no `contactId`.
            "contact": {"id": contact.id, "fullName": contact.full_name} if contact else None,
        }

    def whole(self, dialect: Dialect, contact: SandboxContact | None, *, content: bool = False) -> dict[str, Any]:
        """The task as every other call returns it."""
        target, source = _DELIVERY.get(self.task_type, ("", ""))
        shown = contact.fields.get(source) if contact else None
        return {
            **self._common(dialect),
            "creationSource": CREATION_SOURCE.write(self.creation_source, dialect),
            "createdAt": instant(self.created_at),
            # A failed execution is finished, too, and nobody has done the task.
            "isFailed": self.is_failed,
            "contactId": self.contact_id,
            "sequenceStepDisplayName": f"Step {self.sequence_step_id}" if self.sequence_step_id else None,
            "template": self.template,
            "content": rendered(self.template, contact) if content else None,
            "deliveryInfo": {"email": None, "phoneNumber": None, "linkedInUrl": None, target: shown}
            if target
            else None,
        }

    def _common(self, dialect: Dialect) -> dict[str, Any]:
        return {
            "id": self.id,
            "taskType": _word(TASK_TYPE, self.task_type, dialect),
            "status": _word(STATUS, self.status, dialect),
            "linkedInTaskType": LINKEDIN_TYPE.write(self.linkedin_type, dialect) if self.linkedin_type else None,
            "assignedUserId": self.assigned_user_id,
            "startAt": instant(self.start_at),
            "dueTo": instant(self.due_to),
            "finishedAt": instant(self.finished_at) if self.finished_at else None,
            "isScheduled": self.is_scheduled,
            "sequenceId": self.sequence_id,
            "sequenceStepId": self.sequence_step_id,
        }


def _word(vocabulary: Vocabulary, name: str, dialect: Dialect) -> int | str:
    """A word in the dialect. An undocumented word stays as it is."""
    if vocabulary.read(name) == name:
        return vocabulary.write(name, dialect)
    return int(name) if name.isdigit() else name


def rendered(template: dict[str, Any], contact: SandboxContact | None) -> dict[str, Any]:
    """Body and subject, with ``{{variables}}`` replaced by the contact's fields."""
    fields = {name.casefold(): value for name, value in contact.fields.items()} if contact else {}

    def filled(text: str | None) -> str | None:
        return text and _VARIABLE.sub(lambda found: str(fields.get(found[1].casefold()) or ""), text)

    return {name: filled(template.get(name)) for name in ("body", "subject")}
