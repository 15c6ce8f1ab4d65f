"""The tests of ``syncer check`` for Reply: harmless reads, each with advice if it fails."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import BaseModel

from adapters.http.client import Http, excerpt
from adapters.http.rules import WAIT
from adapters.reply.team import read_team
from adapters.reply.wire import Page, WhoAmI
from adapters.reply.words import STATUS, Dialect
from syncer.contract.adapter import Check
from syncer.contract.errors import AdapterError, BudgetSpent, Refused, Unauthorized, Unavailable

_KEY: Final = "copy a valid key from Settings > API Key in Reply to where api_key points, and check the setting auth"
_SHOWN_USERS: Final = 20


@dataclass(frozen=True, slots=True)
class _Probe:
    """One read, the form that its answer must have, and the scope that it needs."""

    what: str
    method: str
    path: str
    shape: type[BaseModel]
    scope: str = ""
    params: Mapping[str, int] = field(default_factory=dict)
    json: Mapping[str, str | int] | None = None
    detail: str = ""


def _probes(dialect: Dialect) -> tuple[_Probe, ...]:
    return (
        _Probe("key", "GET", "/whoami", WhoAmI),
        _Probe(
            "tasks",
            "POST",
            "/tasks/filter",
            Page,
            scope="tasks:read",
            params={"top": 1},
            # With a filter, so that a wrong dialect shows: an empty filter has no word that Reply could reject.
            json={"status": STATUS.write("New", dialect)},
            detail="creating also needs the scope tasks:write, completing tasks:operate; only a write can test these",
        ),
        _Probe("contacts", "GET", "/contacts", Page, scope="contacts:read", params={"top": 1}),
    )


async def run_checks(http: Http, dialect: Dialect) -> list[Check]:
    """The result of each test, and the team's users if Reply returns them."""
    return [*[await _try(http, probe) for probe in _probes(dialect)], await _team(http)]


async def _try(http: Http, probe: _Probe) -> Check:
    try:
        answer = await http.read(probe.method, probe.path, params=probe.params, json=probe.json)
        answer.parse(probe.shape)
    except AdapterError as error:
        return Check(probe.what, ok=False, detail=error.words, advice=_advice(error, probe))
    return Check(probe.what, ok=True, detail=probe.detail)


def _advice(error: AdapterError, probe: _Probe) -> str:
    if isinstance(error, Unauthorized) and error.status == 403 and probe.scope:
        return f"give the key the scope {probe.scope}; a run also needs tasks:write and tasks:operate"
    if isinstance(error, Unauthorized):
        return _KEY
    if isinstance(error, Refused) and probe.json:
        return 'set dialect to the other one of "integers" and "strings": Reply rejects the current one'
    if isinstance(error, BudgetSpent):
        return WAIT
    if isinstance(error, Unavailable):
        return "check base_url and the network, then try again"
    return "check that base_url is the address of Reply's API version 3"


async def _team(http: Http) -> Check:
    """The team's users, for ``[[users]]``. Runs do not need them."""
    try:
        team = await read_team(http)
    except AdapterError as error:
        # Neither passed nor failed: a key without this permission is good enough for a run.
        return Check("team", ok=None, detail=f"the team could not be read (runs do not need it): {error.words}")
    users = [f"{user.id} {user.name}".strip() for user in team]
    return Check("team", ok=True, detail=excerpt(", ".join(users[:_SHOWN_USERS]).encode()))
