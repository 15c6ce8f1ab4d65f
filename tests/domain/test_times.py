"""Dues in sentences, in the account's time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncer.domain.times import moment_at, span, with_local_dues

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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0 s"),
        (35, "35 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (90, "1.5 min"),
        (3596, "59.9 min"),
        (3598, "1 h"),
        (12_600, "3.5 h"),
        (86_220, "23.9 h"),
        (86_390, "1 d"),
        (216_000, "2.5 d"),
    ],
)
def test_a_length_of_time_is_told_in_its_greatest_unit(seconds: float, words: str) -> None:
    assert span(timedelta(seconds=seconds)) == words


def test_a_moment_has_its_year_only_where_that_is_another_one() -> None:
    zone = ZoneInfo("Asia/Kolkata")
    at = datetime(2018, 12, 31, 18, 29, 59, tzinfo=UTC)
    assert moment_at(at, zone, NOW) == "31 Dec 2018 23:59"
    assert moment_at(at + timedelta(seconds=1), zone, NOW) == "1 Jan 00:00"
    assert moment_at(at + timedelta(seconds=1), zone, NOW, seconds=True) == "1 Jan 00:00:00"
    assert moment_at(datetime.max.replace(tzinfo=UTC), zone, NOW) == "31 Dec 9999 23:59", "no local time there"
