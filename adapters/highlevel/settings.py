"""What the ``[highlevel]`` table of an account file has."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator

from adapters.settings import BaseUrl, ConnectionSettings, Rate, Rates, Secret, StrictModel
from syncer.model import Kind

_URL_SAFE: Final = re.compile(r"[0-9A-Za-z_-]+")


def compile_pattern(value: Any) -> re.Pattern[str]:
    """Compile a regular expression; raise `ValueError` that names it and what is wrong with it."""
    if isinstance(value, re.Pattern):
        return value
    if not isinstance(value, str):
        msg = "expected a regular expression in quotes"
        raise ValueError(msg)
    try:
        return re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        msg = f"{value!r} is no regular expression: {error}"
        raise ValueError(msg) from None


def check_location_id(value: str) -> str:
    """Accept what can stand in a URL as it is: letters, digits, ``-`` and ``_``."""
    if not _URL_SAFE.fullmatch(value):
        msg = 'expected a location id such as "ve9EPM428h8vShlRW1KT"'
        raise ValueError(msg)
    return value


Pattern = Annotated[re.Pattern[str], BeforeValidator(compile_pattern)]
LocationId = Annotated[str, AfterValidator(check_location_id)]


class KindRule(StrictModel):
    """A title in which ``match`` is found makes a task of this kind."""

    match: Pattern
    kind: Kind


class HighLevelSettings(ConnectionSettings):
    """One location. HighLevel's tasks have no type: the first rule that fits the title decides, else the default.

    The default rates are HighLevel's documentation: 100 requests in 10 seconds and 200,000 in a day, for each
    location.
    """

    token: Secret
    location_id: LocationId
    base_url: BaseUrl = "https://services.leadconnectorhq.com"
    rate: Rates = (Rate(100, 10.0), Rate(200_000, 86400.0))
    default_kind: Kind = Kind.FOLLOW_UP_CALL
    kind_rules: tuple[KindRule, ...] = ()

    def kind_of(self, title: str | None) -> Kind:
        """What kind of task this title means."""
        text = title or ""
        return next((rule.kind for rule in self.kind_rules if rule.match.search(text)), self.default_kind)
