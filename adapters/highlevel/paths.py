"""The paths of HighLevel's API (pure)."""

from __future__ import annotations

from urllib.parse import quote

from syncer.domain.model import TaskRef


def path_of(contact: str) -> str:
    """A contact's path."""
    return f"/contacts/{quote(contact, safe='')}"


def tasks_of(contact: str) -> str:
    """The path of a contact's tasks."""
    return f"{path_of(contact)}/tasks"


def task_of(ref: TaskRef) -> str:
    """A task's path, which contains its contact."""
    # There is no other path: a task without a contact can neither be read by itself nor changed.
    return f"{tasks_of(ref.contact)}/{quote(ref.remote_id, safe='')}"
