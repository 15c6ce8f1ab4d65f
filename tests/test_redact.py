"""No secret leaves in any text, in whatever form a URL or a JSON string gives it."""

from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import redact as module
from adapters.redact import MASK, protect, redact


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_secrets", set())


def test_nothing_is_masked_before_it_is_protected() -> None:
    assert redact("Bearer abcdef") == "Bearer abcdef"


def test_an_empty_secret_masks_nothing() -> None:
    protect("")
    assert redact("abc") == "abc"


def test_every_occurrence_is_masked() -> None:
    protect("s3cret")
    assert redact("s3cret, and again s3cret.") == f"{MASK}, and again {MASK}."


def test_a_longer_secret_is_masked_whole() -> None:
    protect("key")
    protect("key-of-another")
    assert redact("key-of-another key") == f"{MASK} {MASK}"


@given(st.text(st.characters(codec="ascii", categories=["L", "N", "P", "S"]), min_size=12))
def test_each_written_form_is_masked(secret: str) -> None:
    protect(secret)
    forms = [secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps({"key": secret})]
    for form in forms:
        assert secret not in redact(f"before {form} after").replace(MASK, "")
        assert MASK in redact(f"before {form} after")
