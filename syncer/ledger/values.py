"""Convert the rows of a database to the values of the engine, and back."""

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
    """A task with its copies. ``contact`` is the person's name, or empty if no CRM has one."""

    task: Task
    replicas: list[Replica]
    contact: str


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers: tasks by state, replicas by system and state, operations by state, records by system, and links."""

    tasks: dict[str, int] = field(default_factory=dict)
    replicas: dict[str, dict[str, int]] = field(default_factory=dict)
    operations: dict[str, int] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    links: int = 0


class Run(NamedTuple):
    """One run. ``status`` is ``"running"`` until it has finished.

    Until then, ``report`` is empty, or, of a run for a few contacts, has ``"part": true``.
    ``broken_off`` is true if it has not finished and does not run any more: its process ended, or lost the lease.
    """

    id: str
    started_at: datetime
    finished_at: datetime | None
    status: str
    report: dict[str, Any]
    broken_off: bool = False


class Incidents(NamedTuple):
    """When the first recent incident was whose task is still to be put back (else the first of all), and how many."""

    first: datetime
    open: int


# Made once: the functions of `json` make an encoder anew for each call with options.
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().raw_decode


def to_json(value: object) -> str:
    """Return JSON in ASCII, so that any Python text can be restored from it."""
    return _encode(value)


def _texts(text: str) -> tuple[str, ...]:
    # Nearly all of these lists are empty, and a run loads many thousands of them.
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
    """Return the codec of an enumeration. Its values are cached, because the look-up of an enumeration is slow."""
    return str, cache(enum)


def instant(value: Any) -> datetime | None:
    """Return an instant in UTC. SQLite stores it as text without a zone."""
    if value is None:
        return None
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def storable(text: str) -> str:
    """Return the text with U+FFFD in place of NUL and lone surrogates, which no database accepts."""
    if "\0" in text:
        text = text.replace("\0", "�")
    # Surrogates are not ASCII, and most texts are: this spares a look at each character.
    if text.isascii():
        return text
    return "".join("�" if "\ud800" <= letter <= "\udfff" else letter for letter in text)


class Shape(Generic[V]):
    """Converts values of one class to rows of a table and back. The columns have the names of the fields."""

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
        """Return the value of a row, without further columns. Raises `LedgerError` for an unknown word."""
        cells = list(row[: len(self._names)])
        try:
            for place, decode in self._decoders:
                cells[place] = decode(cells[place])
        except ValueError as error:
            msg = f"the ledger has a value that this version does not know: {error}; upgrade syncer"
            raise LedgerError(msg) from error
        return self._value(*cells)

    def values(self, rows: Iterable[Sequence[Any]]) -> list[V]:
        return [*self.each(rows)]

    def each(self, rows: Iterable[Sequence[Any]]) -> Iterator[V]:
        """Yield the values one by one, without a list of them."""
        return map(self.value, rows)


class PlainShape(Shape[V]):
    """A shape for rows as the driver returns them. Instants and booleans are converted by the types of the fields."""

    def __init__(self, table: str, value: type[V], **codecs: Codec) -> None:
        super().__init__(value, **codecs)
        self.columns = ", ".join(f'{table}."{name}"' for name in self._names)
        kinds = {one.name: str(one.type) for one in fields(value)}  # type: ignore[arg-type]
        for place, name in enumerate(self._names):
            # Annotations are texts here, and some of them end with ``| None``.
            if kinds[name].startswith("datetime"):
                self._decoders.append((place, instant))
            elif kinds[name] == "bool":
                # SQLite has no booleans, but 0 and 1.
                self._decoders.append((place, bool))
