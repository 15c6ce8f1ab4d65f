"""The merge of one field: a total order decides, in whatever order copies are read, and the page shows every case."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.fields import TaskField
from syncer.reconcile.edits.by_field import FieldMerge, Lost, Owed, Side, merge_field

PAGE = Path(__file__).parents[2] / "docs/edits.md"
PLACES = ("highlevel:1", "reply:2", "superfone:3")
NOON = datetime(2026, 5, 19, 12, tzinfo=UTC)
TITLE = TaskField.TITLE
OLD = "old"

times = st.none() | st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours))


@st.composite
def unread(draw: st.DrawFn, bases: tuple[str, ...] = (OLD,)) -> list[Side]:
    """All copies of a task show one of these titles, and each may have been changed since: what is read will tell."""
    origin = draw(st.sampled_from(PLACES))
    sides = []
    for place in PLACES:
        base, now = draw(st.sampled_from(bases)), draw(st.sampled_from([OLD, "A", "B", "C"]))
        at = draw(times)
        sides.append(Side(place, base, now, origin=place == origin, at=at if now != base else None))
    return sides


def together(sides: list[Side]) -> FieldMerge:
    return merge_field(TITLE, OLD, [replace(side, read=True) for side in sides])


def after(side: Side, merged: FieldMerge) -> Side:
    """The side as the next merge finds it."""
    if not side.read:
        return replace(side, owed=merged.owed[side.place])
    base = replace(side, base=side.now, read=False, owed=merged.owed[side.place])
    return replace(base, typed=True, since=side.at) if side.place in merged.changed else base


def in_turn(sides: list[Side], order: list[str]) -> tuple[str, set[Lost], list[Side]]:
    """Read one copy after another; the title at the end, what was lost, and the copies then."""
    value, lost = OLD, set[Lost]()
    for place in order:
        shown = [replace(side, read=side.place == place) for side in sides]
        merged = merge_field(TITLE, value, shown)
        sides = [after(side, merged) for side in shown]
        value, lost = str(merged.value), lost | set(merged.lost)
    return value, lost, sides


@given(unread(), st.permutations(PLACES))
def test_it_makes_no_difference_in_which_order_copies_are_read(sides: list[Side], order: list[str]) -> None:
    merged = together(sides)
    assert merge_field(TITLE, OLD, [replace(s, read=True) for s in reversed(sides)]) == merged
    value, lost, _ = in_turn(sides, order)
    assert value == merged.value
    # One by one, a value may also be told lost before the copy is read that brings it back.
    assert {one.value for one in lost} - {value} == {one.value for one in merged.lost}


@pytest.mark.parametrize(("owed", "value"), [(Owed.NO, "B"), (Owed.UNSEEN, "A"), (Owed.IN_DOUBT, "B")])
def test_what_people_typed_where_our_edit_is_in_doubt_wins_and_our_value_is_told(owed: Owed, value: str) -> None:
    origin = Side(PLACES[0], "A", origin=True, typed=True, since=NOON)
    merged = merge_field(TITLE, "A", [origin, Side(PLACES[1], "A", "B", read=True, owed=owed)])
    assert merged.value == value
    assert {one.value for one in merged.lost} == ({"A", "B"} - {value} if owed else set())
    assert Owed.IN_DOUBT not in merged.owed.values()


@given(unread((OLD, "A")), st.permutations(PLACES))
def test_nor_where_a_copy_could_not_get_what_the_task_had(sides: list[Side], order: list[str]) -> None:
    merged = together(sides)
    value, lost, _ = in_turn(sides, order)
    assert value == merged.value
    assert {(one.place, one.value) for one in lost if one.value != value} >= {(o.place, o.value) for o in merged.lost}


@given(unread())
def test_what_was_read_once_is_no_edit_when_it_is_read_again(sides: list[Side]) -> None:
    merged = together(sides)
    again = [replace(after(replace(side, read=True), merged), read=True) for side in sides]
    second = merge_field(TITLE, merged.value, again)
    assert (second.value, second.changed, second.lost, second.winner) == (merged.value, (), (), None)
    assert {place for place, owed in second.owed.items() if owed} == {p for p, owed in merged.owed.items() if owed}


@given(unread())
def test_nothing_typed_is_lost_without_being_told(sides: list[Side]) -> None:
    merged = together(sides)
    typed = {side.place: side.now for side in sides if side.now != OLD}
    told = {one.place: one.value for one in merged.lost}
    assert {place for place, value in typed.items() if value != merged.value} == told.keys()
    assert all(typed[place] == value for place, value in told.items())
    assert merged.value in {*typed.values(), OLD}
    assert (merged.value == OLD) == (not typed)


@given(unread())
def test_no_change_gives_way_to_an_earlier_one(sides: list[Side]) -> None:
    merged = together(sides)
    changed = {side.place: side for side in sides if side.now != OLD}
    for one in merged.lost:
        loser, winner = changed[one.place], changed[one.by]
        if loser.at is not None and winner.at is not None:
            assert winner.at >= loser.at
        elif loser.origin or winner.origin:
            assert winner.origin or (winner.at is not None and loser.at is None) or loser.at is not None


@given(unread())
def test_every_copy_that_shows_something_else_is_owed_the_new_value(sides: list[Side]) -> None:
    merged = together(sides)
    for side in sides:
        assert bool(merged.owed[side.place]) == (side.now != merged.value)


@given(unread(), st.sampled_from(PLACES), st.sampled_from(["D", "A"]))
def test_what_is_typed_after_a_copy_was_read_again_is_newer(sides: list[Side], place: str, typed: str) -> None:
    merged = together(sides)
    sides = [replace(after(replace(side, read=True), merged), read=True) for side in sides]
    calm = merge_field(TITLE, merged.value, sides)
    sides = [after(side, calm) for side in sides]
    sides = [replace(s, read=True, now=typed if s.place == place else s.base) for s in sides]
    last = merge_field(TITLE, calm.value, sides)
    if next(s for s in sides if s.place == place).base != typed:
        assert (last.value, last.lost) == (typed, ())


def test_a_due_that_is_taken_away_changes_nothing_elsewhere() -> None:
    sides = [Side("highlevel:1", NOON, None, read=True, origin=True), Side("reply:2", NOON, NOON, read=True)]
    merged = merge_field(TaskField.DUE, NOON, sides)
    assert (merged.value, merged.changed, merged.owed["reply:2"]) == (NOON, (), Owed.NO)


def test_a_body_that_is_taken_away_is_taken_away_everywhere() -> None:
    sides = [Side("highlevel:1", "call", "", read=True), Side("reply:2", "call", "call", read=True)]
    merged = merge_field(TaskField.BODY, "call", sides)
    assert (merged.value, bool(merged.owed["reply:2"])) == ("", True)


def test_a_text_that_was_never_read_is_no_edit() -> None:
    sides = [Side("highlevel:1", None, "mine", known=False, read=True), Side("reply:2", "call", "call", read=True)]
    merged = merge_field(TaskField.BODY, "call", sides)
    assert (merged.value, merged.changed, merged.lost) == ("call", (), ())


# the table on the page -------------------------------------------------------------------------------

NOW = {
    "unchanged": Side("", OLD, OLD, read=True),
    "changed": Side("", OLD, "new", read=True),
    "changed, tells when": Side("", OLD, "new", read=True, at=NOON),
    "gone, or unread": Side("", OLD),
    "closed": Side("", OLD, OLD, read=True),
    "changed and closed": Side("", OLD, "new", read=True),
}
MADE_UP = "shows what we made up"


def table() -> Iterator[str]:
    """Every combination of what an origin and a copy may be, and what follows."""
    yield "| the origin | the copy | the task has | owed to the origin | owed to the copy | overwritten |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for first, second in product(NOW, [*NOW, MADE_UP]):
        origin, copy = NOW[first], NOW.get(second, NOW["unchanged"])
        if second == MADE_UP:
            none = {"now": None} if origin.now == OLD else {}
            origin = replace(origin, base=None, **none)  # type: ignore[arg-type]
        sides = [replace(origin, place="origin", origin=True), replace(copy, place="copy")]
        sides = [replace(s, now=s.place) if s.now == "new" else s for s in sides]
        merged = merge_field(TITLE, OLD, sides)
        has = "what it had" if merged.value == OLD else f"the {merged.value}'s"
        due = ["once open again" if "closed" in which else "yes" for which in (first, second)]
        owed = [due[n] if merged.owed[place] else "" for n, place in enumerate(("origin", "copy"))]
        lost = ", ".join(f"the {one.place}'s" for one in merged.lost)
        yield f"| {first} | {second} | {has} | {owed[0]} | {owed[1]} | {lost} |"


def test_the_page_shows_every_combination() -> None:
    page = PAGE.read_text("utf-8")
    shown = [line for line in page.splitlines() if line.startswith("|")]
    missing = [line for line in table() if re.sub(r"\s+", " ", line) not in {re.sub(r"\s+", " ", row) for row in shown}]
    assert missing == [], "docs/edits.md lacks these lines:\n" + "\n".join(missing)


if __name__ == "__main__":
    print("\n".join(table()))


@pytest.mark.parametrize("places", [PLACES, PLACES[::-1]])
def test_where_nobody_tells_and_the_origin_is_unchanged_the_result_is_the_same_one(places: tuple[str, ...]) -> None:
    sides = [Side(places[0], OLD, OLD, read=True, origin=True)]
    sides += [Side(place, OLD, place, read=True) for place in places[1:]]
    assert merge_field(TITLE, OLD, sides) == merge_field(TITLE, OLD, sides[::-1])
