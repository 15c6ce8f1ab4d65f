from __future__ import annotations

import os
import runpy
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from syncer.domain.base import Base, Changes
from syncer.ledger import Ledger, LedgerError, current_owner, schema, sqlite
from syncer.ledger.connect import connect
from syncer.ledger.marks import APPLICATION_ID, HEAD
from syncer.ledger.tables import METADATA
from tests.support import postgresql
from tests.support.ledgers import DATABASES, NOW, TERM, database_url, make_task

SOMETHING = Changes(tasks={"01A": make_task()})
STATEMENTS = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.db"


def open_at(path: Path, *, read_only: bool = False) -> Ledger:
    return Ledger.open(f"sqlite:///{path}", name="acme", read_only=read_only)


def filled(path: Path) -> Path:
    with open_at(path) as ledger:
        ledger.store(SOMETHING, token=None)
    return path


def modes(path: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}


def execute(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def careless() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("careless")
def test_all_files_are_the_owners_alone_whatever_the_umask(path: Path) -> None:
    with open_at(path) as ledger:
        ledger.store(SOMETHING, token=None)
        assert modes(path) == {"acme.db": 0o600, "acme.db-wal": 0o600, "acme.db-shm": 0o600}


def test_a_ledger_that_others_could_read_is_closed_to_them(path: Path) -> None:
    filled(path).chmod(0o644)
    with open_at(path) as ledger:
        ledger.store(Changes(cursors={"a": "b"}), token=None)
        assert set(modes(path).values()) == {0o600}


def test_what_is_stored_is_there_after_closing(path: Path) -> None:
    with open_at(filled(path)) as ledger:
        assert set(ledger.load().tasks) == {"01A"}
        assert ledger.where == str(path)


def test_sqlite_is_set_up_to_lose_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As the program has it, and not as our tests do.
    monkeypatch.setattr(sqlite, "SYNCHRONOUS", runpy.run_path(str(sqlite.__file__))["SYNCHRONOUS"])
    with open_at(path) as ledger, ledger._database.writing() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 2000}


def test_names_with_odd_characters_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "a b%20#c.db"
    filled(path)
    assert path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=r"the folder .*/none does not exist"):
            open_at(tmp_path / "none" / "acme.db", read_only=read_only)


def test_a_folder_is_no_ledger(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="not a file"):
        open_at(tmp_path)


@pytest.mark.parametrize("read_only", [False, True])
def test_a_file_that_is_no_database_is_named_and_left_alone(path: Path, *, read_only: bool) -> None:
    path.write_text("to do: call Asha\n" * 100)
    with pytest.raises(LedgerError, match=r"acme\.db cannot be used: file is not a database; it is no ledger"):
        open_at(path, read_only=read_only)
    assert path.read_text() == "to do: call Asha\n" * 100


def test_a_damaged_ledger_says_what_to_do(path: Path) -> None:
    content = bytearray(filled(path).read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"acme\.db cannot be used: .*malformed.*; it is damaged; restore"):
        open_at(path)


def test_the_database_of_something_else_is_refused(path: Path) -> None:
    execute(path, "CREATE TABLE task (id INTEGER)")
    with pytest.raises(LedgerError, match=r"tables of another program \(task\)"):
        open_at(path)


def test_an_empty_file_becomes_a_ledger(path: Path) -> None:
    path.touch()
    with open_at(path) as ledger:
        assert ledger.load() == Base()


@pytest.mark.parametrize(
    "url", ["mysql://u:hunter2@h/d", "sqlite+aiosqlite:///a.db", "hunter2", "postgresql://u:hunter2@h:x/d", ""]
)
def test_other_databases_are_refused_without_a_word_of_their_secrets(url: str) -> None:
    with pytest.raises(LedgerError, match="must begin with sqlite:///") as caught:
        Ledger.open(url, name="acme")
    assert "hunter2" not in str(caught.value)


def test_postgresql_without_its_driver_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LedgerError, match=r"pip install 'crm-task-syncer\[postgresql\]'") as caught:
        Ledger.open("postgresql+psycopg://u:hunter2@h/d?options=x", name="acme")
    assert "hunter2" not in str(caught.value)


