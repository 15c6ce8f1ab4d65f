"""What HighLevel can do. No setting of an account changes it."""

from __future__ import annotations

from typing import Final

from adapters.highlevel.paging import CONTACT_PAGE
from adapters.text import same_text_value
from syncer.contract.adapter import Capabilities, Completes, ListsTasks
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind

NOTES: Final = {
    "types": "HighLevel's tasks have no type. highlevel.kind_rules decide by the title, else default_kind.",
    "search": "HighLevel's search lags by some seconds. A change there may be seen one run later.",
    "contacts": "A task without a contact cannot be changed through the API, so it is not synced.",
    "phones": "The API returns only a contact's first phone number.",
    "rate": "100 requests in 10 seconds and 200,000 a day for each location, shared with other programs.",
}

CAPABILITIES: Final = Capabilities(
    lists_tasks=ListsTasks.ALL,
    completes=Completes.TASK,
    # Tasks have no type, so every kind fits: its label or its title tells people what it is.
    creates=frozenset(Kind),
    completes_kinds=frozenset(Kind),
    # A kind that is read here is only a guess by the title, and must not win against the kind of the origin.
    has_kinds=False,
    listing_lags=True,
    whole_contact_lists=True,
    contacts_page=CONTACT_PAGE,
    shows=frozenset(TaskField),
    edits=dict.fromkeys(TaskField, frozenset(Kind)),
    same=same_text_value,
    notes=dict(NOTES),
)
