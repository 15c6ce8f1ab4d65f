"""Dues in sentences, in the account's time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from syncer.domain.times import with_local_dues

NOW = datetime(2019, 5, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("due is 2019-05-19T08:30:00Z, and was 2018-05-18T20:30:00Z", "due is 19 May 14:00, and was 19 May 2018 02:00"),
        (
            "due stays 2019-05-19T08:30:00Z there; the task has empty",
            "due stays 19 May 14:00 there; the task has empty",
        ),
        ("title “due 2019-05-19T08:30:00Z” → “”; due empty → 2019-05-19T08:30:00Z", None),
        ("create Ring for Asha, due 2019-05-19T08:30:00Z", "create Ring for Asha, due 19 May 14:00"),
        ("due was 2019-05-19T08:30:00.25+00:00 there; the value", "due was 19 May 14:00 there; the value"),
        ("received: 2019-05-19T08:30:00Z", "received: 2019-05-19T08:30:00Z"),
        ("due is 0001-01-01T00:00:00Z, and was empty", "due is 1 Jan 1 05:53, and was empty"),
    ],
)
def test_a_due_of_ours_is_shown_in_the_zone_and_what_people_typed_as_it_is(words: str, shown: str | None) -> None:
    expected = shown or "title “due 2019-05-19T08:30:00Z” → “”; due empty → 19 May 14:00"
    assert with_local_dues(words, ZoneInfo("Asia/Kolkata"), NOW) == expected
