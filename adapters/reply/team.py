"""The users of a Reply account's team."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from adapters.http.client import Http
from syncer.contract.adapter import TeamMember

_ANY: Final[TypeAdapter[Any]] = TypeAdapter(Any)


async def read_team(http: Http) -> tuple[TeamMember, ...]:
    """The team's users. The names of the fields are not documented, so several are tried."""
    listed = (await http.read("GET", "/whoami/team-users")).parse_as(_ANY)
    rows = listed.get("items") if isinstance(listed, dict) else listed
    members = [_member(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    return tuple(member for member in members if member.id)


def _member(row: Mapping[str, Any]) -> TeamMember:
    email = _first(row, "email", "userEmail")
    return TeamMember(_first(row, "userId", "id"), _first(row, "displayName", "name") or email, email.lower())


def _first(row: Mapping[str, Any], *names: str) -> str:
    return next((str(row[name]).strip() for name in names if row.get(name)), "")
