"""From what a database gives to the values of the engine, whichever way it was asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

from syncer.domain.fields import Change, TaskField, restored, stored
from syncer.domain.model import Replica, Task
from syncer.ledger.errors import LedgerError

V = TypeVar("V")
Codec = tuple[Callable[[Any], Any], Callable[[Any], Any]]


class TaskView(NamedTuple):
    """A task as people see it; ``contact`` is the person's name, empty if no CRM gave one."""

    task: Task
    replicas: list[Replica]
    contact: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are: tasks by state, replicas and records by system, operations by state, people."""

    tasks: dict[str, int] = field(default_factory=dict)
    replicas: dict[str, dict[str, int]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    links: int = 0


class Run(NamedTuple):
    """One run: ``status`` is ``"running"`` until it was finished, ``report`` what it then reported.

    ``broken_off`` is one that was not finished and is not going on either: its process died, or lost the lease.
    """

    id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    report: dict[str, Any]
    broken_off: bool = False


class Incidents(NamedTuple):
    """When the first of the recent ones was, and how many of their tasks wait to be put back."""

    first: datetime
    open: int


_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().raw_decode


def to_json(value: object) -> str:
    """JSON in ASCII: any text that Python holds comes back as it was."""
    return _encode(value)


def _texts(text: str) -> tuple[str, ...]:
    return () if text == "[]" else tuple(_decode(text)[0])


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


def word(enum: Callable[[str], object]) -> Codec:
    """An enumeration's words. A ledger is read whole at every run, and an enumeration's own look-up is slow."""
    return str, cache(enum)


def instant(value: Any) -> datetime | None:
    """An aware instant in UTC: SQLite keeps it as text, without a zone."""
    if value is None:
        return None
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def storable(text: str) -> str:
    """Text as a CRM sent it. What no database takes, NUL and lone surrogates, becomes U+FFFD."""
    if "\0" in text:
        text = text.replace("\0", "�")
    if text.isascii():
        return text
    return "".join("�" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


class Shape(Generic[V]):
    """How the values of one class lie in a table, whose columns are the class's fields."""

    def __init__(self, value: type[V], **codecs: Codec) -> None:
        self._value = value
        self._names = [field.name for field in fields(value)]  # type: ignore[arg-type]
        self._read = attrgetter(*self._names)
        self._encoders = [(name, codecs[name][0]) for name in codecs]
        self._decoders = [(self._names.index(name), codecs[name][1]) for name in codecs]

    def row(self, value: V) -> dict[str, Any]:
        row = dict(zip(self._names, self._read(value), strict=True))
        for name, encode in self._encoders:
            row[name] = encode(row[name])
        return row

    def rows(self, values: Iterable[V]) -> list[dict[str, Any]]:
        return [self.row(value) for value in values]

    def value(self, row: Sequence[Any]) -> V:
        """The value of a row; further columns are left alone. `LedgerError` for an unknown word."""
        cells = list(row[: len(self._names)])
        try:
            for place, decode in self._decoders:
                cells[place] = decode(cells[place])
        except ValueError as error:
            msg = f"the ledger holds what this version does not understand: {error}; upgrade syncer"
            raise LedgerError(msg) from error
        return self._value(*cells)

    def values(self, rows: Iterable[Sequence[Any]]) -> list[V]:
        return [*self.each(rows)]

    def each(self, rows: Iterable[Sequence[Any]]) -> Iterator[V]:
        """The values one after another, for those who keep them elsewhere."""
        return map(self.value, rows)


class PlainShape(Shape[V]):
    """A shape whose rows come as the driver gives them: instants and truths are told by the fields' types."""

    def __init__(self, table: str, value: type[V], **codecs: Codec) -> None:
        super().__init__(value, **codecs)
        self.columns = ", ".join(f'{table}."{name}"' for name in self._names)
        kinds = {one.name: str(one.type) for one in fields(value)}  # type: ignore[arg-type]
        for place, name in enumerate(self._names):
            if kinds[name].startswith("datetime"):
                self._decoders.append((place, instant))
            elif kinds[name] == "bool":
                self._decoders.append((place, bool))
