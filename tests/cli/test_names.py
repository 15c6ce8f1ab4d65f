"""The names of tasks and of files in what a command says, and the whole of what is said of a run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from syncer.cli.screens import Screen, TaskNames, name_files, overwritten_in_words, show_run
from syncer.domain.model import Record
from syncer.ledger import TaskView
from tests.support.strategies import LANE, PLAIN, TYPED, a_base, a_task

ZONE = ZoneInfo("Asia/Kolkata")
DUE = datetime(datetime.now(UTC).year, 5, 19, 8, 30, tzinfo=UTC)
TASK = a_task("reply:1", title="Ring", due=DUE)
NAMELESS = a_task("reply:2", contact="p2", due=DUE)


def test_a_task_is_known_by_its_title_its_person_and_its_due() -> None:
    names = TaskNames.of([TaskView(TASK, [], "Asha Rao"), TaskView(NAMELESS, [], "")], ZONE)
    assert names("reply:1") == "Ring, Asha Rao, 19 May 14:00"
    assert names("reply:2") == "Follow-up call, 19 May 14:00"
    assert names("reply:3") == names(None) == names("") == ""
    assert (names.person("p1"), names.person("p2"), names.person("p3")) == ("Asha Rao", "", "")


def test_a_person_has_the_first_name_that_a_crm_knows() -> None:
    """In the order of the CRMs, so that it is the same each time."""
    base = a_base(TASK, people=("p1",))
    records = {LANE: "Asha R.", TYPED: "Asha Rao", PLAIN: ""}
    base.records = {(system, f"p1-{system}"): Record(system, f"p1-{system}", name) for system, name in records.items()}
    assert TaskNames.in_base(base, ZONE)("reply:1") == "Ring, Asha Rao, 19 May 14:00"
    del base.records[TYPED, f"p1-{TYPED}"]
    assert TaskNames.in_base(base, ZONE).person("p1") == "Asha R."
    assert TaskNames.in_base(replace(base, links={}), ZONE)("reply:1") == "Ring, 19 May 14:00"


@pytest.fixture
def named() -> Iterator[None]:
    name_files([Path("a.toml"), Path("my accounts")])
    yield
    name_files([])


def test_a_command_that_is_told_names_the_files_of_the_one_that_was_typed(
    named: None, capsys: pytest.CaptureFixture[str]
) -> None:
    Screen().say("to try again, type: syncer retry reply:1")
    assert capsys.readouterr().out == "to try again, type: syncer -c a.toml -c 'my accounts' retry reply:1\n"
    name_files([])
    Screen().say("to try again, type: syncer retry reply:1")
    assert capsys.readouterr().out == "to try again, type: syncer retry reply:1\n"


def test_all_of_a_run_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    lost = {"task": "reply:1", "system": "highlevel", "field": "due", "by": "reply", "title": "Ring", "contact": ""}
    report: dict[str, Any] = {
        "account": "acme",
        "status": "stopped",
        "duration_s": 1.0,
        "message": "a limit stopped it",
        "created": {},
        "completed": {},
        "connections": {"reply": {"state": "ok", "open": 1, "reads": 2, "writes": 0}},
        "waiting": [{"task": "reply:1", "system": "reply", "reason": "budget", "detail": "later"}],
        "attention": [],
        "incidents": [],
        "overwritten": [{**lost, "value": ""}],
    }
    show_run(Screen(), report, {"reply:1": "Ring, Asha Rao"}.get, ZONE)  # type: ignore[arg-type]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "acme: stopped before its first write, in 1.0 s"
    assert lines[1] == "  a limit stopped it"
    assert any("Reply.io" in line and "ok" in line for line in lines[2:4])
    assert "Waiting: 1" in lines
    assert "      Reply.io: Ring, Asha Rao (reply:1): later" in lines
    assert "Overwritten: 1" in lines
    assert lines[-1] == f"      {overwritten_in_words(report['overwritten'][0], ZONE)}"
    assert "due was empty there" in lines[-1]
    show_run(Screen(), {**report, "overwritten": [], "message": ""}, lambda _: "", ZONE)
    told = capsys.readouterr().out
    assert ("Overwritten" in told, "a limit" in told) == (False, False)
