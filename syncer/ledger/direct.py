"""The statements of every run, sent to SQLite directly.

SQLAlchemy composes a statement, here as everywhere, but its own work for each execution takes several times longer than
SQLite's. So each statement is compiled once in a process, and the driver gets its text and the converted values. For
PostgreSQL, SQLAlchemy executes it as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Select
from sqlalchemy.sql.dml import UpdateBase

Query = Select[Any]
Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]
_NONE: Final[Values] = {}


def rows(connection: Connection, statement: Query, values: Values = _NONE) -> Iterable[Sequence[Any]]:
    """Return the rows of a query. ``statement`` is compiled once and kept, so it must be one that is made once."""
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, values)
    known = _known(connection.dialect, statement, None)
    # Row by row: the rows of a large ledger would be in memory twice.
    found: Iterable[Sequence[Any]] = _driver(connection).execute(known.text, known.parameters(values))
    return map(known.cells, found) if known.gives else found


def scalar(connection: Connection, statement: Query, values: Values = _NONE) -> Any:
    """Return the first cell of the first row, or ``None`` if there is none. See `rows`."""
    for row in rows(connection, statement, values):
        return row[0]
    return None


def change(connection: Connection, statement: UpdateBase, values: Values | Sequence[Values]) -> int:
    """Change rows, for each of these values if they are a list. Returns how many were changed. See `rows`."""
    if connection.dialect.name != "sqlite":
        return connection.execute(statement, values).rowcount
    driver = _driver(connection)
    if isinstance(values, Mapping):
        known = _known(connection.dialect, statement, (*values,))
        return int(driver.execute(known.text, known.parameters(values)).rowcount)
    known = _known(connection.dialect, statement, (*values[0],))
    return int(driver.executemany(known.text, map(known.parameters, values)).rowcount)


def answer(connection: Connection, sql: str, values: Values) -> list[Sequence[Any]]:
    """Return the rows of a query in plain SQL, on SQLite only. Nothing is converted."""
    return list(_driver(connection).execute(sql, values))


def _driver(connection: Connection) -> Any:
    return connection.connection.dbapi_connection


@dataclass(frozen=True, slots=True)
class _Known:
    """A compiled statement. ``takes`` and ``gives`` say how parameters and cells are converted, where they are."""

    text: str
    takes: list[tuple[str, _Convert | None]]
    usual: dict[str, Any]
    """The values of parameters that are a part of the statement."""
    gives: list[tuple[int, _Convert]]

    def parameters(self, values: Values) -> list[Any]:
        given = [(values[name] if name in values else self.usual[name], convert) for name, convert in self.takes]
        return [value if convert is None else convert(value) for value, convert in given]

    def cells(self, row: Sequence[Any]) -> list[Any]:
        cells = list(row)
        for place, convert in self.gives:
            cells[place] = convert(cells[place])
        return cells


@cache
def _known(dialect: Dialect, statement: Query | UpdateBase, names: tuple[str, ...] | None) -> _Known:
    compiled: Any = statement.compile(dialect=dialect, column_keys=names)
    binds = [compiled.binds[name] for name in compiled.positiontup]
    takes = [(bind.key, bind.type.dialect_impl(dialect).bind_processor(dialect)) for bind in binds]
    usual = {bind.key: bind.effective_value for bind in binds if not bind.required}
    columns: Any = () if isinstance(statement, UpdateBase) else statement.selected_columns
    gives = [column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns]
    return _Known(str(compiled), takes, usual, [(place, give) for place, give in enumerate(gives) if give])
