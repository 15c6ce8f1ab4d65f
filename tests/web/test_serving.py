"""The daemon with an address to listen on: real processes, real sockets."""

from __future__ import annotations

import json
import re
import signal
import socket
import sys
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from adapters.sandbox import Fault
from tests.support.cli_kit import PATIENCE, Command, Served, runs, until

ANY = "127.0.0.1:0"


def address(daemon: Command) -> str:
    """Where it listens, as it says."""
    until(lambda: "daemon.listening" in daemon.stderr or daemon.ended)
    found = re.search(r"http://127\.0\.0\.1:\d+", daemon.stderr)
    assert found is not None, daemon.stderr
    return found[0]


def ask(url: str, fields: dict[str, str] | None = None, **headers: str) -> tuple[int, str]:
    """Status and text, without following where it leads."""
    answer = httpx.request("GET" if fields is None else "POST", url, data=fields, headers=headers, timeout=PATIENCE)
    return answer.status_code, answer.text


def test_the_page_metrics_and_health_of_a_daemon(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    daemon = served.start("sync", "--json", "--listen", ANY)
    url = address(daemon)
    until(lambda: ask(f"{url}/readyz")[0] == 200)
    assert ask(f"{url}/healthz") == (200, "ok\n")
    status, page = ask(f"{url}/accounts/acme")
    assert status == 200
    assert "All is well" in page
    until(lambda: 'syncer_open_tasks{account="acme",system="reply"} 1.0' in ask(f"{url}/metrics")[1])
    served.highlevel.person_completes(task)
    done = 'syncer_operations_total{account="acme",action="complete",outcome="done",system="reply"} 1.0'
    until(lambda: done in ask(f"{url}/metrics")[1])
    assert 'syncer_propagation_seconds_count{system="reply"} 2.0' in ask(f"{url}/metrics")[1]
    assert re.search(r'syncer_requests_total{account="acme",outcome="ok",system="reply"} \d', ask(f"{url}/metrics")[1])
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    with pytest.raises(httpx.ConnectError):
        ask(url)


def test_run_now_does_not_wait_for_the_interval(served: Served) -> None:
    _, _, contact = served.person()
    text = (served.folder / "config.toml").read_text()
    (served.folder / "config.toml").write_text(text.replace('interval = "1s"', 'interval = "1h"'))
    daemon = served.start("sync", "--json", "--listen", ANY)
    url = address(daemon)
    until(lambda: runs(daemon) == 1)
    served.task(contact)
    token = re.search(r'name="form_token" value="(\w+)"', ask(f"{url}/accounts/acme")[1])
    assert token is not None
    ask(f"{url}/accounts/acme/run", {"form_token": token[1]})
    until(lambda: runs(daemon) == 2)
    assert daemon.answers[1]["created"]["reply"] == 1
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_an_address_that_is_taken_ends_it_before_it_begins(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        where = f"127.0.0.1:{other.getsockname()[1]}"
        daemon = served.do("sync", "--listen", where)
    assert daemon.status == 2
    assert where in daemon.stderr
    assert not served.superfone.calls


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--listen", "0.0.0.0:8080"), "--token"),
        (("--listen", ANY, "--public-url", "https://syncer.example.com"), "--token"),
        (("--listen", "8080"), "HOST:PORT"),
        (("--token", "env:PATH"), "--listen"),
        (("--listen", ANY, "--once"), "--once"),
    ],
)
def test_options_that_do_not_go_together_are_told(served: Served, options: tuple[str, ...], words: str) -> None:
    command = served.do("sync", *options)
    assert command.status == 2
    assert words in command.stderr


def test_with_a_token_the_page_is_closed_and_health_is_not(served: Served) -> None:
    daemon = served.start("sync", "--listen", ANY, "--token", "env:PAGE_TOKEN", PAGE_TOKEN="only-for-this-test-42")
    url = address(daemon)
    assert ask(url)[0] == 401
    assert ask(f"{url}/metrics")[0] == 401
    assert ask(f"{url}/metrics", Authorization="Bearer only-for-this-test-42")[0] == 200
    assert ask(f"{url}/healthz")[0] == 200
    assert ask(url, Host="evil.example.com")[0] == 421
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    assert "only-for-this-test-42" not in daemon.stderr


def test_a_token_that_is_replaced_in_its_file_is_taken_up_while_the_daemon_runs(served: Served) -> None:
    file = served.folder / "token"
    file.write_text("only-for-this-test-42")
    file.chmod(0o600)
    daemon = served.start("sync", "--listen", ANY, "--token", f"file:{file}")
    url = f"{address(daemon)}/metrics"
    assert ask(url, Authorization="Bearer only-for-this-test-42")[0] == 200
    file.write_text("short")
    until(lambda: "too short" in daemon.stderr)
    assert ask(url, Authorization="Bearer only-for-this-test-42")[0] == 200, "the last good one"
    file.write_text("another-for-this-test-42")
    until(lambda: ask(url, Authorization="Bearer another-for-this-test-42")[0] == 200)
    assert ask(url, Authorization="Bearer only-for-this-test-42")[0] == 401
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    assert daemon.stderr.count("too short") == 1
    assert "for-this-test-42" not in daemon.stderr


