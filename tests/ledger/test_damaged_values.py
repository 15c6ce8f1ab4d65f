"""A value that no version of ours has stored is damage: whoever meets it is told the file and the remedy."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from syncer.domain.base import Changes
from syncer.domain.model import Record
from syncer.ledger import Ledger, LedgerError, Pages, TaskFilter, current_owner, look
from syncer.ledger.stale import Age, age_of
from tests.support.ledgers import NOW, make_replica, make_task

RECORD = Record("reply", "9", "Asha", ("+919876543210",), ("asha@example.com",))
REPORT: dict[str, object] = {"connections": {}, "waiting": [], "attention": [], "incidents": []}


def run(url: str) -> None:
    with Ledger.open(url, name="acme") as ledger:
        ledger.acquire(current_owner("token"), NOW, timedelta(seconds=60), run="run")
        ledger.finish_run("run", NOW, "ok", REPORT, token="token")
        ledger.release("token")


def plan(url: str) -> None:
    with Ledger.open(url, name="acme", read_only=True) as ledger:
        ledger.foresee(NOW)


def command(url: str) -> None:
    with look(url, "acme") as ledger:
        ledger.views_of(["01A"])
        ledger.runs()
        ledger.history("01A")


def page(url: str) -> None:
    with Ledger.open(url, name="acme", read_only=True) as ledger:
        pages = Pages(ledger)
        pages.tasks(TaskFilter(), 0, 50)
        pages.story("01A")
        pages.last_report()
        pages.runs(0, NOW - timedelta(days=1), 50)


@pytest.mark.parametrize(
    ("column", "value", "readers"),
    [
        ("task.due", "garbage", (run, plan)),
        ("task.due", 5, (run, plan, command, page)),
        ("replica.due", 5, (run, plan, command, page)),
        ("record.phones", "null", (run, plan)),
        ("record.emails", "5", (run, plan)),
        ("run.report", "null", (command, page)),
        ("run.lists", "garbage", (command, page)),
        ("run.started_at", "garbage", (command, page)),
    ],
)
def test_a_damaged_value_is_told_with_its_file_and_the_remedy(
    tmp_path: Path, column: str, value: object, readers: tuple[Callable[[str], None], ...]
) -> None:
    file = tmp_path / "acme.db"
    url = f"sqlite:///{file}"
    with Ledger.open(url, name="acme") as ledger:
        ledger.store(
            Changes(
                tasks={"01A": make_task()},
                replicas={("reply", "1"): make_replica(due=NOW)},
                records={RECORD.key: RECORD},
            ),
            token=None,
            now=NOW,
        )
    run(url)
    for sound in (plan, command, page):
        sound(url)
    table, _, name = column.partition(".")
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute(f"UPDATE {table} SET {name} = ?", (value,))  # noqa: S608 - names of ours
    for reader in readers:
        with pytest.raises(LedgerError, match=r"acme\.db.*is damaged.*restore"):
            reader(url)


@pytest.mark.parametrize("value", [None, "garbage", "7"])
def test_a_file_whose_number_of_runs_cannot_be_read_is_the_oldest(tmp_path: Path, value: str | None) -> None:
    file = tmp_path / "acme.db"
    with closing(sqlite3.connect(file)) as opened, opened:
        opened.execute("CREATE TABLE cursor (name TEXT, value TEXT)")
        opened.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY AUTOINCREMENT)")
        opened.execute("INSERT INTO cursor VALUES ('runs', ?)", (value,))
    assert age_of(file) == (Age(7, 0) if value == "7" else Age())
