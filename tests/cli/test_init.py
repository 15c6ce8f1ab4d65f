"""``syncer init``: questions, tests, and a file that works."""

from __future__ import annotations

import os
import pty
import select
import signal
import stat
import sys
import termios
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.highlevel import sandbox_oauth
from tests.support.cli_kit import PATIENCE, ROOT, Command, Served

LOCATION = "ve9EPM428h8vShlRW1KT"
ACCOUNT = ["acme", "Asia/Kolkata", "IN"]
TOKEN, OAUTH = "1", "2"
TWO = [*ACCOUNT, "n", "y", "reply-key"]
ALL = [*ACCOUNT, "y", "env:SF_KEY", "y", "reply-key", "y", TOKEN, "env:HL_KEY", LOCATION]
APP = [OAUTH, "client-1", "client-secret", "refresh-0"]
KEEP, COMPLETE = "1", "2"


def addresses(served: Served) -> list[str]:
    return [part for box in served.sandboxes for part in ("--base-url", f"{box.system}={served.url}/{box.system}")]


def init(served: Served, *lines: str, file: str = "new.toml") -> Command:
    return served.do("init", "--file", file, *addresses(served), answers="\n".join(lines) + "\n")


def tables(served: Served, file: str = "new.toml") -> dict[str, Any]:
    path = served.folder / file
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    return tomllib.loads(path.read_text())


def test_answers_become_a_file_that_a_run_can_use(served: Served) -> None:
    (served.folder / "config.toml").unlink()
    done = init(served, *ALL, KEEP, "y", file="config.toml")
    assert (done.status, done.stderr) == (0, "")
    found = tables(served, "config.toml")
    assert found["account"] == {"name": "acme", "timezone": "Asia/Kolkata", "region": "IN"}
    assert (found["superfone"]["api_key"], found["superfone"]["superseded"]) == ("env:SF_KEY", "keep")
    assert found["reply"]["api_key"] == "file:acme-reply.key"
    key = served.folder / "acme-reply.key"
    assert (key.read_text(), stat.S_IMODE(key.stat().st_mode)) == ("reply-key\n", 0o600)
    assert "It needs the permissions tasks:read, tasks:write" in done.stdout
    assert done.stdout.endswith("  syncer sync --once\n  syncer sync\n")
    assert "  syncer plan\n" in done.stdout
    assert served.do("sync", "--once").status == 0


def test_users_of_both_sides_are_offered_as_one_person(served: Served) -> None:
    """The same e-mail, in other letters, is the same person."""
    served.reply.team.append({"userId": 42, "displayName": "Ravi", "email": "ravi@example.com"})
    done = init(served, *ALL, KEEP, "y")
    assert "Asha: Reply.io 41, HighLevel tesTUcmRxWrjqzJS8EjkxNKting" in done.stdout
    assert "only in Reply.io: Ravi (42)" in done.stdout
    assert tables(served)["users"] == [{"name": "Asha", "reply": 41, "highlevel": "tesTUcmRxWrjqzJS8EjkxNKting"}]
    assert served.do("sync", "--once", "-c", "new.toml").status == 0


def test_a_mapping_that_is_not_right_is_not_written(served: Served) -> None:
    assert init(served, *ALL, COMPLETE, "n", "n").status == 0
    found = tables(served)
    assert "users" not in found
    assert found["superfone"]["superseded"] == "complete"


def test_the_kinds_that_were_found_are_offered(served: Served) -> None:
    _, contact, _ = served.person()
    served.reply.person_creates(contact, "Meeting", served.now())
    served.reply.person_creates(contact, "Call", served.now())
    done = init(served, *ALL, KEEP, "n", "y", "n", "y")
    assert "Follow-up call (follow_up_call): 1 in Reply.io" in done.stdout
    assert tables(served)["routes"] == {"site_visit": []}


def test_nothing_is_overwritten(served: Served) -> None:
    before = (served.folder / "config.toml").read_text()
    done = served.do("init")
    assert done.status == 2
    assert "config.toml exists already" in done.stderr
    assert (served.folder / "config.toml").read_text() == before


def test_a_wrong_key_is_asked_for_again_and_one_connection_is_not_enough(served: Served) -> None:
    lines = ["acme", "Nowhere", "UTC", "IN", "y", "wrong", "y", "env:SF_KEY", "y", "env:NOT_SET", "n", "n"]
    done = init(served, *lines)
    assert done.status == 2
    assert "expected a time zone" in done.stderr
    assert "Superfone: FAILED: look up a lead by phone number: UnAuthorized" in done.stdout
    assert "Superfone: ok" in done.stdout
    assert "NOT_SET is not set" in done.stderr
    assert "at least two connections" in done.stderr
    assert not (served.folder / "new.toml").exists()
    assert not list(served.folder.glob("*.key"))


