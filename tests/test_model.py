"""The canonical model: kinds and their families, and the marker that finds a lost answer again."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncer.model import MARKER_PREFIX, MESSAGE_KINDS, Draft, Kind, Reading, Record, Replica, State, split_marker
from syncer.state import Action, OpState
from tests.strategies import SYSTEMS, a_task, an_operation, at

ID = "01JVKZ3W6Q8N5R2T7Y4B9C0D1E"
IDS = st.text("0123456789ABCDEFGHJKMNPQRSTVWXYZ", min_size=26, max_size=26)
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
    draft = Draft(ID, "c", "Asha", Kind.TODO, "Call", None, now, now)
    assert split_marker(draft.marker) == (None, ID)


@pytest.mark.parametrize(
    ("text", "body", "marker"),
    [
        (None, None, None),
        ("", None, None),
        ("  \n", None, None),
        ("Call her back", "Call her back", None),
        (f"Call\n\nsyncer:{ID}", "Call", ID),
        (f"Call\r\n\r\nsyncer:{ID}\r\n", "Call", ID),
        (f"Call\n  syncer:{ID}\t", "Call", ID),
        (f"Call\nsyncer:{ID}\nand more", "Call\n\nand more", ID),
        (f"<p>Call</p>\n<p>syncer:{ID}</p>", "<p>Call</p>", ID),
        (f"<p>Call</p><p>syncer:{ID}</p>", "<p>Call</p>", ID),
        (f'<div>Call</div><div dir="ltr"> syncer:{ID}\n</div>', "<div>Call</div>", ID),
        (f"Call<br>syncer:{ID}", "Call", ID),
        (f"<p>Call<br/>syncer:{ID}</p>", "<p>Call</p>", ID),
        (f"syncer:{ID[::-1]}\nCall\nsyncer:{ID}", "Call", ID),
        (f"see syncer:{ID}", f"see syncer:{ID}", None),
        (f"syncer:{ID} is ours", f"syncer:{ID} is ours", None),
        ("syncer:short", "syncer:short", None),
        (f"syncer:{ID}X", f"syncer:{ID}X", None),
    ],
)
def test_split_marker(text: str | None, body: str | None, marker: str | None) -> None:
    assert split_marker(text) == (body, marker)


@given(WORDS, IDS, st.sampled_from(["\n", "\r\n", "\n\n"]), st.sampled_from(["", "\n", " ", "\r\n"]))
def test_a_body_survives_its_marker(body: str, task: str, between: str, after: str) -> None:
    assert split_marker(f"{body}{between}{MARKER_PREFIX}{task}{after}") == (body.strip() or None, task)


@given(st.text())
def test_a_body_without_its_marker_has_none(text: str) -> None:
    body, _ = split_marker(text)
    assert split_marker(body)[0] == body


@pytest.mark.parametrize(
    ("sent", "read", "is_due"),
    [
        (at(), at(), True),
        (at(), at(seconds=0.999), True),
        (at(seconds=0.999), at(), True),
        (at(), at(seconds=1), False),
        (at(), None, False),
        (None, at(), False),
        (None, None, True),
    ],
)
def test_a_due_may_come_back_without_its_fraction_of_a_second(
    sent: datetime | None, read: datetime | None, *, is_due: bool
) -> None:
    create = an_operation(a_task(), SYSTEMS[0], Action.CREATE, OpState.IN_DOUBT, due=sent)
    assert create.is_due(read) is is_due
