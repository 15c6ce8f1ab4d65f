"""What Superfone can do with the settings of an account."""

from __future__ import annotations

from typing import Final

from adapters.superfone.settings import SuperfoneSettings
from adapters.superfone.types import CREATABLE, exclusive_kinds
from adapters.text import same_text_value
from syncer.contract.adapter import Capabilities, Completes, LanePolicy, ListsTasks
from syncer.domain.fields import TaskField
from syncer.domain.model import Kind

NOTES: Final = {
    "create": "Creating a task closes the lead's other open tasks, except reminders. A new reminder closes nothing.",
    "title": "Superfone takes no title. Title and text become a note on the lead's timeline.",
    "assignee": "A task is assigned to the person to whom the lead is assigned.",
    "edits": "Tasks cannot be changed. If the due date of our copy changes, the copy is replaced by a new one.",
    "contacts": "Superfone has no list of leads. They are found by the phone numbers of the other CRMs' contacts.",
    "rate": "Superfone documents no request limit. The default of superfone.rate is a careful guess.",
}


def capabilities_of(settings: SuperfoneSettings) -> Capabilities:
    """What Superfone can do with these settings."""
    return Capabilities(
        lists_tasks=ListsTasks.PER_CONTACT,
        completes=Completes.TOP_OF_LANE,
        creates=CREATABLE,
        # *complete* names neither a task nor a type, so there is no kind that it could refuse.
        completes_kinds=frozenset(Kind),
        exclusive=exclusive_kinds(settings.todo_type),
        lane=LanePolicy(
            replace_later=settings.slot == "earliest_due",
            superseded_is_done=settings.superseded == "complete",
            supersede_window=settings.supersede_window,
            reschedules=settings.reschedule == "replace",
        ),
        gets_task=False,
        reads_marker=False,
        lists_contacts=False,
        contact_keys=("phone",),
        contact_recheck=settings.lead_recheck,
        watches_all_contacts=settings.discovery == "contacts",
        # Title and text become a note that no call returns: nothing to compare, and nothing to wait for.
        shows=frozenset({TaskField.DUE}),
        same=same_text_value,
        notes=dict(NOTES),
    )
