"""What the ``[highlevel]`` table of an account file has."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Self

import re2
from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo, model_validator

from syncer.contract.profile import Profile
from syncer.contract.settings import BaseUrl, ConnectionSettings, OptionalSecret, Rate, Rates, StrictModel
from syncer.domain.model import Kind

SEARCHED: Final = 1000
"""The part of a title in which a rule is searched, in characters."""
_URL_SAFE: Final = re.compile(r"[0-9A-Za-z_-]{1,100}")
_HUGE: Final = re.compile(r"(?<!\\)\{\d{9}")
_NOT_LINEAR: Final = (
    (re.compile(r"escape sequence: \\(?:[1-9]|g|k)"), "a back-reference"),
    (re.compile(r"operator: \(\?(?:<?[=!])"), "a part that looks ahead or behind"),
    (re.compile(r"operator: \(\?P$"), "a back-reference"),
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression that is matched in linear time, whatever it is and whatever it meets."""

    text: str
    search: Callable[[str], object] = field(compare=False, repr=False)

    def found_in(self, title: str) -> bool:
        """Whether it is found in the first `SEARCHED` characters."""
        return self.search(title[:SEARCHED]) is not None


def compile_expression(value: Any) -> Expression:
    """Compile a regular expression; raise `ValueError` that names it and what is wrong with it.

    Refused is what cannot be matched in linear time, too: back-references, and looking ahead or behind. Any other
    matcher would let one title hold up every account.
    """
    if isinstance(value, Expression):
        return value
    if not isinstance(value, str):
        msg = "expected a regular expression in quotes"
        raise ValueError(msg)
    if _HUGE.search(value):
        # Taken for plain text by RE2, which nobody means.
        raise ValueError(_complaint(value, "invalid repetition size"))
    options = re2.Options()
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
    return f"{shown} is no regular expression that RE2 can match: {why}"


def check_location_id(value: str) -> str:
    """Accept what can stand in a URL as it is: letters, digits, ``-`` and ``_``."""
    if not _URL_SAFE.fullmatch(value):
        msg = 'expected a location id such as "ve9EPM428h8vShlRW1KT"'
        raise ValueError(msg)
    return value


def place_token_file(value: Any, info: ValidationInfo) -> Path:
    """A file beside the account file, which has the location's id in its name, unless another one is named."""
    folder = Path((info.context or {}).get("folder", "."))
    if value == Path():
        return folder / f"highlevel-{info.data.get('location_id', '')}.tokens"
    if not isinstance(value, (str, Path)) or not str(value).strip():
        msg = "expected a file's name in quotes"
        raise ValueError(msg)
    return folder / os.path.expanduser(value)  # noqa: PTH111 - raises nothing


TokenFile = Annotated[Path, Field(validate_default=True), BeforeValidator(place_token_file)]
Match = Annotated[Expression, PlainValidator(compile_expression)]
LocationId = Annotated[str, AfterValidator(check_location_id)]


class KindRule(StrictModel):
    """A title in which ``match`` is found makes a task of this kind."""

    match: Match
    kind: Kind


class HighLevelSettings(ConnectionSettings):
    """One location. HighLevel's tasks have no type: the first rule that fits the title decides, else the default.

    The key is a private integration's ``token``, or an OAuth app's ``client_id``, ``client_secret`` and
    ``refresh_token``: then what follows from these is kept in ``token_file``.

    The default rates are HighLevel's documentation: 100 requests in 10 seconds and 200,000 in a day, for each
    location.
    """

    profile: ClassVar[Profile] = Profile(
        title="HighLevel",
        setting="token",
        variable="HIGHLEVEL_TOKEN",
        where="the token of a private integration: Settings > Private Integrations",
        permissions=("locations/tasks.readonly", "contacts.readonly", "contacts.write"),
        team_permissions=("users.readonly",),
        more={"location_id": "the location's id, as in the address of its pages"},
        # Messages are sent from elsewhere: shown to HighLevel's people, and never written into the others.
        shows_messages=True,
    )

    token: OptionalSecret = None
    client_id: str | None = None
    client_secret: OptionalSecret = None
    refresh_token: OptionalSecret = None
    location_id: LocationId
    token_file: TokenFile = Path()
    base_url: BaseUrl = "https://services.leadconnectorhq.com"
    rate: Rates = (Rate(100, 10.0), Rate(200_000, 86400.0))
    default_kind: Kind = Kind.FOLLOW_UP_CALL
    kind_rules: tuple[KindRule, ...] = ()

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        app = (self.client_id, self.client_secret, self.refresh_token)
        if (self.token is None) == (None in app) or (self.token is not None and any(app)):
            msg = "expected either token, or client_id, client_secret and refresh_token"
            raise ValueError(msg)
        return self

    @property
    def place(self) -> str:
        return self.location_id

    def kind_of(self, title: str | None) -> Kind:
        """What kind of task this title means."""
        text = title or ""
        return next((rule.kind for rule in self.kind_rules if rule.match.found_in(text)), self.default_kind)
