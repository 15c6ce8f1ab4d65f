"""Where things are in HighLevel's API (pure)."""

from __future__ import annotations

from urllib.parse import quote

from syncer.domain.model import TaskRef


def path_of(contact: str) -> str:
    """A contact's path."""
    return f"/contacts/{quote(contact, safe='')}"


def tasks_of(contact: str) -> str:
    """Where a contact's tasks are listed and made."""
    return f"{path_of(contact)}/tasks"


def task_of(ref: TaskRef) -> str:
    """A task's path, which has its contact in it."""
    return f"{tasks_of(ref.contact)}/{quote(ref.remote_id, safe='')}"
