"""Commands that look: status, tasks, explain, check; and retry, which lets things be tried again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sandbox import Fault
from syncer.domain.reasons import Reason
from syncer.ledger import Ledger, current_owner
from syncer.ledger.owner import LEASE_TERM
from tests.support.cli_kit import Served, Zygote


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, zygote: Zygote) -> Iterator[Served]:
    """Two tasks of one lead after one run: one has the slot, the other waits."""
    world = Served(tmp_path_factory.mktemp("busy"), zygote)
    _, _, contact = world.person()
    world.task(contact, "Call Asha")
    world.task(contact, "Call again", hours=9)
    assert world.do("sync", "--once").status == 0
    yield world
    world.close()


def test_status_tells_the_last_run_the_lag_and_what_waits_without_the_network(busy: Served) -> None:
    calls = sum(len(box.calls) for box in busy.sandboxes)
    done = busy.do("status", "--json")
    assert done.status == 0
    told = done.answer
    assert told.keys() >= {"account", "last_run", "lag_s", "tasks", "copies", "waiting", "attention", "incidents"}
    assert (told["last_run"]["status"], told["under_way"], told["daemon"]) == ("ok", None, None)
    assert told["tasks"] == {"open": 2}
    assert told["copies"]["superfone"] == {"open": 1}
    assert [item["reason"] for item in told["waiting"]] == ["slot_taken"]
    assert 0 <= told["lag_s"] < 60
    words = busy.do("status").stdout
    assert words.startswith("acme: 2 open tasks (Asia/Kolkata)\n  nothing is running")
    assert Reason.SLOT_TAKEN.sentence in words
    assert sum(len(box.calls) for box in busy.sandboxes) == calls


def test_status_before_the_first_run(served: Served) -> None:
    done = served.do("status")
    assert done.status == 0
    assert "no run has ended yet" in done.stdout
    assert served.do("status", "--json").answer["lag_s"] is None
    assert not list(served.folder.glob("acme.db*"))


OK = dict.fromkeys(("superfone", "reply", "highlevel"), "ok")


def ran(served: Served, *, minutes: float, status: str = "ok", **states: str) -> None:
    """A run that began so many minutes ago, and how each connection fared in it."""
    report = {"connections": {system: {"state": state} for system, state in (OK | states).items()}}
    began = served.now() - timedelta(minutes=minutes)
    with Ledger.open(f"sqlite:///{served.folder / 'acme.db'}", name="acme") as ledger:
        ledger.acquire(current_owner("t"), began, LEASE_TERM, run=status)
        ledger.finish_run(status, began, status, report, token="t")


def lags(served: Served) -> dict[str, int | None]:
    """The lags that the status tells, in minutes; ``""`` is the account's."""
    told = served.do("status", "--json").answer
    found = {"": told["lag_s"], **told["lags_s"]}
    return {system: None if lag is None else round(lag / 60) for system, lag in found.items()}


def test_a_crm_that_could_not_be_read_lags_since_it_last_could(served: Served) -> None:
    ran(served, minutes=90)
    ran(served, minutes=5, status="partial", reply="unauthorized")
    assert lags(served) == {"": 90, "superfone": 5, "reply": 90, "highlevel": 5}


def test_a_run_that_a_limit_stopped_has_taken_nothing_over(served: Served) -> None:
    ran(served, minutes=90)
    ran(served, minutes=5, status="stopped")
    assert lags(served) == {"": 90, "superfone": 90, "reply": 90, "highlevel": 90}


def test_while_a_crm_was_never_read_nobody_knows_the_lag(served: Served) -> None:
    ran(served, minutes=5, status="partial", reply="unauthorized")
    assert lags(served) == {"": None, "superfone": 5, "reply": None, "highlevel": 5}


def test_a_run_without_a_limit_is_under_way_for_as_long_as_it_takes(served: Served) -> None:
    served.configure(sync="run_limit = 0")
    with Ledger.open(f"sqlite:///{served.folder / 'acme.db'}", name="acme") as ledger:
        ledger.acquire(current_owner("t"), served.now() - timedelta(minutes=3), LEASE_TERM, run="long")
    assert served.do("status", "--json").answer["under_way"]["run"] == "long"


