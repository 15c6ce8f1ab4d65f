"""Contact keys: phone numbers in E.164 and e-mail addresses in lower case (pure).

Contacts with a common key are taken for one person, so a doubtful value is no key. This applies to:

- invalid numbers and addresses;
- placeholders that somebody typed because the field was mandatory;
- numbers with an extension: colleagues behind one switchboard differ in nothing but the extension;
- fields with more than one number.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

import phonenumbers
from email_validator import EmailNotValidError, validate_email
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

# 64 characters before the at sign, and 255 after it.
LONGEST_EMAIL = 320
LONGEST_PHONE = 80
SHORTEST_ABROAD = 10
"""Digits, country code included. A shorter number without a plus is more often a local one than one of a small
country."""

_LABEL: Final = r"[(\[]?(?:telephone|tel|phone|ph|mobile|mob|cell|home|work|office|whatsapp|m|t)[)\]]?"
_PHONE: Final = re.compile(rf"(?:{_LABEL}[\s.:]*)?(?P<number>[^a-z]+?)(?:\s*{_LABEL})?", re.IGNORECASE)
_AROUND: Final = " \t\r\n,;:.'\""
# With the dashes that word processors and web pages put in place of a hyphen.
_BETWEEN: Final = frozenset("()[]./-~\u2010\u2011\u2012\u2013\u2014\u2212")

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

# What people type into a mandatory field, whatever the domain after it.
_NOBODY: Final = frozenset(("noemail", "nomail", "noemailaddress", "noreply", "donotreply"))
_NOBODY_OF_ITSELF: Final = frozenset(("none", "na", "no", "nil", "null", "unknown", "test", "abc", "xyz", "email"))


# Every list of contacts has the same numbers again, and the library takes long for each.
@lru_cache(maxsize=65536)
def phone_key(text: str | None, region: str) -> str | None:
    """The number in E.164: ``"98765 43210"`` in region ``"IN"`` is ``"+919876543210"``. ``None`` if it is invalid.

    A number without a country code is read in the region. If that is invalid, it is read with a ``+``:
    ``"14155550123"`` in ``"IN"`` is ``"+14155550123"``. A number without its area code is invalid. A label before or
    after the number (``Mobile:``) is ignored; any other letter makes the number invalid.
    """
    bare = _bare(text) if text and len(text) <= LONGEST_PHONE else None
    if bare is None:
        return None
    number = _valid(bare, region)
    # A slash may stand between two short numbers, which would make one long foreign number.
    if number is None and text and len(bare) >= SHORTEST_ABROAD and "/" not in text:
        number = _valid(f"+{bare}", region)
    if number is None or _is_placeholder(phonenumbers.national_significant_number(number)):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


@lru_cache(maxsize=65536)
def many_share(phone: str) -> bool:
    """Whether several people may share this E.164 number: a fixed line, toll-free, shared-cost or company number."""
    # In North America mobile numbers cannot be told from others. They count as personal: otherwise no phone number
    # would link anybody there.
    number = _parsed(phone, "ZZ")
    return number is None or phonenumbers.number_type(number) not in _OF_ONE_PERSON


@lru_cache(maxsize=65536)
def email_key(text: str | None) -> str | None:
    """The address in lower case. ``None`` if it is invalid or a placeholder. No network access."""
    if not text or len(text) > LONGEST_EMAIL:
        return None
    blanks = "".join(char for char in set(text) if char.isspace())
    try:
        # Without a look at the network: a run must not depend on the name servers of all its contacts.
        address = validate_email(text.strip(_unseen(text) + blanks), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    key = address.normalized.lower()
    return None if _is_nobodys(key) else key


def _unseen(text: str) -> str:
    """The text's invisible characters, which come along when it is copied from a phone, a page or a chat."""
    # The category has the marks of writing direction, spaces without width, and the soft hyphen.
    return "".join({char for char in text if unicodedata.category(char) == "Cf"})


def _bare(text: str) -> str | None:
    """The ASCII digits of the number, with its plus if there is one. ``None`` if the text is more than one number."""
    unseen = _unseen(text)
    shape = _PHONE.fullmatch("".join(char for char in text if char not in unseen).strip(_AROUND))
    if shape is None:
        return None
    bare = ""
    for char in shape["number"].strip(_AROUND):
        if char.isdecimal():
            # Digits of other scripts, such as Devanagari, count, too.
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
    # Not `is_possible_number`: it looks at the length alone, and a number of nobody would join strangers.
    return number if number is not None and phonenumbers.is_valid_number(number) else None


def _is_placeholder(digits: str) -> bool:
    """Whether the number is one digit repeated, or counts up, or counts down to 1: 9999999999, 1234567890, 87654321."""
    # Counting down to 0 is no placeholder: 9876543210 is an ordinary mobile number in India.
    return len(set(digits)) == 1 or digits in _COUNTED_UP or digits in _COUNTED_DOWN


def _is_nobodys(email: str) -> bool:
    """Whether it is a placeholder: ``noemail@…``, ``no-reply@…``, or the same word twice as in ``none@none.com``."""
    local, _, domain = email.partition("@")
    word = re.sub(r"[._-]", "", local)
    return word in _NOBODY or (word in _NOBODY_OF_ITSELF and domain.partition(".")[0] == word)
