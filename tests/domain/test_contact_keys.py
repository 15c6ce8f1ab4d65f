"""Contact keys: what joins two records, and what must not."""

from __future__ import annotations

import phonenumbers
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncer.domain.contact_keys import email_key, many_share, phone_key

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
        # with the invisible marks that phones, pages and chats put around a number
        ("\u2066+91 98765 43210\u2069", "IN", "+919876543210"),
        ("\u2068098765\u200c43210\u2069", "IN", "+919876543210"),
        ("\u202b+91 98765\xad43210\u202c", "IN", "+919876543210"),
        # without a plus before the country code
        ("919876543210", "IN", "+919876543210"),
        ("919876543210", "US", "+919876543210"),
        ("14155550123", "IN", "+14155550123"),
        ("1 (415) 555-0123", "IN", "+14155550123"),
        ("447911123456", "IN", "+447911123456"),
        ("2902 2158", "IN", None),
        ("98765 43210 / 11", "IN", None),
        # possible, and not valid
        ("+915550000000", "IN", None),
        ("55550 12345", "IN", None),
        # placeholders
        ("0000000000", "IN", None),
        ("+910000000000", "IN", None),
        ("9999999999", "IN", None),
        ("+91 99999 99999", "IN", None),
        ("09999999999", "IN", None),
        ("+77777777777", "IN", None),
        ("1234567890", "IN", None),
        ("+91 12345 67890", "IN", None),
        ("+12345678901", "IN", None),
        ("12345678901", "IN", None),
        ("0123456789", "FR", None),
        ("8765 4321", "SG", None),
        ("+6587654321", "IN", None),
        ("98765 43219", "IN", "+919876543219"),
        ("87654 32109", "IN", "+918765432109"),
        # extensions, and several numbers in one field
        ("98765 43210 x12", "IN", None),
        ("+91 98765 43210 ext. 5", "IN", None),
        ("+91 98765 43210 extension 5", "IN", None),
        ("+91 98765 43210 #3", "IN", None),
        ("98765 43210 p12", "IN", None),
        ("98765 43210,12", "IN", None),
        ("tel:+919876543210;ext=4", "IN", None),
        ("98765 43210, 98765 43211", "IN", None),
        ("98765 43210 / 98765 43211", "IN", None),
        ("98765 43210\n98765 43211", "IN", None),
        ("+919876543210 +919876543211", "IN", None),
        # words beside it
        ("Mobile: 98765 43210", "IN", "+919876543210"),
        ("98765 43210 (mobile)", "IN", "+919876543210"),
        ("(M) 98765 43210", "IN", "+919876543210"),
        ("98765 43210 (wife)", "IN", None),
        ("old 98765 43210", "IN", None),
        ("987654 home", "IN", None),
        ("+1 800 FLOWERS", "US", None),
        ("'98765 43210", "IN", "+919876543210"),
        ("98765 43210,", "IN", "+919876543210"),
        # other ways to write digits and signs
        ("९८७६५४३२१०", "IN", "+919876543210"),
        ("٩٨٧٦٥٤٣٢١٠", "IN", "+919876543210"),
        ("\uff0b91 98765\u201143210", "US", "+919876543210"),
        ("\u202a+91 98765 43210\u202c", "US", "+919876543210"),
        ("(+91) 98765-43210", "US", "+919876543210"),
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
    formats = phonenumbers.PhoneNumberFormat
    key = phone_key(phonenumbers.format_number(number, formats.E164), region)
    for form in (formats.INTERNATIONAL, formats.NATIONAL, formats.RFC3966):
        assert phone_key(phonenumbers.format_number(number, form), region) == key


@given(st.text("0123456789+ -()x/.", max_size=20), REGIONS, REGIONS)
@example("9876543210", "IN", "US")
def test_a_key_is_its_own_key_in_every_region(text: str, region: str, other: str) -> None:
    key = phone_key(text, region)
    assert key is None or phone_key(key, other) == key


@pytest.mark.parametrize(
    ("phone", "shared"),
    [
        ("+919876543210", False),
        ("+912223456789", True),
        ("+442079460123", True),
        ("+447911123456", False),
        ("+14155550123", False),
        ("+18002530000", True),
        ("+9118001234567", True),
        ("+5491123456789", False),
    ],
)
def test_numbers_that_many_may_share(phone: str, shared: bool) -> None:
    assert many_share(phone) is shared


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
        ("noemail@example.com", None),
        ("no-email@example.com", None),
        ("No.Reply@example.com", None),
        ("none@none.com", None),
        ("test@test.com", None),
        ("\u2068 Asha@example.com\u200b\u2069 ", "asha@example.com"),
        ("\ufeffasha@example.com\u2003", "asha@example.com"),
        ("none@example.com", "none@example.com"),
        ("test@example.com", "test@example.com"),
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
