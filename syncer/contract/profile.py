"""What people are told and asked about a CRM before there is a connection to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Choice:
    """A setting on which people's work depends: a question in words of that work, and what each value means.

    The first value is the default.
    """

    setting: str
    question: str
    answers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Profile:
    """A CRM, in words for whoever connects it: ``syncer init`` asks from this, the documentation follows it.

    ``title`` is the CRM's name as people write it. ``setting`` is the setting that holds the key or token,
    ``variable`` the environment variable that is proposed for it, ``where`` the place where people find it, as the end
    of the sentence "The key is …". ``permissions`` are the scopes that a run needs, in the CRM's own words, empty where
    it has none; ``contact_permissions`` those that ``create_missing_contacts`` needs besides, ``team_permissions``
    those that `list_team` needs. ``more`` has the other keys of the table that have no default, each with what it
    means. ``choices`` are settings that ``syncer init`` asks about. ``shows_messages`` says that tasks to write mails,
    SMS and the like go there where ``[routes]`` is silent: a CRM whose people see what is sent from another one.
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
