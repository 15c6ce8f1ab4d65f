"""Read Reply's lists to their ends, page by page. Neither their order nor their length is documented."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, Final

from adapters.http.client import MAX_PAGES, Answer, Http
from adapters.http.paging import until_still
from adapters.reply.abilities import PAGE
from adapters.reply.mapping import SYSTEM
from adapters.reply.rows import task_row, understood
from adapters.reply.wire import Page, row_key
from syncer.contract.errors import BadAnswer, Missing, Refused

MOST_PAGES: Final = 20
"""The most pages of a list of all tasks, closed ones included. An old account has many, and they are kept in memory."""
# Without "to", Reply leaves out tasks that start more than a year from now.
# The lower limit is Reply's own default.
_ANY_START: Final = {"from": "2000-01-01T00:00:00Z", "to": "2100-01-01T00:00:00Z"}

Known = dict[bytes, tuple[list[tuple[str, Any]], bool]]
"""By the bytes of a page: its rows with their keys, and whether there are more pages."""


class TooLong(Exception):
    """A list has more pages than the caller wants to read."""


class Lists:
    """The lists of tasks and contacts, as far as the key's user may see them."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def contacts(self, **wanted: str) -> list[Any]:
        """The rows of all contacts, or of those with an e-mail, even if contacts are deleted while the list is read."""

        async def scan() -> tuple[dict[str, Any], bool]:
            rows, pages = await self._scan("GET", "/contacts", params=wanted)
            # Nothing moves within a single answer.
            return rows, pages > 1

        return await until_still(scan)

    async def tasks(self, wanted: Mapping[str, str | int], *, most: int | None = None) -> list[Any]:
        """All rows of a list of tasks, even if tasks are closed meanwhile. Raises `TooLong` after ``most`` pages."""

        # Parse the rows page by page, because a large list of raw rows takes much memory. A page that has not changed
        # since the last reading is not parsed again.
        known = Known()

        async def scan() -> tuple[dict[str, Any], bool]:
            asked = {**_ANY_START, **wanted}
            rows, read = await self._scan("POST", "/tasks/filter", json=asked, most=most, known=known)
            return rows, read > 1

        return await until_still(scan)

    async def _scan(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        json: Mapping[str, str | int] | None = None,
        most: int | None = None,
        known: Known | None = None,
    ) -> tuple[dict[str, Any], int]:
        """All rows of a list by their keys, and the number of pages.

        Raises `BadAnswer` or `Unavailable` if the list breaks off or never ends, `TooLong` if it has more pages than
        ``most``. If ``known`` is given, the rows are parsed as tasks at once, and ``known`` keeps them by page.
        """
        rows: dict[str, Any] = {}
        skip = 0
        for pages in range(1, (MAX_PAGES if most is None else most) + 1):
            window: dict[str, str | int] = {**(params or {}), "top": PAGE, "skip": skip}
            try:
                answer = await self._http.read(method, path, params=window, json=json, page=True)
            except (Refused, Missing) as error:
                # As `Missing` or `Refused`, a rejected page would say something about a task or a contact.
                raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error
            found, has_more = _rows_of(answer, known)
            before = len(rows)
            # A row that comes twice, because others moved, counts once.
            rows.update(found)
            # A short page alone is not the end: the server may give fewer rows than it was asked for.
            if not has_more:
                return rows, pages
            if len(rows) == before:
                msg = f"the list of {path} says that there are more rows, but returns no new ones"
                raise BadAnswer(msg, system=SYSTEM)
            # By what came, not by what was asked for, or a server with smaller pages would skip rows.
            skip += len(found)
        if most is not None:
            raise TooLong
        msg = f"the list of {path} does not end after {MAX_PAGES} pages"
        raise BadAnswer(msg, system=SYSTEM)


def _rows_of(answer: Answer, known: Known | None) -> tuple[list[tuple[str, Any]], bool]:
    """The rows of a page by their keys, and whether there are more pages."""
    # A hash instead of the bytes, which would be kept beside the rows until the list is read.
    digest = blake2b(answer.content).digest()
    if known is not None and digest in known:
        return known[digest]
    page = answer.parse(Page)
    if known is None:
        return [(row_key(row), row) for row in page.items], page.has_more
    known[digest] = [(row_key(row), understood(row, task_row)) for row in page.items], page.has_more
    return known[digest]