def test_alarms_are_told_once_shown_everywhere_and_over_a_restart_too(served: Served) -> None:
    served.person()
    told = served.folder / "told"
    tell = f'{sys.executable} -S -c \'import sys; open("{told}", "a").write(sys.stdin.read())\''
    config = served.folder / "config.toml"
    config.write_text(config.read_text() + f"[alarms]\ncommand = '''{tell}'''\n")

    def messages() -> list[str]:
        lines = told.read_text().splitlines() if told.exists() else []
        return [f"{message['alarm']} {message['state']}" for message in map(json.loads, lines)]

    served.reply.fault = lambda _call: Fault.UNAUTHORIZED
    daemon = served.start("sync", "--json", "--listen", ANY)
    url = address(daemon)
    until(lambda: messages() == ["unauthorized begun"])
    until(lambda: 'syncer_alarm{account="acme",alarm="unauthorized"} 1.0' in ask(f"{url}/metrics")[1])
    assert "A CRM rejects the key" in ask(url)[1]
    checked = served.do("status", "--check", "--json")
    assert (checked.status, [alarm["alarm"] for alarm in checked.answer["alarms"]]) == (1, ["unauthorized"])
    in_words = served.do("status").stdout
    assert "A CRM rejects the key" in in_words
    assert "\n    Put a valid key" in in_words
    assert served.do("status").status == 0
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    again = served.start("sync", "--json")
    until(lambda: runs(again) >= 2)
    served.reply.fault = lambda _call: None
    until(lambda: messages() == ["unauthorized begun", "unauthorized ended"])
    assert served.do("status", "--check").status == 0
    again.send(signal.SIGTERM)
    assert again.status == 143
    assert len(messages()) == 2


def test_a_lead_that_an_event_names_while_superfone_is_away_is_watched_once_it_is_back(served: Served) -> None:
    served.person()
    served.highlevel.add_contact("Meera", "Rao", "meera@example.com", "+919876543212")
    config = served.folder / "config.toml"
    config.write_text(config.read_text() + '[events]\nsuperfone_secret = "env:HOOK"\n')
    daemon = served.start("sync", "--json", "--listen", ANY, HOOK="hook-secret")
    url = address(daemon)
    until(lambda: runs(daemon) >= 1)
    served.superfone.fault = lambda _call: Fault.UNAUTHORIZED
    lead = served.superfone.add_lead("Meera", ["+919876543212"], [])
    served.superfone.person_creates(lead, "BOOKING", datetime.now(UTC) + timedelta(days=1))
    told = {"event": "TASK_CREATE", "contact_id": lead, "contact_phones": [{"phone": "9876543212"}]}
    where = f"{url}/events/acme/superfone"
    assert httpx.post(where, json=told, headers={"Authorization": "hook-secret"}).status_code == 202
    seen = runs(daemon)
    until(lambda: runs(daemon) >= seen + 2)
    served.superfone.fault = lambda _call: None
    until(lambda: len(served.highlevel.tasks()) == 1)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143


def test_an_event_is_carried_over_at_once(served: Served) -> None:
    """The interval is an hour: only the event can have brought it."""
    lead, _, contact = served.person()
    config = served.folder / "config.toml"
    events = '[events]\nsuperfone_secret = "env:HOOK"\n'
    config.write_text(config.read_text().replace('interval = "1s"', 'interval = "1h"') + events)
    daemon = served.start("sync", "--json", "--listen", ANY, HOOK="hook-secret")
    url = address(daemon)
    until(lambda: runs(daemon) == 1)
    told = {"event": "TASK_CREATE", "contact_id": lead}
    where = f"{url}/events/acme/superfone"
    assert httpx.post(where, json=told, headers={"Authorization": "guess"}).status_code == 401
    task = served.task(contact)
    assert httpx.post(where, json=told, headers={"Authorization": "Bearer hook-secret"}).status_code == 202
    until(lambda: len(served.superfone.open_tasks(lead)) == 1 and len(served.reply.tasks()) == 1)
    served.highlevel.person_completes(task)
    assert httpx.post(where, json=told, headers={"Authorization": "hook-secret"}).status_code == 202
    until(lambda: not served.superfone.open_tasks(lead))
    counted = 'syncer_operations_total{account="acme",action="complete",outcome="done",system="superfone"} 1.0'
    until(lambda: counted in ask(f"{url}/metrics")[1])
    assert runs(daemon) == 1
    newcomer = served.highlevel.add_contact("Meera", "Rao", "meera@example.com", "+919876543212")
    served.task(newcomer)
    stranger = served.superfone.add_lead("Meera", ["+919876543212"], [])
    unknown = {"event": "CUSTOMER_CREATE", "contact_id": stranger}
    assert httpx.post(where, json=unknown, headers={"Authorization": "hook-secret"}).status_code == 202
    until(lambda: runs(daemon) == 2)
    assert daemon.answers[1]["created"]["superfone"] == 1
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
