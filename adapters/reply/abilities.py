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
    "start": "Reply requires a start time. Tasks created by syncer start at once; this time is not copied elsewhere.",
    "assignee": "Tasks created by syncer belong to the user of the key, because Reply's API takes no assignee.",
    "title": "Reply has no titles. The first line of a task's text is its title.",
    "edits": "The text of a message, or of a task of a sequence, is never changed.",
    "texts": "Reply's lists have no texts. Texts are read again one after the other, with 5 % of the requests.",
    "contacts": "Reply is searched by e-mail. Phone numbers are compared with its list of contacts.",
    "events": "Reply sends no events about tasks, so a change there is seen in the next run.",
}


def capabilities_of(settings: ReplySettings) -> Capabilities:
    """What Reply can do with these settings."""
    return Capabilities(
        lists_tasks=ListsTasks.ALL,
        completes=Completes.TASK,
        # Every kind has one of Reply's types: see `TYPES` in `mapping`.
        creates=frozenset(Kind),
        # Fewer than it creates: a completed message counts as sent, whether anybody sent it or not.
        completes_kinds=frozenset(settings.complete_kinds),
        completes_sequences=settings.sequence_tasks == "sync",
        # No call searches by phone. The ledger keeps an index of the numbers in the list of contacts.
        contact_keys=("email",),
        contacts_page=PAGE,
        shows=frozenset(TaskField),
        edits=EDITS,
        sequence_keeps=TEXTS,
        same=same_in_reply,
        lists_texts=False,
        notes=NOTES,
    )
