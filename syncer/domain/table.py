"""A dictionary with further indexes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any, Self, TypeVar

K = TypeVar("K")
V = TypeVar("V")
Rule = Callable[[K, V], Collection[Hashable]]
"""Gives the index words of a row, each once. It may depend on key and value only, and values must be immutable."""


class Table(dict[K, V]):
    """A dictionary with indexes that are updated on every change.

    An index is built when it is first used. After that, the cost of a change does not depend on the size of the table.
    Two tables are equal if their rows are equal.
    """

    __slots__ = ("_indexes",)

    def __init__(self, rows: Mapping[K, V] | Iterable[tuple[K, V]] = ()) -> None:
        super().__init__(rows)
        self._indexes: dict[Rule[K, V], dict[Hashable, tuple[K, ...]]] = {}

    def keys_by(self, rule: Rule[K, V], word: Hashable) -> tuple[K, ...]:
        """The keys of the rows with this index word. ``rule`` identifies the index, so it must not be a lambda."""
        index = self._indexes.get(rule)
        if index is None:
            index = self._indexes[rule] = index_of(self, rule)
        return index.get(word, ())

    def by(self, rule: Rule[K, V], word: Hashable) -> list[V]:
        """The rows with this index word."""
        return [self[key] for key in self.keys_by(rule, word)]

    @property
    def indexes(self) -> Mapping[Rule[K, V], Mapping[Hashable, tuple[K, ...]]]:
        """The indexes that were built so far."""
        return self._indexes

    def __setitem__(self, key: K, value: V) -> None:
        for rule, index in self._indexes.items():
            before = rule(key, self[key]) if key in self else ()
            _move(index, key, before, rule(key, value))
        super().__setitem__(key, value)

    def __delitem__(self, key: K) -> None:
        for rule, index in self._indexes.items():
            _move(index, key, rule(key, self[key]), ())
        super().__delitem__(key)

    def __reduce__(self) -> tuple[Any, ...]:
        # Without the indexes, which are built again where they are used.
        return (Table, (dict(self),))

    # dict's own methods below do not call __setitem__ and __delitem__, so each of them is replaced. --

    def update(self, *rows: Any, **more: V) -> None:
        for key, value in dict(*rows, **more).items():
            self[key] = value

    def __ior__(self, rows: Any) -> Self:  # type: ignore[misc,override]
        self.update(rows)
        return self

    def setdefault(self, key: K, default: V) -> V:
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: K, *default: Any) -> Any:
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[K, V]:
        key = next(reversed(self))
        return key, self.pop(key)

    def clear(self) -> None:
        super().clear()
        self._indexes.clear()

    def copy(self) -> Table[K, V]:
        """A table with the same rows. Its indexes are built again when they are used."""
        return Table(self)


def index_of(rows: Mapping[K, V], rule: Rule[K, V]) -> dict[Hashable, tuple[K, ...]]:
    """A new index of these rows."""
    found: dict[Hashable, list[K]] = {}
    for key, value in rows.items():
        for word in rule(key, value):
            found.setdefault(word, []).append(key)
    return {word: tuple(keys) for word, keys in found.items()}


def _move(
    index: dict[Hashable, tuple[K, ...]], key: K, before: Collection[Hashable], after: Collection[Hashable]
) -> None:
    """Move a row from its old index words to its new ones."""
    # Most changes leave a row under its words.
    if before == after:
        return
    for word in before:
        # A new tuple each time: whoever walks over an answer of `keys_by` may change the table meanwhile.
        rest = tuple(other for other in index[word] if other != key)
        if rest:
            index[word] = rest
        else:
            del index[word]
    for word in after:
        index[word] = (*index.get(word, ()), key)


def as_table(rows: dict[K, V]) -> Table[K, V]:
    """The rows as a table; the same object if they are one."""
    return rows if isinstance(rows, Table) else Table(rows)
