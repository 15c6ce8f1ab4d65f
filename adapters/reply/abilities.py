"""What Reply can do with the settings of an account."""

from __future__ import annotations

from typing import Final

from adapters.reply.edits import EDITS, TEXTS, same_in_reply
from adapters.reply.settings import ReplySettings
from syncer.contract.adapter import Capabilities, Completes, ListsTasks
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind

PAGE: Final = 1000
"""The most rows of a page."""
NOTES: Final = {
    "start": "Reply requires a start; ours is now, or a minute before a due that has passed, and is never copied",
    "assignee": "a created task belongs to the key's user, because create and update take no assignee",
    "title": "a task's title is the first line of its text",
    "edits": "an edit replaces the whole task; the text of a message, or of a sequence's task, is never changed",
    "texts": "lists have no texts; texts are read again in turn, with 5 % of the requests",
    "contacts": "found by e-mail; phone numbers are compared with the contact list",
    "events": "Reply sends no events about tasks",
}


def capabilities_of(settings: ReplySettings) -> Capabilities:
    """What Reply can do with these settings."""
    return Capabilities(
        lists_tasks=ListsTasks.ALL,
        completes=Completes.TASK,
        creates=frozenset(Kind),
        completes_kinds=frozenset(settings.complete_kinds),
        completes_sequences=settings.sequence_tasks == "sync",
        contact_keys=("email",),
        contacts_page=PAGE,
        shows=frozenset(TaskField),
        edits=EDITS,
        sequence_keeps=TEXTS,
        same=same_in_reply,
        lists_texts=False,
        notes=NOTES,
    )
