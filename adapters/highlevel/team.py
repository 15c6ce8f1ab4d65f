"""The users of a HighLevel location."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator

from adapters.http.client import Http
from syncer.contract.adapter import TeamMember


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


Text = Annotated[str, BeforeValidator(_text)]


class _User(BaseModel):
    id: Text = ""
    name: Text = ""
    firstName: Text = ""  # noqa: N815 - HighLevel's name
    lastName: Text = ""  # noqa: N815 - HighLevel's name
    email: Text = ""
    deleted: bool | None = None


class _Users(BaseModel):
    users: list[_User]


async def read_team(http: Http, location_id: str) -> tuple[TeamMember, ...]:
    """The location's users. The call is deprecated, but its successor needs the company's id."""
    answer = await http.read("GET", "/users/", params={"locationId": location_id})
    return tuple(
        TeamMember(user.id, user.name or f"{user.firstName} {user.lastName}".strip() or user.email, user.email.lower())
        for user in answer.parse(_Users).users
        # Nobody can be assigned a task who has left.
        if user.id and not user.deleted
    )