def test_a_run_whose_process_is_gone_broke_off(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    with Ledger.open(f"sqlite:///{served.folder / 'acme.db'}", name="acme") as ledger:
        dead = replace(current_owner("t"), started=1.0)
        ledger.acquire(dead, served.now(), LEASE_TERM, run="killed")
    told = served.do("status", "--json").answer
    assert (told["under_way"], told["broken_off"]["run"], told["last_run"]["status"]) == (None, "killed", "ok")
    assert "ago, broke off: it did not end: its process was killed" in served.do("status").stdout
    assert "broke off: it did not end" in served.do("explain", f"highlevel:{task}").stdout
    assert served.do("explain", f"highlevel:{task}", "--json").answer["broken_off"]["run"] == "killed"
    assert served.do("sync", "--once").status == 0
    assert served.do("status", "--json").answer["broken_off"] is None


def test_a_run_that_a_signal_or_another_account_stopped_broke_off(served: Served) -> None:
    served.person()
    assert served.do("sync", "--once").status == 0
    served.reply.user_id = 99
    assert served.do("sync", "--once").status == 2
    told = served.do("status", "--json").answer
    assert "opens the account 99" in told["broken_off"]["message"]
    assert "broke off: the key of Reply.io opens the account 99" in served.do("status").stdout


def test_every_item_has_the_name_that_people_know_its_task_by(busy: Served) -> None:
    for command in (["sync", "--once"], ["plan"], ["status"]):
        (item,) = busy.do(*command, "--json").answer["waiting"]
        assert (item["title"], item["contact"]) == ("Call again", "Asha Rao")


def test_an_ambiguous_contact_has_a_name(served: Served) -> None:
    served.person()
    served.highlevel.add_contact("Asha", "Again", "other@example.com", "+919876543210")
    (item,) = served.do("sync", "--once", "--json").answer["attention"]
    assert (item["task"], item["title"], item["reason"]) == (None, "", "ambiguous_contact")
    assert item["contact"].startswith("Asha")
    assert "Asha Rao (highlevel:" in item["detail"]
    assert "Asha Again (highlevel:" in item["detail"]


def test_looking_needs_no_secret_and_a_broken_file_keeps_nobody_from_it(busy: Served) -> None:
    task = busy.do("tasks", "--json").answer["tasks"][0]["task"]
    for command in (["status"], ["tasks"], ["explain", task], ["retry"], ["retry", task]):
        assert busy.do(*command, SF_KEY="", RE_KEY="", HL_KEY="").status == 0
    (busy.folder / "broken.toml").write_text("[")
    done = busy.do("status", "--json", "-c", "config.toml", "-c", "broken.toml")
    assert done.status == 2
    assert [(one["account"], one.get("exit")) for one in done.answers] == [(None, 2), ("acme", None)]
    assert "broken.toml: this is not TOML" in done.stderr


def test_what_people_typed_reaches_neither_terminal_nor_json_as_it_is(served: Served) -> None:
    _, _, contact = served.person("Asha\x1b]0;mine\x07")
    task = served.task(contact, "Call \x9b31m\u202eahsA\u2066 \x1b[2J")
    served.configure(sync="doubt_grace = 0")
    outputs = [served.do("sync", "--once", "--json"), served.do("sync", "--once")]
    outputs += [
        served.do(*one, *json)
        for one in (["status"], ["tasks"], ["explain", f"highlevel:{task}"], ["plan"])
        for json in ([], ["--json"])
    ]
    for done in outputs:
        text = done.stdout + done.stderr
        assert not [letter for letter in text if not letter.isprintable() and letter != "\n"], ascii(text)
        for answer in done.answers if text.startswith("{") else ():
            assert "\x1b" not in str(answer)


def test_tasks_and_their_copies_side_by_side(busy: Served) -> None:
    everything = busy.do("tasks", "--json").answer["tasks"]
    assert [task["title"] for task in everything] == ["Call Asha", "Call again"]
    assert everything[0].keys() >= {"task", "state", "kind", "title", "contact", "due", "origin", "copies"}
    assert [copy["state"] for copy in everything[0]["copies"]["superfone"]] == ["open"]
    assert busy.do("tasks", "--json", "--system", "superfone").answer["tasks"] == everything[:1]
    assert busy.do("tasks", "--json", "--state", "done", "--contact", "asha").answer["tasks"] == []
    assert f", {everything[1]['task']}: Reply.io open {everything[1]['copies']['reply'][0]['id']}, HighLevel open " in (
        busy.do("tasks").stdout
    )
    wrong = busy.do("tasks", "--system", "superphone")
    assert wrong.status == 2
    assert "superfone" in wrong.stderr


def told_slot(served: Served) -> int:
    (lead,) = served.superfone.leads()
    return served.superfone.open_tasks(lead.id)[0].id


def test_a_beginning_that_fits_several_tasks_lists_them(busy: Served) -> None:
    first, second = (task["task"] for task in busy.do("tasks", "--json").answer["tasks"])
    for command in ("explain", "retry"):
        done = busy.do(command, "highlevel")
        assert (done.status, done.stdout) == (2, "")
        assert done.stderr.startswith("highlevel fits 2 tasks; type more of the ID of one of them:\n")
        assert f"{first} Call Asha, Asha Rao, " in done.stderr
        assert f"{second} Call again, Asha Rao, " in done.stderr
    assert busy.do("explain", first[:-1]).status == 0


def test_tasks_are_found_by_the_last_digits_of_a_number(busy: Served) -> None:
    assert len(busy.do("tasks", "--json", "--contact", "3210").answer["tasks"]) == 2
    assert busy.do("tasks", "--json", "--contact", "3211").answer["tasks"] == []


def test_the_account_file_may_stand_before_the_command(busy: Served) -> None:
    (busy.folder / "config.toml").rename(busy.folder / "other.toml")
    try:
        assert busy.do("-c", "other.toml", "status").status == 0
        assert busy.do("-c", "missing.toml", "status", "-c", "other.toml").status == 0
        assert busy.do("status").status == 2
    finally:
        (busy.folder / "other.toml").rename(busy.folder / "config.toml")


def test_a_task_s_story_in_words(busy: Served) -> None:
    task = busy.do("tasks", "--json").answer["tasks"][1]
    done = busy.do("explain", f"highlevel:{task['copies']['highlevel'][0]['id']}")
    assert done.status == 0
    assert done.stdout.startswith("acme: Call again, Asha")
    assert "created in HighLevel" in done.stdout
    assert "we saw it for the first time in HighLevel" in done.stdout
    assert f"we created it in Reply.io ({task['copies']['reply'][0]['id']})" in done.stdout
    assert f"Superfone: slot_taken: {Reason.SLOT_TAKEN.sentence}" in done.stdout
    told = busy.do("explain", task["task"], "--json").answer
    assert [event["what"] for event in told["history"]][:3] == ["seen", "sent", "created"]
    assert told["now"][0]["reason"] == "slot_taken"
    assert "Superfone: slot_taken" in done.stdout
    assert f"“Call Asha” has the place (superfone:{told_slot(busy)})" in done.stdout
    unknown = busy.do("explain", "superfone:1")
    assert unknown.status == 2
    assert "syncer tasks" in unknown.stderr


def test_a_task_s_story_tells_what_is_not_known_yet(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    served.reply.fault = lambda call: Fault.LOST_REQUEST if served.reply.is_write(call) else None
    served.do("sync", "--once")
    words = served.do("explain", f"highlevel:{task}").stdout
    assert (
        "Reply.io: create: the answer to a request was lost; the next run reads the task to see what happened" in words
    )


def test_a_task_s_story_has_the_copy_that_is_gone(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    copy = str(served.reply.tasks()[0].id)
    served.reply.person_deletes(copy)
    for _ in range(2):
        assert served.do("sync", "--once").status == 0
    assert (
        f"they removed it in Reply.io ({copy}): Reply.io says, in two runs,"
        in served.do("explain", f"highlevel:{task}").stdout
    )


def test_retry_frees_what_was_refused_and_says_what(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    served.superfone.allowed_types = ()
    refused = served.do("sync", "--once", "--json")
    assert refused.status == 1
    (item,) = refused.answer["attention"]
    assert item["reason"] == "refused"
    served.superfone.allowed_types = ("FOLLOW_UP_CALL",)
    assert served.do("sync", "--once").status == 0
    assert served.superfone.open_tasks(served.superfone.leads()[0].id) == ()
    freed = served.do("retry", item["task"])
    assert freed.status == 0
    assert freed.stdout.startswith("acme: 1 freed; the next run tries again\n  Superfone: create of Call Asha, Asha")
    assert served.do("retry", "--json").answer == {"account": "acme", "number": 0, "freed": []}
    assert served.do("sync", "--once").status == 0
    assert len(served.superfone.open_tasks(served.superfone.leads()[0].id)) == 1
    unknown = served.do("retry", "reply:1", "--json")
    assert unknown.status == 2
    assert unknown.answer["exit"] == 2


def test_retry_names_the_tasks_that_were_held(served: Served) -> None:
    _, _, contact = served.person()
    due = (served.now() + timedelta(hours=5)).replace(microsecond=0)
    for _ in range(4):
        served.highlevel.person_creates(contact, "Call Asha", due)
        assert served.do("sync", "--once").status == 0
    (item,) = served.do("status", "--json").answer["attention"]
    assert item["reason"] == "loop"
    freed = served.do("retry", item["task"], "--json").answer
    assert freed == {
        "account": "acme",
        "number": 1,
        "freed": [{"task": item["task"], "system": "highlevel", "what": "loop"}],
    }


def test_check_tries_everything_and_says_what_each_crm_can_do(served: Served) -> None:
    done = served.do("check", "--json")
    assert done.status == 0
    assert done.answer["exit"] == 0
    assert {check["system"] for check in done.answer["checks"]} == {"superfone", "reply", "highlevel"}
    assert done.answer["capabilities"]["superfone"]["completes"] == "the contact's newest open task"
    words = served.do("check").stdout
    assert words.startswith("acme: everything that can be tested works\n  file: ok: ")
    assert "What HighLevel can do" in words
    assert served.writes() == 0


def test_check_says_ok_of_nothing_that_it_cannot_know(served: Served) -> None:
    """Whether a key may write, and whose key of Superfone it is before an answer has named that."""

    def unknown() -> set[tuple[str, str]]:
        checks = served.do("check", "--json").answer["checks"]
        return {(check["system"], check["what"]) for check in checks if check["ok"] is None}

    writing = {(system, "write tasks") for system in ("superfone", "reply", "highlevel")}
    assert unknown() == {*writing, ("superfone", "account")}
    assert (
        "Superfone: not known: account: its name is known once a lead or a task has been read"
        in served.do("check").stdout
    )
    served.person()
    assert served.do("sync", "--once").status == 0
    assert unknown() == {*writing, ("superfone", "account")}
    assert "has been read; the ledger belongs to " in served.do("check").stdout


def test_a_crm_that_was_asked_nothing_is_idle(served: Served) -> None:
    done = served.do("sync", "--once", "--json").answer
    assert {system: found["state"] for system, found in done["connections"].items()} == {
        "superfone": "idle",
        "reply": "ok",
        "highlevel": "ok",
    }
    assert (done["status"], done["connections"]["superfone"]["reads"]) == ("ok", 0)
    assert served.do("status", "--json").answer["lags_s"]["superfone"] is None


def test_check_says_what_to_do_about_a_key_and_an_address(served: Served) -> None:
    served.superfone.fault = lambda _call: Fault.ERROR_BEFORE
    done = served.do("check", RE_KEY="a-wrong-key")
    assert done.status == 1
    assert "Reply.io: FAILED: key" in done.stdout
    assert "Superfone: FAILED: " in done.stdout
    assert "HighLevel: ok: " in done.stdout
    assert "a-wrong-key" not in done.stdout + done.stderr
    file = served.folder / "config.toml"
    file.write_text(file.read_text().replace(served.url, "http://127.0.0.1:1"))
    unreachable = served.do("check", "--json")
    assert unreachable.status == 1
    failed = [check for check in unreachable.answer["checks"] if not check["ok"]]
    assert all("no connection" in check["detail"] and check["advice"] for check in failed)


def test_check_says_which_setting_is_wrong_before_whose_account_it_is(served: Served) -> None:
    """A location that the token does not open is no other account's."""
    served.person()
    assert served.do("sync", "--once").status == 0
    file = served.folder / "config.toml"
    file.write_text(file.read_text().replace("ve9EPM428h8vShlRW1KT", "mistyped"))
    done = served.do("check")
    assert done.status == 1
    first, second, third, *_ = done.stdout.splitlines()
    assert first == "acme: not everything works"
    assert second.startswith("  HighLevel: FAILED: ")
    assert third.startswith("      check location_id")


def test_a_ledger_that_cannot_be_read_is_an_alarm_to_a_monitor(served: Served) -> None:
    """2 would say that a file of the user's is wrong, and 0 that all is well."""
    assert served.do("sync", "--once").status == 0
    ledger = served.folder / "acme.db"
    whole = ledger.read_bytes()
    newer = "UPDATE alembic_version SET version_num = '9999'"
    for spoil in (lambda: ledger.write_bytes(b"no database" * 1000), lambda: executed(ledger, newer)):
        spoil()
        checked = served.do("status", "--check")
        assert (checked.status, checked.stdout) == (1, "")
        assert checked.stderr.startswith("acme: alarm: The ledger cannot be used: the ledger")
        assert served.do("status", "--check", "--json").answer["exit"] == 1
        assert served.do("status").status == 2
        ledger.write_bytes(whole)
    assert served.do("status", "--check").status == 0


def executed(ledger: Path, sql: str) -> None:
    with closing(sqlite3.connect(ledger)) as database, database:
        database.execute(sql)
