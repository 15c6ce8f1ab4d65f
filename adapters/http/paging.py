"""Read lists that are paged by row number, and whose rows move while the pages are read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

MAX_SCANS: Final = 4
"""The most readings of a list. If tasks are created all the time, each reading finds something new."""


async def until_still(scan: Callable[[], Awaitable[tuple[dict[str, T], bool]]]) -> list[T]:
    """All rows of a list. It is read again until a reading finds no new row, at most ``MAX_SCANS`` times.

    ``scan`` reads the whole list once. It returns the rows by their keys, and whether rows may have moved between its
    requests.
    """
    # When a row leaves the list, all later rows move up, and the first row of the next page is skipped. That task would
    # look as if the CRM did not have it.
    rows: dict[str, T] = {}
    for _ in range(MAX_SCANS):
        found, may_have_moved = await scan()
        settled = not may_have_moved or found.keys() <= rows.keys()
        # A row that has left the list meanwhile is kept: it was there when it was read.
        rows.update(found)
        if settled:
            break
    # No error after the last reading, or a busy account could never be read. A task that is still missing is read by
    # itself before anything is concluded.
    return list(rows.values())