def test_after_a_wrong_location_the_key_need_not_be_pasted_again(served: Served) -> None:
    lines = [*TWO, "y", TOKEN, "highlevel-token", "elsewhere", "y", TOKEN, "", LOCATION, "y"]
    done = init(served, *lines)
    assert done.status == 0
    assert "check location_id" in done.stdout
    assert "highlevel-token" not in done.stdout + done.stderr
    assert tables(served)["highlevel"]["location_id"] == LOCATION


def test_highlevel_by_oauth_keeps_each_secret_in_a_private_file(served: Served) -> None:
    served.highlevel.token = "no static token"
    done = init(served, *TWO, "y", *APP, LOCATION, "y")
    assert (done.status, done.stderr) == (0, "")
    assert "1  Private Integration Token\n  2  OAuth\n" in done.stdout
    found = tables(served)["highlevel"]
    assert (found["client_id"], found["location_id"], "token" in found) == ("client-1", LOCATION, False)
    for setting, secret in (("client_secret", "client-secret"), ("refresh_token", "refresh-0")):
        file = served.folder / f"acme-highlevel-{setting}.key"
        assert found[setting] == f"file:{file.name}"
        assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == (f"{secret}\n", 0o600)
        assert secret not in done.stdout
    assert served.do("sync", "--once", "-c", "new.toml").status == 0
    assert len(served.highlevel.oauth.grants) == 1, "the tokens that the test got are used"


