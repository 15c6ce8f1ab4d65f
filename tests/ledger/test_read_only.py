"""A ledger on a disk, or in a folder, where we may not write."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from syncer.domain.base import Changes
from syncer.ledger import FilePlace, Ledger, LedgerError, copy_ledger, put_ledger_back
from syncer.ledger.looking import look
from tests.support.ledgers import make_task

pytestmark = pytest.mark.skipif(os.name != "posix", reason="modes of files")
NOBODY = 65534


def read_by(work: Callable[[], None]) -> None:
    """Do it in a process that may not write everywhere, as root may."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            work()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not in the folder of the tests, which nobody else may enter.
    made = Path(tempfile.mkdtemp())
    yield made
    made.chmod(0o755)
    shutil.rmtree(made)


def close_it(ledger: Ledger, _path: Path) -> None:
    ledger.close()


def leave_it_open(_ledger: Ledger, _path: Path) -> None:
    """As after a power cut."""


def copy_it_without_the_index(ledger: Ledger, path: Path) -> None:
    kept = {file: file.read_bytes() for file in (path, path.with_name(f"{path.name}-wal"))}
    ledger.close()
    for file, content in kept.items():
        file.write_bytes(content)


@pytest.mark.parametrize("leave", [close_it, leave_it_open, copy_it_without_the_index])
def test_a_ledger_that_may_only_be_read_is_read(
    folder: Path, tmp_path: Path, leave: Callable[[Ledger, Path], None]
) -> None:
    """SQLite needs two files beside one that has a log, and could not create them there."""
    path = folder / "acme.db"
    url = f"sqlite:///{path}"
    ledger = Ledger.open(url, name="acme")
    ledger.store(Changes(tasks={"t": make_task("t")}), token=None)
    leave(ledger, path)
    for file in folder.iterdir():
        file.chmod(0o444)
    folder.chmod(0o555)
    before = sorted(folder.iterdir())

    def work() -> None:
        with look(url, "acme") as answers:
            assert [view.task.id for view in answers.tasks()] == ["t"]
        with Ledger.open(url, name="acme", read_only=True) as opened:
            assert [view.task.id for view in opened.tasks()] == ["t"]
        with tempfile.TemporaryDirectory() as writable:
            copy = Path(writable) / "copy.db"
            copy_ledger(path, copy)
            with Ledger.open(f"sqlite:///{copy}", name="acme") as opened:
                assert [view.task.id for view in opened.tasks()] == ["t"]

    read_by(work)
    assert sorted(folder.iterdir()) == before
    ledger.close()


def test_a_file_that_may_not_be_read_is_not_said_to_be_no_ledger(folder: Path) -> None:
    """Whoever is told that a backup is no ledger may throw it away."""
    path, copy = folder / "acme.db", folder / "copy.db"
    Ledger.open(f"sqlite:///{path}", name="acme").close()
    copy_ledger(path, copy)
    path.chmod(0o444)
    copy.chmod(0)
    folder.chmod(0o777)

    def work() -> None:
        with pytest.raises(LedgerError, match=r"copy\.db cannot be read: Permission denied"):
            put_ledger_back(copy, FilePlace(path))
        with pytest.raises(LedgerError, match=r"copy\.db cannot be read: Permission denied"):
            copy_ledger(path, copy)
        with pytest.raises(LedgerError, match=r"copy\.db cannot be read: Permission denied"):
            copy_ledger(copy, folder / "another.db")

    read_by(work)
