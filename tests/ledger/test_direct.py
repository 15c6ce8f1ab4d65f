"""What goes around SQLAlchemy is the same as what goes through it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import bindparam, func, select, update

from syncer.domain.base import Changes
from syncer.ledger import Conflict, Ledger, direct
from syncer.ledger.rows import REPLICAS, TASKS
from tests.support.ledgers import DATABASES, database_url, make_replica, make_task

_OPEN = REPLICAS.select.where(REPLICAS.table.c.state == "open", REPLICAS.table.c.system == bindparam("system"))
_COUNT = select(func.count()).select_from(TASKS.table)
_TITLE = select(TASKS.table.c.title).where(TASKS.table.c.id == bindparam("of_id"))
_RENAME = update(TASKS.table).where(TASKS.table.c.id == bindparam("of_id")).values(title=bindparam("title"))


@pytest.fixture(params=DATABASES)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    with database_url(request.param, tmp_path) as url, Ledger.open(url, name="acme") as opened:
        replicas = [make_replica("1"), make_replica("2", task="01B", system="highlevel", owed=("due",))]
        tasks = {"01A": make_task(), "01B": make_task("01B", put_back=True, title="näh\0")}
        opened.store(Changes(tasks=tasks, replicas={one.key: one for one in replicas}), token=None)
        yield opened


def test_rows_are_those_of_sqlalchemy(ledger: Ledger) -> None:
    with ledger.database.reading() as connection:
        for query, values in ((TASKS.select, {}), (_OPEN, {"system": "reply"}), (_COUNT, {})):
            expected = [list(row) for row in connection.execute(query, values)]
            assert [list(row) for row in direct.rows(connection, query, values)] == expected != []


def test_a_cell_of_no_row_is_none(ledger: Ledger) -> None:
    with ledger.database.reading() as connection:
        assert direct.scalar(connection, _COUNT) == 2
        assert direct.scalar(connection, _TITLE, {"of_id": "01B"}) == "näh�"
        assert direct.scalar(connection, _TITLE, {"of_id": "02"}) is None


def test_changes_are_counted(ledger: Ledger) -> None:
    with ledger.database.writing() as connection:
        assert direct.change(connection, _RENAME, {"of_id": "01A", "title": "\ud800"}) == 1
        assert direct.change(connection, _RENAME, {"of_id": "02", "title": "x"}) == 0
        assert direct.change(connection, _RENAME, [{"of_id": name, "title": "y"} for name in ("01A", "01B")]) == 2
        assert direct.scalar(connection, _TITLE, {"of_id": "01A"}) == "y"


def test_what_breaks_a_rule_of_the_database_is_a_conflict(ledger: Ledger) -> None:
    second = make_replica("3")
    with pytest.raises(Conflict):
        ledger.store(Changes(replicas={second.key: second}), token=None)


def test_a_value_that_is_missing_is_no_null(ledger: Ledger) -> None:
    with pytest.raises(Exception, match="of_id"), ledger.database.reading() as connection:
        direct.scalar(connection, _TITLE)
