"""The ledger's column types: instants in UTC, and text that every database accepts."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Text, TypeDecorator

from syncer.ledger.values import storable


class UtcDateTime(TypeDecorator[datetime]):
    """An instant, returned in UTC. SQLite stores no zone, so an instant without one raises `ValueError`."""

    impl = DateTime(timezone=True)
    # Without it, SQLAlchemy would compile each statement with such a column anew.
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            msg = f"an instant without a zone cannot be stored: {value!r}"
            raise ValueError(msg)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Words(TypeDecorator[str]):
    """Text as a CRM sent it. NUL and lone surrogates, which no database accepts, are stored as U+FFFD."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is None:
            return None
        return storable(str(value))
