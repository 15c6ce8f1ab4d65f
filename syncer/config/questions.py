"""What `syncer init` asks about each of the built-in CRMs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about one CRM: the key of its secret, where people find that, and what else it must be told."""

    title: str
    secret: str
    variable: str
    where: str
    more: Mapping[str, str] = field(default_factory=dict)


QUESTIONS: Final = {
    "superfone": Question(
        "Superfone",
        "api_key",
        "SUPERFONE_API_KEY",
        "the Enterprise API key that Superfone's team gives you (hello@superfone.in)",
    ),
    "reply": Question("Reply.io", "api_key", "REPLY_API_KEY", "in Reply, under Settings > API Key"),
    "highlevel": Question(
        "HighLevel",
        "token",
        "HIGHLEVEL_TOKEN",
        "the token of a private integration: Settings > Private Integrations",
        {"location_id": "the location's id, as in the address of its pages"},
    ),
}
