"""The tests of ``syncer check`` for Superfone: harmless reads, each with advice if it fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from adapters.http.rules import WAIT
from adapters.superfone.wire import BAD_REQUEST
from syncer.contract.adapter import Check
from syncer.contract.errors import AdapterError, BudgetSpent, Missing, Unauthorized

# No valid number, so no lead has it.
PROBE_PHONE: Final = "+910000000000"
PROBE_LEAD: Final = "1"

_KEY_ADVICE: Final = "ask the Superfone team (hello@superfone.in) for an API key, then set superfone.api_key"
_URL_ADVICE: Final = "check superfone.base_url and the network, then try again"

Find = Callable[[str], Awaitable[object]]
"""Looks up the leads that have a phone number."""
Page = Callable[[str, int], Awaitable[object]]
"""Reads one page of the tasks of a lead."""


async def run_checks(find: Find, page: Page) -> list[Check]:
    """Test whether the key is accepted. If it is, test whether the task calls work."""
    key = await _check_key(find)
    # With a wrong key the second test would only fail in the same way.
    return [key] if key.ok is False else [key, await _check_tasks(page)]


async def _check_key(find: Find) -> Check:
    what = "look up a lead by phone number"
    try:
        await find(PROBE_PHONE)
    except Unauthorized as error:
        return Check(what, ok=False, detail=error.words, advice=_KEY_ADVICE)
    except AdapterError as error:
        # Superfone may reject the number, because nobody has it. That says nothing about the key.
        ok = None if error.status == BAD_REQUEST else False
        return Check(what, ok=ok, detail=error.words, advice=_advice(error))
    return Check(what, ok=True, detail="the key is accepted")


def _advice(error: AdapterError) -> str:
    return WAIT if isinstance(error, BudgetSpent) else _URL_ADVICE


async def _check_tasks(page: Page) -> Check:
    # An unknown lead is a 404 with the text ``Lead not found``. A wrong address has another text.
    what = "list the tasks of a lead"
    try:
        await page(PROBE_LEAD, 1)
    except Missing:
        return Check(what, ok=True, detail="it answers")
    except Unauthorized as error:
        return Check(what, ok=False, detail=error.words, advice=_KEY_ADVICE)
    except AdapterError as error:
        return Check(what, ok=False, detail=error.words, advice=_advice(error))
    return Check(what, ok=True, detail="it answers")
