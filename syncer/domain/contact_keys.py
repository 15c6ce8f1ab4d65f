"""Contact keys: phone numbers in E.164 and e-mail addresses in lower case (pure).

A key joins people, so what may be nobody's or anybody's is none: what is no valid number or address, a placeholder that
somebody typed because a field had to be filled, a number with an extension, which tells two colleagues of one
switchboard apart by what a key leaves out, and a field that holds more than one number.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

LONGEST_EMAIL = 320
LONGEST_PHONE = 80
SHORTEST_ABROAD = 10
"""Digits, country code included: shorter ones would be taken for a small country's, and are a town's more often."""

_LABEL: Final = r"[(\[]?(?:telephone|tel|phone|ph|mobile|mob|cell|home|work|office|whatsapp|m|t)[)\]]?"
_PHONE: Final = re.compile(rf"(?:{_LABEL}[\s.:]*)?(?P<number>[^a-z]+?)(?:\s*{_LABEL})?", re.IGNORECASE)
_AROUND: Final = " \t\r\n,;:.'\""
_BETWEEN: Final = frozenset("()[]./-~\u2010\u2011\u2012\u2013\u2014\u2212")
_UNSEEN: Final = frozenset("\u200b\u200e\u200f\u202a\u202c\u202d\u2060\ufeff")

_COUNTED_UP: Final = "01234567890123456789"
_COUNTED_DOWN: Final = "987654321"
_OF_ONE_PERSON: Final = frozenset(
    (
        PhoneNumberType.MOBILE,
        PhoneNumberType.FIXED_LINE_OR_MOBILE,
        PhoneNumberType.PERSONAL_NUMBER,
        PhoneNumberType.PAGER,
    )
)

_NOBODY: Final = frozenset(("noemail", "nomail", "noemailaddress", "noreply", "donotreply"))
_NOBODY_OF_ITSELF: Final = frozenset(("none", "na", "no", "nil", "null", "unknown", "test", "abc", "xyz", "email"))


@lru_cache(maxsize=65536)
def phone_key(text: str | None, region: str) -> str | None:
    """``"98765 43210"`` in region ``"IN"`` is ``"+919876543210"``; ``None`` for what is no valid number.

    Without a country code it is read in the region, and where that gives no valid number, with a ``+`` before it:
    ``"14155550123"`` in ``"IN"`` is ``"+14155550123"``. One that lacks its area code is none: it would join people of
    different towns. A label before or behind it (``Mobile:``) is left out. Any other letter makes it none, that of a
    vanity number too: a word beside a number would be dialled as digits.
    """
    bare = _bare(text) if text and len(text) <= LONGEST_PHONE else None
    if bare is None:
        return None
    number = _valid(bare, region)
    if number is None and text and len(bare) >= SHORTEST_ABROAD and "/" not in text:
        number = _valid(f"+{bare}", region)
    if number is None or _is_placeholder(phonenumbers.national_significant_number(number)):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(maxsize=65536)
def many_share(phone: str) -> bool:
    """Whether this E.164 number may be that of many people: a fixed line, toll-free, shared-cost or company number.

    Where mobile numbers look like others (North America: ``FIXED_LINE_OR_MOBILE``) it counts as one person's, for
    people there would be joined by nothing else.
    """
    number = _parsed(phone, "ZZ")
    return number is None or phonenumbers.number_type(number) not in _OF_ONE_PERSON


@lru_cache(maxsize=65536)
def email_key(text: str | None) -> str | None:
    """The address in lower case; ``None`` for what is no address, or surely nobody's. Nothing is looked up."""
    if not text or len(text) > LONGEST_EMAIL:
        return None
    try:
        address = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    key = address.normalized.lower()
    return None if _is_nobodys(key) else key


def _bare(text: str) -> str | None:
    """Its digits in plain form, and a plus before them; ``None`` where more stands there than one number."""
    shape = _PHONE.fullmatch("".join(char for char in text if char not in _UNSEEN).strip(_AROUND))
    if shape is None:
        return None
    bare = ""
    for char in shape["number"].strip(_AROUND):
        if char.isdecimal():
            bare += str(unicodedata.decimal(char))
        elif char in "+\uff0b" and not bare:
            bare = "+"
        elif not (char.isspace() or char in _BETWEEN):
            return None
    return bare


def _parsed(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _valid(text: str, region: str) -> phonenumbers.PhoneNumber | None:
    number = _parsed(text, region)
    return number if number is not None and phonenumbers.is_valid_number(number) else None


def _is_placeholder(digits: str) -> bool:
    """One digit repeated, or counted up, or down to 1: 9999999999, 1234567890, 87654321.

    Counting down to 0 is none: 9876543210 is a mobile number in India like any other.
    """
    return len(set(digits)) == 1 or digits in _COUNTED_UP or digits in _COUNTED_DOWN


def _is_nobodys(email: str) -> bool:
    """``noemail@…``, ``no-reply@…``, and words that name themselves, as ``none@none.com``."""
    local, _, domain = email.partition("@")
    word = re.sub(r"[._-]", "", local)
    return word in _NOBODY or (word in _NOBODY_OF_ITSELF and domain.partition(".")[0] == word)
