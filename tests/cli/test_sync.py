"""``syncer sync --once``: every exit status, the report's shape, and what never shows."""

from __future__ import annotations

import re
import signal
import socket
import sqlite3
import time
from contextlib import closing

import pytest

from adapters.sandbox import Fault
from syncer.domain.reasons import Reason
from tests.support.cli_kit import Served, until

RUN_KEYS = {
    "account",
    "run",
    "status",
    "exit",
    "started_at",
    "duration_s",
    "created",
    "completed",
    "edited",
    "overwritten",
    "connections",
    "waiting",
    "attention",
    "incidents",
}


def test_a_run_reports_what_it_did_and_a_second_one_writes_nothing(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    first = served.do("sync", "--once", "--json")
    assert (first.status, first.stderr) == (0, "")
    report = first.answer
    assert report.keys() == RUN_KEYS | {"delays"}
    assert report["created"] == {"superfone": 1, "reply": 1, "highlevel": 0}
    assert report["completed"] == {"superfone": 0, "reply": 0, "highlevel": 0}
    assert report["connections"]["reply"].keys() == {"state", "reads", "writes", "open"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report["started_at"])
    assert (report["status"], report["exit"]) == ("ok", 0)
    writes = served.writes()
    again = served.do("sync", "--once")
    assert again.status == 0
    assert again.stdout.startswith("acme: nothing to do, in ")
    assert served.writes() == writes


def test_words_are_plain_lines_where_there_is_no_terminal(served: Served) -> None:
    _, _, contact = served.person()
    first, second = served.task(contact, "Call [b]Asha[/b] \x1b[31m"), served.task(contact, "Call again", hours=9)
    done = served.do("sync", "--once")
    assert done.status == 0
    assert "Superfone: created 1, completed 0, edited 0, open 1, requests " in done.stdout
    assert f"  1 slot_taken: {Reason.SLOT_TAKEN.sentence}\n      Superfone: Call again, Asha" in done.stdout
    assert "\x1b" not in done.stdout
    assert first != second


def test_a_value_that_was_overwritten_is_told_in_words_whole(served: Served) -> None:
    """Nobody who uses no JSON would ever know of it."""
    _, _, contact = served.person()
    task = served.task(contact)
    served.do("sync", "--once")
    [copy] = served.reply.tasks()
    text = str(copy.template["body"])
    long = f"Ask {'about the flat and ' * 10}the price"
    served.highlevel.person_retitles(task, "Ring Asha")
    served.reply.person_edits_body(str(copy.id), text.replace("Call Asha", long))
    assert "Would be overwritten: 1" in served.do("plan").stdout

    done = served.do("sync", "--once")

    assert ", 1 overwritten, in " in done.stdout.splitlines()[0]
    told = f"Reply.io: Ring Asha, Asha Rao (highlevel:{task}): title was “{long}” there;"
    assert f"{told} the value that was typed in HighLevel replaced it\n" in done.stdout
    assert f"title was “{long}” there" in served.do("explain", f"highlevel:{task}").stdout
    assert f"title was “{long}” there" in served.do("status").stdout
    assert "overwritten" not in served.do("sync", "--once").stdout


def test_a_connection_that_refuses_the_key_makes_1_and_the_others_go_on(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    done = served.do("sync", "--once", "--json", RE_KEY="a-wrong-and-secret-key")
    assert done.status == 1
    report = done.answer
    assert (report["status"], report["exit"]) == ("partial", 1)
    assert report["connections"]["reply"]["state"] == "unauthorized"
    assert report["connections"]["reply"]["message"]
    assert report["created"]["superfone"] == 1
    words = served.do("sync", "--once", RE_KEY="a-wrong-and-secret-key")
    assert words.status == 1
    assert "nothing to do" not in words.stdout
    assert "not everything worked" in words.stdout


def test_secrets_are_in_no_output_at_all(served: Served) -> None:
    served.person()
    served.reply.fault = lambda _call: Fault.GARBAGE
    for args in (("sync", "--once", "-vv"), ("check", "-vv"), ("plan", "--json")):
        done = served.do(*args, RE_KEY="RE-not-shown", SF_KEY="SF-not-shown", HL_KEY="HL-not-shown")
        for secret in ("RE-not-shown", "SF-not-shown", "HL-not-shown"):
            assert secret not in done.stdout + done.stderr
    stored = b"".join(file.read_bytes() for file in served.folder.glob("acme.db*"))
    assert b"not-shown" not in stored


def test_no_network_is_1_and_said_so(served: Served) -> None:
    file = served.folder / "config.toml"
    text = file.read_text().replace(served.url, "http://127.0.0.1:1")
    file.write_text(text[: text.index("[highlevel]")])
    began = time.monotonic()
    done = served.do("sync", "--once", "--json")
    assert done.status == 1
    assert done.answer["connections"]["reply"]["state"] == "unavailable"
    assert "no connection to 127.0.0.1" in done.answer["connections"]["reply"]["message"]
    assert time.monotonic() - began < 12


@pytest.mark.parametrize("as_json", [False, True])
def test_every_mistake_in_a_file_is_shown_at_once(served: Served, as_json: bool) -> None:
    served.configure(sync='intervall = "60s"\nrun_limit = "soon"')
    done = served.do("sync", "--once", *(["--json"] if as_json else []), SF_KEY="")
    assert done.status == 2
    for words in ("sync.intervall: unknown key; did you mean interval?", "sync.run_limit: expected", "SF_KEY is not"):
        assert words in done.stderr
    if as_json:
        assert done.answer.keys() == {"account", "status", "exit", "message"}
        assert (done.answer["account"], done.answer["status"], done.answer["exit"]) == (None, "error", 2)
    else:
        assert done.stdout == ""
    assert not served.superfone.calls


def test_another_account_under_the_same_ledger_is_refused_by_name(served: Served) -> None:
    served.person()
    assert served.do("sync", "--once").status == 0
    served.reply.user_id = 99
    writes = served.writes()
    done = served.do("sync", "--once", "--json")
    assert done.status == 2
    assert done.answer["status"] == "error"
    for part in ("Reply.io", "41", "99", "[ledger]"):
        assert part in done.answer["message"]
    assert done.answer["message"] in done.stderr
    assert served.writes() == writes
    status = served.do("status", "--json").answer
    assert status["under_way"] is None
    assert served.do("check").status == 2


def test_a_ledger_that_cannot_be_used_is_2(served: Served) -> None:
    (served.folder / "acme.db").write_bytes(b"this is no database, but it is long enough to be looked at" * 20)
    done = served.do("sync", "--once", "--json")
    assert done.status == 2
    assert "acme.db" in done.answer["message"]
    assert "Traceback" not in done.stderr


def test_a_ledger_that_fails_after_something_was_sent_is_1(served: Served) -> None:
    _, _, contact = served.person()
    assert served.do("sync", "--once").status == 0
    served.task(contact)
    with closing(sqlite3.connect(served.folder / "acme.db")) as ledger:
        ledger.execute(
            "CREATE TRIGGER full BEFORE UPDATE ON operation WHEN new.state = 'done' "
            "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
        )
    done = served.do("sync", "--once", "--json")
    assert served.writes() > 0
    assert done.status == 1
    assert "the next run finds out what was sent" in done.answer["message"]
    with closing(sqlite3.connect(served.folder / "acme.db")) as ledger:
        ledger.execute("DROP TRIGGER full")
    assert served.do("sync", "--once").status == 0
    assert served.writes() == 2


def test_a_limit_is_3_until_it_is_lifted_for_one_run(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    served.configure(sync="max_creates_per_run = 1")
    done = served.do("sync", "--once", "--json")
    assert done.status == 3
    assert (done.answer["status"], done.answer["exit"]) == ("stopped", 3)
    assert "--allow-creates 2" in done.answer["message"]
    assert len(done.answer["operations"]) == 2
    assert served.writes() == 0
    words = served.do("sync", "--once")
    assert words.status == 3
    assert "stopped before its first write" in words.stdout
    assert "then allow it once with: syncer sync --once --allow-creates 2" in served.do("status").stdout
    assert served.do("sync", "--once", "--allow-creates", "2").status == 0


def test_two_processes_at_once_is_4_for_the_second(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as hold:
        first = served.start("sync", "--once", "--json")
        assert hold.arrived.wait(20)
        second = served.do("sync", "--once", "--json")
        assert second.status == 4
        assert second.answer.keys() == {"account", "status", "exit", "message"}
        assert (second.answer["status"], second.answer["exit"]) == ("stopped", 4)
        assert re.search(r"process \d+ on .*lease until .*; wait", second.stderr)
        status = served.do("status", "--json")
        assert status.status == 0
        assert status.answer["under_way"]["run"]
    assert first.status == 0
    assert first.answer["created"]["superfone"] == 1


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_request_in_flight_end_and_stores_it(
    served: Served, number: signal.Signals, status: int
) -> None:
    _, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as hold:
        done = served.start("sync", "--once", "--json")
        assert hold.arrived.wait(20)
        done.send(number)
        until(lambda: "stopping after the request in flight" in done.stderr)
        assert not done.ended
    assert done.status == status
    assert done.answer["exit"] == status
    assert done.answer["status"] == "stopped"
    assert "everything is stored" in done.stderr
    writes = served.writes()
    assert writes >= 1
    told = served.do("tasks", "--json").answer["tasks"][0]["copies"]
    assert sum(len(copies) for copies in told.values()) == 1 + writes
    assert served.do("status", "--json").answer["under_way"] is None
    assert served.do("sync", "--once").status == 0
    assert len(served.reply.tasks()) == 1
    assert len(served.superfone.open_tasks(served.superfone.leads()[0].id)) == 1


def test_a_second_signal_ends_at_once(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    with served.hold_first_write() as hold:
        done = served.start("sync", "--once")
        assert hold.arrived.wait(20)
        done.send(signal.SIGTERM)
        until(lambda: "a second signal" in done.stderr)
        done.send(signal.SIGINT)
        assert done.status == 130


def test_one_account_s_failure_does_not_keep_the_others_from_running(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    (served.folder / "accounts").mkdir()
    (served.folder / "a.db").write_bytes(b"x" * 2000)
    served.configure("a", file="accounts/a.toml")
    served.configure("b", file="accounts/b.toml", elsewhere=True)
    (served.folder / "accounts/a.db").write_bytes(b"no database" * 200)
    done = served.do("sync", "--once", "--json", "--config", "accounts")
    assert done.status == 2
    assert [(answer["account"], answer["exit"]) for answer in done.answers] == [("a", 2), ("b", 0)]
    assert served.writes() == 2


def test_two_keys_of_one_account_are_found_out_by_the_first_run(served: Served) -> None:
    """Another location and another lead list, but the same user of Reply: only the answers tell."""
    (served.folder / "accounts").mkdir()
    served.configure("a", file="accounts/a.toml")
    text = (served.folder / "accounts/a.toml").read_text().replace('"a"', '"b"')
    for system in ("superfone", "highlevel"):
        text = text.replace(f"{served.url}/{system}", f"{served.other_url}/{system}")
    (served.folder / "accounts/b.toml").write_text(text.replace("env:RE_KEY", "env:RE_KEY_2"))
    served.reply.before = lambda call: setattr(served.reply, "api_key", call.headers.get("x-api-key"))
    for _ in range(2):
        done = served.do("sync", "--once", "--json", "-c", "accounts", RE_KEY_2="another-key")
        assert done.status == 2
        assert "b.toml opens the same remote account" in done.stderr
        assert "a.toml opens the same remote account" in done.stderr
    assert [one["account"] for one in done.answers] == [None, None]
    for known in (True, False):
        daemon = served.do("sync", "-c", "accounts", RE_KEY_2="another-key")
        assert daemon.status == 2
        assert daemon.stderr.count("opens the same remote account") == 2
        assert known or "daemon.started" in daemon.stderr
        for file in (served.folder / "accounts").glob("*.db*"):
            file.unlink()


def test_a_copied_account_file_is_refused_and_the_others_run(served: Served) -> None:
    (served.folder / "accounts").mkdir()
    served.configure("a", file="accounts/a.toml")
    served.configure("copy", file="accounts/copy.toml")
    served.configure("b", file="accounts/b.toml", elsewhere=True)
    _, _, contact = served.person()
    served.task(contact)
    done = served.do("sync", "--once", "--json", "-c", "accounts")
    assert done.status == 2
    assert [one["account"] for one in done.answers] == [None, None, "b"]
    for name in ("a.toml", "copy.toml"):
        assert done.stderr.count(f"accounts/{name}: superfone, reply, highlevel: ") == 1
    assert served.writes() == 2


def test_an_account_whose_crm_hangs_keeps_no_other_waiting(served: Served) -> None:
    """The answers keep their order, the runs do not wait for each other."""
    (served.folder / "accounts").mkdir()
    served.configure("a", file="accounts/a.toml")
    served.configure("b", file="accounts/b.toml", elsewhere=True)
    _, _, contact = served.person()
    served.task(contact)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        file = served.folder / "accounts/a.toml"
        file.write_text(file.read_text().replace(served.url, f"http://127.0.0.1:{silent.getsockname()[1]}"))
        done = served.start("sync", "--once", "--json", "-c", "accounts")
        until(lambda: served.do("status", "--json", "-c", "accounts/b.toml").answer["last_run"])
        assert not done.ended
        done.send(signal.SIGTERM)
        assert done.status == 143
    assert [(one["account"], one["exit"]) for one in done.answers] == [("a", 143), ("b", 0)]


def test_the_command_to_type_next_names_the_files_of_this_one(served: Served) -> None:
    """Without them it would look for another account."""
    (served.folder / "config.toml").rename(served.folder / "our account.toml")
    served.reply.api_key = "another"
    done = served.do("sync", "--once", "-c", "our account.toml")
    assert done.status == 1
    assert "to find out more, type: syncer -c 'our account.toml' check\n" in done.stdout
    missing = served.do("explain", "reply:1", "--config", "our account.toml")
    assert "to list all tasks, type: syncer -c 'our account.toml' tasks\n" in missing.stderr
    assert "type: syncer check" in served.do("status", "-c", "our account.toml", "--json").stdout
