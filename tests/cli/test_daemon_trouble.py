"""One account's trouble is its own: the daemon goes on with the others."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sqlite3
import threading
import urllib.request
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import pytest

from syncer.cli.account_files import AccountFiles, Look
from syncer.cli.session import Session
from syncer.cli.signals import Stop
from syncer.domain.report import Exit
from tests.support.cli_kit import Command, Served, runs, until


def pair(served: Served) -> list[str]:
    """Two accounts in a folder; the options that name it."""
    (served.folder / "accounts").mkdir()
    served.configure("a", file="accounts/a.toml")
    served.configure("b", file="accounts/b.toml", elsewhere=True)
    served.person()
    return ["--config", "accounts"]


def told(command: Command, account: str) -> list[dict[str, object]]:
    return [answer for answer in command.answers if answer["account"] == account]


def test_files_are_taken_up_as_they_come_and_go(served: Served) -> None:
    """One is broken from the start, is mended, is copied, and is removed; the other one is served all the time."""
    where = pair(served)
    good = (served.folder / "accounts/b.toml").read_text()
    (served.folder / "accounts/b.toml").write_text(good + "[")
    daemon = served.start("sync", "--json", *where)
    until(lambda: told(daemon, "a"))
    assert daemon.stderr.count("b.toml: this is not TOML") == 1
    (served.folder / "accounts/b.toml").write_text(good)
    until(lambda: told(daemon, "b"))
    (served.folder / "accounts/c.toml").write_text(good.replace('name = "b"', 'name = "c"'))
    until(lambda: "c.toml opens the same remote account" in daemon.stderr)
    (served.folder / "accounts/c.toml").unlink()
    (served.folder / "accounts/a.toml").unlink()
    until(lambda: "account.left" in daemon.stderr)
    seen = len(told(daemon, "b"))
    until(lambda: len(told(daemon, "b")) > seen)
    assert not told(daemon, "c")
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_an_account_whose_file_is_renamed_goes_on_as_one(served: Served) -> None:
    """Whatever the order in which the two names are looked at: the account has one service, and keeps its page."""
    where = pair(served)
    folder = served.folder / "accounts"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon = served.start("sync", "--json", "--listen", f"127.0.0.1:{port}", *where)
    until(lambda: told(daemon, "a"))
    name = "a"
    for number in range(5):
        (folder / f"{name}.toml").rename(folder / f"renamed{number}.toml")
        name = f"renamed{number}"
        until(lambda: daemon.stderr.count("account.taken_up") == number + 1)  # noqa: B023 - called at once
        seen = len(told(daemon, "a"))
        until(lambda: len(told(daemon, "a")) > seen)  # noqa: B023
    assert {one["status"] for one in told(daemon, "a")} == {"ok"}
    assert "KeyError" not in daemon.stderr
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/accounts/a") as page:
        assert page.status == 200
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_two_accounts_that_swap_their_names_are_both_served(served: Served) -> None:
    where = pair(served)
    folder = served.folder / "accounts"
    daemon = served.start("sync", "--json", *where)
    until(lambda: told(daemon, "a") and told(daemon, "b"))
    texts = {name: (folder / f"{name}.toml").read_text() for name in "ab"}
    (folder / "x.toml").write_text(texts["a"].replace('name = "a"', 'name = "b"'))
    (folder / "y.toml").write_text(texts["b"].replace('name = "b"', 'name = "a"'))
    for name, new in (("a", "x"), ("b", "y")):
        (folder / f"{new}.toml").rename(folder / f"{name}.toml")
    until(lambda: daemon.stderr.count("account.taken_up") >= 2)
    seen = len(daemon.answers)
    until(lambda: {one["account"] for one in daemon.answers[seen:]} == {"a", "b"})
    assert "unexpected" not in daemon.stderr
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_an_account_goes_on_once_the_file_that_opened_the_same_remote_account_is_gone(served: Served) -> None:
    """Only the first runs have shown that they are one account: the key and the other CRMs differ."""
    where = pair(served)
    folder = served.folder / "accounts"
    text = (folder / "a.toml").read_text().replace('"a"', '"b"').replace("env:RE_KEY", "env:RE_KEY_2")
    for system in ("superfone", "highlevel"):
        text = text.replace(f"{served.url}/{system}", f"{served.other_url}/{system}")
    (folder / "b.toml").write_text(text)
    # Without a file that is not served yet, the daemon would end with the last account.
    (folder / "x.toml").write_text("[")
    served.reply.before = lambda call: setattr(served.reply, "api_key", call.headers.get("x-api-key"))
    daemon = served.start("sync", "--json", *where, RE_KEY_2="another-key")
    until(lambda: daemon.stderr.count("opens the same remote account") >= 2)
    (folder / "b.toml").unlink()
    seen = len(told(daemon, "a"))
    until(lambda: [one for one in told(daemon, "a")[seen:] if one["exit"] == 0])
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_of_a_file_that_is_broken_the_last_good_form_goes_on(served: Served) -> None:
    where = pair(served)
    file = served.folder / "accounts/a.toml"
    good = file.read_text()
    daemon = served.start("sync", "--json", *where)
    until(lambda: told(daemon, "a"))
    file.write_text(good + "[")
    until(lambda: "a.toml: this is not TOML" in daemon.stderr)
    until(lambda: "account_files.last_good_form" in daemon.stderr)
    seen = len(told(daemon, "a"))
    until(lambda: len(told(daemon, "a")) > seen + 1)
    assert told(daemon, "a")[-1]["status"] == "ok"
    assert "account.left" not in daemon.stderr
    assert "account_file.mended" not in daemon.stderr
    file.write_text(good)
    until(lambda: "account_file.mended" in daemon.stderr)
    file.write_text(good.replace('name = "a"', 'name = "z"'))
    until(lambda: told(daemon, "z"))
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    assert daemon.stderr.count("account_file.broken") == 1
    assert daemon.stderr.count("account_file.mended") == 1


def test_the_accounts_of_a_folder_that_cannot_be_read_for_a_while_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network drive is away, or somebody has changed the folder's mode."""
    (tmp_path / "a.toml").write_text("[")
    files = AccountFiles(Session((tmp_path,)))
    threads = set[threading.Thread]()

    def refuse(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    async def looks() -> list[Look]:
        found = [await files.look()]
        with monkeypatch.context() as patch:
            patch.setattr(os, "listdir", refuse)
            patch.setattr(os, "scandir", refuse)
            found += [await files.look(), await files.look()]
            assert await files.have_changed()
        (tmp_path / "a.toml").unlink()
        return [*found, await files.look()]

    monkeypatch.setattr("syncer.cli.account_files._signature", lambda _: threads.add(threading.current_thread()))
    first, away, still_away, gone = asyncio.run(looks())
    # A drive that hangs must not hold up the runs of the other accounts.
    assert threads
    assert threading.main_thread() not in threads

    assert first.broken == away.broken == still_away.broken == {tmp_path / "a.toml"}
    assert "the folder cannot be read" in str(away.new[0])
    assert not gone.broken
    # Each trouble is told once when it begins and once when it is over.
    assert [look.over for look in (first, away, still_away)] == [[], [], []]
    assert (len(first.new), len(away.new), still_away.new) == (1, 1, [])
    assert set(gone.over) == {str(first.new[0]), str(away.new[0])}


def test_a_key_file_that_is_mended_is_taken_up(served: Served) -> None:
    key = served.folder / "reply.key"
    key.write_text("wrong")
    key.chmod(0o600)
    file = served.folder / "config.toml"
    file.write_text(file.read_text().replace("env:RE_KEY", "file:reply.key"))
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) and daemon.answers[-1]["connections"]["reply"]["state"] == "unauthorized")
    key.write_text("reply-key")
    until(lambda: daemon.answers[-1]["connections"]["reply"]["state"] == "ok")
    key.chmod(0o644)
    until(lambda: "others can read the secret file" in daemon.stderr)
    seen = runs(daemon)
    until(lambda: runs(daemon) > seen + 1)
    assert daemon.answers[-1]["status"] == "ok"
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_a_locked_ledger_keeps_nobody_else_waiting(served: Served) -> None:
    where = pair(served)
    assert served.do("sync", "--once", *where).status == 0
    with closing(sqlite3.connect(served.folder / "accounts/a.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        daemon = served.start("sync", "--json", *where)
        until(lambda: len(told(daemon, "b")) >= 1)
        seen = len(told(daemon, "b"))
        until(lambda: len(told(daemon, "b")) > seen)
        assert not told(daemon, "a") or told(daemon, "a")[0]["status"] == "error"
        other.execute("ROLLBACK")
        until(lambda: [one for one in told(daemon, "a") if one["status"] == "ok"])
        other.execute("BEGIN IMMEDIATE")
        daemon.send(signal.SIGTERM)
        assert daemon.status == 143


def test_a_full_disk_is_told_once_and_over_when_it_is(served: Served) -> None:
    where = pair(served)
    assert served.do("sync", "--once", *where).status == 0
    with closing(sqlite3.connect(served.folder / "accounts/a.db")) as ledger:
        ledger.execute("CREATE TRIGGER full BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        daemon = served.start("sync", "--json", *where)
        until(lambda: len(told(daemon, "b")) >= 3)
        assert [one["status"] for one in told(daemon, "a")] == ["error"]
        ledger.execute("DROP TRIGGER full")
        until(lambda: len(told(daemon, "a")) > 1)
    assert told(daemon, "a")[1]["status"] == "ok"
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_what_was_sent_in_an_earlier_run_does_not_count(served: Served) -> None:
    """A ledger that fails before anything was sent is another trouble than one that fails after it."""
    _, _, contact = served.person()
    served.task(contact)
    daemon = served.start("sync", "--json")
    until(lambda: served.writes() == 2 and runs(daemon) >= 2)
    with closing(sqlite3.connect(served.folder / "acme.db")) as ledger:
        ledger.execute("CREATE TRIGGER full BEFORE INSERT ON run BEGIN SELECT RAISE(ABORT, 'disk is full'); END")
        until(lambda: daemon.answers[-1]["status"] == "error")
        first = daemon.answers[-1]
        assert "the next run finds out what was sent" not in first["message"]
        ledger.execute("DROP TRIGGER full")
        ledger.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON operation WHEN new.state = 'done' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        served.task(contact, "Visit Asha", hours=9)
        until(lambda: daemon.answers[-1]["status"] == "error" and daemon.answers[-1] != first)
        assert "the next run finds out what was sent" in daemon.answers[-1]["message"]
        assert "the next run finds out" in served.do("status", "--json").answer["broken_off"]["message"]
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_a_ledger_that_is_none_is_tried_again_beside_another_account(served: Served) -> None:
    where = pair(served)
    (served.folder / "accounts/a.db").write_text("a shopping list, and no ledger\n" * 50)
    daemon = served.start("sync", "--json", *where)
    until(lambda: told(daemon, "a") and told(daemon, "b"))
    (served.folder / "accounts/a.db").unlink()
    until(lambda: len(told(daemon, "a")) > 1)
    assert [one["status"] for one in told(daemon, "a")[:2]] == ["error", "ok"]
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_a_ledger_that_was_removed_or_replaced_is_opened_anew(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    for name in ("acme.db", "acme.db-wal", "acme.db-shm"):
        (served.folder / name).unlink(missing_ok=True)
    seen = runs(daemon)
    until(lambda: runs(daemon) > seen + 1)
    assert served.do("status", "--json").answer["daemon"]
    assert served.do("sync").status == 4
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_whatever_hangs_the_end_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr("syncer.cli.signals.LAST_MOMENT", 0.01)
    monkeypatch.setattr("syncer.cli.signals.os._exit", ended.append)

    async def hang() -> None:
        with Stop() as stop:
            stop.ask(signal.SIGTERM)
            until(lambda: ended)

    asyncio.run(hang())
    assert ended == [143]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signal")
@pytest.mark.parametrize(("terminal", "status"), [(True, Exit.SIGTERM), (False, None)])
def test_a_terminal_that_is_closed_ends_it_well_and_a_service_goes_on(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, status: Exit | None
) -> None:
    """It ended at once, in the midst of a request; and systemd takes that for a good end, and starts nothing again."""
    monkeypatch.setattr("syncer.cli.signals._has_terminal", lambda: terminal)
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)

    async def hung_up() -> Exit | None:
        with Stop() as stop:
            for _ in range(2):
                signal.raise_signal(signal.SIGHUP)
                await asyncio.sleep(0.01)
            return stop.exit_status

    try:
        assert asyncio.run(hung_up()) is status
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nohup_stays_in_force() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async def started() -> object:
        with Stop():
            return signal.getsignal(signal.SIGHUP)

    try:
        assert asyncio.run(started()) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_hangs_in_a_thread_does_not_delay_the_end() -> None:
    """A look-up of a host's name in asyncio's own executor, or a webhook."""
    free = threading.Event()

    async def hang() -> None:
        with Stop():
            for work in (asyncio.to_thread(free.wait), asyncio.get_running_loop().run_in_executor(None, free.wait)):
                waiting = asyncio.ensure_future(work)
                await asyncio.sleep(0.01)
                waiting.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(hang()), daemon=True)
    # Signal handlers need the main thread.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("syncer.cli.signals._SIGNALS", ())
        patch.setattr("syncer.cli.signals._HANGUP", None)
        thread.start()
        thread.join(5)
        ended = not thread.is_alive()
        free.set()
        thread.join()
    assert ended
