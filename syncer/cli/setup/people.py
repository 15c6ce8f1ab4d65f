"""Match the users of several CRMs that are one person, by e-mail and name (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from syncer.contract.adapter import TeamMember

Teams = Mapping[str, Sequence[TeamMember]]
"""The users of each CRM that has a list of them."""


@dataclass(frozen=True, slots=True)
class Match:
    """One person: a name that is unique in the result, and the user ids by system."""

    name: str
    ids: Mapping[str, str]


def match(teams: Teams) -> tuple[list[Match], list[tuple[str, TeamMember]]]:
    """Match users by e-mail, else by name. Returns the persons, and the users without a match as (system, user).

    An e-mail or a name that two users of one CRM share matches nobody.
    """
    left = {system: list(members) for system, members in teams.items()}
    found: list[dict[str, TeamMember]] = []
    # E-mails first: two people may have the same name.
    for key in (_email, _name):
        for same in _groups(left, key):
            found.append(same)
            for system, member in same.items():
                left[system].remove(member)
    names = Counter(_called(same) for same in found)
    matches = []
    for same in found:
        name = _called(same)
        first = next(iter(same.values()))
        shown = name if names[name] == 1 else f"{name} ({first.email or first.id})"
        matches.append(Match(shown, {system: member.id for system, member in same.items()}))
    return matches, [(system, member) for system, members in left.items() for member in members]


def _groups(teams: Teams, key: Callable[[TeamMember], str]) -> list[dict[str, TeamMember]]:
    """Return users of several CRMs with the same key. In each CRM, no other user has this key."""
    by_key: dict[str, dict[str, TeamMember]] = {}
    for system, members in teams.items():
        numbers = Counter(key(member) for member in members)
        for member in members:
            if key(member) and numbers[key(member)] == 1:
                by_key.setdefault(key(member), {})[system] = member
    return [same for same in by_key.values() if len(same) > 1]


def _email(member: TeamMember) -> str:
    return member.email.strip().lower()


def _name(member: TeamMember) -> str:
    return " ".join(member.name.casefold().split())


def _called(same: Mapping[str, TeamMember]) -> str:
    return next((member.name for member in same.values() if member.name), next(iter(same.values())).id)
