"""The ``[superfone]`` table of an account file, and what Superfone can do with these settings."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final, Literal

from adapters.superfone.types import CREATABLE, TaskType, exclusive_kinds
from adapters.text import same_text_value
from syncer.contract.adapter import Capabilities, Completes, LanePolicy, ListsTasks
from syncer.contract.profile import Choice, Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, Duration, Rate, Rates, Secret
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


class SuperfoneSettings(ConnectionSettings):
    """The settings of one Superfone account.

    discovery      whose leads are watched: those of all contacts, or of contacts that have a task
    slot           whether a waiting task replaces a copy of ours that is due later
    superseded     what it means if a task is closed because people created another: nothing, or that it is done
    reschedule     whether a copy of ours is replaced if its due changes
    todo_type      Superfone's type for to-dos
    lead_recheck   a phone number without a lead is looked up again after this time
    """

    profile: ClassVar[Profile] = Profile(
        title="Superfone",
        setting="api_key",
        variable="SUPERFONE_API_KEY",
        where="the Enterprise API key that Superfone's team gives you (hello@superfone.in)",
        choices=(
            Choice(
                "superseded",
                "In Superfone a lead has one open task. If somebody creates a new one, Superfone closes the old one. "
                "What does that mean for the old task?",
                {
                    "keep": "it is still to be done: it stays open elsewhere, and is created again after the new one",
                    "complete": "it is done: it is completed elsewhere too",
                },
            ),
        ),
    )

    api_key: Secret
    base_url: BaseUrl = "https://prod-api.superfone.co.in/superfone"
    discovery: Literal["contacts", "linked"] = "contacts"
    slot: Literal["earliest_due", "hold"] = "earliest_due"
    superseded: Literal["keep", "complete"] = "keep"
    # Superfone closes the old tasks while it creates the new one. With a longer window, more of what people really
    # finished just before creating another task would count as superseded.
    supersede_window: Duration = timedelta(seconds=2)
    reschedule: Literal["replace", "keep"] = "replace"
    # A reminder closes nothing, so a to-do does not take the only place of a lead.
    todo_type: TaskType = "REMINDER"
    # Each number without a lead costs a request, and Superfone documents no limit for them.
    lead_recheck: Duration = timedelta(hours=24)
    # Superfone documents no limit: a careful default.
    rate: Rates = (Rate(5, 1.0),)


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
