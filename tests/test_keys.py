"""Contact keys: what joins two records, and what must not."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.keys import email_key, phone_key

REGIONS = st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS))


@pytest.mark.parametrize(
    ("text", "region", "key"),
    [
        ("98765 43210", "IN", "+919876543210"),
        ("098765-43210", "IN", "+919876543210"),
        ("+91 98765 43210", "US", "+919876543210"),
        ("0091 98765 43210", "DE", "+919876543210"),
        ("(650) 253-0000", "US", "+16502530000"),
        ("tel:+1-650-253-0000", "IN", "+16502530000"),
        ("030 901820", "DE", "+4930901820"),
        ("253-0000", "US", None),
        ("12", "IN", None),
        ("call me", "IN", None),
        ("+", "IN", None),
        ("", "IN", None),
        (None, "IN", None),
        ("98765 43210", "nowhere", None),
        ("9" * 400, "IN", None),
    ],
)
def test_phone_key(text: str | None, region: str, key: str | None) -> None:
    assert phone_key(text, region) == key


@given(REGIONS)
def test_a_number_has_one_key_however_it_is_written(region: str) -> None:
    number = phonenumbers.example_number(region)
    if number is None:
        return
    key = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    formats = phonenumbers.PhoneNumberFormat
    for form in (formats.E164, formats.INTERNATIONAL, formats.NATIONAL, formats.RFC3966):
        assert phone_key(phonenumbers.format_number(number, form), region) == key


@given(st.text(), REGIONS)
@example("+1 800 FLOWERS", "US")
@example("\ud800", "IN")
def test_any_text_is_a_key_or_none(text: str, region: str) -> None:
    key = phone_key(text, region)
    assert key is None or (key.startswith("+") and key[1:].isdecimal() and key.isascii())


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("Asha@Example.COM", "asha@example.com"),
        ("  asha@example.com\n", "asha@example.com"),
        ("asha+crm@example.com", "asha+crm@example.com"),
        ("asha@bücher.example", "asha@bücher.example"),
        ("asha@xn--bcher-kva.example", "asha@bücher.example"),
        ("asha", None),
        ("asha@", None),
        ("a b@example.com", None),
        ("asha@example.com, other@example.com", None),
        ("Asha <asha@example.com>", None),
        ("", None),
        (None, None),
    ],
)
def test_email_key(text: str | None, key: str | None) -> None:
    assert email_key(text) == key


@given(st.one_of(st.emails(), st.text(), st.text().map(lambda text: f"{text}@example.com")))
@example("\ud800@example.com")
@example("asha@\ud800.com")
@example("İ@example.com")
def test_any_email_is_a_key_in_lower_case_or_none(text: str) -> None:
    key = email_key(text)
    assert key is None or (key == key.lower() and "@" in key and email_key(key) == key)
