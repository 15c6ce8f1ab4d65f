"""The ``[reply]`` table of an account file."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator

from adapters.reply.words import CALL_RESOLUTION, Dialect
from syncer.contract.profile import Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, Rate, Rates, Secret
from syncer.domain.model import Kind


def _resolution(value: Any) -> str | None:
    """Read a call resolution from its number or its name. Raises `ValueError`."""
    name = CALL_RESOLUTION.read(value)
    if name is None and value is not None:
        msg = 'expected 0 or "positive", 1 or "toCall", 2 or "negative"'
        raise ValueError(msg)
    return name


Resolution = Annotated[str | None, BeforeValidator(_resolution)]


class ReplySettings(ConnectionSettings):
    """The settings of a Reply connection.

    dialect          how enumerations are written; Reply has documented both forms, and both are read
    auth             the header with the key; Reply has documented both forms
    rate             the limits of one user, shared with that user's other tools
    complete_kinds   the kinds that we may complete. Completing a message records a message that was never sent
    call_resolution  sent when a call is completed, if it is set. It selects the branch of a sequence
    """

    profile: ClassVar[Profile] = Profile(
        title="Reply.io",
        setting="api_key",
        variable="REPLY_API_KEY",
        where="in Reply, under Settings > API Key",
        permissions=("tasks:read", "tasks:write", "tasks:operate", "contacts:read"),
        contact_permissions=("contacts:write",),
    )

    api_key: Secret
    base_url: BaseUrl = "https://api.reply.io/v3"
    # Both documented limits apply at once: a minute's 100 requests alone would allow 6,000 an hour.
    rate: Rates = (Rate(100, 60.0), Rate(3000, 3600.0))
    # Reply's own integration sends this one. The newest pages show the other.
    auth: Literal["x-api-key", "bearer"] = "x-api-key"
    # The form of the page that describes how a task is completed.
    dialect: Dialect = "integers"
    sequence_tasks: Literal["sync", "read_only"] = "sync"
    complete_kinds: tuple[Kind, ...] = (
        Kind.FOLLOW_UP_CALL,
        Kind.FIRST_CALL,
        Kind.CALLBACK,
        Kind.SITE_VISIT,
        Kind.BOOKING,
        Kind.REMINDER,
        Kind.TODO,
    )
    # Never guessed: the resolution decides which step a sequence takes next.
    call_resolution: Resolution = None

    @property
    def auth_header(self) -> dict[str, str]:
        """The header that carries the key."""
        key = self.api_key.get_secret_value()
        return {"X-API-Key": key} if self.auth == "x-api-key" else {"Authorization": f"Bearer {key}"}
