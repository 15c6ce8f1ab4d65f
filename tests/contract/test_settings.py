"""The units of an account file: durations, rates, base URLs and references to secrets."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncer.contract.settings import (
    ConnectionSettings,
    Rate,
    Secret,
    check_base_url,
    parse_duration,
    parse_rates,
)

SECRET = "a-literal-secret"


class Settings(ConnectionSettings):
    """As small as a connection's table can be."""

    base_url: str = "https://crm.example"
    rate: tuple[Rate, ...] = (Rate(1, 1.0),)
    key: Secret


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1.5h", 5400),
        ("250ms", 0.25),
        ("1d", 86_400),
        ("10 m", 600),
        (" 2s ", 2),
        (0, 0),
        ("0", 0),
        ("0s", 0),
        (timedelta(seconds=3), 3),
    ],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "s", "10", "-1s", "1q", "1h30m", 60, True, False, None, [], "9" * 400 + "d", "1 0s"]
)
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("value", "rates"),
    [
        ("5/s", (Rate(5, 1.0),)),
        ("100/10s", (Rate(100, 10.0),)),
        (["100/m", "3000/h"], (Rate(100, 60.0), Rate(3000, 3600.0))),
        ("200000 / d", (Rate(200_000, 86_400.0),)),
        ("1/500ms", (Rate(1, 0.5),)),
        ((Rate(2, 1.0),), (Rate(2, 1.0),)),
    ],
)
def test_rates(value: object, rates: tuple[Rate, ...]) -> None:
    assert parse_rates(value) == rates


@pytest.mark.parametrize(
    "value", ["", "5", "0/s", "5/0s", "-5/s", "5/w", 5, None, [], [5], "9" * 400 + "/s", ["1/s", ""]]
)
def test_what_is_no_rate(value: object) -> None:
    with pytest.raises(ValueError, match=r"expected (a|at least one) rate"):
        parse_rates(value)


@given(st.one_of(st.text(), st.floats(), st.integers(), st.from_regex(r"\A\d+(\.\d+)?(ms|s|m|h|d)\Z")))
def test_any_value_is_a_duration_or_refused(value: object) -> None:
    with suppress(ValueError):
        assert parse_duration(value) >= timedelta(0)


