"""Titles that are one, however two CRMs write them, and titles that are not."""

from __future__ import annotations

import pytest

from syncer.domain.titles import is_cut, may_be_shortened, same_title, short


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Call (Asha)", "call asha"),
        ("call: about the flat!", "Call about  the flat"),
        ("Follow-up", "follow up"),
        ("Send {\u2060{first_name}}", "Send {{first_name}}"),
        ("café", "cafe\u0301"),
        ("STRASSE", "straße"),
        (None, "call asha"),
        ("", "call asha"),
        (" ", "call asha"),
        ("राम को फोन करें।", "राम को फोन करें"),
    ],
)
def test_one_title(one: str | None, other: str) -> None:
    assert same_title(one, other)
    assert same_title(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("call asha", "call asha 2"),
        ("राम को फोन करें", "रमा को फोन करें"),
        ("📞", "🏠"),
        ("C++", "C#"),
        ("5.0%", "50%"),
        ("5-6", "56"),
        ("!!!", "???"),
        ("Pay 5%", "Pay 5$"),
    ],
)
def test_two_titles(one: str, other: str) -> None:
    assert not same_title(one, other)
    assert not same_title(other, one)


def test_a_long_title_is_cut_where_people_read_it() -> None:
    assert short("x" * 80) == "x" * 80
    assert short("x" * 81) == "x" * 80 + "…"
    assert short(" Call\n Asha ") == "Call Asha"


def test_a_title_that_a_crm_cuts_off_when_it_is_sent() -> None:
    sent = "Call Asha about the flat in Pune, and about its price"
    assert is_cut(sent, sent[:45])
    assert is_cut(sent, f"{sent[:45]}…")
    assert not is_cut(sent, "Call Asha")
    assert not is_cut(sent[:45], sent)


@pytest.mark.parametrize(
    ("shown", "kept", "wanted"),
    [
        (80, 80, True),
        # Before the cut is a blank, which nobody shows.
        (79, 80, True),
        (60, 80, False),
        (80, 200, False),
        (200, 200, True),
    ],
)
def test_a_crm_may_keep_less_of_a_title(shown: int, kept: int, wanted: bool) -> None:
    title = "Ask about the price " * 20
    assert may_be_shortened(title, title[:shown], kept) is wanted
