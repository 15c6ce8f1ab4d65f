"""No secret leaves in any text, in whatever notation; and nothing that a terminal would obey."""

from __future__ import annotations

import base64
import html
import json
import re
import time
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from syncer.domain import redact as module
from syncer.domain.redact import MASK, Secrets, plain, protect, redact, redacted_traceback

SECRETS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=12, max_size=60)


@pytest.fixture(autouse=True)
def _own_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_secrets", Secrets())


def test_nothing_is_masked_before_it_is_protected() -> None:
    assert redact("Bearer abcdef") == "Bearer abcdef"


def test_an_empty_secret_masks_nothing() -> None:
    protect("")
    assert redact("abc") == "abc"


def test_every_occurrence_is_masked() -> None:
    protect("s3cret")
    assert redact("s3cret, and again s3cret.") == f"{MASK}, and again {MASK}."


def test_a_longer_secret_is_masked_whole() -> None:
    protect("abc-key")
    protect("abc-key-of-another")
    assert redact("abc-key-of-another abc-key") == f"{MASK} {MASK}"


def test_secrets_that_come_one_after_the_other_are_masked_as_they_come() -> None:
    for number in range(30):
        protect(f"secret-{number:02}")
        assert redact("secret-00 " + f"secret-{number:02}") == f"{MASK} {MASK}"
    protect("a secret-00 of another")
    assert redact("a secret-00 of another, secret-29") == f"{MASK}, {MASK}"


@pytest.mark.parametrize("length", [65, 200, 4000])
def test_a_long_secret_is_masked_to_its_end(length: int) -> None:
    secret = "".join(f"{number}." for number in range(length))[:length]
    protect(secret)
    for form in forms(secret):
        shown = redact(f"before {form} after")
        assert MASK in shown
        assert len(shown.replace(MASK, "")) <= 30 + 12, form[:80]


def test_hundreds_of_secrets_are_masked() -> None:
    names = [f"secret-{number}-{number**3}" for number in range(300)]
    for name in names:
        protect(name)
    assert redact(" ".join(names)) == " ".join([MASK] * 300)


def test_a_secret_may_be_a_part_of_the_mask() -> None:
    secrets = Secrets()
    for number in range(20):
        secrets.add(f"key-{number}-of-many")
    secrets.add("secret")
    assert secrets.mask("key-1-of-many, secret, key-19-of-many") == f"{MASK}, {MASK}, {MASK}"


@pytest.mark.parametrize("secret", ["k", "ab", "a+b"])
def test_a_very_short_secret_is_masked_where_it_stands_alone(secret: str) -> None:
    protect(secret)
    assert redact(f"the key {secret}: lakabxa+bb") == f"the key {MASK}: lakabxa+bb"


def forms(secret: str) -> Iterator[str]:
    raw = secret.encode()
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret), json.dumps({"key": secret}))
    percent = "".join(f"%{byte:02X}" for byte in raw)
    lower = re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(secret, safe=""))
    yield from (percent, percent.lower(), quote(percent), lower)
    units = secret.encode("utf-16-be")
    escaped = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
    yield from (escaped, json.dumps(escaped), json.dumps(json.dumps(secret)))
    yield from (raw.hex(), raw.hex().upper(), raw.hex(":"), raw.hex(" "))
    # Only some letters are escaped, as in the text of an error that quotes what it got.
    yield "".join(f"\\x{ord(one):02x}" if at % 3 == 1 and one.isascii() else one for at, one in enumerate(secret))
    yield from (html.escape(secret), "".join(f"&#{ord(letter)};" for letter in secret))
    for before in range(4):
        for after in range(3):
            # Bytes with bits at both ends, for they share letters with those of the secret.
            packed = b"~" * before + raw + b"y" * after
            for coded in (base64.b64encode(packed), base64.urlsafe_b64encode(packed), base64.encodebytes(packed)):
                yield from (coded.decode(), coded.decode().rstrip("=\n"), quote(coded.decode(), safe=""))


@settings(max_examples=30)
@given(SECRETS)
@example('k3y/+ with "quotes" and <secrets> & \\more')
@example("%25%%%25%25%25\\\\\\\\u0025")
def test_each_written_form_is_masked(secret: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_secrets", Secrets())
        protect(secret)
        for form in forms(secret):
            shown = redact(f"before {form} after")
            assert MASK in shown, form
            assert len(shown.replace(MASK, "")) <= len("before {'key': ''} after") + 12, (form, shown)


def test_a_form_split_by_lines_is_masked() -> None:
    secret = "a-long-key-" * 9
    protect(secret)
    coded = base64.encodebytes(f"user:{secret}".encode()).decode()
    assert "\n" in coded.strip()
    assert redact(coded).count("\n") <= 1


@pytest.mark.parametrize(
    "piece", ["s3cret-and-lon", "%", "\\", "\\u0073", "&amp;", "czNjcmV0LWFuZC1", "a", "733363", "\x1b"]
)
def test_a_text_of_megabytes_takes_no_time(piece: str) -> None:
    for number in range(20):
        protect(f"s3cret-and-long-{number}")
    redact("warm")
    started = time.process_time()
    redact(piece * (2_000_000 // len(piece)))
    assert time.process_time() - started < 1.5


@pytest.mark.parametrize("letter", ["\x00", "\x07", "\x1b", "\r", "\x7f", "\x85", "\x9b", "\u061c", "\u200e", "\u200f"])
def test_what_a_terminal_obeys_is_replaced(letter: str) -> None:
    assert plain(f"a{letter}b") == redact(f"a{letter}b") == "a\ufffdb"


@pytest.mark.parametrize("letter", ["\u2028", "\u2029", "\u202a", "\u202e", "\u2066", "\u2069", "\ufeff", "\ud800"])
def test_what_turns_a_text_round_is_replaced(letter: str) -> None:
    assert plain(f"a{letter}b") == redact(f"a{letter}b") == "a\ufffdb"


@pytest.mark.parametrize("text", ["a\tb\nc", "é नमस्ते 👩‍👩‍👧 … क्‍ष", "", "a b"])
def test_what_people_write_stays(text: str) -> None:
    protect("s3cret")
    assert plain(text) == redact(text) == text


def test_lines_are_ended_in_one_way() -> None:
    assert plain("a\r\nb") == "a\nb"


@given(st.text())
def test_any_text_can_be_written_afterwards(text: str) -> None:
    protect("s3cret")
    assert redact(redact(text)) == redact(text)
    redact(text).encode()


def test_a_traceback_tells_no_secret_and_no_whole_answer() -> None:
    protect("s3cret")
    try:
        try:
            raise KeyError("czNjcmV0")
        except KeyError as error:
            raise ValueError("s3cret\x1b[2J" + "x" * 100_000) from error
    except ValueError as error:
        shown = redacted_traceback(error)
    assert "s3cret" not in shown
    assert "czNjcmV0" not in shown
    assert f"ValueError: {MASK}\ufffd[2J" in shown
    assert "\x1b" not in shown
    assert shown.startswith("Traceback")
    assert len(shown) < 3000
