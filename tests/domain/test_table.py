"""A table is a dictionary, and its indexes are as fresh ones would be, however it was changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Mapping
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.table import Rule, Table, as_table, index_of

Rows = Table[int, str]
Change = Callable[[dict[int, str]], object]


def _by_letters(_key: int, value: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value))


def _by_length(key: int, value: str) -> tuple[tuple[bool, int]]:
    return ((key % 2 == 0, len(value)),)


RULES: Final[tuple[Rule[int, str], ...]] = (_by_letters, _by_length)
KEYS: Final = st.integers(0, 5)
VALUES: Final = st.text("abc", max_size=3)
ROWS: Final = st.dictionaries(KEYS, VALUES, max_size=4)
CHANGES: Final[st.SearchStrategy[Change]] = st.one_of(
    st.builds(lambda key, value: lambda rows: rows.__setitem__(key, value), KEYS, VALUES),
    st.builds(lambda key: lambda rows: rows.__delitem__(key) if key in rows else None, KEYS),
    st.builds(lambda key: lambda rows: rows.pop(key, None), KEYS),
    st.builds(lambda key, value: lambda rows: rows.setdefault(key, value), KEYS, VALUES),
    st.builds(lambda more: lambda rows: rows.update(more), ROWS),
    st.builds(lambda more: lambda rows: rows.update(list(more.items())), ROWS),
    st.builds(lambda more: lambda rows: rows.__ior__(more), ROWS),
    st.just(lambda rows: rows.popitem() if rows else None),
    st.just(lambda rows: rows.clear()),
)


def in_any_order(index: Mapping[Hashable, tuple[int, ...]]) -> dict[Hashable, list[int]]:
    return {word: sorted(keys) for word, keys in index.items()}


def check(table: Rows, rows: dict[int, str]) -> None:
    assert table == rows
    assert list(table) == list(rows)
    for rule, index in table.indexes.items():
        assert in_any_order(index) == in_any_order(index_of(rows, rule))


@given(rows=ROWS, asked=st.lists(st.tuples(CHANGES, st.sampled_from(RULES), st.sampled_from("abc"))))
def test_indexes_are_as_fresh_ones_after_any_changes(
    rows: dict[int, str], asked: list[tuple[Change, Rule[int, str], str]]
) -> None:
    table = Table(rows)
    for change, rule, word in asked:
        assert change(table) == change(rows)
        check(table, rows)
        found = [value for key, value in rows.items() if word in rule(key, value)]
        assert sorted(table.by(rule, word)) == sorted(found)


@given(rows=ROWS, change=CHANGES)
def test_a_copy_is_a_table_of_its_own(rows: dict[int, str], change: Change) -> None:
    table = Table(rows)
    table.keys_by(_by_letters, "a")
    for other in (table.copy(), copy.copy(table), copy.deepcopy(table), Table(table)):
        assert isinstance(other, Table)
        change(other)
        check(table, rows)


def test_rows_that_are_a_table_stay_the_same_one() -> None:
    table = Table({1: "a"})
    assert as_table(table) is table
    assert as_table({1: "a"}) == table
