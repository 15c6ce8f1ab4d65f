"""HighLevel's OAuth 2.0: an access token lives for a day, and each renewal gives a new refresh token.

HighLevel's documentation: ``POST /oauth/token``, a form, without the header ``Version``. A refresh token lives for a
year, or until it is used; a third party quotes HighLevel's changelog: used twice within 30 seconds, it gives the same
answer.
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AliasChoices, BaseModel, Field, SecretStr, StringConstraints

from adapters.highlevel.settings import HighLevelSettings
from adapters.highlevel.wire import SYSTEM, own_error
from adapters.http.authorization import Granted, RotatingTokens
from adapters.http.client import Http, Rule, Transport
from syncer.contract.adapter import Refused, Unauthorized

LIFETIME: Final = 86_399.0
"""Seconds that an access token lives, according to HighLevel's documentation, where an answer does not say."""
_RULES: Final = (Rule(range(400, 429), Refused), Rule(range(430, 500), Refused))
_Token = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[!-~]+$")]


class _Answer(BaseModel):
    """Both spellings: version v3 of the API writes them with capitals."""

    access_token: _Token = Field(validation_alias=AliasChoices("access_token", "accessToken"))
    refresh_token: _Token = Field(validation_alias=AliasChoices("refresh_token", "refreshToken"))
    expires_in: float = Field(default=LIFETIME, gt=0, validation_alias=AliasChoices("expires_in", "expiresIn"))
    location_id: str | None = Field(default=None, validation_alias="locationId")


class TokenCalls:
    """The calls that renew the tokens of one location; ``authorization`` gives each other call its key."""

    def __init__(self, settings: HighLevelSettings, transport: Transport | None) -> None:
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
            "user_type": "Location",
        }
        # Sent again where its answer was lost: within 30 seconds, the same token gives the same answer.
        answer = (await self._http.read("POST", "/oauth/token", form=form)).parse(_Answer)
        if answer.location_id not in (None, self._location):
            msg = f"the refresh token is that of location {answer.location_id}, and location_id is {self._location}"
            raise Unauthorized(msg, system=SYSTEM)
        return Granted(answer.access_token, answer.refresh_token, answer.expires_in)


def _known(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
