"""Read and write instants as CRMs do, and recognise placeholders for "no date" (pure).

If a task has no due, a CRM may leave the field out, or send the first or the last date that its database or language
supports. Such a task would look overdue by centuries. The following values count as no date, in every notation and
time zone:

- dates before 2 January 1900: year 0 and 1, 1601 (Windows), 1753 and 1900 (SQL Server), 1899 (spreadsheets);
- the Unix epoch as the midnight or the day of any time zone, so from 31 December 1969 to 1 January 1970 14:00 UTC;
- year 9999 and later;
- the limits of a 32-bit counter of seconds: 13 December 1901 20:45:52, 19 January 2038 03:14:07,
  7 February 2106 06:28:15 UTC.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# No time zone is farther from UTC.
_ZONE: Final = timedelta(hours=14)
_FIRST: Final = datetime(1900, 1, 2, tzinfo=UTC)
_LAST_YEAR: Final = 9999
_COUNTERS: Final = frozenset(_EPOCH + timedelta(seconds=count) for count in (-(2**31), 2**31 - 1, 2**32 - 1))
_ORDINARY_YEARS: Final = range(1971, 2038)
# Ten digits are the years 2001 to 2286. Fewer digits might as well be a year, a day or a number of minutes.
_SECONDS: Final = range(10**9, 10**10)
_MILLISECONDS: Final = range(10**12, 10**13)
# Year 9999, and more than the largest offset of a time zone on both sides.
_LAST_SECONDS: Final = range(253_370_700_000, 253_402_400_000)
_LAST_MILLISECONDS: Final = 253_370_700_000_000
_LARGEST: Final = 2**63
_QUARTER: Final = 900
_COMPACT_DATE: Final = 8

_COUNT: Final = re.compile(r"[+-]?[0-9]{1,24}(?:\.[0-9]{1,9})?")
_DOT_NET: Final = re.compile(r"/Date\((-?[0-9]{1,24})(?:[+-][0-9]{4})?\)/")
# Years that Python's dates do not have: 0, as in MySQL's zero date or the first instant west of Greenwich, those before
# it, as PHP writes that zero date, and those of five digits and more.
_NO_DATE: Final = re.compile(r"0000-?[0-9]{2}-?[0-9]{2}|(?:-[0-9]{4}|[+-]?[0-9]{5,9})-[0-9]{2}-[0-9]{2}")


def read_instant(value: object) -> datetime | None:
    """An instant in UTC; ``None`` for an empty value or a placeholder. Raises `ValueError` for anything else.

    Accepted are ISO 8601 texts, in UTC if they have no offset, and counts since the Unix epoch, as numbers or digits.
    Ten digits are seconds, thirteen are milliseconds. Other numbers are ambiguous and raise.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, str):
        return _read_text(value.strip())
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _read_count(value)
    raise _nothing_known()


def read_day(value: object) -> date | None:
    """A day without a time, ``2026-05-20``; ``None`` for an empty value or a placeholder.

    `syncer.domain.dues.Dues.of_day` converts it to an instant. Raises `ValueError` for anything else.
    """
    text = value.strip() if isinstance(value, str) else value
    if text is None or text == "":
        return None
    try:
        if not isinstance(text, str):
            raise ValueError
        day = None if _NO_DATE.match(text) else date.fromisoformat(text)
    except ValueError:
        msg = "expected a date in ISO 8601"
        raise ValueError(msg) from None
    none = day is None or stands_for_none(datetime.combine(day, time(), UTC))
    return None if none else day


def hinted_instant(value: object) -> datetime | None:
    """Like `read_instant`, but ``None`` for a value that cannot be read. For instants that are only hints."""
    try:
        return read_instant(value)
    except ValueError:
        return None


def read_iso(value: object) -> datetime:
    """An ISO 8601 text as an instant in UTC, placeholders included. Raises `ValueError`."""
    try:
        moment = datetime.fromisoformat(value.strip()) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None:
        raise _nothing_known()
    return _in_utc(moment)


def _in_utc(moment: datetime) -> datetime:
    """The same instant in UTC; without an offset it is UTC already. Raises `ValueError`."""
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    # An offset can move an instant of year 1 or 9999 out of the range of Python's dates.
    except OverflowError:
        raise _nothing_known() from None


def write_instant(moment: datetime) -> str:
    """``2026-05-19T08:30:00Z``, with milliseconds if they are not zero."""
    utc = moment.astimezone(UTC)
    # Older clients of HighLevel report that an update with milliseconds in its due was refused.
    precision = "milliseconds" if utc.microsecond >= 1000 else "seconds"
    return utc.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def stands_for_none(moment: datetime) -> bool:
    """Whether this instant is a placeholder for no date. Without an offset it is UTC."""
    # Nearly every instant of a list is one of these. No placeholder is, whatever the offset.
    if moment.year in _ORDINARY_YEARS:
        return False
    if moment.year in (1, _LAST_YEAR):
        return True
    utc = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    early = utc < _FIRST or utc.year == _LAST_YEAR
    # Nobody plans a task for 1970, so a real due that falls into these hours is no loss. West of Greenwich the epoch is
    # on the day before, and that day without a time is read as its midnight in UTC.
    return early or timedelta(days=-1) <= utc - _EPOCH <= _ZONE or utc.replace(microsecond=0) in _COUNTERS


def _read_text(text: str) -> datetime | None:
    # The usual form first, as in 2026-05-19T08:30:00Z. None of the others begins like it.
    if text[4:5] == "-" and text[:2] == "20":
        return _read_date(text)
    if found := _DOT_NET.fullmatch(text):
        return _read_count(int(found[1]))
    # Eight digits are a date without dashes.
    # Checked before the standard library, which reads thirteen digits as a date and a time in the Middle Ages.
    if len(text) != _COMPACT_DATE and _COUNT.fullmatch(text):
        return _read_count(float(text) if "." in text else int(text))
    return None if _NO_DATE.match(text) else _read_date(text)


def _read_date(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise _nothing_known() from None
    return None if stands_for_none(moment) else _in_utc(moment)


def _read_count(count: float) -> datetime | None:
    """Seconds or milliseconds since the Unix epoch."""
    if (isinstance(count, float) and not math.isfinite(count)) or abs(count) > _LARGEST:
        raise _nothing_known()
    whole = int(count)
    if whole == count and _is_no_count(whole):
        return None
    if whole not in _SECONDS and whole not in _MILLISECONDS:
        raise _nothing_known()
    moment = _EPOCH + timedelta(seconds=count if whole in _SECONDS else count / 1000)
    return None if stands_for_none(moment) else moment


def _is_no_count(count: int) -> bool:
    """Whether this count of seconds or milliseconds is a placeholder."""
    zone = _ZONE.total_seconds()
    # Offsets of time zones are multiples of 15 minutes. Many languages return -1 for an error.
    midnight = (
        (count % _QUARTER == 0 and abs(count) <= zone)
        or (count % (_QUARTER * 1000) == 0 and abs(count) <= zone * 1000)
        or count == -1
    )
    first = int((_FIRST - _EPOCH).total_seconds())
    counter = count in (-(2**31), -(2**31) * 1000)
    return midnight or counter or count < first or count in _LAST_SECONDS or count >= _LAST_MILLISECONDS


def _nothing_known() -> ValueError:
    return ValueError("expected a date and time in ISO 8601")
