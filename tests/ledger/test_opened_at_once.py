"""A new ledger that several processes open at once."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from syncer.domain.base import Base, Changes
from syncer.domain.events import Event
from syncer.ledger import Ledger, sqlite, stale
from syncer.ledger.stale import open_to_read, without_log
from tests.support.ledgers import DATABASES, NOW, database_url


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.db"


@pytest.mark.parametrize("kind", DATABASES)
def test_many_may_open_a_new_ledger_at_once(kind: str, tmp_path: Path) -> None:
    def work(index: int) -> None:
        with Ledger.open(url, name="acme") as ledger:
            ledger.store(Changes(events=[Event(NOW, "seen", "us", f"{index}", "01A")]), token=None)

    with database_url(kind, tmp_path, tables=False) as url:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(6)))
        with Ledger.open(url, name="acme") as ledger:
            assert len(ledger.history("01A")) == 6


def test_a_new_ledger_keeps_its_log_when_another_process_closes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection that switched the file to a log held no lock yet: the one that closed took its log away."""
    keep_log = sqlite._keep_log

    def keep_log_beside_another(connection: sqlite3.Connection) -> None:
        keep_log(connection)
        with closing(sqlite3.connect(path)) as other:
            other.execute("CREATE TABLE other (number INTEGER)")
        assert stale.log_of(path).exists()

    monkeypatch.setattr(sqlite, "_keep_log", keep_log_beside_another)
    path.touch()
    with closing(sqlite.opener(path, read_only=False)()):
        pass


def test_a_ledger_that_is_being_made_is_looked_at_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tables were there by the second look, its mark was not by the first."""
    looks = iter([(False, ["alembic_version", "task"]), (True, ["alembic_version", "task"])])
    monkeypatch.setattr(sqlite, "_look_into", lambda _path, _how: next(looks))
    assert sqlite.is_ledger(path)


def test_a_ledger_that_is_written_while_it_is_looked_at_is_not_called_damaged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first look takes no lock, so it may see half of what another process writes."""
    torn = sqlite3.DatabaseError("database disk image is malformed")
    torn.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    how_it_looked: list[object] = []

    def look(_path: Path, how: object) -> tuple[bool, list[str]]:
        how_it_looked.append(how)
        if how is without_log:
            raise torn
        return True, ["alembic_version", "task"]

    monkeypatch.setattr(sqlite, "_look_into", look)
    assert sqlite.is_ledger(path)
    assert how_it_looked == [without_log, open_to_read]


def test_a_new_ledger_waits_while_another_process_sets_it_up(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Changing over to a write-ahead log, SQLite gave up at once where five processes opened one new file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(sqlite, "sleep", lambda _seconds: other.rollback())
        with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
            assert ledger.load() == Base()
