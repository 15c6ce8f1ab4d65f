"""``syncer sync``: runs at its interval, ends on a signal, and outlives what goes wrong."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.sandbox import Fault
from syncer.cli import presence
from syncer.cli.daemon import run_daemon, serve
from syncer.cli.hints import Looked
from syncer.cli.session import Session
from syncer.cli.signals import apart
from syncer.engine.opening import AccountInHand
from syncer.ledger import Ledger
from syncer.web.board import Control
from syncer.web.watch import Watch
from tests.support import cli_kit
from tests.support.cli_kit import Served, runs, until
from tests.support.clock import run_virtual, virtual_loop


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


def test_a_ledger_that_cannot_be_used_at_its_start_is_tried_again(served: Served) -> None:
    """A service whose disk was full when the machine started goes on once there is room."""
    ledger = served.folder / "acme.db"
    ledger.write_text("a shopping list, and no ledger\n" * 50)
    daemon = served.start("sync", "--json")
    until(lambda: "acme.db" in daemon.stderr)
    assert not served.superfone.calls
    ledger.unlink()
    until(lambda: runs(daemon) > 1)
    assert [answer["status"] for answer in daemon.answers[:2]] == ["error", "ok"]
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


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

    monkeypatch.setattr("syncer.cli.serving.run_and_record", broken)
    session = Session((tmp_path / "config.toml",), json=True)
    assert run_daemon(session) == 143
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0]["exit"] == 1
    assert "unexpected KeyError" in told[0]["message"]
    assert "test_daemon.py" in told[0]["message"]
    assert "reply-key" not in told[0]["message"]


# Clocks


class DaemonClock(datetime):
    """The system's clock, which somebody sets again and again."""

    jumps: tuple[timedelta, ...] = ()
    asked = 0

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> DaemonClock:
        DaemonClock.asked += 1
        at = datetime.now(tz) + cls.jumps[DaemonClock.asked % len(cls.jumps)]
        return cls.fromtimestamp(at.timestamp(), tz)


def write_account(folder: Path, monkeypatch: pytest.MonkeyPatch, *, interval: str) -> None:
    """An account whose CRMs do not answer, with this pause between two runs, and its keys."""
    config = cli_kit.ACCOUNT.format(name="acme", url="http://127.0.0.1:1", sync="")
    (folder / "config.toml").write_text(config.replace('interval = "1s"', f'interval = "{interval}"'))
    for name, key in cli_kit.SECRETS.items():
        monkeypatch.setenv(name, key)


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
    write_account(tmp_path, monkeypatch, interval="60s")
    monkeypatch.setattr("apscheduler.schedulers.base.datetime", DaemonClock)
    monkeypatch.setattr("syncer.cli.service.JITTER", 0.0)
    monkeypatch.setattr(DaemonClock, "jumps", jumps)
    began: list[float] = []

    async def run(*_args: object) -> None:
        began.append(virtual_loop().time())
        await asyncio.sleep(100 if len(began) == 2 else 5)
        if len(began) == 5:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
        raise ZeroDivisionError

    monkeypatch.setattr("syncer.cli.serving.run_and_record", run)
    assert run_virtual(serve(Session((tmp_path / "config.toml",), json=True))) == 143
    first = began[0]
    assert [round(at - first) for at in began] == [0, 65, 225, 290, 355]


def test_a_run_knows_of_the_events_that_wait_for_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are looked at right after it, and the next run knows nothing of them."""
    write_account(tmp_path, monkeypatch, interval="60s")
    controls: list[Control] = []
    told: list[str] = []

    class Watching(Watch):
        def open(self, control: Control) -> None:
            controls.append(control)
            super().open(control)

    async def run(hand: AccountInHand, *_args: object) -> None:
        number = told.count("a run begins") + 1
        told.append("a run begins" + ", in a hurry" * hand.hurry.is_set())
        if number == 2:
            controls[0].wake("acme")
        await asyncio.sleep(20)
        told.append("it ends" + ", in a hurry" * hand.hurry.is_set())
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
        raise ZeroDivisionError

    async def look(*_args: object) -> Looked:
        told.append("a look")
        return Looked()

    monkeypatch.setattr("syncer.cli.serving.run_and_record", run)
    monkeypatch.setattr("syncer.cli.serving.hints.look_at_hints", look)
    assert run_virtual(serve(Session((tmp_path / "config.toml",), json=True), Watching(apart))) == 143
    # What was stored before the daemon began is looked at after its first run.
    first, second = ["a run begins", "it ends", "a look"], ["a run begins", "it ends, in a hurry", "a look"]
    assert told == [*first, *second, "a run begins", "it ends"]


def test_of_two_events_that_need_a_whole_run_the_second_waits_seconds_and_no_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_account(tmp_path, monkeypatch, interval="1h")
    began: list[float] = []
    looks: list[float] = []

    class Watching(Watch):
        def open(self, control: Control) -> None:
            for seconds in (20, 23, 26):
                virtual_loop().call_later(seconds, control.wake, "acme")
            super().open(control)

    async def run(*_args: object) -> None:
        began.append(virtual_loop().time())
        if len(began) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)
        raise ZeroDivisionError

    async def look(*_args: object) -> Looked:
        looks.append(virtual_loop().time())
        return Looked(whole=len(looks) > 1)

    monkeypatch.setattr("syncer.cli.serving.run_and_record", run)
    monkeypatch.setattr("syncer.cli.serving.hints.look_at_hints", look)
    assert run_virtual(serve(Session((tmp_path / "config.toml",), json=True), Watching(apart))) == 143
    assert [round(at - began[0]) for at in began] == [0, 20, 30]


def test_it_goes_on_saying_that_it_is_there_between_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks from another machine believes it for two minutes, and a pause may be longer."""
    write_account(tmp_path, monkeypatch, interval="1h")
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
    monkeypatch.setattr("syncer.cli.presence.announce", count)
    monkeypatch.setattr("syncer.cli.serving.run_and_record", run)
    assert run_virtual(work()) == 143
    pauses = [later - earlier for earlier, later in pairwise(said)]
    assert max(pauses) <= presence.TERM.total_seconds() / 2
    assert said[-1] > 400
