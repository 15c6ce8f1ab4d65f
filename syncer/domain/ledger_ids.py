"""What a ledger is called: by when it was made, so that of two ledgers all can tell which is the older one.

Ten characters of Crockford's base 32 in lower case (no i, l, o, u), which sort as text:

- an ordinary id is 7 characters, the seconds since 1970, and 3 random ones. It never begins with ``0``: that would
  be before January 2004, and a clock that says so is wrong;
- the id of a ledger that took over is ``0``, 7 characters that count the seconds down, and 2 random ones. So it sorts
  before all ordinary ones, and of those that took over the latest sorts first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

LENGTH: Final = 10
ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32: the digits, and the letters without those that are taken for others."""

_VALUES: Final = {letter: value for value, letter in enumerate(ALPHABET)}
_TOOK_OVER: Final = "0"
_DIGITS: Final = 7
_FIRST: Final = 32 ** (_DIGITS - 1)
_LAST: Final = 32**_DIGITS - 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, order=True)
class LedgerIdentity:
    """A ledger's id, and when it was made or took over, to the second."""

    id: str
    made_at: datetime


def new(now: datetime, random_bytes: Callable[[int], bytes]) -> LedgerIdentity:
    """The identity of a ledger that is made, or found to be a copy, now."""
    return _identity(_text(_seconds(now), _DIGITS) + _random(3, random_bytes))


def taking_over(now: datetime, random_bytes: Callable[[int], bytes]) -> LedgerIdentity:
    """The identity of a ledger that is its account's only one from now on: it sorts before all others so far."""
    return _identity(_TOOK_OVER + _text(_LAST - _seconds(now), _DIGITS) + _random(2, random_bytes))


def parse(ledger: str) -> datetime:
    """When the ledger with this id was made or took over. Raises `ValueError` for what is no such id."""
    if len(ledger) != LENGTH or not set(ledger) <= _VALUES.keys():
        msg = f"expected a ledger's id of {LENGTH} lower-case letters and digits: {ledger!r}"
        raise ValueError(msg)
    took_over = ledger.startswith(_TOOK_OVER)
    digits = ledger[1 : 1 + _DIGITS] if took_over else ledger[:_DIGITS]
    seconds = 0
    for digit in digits:
        seconds = seconds * 32 + _VALUES[digit]
    return _EPOCH + timedelta(seconds=_LAST - seconds if took_over else seconds)


def _identity(ledger: str) -> LedgerIdentity:
    return LedgerIdentity(ledger, parse(ledger))


def _seconds(now: datetime) -> int:
    return min(max(int((now - _EPOCH).total_seconds()), _FIRST), _LAST)


def _text(number: int, digits: int) -> str:
    return "".join(ALPHABET[number >> 5 * place & 31] for place in reversed(range(digits)))


def _random(letters: int, random_bytes: Callable[[int], bytes]) -> str:
    return "".join(ALPHABET[byte & 31] for byte in random_bytes(letters))
