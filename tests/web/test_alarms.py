"""Alarms are told once, over restarts too, in order, and again where nobody could be reached."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Coroutine, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socket import create_server
from threading import Event, Thread
from typing import Any, NoReturn

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs

from syncer.config.schema import AlarmsTable
from syncer.domain.alarms import AlarmName
from syncer.ledger import AlarmBook, Ledger, LedgerError
from syncer.web.alarms import telling
from syncer.web.alarms.facts import alarms_of
from syncer.web.alarms.telling import NotTold, notify, post, run_command
from tests.support.alarms import FINE, REFUSED, Watched, watch


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Watched:
    return watch(tmp_path, monkeypatch)


def test_an_alarm_is_told_once_when_it_begins_and_once_when_it_ends(watched: Watched) -> None:
    for report in (FINE, REFUSED, REFUSED, REFUSED, FINE, FINE):
        watched.run(report)
        watched.wait(minutes=1)
    assert watched.told.states == ["unauthorized begun", "unauthorized ended"]
    assert {one["since"] for one in watched.told} == {"2026-05-19T08:31:00Z"}
    assert watched.told[0]["detail"] == "Reply.io: no"


def test_a_restart_tells_nothing_twice(watched: Watched) -> None:
    watched.run(REFUSED)
    watched.restart()
    watched.run(REFUSED)
    watched.restart()
    watched.run(FINE)
    watched.restart()
    watched.run(FINE)
    assert watched.told.states == ["unauthorized begun", "unauthorized ended"]


def test_what_could_not_be_told_is_told_later_and_in_order(watched: Watched) -> None:
    watched.told.broken = True
    watched.run(REFUSED)
    watched.wait(seconds=20)
    watched.run(FINE)
    watched.told.broken = False
    watched.restart()
    watched.wait(minutes=2)
    watched.tell()
    assert watched.told.states == ["unauthorized begun"]
    watched.tell()
    assert watched.told.states == ["unauthorized begun", "unauthorized ended"]


def test_who_cannot_be_reached_for_a_day_is_told_no_more(watched: Watched) -> None:
    watched.told.broken = True
    watched.run(REFUSED)
    for _ in range(60):
        watched.wait(minutes=55)
        watched.tell()
    with Ledger.open(watched.account.ledger_url, name="acme") as ledger:
        assert AlarmBook(ledger).tellings() == []
    watched.told.broken = False
    watched.wait(hours=2)
    watched.run(FINE)
    assert watched.told.states == ["stuck ended", "unauthorized ended"] or watched.told.states == ["unauthorized ended"]


def test_no_run_ends_well_for_too_long(watched: Watched) -> None:
    watched.run(FINE)
    watched.wait(minutes=14)
    watched.look()
    assert watched.told == []
    watched.wait(minutes=2)
    watched.run({"message": "there is no room"}, "stopped")
    watched.wait(minutes=1)
    watched.run(FINE, "partial")
    assert watched.told.states == ["stuck begun", "stuck ended"]
    assert watched.told[1]["since"] == "2026-05-19T08:46:00Z"


def test_a_daemon_that_was_away_is_not_stuck_but_one_that_dies_again_and_again_is(watched: Watched) -> None:
    watched.run(FINE)
    watched.wait(days=7)
    watched.restart()
    watched.look()
    assert watched.told == []
    for _ in range(20):
        watched.wait(minutes=1)
        watched.restart()
        watched.tell()
    assert watched.told.states == ["stuck begun"]


def test_without_a_daemon_the_ledger_alone_tells_who_is_stuck(watched: Watched) -> None:
    watched.run(FINE)
    with Ledger.open(watched.account.ledger_url, name="acme") as ledger:
        assert alarms_of(ledger, watched.account, watched.now) == {}
        assert set(alarms_of(ledger, watched.account, watched.now + timedelta(hours=1))) == {AlarmName.STUCK}


def test_a_backlog_that_grows(watched: Watched) -> None:
    for number in (10, 30, 51, 80):
        waiting = [{"task": f"reply:{n}", "system": "reply", "reason": "budget", "detail": ""} for n in range(number)]
        watched.run({**FINE, "waiting": waiting})
    assert watched.told.states == ["backlog begun"]


def test_a_ledger_that_cannot_be_used_is_told_from_memory_and_its_end_too(watched: Watched) -> None:
    watched.run(FINE)
    place = Path(watched.account.ledger_url.removeprefix("sqlite:///"))
    whole = place.read_bytes()
    place.write_bytes(b"a shopping list, and no ledger\n" * 50)
    watched.look("the ledger cannot be used: it is damaged")
    watched.look("the ledger cannot be used: it is damaged")
    assert watched.told.states == ["ledger begun"]
    assert watched.told[0]["detail"] == "the ledger cannot be used: it is damaged"
    place.write_bytes(whole)
    watched.run(FINE)
    assert watched.told.states == ["ledger begun", "ledger ended"]
    watched.restart()
    watched.run(FINE)
    assert len(watched.told) == 2


def test_a_ledger_that_was_lost_under_the_daemon_does_not_make_it_stuck(watched: Watched) -> None:
    watched.run(FINE)
    place = Path(watched.account.ledger_url.removeprefix("sqlite:///"))
    for file in place.parent.glob(f"{place.name}*"):
        file.unlink()
    watched.wait(seconds=30)
    watched.look()
    with Ledger.open(watched.account.ledger_url, name="acme") as ledger:
        assert not alarms_of(ledger, watched.account, watched.now)
    watched.wait(minutes=15)
    watched.look()
    assert watched.told.states == ["stuck begun"]
    watched.run(FINE)
    assert watched.told.states == ["stuck begun", "stuck ended"]


def test_an_alarm_that_cannot_be_stored_is_logged_once(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the ledger can be read, and not be written."""
    watched.run(FINE)

    def refuse(*_: object) -> NoReturn:
        raise LedgerError("there is no room left on the disk")

    with capture_logs() as logged, monkeypatch.context() as patch:
        patch.setattr(AlarmBook, "change", refuse)
        watched.look("there is no room left on the disk")
        watched.look("there is no room left on the disk")
        patch.undo()
        watched.run(FINE)
    assert [one["event"] for one in logged] == ["alarm.begun", "alarm.ended"]
    assert watched.told.states == ["ledger begun", "ledger ended"]


