"""Parse the rows of Reply's lists one by one (pure)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from pydantic import ValidationError

from adapters.http.answers import excerpt
from adapters.reply.mapping import SYSTEM, to_reading
from adapters.reply.wire import WireTask, complaint, row_contact, row_due, row_id
from syncer.contract.unforeseen import not_understood
from syncer.domain.model import Listing, Reading, Unreadable
from syncer.domain.redact import redact

_T = TypeVar("_T")


def task_row(row: Any) -> Reading:
    """One task of a list, which lacks its body."""
    return to_reading(WireTask.model_validate(row), whole=False)


def understood(row: Any, read: Callable[[Any], _T]) -> _T | Unreadable:
    """The parsed row, or what is wrong with it."""
    try:
        return read(row)
    except ValidationError as error:
        words = redact(complaint(error))
    except Exception as error:  # noqa: BLE001 - one row that we cannot handle must not cost the others
        words = not_understood(error, f"{SYSTEM}: row {row_id(row)}")
    return Unreadable(SYSTEM, row_id(row), words, excerpt(json.dumps(row).encode()), row_contact(row), row_due(row))


def listing_of(rows: Iterable[Any], read: Callable[[Any], _T]) -> Listing[_T]:
    """The parsed rows, and those that cannot be parsed. Rows that are parsed already are taken as they are."""
    found: list[Any] = [row if isinstance(row, (Reading, Unreadable)) else understood(row, read) for row in rows]
    strange = tuple(row for row in found if isinstance(row, Unreadable))
    return Listing(tuple(row for row in found if not isinstance(row, Unreadable)), strange)


def by_contact(found: Listing[Reading], contacts: Iterable[str]) -> dict[str, Listing[Reading]]:
    """The rows of each of these contacts, the largest id first.

    An unreadable row without a contact is added to every contact's listing, because it may be a task of any of them.
    """
    rows: dict[str, list[Reading]] = {contact: [] for contact in contacts}
    for row in found.rows:
        if row.contact in rows:
            rows[row.contact].append(row)
    strange = {contact: [bad for bad in found.unreadable if bad.contact in (None, contact)] for contact in rows}
    return {
        contact: Listing(tuple(sorted(theirs, key=lambda row: row.number, reverse=True)), tuple(strange[contact]))
        for contact, theirs in rows.items()
    }
