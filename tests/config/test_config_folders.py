"""Which account files are meant, and which cannot be served beside one another."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncer.config.clashes import known_clashes
from syncer.config.loader import ConfigError, Found, build_adapters, find_accounts
from tests.support.account_files import ALL, HIGHLEVEL, KEYS, REPLY, SUPERFONE, load


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)


def names(found: Found) -> list[str]:
    assert not found.broken
    return [account.name for account in found.accounts]


def told(found: Found) -> list[str]:
    return [line for error in found.broken for line in error.problems]


def another(stem: str) -> str:
    """Three connections that no other stem has."""
    text = ALL.replace("[superfone]\n", f'[superfone]\nbase_url = "https://{stem}.example"\n')
    text = text.replace("[reply]\n", f'[reply]\nbase_url = "https://{stem}.example"\n')
    return text.replace("ve9EPM428h8vShlRW1KT", f"location-{stem}")


def test_files_and_folders(tmp_path: Path) -> None:
    for stem in ("b", "a", "config.example", ".hidden"):
        (tmp_path / f"{stem}.toml").write_text(another(stem))
    (tmp_path / "notes.txt").write_text("[")
    assert names(find_accounts([tmp_path], {})) == ["a", "b"]
    assert names(find_accounts([tmp_path / "b.toml", tmp_path], {})) == ["b", "a"]


def test_the_environment_names_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for stem in ("a", "b", "config"):
        (tmp_path / f"{stem}.toml").write_text(another(stem))
    monkeypatch.chdir(tmp_path)
    assert names(find_accounts([], {"SYNCER_CONFIG": "b.toml:a.toml"})) == ["b", "a"]
    assert names(find_accounts([], {"SYNCER_CONFIG": ":b.toml: :"})) == ["b"]
    assert names(find_accounts([Path("a.toml")], {"SYNCER_CONFIG": "b.toml"})) == ["a"]
    assert names(find_accounts([], {"SYNCER_CONFIG": ""})) == names(find_accounts([], {})) == ["config"]


def test_a_missing_file_is_said_with_a_way_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for configs, tried in (([], "config.toml"), ([Path("x.toml")], "x.toml"), ([tmp_path], str(tmp_path))):
        found = find_accounts(configs, {})
        (line,) = told(found)
        assert not found.accounts
        assert line.startswith(f"{tried}: ")
        for advice in ("config.example.toml", "syncer init", "syncer demo"):
            assert advice in line


def test_a_broken_file_is_named_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[")
    (tmp_path / "b.toml").write_text(REPLY)
    (tmp_path / "d.toml").write_text(ALL)
    found = find_accounts([tmp_path, tmp_path / "c.toml"], {})
    assert [line.partition(":")[0] for line in told(found)] == [str(tmp_path / f"{stem}.toml") for stem in "abc"]
    assert [account.name for account in found.accounts] == ["d"]


def test_two_files_cannot_share_a_name_or_a_ledger(tmp_path: Path) -> None:
    same = '[account]\nname = "acme"\n'
    (tmp_path / "a.toml").write_text(same + another("a"))
    (tmp_path / "b.toml").write_text(same + '[ledger]\nurl = "sqlite:///b.db"\n' + another("b"))
    (tmp_path / "c.toml").write_text('[ledger]\nurl = "sqlite:///./b.db"\n' + another("c"))
    (tmp_path / "d.toml").write_text("[reply]" + another("d").partition("[reply]")[2])
    found = find_accounts([tmp_path], {})
    assert [tuple(line.split(": ")[:2]) for line in told(found)] == [
        (str(tmp_path / "a.toml"), "account.name"),
        (str(tmp_path / "b.toml"), "account.name"),
        (str(tmp_path / "b.toml"), "ledger.url"),
        (str(tmp_path / "c.toml"), "ledger.url"),
    ]
    assert [account.name for account in found.accounts] == ["d"]
    for line, others in zip(told(found), ("b", "a", "c", "b"), strict=True):
        assert f"({tmp_path / others}.toml)" in line


def test_two_ledgers_of_one_remote_account_are_told_by_what_they_know(tmp_path: Path) -> None:
    """Whatever else is different. Where one of the two knows nothing, or on two servers, nothing follows."""
    elsewhere = REPLY + 'base_url = "https://elsewhere.example"\n'
    accounts = [
        load(tmp_path, text, f"{stem}.toml")
        for stem, text in (("a", ALL), ("b", SUPERFONE + REPLY), ("c", SUPERFONE + elsewhere), ("d", HIGHLEVEL + REPLY))
    ]
    a, b, c, d = (account.path for account in accounts)
    known = {
        a: {"superfone": "org 1", "reply": "user 1", "highlevel": "location 1"},
        b: {"superfone": "org 2", "reply": "user 1"},
        c: {"superfone": "org 2", "reply": "user 1"},
        d: {"reply": "user 2"},
    }
    told = known_clashes(accounts, known)
    assert {path: error.problems for path, error in told.items()} == {
        a: (f"{a}: reply: {_same(b)} (user 1)",),
        b: (f"{b}: reply: {_same(a)} (user 1)", f"{b}: superfone: {_same(c)} (org 2)"),
        c: (f"{c}: superfone: {_same(b)} (org 2)",),
    }
    assert not known_clashes(accounts, {})


def _same(path: Path) -> str:
    return (
        f"{path} opens the same remote account, so every task would be created twice; keep one of the two files, or "
        "correct the key or the id in the other"
    )


@pytest.mark.parametrize("secrets", [True, False])
@pytest.mark.parametrize("reference", ["env:REPLY_API_KEY", "env:THE_SAME", "file:key"])
def test_a_copied_file_is_refused_with_its_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reference: str, secrets: bool
) -> None:
    """However the key is spelt, as far as it is known; and without a key being shown."""
    key = KEYS["REPLY_API_KEY"]
    monkeypatch.setenv("THE_SAME", key)
    (tmp_path / "key").write_text(key)
    (tmp_path / "key").chmod(0o600)
    text = another("b").replace('base_url = "https://b.example"\napi_key = "env:REPLY', 'api_key = "env:REPLY')
    (tmp_path / "a.toml").write_text(ALL)
    (tmp_path / "b.toml").write_text(text.replace("env:REPLY_API_KEY", reference))
    found = find_accounts([tmp_path], {}, secrets=secrets)
    if not secrets and reference != "env:REPLY_API_KEY":
        assert len(names(found)) == 2
        return
    first, second = told(found)
    assert not found.accounts
    assert first.startswith(f"{tmp_path / 'a.toml'}: reply: {tmp_path / 'b.toml'} opens the same remote account")
    assert second.startswith(f"{tmp_path / 'b.toml'}: reply: {tmp_path / 'a.toml'} opens the same remote account")
    assert key not in "".join(told(found))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("http://127.0.0.1:8080", "http://localhost:8080"),
        ("http://127.0.0.1:8080", "http://LocalHost:8080/"),
        ("http://127.0.0.1:8080", "http://[::1]:8080"),
        ("http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080"),
        ("https://127.0.0.1:8080", "https://[::ffff:127.0.0.1]:8080"),
        ("https://localhost:8080", "https://localhost.:8080"),
        ("https://localhost:8080", "https://acme.localhost:8080"),
        ("https://api.reply.io", "https://API.Reply.io/"),
        ("https://api.reply.io", "HTTPS://api.reply.io:443"),
        ("https://api.reply.io", "https://api.reply.io./v3"),
        ("https://api.reply.io:08443", "https://api.reply.io:8443"),
    ],
)
def test_two_names_of_one_host_are_one(tmp_path: Path, one: str, other: str) -> None:
    for stem, address in (("a", one), ("b", other)):
        text = another(stem).replace("https://b.example", "https://a.example")
        (tmp_path / f"{stem}.toml").write_text(text.replace("https://a.example", address))
    first, second = told(find_accounts([tmp_path], {}))
    assert "opens the same remote account" in first
    assert "opens the same remote account" in second


def test_two_ports_of_one_host_are_two(tmp_path: Path) -> None:
    for stem, port in (("a", 8080), ("b", 8081)):
        text = another(stem).replace("https://b.example", "https://a.example")
        (tmp_path / f"{stem}.toml").write_text(text.replace("https://a.example", f"http://localhost:{port}"))
    assert names(find_accounts([tmp_path], {})) == ["a", "b"]


def test_one_key_may_open_two_locations(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(another("a"))
    (tmp_path / "b.toml").write_text(another("b"))
    assert names(find_accounts([tmp_path], {})) == ["a", "b"]
    (tmp_path / "b.toml").write_text(another("b").replace("location-b", "location-a"))
    assert [line.split(": ")[1] for line in told(find_accounts([tmp_path], {}))] == ["highlevel", "highlevel"]


def test_what_needs_no_network_needs_no_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REPLY_API_KEY")
    more = '[alarms]\nwebhook = "env:HOOK"\n[events]\nhighlevel_public_key = "file:no.pem"\n'
    (tmp_path / "acme.toml").write_text(f"{ALL}{more}")
    for line in ("reply.api_key", "alarms.webhook", "events.highlevel_public_key"):
        assert any(one.startswith(f"{tmp_path}/acme.toml: {line}: ") for one in told(find_accounts([tmp_path], {})))
    found = find_accounts([tmp_path], {}, secrets=False)
    assert names(found) == ["acme"]
    (tmp_path / "acme.toml").write_text(ALL)
    found = find_accounts([tmp_path], {}, secrets=False)
    with pytest.raises(ConfigError, match="REPLY_API_KEY is not set"):
        build_adapters(found.accounts[0])
    monkeypatch.setenv("REPLY_API_KEY", "set-since")
    assert list(build_adapters(found.accounts[0])) == ["superfone", "reply", "highlevel"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.toml")
    (tmp_path / "b.toml").mkdir()
    (tmp_path / "c.toml").write_bytes(b"#" * 2_000_000)
    (tmp_path / "d.toml").symlink_to(tmp_path / "d.toml")
    found = find_accounts([tmp_path], {})
    said = [line.partition("cannot be read: ")[2] for line in told(found)]
    assert said[0] == "it is a pipe or a device, not a file"
    assert said[1:] == ["Is a directory", "it is longer than 1024 KiB", "Too many levels of symbolic links"]


def test_every_file_that_an_account_file_refers_to_is_watched(tmp_path: Path) -> None:
    """A daemon takes up what changes in one of them."""
    key = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="
    content = {
        "ledger": f"sqlite:///{tmp_path}/x.db",
        "hook": "https://alarms.example.com/x",
        "told": "json://x.example.com",
        "key.pem": f"-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n",
    }
    for name, text in content.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o600)
    more = (
        '[ledger]\nurl = "file:ledger"\n[alarms]\nwebhook = "file:hook"\nnotify = ["file:told"]\n'
        '[events]\nhighlevel = true\nhighlevel_public_key = "file:key.pem"\n'
    )
    (tmp_path / "a.toml").write_text(f"{ALL}{more}")

    found = find_accounts([tmp_path], {})

    assert names(found) == ["a"]
    assert {file.name for file in found.files} == {"a.toml", *content}