def test_a_ledger_that_cannot_be_used_makes_the_account_stuck_in_the_end(watched: Watched) -> None:
    watched.run(FINE)
    place = Path(watched.account.ledger_url.removeprefix("sqlite:///"))
    place.write_bytes(b"a shopping list, and no ledger\n" * 50)
    watched.wait(minutes=16)
    watched.look("damaged")
    assert set(watched.keeper.on) == {AlarmName.LEDGER, AlarmName.STUCK}


# Ways ------------------------------------------------------------------------------------------------


class Hook(BaseHTTPRequestHandler):
    """A webhook on loopback."""

    got: list[tuple[str, bytes]]
    answers: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.headers["Content-Type"], body))
        status = self.answers.pop(0)
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Tests need no log."""


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    handler = type("OneHook", (Hook,), {"got": [], "answers": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", handler
        server.shutdown()
        thread.join()


MESSAGE = json.dumps(
    {"account": "acme", "alarm": "stuck", "state": "begun", "since": "x", "detail": "d", "remedy": "r"}
)


def test_a_webhook_gets_the_json_and_is_believed_only_with_a_success(hook: tuple[str, type[Hook]]) -> None:
    address, handler = hook
    handler.answers += [204, 500, 302]
    post(f"{address}/alarms?key=1", MESSAGE)
    assert handler.got == [("application/json", MESSAGE.encode())]
    for words in ("status 500", "status 302"):
        with pytest.raises(NotTold, match=words):
            post(address, MESSAGE)
    assert len(handler.got) == 3, "a redirection is not followed"
    with create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(NotTold, match=r"127\.0\.0\.1 did not accept it: .*refused"):
        post(f"http://127.0.0.1:{port}/alarms?key=1", MESSAGE)


def test_a_webhook_on_this_machine_is_not_asked_for_through_a_proxy(
    hook: tuple[str, type[Hook]], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, handler = hook
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    handler.answers.append(200)
    post(address, MESSAGE)
    assert len(handler.got) == 1


def test_a_webhook_whose_answer_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise no alarm of this account would ever be told again."""
    monkeypatch.setattr(telling, "TOLD_WITHIN", 0.1)
    free = Event()

    async def tell() -> None:
        way = telling.ways_of(AlarmsTable(webhook="http://127.0.0.1:9"))["webhook"]
        try:
            with pytest.raises(NotTold, match="did not end within"):
                await way(MESSAGE)
        finally:
            free.set()

    monkeypatch.setattr(telling, "post", lambda *_: free.wait())
    asyncio.run(tell())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_tells_it_in_words(hook: tuple[str, type[Hook]]) -> None:
    pytest.importorskip("apprise")
    address, handler = hook
    handler.answers += [200, 500]
    notify(address.replace("http://", "json://"), MESSAGE)
    told = json.loads(handler.got[0][1])
    assert told["title"] == "syncer: acme: stuck"
    with pytest.raises(NotTold):
        notify(address.replace("http://", "json://"), MESSAGE)
    with pytest.raises(NotTold, match="kind of address"):
        notify("nobody-knows-this", MESSAGE)


def python(code: str) -> str:
    return f"{sys.executable} -S -c '{code}'"


def done(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(work)


def test_a_command_gets_the_json_on_its_standard_input(tmp_path: Path) -> None:
    out = tmp_path / "told"
    done(run_command(python(f'import sys; open("{out}", "w").write(sys.stdin.read())'), MESSAGE))
    assert json.loads(out.read_text())["alarm"] == "stuck"


def test_a_command_that_fails_or_is_not_there_told_nothing() -> None:
    with pytest.raises(NotTold, match="status 3"):
        done(run_command(python("raise SystemExit(3)"), MESSAGE))
    with pytest.raises(NotTold, match="cannot be started"):
        done(run_command("/nowhere/tell", MESSAGE))
    with pytest.raises(NotTold, match="cannot be started"):
        done(run_command("'unclosed", MESSAGE))


def test_a_command_that_does_not_end_is_ended_and_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "COMMAND_LASTS", 0.2)
    done(run_command(python("import time; time.sleep(60)"), MESSAGE))


def test_each_way_of_the_account_file_gets_the_message_at_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str, str]] = []

    async def run(command: str, message: str) -> None:
        sent.append(("command", command, message))

    monkeypatch.setattr(telling, "run_command", run)
    monkeypatch.setattr(telling, "post", lambda address, message: sent.append(("post", address, message)))
    monkeypatch.setattr(telling, "notify", lambda address, message: sent.append(("notify", address, message)))
    hook, first, second = "https://hook.example", SecretStr("json://one"), SecretStr("json://two")
    assert telling.ways_of(AlarmsTable()) == {}
    ways = telling.ways_of(AlarmsTable(command="tell me", webhook=hook, notify=(first, second)))
    assert list(ways) == ["command", "webhook", "notify 1", "notify 2"]
    for way in ways.values():
        asyncio.run(way(MESSAGE))
    assert sent == [
        ("command", "tell me", MESSAGE),
        ("post", hook, MESSAGE),
        ("notify", "json://one", MESSAGE),
        ("notify", "json://two", MESSAGE),
    ]
