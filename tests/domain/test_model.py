"""The canonical model: kinds and their families, and the marker that finds a lost answer again."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.domain.model import MESSAGE_KINDS, Draft, Kind, Reading, Record, Replica, State
from syncer.domain.task_ids import (
    MARKER_PREFIX,
    MARKER_TOKEN,
    Marker,
    earlier_task_ids,
    next_task_id,
    place_of,
    split_marker,
    split_task_id,
)
from tests.support.strategies import LEDGER, OTHER_LEDGER, SYSTEMS

MARKER = Marker(LEDGER, "reply:5")
LINE = MARKER.line
OLDER = Marker(OTHER_LEDGER, "highlevel:Zx8_y-1").line
PLACES = st.builds(
    lambda system, name, number: place_of(system, name) + (f"~{number}" if number > 1 else ""),
    st.sampled_from(SYSTEMS),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30),
    st.integers(1, 99),
)
WORDS = st.text(st.characters(exclude_characters="<>", exclude_categories=["Cs"])).filter(
    lambda t: MARKER_PREFIX not in t
)


def test_every_kind_has_a_label() -> None:
    assert all(kind.label for kind in Kind)
    assert len({kind.label for kind in Kind}) == len(Kind)


def test_compatible_kinds_are_the_three_calls_the_two_visits_and_the_two_notes() -> None:
    groups = [
        {Kind.FOLLOW_UP_CALL, Kind.FIRST_CALL, Kind.CALLBACK},
        {Kind.SITE_VISIT, Kind.BOOKING},
        {Kind.REMINDER, Kind.TODO},
        *({kind} for kind in MESSAGE_KINDS),
    ]
    assert set().union(*groups) == set(Kind)
    for kind in Kind:
        group = next(group for group in groups if kind in group)
        assert {other for other in Kind if kind.compatible(other)} == group


def test_values_are_frozen_and_know_their_keys() -> None:
    replica = Replica("reply", "7", "t", "c")
    reading = Reading("reply", "7", None, State.OPEN, Kind.TODO, "ToDo")
    assert replica.key == reading.key == Record("reply", "7").key == ("reply", "7")
    with pytest.raises(FrozenInstanceError):
        replica.made = True  # type: ignore[misc]


def test_a_draft_carries_the_marker_that_is_split_off_again() -> None:
    now = datetime(2026, 5, 19, tzinfo=UTC)
    draft = Draft(MARKER, "c", Kind.TODO, "Call", None, now, now)
    assert split_marker(draft.marker.line) == (None, MARKER)


@pytest.mark.parametrize(
    ("text", "body", "marker"),
    [
        (None, None, None),
        ("", None, None),
        ("  \n", None, None),
        ("Call her back", "Call her back", None),
        (f"Call\n\n{LINE}", "Call", MARKER),
        (f"Call\r\n\r\n{LINE}\r\n", "Call", MARKER),
        (f"Call\n  {LINE}\t", "Call", MARKER),
        (f"Call\n{LINE}\nand more", "Call\n\nand more", MARKER),
        (f"<p>Call</p>\n<p>{LINE}</p>", "<p>Call</p>", MARKER),
        (f"<p>Call</p><p>{LINE}</p>", "<p>Call</p>", MARKER),
        (f'<div>Call</div><div dir="ltr"> {LINE}\n</div>', "<div>Call</div>", MARKER),
        (f"Call<br>{LINE}", "Call", MARKER),
        (f"<p>Call<br/>{LINE}</p>", "<p>Call</p>", MARKER),
        (f"{OLDER}\nCall\n{LINE}", "Call", MARKER),
        (f"see {LINE}", f"see {LINE}", None),
        (f"{LINE} and the prices", "and the prices", MARKER),
        (f"Call\n{LINE}. And the prices", "Call\nAnd the prices", MARKER),
        (f"Call\n{LINE}\xa0\u200b", "Call", MARKER),
        ("syncer:short", "syncer:short", None),
        (f"{LINE}, and more", ", and more", MARKER),
        (f"{LINE}~2", None, Marker(LEDGER, "reply:5~2")),
        ("syncer:01JVKZ3W6Q8N5R2T7Y4B9C0D1E", "syncer:01JVKZ3W6Q8N5R2T7Y4B9C0D1E", None),
        (f"syncer:{LEDGER}:reply", f"syncer:{LEDGER}:reply", None),
        (f"syncer:{LEDGER.upper()}:reply:5", f"syncer:{LEDGER.upper()}:reply:5", None),
    ],
)
def test_split_marker(text: str | None, body: str | None, marker: Marker | None) -> None:
    assert split_marker(text) == (body, marker)


@given(WORDS, PLACES, st.sampled_from(["\n", "\r\n", "\n\n"]), st.sampled_from(["", "\n", " ", "\r\n"]))
def test_a_body_survives_its_marker(body: str, task: str, between: str, after: str) -> None:
    marker = Marker(LEDGER, task)
    assert split_marker(f"{body}{between}{marker.line}{after}") == (body.strip() or None, marker)


@given(PLACES)
def test_a_marker_is_in_letters_that_no_editor_changes(task: str) -> None:
    """Whatever a CRM's ids are made of, and one of a few characters fits where a line is broken."""
    marker = Marker(LEDGER, task)
    token = marker.line.removeprefix(MARKER_PREFIX)
    assert re.fullmatch(MARKER_TOKEN, token)
    assert token.isascii()
    assert Marker.read(token) == marker


@pytest.mark.parametrize(
    ("task", "place", "number", "following"),
    [
        ("reply:5", "reply:5", 1, "reply:5~2"),
        ("reply:5~2", "reply:5", 2, "reply:5~3"),
        ("reply:5~9", "reply:5", 9, "reply:5~10"),
        ("highlevel:a~b", "highlevel:a~b", 1, "highlevel:a~b~2"),
        ("highlevel:a~1", "highlevel:a~1", 1, "highlevel:a~1~2"),
        ("highlevel:a:b~2", "highlevel:a:b", 2, "highlevel:a:b~3"),
    ],
)
def test_a_task_is_called_by_its_place_and_the_next_one_there_by_the_next_number(
    task: str, place: str, number: int, following: str
) -> None:
    assert split_task_id(task) == (place, number)
    assert next_task_id(task) == following
    assert [*earlier_task_ids(following)] == [*earlier_task_ids(task), task]
    assert len([*earlier_task_ids(task)]) == number - 1
    system, remote_id = Marker(LEDGER, task).place
    assert place_of(system, remote_id) == place


@given(st.text())
def test_a_body_without_its_marker_has_none(text: str) -> None:
    body, _ = split_marker(text)
    assert split_marker(body)[0] == body
