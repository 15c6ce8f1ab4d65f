"""The ``[highlevel]`` table of an account file."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

import re2
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from syncer.contract.profile import Credential, Profile, WayIn
from syncer.contract.settings import BaseUrl, ConnectionSettings, OptionalSecret, Rate, Rates, StrictModel
from syncer.domain.model import Kind

SEARCHED: Final = 1000
"""A rule is searched in this many characters of a title."""
_URL_SAFE: Final = re.compile(r"[0-9A-Za-z_-]{1,100}")
_HUGE: Final = re.compile(r"(?<!\\)\{\d{9}")
# What RE2 says of such an expression names a sign only, and not what the sign is for.
_NOT_LINEAR: Final = (
    (re.compile(r"escape sequence: \\(?:[1-9]|g|k)"), "a back-reference"),
    (re.compile(r"operator: \(\?(?:<?[=!])"), "a part that looks ahead or behind"),
    (re.compile(r"operator: \(\?P$"), "a back-reference"),
)


_OAUTH: Final = WayIn(
    "OAuth",
    "the client id and the client secret of an app in HighLevel's marketplace, and the refresh token that HighLevel "
    "gave when the app was installed in the sub-account",
    (
        Credential("client_id", "client id", secret=False),
        Credential("client_secret", "client secret", "HIGHLEVEL_CLIENT_SECRET"),
        Credential("refresh_token", "refresh token", "HIGHLEVEL_REFRESH_TOKEN"),
    ),
    "The test uses up the refresh token. Its successor is kept in a private file.",
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression that is always matched in linear time."""

    text: str
    search: Callable[[str], object] = field(compare=False, repr=False)

    def found_in(self, title: str) -> bool:
        """Whether it is found in the first `SEARCHED` characters."""
        return self.search(title[:SEARCHED]) is not None


def compile_expression(value: Any) -> Expression:
    """Compile a regular expression. Raises `ValueError` with the expression and the reason.

    Expressions that cannot be matched in linear time are rejected too: back-references, lookahead and lookbehind. With
    another matcher, a single title could block all accounts.
    """
    if isinstance(value, Expression):
        return value
    if not isinstance(value, str):
        msg = "expected a regular expression in quotes"
        raise ValueError(msg)
    if _HUGE.search(value):
        # RE2 would read this as plain text, which is never meant.
        raise ValueError(_complaint(value, "invalid repetition size"))
    options = re2.Options()
    # RE2 would write to standard error by itself.
    options.log_errors = False
    try:
        return Expression(value, re2.compile(value, options).search)
    except (re2.error, UnicodeError) as error:
        words = error.args[0] if error.args else error
        why = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
        raise ValueError(_complaint(value, why)) from None


def _complaint(value: str, why: str) -> str:
    shown = repr(value)
    for signs, thing in _NOT_LINEAR:
        if signs.search(why):
            return f"{shown} has {thing}, which cannot be matched in linear time: {why}"
    return f"{shown} is not a regular expression that RE2 can match: {why}"


def check_location_id(value: str) -> str:
    """Accept ids that need no encoding in a URL: letters, digits, ``-`` and ``_``."""
    if not _URL_SAFE.fullmatch(value):
        msg = 'expected a location id such as "ve9EPM428h8vShlRW1KT"'
        raise ValueError(msg)
    return value


def _token_file_name(location_id: str) -> str:
    return f"highlevel-{location_id}.tokens"


def place_token_file(value: Any, info: ValidationInfo) -> Path:
    """The path of the token file. The default is beside the account file, with the location's id in its name."""
    folder = Path((info.context or {}).get("folder", "."))
    if value == Path():
        return folder / _token_file_name(info.data.get("location_id", ""))
    if not isinstance(value, (str, Path)) or not str(value).strip():
        msg = "expected a file's name in quotes"
        raise ValueError(msg)
    return folder / os.path.expanduser(value)  # noqa: PTH111 - raises nothing


TokenFile = Annotated[Path, Field(validate_default=True), BeforeValidator(place_token_file)]
Match = Annotated[Expression, PlainValidator(compile_expression)]
LocationId = Annotated[str, AfterValidator(check_location_id)]


class KindRule(StrictModel):
    """A task whose title contains ``match`` has this kind."""

    match: Match
    kind: Kind


class HighLevelSettings(ConnectionSettings):
    """The settings of one location.

    HighLevel's tasks have no type. The first of the ``kind_rules`` that matches the title decides the kind, else
    ``default_kind``.

    The key is the ``token`` of a private integration, or ``client_id``, ``client_secret`` and ``refresh_token`` of an
    OAuth app. The tokens of an app are stored in ``token_file``.

    The default rates are the documented ones: 100 requests in 10 seconds and 200,000 a day for each location.
    """

    profile: ClassVar[Profile] = Profile(
        title="HighLevel",
        setting="token",
        variable="HIGHLEVEL_TOKEN",
        where="made in HighLevel, inside the sub-account, under Settings > Private Integrations",
        key="Private Integration Token",
        other_ways=(_OAUTH,),
        permissions=("locations/tasks.readonly", "contacts.readonly", "contacts.write"),
        team_permissions=("users.readonly",),
        more={"location_id": "the location's id, as in the address of its pages"},
        # Messages are sent from other CRMs. HighLevel only shows them to its users.
        shows_messages=True,
    )

    token: OptionalSecret = None
    client_id: str | None = None
    client_secret: OptionalSecret = None
    refresh_token: OptionalSecret = None
    location_id: LocationId
    # Below `location_id`, which gives it its name: fields are validated in this order.
    token_file: TokenFile = Path()
    base_url: BaseUrl = "https://services.leadconnectorhq.com"
    rate: Rates = (Rate(100, 10.0), Rate(200_000, 86400.0))
    default_kind: Kind = Kind.FOLLOW_UP_CALL
    kind_rules: tuple[KindRule, ...] = ()

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        app = (self.client_id, self.client_secret, self.refresh_token)
        # Exactly one of the two ways, complete, and nothing of the other one beside it.
        if (self.token is None) == (None in app) or (self.token is not None and any(app)):
            msg = "expected either token, or client_id, client_secret and refresh_token"
            raise ValueError(msg)
        return self

    @property
    def place(self) -> str:
        return self.location_id

    def token_file_of(self, location_id: str) -> Path:
        """Where a location's tokens are stored: in ``token_file``, unless its name was made from another location."""
        if self.token_file.name != _token_file_name(self.location_id) or not _URL_SAFE.fullmatch(location_id):
            return self.token_file
        return self.token_file.with_name(_token_file_name(location_id))

    def kind_of(self, title: str | None) -> Kind:
        """The kind of a task with this title."""
        text = title or ""
        return next((rule.kind for rule in self.kind_rules if rule.match.found_in(text)), self.default_kind)