def test_after_a_wrong_location_and_a_break_the_refresh_token_still_works(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refresh token works once: what the first test got for it must not be lost."""
    monkeypatch.setattr(sandbox_oauth, "GRACE", timedelta(0))
    served.highlevel.token = "no static token"
    again = ["y", OAUTH, "", "", ""]
    done = init(served, *TWO, "y", *APP, "elsewhere", *again, LOCATION)
    assert "check location_id" in done.stdout
    assert "HighLevel: ok" in done.stdout
    assert done.status != 0, "broken off before the last answer"
    assert not (served.folder / "new.toml").exists()
    assert init(served, *TWO, "y", *APP, LOCATION, "y").status == 0
    assert served.do("sync", "--once", "-c", "new.toml").status == 0


def test_an_end_of_the_answers_writes_nothing(served: Served) -> None:
    for lines in (["acme"], ALL, [*ALL, KEEP]):
        done = init(served, *lines)
        assert done.status != 0
        assert "Traceback" not in done.stderr
        assert not (served.folder / "new.toml").exists()
        assert not list(served.folder.glob("*.key"))


def test_a_second_account_in_one_folder_overwrites_no_key_and_follows_no_link(served: Served) -> None:
    (served.folder / "acme-reply.key").write_text("another account's")
    (served.folder / "acme-reply-2.key").symlink_to(served.folder / "elsewhere")
    assert init(served, *ALL, KEEP, "y").status == 0
    assert (served.folder / "acme-reply.key").read_text() == "another account's"
    assert not (served.folder / "elsewhere").exists()
    assert tables(served)["reply"]["api_key"] == "file:acme-reply-3.key"
    assert (served.folder / "acme-reply-3.key").read_text() == "reply-key\n"


def test_a_file_that_is_a_link_is_refused(served: Served) -> None:
    (served.folder / "new.toml").symlink_to(served.folder / "elsewhere")
    assert served.do("init", "--file", "new.toml").status == 2
    assert not (served.folder / "elsewhere").exists()


# without questions -----------------------------------------------------------------------------------

ANSWERS = """
[account]
timezone = "Asia/Kolkata"
[reply]
api_key = "env:RE_KEY"
rate = ["100/s", "3000/h"]
[highlevel]
token = "env:HL_KEY"
location_id = "ve9EPM428h8vShlRW1KT"
[[highlevel.kind_rules]]
match = "(?i)\\\\bcall ?back\\\\b"
kind = "callback"
[[users]]
name = "Asha \\"A\\" Rao"
reply = 41
[routes]
linkedin = ["reply", "highlevel"]
"""


def test_answers_from_a_file_ask_nothing(served: Served) -> None:
    (served.folder / "answers").write_text(ANSWERS)
    done = served.do("init", "--answers", "answers", "--file", "new.toml", *addresses(served))
    assert (done.status, done.stderr) == (0, "")
    expected = tomllib.loads(ANSWERS)
    expected["account"]["name"] = "new"
    for system in ("reply", "highlevel"):
        expected[system]["base_url"] = f"{served.url}/{system}"
    assert tables(served) == expected
    assert "  syncer plan -c new.toml\n" in done.stdout
    assert served.do("sync", "--once", "-c", "new.toml").status == 0


def test_answers_may_name_an_app(served: Served) -> None:
    served.highlevel.token = "no static token"
    app = 'client_id = "client-1"\nclient_secret = "env:APP"\nrefresh_token = "env:FRESH"'
    (served.folder / "answers").write_text(ANSWERS.replace('token = "env:HL_KEY"', app))
    secrets = {"APP": "client-secret", "FRESH": "refresh-0"}
    done = served.do("init", "--answers", "answers", "--file", "new.toml", *addresses(served), **secrets)
    assert (done.status, done.stderr) == (0, "")
    assert tables(served)["highlevel"]["refresh_token"] == "env:FRESH"
    assert served.do("sync", "--once", "-c", "new.toml", **secrets).status == 0


def test_answers_with_a_secret_or_an_unknown_key_are_refused(served: Served) -> None:
    wrong = ANSWERS.replace('"env:RE_KEY"', '"reply-key"').replace("timezone", "timezones")
    (served.folder / "answers").write_text(wrong)
    done = served.do("init", "--answers", "answers", "--file", "new.toml", *addresses(served))
    assert done.status == 2
    assert "never the secret itself" in done.stderr
    assert "timezones: unknown key" in done.stderr
    assert "reply-key" not in done.stderr
    assert not (served.folder / "new.toml").exists()


def test_answers_of_a_wrong_form_are_refused(served: Served) -> None:
    (served.folder / "answers").write_text(ANSWERS.replace("[reply]", "[[reply]]"))
    done = served.do("init", "--answers", "answers", "--file", "new.toml", *addresses(served))
    assert (done.status, done.stderr) == (2, "new.toml: reply: expected a table [reply]\n")


def test_answers_whose_key_does_not_work_write_nothing(served: Served) -> None:
    (served.folder / "answers").write_text(ANSWERS)
    done = served.do("init", "--answers", "answers", "--file", "new.toml", *addresses(served), RE_KEY="wrong")
    assert done.status == 1
    assert "Reply.io: FAILED: key" in done.stdout
    assert not (served.folder / "new.toml").exists()
    missing = served.do("init", "--answers", "missing", "--file", "new.toml")
    assert (missing.status, missing.stderr) == (2, "missing: the answers cannot be read: No such file or directory\n")


# on a terminal ---------------------------------------------------------------------------------------


class Conversation:
    """``syncer init`` on a terminal of its own."""

    def __init__(self, pid: int, terminal: int) -> None:
        self.pid = pid
        self.shown = ""
        self._terminal = terminal

    def type(self, answer: str, *, after: str, hidden: bool = False) -> None:
        """Wait until this is asked, then answer."""
        start = len(self.shown)
        end = time.monotonic() + PATIENCE
        while after not in self.shown[start:]:
            assert time.monotonic() < end, self.shown
            self._read(0.1)
        # What is typed before the echo is off would be thrown away.
        while hidden and termios.tcgetattr(self._terminal)[3] & termios.ECHO:
            assert time.monotonic() < end, self.shown
            time.sleep(0.01)
        os.write(self._terminal, f"{answer}\n".encode())

    def end(self) -> int:
        """Read to the end; the exit status."""
        with suppress(OSError):
            while self._read(PATIENCE):
                pass
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        part = os.read(self._terminal, 4096).decode("utf-8", "replace") if ready else ""
        self.shown += part
        return bool(part)


@contextmanager
def conversation(served: Served) -> Iterator[Conversation]:
    command = [sys.executable, "-m", "syncer", "init", "--file", "new.toml", *addresses(served)]
    env = {**served.env, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(served.folder)
        os.execve(sys.executable, command, env)  # noqa: S606
    try:
        yield Conversation(pid, terminal)
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        os.close(terminal)


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")
def test_a_pasted_key_is_never_shown_and_a_killed_init_leaves_nothing(served: Served) -> None:
    before: set[Path] = set(served.folder.iterdir())
    with conversation(served) as talk:
        for answer, asked in zip(ACCOUNT, ("Name", "Time zone", "Country"), strict=True):
            talk.type(answer, after=asked)
        talk.type("y", after="Connect Superfone?")
        talk.type("superfone-key", after="Key:", hidden=True)
        talk.type("y", after="Connect Reply.io?")
        assert "Superfone: ok" in talk.shown
        assert "superfone-key" not in talk.shown
        os.kill(talk.pid, signal.SIGKILL)
        assert talk.end() == -signal.SIGKILL
    assert set(served.folder.iterdir()) == before
