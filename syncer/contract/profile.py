"""A CRM's description for ``syncer init`` and the documentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting that ``syncer init`` asks about, with the meaning of each value. The first value is the default."""

    setting: str
    question: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Credential:
    """One setting that opens the CRM. A ``secret`` one is never shown, and may be a reference such as ``env:NAME``."""

    setting: str
    words: str
    variable: str = ""
    secret: bool = True


@dataclass(frozen=True, slots=True)
class WayIn:
    """One way to be let in: its name, where its credentials are found, the credentials, and a sentence about them."""

    title: str
    where: str
    credentials: tuple[Credential, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Profile:
    """A CRM in words for the user who connects it.

    title                the CRM's name as people write it
    setting              the setting with the key or token
    variable             the environment variable that is suggested for the key
    where                where users find the key, as the end of the sentence "The key is …"
    key                  what the CRM calls the key
    other_ways           ways in that need other settings than the key
    permissions          the scopes that a run needs, by the CRM's names; empty if it has none
    contact_permissions  further scopes for ``create_missing_contacts``
    team_permissions     further scopes for `list_team`
    more                 other settings without a default, each with its meaning
    choices              settings that ``syncer init`` asks about
    shows_messages       whether message tasks are copied to this CRM by default: its users see what others send
    """

    title: str
    setting: str
    variable: str
    where: str
    permissions: tuple[str, ...] = ()
    contact_permissions: tuple[str, ...] = ()
    team_permissions: tuple[str, ...] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    choices: tuple[Choice, ...] = ()
    shows_messages: bool = False
    key: str = "key"
    other_ways: tuple[WayIn, ...] = ()

    @property
    def ways(self) -> tuple[WayIn, ...]:
        """All ways in, the key first."""
        return WayIn(self.key, self.where, (Credential(self.setting, self.key, self.variable),)), *self.other_ways