def test_postgresql_that_does_not_answer_is_no_crash(tmp_path: Path) -> None:
    postgresql.needs_driver()
    with pytest.raises(LedgerError, match="cannot be used") as caught:
        Ledger.open(f"postgresql+psycopg://u:hunter2@/d?host={tmp_path}", name="acme")
    assert "hunter2" not in str(caught.value)


def test_postgresql_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    postgresql.needs_driver()
    asked: dict[str, str] = {}

    def refuse(**parameters: str) -> None:
        asked.update(parameters)
        raise import_module("psycopg").OperationalError("refused")

    monkeypatch.setattr("psycopg.connect", refuse)
    for words, seconds in (("", "10"), ("?connect_timeout=3", "3")):
        with pytest.raises(LedgerError, match="refused"):
            Ledger.open(f"postgresql+psycopg://u@h/d{words}", name="acme")
        assert asked["connect_timeout"] == seconds
        assert int(asked["tcp_user_timeout"]) <= 30_000


@pytest.mark.parametrize("kind", DATABASES)
def test_the_migrations_make_what_the_tables_say(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path, tables=False) as url:
        opened = connect(url)
        with opened.writing() as connection:
            schema.upgrade(connection)
        assert schema.version(opened.engine) == HEAD
        with opened.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        opened.dispose()


def test_a_new_ledger_and_a_migrated_one_are_the_same(tmp_path: Path) -> None:
    """To the letter, but for tables: SQLite writes an added column at the end of what made its table."""
    found = []
    for migrated in (True, False):
        opened = connect(f"sqlite:///{tmp_path}/{'migrated' if migrated else 'new'}.db")
        if migrated:
            with opened.writing() as connection:
                schema.upgrade(connection)
        schema.migrate(opened)
        with opened.reading() as connection:
            rows = [tuple(row) for row in connection.exec_driver_sql(STATEMENTS)]
            tables = {name: [*connection.exec_driver_sql(f"PRAGMA table_xinfo({name})")] for _, name, *_ in rows}
            keys = {name: [*connection.exec_driver_sql(f"PRAGMA foreign_key_list({name})")] for _, name, *_ in rows}
            found.append(([row for row in rows if row[0] != "table"], tables, keys))
        opened.dispose()
    assert found[0] == found[1]
    assert any("WHERE state IN ('sent', 'in_doubt')" in str(row[3]) for row in found[0][0])


