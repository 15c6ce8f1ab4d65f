"""What of an account file cannot work though it is well formed: routes and people, compared with the CRMs (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.contract.adapter import Capabilities, TeamMember

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class Doubt:
    """A dotted key of the account file, and what is wrong with what it says."""

    key: str
    words: str


def doubts(
    account: Account, capabilities: Mapping[str, Capabilities], teams: Mapping[str, Sequence[TeamMember]]
) -> list[Doubt]:
    """Everything that does no harm and no good. ``teams`` has the CRMs that told theirs."""
    return [*_routes(account, capabilities), *_people(account, teams)]


def _routes(account: Account, capabilities: Mapping[str, Capabilities]) -> Iterator[Doubt]:
    for kind, system in account.routes_off:
        yield Doubt(f"routes.{kind.value}", f"{label_of(system)} is not connected: this file has no table [{system}]")
    for system, can in capabilities.items():
        chosen = [kind for kind in account.routes if kind in account.chosen_routes]
        lost = [kind.value for kind in chosen if system in account.routes[kind] and kind not in can.creates]
        if lost:
            words = (
                f"{label_of(system)} cannot show {', '.join(lost)}, so such tasks wait there forever (not_supported)"
            )
            yield Doubt("routes", f"{words}; leave {system} out of these routes")


def _people(account: Account, teams: Mapping[str, Sequence[TeamMember]]) -> Iterator[Doubt]:
    for user in account.users:
        on = [system for system in user.ids if system in account.connections]
        if len(on) < 2:
            where = f"only in {label_of(on[0])}" if on else "in no CRM of this account"
            words = f"{user.name} has an id {where}: to carry over who a task is assigned to, two CRMs are needed"
            yield Doubt("users", words)
        for system in on:
            team = teams.get(system, ())
            if team and user.ids[system] not in {member.id for member in team}:
                known = ", ".join(f"{member.name} {member.id}" for member in team[:_SHOWN])
                more = f" and {len(team) - _SHOWN} more" if len(team) > _SHOWN else ""
                words = f"{user.name}: {label_of(system)} has no user {user.ids[system]}; it has {known}{more}"
                yield Doubt(f"users.{system}", words)
