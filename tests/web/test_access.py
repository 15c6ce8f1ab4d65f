"""Who may see and do what."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncer.web.access import HEADERS, Access
from syncer.web.listening import CannotListen, Listening, listening_of

TOKEN = "a-token-of-some-length"
LOCAL = Access(Listening("127.0.0.1", 8080))
PUBLIC = Access(Listening("10.0.0.5", 8080, TOKEN, "https://syncer.example.com"))


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:9000", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST", "127.0.0.9"]
)
def test_loopback_names_are_ours_everywhere(host: str) -> None:
    assert LOCAL.knows_host(host, "127.0.0.1")
    assert PUBLIC.knows_host(host, "10.0.0.5")


@pytest.mark.parametrize("host", ["10.0.0.5:8080", "syncer.example.com", "SYNCER.example.com:443", "10.0.0.7"])
def test_the_address_listened_on_and_the_public_one_are_ours(host: str) -> None:
    assert PUBLIC.knows_host(host, "10.0.0.7")
    assert not LOCAL.knows_host(host, "127.0.0.1")


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example.com",
        "localhost.evil.example.com",
        "localhost@evil.example.com",
        "127.0.0.1.nip.io",
        "a b",
        "[",
    ],
)
def test_other_names_are_not_ours(host: str) -> None:
    assert not PUBLIC.knows_host(host, "10.0.0.5")


def test_the_token_or_its_cookie_lets_in() -> None:
    assert LOCAL.lets_in({}, "")
    assert not PUBLIC.lets_in({}, "")
    assert PUBLIC.lets_in({"authorization": f"Bearer {TOKEN}"}, "")
    assert PUBLIC.lets_in({"authorization": f"bearer  {TOKEN}"}, "")
    assert not PUBLIC.lets_in({"authorization": f"Basic {TOKEN}"}, "")
    assert not PUBLIC.lets_in({"authorization": f"Bearer {TOKEN}x"}, "")
    assert PUBLIC.lets_in({}, PUBLIC.cookie)
    assert not PUBLIC.lets_in({}, "é")
    assert TOKEN not in PUBLIC.cookie
    other = Access(Listening("10.0.0.5", 8080, TOKEN + "2"))
    assert not other.lets_in({}, PUBLIC.cookie)
    assert Access(PUBLIC.listening).cookie == PUBLIC.cookie, "a restart asks nobody again"


def test_a_form_token_is_of_one_process() -> None:
    assert LOCAL.is_form_token(LOCAL.form_token)
    assert not LOCAL.is_form_token("")
    assert not LOCAL.is_form_token(Access(LOCAL.listening).form_token)


@pytest.mark.parametrize(
    ("headers", "ours"),
    [
        ({}, True),
        ({"origin": "http://127.0.0.1:8080"}, True),
        ({"origin": "http://127.0.0.1:8081"}, False),
        ({"origin": "https://evil.example.com"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"origin": "http://[evil"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"sec-fetch-site": "same-site", "origin": "http://127.0.0.1:8080"}, False),
        ({"sec-fetch-site": "same-origin", "origin": "http://127.0.0.1:8080"}, True),
    ],
)
def test_forms_come_from_our_own_pages(headers: dict[str, str], ours: bool) -> None:
    assert LOCAL.is_own_origin({"host": "127.0.0.1:8080", **headers}) == ours


def test_behind_a_proxy_the_public_address_is_our_own() -> None:
    assert PUBLIC.is_own_origin({"host": "10.0.0.5:8080", "origin": "https://syncer.example.com"})


def test_nothing_from_elsewhere_and_no_script_in_the_page() -> None:
    policy = HEADERS["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    return f"file:{file}"


@pytest.mark.parametrize(
    ("listen", "expected"),
    [
        ("127.0.0.1:8080", ("127.0.0.1", 8080)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_loopback_needs_no_token(listen: str, expected: tuple[str, int]) -> None:
    found = listening_of(listen, None, None)
    assert (found.host, found.port, found.token) == (*expected, "")


@pytest.mark.parametrize(
    ("listen", "public", "words"),
    [
        ("0.0.0.0:8080", None, "--token"),
        ("syncer.example.com:8080", None, "--token"),
        ("[::]:8080", None, "--token"),
        ("127.0.0.1:8080", "https://syncer.example.com", "--token"),
        ("8080", None, "HOST:PORT"),
        (":8080", None, "HOST:PORT"),
        ("127.0.0.1:", None, "HOST:PORT"),
        ("127.0.0.1:http", None, "HOST:PORT"),
        ("127.0.0.1:65536", None, "HOST:PORT"),
        ("::1:8080", None, "brackets"),
    ],
)
def test_what_cannot_be_listened_on_is_refused_in_words(listen: str, public: str | None, words: str) -> None:
    with pytest.raises(CannotListen, match=words):
        listening_of(listen, None, public)


def test_others_may_come_with_a_token(token: str) -> None:
    found = listening_of("0.0.0.0:8080", token, "https://syncer.example.com/")
    assert (found.token, found.public_host, found.secure) == (TOKEN, "syncer.example.com", True)
    assert TOKEN not in str(CannotListen(token))


@pytest.mark.parametrize("public", ["syncer.example.com", "ftp://syncer.example.com", "https://example.com/syncer"])
def test_a_public_address_has_no_path(token: str, public: str) -> None:
    with pytest.raises(CannotListen, match="--public-url"):
        listening_of("127.0.0.1:8080", token, public)


def test_a_public_address_may_be_plain(token: str) -> None:
    found = listening_of("127.0.0.1:8080", token, "http://syncer.internal:8000")
    assert (found.public_url, found.public_host, found.secure) == (
        "http://syncer.internal:8000",
        "syncer.internal",
        False,
    )


def test_a_token_is_long_and_nobody_elses(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHORT", "15-letters-long")
    monkeypatch.setenv("LONG", "16-letters-long!")
    assert listening_of("127.0.0.1:8080", "env:LONG", None).token == "16-letters-long!"
    for reference, words in (("env:SHORT", "too short"), ("env:MISSING", "not set"), ("literal", "reference")):
        with pytest.raises(CannotListen, match=words):
            listening_of("127.0.0.1:8080", reference, None)
    Path(token.removeprefix("file:")).chmod(0o644)
    with pytest.raises(CannotListen, match="others can read"):
        listening_of("127.0.0.1:8080", token, None)
