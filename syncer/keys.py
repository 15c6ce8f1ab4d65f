"""Contact keys: phone numbers in E.164 and e-mail addresses in lower case (pure)."""

from __future__ import annotations

from functools import lru_cache

import phonenumbers
from email_validator import EmailNotValidError, validate_email

LONGEST_EMAIL = 320


@lru_cache(maxsize=65536)
def phone_key(text: str | None, region: str) -> str | None:
    """``"98765 43210"`` in region ``"IN"`` is ``"+919876543210"``; ``None`` for what is no possible number.

    A number that lacks its area code is none either: it would join people of different towns.
    """
    if not text:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


@lru_cache(maxsize=65536)
def email_key(text: str | None) -> str | None:
    """The address in lower case; ``None`` for what is no address. Nothing is looked up."""
    if not text or len(text) > LONGEST_EMAIL:
        return None
    try:
        address = validate_email(text.strip(), check_deliverability=False, test_environment=True)
    except EmailNotValidError:
        return None
    return address.normalized.lower()
