"""Small values by which processes talk to each other: of two, only one can change a value."""

from __future__ import annotations

from sqlalchemy import create_engine, select

from syncer.ledger.standing import exchange
from syncer.ledger.tables import METADATA


def test_a_value_is_set_only_by_whoever_knows_what_it_was() -> None:
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    cursor = METADATA.tables["cursor"]
    with engine.begin() as connection:
        told = [
            exchange(connection, "event", *step)
            for step in (("before", "1"), ("", "1"), ("", "2"), ("1", "2"), ("1", "3"), ("2", ""), ("", "4"))
        ]
        assert told == [False, True, False, True, False, True, True]
        assert connection.execute(select(cursor.c.value)).scalars().all() == ["4"]
    engine.dispose()
