"""The content of the CRMs, read by the oracle from the sandboxes directly and not through their API."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from adapters.highlevel.sandbox_store import SandboxTask as HighLevelTask
from adapters.superfone.sandbox_store import SandboxTask as SuperfoneTask
from tests.simulation.account import USERS
from tests.simulation.stage import SimulationStage

MESSAGES = frozenset({"ManualEmail", "Sms", "WhatsApp", "LinkedIn"})
NAME = re.compile(r"#\d+!?")
WORDS = re.compile(r"words \d+")
LINE_END = re.compile(r"</p>|\r?\n")
CALLED = re.compile(r"#\d+!?(?: v\d+)?")


class SeenTask(NamedTuple):
    """One task in a CRM, including facts that its API does not return."""

    open: bool
    contact: str
    name: str | None
    due: datetime | None
    exclusive: bool
    created_at: datetime
    text: str
    title: str
    assignee: str
    """The user's name in the account file, else empty."""

    @property
    def words(self) -> str:
        """The part of the text that people change."""
        found = WORDS.search(self.text)
        return found[0] if found else ""

    def shown(self, field: str) -> object:
        """Return what it shows of a field, as people type it."""
        return {"due": self.due, "title": called(self.title), "body": self.words, "assignee": self.assignee}[field]


def tasks_of(stage: SimulationStage, system: str) -> dict[str, SeenTask]:
    """Return all tasks of a CRM by remote id, without deleted ones."""
    if system == "superfone":
        return {
            str(task.id): _in_superfone(task)
            for lead in stage.superfone.leads()
            for task in stage.superfone.tasks(lead.id)
        }
    if system == "reply":
        return {
            str(task.id): SeenTask(
                task.status == "New",
                str(task.contact_id),
                _name(task.template.get("body")),
                task.due_to,
                False,
                task.created_at,
                task.template.get("body") or "",
                LINE_END.split(task.template.get("body") or "")[0],
                USERS[system].get(str(task.assigned_user_id), ""),
            )
            for task in stage.reply.tasks()
        }
    return {task.id: _in_highlevel(task) for task in stage.highlevel.tasks() if not task.deleted}


# The oracle looks at all tasks at each write, and nearly all of them are as they were.


@lru_cache(4000)
def _in_superfone(task: SuperfoneTask) -> SeenTask:
    return SeenTask(
        task.open,
        str(task.lead),
        _name(f"{task.title or ''} {task.note or ''}"),
        task.due,
        task.type != "REMINDER",
        task.created_at,
        task.note or "",
        task.title or "",
        USERS["superfone"].get(str(task.assignee), ""),
    )


@lru_cache(4000)
def _in_highlevel(task: HighLevelTask) -> SeenTask:
    return SeenTask(
        not task.completed,
        task.contact or "",
        _name(task.title),
        datetime.fromisoformat(task.due) if task.due else None,
        False,
        task.added,
        task.body or "",
        task.title,
        USERS["highlevel"].get(task.assigned_to or "", ""),
    )


def contacts_of(stage: SimulationStage, system: str) -> dict[str, str]:
    """The phone number of every contact of a CRM, by remote id."""
    if system == "superfone":
        return {str(lead.id): lead.phones[0] for lead in stage.superfone.leads()}
    if system == "reply":
        return {str(contact.id): contact.fields["phone"] for contact in stage.reply.contacts()}
    return {contact.id: contact.phone for contact in stage.highlevel.contacts() if not contact.deleted}


def is_message(stage: SimulationStage, copy: tuple[str, str]) -> bool:
    """Whether completing this task would record a message that was never sent."""
    tasks = stage.reply.tasks() if copy[0] == "reply" else ()
    return any(str(task.id) == copy[1] and task.task_type in MESSAGES for task in tasks)


def is_read_only(stage: SimulationStage, copy: tuple[str, str]) -> bool:
    """Whether this is a task of a sequence, which the account file forbids us to complete."""
    tasks = stage.reply.tasks() if copy[0] == "reply" and stage.sequences == "read_only" else ()
    return any(str(task.id) == copy[1] and task.sequence_id is not None for task in tasks)


def called(title: str) -> str:
    """Return the part of a title that people change: the name and what follows it."""
    found = CALLED.search(title)
    return found[0] if found else ""


def is_for_customers(stage: SimulationStage, copy: tuple[str, str]) -> bool:
    """Whether the text of this task is sent to a customer: a message, or a task of a sequence."""
    tasks = stage.reply.tasks() if copy[0] == "reply" else ()
    mine = [task for task in tasks if str(task.id) == copy[1]]
    return any(task.task_type in MESSAGES or task.sequence_id is not None for task in mine)


@lru_cache(4000)
def _name(text: str | None) -> str | None:
    found = NAME.search(text or "")
    return found[0] if found else None
