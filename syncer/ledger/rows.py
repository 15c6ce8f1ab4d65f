"""The ledger's door: values to rows and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import cache
from operator import attrgetter
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Column, Select, Table, select

from syncer.domain.base import Action, Event, Failing, Operation, OpState
from syncer.domain.fields import Change, TaskField, restored, stored
from syncer.domain.model import Kind, Record, Replica, ReplicaState, State, Task
from syncer.ledger.errors import LedgerError
from syncer.ledger.tables import METADATA

V = TypeVar("V")
Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode


def to_json(value: object) -> str:
    """JSON in ASCII: any text that Python holds comes back as it was."""
    return _encode(value)


def _texts(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(_decode(text)[0])


_decode: Final = json.JSONDecoder().raw_decode
TEXTS: Final[Codec] = (to_json, _texts)


def _few_to_json(texts: Sequence[str]) -> str | None:
    return to_json(texts) if texts else None


def _few(text: str | None) -> tuple[str, ...]:
    return () if text is None else _texts(text)


def _changes_to_json(changes: Sequence[Change]) -> str | None:
    return to_json({c.field: [stored(c.old), stored(c.new)] for c in changes}) if changes else None


def _changes(text: str | None) -> tuple[Change, ...]:
    if text is None:
        return ()
    found = {TaskField(name): values for name, values in _decode(text)[0].items()}
    return tuple(Change(name, restored(name, old), restored(name, new)) for name, (old, new) in found.items())


FEW: Final[Codec] = (_few_to_json, _few)
CHANGES: Final[Codec] = (_changes_to_json, _changes)


def _word(enum: Callable[[str], object]) -> Codec:
    # A ledger is read whole at every run, and an enumeration's own look-up is slow.
    return str, cache(enum)


class Door(Generic[V]):
    """How values of one class pass between the engine and their table, whose columns are the class's fields."""

    def __init__(self, table: str, value: type[V], **codecs: Codec) -> None:
        names = [field.name for field in fields(value)]  # type: ignore[arg-type]
        self.table: Table = METADATA.tables[table]
        self.columns: list[Column[Any]] = [self.table.c[name] for name in names]
        self.select: Select[Any] = select(*self.columns)
        self._value = value
        self._names = names
        self._read = attrgetter(*names)
        self._encoders = [(name, codecs[name][0]) for name in codecs]
        self._decoders = [(names.index(name), codecs[name][1]) for name in codecs]

    def row(self, value: V) -> dict[str, Any]:
        row = dict(zip(self._names, self._read(value), strict=True))
        for name, encode in self._encoders:
            row[name] = encode(row[name])
        return row

    def rows(self, values: Iterable[V]) -> list[dict[str, Any]]:
        return [self.row(value) for value in values]

    def value(self, row: Sequence[Any]) -> V:
        """The value of a row of `select`; further columns are left alone. `LedgerError` for an unknown word."""
        cells = list(row[: len(self._names)])
        try:
            for place, decode in self._decoders:
                cells[place] = decode(cells[place])
        except ValueError as error:
            msg = f"the ledger holds what this version does not understand: {error}; upgrade syncer"
            raise LedgerError(msg) from error
        return self._value(*cells)

    def values(self, rows: Iterable[Sequence[Any]]) -> list[V]:
        return [self.value(row) for row in rows]


TASKS: Final = Door("task", Task, kind=_word(Kind), state=_word(State))
REPLICAS: Final = Door("replica", Replica, state=_word(ReplicaState), owed=FEW, typed=FEW)
OPERATIONS: Final = Door(
    "operation",
    Operation,
    action=_word(Action),
    state=_word(OpState),
    before=TEXTS,
    seen=TEXTS,
    changes=CHANGES,
)
EVENTS: Final = Door("event", Event)
RECORDS: Final = Door("record", Record, phones=TEXTS, emails=TEXTS)
FAILING: Final = Door("failing", Failing)
