"""The token endpoint of the simulated HighLevel. Each refresh token works for one renewal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from adapters.highlevel.sandbox_store import make_id, refusal
from adapters.sandbox import Call, Reply, json_reply

# A second less than a day, as documented.
LIFETIME: Final = timedelta(seconds=86_399)
GRACE: Final = timedelta(seconds=30)
"""In this time a used refresh token gives the same answer again."""


@dataclass(frozen=True, slots=True)
class _Grant:
    access_token: str
    refresh_token: str
    at: datetime


class TokenDesk:
    """The tokens of an app that is installed in the location. ``lifetime`` is the lifetime of an access token."""

    def __init__(self, clock: Callable[[], datetime], location_id: str) -> None:
        self._clock = clock
        self._location_id = location_id
        self.client_id = "client-1"
        self.client_secret = "client-secret"  # noqa: S105 - simulated
        self.refresh_token = "refresh-0"  # noqa: S105 - simulated
        self.lifetime = LIFETIME
        self.grants: list[_Grant] = []
        self._used: dict[str, _Grant] = {}
        self._revoked: set[str] = set()

    def opens(self, access_token: str) -> bool:
        """Whether the access token is valid now."""
        now = self._clock()
        return access_token not in self._revoked and any(
            grant.access_token == access_token and now < grant.at + self.lifetime for grant in self.grants
        )

    def person_revokes(self) -> None:
        """Somebody invalidates all access tokens. Refresh tokens stay valid."""
        self._revoked = {grant.access_token for grant in self.grants}

    def answer(self, call: Call) -> Reply:
        """Answer a renewal: the request is a form, and the answer has the next refresh token too."""
        form = dict(parse_qsl(call.body.decode()))
        if call.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            return refusal(400, "content-type must be application/x-www-form-urlencoded")
        if missing := {"client_id", "client_secret", "grant_type"} - form.keys():
            return refusal(422, [f"{name} should not be empty" for name in sorted(missing)])
        if (form["client_id"], form["client_secret"]) != (self.client_id, self.client_secret):
            return refusal(401, "Invalid client credentials!")
        if form["grant_type"] != "refresh_token":
            return refusal(400, "Unsupported grant type")
        return self._renew(form.get("refresh_token", ""))

    def _renew(self, refresh_token: str) -> Reply:
        now = self._clock()
        used = self._used.get(refresh_token)
        if used is None and refresh_token == self.refresh_token:
            number = len(self.grants)
            used = _Grant(f"access-{make_id(self._location_id, number)}", f"refresh-{number + 1}", now)
            self.grants.append(used)
            self._used[refresh_token] = used
            self.refresh_token = used.refresh_token
        # From a note that quotes HighLevel's changelog. The documentation says only that each renewal gives a new
        # token.
        elif used is None or now > used.at + GRACE:
            return refusal(400, "Invalid grant: refresh token is invalid")
        return json_reply(
            200,
            {
                "access_token": used.access_token,
                "token_type": "Bearer",
                "expires_in": int(self.lifetime.total_seconds()),
                "refresh_token": used.refresh_token,
                "scope": "contacts.readonly contacts.write locations/tasks.readonly",
                "userType": "Location",
                "locationId": self._location_id,
            },
        )
