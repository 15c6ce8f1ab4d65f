"""HighLevel's OAuth 2.0: an access token is valid for a day, and each renewal returns a new refresh token.

The call is ``POST /oauth/token`` with a form, without the header ``Version``. A refresh token is valid for a year, or
until it is used. If it is used twice within 30 seconds, the answer is the same (HighLevel's changelog, quoted by a
third party).
"""

from __future__ import annotations

from typing import Annotated, Final, Self, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from adapters.highlevel.settings import HighLevelSettings
from adapters.highlevel.wire import SYSTEM, own_error
from adapters.http.authorization import Granted, RotatingTokens
from adapters.http.client import Http, Rule, Transport
from syncer.contract.errors import BadAnswer, InDoubt, Refused, Unauthorized

LIFETIME: Final = 86_399.0
"""The documented lifetime of an access token in seconds. It is used if the answer has none."""
# Whatever the status is, the refresh token was rejected. Only 408 and 429 say nothing about it.
_RULES: Final = (Rule(408, InDoubt), Rule(range(400, 429), Refused), Rule(range(430, 500), Refused))
# It becomes a header, which a blank or a line break in it would break.
_Token = Annotated[str, StringConstraints(strict=True, min_length=1, pattern=r"^[!-~]+$")]


def _if_readable(value: object, read: ValidatorFunctionWrapHandler) -> object:
    """Read one field. If it cannot be read, it is as good as left out, and the others are used."""
    try:
        return read(value)
    except ValidationError:
        return None


_T = TypeVar("_T")
_Given = Annotated[_T | None, WrapValidator(_if_readable)]
_Secret = Annotated[str, StringConstraints(strict=True, min_length=1)]
_Seconds = Annotated[float, Field(gt=0, le=366 * 86_400)]


class _Answer(BaseModel):
    """The answer to a renewal, in both spellings: version v3 of the API uses camelCase.

    The request has used the old refresh token up, so the new one is kept, whatever else cannot be read.
    """

    access_token: _Given[_Token] = Field(None, validation_alias=AliasChoices("access_token", "accessToken"))
    refresh_token: _Given[_Secret] = Field(None, validation_alias=AliasChoices("refresh_token", "refreshToken"))
    expires_in: _Given[_Seconds] = Field(None, validation_alias=AliasChoices("expires_in", "expiresIn"))
    location_id: Annotated[str | None, BeforeValidator(lambda told: told if told is None else str(told))] = Field(
        None, validation_alias="locationId"
    )

    @model_validator(mode="after")
    def _has_a_token(self) -> Self:
        if self.access_token is None and self.refresh_token is None:
            msg = "it has no token"
            raise ValueError(msg)
        return self


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
            set_deadline=self._http.set_deadline,
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
        arrived = await self._http.read("POST", "/oauth/token", form=form)
        try:
            answer = arrived.parse(_Answer)
        except BadAnswer:
            # Without its words: they show what was received, which may have tokens that nobody masks yet.
            msg = "the answer has no token that can be read"
            raise BadAnswer(msg, system=SYSTEM, status=arrived.status) from None
        # A server may leave the refresh token out, and then the old one stays valid.
        granted = Granted(
            answer.access_token or "", answer.refresh_token or refresh_token, answer.expires_in or LIFETIME
        )
        if answer.location_id not in (None, self._location):
            # The refresh token is used up. If the new one were lost, a corrected location_id would not help any more.
            self.authorization.keep(granted, self._settings.token_file_of(answer.location_id or ""))
            msg = f"the refresh token belongs to location {answer.location_id}, but location_id is {self._location}"
            raise Unauthorized(msg, system=SYSTEM)
        return granted


def _known(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
