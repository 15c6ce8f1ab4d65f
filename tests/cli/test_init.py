"""``syncer init``: questions, tests, and a file that works."""

from __future__ import annotations

import stat
import tomllib

from tests.support.cli_kit import Served


def addresses(served: Served) -> list[str]:
    return [part for box in served.sandboxes for part in ("--base-url", f"{box.system}={served.url}/{box.system}")]


def test_answers_become_a_file_that_a_run_can_use(served: Served) -> None:
    (served.folder / "config.toml").unlink()
    lines = ["acme", "Asia/Kolkata", "IN", "y", "SF_KEY", "y", "-", "reply-key", "y", "HL_KEY", "ve9EPM428h8vShlRW1KT"]
    done = served.do("init", *addresses(served), answers="\n".join(lines) + "\n")
    assert (done.status, done.stderr) == (0, "")
    file = served.folder / "config.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    tables = tomllib.loads(file.read_text())
    assert tables["account"] == {"name": "acme", "timezone": "Asia/Kolkata", "region": "IN"}
    assert tables["superfone"]["api_key"] == "env:SF_KEY"
    assert tables["reply"]["api_key"] == "file:reply.key"
    key = served.folder / "reply.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("reply-key\n", 0o600)
    assert "reply-key" not in done.stdout.replace("Key: reply-key", "")
    assert "syncer plan\n" in done.stdout
    assert served.do("sync", "--once").status == 0


def test_nothing_is_overwritten(served: Served) -> None:
    before = (served.folder / "config.toml").read_text()
    done = served.do("init")
    assert done.status == 2
    assert "config.toml is there already" in done.stderr
    assert (served.folder / "config.toml").read_text() == before


def test_a_wrong_key_is_asked_for_again_and_one_connection_is_not_enough(served: Served) -> None:
    lines = ["acme", "Nowhere", "UTC", "IN", "y", "RE_KEY", "y", "SF_KEY", "y", "NOT_SET", "n", "n"]
    done = served.do("init", "--file", "new.toml", *addresses(served), answers="\n".join(lines) + "\n")
    assert done.status == 2
    assert "expected a time zone" in done.stderr
    assert "superfone: FAILED" in done.stdout
    assert "superfone: ok" in done.stdout
    assert "NOT_SET is not set" in done.stderr
    assert "at least two connections" in done.stderr
    assert not (served.folder / "new.toml").exists()


def test_an_end_of_the_answers_writes_nothing(served: Served) -> None:
    done = served.do("init", "--file", "new.toml", answers="acme\n")
    assert done.status != 0
    assert not (served.folder / "new.toml").exists()
    assert "Traceback" not in done.stderr


def test_a_key_of_another_account_stays_and_a_link_is_not_followed(served: Served) -> None:
    (served.folder / "config.toml").unlink()
    (served.folder / "reply.key").write_text("another account's")
    (served.folder / "reply-2.key").symlink_to(served.folder / "elsewhere")
    lines = ["acme", "UTC", "IN", "y", "SF_KEY", "y", "-", "wrong", "y", "-", "reply-key", "n"]
    done = served.do("init", *addresses(served), answers="\n".join(lines) + "\n")
    assert done.status == 0
    assert (served.folder / "reply.key").read_text() == "another account's"
    assert not (served.folder / "elsewhere").exists()
    assert tomllib.loads((served.folder / "config.toml").read_text())["reply"]["api_key"] == "file:reply-3.key"
    assert (served.folder / "reply-3.key").read_text() == "reply-key\n"


def test_a_key_does_not_stay_behind_where_nothing_comes_of_it(served: Served) -> None:
    for answers in (["n", "y", "-", "reply-key", "n"], ["n", "y", "-", "reply-key"]):
        lines = ["acme", "UTC", "IN", *answers]
        done = served.do("init", "--file", "new.toml", *addresses(served), answers="\n".join(lines) + "\n")
        assert done.status != 0
        assert not list(served.folder.glob("*.key"))


def test_a_file_that_is_a_link_is_refused(served: Served) -> None:
    (served.folder / "new.toml").symlink_to(served.folder / "elsewhere")
    assert served.do("init", "--file", "new.toml").status == 2
    assert not (served.folder / "elsewhere").exists()