@given(st.one_of(st.text(), st.integers(), st.from_regex(r"\A\d+/\d*(ms|s|m|h|d)\Z"), st.lists(st.text())))
def test_any_value_is_a_list_of_rates_or_refused(value: object) -> None:
    with suppress(ValueError):
        assert all(rate.requests > 0 and rate.seconds > 0 for rate in parse_rates(value))


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/v3/", "https://api.example.com/v3"),
        ("HTTPS://API.example.com:8443/a_b", "HTTPS://API.example.com:8443/a_b"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080/reply", "http://127.0.0.1:8080/reply"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("https://10.0.0.7", "https://10.0.0.7"),
    ],
)
def test_base_urls(url: str, kept: str) -> None:
    assert check_base_url(url) == kept


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://api.example.com?x=1",
        "https://api.example.com?",
        "https://api.example.com/#top",
        "https://api.example.com:port",
        "https://api.example.com:99999",
        "https://api example.com",
        "https://[::1",
        "https://1.2.3.999",
        "https://a..b",
        "https://bücher.example",
        "http://api.example.com",
        "http://192.168.0.1",
        "http://localhost.example.com",
    ],
)
def test_what_is_no_base_url(url: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        check_base_url(url)


@pytest.mark.parametrize("scheme", ["https", "http", "ftp", ""])
def test_a_password_in_a_base_url_is_refused_and_not_repeated(scheme: str) -> None:
    with pytest.raises(ValueError, match="without a user name") as caught:
        check_base_url(f"{scheme}://asha:{SECRET}@localhost/?a#b")
    assert SECRET not in str(caught.value)


@given(st.text(min_size=1).map(lambda text: f"https://{text}"))
@example("https://0x7f.1")
@example("https://a:")
@example("https://a%")
def test_every_accepted_base_url_makes_a_client(text: str) -> None:
    try:
        url = check_base_url(text)
    except ValueError:
        return
    assert httpx.URL(url).host


# Secrets


def read(reference: object, folder: Path = Path()) -> str:
    settings = Settings.model_validate({"key": reference}, context={"folder": folder})
    return settings.key.get_secret_value()


def refusal(reference: object, folder: Path = Path()) -> str:
    with pytest.raises(ValidationError) as caught:
        read(reference, folder)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_a_secret_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", f" {SECRET}\n")
    assert read("env:ACME_KEY") == SECRET


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_variable_is_named(value: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACME_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("ACME_KEY", value)
    assert "the environment variable ACME_KEY is not set" in refusal("env:ACME_KEY")


@pytest.mark.parametrize("extra", ["é", "\n", "\x01"])
def test_a_secret_that_no_header_can_carry(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", f"{SECRET}{extra}{SECRET}")
    assert "does not contain a key" in refusal("env:ACME_KEY")


LITERALS = [SECRET, f"Bearer {SECRET}", f"ENV:{SECRET}", "env:", "file:", "keyring:x", "", 5, True, None]


@pytest.mark.parametrize("reference", LITERALS)
def test_a_literal_secret_is_refused(reference: object) -> None:
    assert "expected a reference to a secret" in refusal(reference)


def test_a_secret_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    assert read("file:key", tmp_path) == read(f"file:{file}") == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_secret_that_others_can_read_is_refused(mode: int, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    file.chmod(mode)
    assert f"chmod 600 {file}" in refusal("file:key", tmp_path)


def test_a_secret_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir(mode=0o700)
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (tmp_path / "empty").touch()
    for name in ("binary", "empty"):
        (tmp_path / name).chmod(0o600)
    assert "No such file" in refusal("file:key", tmp_path)
    assert "Is a directory" in refusal("file:folder", tmp_path)
    assert "it is not a text" in refusal("file:binary", tmp_path)
    assert "is empty" in refusal("file:empty", tmp_path)
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert "it is not a file" in refusal("file:pipe", tmp_path)
    (tmp_path / "binary").write_text("k" * 65_537)
    assert "it is too long to be a key" in refusal("file:binary", tmp_path)
    (tmp_path / "binary").write_text("k" * 65_536)
    assert len(read("file:binary", tmp_path)) == 65_536
    assert "cannot be read" in refusal("file:~nobody-of-this-name/key", tmp_path)


class _KeyringError(Exception):
    """Stands for the keyring package's own."""


def fake_keyring(monkeypatch: pytest.MonkeyPatch, entries: dict[tuple[str, str], str], *, locked: bool = False) -> None:
    def get_password(service: str, user: str) -> str | None:
        if locked:
            msg = "no session"
            raise _KeyringError(msg)
        return entries.get((service, user))

    errors = SimpleNamespace(KeyringError=_KeyringError)
    module = SimpleNamespace(get_password=get_password, errors=errors)
    monkeypatch.setitem(sys.modules, "keyring", module)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)


def test_a_secret_in_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_keyring(monkeypatch, {("acme/reply", "asha"): SECRET})
    assert read("keyring:acme/reply/asha") == SECRET
    assert "keyring set acme asha" in refusal("keyring:acme/asha")


def test_a_keyring_that_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_keyring(monkeypatch, {}, locked=True)
    assert "use env: or file: instead" in refusal("keyring:acme/asha")
    monkeypatch.setitem(sys.modules, "keyring", None)
    assert "pip install 'crm-task-syncer[keyring]'" in refusal("keyring:acme/asha")


def test_a_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", SECRET)
    settings = Settings.model_validate({"key": "env:ACME_KEY"})
    assert SECRET not in f"{settings} {settings!r} {settings.model_dump()} {settings.model_dump_json()}"


@pytest.mark.parametrize("value", ["yes", "true", 1, 0, None])
def test_a_switch_is_true_or_false(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", SECRET)
    with pytest.raises(ValidationError):
        Settings.model_validate({"key": "env:ACME_KEY", "create_missing_contacts": value})


def test_settings_are_frozen_and_know_their_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_KEY", SECRET)
    settings = Settings.model_validate({"key": "env:ACME_KEY"})
    with pytest.raises(ValidationError):
        settings.base_url = "https://other.example"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Settings.model_validate({"key": "env:ACME_KEY", "keys": 1})


def test_rates_are_shown_as_they_are_written() -> None:
    assert [str(rate) for rate in (Rate(5, 1.0), Rate(1, 0.5))] == ["5/1s", "1/0.5s"]
