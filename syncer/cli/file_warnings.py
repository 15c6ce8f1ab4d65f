"""Warnings about an account file that is valid but has settings without effect: routes and users (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from syncer.config.registry import label_of
from syncer.config.schema import Account
from syncer.contract.adapter import Capabilities, TeamMember

_SHOWN: Final = 10


@dataclass(frozen=True, slots=True)
class FileWarning:
    """A dotted key of the account file, and what is wrong with its value."""

    key: str
    words: str


def warnings_of(
    account: Account, capabilities: Mapping[str, Capabilities], teams: Mapping[str, Sequence[TeamMember]]
) -> list[FileWarning]:
    """Return a warning for each setting that has no effect. ``teams`` are the users of the CRMs that list them."""
    return [*_routes(account, capabilities), *_people(account, teams)]


def _routes(account: Account, capabilities: Mapping[str, Capabilities]) -> Iterator[FileWarning]:
    for kind, system in account.routes_off:
        words = f"{label_of(system)} is not connected: add a table [{system}], or remove {system} from this route"
        yield FileWarning(f"routes.{kind.value}", words)
    for system, can in capabilities.items():
        chosen = [kind for kind in account.routes if kind in account.chosen_routes]
        lost = [kind.value for kind in chosen if system in account.routes[kind] and kind not in can.creates]
        if lost:
            words = (
                f"{label_of(system)} has no tasks of the kinds {', '.join(lost)}, so they wait there (not_supported)"
            )
            yield FileWarning("routes", f"{words}; remove {system} from these routes")


def _people(account: Account, teams: Mapping[str, Sequence[TeamMember]]) -> Iterator[FileWarning]:
    for user in account.users:
        on = [system for system in user.ids if system in account.connections]
        if len(on) < 2:
            where = f"only in {label_of(on[0])}" if on else "in no CRM of this account"
            words = f"{user.name} has an id {where}; to sync who a task is assigned to, add the other ids"
            yield FileWarning("users", words)
        for system in on:
            team = teams.get(system, ())
            if team and user.ids[system] not in {member.id for member in team}:
                known = ", ".join(f"{member.name} {member.id}" for member in team[:_SHOWN])
                more = f" and {len(team) - _SHOWN} more" if len(team) > _SHOWN else ""
                words = f"{user.name}: {label_of(system)} has no user {user.ids[system]}; it has {known}{more}"
                yield FileWarning(f"users.{system}", words)
