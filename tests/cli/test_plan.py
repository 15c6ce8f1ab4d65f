"""``syncer plan`` and ``syncer apply``: nothing is written by the one, nothing but what was planned by the other."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.engine.errors import PlanFileError
from syncer.engine.saved_plan import load
from tests.support.cli_kit import Command, Served

OPERATION_KEYS = {"task", "system", "action", "kind", "contact", "due", "reason"}


def test_a_plan_names_every_operation_and_its_cost_and_writes_nothing(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    done = served.do("plan", "--json")
    assert done.status == 0
    report = done.answer
    assert "created" not in report
    assert [(one["system"], one["action"]) for one in report["operations"]] == [
        ("reply", "create"),
        ("superfone", "create"),
    ]
    assert all(one.keys() >= OPERATION_KEYS for one in report["operations"])
    cost = report["cost"]["reply"]
    assert cost["requests"] == 1 + report["connections"]["reply"]["reads"]
    assert (cost["seconds"], cost["budget_share"]) == (0, cost["requests"] / 1000)
    assert served.writes() == 0
    assert not list(served.folder.glob("acme.db*"))


def test_a_plan_in_words(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    served.configure(sync="max_creates_per_run = 1")
    done = served.do("plan")
    assert done.status == 0
    assert done.stdout.startswith(
        "acme: a run would create 2 tasks (1 in Reply.io, 1 in Superfone); nothing was written\n"
        "  this takes about 1 s\n"
    )
    assert "  Superfone:\n    create: what Call Asha, for Asha Rao, due " in done.stdout
    assert ", because created in HighLevel, not yet in Superfone, ID highlevel:" in done.stdout
    assert re.search(r"Reply\.io costs \d+ requests, about 1 s\n", done.stdout)
    assert "syncer sync --once --allow-creates 2" in done.stdout


def test_a_plan_that_could_not_read_everything_is_1(served: Served) -> None:
    served.person()
    done = served.do("plan", RE_KEY="wrong")
    assert done.status == 1
    assert "nothing to do" not in done.stdout
    assert "not everything could be read" in done.stdout


def test_a_plan_takes_no_other_file_s_place(served: Served) -> None:
    config = served.folder / "config.toml"
    before = config.read_bytes()
    refused = served.do("plan", "--out", "config.toml")
    assert refused.status == 2
    assert "is no saved plan; it is not overwritten" in refused.stderr
    assert config.read_bytes() == before
    (served.folder / "plan.json").touch()
    assert served.do("plan", "--out", "plan.json").status == 0
    assert served.do("plan", "--out", "plan.json").status == 0


def test_apply_does_what_the_plan_says_and_nothing_that_came_after(served: Served) -> None:
    _, _, contact = served.person()
    first, moved = served.task(contact, "Call first"), served.task(contact, "Call later", hours=7)
    saved = served.do("plan", "--out", "plan.json")
    assert saved.status == 0
    file = served.folder / "plan.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    plan = json.loads(file.read_text())
    assert plan.keys() == {"format", "accounts"}
    assert plan["accounts"][0].keys() == {"account", "run", "made_at", "operations"}
    assert len(plan["accounts"][0]["operations"]) == 3
    served.highlevel.person_reschedules(moved, served.now() + timedelta(hours=9))
    served.task(contact, "Call too", hours=11)
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    assert done.answer["created"] == {"superfone": 1, "reply": 1, "highlevel": 0}
    left_out = [item for item in done.answer["waiting"] if item["reason"] == "moved"]
    assert [(item["system"], item["detail"].partition(",")[0]) for item in left_out] == [
        ("reply", "create Call later for Asha Rao")
    ]
    bodies = [task.template["body"] for task in served.reply.tasks()]
    assert len(bodies) == 1
    assert "Call first" in bodies[0]
    assert not any(list(served.folder.glob(".plan.json*")))
    assert first != moved


def test_apply_completes_and_a_plan_that_is_done_is_left_out_whole(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    served.highlevel.person_completes(task)
    assert served.do("plan", "--out", "plan.json").status == 0
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    assert done.answer["completed"] == {"superfone": 1, "reply": 1, "highlevel": 0}
    again = served.do("apply", "plan.json")
    assert again.status == 0
    assert "already done: all that this plan says (2 operations)\n" in again.stdout
    assert "moved: " not in again.stdout
    assert "0 completed" not in again.stdout


def test_a_plan_of_creates_that_is_applied_twice_is_already_done(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    assert served.do("plan", "--out", "plan.json").status == 0
    assert served.do("apply", "plan.json").status == 0
    again = served.do("apply", "plan.json", "--json")
    assert again.status == 0
    assert again.answer["message"] == "already done: all that this plan says (2 operations)"
    assert again.answer["waiting"] == []


def test_an_edit_whose_value_changed_since_is_not_already_done(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    served.highlevel.person_reschedules(task, served.now() + timedelta(hours=9))
    assert served.do("plan", "--out", "plan.json").status == 0
    served.highlevel.person_reschedules(task, served.now() + timedelta(hours=11))
    moved = served.do("apply", "plan.json", "--json").answer
    assert moved["edited"] == {"superfone": 0, "reply": 0, "highlevel": 0}
    assert "message" not in moved
    assert [item["reason"] for item in moved["waiting"]].count("moved") == 2
    assert served.do("plan", "--out", "plan.json").status == 0
    assert served.do("apply", "plan.json", "--json").answer["edited"] == {"superfone": 1, "reply": 1, "highlevel": 0}
    again = served.do("apply", "plan.json", "--json").answer
    assert again["message"] == "already done: all that this plan says (2 operations)"


def test_a_due_that_we_made_does_not_move_a_task(served: Served) -> None:
    """Without a due, a task is due a day after it is first read, and the plan's reading is not the run's."""
    _, _, contact = served.person()
    served.highlevel.person_creates(contact, "Whenever")
    assert served.do("plan", "--out", "plan.json").status == 0
    file = served.folder / "plan.json"
    plan = json.loads(file.read_text())
    for part in (plan["accounts"][0], *plan["accounts"][0]["operations"]):
        for key in part.keys() & {"made_at", "due"}:
            year, rest = part[key][:4], part[key][4:]
            part[key] = f"{int(year) - 1}{rest}"
    file.write_text(json.dumps(plan))
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    assert done.answer["created"] == {"superfone": 1, "reply": 1, "highlevel": 0}


def test_apply_does_every_account_that_the_plan_names(served: Served) -> None:
    (served.folder / "accounts").mkdir()
    for name in ("a", "b"):
        served.configure(name, file=f"accounts/{name}.toml", elsewhere=name == "b")
    assert served.do("plan", "--config", "accounts", "--out", "plan.json").status == 0
    done = served.do("apply", "plan.json", "--config", "accounts", "--json")
    assert [(answer["account"], answer["exit"]) for answer in done.answers] == [("a", 0), ("b", 0)]


def moved(done: Command) -> set[tuple[str, str]]:
    """What an apply left out, by system and by the beginning of its description."""
    items = [item for item in done.answer["waiting"] if item["reason"] == "moved"]
    return {(item["system"], item["detail"].partition(",")[0]) for item in items}


def test_a_due_that_a_person_gave_since_the_plan_moves_a_task(served: Served) -> None:
    """However near it is to the due that we would have made."""
    _, _, contact = served.person()
    task = served.highlevel.person_creates(contact, "Whenever")
    assert served.do("plan", "--out", "plan.json").status == 0
    served.highlevel.person_reschedules(task, served.now() + timedelta(days=1, minutes=5))
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    what = "create Whenever for Asha Rao"
    assert moved(done) == {("superfone", what), ("reply", what)}
    assert served.writes() == 0


def test_a_task_that_is_of_another_kind_by_now_is_left_out(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    assert served.do("plan", "--out", "plan.json").status == 0
    file = served.folder / "config.toml"
    file.write_text(file.read_text() + '[[highlevel.kind_rules]]\nmatch = "Call"\nkind = "reminder"\n')
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    what = "create Call Asha for Asha Rao"
    assert moved(done) == {("superfone", what), ("reply", what)}
    assert served.writes() == 0


def test_a_task_that_has_another_title_by_now_is_left_out(served: Served) -> None:
    """People agreed to what the plan says, and its new text may be one that the other CRM must not show."""
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("plan", "--out", "plan.json").status == 0
    served.highlevel.person_retitles(task, "Tell Asha about her debts")
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    what = "create Call Asha for Asha Rao"
    assert moved(done) == {("superfone", what), ("reply", what)}
    assert served.writes() == 0


def test_a_task_that_was_closed_since_the_plan_is_named_as_the_plan_names_it(served: Served) -> None:
    """The ledger never had it."""
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("plan", "--out", "plan.json").status == 0
    served.highlevel.person_completes(task)
    done = served.do("apply", "plan.json", "--json")
    assert {(item["title"], item["contact"]) for item in done.answer["waiting"]} == {("Call Asha", "Asha Rao")}
    assert served.writes() == 0


USERS = (
    '[[users]]\nname = "Asha"\nreply = 41\nhighlevel = "u41"\n[[users]]\nname = "Ravi"\nreply = 42\nhighlevel = "u42"\n'
)


def rewrites(served: Served, task: str) -> None:
    served.highlevel.person_rewrites(task, "Tell her nothing of it")


def gives_to_another_contact(served: Served, task: str) -> None:
    served.highlevel.person_moves(task, served.person("Ravi", "+919876543211")[2])


def assigns(served: Served, task: str) -> None:
    served.highlevel.person_assigns(task, "u42")


@pytest.mark.parametrize(
    ("act", "left_out"),
    [(rewrites, {"superfone", "reply"}), (gives_to_another_contact, {"superfone", "reply"}), (assigns, {"reply"})],
)
def test_what_a_create_would_write_otherwise_by_now_is_left_out(
    served: Served, act: Callable[[Served, str], None], left_out: set[str]
) -> None:
    """A plan does not show all of it, and a person has agreed to what was there then."""
    _, _, contact = served.person()
    file = served.folder / "config.toml"
    file.write_text(file.read_text() + USERS)
    task = served.task(contact)
    served.highlevel.person_assigns(task, "u41")
    assert served.do("plan", "--out", "plan.json").status == 0
    act(served, task)
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 0
    assert {system for system, _ in moved(done)} == left_out
    assert served.writes() == 2 - len(left_out)


def test_a_value_that_people_typed_since_the_plan_is_not_replaced_by_it(served: Served) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    served.highlevel.person_reschedules(task, (served.now() + timedelta(hours=9)).replace(microsecond=0))
    assert served.do("plan", "--out", "plan.json").status == 0
    [copy] = served.reply.tasks()
    served.reply.person_reschedules(str(copy.id), (served.now() + timedelta(hours=20)).replace(microsecond=0))
    done = served.do("apply", "plan.json", "--json")
    assert done.answer["edited"] == {"superfone": 1, "reply": 0, "highlevel": 0}
    assert moved(done) == {("reply", "edit Call Asha for Asha Rao")}


def test_a_copy_that_would_be_made_again_with_another_text_by_now_is_left_out(served: Served) -> None:
    """In a lane, an edit of the due makes the task again, with all of its texts."""
    _, _, contact = served.person()
    task = served.task(contact)
    assert served.do("sync", "--once").status == 0
    served.highlevel.person_reschedules(task, (served.now() + timedelta(hours=9)).replace(microsecond=0))
    assert served.do("plan", "--out", "plan.json").status == 0
    served.highlevel.person_rewrites(task, "Tell her nothing of it")
    done = served.do("apply", "plan.json", "--json")
    assert done.answer["edited"]["superfone"] == 0
    assert ("superfone", "edit Call Asha for Asha Rao") in moved(done)


def test_limits_hold_for_apply_too(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    assert served.do("plan", "--out", "plan.json").status == 0
    served.configure(sync="max_creates_per_run = 1")
    done = served.do("apply", "plan.json")
    assert done.status == 3
    assert "syncer apply plan.json --allow-creates 2" in done.stdout
    assert served.writes() == 0
    assert served.do("apply", "plan.json", "--allow-creates", "2").status == 0


OTHER = {"account": "other", "run": "", "made_at": "2026-05-19T08:30:00Z", "operations": []}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        ("nonsense", "this is no saved plan"),
        ({"format": 2, "accounts": []}, "format: Input should be 1"),
        ({"format": 1, "accounts": [{"account": "acme"}]}, "accounts[0].run: Field required"),
        ({"format": 1, "accounts": [OTHER, OTHER]}, "names an account twice"),
    ],
)
def test_a_file_that_is_no_plan_of_ours_is_refused_with_advice(tmp_path: Path, content: object, words: str) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_text(json.dumps(content))
    with pytest.raises(PlanFileError, match=re.escape(words)) as refused:
        load(file)
    assert "syncer plan --out FILE" in str(refused.value)


def test_a_plan_of_an_account_that_nobody_knows_is_2(served: Served) -> None:
    (served.folder / "plan.json").write_text(json.dumps({"format": 1, "accounts": [OTHER]}))
    done = served.do("apply", "plan.json", "--json")
    assert done.status == 2
    assert "no account file is named other" in done.answer["message"]
    assert not served.superfone.calls


def test_a_plan_that_cannot_be_saved_is_not_made(served: Served) -> None:
    done = served.do("plan", "--out", "nowhere/plan.json")
    assert done.status == 2
    assert "the folder" in done.stderr
    assert not served.superfone.calls


@pytest.mark.parametrize("kind", ["link", "dangling", "pipe", "folder"])
def test_a_plan_is_saved_over_plans_alone(served: Served, kind: str) -> None:
    """Whatever else has that name is neither followed nor replaced."""
    out, other = served.folder / "plan.json", served.folder / "other"
    if kind == "folder":
        out.mkdir()
    elif kind == "pipe":
        os.mkfifo(out)
    else:
        out.symlink_to(other)
    if kind == "link":
        other.write_text("theirs")
        other.chmod(0o640)
    done = served.do("plan", "--out", "plan.json")
    assert done.status == 2
    assert "plan.json: the plan cannot be saved: " in done.stderr
    assert not served.superfone.calls
    if kind == "link":
        assert (other.read_text(), other.stat().st_mode & 0o777) == ("theirs", 0o640)
    else:
        assert not other.exists()
    assert served.do("apply", "plan.json").status == 2


@pytest.mark.parametrize("limit", ["creates", "completions"])
def test_a_limit_of_zero_is_zero(served: Served, limit: str) -> None:
    _, _, contact = served.person()
    task = served.task(contact)
    if limit == "completions":
        assert served.do("sync", "--once").status == 0
        served.highlevel.person_completes(task)
    before = served.writes()
    assert served.do("sync", "--once", f"--allow-{limit}", "0").status == 3
    served.configure(sync=f"max_{limit}_per_run = 0")
    stopped = served.do("sync", "--once", "--json")
    assert stopped.status == 3
    assert f"--allow-{limit} 2" in stopped.answer["message"]
    assert served.do("plan", "--out", "plan.json").status == 0
    assert served.do("apply", "plan.json", f"--allow-{limit}", "0").status == 3
    assert served.writes() == before
    assert served.do("sync", "--once", f"--allow-{limit}", "2").status == 0
    assert served.writes() == before + 2


def test_of_a_plan_of_two_accounts_one_file_may_be_broken_by_now(served: Served) -> None:
    (served.folder / "accounts").mkdir()
    for name in ("a", "b"):
        served.configure(name, file=f"accounts/{name}.toml", elsewhere=name == "b")
    _, _, contact = served.person()
    served.task(contact)
    assert served.do("plan", "--config", "accounts", "--out", "plan.json").status == 0
    (served.folder / "accounts/a.toml").write_text("[")
    done = served.do("apply", "plan.json", "--config", "accounts", "--json")
    assert done.status == 2
    assert [(one["account"], one["exit"]) for one in done.answers] == [(None, 2), ("b", 0)]
