"""``syncer sync``: runs at its interval, ends on a signal, and outlives what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.sandbox import Fault
from syncer.commands import presence
from syncer.commands.errors import Served as ServedElsewhere
from syncer.commands.session import Session
from syncer.daemon import run_daemon, serve
from syncer.ledger import Ledger, Owner, current_owner
from syncer.stopping import Stop
from tests import cli_kit
from tests.cli_kit import Command, Served, until
from tests.clock import run_virtual, virtual_loop

served, zygote = cli_kit.served, cli_kit.zygote


def runs(command: Command) -> int:
    return len(command.stdout.splitlines())


def test_it_runs_at_once_and_again_and_ends_on_sigterm(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    assert served.do("status", "--json").answer["daemon"]["pid"] > 0
    served.highlevel.person_completes(task)
    until(lambda: sum(answer["completed"]["reply"] for answer in daemon.answers))
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    assert daemon.answers[0]["created"] == {"superfone": 1, "reply": 1, "highlevel": 0}
    assert all(answer["status"] == "ok" for answer in daemon.answers)
    assert all(json.loads(line) for line in daemon.stderr.splitlines() if line.startswith("{"))
    told = served.do("status", "--json").answer
    assert (told["daemon"], told["under_way"]) == (None, None)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_the_request_in_flight_is_finished_and_stored(served: Served, number: signal.Signals, status: int) -> None:
    _, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as hold:
        daemon = served.start("sync")
        assert hold.arrived.wait(20)
        daemon.send(number)
        until(lambda: "stopping after the request" in daemon.stderr)
    assert daemon.status == status
    copies = served.do("tasks", "--json").answer["tasks"][0]["copies"]
    assert sum(len(found) for found in copies.values()) == 1 + served.writes()
    assert served.do("sync", "--once").status == 0
    assert len(served.reply.tasks()) == 1


def test_a_daemon_that_was_killed_runs_no_more(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    assert served.do("status", "--json").answer["daemon"]
    daemon.send(signal.SIGKILL)
    assert daemon.status != 0
    assert served.do("status", "--json").answer["daemon"] is None


def test_a_busy_account_is_tried_again(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as hold:
        once = served.start("sync", "--once")
        assert hold.arrived.wait(20)
        daemon = served.start("sync")
        until(lambda: "is running this account" in daemon.stderr)
    assert once.status == 0
    until(lambda: "nothing to do" in daemon.stdout)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_trouble_in_one_run_is_told_and_the_next_one_goes_on(served: Served) -> None:
    served.person()
    served.reply.fault = lambda _call: Fault.UNAUTHORIZED
    daemon = served.start("sync")
    until(lambda: ": partial: " in daemon.stdout)
    served.reply.fault = lambda _call: None
    until(lambda: ": ok: " in daemon.stdout)
    daemon.send(signal.SIGINT)
    assert daemon.status == 130


def test_an_account_that_is_another_one_by_now_is_given_up(served: Served) -> None:
    served.person()
    assert served.do("sync", "--once").status == 0
    served.reply.user_id = 99
    daemon = served.start("sync")
    assert daemon.status == 2
    assert "opens the account 99" in daemon.stderr


def test_a_wrong_file_ends_it_before_it_begins(served: Served) -> None:
    daemon = served.do("sync", SF_KEY="")
    assert daemon.status == 2
    assert "SF_KEY is not set" in daemon.stderr
    assert not served.superfone.calls


def test_no_account_that_can_be_served_ends_it_before_it_begins(served: Served) -> None:
    (served.folder / "acme.db").write_text("a shopping list, and no ledger\n" * 50)
    daemon = served.do("sync")
    assert daemon.status == 2
    assert "acme.db" in daemon.stderr
    assert not served.superfone.calls


def test_a_bug_ends_one_run_and_not_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody foresees bugs, so one is made here, in this process."""
    (tmp_path / "config.toml").write_text(cli_kit.ACCOUNT.format(name="acme", url="http://127.0.0.1:1", sync=""))
    for name, key in cli_kit.SECRETS.items():
        monkeypatch.setenv(name, key)
    calls = 0

    async def broken(*_args: object) -> None:
        nonlocal calls
        calls += 1
        if calls > 1:
            os.kill(os.getpid(), signal.SIGTERM)
        raise KeyError("reply-key")

    monkeypatch.setattr("syncer.daemon.run_and_record", broken)
    session = Session((tmp_path / "config.toml",), json=True)
    assert run_daemon(session) == 143
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["exit"] == 1
    assert "unexpected KeyError" in told[0]["message"]
    assert "test_daemon.py" in told[0]["message"]
    assert "reply-key" not in told[0]["message"]


