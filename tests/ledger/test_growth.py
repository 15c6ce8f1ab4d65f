"""What a ledger forgets, and how little a quiet run adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from syncer.domain.base import Changes
from syncer.domain.events import Event
from syncer.domain.model import ReplicaState, State
from syncer.domain.operations import Action, OpState
from syncer.ledger import Ledger, LedgerError, runs
from syncer.ledger.questions import patched
from syncer.ledger.reportlists import DEEPEST, difference
from tests.support.ledgers import DATABASES, DAY, NOW, database_url, make_operation, make_replica, make_task

YEAR = 365 * DAY
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with database_url(request.param, tmp_path) as url, Ledger.open(url, name="acme", clock=lambda: NOW) as opened:
        yield opened


def items(*numbers: int) -> list[dict[str, Any]]:
    detail = "Asha has no record there; make one, or name another number"
    return [
        {"task": f"reply:{number}", "system": "superfone", "reason": "no_contact", "detail": f"{number}: {detail}"}
        for number in numbers
    ]


def report(waiting: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    connection = {"state": "ok", "reads": 12, "writes": 0, "open": 3000}
    return {
        "account": "acme",
        "run": "01KABCDEFGHJKMNPQRSTVWXYZ0",
        "status": "ok",
        "exit": 0,
        "started_at": "2026-05-19T08:30:00Z",
        "duration_s": 1.841,
        "created": {"superfone": 0, "reply": 0, "highlevel": 0},
        "completed": {"superfone": 0, "reply": 0, "highlevel": 0},
        "connections": dict.fromkeys(("superfone", "reply", "highlevel"), connection),
        "waiting": waiting,
        "attention": [],
        "incidents": [],
        **more,
    }


def add_run(ledger: Ledger, number: int, at: datetime, told: dict[str, Any], status: str = "ok") -> None:
    run = f"01KABCDEFGHJKMNPQRST{number:06d}"
    with ledger._database.writing() as connection:
        runs.start(connection, run, at)
    ledger.finish_run(run, at, status, told)


def rows(ledger: Ledger, table: str) -> int:
    with ledger._database.reading() as connection:
        return int(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608


def forget_all(ledger: Ledger, now: datetime = NOW, keep: timedelta = YEAR) -> None:
    while ledger.forget(keep, now):
        pass


def test_a_quiet_run_with_three_thousand_waiting_items_is_less_than_a_kilobyte(tmp_path: Path) -> None:
    """It was half a megabyte, at every interval."""
    path = tmp_path / "acme.db"
    told = report(items(*range(3000)))
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        add_run(ledger, 0, NOW, told)
    before = path.stat().st_size
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        for number in range(1, 201):
            add_run(ledger, number, NOW + number * MINUTE, told)
        assert ledger.runs(2)[0].report == told
    assert path.stat().st_size - before < 200_000


def test_one_item_more_is_one_item_stored(tmp_path: Path) -> None:
    path = tmp_path / "acme.db"
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        add_run(ledger, 0, NOW, report(items(*range(3000))))
    before = path.stat().st_size
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        for number in range(1, 31):
            add_run(ledger, number, NOW + number * MINUTE, report(items(*range(number, 3000 + number))))
        assert ledger.runs(1)[0].report["waiting"] == items(*range(30, 3030))
    assert path.stat().st_size - before < 60_000


def test_reports_come_back_as_they_were(ledger: Ledger) -> None:
    told = [
        report([]),
        report(items(1, 2, 3, 4, 5), attention=items(7)),
        report(items(5, 4, 3), incidents=items(8, 9, 10)),
        report(items(5, 4, 3), operations=items(*range(30))),
        {"message": "stopped"},
        report(items(*range(9)), attention=items(*range(9))),
    ]
    for number, one in enumerate(told):
        add_run(ledger, number, NOW + number * MINUTE, one)
    assert [run.report for run in reversed(ledger.runs())] == told


def test_lists_that_change_for_ever_come_back(ledger: Ledger) -> None:
    numbers = range(DEEPEST + 5)
    for number in numbers:
        add_run(ledger, number, NOW + number * MINUTE, report(items(*range(number, number + 10))))
    for run, number in zip(ledger.runs(len(numbers)), reversed(numbers), strict=True):
        assert run.report["waiting"] == items(*range(number, number + 10))


@given(before=st.lists(st.integers(0, 9)), after=st.lists(st.integers(0, 9)))
def test_a_difference_makes_the_one_of_the_other(before: list[int], after: list[int]) -> None:
    change = difference(before, after)
    assert change is None or patched(before, change) == after


def test_runs_are_kept_as_long_as_is_said(ledger: Ledger) -> None:
    loud = report(items(*range(9)), created={"reply": 1})
    for number, age in enumerate((YEAR + DAY, YEAR - DAY, 2 * DAY, 2 * DAY - MINUTE)):
        add_run(ledger, number, NOW - age, loud)
    forget_all(ledger)
    assert [int(run.id[-1]) for run in ledger.runs()] == [3, 2, 1]
    assert all(run.report["waiting"] == items(*range(9)) for run in ledger.runs())
    forget_all(ledger, keep=DAY)
    assert ledger.runs() == []
    assert rows(ledger, "report_list") == 0


def test_of_quiet_runs_one_an_hour_is_enough_after_a_day(ledger: Ledger) -> None:
    start = datetime.fromisoformat("2026-05-10T00:00:30+00:00")
    for number in range(130):
        add_run(ledger, number, start + number * MINUTE, report(items(*range(number // 10, 9 + number // 10))))
    add_run(ledger, 500, start + 70.5 * MINUTE, report([]), status="partial")
    forget_all(ledger, now=start + 60 * MINUTE + DAY)
    kept = [int(run.id[-6:]) for run in reversed(ledger.runs(200))]
    assert kept == [0, *range(60, 130), 500]
    for run in ledger.runs(200):
        if run.report["waiting"]:
            number = int(run.id[-6:])
            assert run.report["waiting"] == items(*range(number // 10, 9 + number // 10))


def test_events_are_kept_as_long_as_is_said_and_then_forgotten_in_this_one_way(ledger: Ledger) -> None:
    events = [Event(NOW - age, "seen", "us", task="t") for age in (YEAR + DAY, YEAR, DAY)]
    ledger.store(Changes(events=events, cursors={"x": "1"}), token=None)
    known = ledger.cursors()
    forget_all(ledger)
    assert [event.at for event in ledger.history("t")] == [NOW - YEAR, NOW - DAY]
    assert ledger.cursors() == known, "what it may forget is told to the database for this one time"
    for statement in ("DELETE FROM event", "UPDATE event SET who = 'them'"):
        with pytest.raises((LedgerError, DBAPIError), match="append-only"), ledger._database.writing() as connection:
            connection.exec_driver_sql(statement)


def test_the_last_run_is_the_one_that_began_last_whatever_the_clock_said(ledger: Ledger) -> None:
    for number, at in enumerate((NOW, NOW + 10 * YEAR, NOW + MINUTE)):
        add_run(ledger, number, at, report([]))
    assert [int(run.id[-1]) for run in ledger.runs()] == [2, 1, 0]


def test_closed_tasks_are_kept_while_they_may_matter(ledger: Ledger) -> None:
    old = NOW - 2 * YEAR
    closed: dict[str, Any] = {"state": State.DONE, "due": old}
    names = ("past", "open", "copy", "doubt", "lately", "tried", "ahead", "copied", "twins", "lane")
    tasks = {name: make_task(name, **closed) for name in names}
    tasks["open"] = make_task("open", due=old)
    tasks["ahead"] = make_task("ahead", state=State.DONE)
    replicas = [make_replica(name, name, state=ReplicaState.DONE) for name in names if name not in {"copy", "lane"}]
    replicas.append(make_replica("copy", "copy"))
    replicas.append(make_replica("other", "twins", "superfone", state=ReplicaState.DONE))
    replicas.append(make_replica("lane", "lane", state=ReplicaState.DONE, exclusive=True))
    complete = Action.COMPLETE
    operations = [
        make_operation("1", "past", OpState.DONE, action=complete, created_at=old),
        make_operation("2", "doubt", OpState.IN_DOUBT, action=complete, created_at=old),
        make_operation("3", "tried", OpState.DONE, action=complete, created_at=NOW),
        make_operation("4", "copied", OpState.DONE, created_at=old),
    ]
    ledger.store(
        Changes(
            tasks=tasks,
            replicas={replica.key: replica for replica in replicas},
            operations={operation.id: operation for operation in operations},
            events=[Event(old, "seen", "us", task=name) for name in names] + [Event(NOW, "done", "us", task="lately")],
        ),
        token=None,
    )
    forget_all(ledger)
    assert {view.task.id for view in ledger.tasks()} == set(names) - {"past"}


def test_which_copies_a_task_had_is_known_without_its_history(ledger: Ledger) -> None:
    """A create in doubt is settled by it, and the history of an open task may be older than it is kept."""
    old = NOW - 2 * YEAR
    known = make_replica("2", "task", "superfone", state=ReplicaState.SUPERSEDED)
    made = make_operation("1", "task", OpState.DONE, created_at=old)
    failed = make_operation("2", "task", OpState.FAILED, system="highlevel", created_at=old)
    # Its copy in Reply was deleted there, and `syncer retry` has deleted it here.
    told = [Event(old, "freed", "us", "", "task", "reply", "1"), Event(old, "seen", "us", "", "task", "superfone", "2")]
    changes = Changes(
        tasks={"task": make_task("task", origin="pipedrive")},
        replicas={known.key: known},
        operations={one.id: one for one in (made, failed)},
        events=told,
    )
    ledger.store(changes, token=None)
    forget_all(ledger)
    assert ledger.history("task") == []
    systems = ("superfone", "reply", "pipedrive", "highlevel")
    assert [ledger.had_copy("task", system) for system in systems] == [True, True, True, False]


def test_what_is_forgotten_is_forgotten_a_few_at_a_time(ledger: Ledger) -> None:
    events = [Event(NOW - 2 * YEAR, "seen", "us", task="t")] * 1200
    ledger.store(Changes(events=events), token=None)
    assert ledger.forget(YEAR, NOW)
    assert len(ledger.history("t")) == 700
    forget_all(ledger)
    assert ledger.history("t") == []
