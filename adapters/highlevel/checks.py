"""The tests of ``syncer check`` for HighLevel: harmless reads, each with advice if it fails."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from adapters.highlevel.paging import CONTACT_SEARCH, Rows, contact_rows, task_rows, task_search
from adapters.http.client import Answer, Http
from adapters.http.rules import WAIT
from syncer.contract.adapter import Check
from syncer.contract.errors import AdapterError, BudgetSpent, Unavailable

_SCOPES: Final = "locations/tasks.readonly, contacts.readonly and contacts.write"
_INTEGRATION: Final = "in HighLevel, inside the sub-account, under Settings > Private Integrations"
_APP: Final = "in HighLevel's marketplace, on the app's page"


async def run_checks(http: Http, location_id: str, *, oauth: bool = False) -> list[Check]:
    """Test whether tasks and contacts can be listed. ``oauth`` says that an app logs in, not a private integration."""
    tasks = {"completed": False, "limit": 1}
    contacts = {"locationId": location_id, "pageLimit": 1, "page": 1}
    return [
        await _try(http, "tasks", "locations/tasks.readonly", task_search(location_id), tasks, task_rows, oauth=oauth),
        await _try(http, "contacts", "contacts.readonly", CONTACT_SEARCH, contacts, contact_rows, oauth=oauth),
    ]


async def _try(
    http: Http,
    what: str,
    scope: str,
    path: str,
    body: Mapping[str, object],
    rows_of: Callable[[Answer], Rows],
    *,
    oauth: bool,
) -> Check:
    what = f"list the location's {what}"
    try:
        answer = await http.read("POST", path, json=body)
        rows = rows_of(answer).rows
    except AdapterError as error:
        return Check(what, ok=False, detail=error.words, advice=_advice(error, scope, oauth=oauth))
    found = "" if rows else ", but there is none yet"
    return Check(what, ok=True, detail=f"{scope} works{found}; writing needs contacts.write, which a read cannot test")


def _advice(error: AdapterError, scope: str, *, oauth: bool) -> str:
    """What the user can do about a failed test.

    A wrong token is documented as 401. According to public client code, a missing scope is a 401 too, and a 403 in
    plain text comes from Cloudflare.
    """
    if isinstance(error, BudgetSpent):
        return WAIT
    # An answer that is not HighLevel's own is `Unavailable`, whatever its status.
    if isinstance(error, Unavailable) and error.status in range(300, 500):
        return "a proxy before HighLevel (Cloudflare, a VPN) rejected the request; try it from another network"
    if isinstance(error, Unavailable):
        return "check the network and highlevel.base_url, then try again"
    if "location" in error.words.lower():
        opens = "in which the app is installed" if oauth else f"in which the token was created ({_INTEGRATION})"
        return f"check location_id: it must be the sub-account {opens}"
    if error.status in {401, 403} and "scope" in error.words.lower():
        if oauth:
            return f"add the scope {scope} to the app ({_APP}), and install it in the sub-account again"
        return f"add the scope {scope} to the private integration, {_INTEGRATION}; the token stays the same"
    if oauth:
        return f"check client_id and client_secret ({_APP}); a refresh token comes from installing the app again"
    if error.status in {401, 403}:
        return (
            f"create a private integration with the scopes {_SCOPES}, {_INTEGRATION}; "
            "put its token into highlevel.token"
        )
    return f"check location_id and base_url, and that the token belongs to that location ({_INTEGRATION})"
