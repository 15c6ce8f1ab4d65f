"""The ``[superfone]`` table of an account file."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Literal

from adapters.superfone.types import TaskType
from syncer.contract.profile import Choice, Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, Duration, Rate, Rates, Secret


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
    # Superfone shows a superseded task as complete. Taken for done, it would close work elsewhere that nobody has done.
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
