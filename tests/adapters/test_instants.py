"""Dues that stand for none are none, in whatever notation; all others are what they say."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.instants import read_day, read_instant, read_iso, write_instant

MOMENT = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
OFFSETS = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters)))
NONE = [
    None,
    "",
    "  ",
    0,
    0.0,
    "0",
    -1,
    "0001-01-01",
    "0001-01-01T00:00:00",
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T05:30:00.0000000+05:30",
    "0000-00-00",
    "0000-00-00 00:00:00",
    "0000-01-01T00:00:00Z",
    "0000-12-31T19:03:58-04:56",
    "0000-12-31T16:00:00-08:00",
    "-0001-11-30",
    "-0001-11-30 00:00:00",
    "-0001-11-30T00:00:00.000000Z",
    "-0001-11-29T19:03:58-05:00",
    "1601-01-01T00:00:00Z",
    "1753-01-01T00:00:00",
    "1899-12-30T00:00:00.000Z",
    "1900-01-01",
    "1900-01-01T00:00:00+00:00",
    "1901-12-13T20:45:52Z",
    "1970-01-01",
    "1970-01-01T00:00:00",
    "1970-01-01T00:00:00.000Z",
    "1970-01-01T05:30:00+05:30",
    "1970-01-01T05:30:00",
    "1970-01-01T00:00:00+14:00",
    "1969-12-31",
    "1969-12-31T00:00:00",
    "1969-12-31T00:00:00-08:00",
    "1969-12-31T19:00:00-05:00",
    "1969-12-31 19:00-05:00",
    "1969-12-31T23:59:59Z",
    "2038-01-19T03:14:07Z",
    "2038-01-19T03:14:07.999Z",
    "2106-02-07T06:28:15Z",
    "9999-12-31",
    "9999-12-31T23:59:59.9999999Z",
    "9999-12-31T23:59:59-05:00",
    "9999-01-01T00:00:00+14:00",
    "10000-01-01T00:00:00Z",
    "+275760-09-13T00:00:00.000Z",
    "-271821-04-20T00:00:00.000Z",
    "+292278994-08-17T07:12:55.807Z",
    "/Date(-62135596800000)/",
    "/Date(253402300799999)/",
    -62135596800,
    "-62135596800",
    -62135596800000,
    -2208988800,
    253402300799,
    253402300799999,
    "253402300799",
    8640000000000000,
    2**63 - 1,
    -(2**63),
    2**31 - 1,
    2**32 - 1,
    19_800_000,
]
SOME = [
    ("2026-05-19T08:30:00Z", MOMENT),
    (" 2026-05-19 14:00:00+05:30 ", MOMENT),
    ("2026-05-19T08:30", MOMENT),
    ("20260519T083000Z", MOMENT),
    ("20260519", MOMENT.replace(hour=0, minute=0)),
    ("2026-05-19", MOMENT.replace(hour=0, minute=0)),
    (1779179400, MOMENT),
    (1779179400000, MOMENT),
    ("1779179400", MOMENT),
    ("1779179400000", MOMENT),
    ("1779179400.5", MOMENT + timedelta(seconds=0.5)),
    (1779179400.5, MOMENT + timedelta(seconds=0.5)),
    ("/Date(1779179400000+0530)/", MOMENT),
    ("1712120112345", datetime(2024, 4, 3, 4, 55, 12, 345000, tzinfo=UTC)),
    ("2038-01-19T03:14:08Z", datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC)),
    ("9998-12-31T23:59:59Z", datetime(9998, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ("1970-01-02T00:00:00Z", datetime(1970, 1, 2, tzinfo=UTC)),
]
NEITHER = [
    "soon",
    True,
    False,
    [],
    {},
    7,
    1779,
    17791794,
    "7",
    float("nan"),
    float("inf"),
    "2026-13-01",
    "NaN",
    "9" * 25,
]


@pytest.mark.parametrize("value", NONE, ids=repr)
def test_what_stands_for_none_is_none(value: object) -> None:
    assert read_instant(value) is None


@pytest.mark.parametrize(("value", "moment"), SOME, ids=repr)
def test_what_stands_for_something_is_that(value: object, moment: datetime) -> None:
    assert read_instant(value) == moment


@pytest.mark.parametrize("value", NEITHER, ids=repr)
def test_what_is_neither_is_an_error(value: object) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        read_instant(value)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9998, 12, 30)), OFFSETS)  # noqa: DTZ001 - the zone is drawn too
def test_every_instant_that_somebody_can_mean_is_read(moment: datetime, zone: timezone) -> None:
    moment = moment.replace(tzinfo=UTC, microsecond=0)
    if moment.timestamp() not in (2**31 - 1, 2**32 - 1):
        assert read_instant(moment.astimezone(zone).isoformat()) == moment
        assert read_instant(write_instant(moment)) == moment


@given(st.sampled_from([0, -62135596800 + 86400 * 2, 253402300799 - 86400 * 2]), OFFSETS, st.booleans())
def test_a_sentinel_is_one_in_every_time_zone(seconds: int, zone: timezone, naive: bool) -> None:
    shown = (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).astimezone(zone)
    assert read_instant((shown.replace(tzinfo=None) if naive else shown).isoformat()) is None


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_nothing_breaks_it(value: object) -> None:
    try:
        moment = read_instant(value)
    except ValueError:
        return
    assert moment is None or moment.utcoffset() == timedelta(0)


@pytest.mark.parametrize("value", [1779179400, None, "", "9999-12-31T23:59:59-05:00", "0001-01-01T00:00:00+14:00"])
def test_only_iso_is_iso(value: object) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        read_iso(value)


@given(st.datetimes(datetime(1, 1, 2), timezones=st.just(UTC)))  # noqa: DTZ001 - hypothesis wants it naive
def test_instants_come_back_to_the_millisecond(moment: datetime) -> None:
    text = write_instant(moment)
    assert ("." in text) == (moment.microsecond >= 1000)
    assert read_iso(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize("none", [None, "", " ", "0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31", "0000-00-00"])
def test_a_day_that_stands_for_none_is_none(none: object) -> None:
    assert read_day(none) is None


def test_a_day_is_a_day() -> None:
    assert read_day(" 2026-05-20 ") == date(2026, 5, 20)


@pytest.mark.parametrize("strange", ["tomorrow", 20260520, True, "2026-05-20T10:00:00Z"])
def test_what_is_no_day_is_an_error(strange: object) -> None:
    with pytest.raises(ValueError, match="expected a date"):
        read_day(strange)
