"""Read a list to its end, which HighLevel does not document (pure)."""

from __future__ import annotations

import json
import math
from abc import ABC, abstractmethod
from typing import Any, Final, NamedTuple

from adapters.highlevel.wire import SYSTEM, ContactRows, TaskRows, row_id, row_key
from adapters.http.client import MAX_PAGES, Answer
from syncer.contract.adapter import Listed
from syncer.contract.errors import BadAnswer

# The largest page is not documented. Public clients ask for 100.
TASK_PAGE: Final = 100
# The largest that is documented. So is the reach of pages that are counted.
CONTACT_PAGE: Final = 500
PAGE_REACH: Final = 10_000
CONTACT_SEARCH: Final = "/contacts/search"


def task_search(location_id: str) -> str:
    """The path of the search that lists a location's tasks."""
    return f"/locations/{location_id}/tasks/search"


class Rows(NamedTuple):
    """One page: its rows, and the total number of rows, if the answer has it."""

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
    """Decides what to request next, from the rows so far.

    A list ends with an empty page, or with a page shorter than ``limit`` without a new row. A short page alone is not
    the end: the server's own page limit is not documented, and if it were taken for the end, the other rows would be
    lost silently. This costs one more request for each list.

    The next page is requested by the last row's ``searchAfter``, if that contains the row's id. Counting rows is the
    second choice, because it repeats and skips rows when the list changes. A ``searchAfter`` with a time only is not
    used: if a page ended among several rows of the same time, the others would be skipped.

    ``asks`` are the parameters of the next request. ``counts`` is whether rows had to be counted. ``total`` is the
    total number of rows in the last answer.
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
        """Whether rows were counted over several pages, so that some may have been skipped."""
        return self.counts and self.pages > 1

    def listed(self) -> Listed | None:
        """How far the list is read, if the answers say how long it is."""
        return None if self.total is None else Listed(len(self._seen), self.total, self._limit)

    def take(self, rows: list[Any], total: int | None = None) -> bool:
        """Take one page, and return whether there may be more. Raises `BadAnswer` if the list makes no progress."""
        keys = {row_key(row) for row in rows}
        fresh = keys - self._seen
        # Only a full page shows a loop. The last, short page may well repeat rows, because the list moves while it is
        # read.
        if not fresh and len(rows) >= self._limit:
            msg = "the list returns the same full page again"
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
            msg = "the list returns the same cursor twice"
            raise BadAnswer(msg, system=SYSTEM)
        self._cursors.add(key)
        # It replaces ``page`` and ``skip``: HighLevel rejects a cursor together with a page number.
        self.asks = {"searchAfter": cursor}
        return True

    @abstractmethod
    def _count(self, rows: list[Any]) -> bool:
        """Set ``asks`` for rows without a cursor, and return whether there may be more."""


class TaskPager(Pager):
    """Tasks are counted by ``skip``, the number of rows to skip."""

    def _count(self, _rows: list[Any]) -> bool:
        self.asks = {"skip": self.rows}
        return True


class ContactPager(Pager):
    """Contacts are counted by ``page``, from 1. It must not be used with a cursor, and reaches 10,000 contacts only."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.asks = {"page": 1}

    def _count(self, rows: list[Any]) -> bool:
        if (self.pages + 1) * self.largest <= PAGE_REACH:
            self.asks = {"page": self.pages + 1}
            return True
        # A page that is shorter than others may well be the last one; a full one surely is not.
        if len(rows) < self.largest:
            return False
        msg = f"only the first {PAGE_REACH} contacts can be listed, because the rows have no searchAfter"
        raise BadAnswer(msg, system=SYSTEM)


def _cursor(row: object) -> list[Any] | None:
    """A row's ``searchAfter``, if it can be sent back and contains the row's id."""
    cursor = row.get("searchAfter") if isinstance(row, dict) else None
    if not isinstance(cursor, list) or not all(map(_is_plain, cursor)):
        return None
    return cursor if row_id(row) in cursor and row_id(row) else None


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))
