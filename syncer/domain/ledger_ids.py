"""The ids of ledgers. They sort as text by age, so that of two ledgers everybody can tell which is older.

An id is ten characters of Crockford's base 32 in lower case (no i, l, o, u):

- an ordinary id has 7 characters for the seconds since 1970 and 3 random ones. It never begins with ``0``: that would
  be a time before January 2004, so the clock would be wrong;
- after ``syncer ledger take-over`` an id has ``0``, 7 characters that count the seconds down, and 2 random ones. So it
  sorts before all ordinary ids, and the latest take-over sorts first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = 10
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: digits and letters, without the letters that are easily misread."""

_VALUES: Final = {letter: value for value, letter in enumerate(ALPHABET)}
_TOOK_OVER: Final = "0"
_DIGITS: Final = 7
# The least number of seven digits that does not begin with 0.
_FIRST: Final = 32 ** (_DIGITS - 1)
_LAST: Final = 32**_DIGITS - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class LedgerIdentity:
    """A ledger's id, and when it was made or took over, to the second."""

    id: str
    made_at: datetime


def new(now: datetime, random_bytes: Callable[[int], bytes]) -> LedgerIdentity:
    """The identity of a ledger that is created now, or that is now found to be a copy."""
    return _identity(_text(_seconds(now), _DIGITS) + _random(3, random_bytes))


def taking_over(now: datetime, random_bytes: Callable[[int], bytes]) -> LedgerIdentity:
    """The identity of a ledger that takes over its account now. It sorts before all earlier ones."""
    return _identity(_TOOK_OVER + _text(_LAST - _seconds(now), _DIGITS) + _random(2, random_bytes))


def parse(ledger: str) -> datetime:
    """When the ledger with this id was made or took over. Raises `ValueError` if this is no ledger id."""
    if len(ledger) != LENGTH or not set(ledger) <= _VALUES.keys():
        msg = f"expected a ledger's id of {LENGTH} lower-case letters and digits: {ledger!r}"
        raise ValueError(msg)
    took_over = ledger.startswith(_TOOK_OVER)
    digits = ledger[1 : 1 + _DIGITS] if took_over else ledger[:_DIGITS]
    seconds = 0
    for digit in digits:
        seconds = seconds * 32 + _VALUES[digit]
    return _EPOCH + timedelta(seconds=_LAST - seconds if took_over else seconds)


def made_at(ledger: str) -> datetime | None:
    """When the ledger with this id was made or took over; ``None`` if this is no ledger id."""
    try:
        return parse(ledger)
    except ValueError:
        return None


def _identity(ledger: str) -> LedgerIdentity:
    return LedgerIdentity(ledger, parse(ledger))


def _seconds(now: datetime) -> int:
    # A clock that is wrong by decades must still give an id of ten characters.
    return min(max(int((now - _EPOCH).total_seconds()), _FIRST), _LAST)


def _text(number: int, digits: int) -> str:
    # Five bits for each letter.
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(digits)))


def _random(letters: int, random_bytes: Callable[[int], bytes]) -> str:
    return "".join(ALPHABET[byte & 31] for byte in random_bytes(letters))
