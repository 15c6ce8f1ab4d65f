"""Small values by which processes communicate through the ledger. Of two processes, only one can change a value."""

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
    """Set a value if it is ``before``; an empty text also stands for no value. Returns whether it was set."""
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