# Clocks


class Clock(datetime):
    """The system's clock, which somebody sets again and again."""

    jumps: tuple[timedelta, ...] = ()
    asked = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> Clock:
        Clock.asked += 1
        at = datetime.now(tz) + cls.jumps[Clock.asked % len(cls.jumps)]
        return cls.fromtimestamp(at.timestamp(), tz)


@pytest.mark.parametrize(
    "jumps",
    [
        (timedelta(0),),
        (timedelta(0), timedelta(hours=-1)),
        (timedelta(0), timedelta(days=3650)),
        (timedelta(days=3650), timedelta(0), timedelta(days=-3650)),
    ],
    ids=["good", "back", "forward", "both"],
)
def test_pauses_are_lengths_of_time_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jumps: tuple[timedelta, ...]
) -> None:
    """A run that takes longer than the interval is followed by the next one after one interval, too."""
    config = cli_kit.ACCOUNT.format(name="acme", url="http://127.0.0.1:1", sync="")
    (tmp_path / "config.toml").write_text(config.replace('interval = "1s"', 'interval = "60s"'))
    for name, key in cli_kit.SECRETS.items():
        monkeypatch.setenv(name, key)
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", Clock)
    monkeypatch.setattr(Clock, "jumps", jumps)
    began: list[float] = []

    async def run(*_args: object) -> None:
        began.append(virtual_loop().time())
        await asyncio.sleep(100 if len(began) == 2 else 5)
        if len(began) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setattr("syncer.daemon.run_and_record", run)
    assert run_virtual(serve(Session((tmp_path / "config.toml",), json=True))) == 143
    first = began[0]
    assert [round(at - first) for at in began] == [0, 65, 225, 290, 355]


