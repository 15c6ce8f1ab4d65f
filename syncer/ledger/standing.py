"""What processes tell each other by way of a ledger: small values that only one of two can change."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from syncer.ledger.tables import METADATA

_cursor: Final = METADATA.tables["cursor"]
_VALUE: Final = select(_cursor.c.value).where(_cursor.c.name == bindparam("of_name")).with_for_update()
_SET: Final = update(_cursor).where(_cursor.c.name == bindparam("of_name")).values(value=bindparam("after"))


def exchange(connection: Connection, name: str, before: str, after: str) -> bool:
    """Set a small value if it is ``before`` (empty: it may not be there at all), and say whether it was."""
    connection.execute(_insert(connection.dialect.name), {"name": name, "value": ""})
    if connection.execute(_VALUE, {"of_name": name}).scalar() != before:
        return False
    connection.execute(_SET, {"of_name": name, "after": after})
    return True


@cache
def _insert(dialect: str) -> Any:
    make: Any = sqlite_insert
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as make
    return make(_cursor).on_conflict_do_nothing()
