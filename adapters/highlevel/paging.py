"""How a list is read to its end though nobody documents where that is (pure)."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple

from adapters.highlevel.wire import SYSTEM, ContactRows, TaskRows, row_id, row_key
from adapters.http.client import MAX_PAGES, Answer
from syncer.contract.adapter import BadAnswer

TASK_PAGE: Final = 100
CONTACT_PAGE: Final = 500
PAGE_REACH: Final = 10_000
CONTACT_SEARCH: Final = "/contacts/search"


def task_search(location_id: str) -> str:
    """The path of the search that lists a location's tasks."""
    return f"/locations/{location_id}/tasks/search"


class Rows(NamedTuple):
    """What one page has: its rows, and how many there are in all, where it tells."""

    rows: list[Any]
    total: int | None = None


def task_rows(answer: Answer) -> Rows:
    """One page of the search for tasks."""
    return Rows(answer.parse(TaskRows).rows())


def contact_rows(answer: Answer) -> Rows:
    """One page of the search for contacts."""
    page = answer.parse(ContactRows)
    return Rows(page.contacts, page.total)


class Pager(ABC):
    """What to ask next, from the rows so far.

    A list ends with an empty page, or with a page shorter than ``limit`` that brings nothing new. A short page is
    no end by itself: how many rows a server gives at most is not documented, and taking its own limit for the end
    would lose the rest silently. That costs one request more than trusting it, for each list.

    A row's ``searchAfter`` is preferred to counting, which repeats and skips rows of a set that moves: as far as it has
    the row's id in it. One of a time alone hides the rest of the rows of that time, where a page ends among them.
    ``asks`` are the parameters of the next request, ``counts`` is whether rows had to be counted, ``total`` is how many
    the last page said that there are.
    """

    def __init__(self, limit: int) -> None:
        self.asks: dict[str, object] = {}
        self.rows = 0
        self.pages = 0
        self.largest = 0
        self.counts = False
        self.total: int | None = None
        self._limit = limit
        self._seen: set[str] = set()
        self._cursors: set[str] = set()

    @property
    def may_have_moved(self) -> bool:
        """Whether rows were counted over several pages."""
        return self.counts and self.pages > 1

    def take(self, rows: list[Any], total: int | None = None) -> bool:
        """Note one page; whether there may be more. Raises `BadAnswer` where the list does not get on."""
        keys = {row_key(row) for row in rows}
        fresh = keys - self._seen
        if not fresh and len(rows) >= self._limit:
            msg = "the list gives the same full page again"
            raise BadAnswer(msg, system=SYSTEM)
        if self.pages >= MAX_PAGES:
            msg = f"the list does not end after {MAX_PAGES} pages"
            raise BadAnswer(msg, system=SYSTEM)
        self.total = total
        self._seen |= fresh
        self.rows += len(rows)
        self.pages += 1
        self.largest = max(self.largest, len(rows))
        return bool(fresh) and self._step(rows)

    def _step(self, rows: list[Any]) -> bool:
        cursor = _cursor(rows[-1])
        if cursor is None:
            self.counts = True
            return self._count(rows)
        key = json.dumps(cursor)
        if key in self._cursors:
            msg = "the list gives the same cursor twice"
            raise BadAnswer(msg, system=SYSTEM)
        self._cursors.add(key)
        self.asks = {"searchAfter": cursor}
        return True

    @abstractmethod
    def _count(self, rows: list[Any]) -> bool:
        """Set ``asks`` for rows that carry no cursor; whether there may be more."""


class TaskPager(Pager):
    """Tasks: HighLevel's documentation has ``skip``, the number of rows to leave out."""

    def _count(self, _rows: list[Any]) -> bool:
        self.asks = {"skip": self.rows}
        return True


class ContactPager(Pager):
    """Contacts: ``page`` from 1, never together with a cursor, and for the first 10,000 records only."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.asks = {"page": 1}

    def _count(self, rows: list[Any]) -> bool:
        if (self.pages + 1) * self.largest <= PAGE_REACH:
            self.asks = {"page": self.pages + 1}
            return True
        if len(rows) < self.largest:
            return False
        msg = f"the contacts beyond the first {PAGE_REACH} cannot be listed: the rows carry no searchAfter"
        raise BadAnswer(msg, system=SYSTEM)


def _cursor(row: object) -> list[Any] | None:
    """A row's ``searchAfter``, if it can be sent back and is that of no other row: it names the row."""
    cursor = row.get("searchAfter") if isinstance(row, dict) else None
    if not isinstance(cursor, list) or not all(map(_is_plain, cursor)):
        return None
    return cursor if row_id(row) in cursor and row_id(row) else None


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))