def test_it_goes_on_saying_that_it_is_there_between_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks from another machine believes it for two minutes, and a pause may be longer."""
    config = cli_kit.ACCOUNT.format(name="acme", url="http://127.0.0.1:1", sync="")
    (tmp_path / "config.toml").write_text(config.replace('interval = "1s"', 'interval = "1h"'))
    for name, key in cli_kit.SECRETS.items():
        monkeypatch.setenv(name, key)
    said: list[float] = []
    announce = presence.announce

    def count(ledger: Ledger, since: datetime) -> None:
        said.append(loops[0].time())
        announce(ledger, since)

    async def work() -> int:
        loops.append(virtual_loop())
        virtual_loop().call_later(500, os.kill, os.getpid(), signal.SIGTERM)
        return await serve(Session((tmp_path / "config.toml",), json=True))

    async def run(*_args: object) -> None:
        raise ZeroDivisionError

    loops: list[asyncio.AbstractEventLoop] = []
    monkeypatch.setattr("syncer.commands.presence.announce", count)
    monkeypatch.setattr("syncer.daemon.run_and_record", run)
    assert run_virtual(work()) == 143
    pauses = [later - earlier for earlier, later in pairwise(said)]
    assert max(pauses) <= presence.TERM.total_seconds() / 2
    assert said[-1] > 400


# One daemon for each account


def test_a_second_daemon_is_4_and_one_run_beside_it_is_not(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    second = served.do("sync", "--json")
    assert second.status == 4
    pid = served.do("status", "--json").answer["daemon"]["pid"]
    assert f"process {pid} on " in second.answer["message"]
    assert "has served this account since 20" in second.answer["message"]
    until(lambda: served.do("sync", "--once").status == 0)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_of_two_that_start_together_one_serves(served: Served) -> None:
    served.person()
    both = [served.start("sync", "--json") for _ in range(2)]
    until(lambda: any(one.ended for one in both))
    (left,) = (one for one in both if one.ended)
    (right,) = (one for one in both if one is not left)
    assert left.status == 4
    until(lambda: runs(right) >= 1)
    right.send(signal.SIGTERM)
    assert right.status == 143


def test_a_crashed_daemon_is_followed_at_once(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: runs(daemon) >= 1)
    daemon.send(signal.SIGKILL)
    assert daemon.status != 0
    second = served.start("sync", "--json")
    until(lambda: runs(second) >= 1)
    second.send(signal.SIGTERM)
    assert second.status == 143


HERE = current_owner("")
HOST, BOOT, *REST = HERE.machine.split("/")
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("owner", "until_s", "serves"),
    [
        (HERE, -3600, False),
        (Owner("", HERE.machine, os.getppid(), HERE.started + 3600), 60, False),
        (Owner("", "/".join([HOST, "another-boot", *REST]), 1, 1.0), 60, False),
        (Owner("", "/".join([HOST, BOOT, "another-namespace"]), 1, 1.0), 60, True),
        (Owner("", "elsewhere/boot/1", 1, 1.0), 60, True),
        (Owner("", "elsewhere/boot/1", 1, 1.0), -1, False),
        (Owner("", "elsewhere/boot/1", 1, 1.0), 10 * 365 * 86400, False),
    ],
    ids=["ourselves", "id used again", "another boot", "container", "elsewhere", "silent", "a clock of its own"],
)
def test_who_is_believed_to_serve(tmp_path: Path, owner: Owner, until_s: int, serves: bool) -> None:
    said = presence.Presence(owner, NOW, datetime.now(UTC) + timedelta(seconds=until_s))
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme") as ledger:
        assert ledger.exchange("daemon", "", presence._written(said))
        if serves:
            assert presence.find(ledger) == said
            with pytest.raises(ServedElsewhere, match=f"process {owner.pid} on {said.host} has served"):
                presence.announce(ledger, NOW)
            presence.withdraw(ledger)
            assert presence.find(ledger) == said
            return
        presence.announce(ledger, NOW)
        found = presence.find(ledger)
        assert found is not None
        assert found.is_ours
        presence.withdraw(ledger)
        assert presence.find(ledger) is None


def test_a_daemon_that_lives_is_believed_whatever_the_clock_says(tmp_path: Path) -> None:
    parent = Owner("", HERE.machine, os.getpid(), HERE.started)
    said = presence.Presence(parent, NOW, NOW - timedelta(days=3650))
    assert said.lives(NOW)
    assert said.lives(NOW - timedelta(days=36500))


def test_what_stands_there_is_no_presence(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme") as ledger:
        ledger.exchange("daemon", "", '{"pid": 1}')
        presence.announce(ledger, NOW)
        assert not ledger.exchange("daemon", "", "something else")


# One account's trouble


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
        assert "is found again by the next run" not in first["message"]
        ledger.execute("DROP TRIGGER full")
        ledger.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON operation WHEN new.state = 'done' "
            "BEGIN SELECT RAISE(ABORT, 'disk is full'); END"
        )
        served.task(contact, "Visit Asha", hours=9)
        until(lambda: daemon.answers[-1]["status"] == "error" and daemon.answers[-1] != first)
        assert "is found again by the next run" in daemon.answers[-1]["message"]
        assert "is found again by" in served.do("status", "--json").answer["broken_off"]["message"]
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
    monkeypatch.setattr("syncer.stopping.LAST_MOMENT", 0.01)
    monkeypatch.setattr("syncer.stopping.os._exit", ended.append)

    async def hang() -> None:
        with Stop() as stop:
            stop.ask(signal.SIGTERM)
            until(lambda: ended)

    asyncio.run(hang())
    assert ended == [143]