def test_copies_of_an_older_ledger_take_what_they_show_as_their_base(path: Path) -> None:
    opened = connect(f"sqlite:///{path}")
    with opened.writing() as connection:
        config = Config()
        config.set_main_option("script_location", str(schema.MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    opened.dispose()
    execute(
        path,
        f"PRAGMA application_id = {APPLICATION_ID}",
        "INSERT INTO contact VALUES ('c1', '2026-05-19 08:30:00.000000')",
        "INSERT INTO task VALUES ('reply:1', 'c1', 'todo', 'Ring', 'text', '2026-05-20 08:30:00.000000', 'reply', "
        "'open', 0, NULL, NULL, 0, '', NULL)",
        "INSERT INTO replica VALUES ('highlevel', 'h1', 'reply:1', 'h', 'open', 1, 0, 0, 0, '', 'Rang', "
        "'2026-05-21 08:30:00.000000', 0)",
    )
    with open_at(path) as ledger:
        copy = ledger.load().replicas["highlevel", "h1"]
    assert (copy.title, copy.due, copy.body, copy.owed, copy.typed) == (
        "Rang",
        datetime(2026, 5, 21, 8, 30, tzinfo=UTC),
        None,
        (),
        (),
    )


def test_the_newest_migration_is_the_one_we_stamp() -> None:
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]


def test_a_ledger_that_is_up_to_date_needs_no_alembic(path: Path) -> None:
    code = (
        "import sys; from syncer.ledger import Ledger\n"
        "for _ in range(2): Ledger.open(sys.argv[1], name='acme').close()\n"
        "sys.exit('alembic' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, f"sqlite:///{path}"], check=True)  # noqa: S603 - our own interpreter


@pytest.mark.parametrize("read_only", [False, True])
def test_a_ledger_of_a_newer_program_is_refused_and_left_alone(path: Path, *, read_only: bool) -> None:
    execute(filled(path), "UPDATE alembic_version SET version_num = '9999'")
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="newer version of this program"):
        open_at(path, read_only=read_only)
    assert path.read_bytes() == before


@pytest.fixture
def next_version(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program with one more migration."""
    folder = tmp_path_factory.mktemp("migrations")
    for file in schema.MIGRATIONS.rglob("*.*"):
        if file.suffix in {".py", ".mako"}:
            copy = folder / file.relative_to(schema.MIGRATIONS)
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(file.read_text())
    (folder / "versions" / "0005_note.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision, down_revision = '0005', '0004'\n"
        "def upgrade():\n    op.add_column('cursor', sa.Column('note', sa.Text()))\n"
    )
    monkeypatch.setattr(schema, "MIGRATIONS", folder)
    monkeypatch.setattr(schema, "HEAD", "0005")
    monkeypatch.setattr("syncer.ledger.open_database.HEAD", "0005")


def test_an_older_ledger_is_upgraded_with_all_it_holds(path: Path, request: pytest.FixtureRequest) -> None:
    filled(path)
    request.getfixturevalue("next_version")
    with open_at(path) as ledger:
        assert set(ledger.load().tasks) == {"01A"}
        assert schema.version(ledger._database.engine) == "0005"


def test_an_older_ledger_is_read_without_being_upgraded(path: Path, request: pytest.FixtureRequest) -> None:
    before = filled(path).read_bytes()
    request.getfixturevalue("next_version")
    with open_at(path, read_only=True) as ledger:
        assert set(ledger.load().tasks) == {"01A"}
        assert schema.version(ledger._database.engine) == "0005"
    assert path.read_bytes() == before


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(path: Path, request: pytest.FixtureRequest) -> None:
    filled(path)
    request.getfixturevalue("next_version")
    bad = schema.MIGRATIONS / "versions" / "0005_note.py"
    bad.write_text(bad.read_text() + "    op.execute('DROP TABLE nowhere')\n")
    with pytest.raises(LedgerError, match="no such table: nowhere"):
        open_at(path)
    execute(path, "INSERT INTO cursor (name, value) VALUES ('a', 'b')")
    with closing(sqlite3.connect(path)) as connection:
        assert [row[1] for row in connection.execute("PRAGMA table_info(cursor)")] == ["name", "value"]
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("0004",)]


@pytest.mark.parametrize("kind", DATABASES)
def test_reading_only_a_ledger_that_is_not_there(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path, tables=False) as url:
        with Ledger.open(url, name="acme", read_only=True) as ledger:
            assert ledger.load() == Base()
            assert (ledger.tasks(), ledger.last_run()) == ([], None)
        with Ledger.open(url, name="acme", read_only=True) as ledger:
            assert ledger.load() == Base()
    assert not list(tmp_path.glob("acme*"))


@pytest.mark.parametrize("kind", DATABASES)
def test_reading_only_writes_nothing(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path) as url:
        with Ledger.open(url, name="acme") as ledger:
            ledger.store(SOMETHING, token=None)
        before = {file: file.read_bytes() for file in tmp_path.glob("acme*")}
        with Ledger.open(url, name="acme", read_only=True) as ledger:
            assert set(ledger.load().tasks) == {"01A"}
            with pytest.raises(LedgerError, match="for reading only"):
                ledger.store(Changes(cursors={"a": "b"}), token=None)
            with pytest.raises(LedgerError, match="for reading only"):
                ledger.acquire(current_owner("t"), NOW, TERM)
        assert {file: file.read_bytes() for file in before} == before
        # SQLite may leave an empty log and its index behind, which the next writer takes away.
        assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("acme*")} <= {0o600}


def test_reading_only_sees_what_a_run_under_way_has_stored(path: Path) -> None:
    with open_at(path) as writer, open_at(path, read_only=True) as reader:
        writer.store(SOMETHING, token=None)
        assert set(reader.load().tasks) == {"01A"}
