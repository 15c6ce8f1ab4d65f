"""Hints: what CRMs reported by events and no run has read yet. They are stored by contact, so that there are few."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, tuple_, update

from syncer.ledger.reading import chunks
from syncer.ledger.store import Ledger
from syncer.ledger.tables import METADATA

MOST: Final = 20_000
"""The most hints that may wait. More are refused, since regular runs read everything sooner or later."""
# Longer than any CRM repeats a delivery, as far as that is documented: three days.
KNOWN_FOR: Final = timedelta(days=7)
_hint: Final = METADATA.tables["hint"]
_delivery: Final = METADATA.tables["delivery"]
_WAITING: Final = select(_hint.c.system, _hint.c.what, _hint.c.key, _hint.c.number, _hint.c.received_at)
_LAST: Final = select(func.coalesce(func.max(_hint.c.number), 0))


class Hint(NamedTuple):
    """A contact for which an event was reported, a task whose contact is not known, or the number of a contact.

    ``number`` grows with each.
    """

    system: str
    what: str
    key: str
    number: int
    received_at: datetime


CONTACT: Final = "contact"
TASK: Final = "task"
PHONE: Final = "phone"


class Delivered(NamedTuple):
    """One received delivery: the (what, key) of each of its hints, and the id that its CRM gave it."""

    system: str
    hints: tuple[tuple[str, str], ...]
    delivery: str | None


class NoRoom(Exception):
    """Too many hints wait, so no more are accepted."""


class HintBook:
    """One account's hints in its ledger. Every method is one transaction, and raises `LedgerError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._database = ledger.database

    def store(self, deliveries: Sequence[Delivered], now: datetime) -> list[bool]:
        """Store these deliveries. Returns for each whether it is new and not a repetition. Raises `NoRoom`."""
        with self._database.writing() as connection:
            known = _known(connection, deliveries)
            new = []
            for one in deliveries:
                key = (one.system, one.delivery)
                new.append(one.delivery is None or key not in known)
                # The same delivery may come twice at once.
                known.add(key)
            fresh = [one for one, is_new in zip(deliveries, new, strict=True) if is_new]
            _add(connection, fresh, now)
            rows = [{"system": one.system, "id": one.delivery, "received_at": now} for one in fresh if one.delivery]
            if rows:
                connection.execute(delete(_delivery).where(_delivery.c.received_at < now - KNOWN_FOR))
                connection.execute(insert(_delivery), rows)
        return new

    def waiting(self, limit: int) -> list[Hint]:
        """Return the oldest waiting hints."""
        with self._database.reading() as connection:
            return [Hint(*row) for row in connection.execute(_WAITING.order_by(_hint.c.number).limit(limit))]

    def done(self, hints: Iterable[Hint]) -> None:
        """Delete these hints, unless the same was reported again since."""
        with self._database.writing() as connection:
            columns = tuple_(_hint.c.system, _hint.c.what, _hint.c.key, _hint.c.number)
            for part in chunks(tuple(hint[:4]) for hint in hints):
                connection.execute(delete(_hint).where(columns.in_(part)))

    def put_off(self, hints: Sequence[Hint]) -> None:
        """Move these hints behind all others. It stays known since when they wait."""
        # Nearly every event is done at once, and a transaction would cost a write to the disk.
        if not hints:
            return
        with self._database.writing() as connection:
            last = int(connection.execute(_LAST).scalar_one())
            for number, hint in enumerate(hints, last + 1):
                same = (_hint.c.system == hint.system, _hint.c.what == hint.what, _hint.c.key == hint.key)
                connection.execute(update(_hint).where(*same, _hint.c.number == hint.number).values(number=number))


def _known(connection: Connection, deliveries: Iterable[Delivered]) -> set[tuple[str, str | None]]:
    found: set[tuple[str, str | None]] = set()
    for part in chunks({one.delivery for one in deliveries if one.delivery is not None}):
        query = select(_delivery.c.system, _delivery.c.id).where(_delivery.c.id.in_(part))
        found |= {(row[0], row[1]) for row in connection.execute(query)}
    return found


def _add(connection: Connection, deliveries: Iterable[Delivered], now: datetime) -> None:
    """Store each contact once. If an event is reported for it again, it moves to the end."""
    wanted = {(one.system, what, key): None for one in deliveries for what, key in one.hints}
    if not wanted:
        return
    columns = tuple_(_hint.c.system, _hint.c.what, _hint.c.key)
    # A hint that comes again while a run works on it gets a new number, so that `done` does not delete it.
    last = int(connection.execute(_LAST).scalar_one())
    for part in chunks(wanted):
        connection.execute(delete(_hint).where(columns.in_(part)))
    if int(connection.execute(select(func.count()).select_from(_hint)).scalar_one()) + len(wanted) > MOST:
        # The transaction is rolled back, so the hints that were deleted above stay.
        raise NoRoom
    rows = [
        {"system": system, "what": what, "key": key, "number": number, "received_at": now}
        for number, (system, what, key) in enumerate(wanted, last + 1)
    ]
    connection.execute(insert(_hint), rows)
