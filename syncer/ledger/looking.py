"""Open a ledger read-only, for commands that show something.

A SQLite file with the current schema is read with the standard library alone, because importing the code that writes
ledgers takes ten times as long as the answer. Anything else (a server, an older, damaged or missing ledger) is opened
as for a run, and has the same errors.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from syncer.ledger.answers import Answers
from syncer.ledger.errors import UNREADABLE
from syncer.ledger.holder import Judge, Now
from syncer.ledger.marks import APPLICATION_ID, BUSY_SECONDS, HEAD
from syncer.ledger.owner import Owner, steady_clock
from syncer.ledger.questions import Ask
from syncer.ledger.stale import open_to_read

_FILE: Final = "sqlite:///"


@contextmanager
def look(url: str, name: str) -> Iterator[Answers]:
    """Open the ledger of this account for reading only. Raises `LedgerError`."""
    file = _open(url)
    if file is not None:
        try:
            yield FileAnswers(file, url)
        finally:
            file.close()
        return
    from syncer.ledger.store import Ledger

    with Ledger.open(url, name=name, read_only=True) as ledger:
        yield ledger


class FileAnswers(Answers):
    """Answers from a SQLite file. After an error the ledger is opened as for a run, which reports what is wrong."""

    def __init__(self, file: sqlite3.Connection, url: str) -> None:
        self._file = file
        self._url = url

    @property
    def where(self) -> str:
        return self._url.removeprefix(_FILE)

    @contextmanager
    def _asking(self) -> Iterator[Ask]:
        try:
            self._file.execute("BEGIN")
            yield self._ask
            self._file.execute("COMMIT")
        except (sqlite3.Error, *UNREADABLE) as error:
            from syncer.ledger.database import told
            from syncer.ledger.place import FilePlace

            raise told(self.where, FilePlace(Path(self.where)), error) from error

    def _ask(self, sql: str, /, **values: object) -> Sequence[Sequence[Any]]:
        return self._file.execute(sql, values).fetchall()

    def _present(self, ask: Ask) -> Now:
        del ask
        return Now(datetime.now(UTC), steady_clock(), timedelta(0))

    def _judge(self, alive: Callable[[Owner], bool]) -> Judge:
        # `look` reads only files this way, and no process of another machine can have a file open.
        return Judge(alive, local=True)


def _open(url: str) -> sqlite3.Connection | None:
    """Return a connection to the file, or ``None`` if it is no ledger with the current schema."""
    path = Path(url.removeprefix(_FILE))
    # A link takes the slower way, which refuses one to a file that is not ours.
    if not url.startswith(_FILE) or not path.is_file() or path.is_symlink():
        return None
    try:
        file = open_to_read(path, timeout=BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error:
        return None
    try:
        if file.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,) and file.execute(
            "SELECT version_num FROM alembic_version"
        ).fetchall() == [(HEAD,)]:
            return file
    except sqlite3.Error:
        pass
    file.close()
    return None
