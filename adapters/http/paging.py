"""Lists that are paged by counting rows, and whose rows move while the pages are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

MAX_SCANS: Final = 4
"""Where tasks are made all the time, each reading brings something new."""


async def until_still(scan: Callable[[], Awaitable[tuple[dict[str, T], bool]]]) -> list[T]:
    """Every row that was in the list, read again until a reading brings nothing new, at most ``MAX_SCANS`` times.

    ``scan`` reads the whole list once: its rows by their keys, and whether rows may have moved between its requests.
    What leaves a list that is counted moves all that follow it up, and the first of the next page out of sight: it
    would be taken for a task that the CRM does not have.
    """
    rows: dict[str, T] = {}
    for _ in range(MAX_SCANS):
        found, may_have_moved = await scan()
        settled = not may_have_moved or found.keys() <= rows.keys()
        rows.update(found)
        if settled:
            break
    return list(rows.values())
