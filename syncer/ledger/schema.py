"""Create the schema of a ledger, upgrade it, or refuse the ledger."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    create_mock_engine,
    inspect,
)
from sqlalchemy.engine.mock import MockConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import ExecutableDDLElement

from syncer.ledger.database import Database
from syncer.ledger.errors import LedgerError
from syncer.ledger.marks import APPLICATION_ID, HEAD
from syncer.ledger.tables import METADATA

MIGRATIONS: Final = Path(__file__).with_name("migrations")
_STAMP: Final = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
# SQLite tells it in words only, PostgreSQL's driver by the class of the error.
_NO_TABLE: Final = ("no such table", "UndefinedTable")


def migrate(database: Database) -> None:
    """Create or upgrade the schema in one transaction. Raises `LedgerError` for a ledger of a newer program.

    A new ledger is created from the tables, not by the migrations, so that alembic is imported only to upgrade an old
    one. A test checks that both ways give the same schema.
    """
    if version(database.engine) == HEAD:
        return
    with database.changing() as connection:
        # Another process may have created or upgraded the ledger while this one waited for the lock.
        tables = set(inspect(connection).get_table_names())
        if "alembic_version" in tables:
            upgrade(connection)
        else:
            _create(connection, tables)


def version(engine: Engine) -> str | None:
    """Return the newest migration of the ledger, or ``None`` if nothing was ever stored."""
    with engine.connect() as connection:
        try:
            return connection.execute(_STAMP.select()).scalar()
        except DBAPIError as error:
            if any(hint in f"{type(error.orig).__name__} {error.orig}" for hint in _NO_TABLE):
                return None
            raise


def upgrade(connection: Connection) -> None:
    """Run the missing migrations in the current transaction. Raises `LedgerError`."""
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    # In alembic's settings a percent sign begins a name.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        msg = (
            "the ledger was written by a newer version of this program; nothing was changed; "
            f"upgrade syncer, or name another ledger in the account file ({error})"
        )
        raise LedgerError(msg) from error


def _create(connection: Connection, tables: set[str]) -> None:
    if strangers := sorted(tables & set(METADATA.tables)):
        msg = f"the database has tables of another program ({', '.join(strangers)}); name another ledger"
        raise LedgerError(msg)
    for statement in _statements(connection.dialect.name):
        connection.exec_driver_sql(statement)
    connection.execute(_STAMP.insert(), {"version_num": HEAD})
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")


@cache
def _statements(dialect: str) -> tuple[str, ...]:
    """Return the statements that create a ledger. They are compiled once, because a simulation creates thousands."""
    found: list[str] = []

    def keep(statement: ExecutableDDLElement, *_: object, **__: object) -> None:
        found.append(str(statement.compile(dialect=engine.dialect)))

    engine: MockConnection = create_mock_engine(f"{dialect}://", keep)
    METADATA.create_all(engine, checkfirst=False)
    _STAMP.create(engine, checkfirst=False)
    return tuple(found)
