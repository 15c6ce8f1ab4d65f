"""HighLevel's OAuth 2.0: an access token is valid for a day, and each renewal returns a new refresh token.

The call is ``POST /oauth/token`` with a form, without the header ``Version``. A refresh token is valid for a year, or
until it is used. If it is used twice within 30 seconds, the answer is the same (HighLevel's changelog, quoted by a
third party).
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, BaseModel, Field, SecretStr, StringConstraints

from adapters.highlevel.settings import HighLevelSettings
from adapters.highlevel.wire import SYSTEM, own_error
from adapters.http.authorization import Granted, RotatingTokens
from adapters.http.client import Http, Rule, Transport
from syncer.contract.errors import InDoubt, Refused, Unauthorized

LIFETIME: Final = 86_399.0
"""The documented lifetime of an access token in seconds. It is used if the answer has none."""
# Whatever the status is, the refresh token was rejected. Only 408 and 429 say nothing about it.
_RULES: Final = (Rule(408, InDoubt), Rule(range(400, 429), Refused), Rule(range(430, 500), Refused))
# It becomes a header, which a blank or a line break in it would break.
_Token = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[!-~]+$")]


class _Answer(BaseModel):
    """The answer to a renewal, in both spellings: version v3 of the API uses camelCase."""

    access_token: _Token = Field(validation_alias=AliasChoices("access_token", "accessToken"))
    refresh_token: _Token = Field(validation_alias=AliasChoices("refresh_token", "refreshToken"))
    expires_in: float = Field(default=LIFETIME, gt=0, validation_alias=AliasChoices("expires_in", "expiresIn"))
    location_id: str | None = Field(default=None, validation_alias="locationId")


class TokenCalls:
    """The calls that renew the tokens of one location. ``authorization`` provides the headers of all other calls."""

    def __init__(self, settings: HighLevelSettings, transport: Transport | None) -> None:
        self._settings = settings
        self._client_id = settings.client_id or ""
        self._client_secret = _known(settings.client_secret)
        self._location = settings.location_id
        self._http = Http(
            system=SYSTEM,
            base_url=settings.base_url,
            headers={},
            secrets=(self._client_secret,),
            rates=settings.rate,
            rules=_RULES,
            own_error=own_error,
            transport=transport,
        )
        self.authorization = RotatingTokens(
            system=SYSTEM,
            file=settings.token_file,
            refresh_token=_known(settings.refresh_token),
            exchange=self._exchange,
        )

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _exchange(self, refresh_token: str) -> Granted:
        form = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            # The calls for tasks reject an agency's token.
            "user_type": "Location",
        }
        # A read, so it is retried after a lost answer: within 30 seconds the same token gives the same answer.
        answer = (await self._http.read("POST", "/oauth/token", form=form)).parse(_Answer)
        granted = Granted(answer.access_token, answer.refresh_token, answer.expires_in)
        if answer.location_id not in (None, self._location):
            # The refresh token is used up. If the new one were lost, a corrected location_id would not help any more.
            self.authorization.keep(granted, self._settings.token_file_of(answer.location_id or ""))
            msg = f"the refresh token belongs to location {answer.location_id}, but location_id is {self._location}"
            raise Unauthorized(msg, system=SYSTEM)
        return granted


def _known(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
