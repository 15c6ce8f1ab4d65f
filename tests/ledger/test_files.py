"""The ledger as a file: that it is still the one that the account names, and none but ours."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from syncer.domain.base import Changes
from syncer.domain.events import Event
from syncer.ledger import (
    LedgerError,
    LedgerReplaced,
    current_owner,
    locate,
    stale,
)
from tests.support.ledgers import (
    DAY,
    HERE,
    MANY,
    NOW,
    RANDOM,
    TERM,
    alive,
    healthy,
    killed,
    open_at,
    run_once,
    swapped_in,
    tidied,
    tidied_in_part,
    written_over,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.db"


# a file that is swapped under a process --------------------------------------------------------------


def removed(path: Path) -> None:
    for file in path.parent.glob("acme.db*"):
        file.unlink()


def removed_alone(path: Path) -> None:
    path.unlink()


def log_removed(path: Path) -> None:
    path.with_name("acme.db-wal").unlink()


def replaced(path: Path) -> None:
    swapped_in(path, path.with_name("old"))


def copied_over(path: Path) -> None:
    shutil.copyfile(path.with_name("old"), path)


def linked_elsewhere(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.with_name("old"))


@pytest.mark.parametrize(
    "swap",
    [removed, removed_alone, log_removed, replaced, copied_over, linked_elsewhere],
    ids=lambda swap: swap.__name__,
)
def test_a_ledger_that_was_swapped_is_noticed_before_the_next_write(path: Path, swap: Callable[[Path], None]) -> None:
    run_once(path)
    shutil.copyfile(path, path.with_name("old"))
    run_once(path, NOW + DAY)
    with open_at(path) as ledger:
        ledger.acquire(HERE, NOW + 2 * DAY, TERM, alive, run="run", random_bytes=RANDOM)
        tidied(path)
        ledger.hold(HERE.token)
        ledger.store(Changes(cursors={"a": "b"}), token=HERE.token)
        swap(path)
        with pytest.raises(LedgerReplaced, match="was removed or replaced while it was in use"):
            ledger.hold(HERE.token)
        with pytest.raises(LedgerReplaced):
            ledger.store(Changes(cursors={"a": "c"}), token=HERE.token)
        ledger.release(HERE.token)
        base = ledger.acquire(replace(HERE, token="next"), NOW + 2 * DAY, TERM, alive, random_bytes=RANDOM)
        assert base.cursors == ({"a": "b"} if swap is log_removed else {})
        assert (base.restored_at is None) == (swap in {removed, removed_alone, log_removed})
        ledger.hold("next")
        ledger.store(Changes(cursors={"d": "e"}), token="next")
    with open_at(path) as ledger:
        assert ledger.load().cursors["d"] == "e"
        assert healthy(path)


def test_who_opened_a_new_file_is_left_alone_by_who_still_has_the_old_one(path: Path) -> None:
    with open_at(path) as old:
        old.acquire(HERE, NOW, TERM, alive)
        removed(path)
        with open_at(path) as new_one:
            new_one.acquire(replace(HERE, token="new"), NOW, TERM, alive)
            new_one.store(Changes(cursors={"a": "b"}), token="new")
            with pytest.raises(LedgerReplaced):
                old.hold(HERE.token)
            old.close()
            new_one.store(Changes(cursors={"c": "d"}), token="new")
            with open_at(path, read_only=True) as reader:
                assert reader.load().cursors == {"a": "b", "c": "d"}


def test_what_another_process_of_ours_tidies_up_is_no_swap(path: Path) -> None:
    with open_at(path) as ledger, open_at(path) as other:
        ledger.acquire(HERE, NOW, TERM, alive)
        for step in range(3):
            other.store(Changes(cursors={"a": f"{step}"}), token=None)
            tidied(path)
            ledger.hold(HERE.token)
            ledger.store(Changes(cursors={"b": f"{step}"}), token=HERE.token)
        assert ledger.load().cursors == {"a": "2", "b": "2"}


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75, 0.99])
def test_what_another_process_of_ours_is_tidying_up_is_no_swap(path: Path, part: float) -> None:
    with open_at(path) as ledger, open_at(path) as other:
        ledger.acquire(HERE, NOW, TERM, alive)
        tidied(path)
        ledger.hold(HERE.token)
        other.store(Changes(cursors={"a": "b"}, events=MANY), token=None)
        tidied_in_part(path, part)
        ledger.hold(HERE.token)
        ledger.store(Changes(cursors={"c": "d"}), token=HERE.token)
    with open_at(path) as ledger:
        assert ledger.load().cursors == {"a": "b", "c": "d"}
    assert healthy(path)


def test_a_log_that_does_not_belong_to_the_copy_it_lies_beside_is_put_aside(path: Path) -> None:
    run_once(path)
    shutil.copyfile(path, path.with_name("old"))
    for day in range(1, 3):
        run_once(path, NOW + day * DAY)
    killed(path, checkpoint=True)
    written_over(path, path.with_name("old"))
    base = run_once(path, NOW + 5 * DAY)
    assert (base.restored_at, base.cursors) == (NOW + 5 * DAY, {})
    assert healthy(path)
    assert len(list(path.parent.glob("acme.db-wal.stale-*"))) == 1


@pytest.mark.parametrize("checkpoint", [True, False])
def test_the_log_of_a_run_that_was_killed_belongs_to_it(path: Path, *, checkpoint: bool) -> None:
    run_once(path)
    killed(path, checkpoint=checkpoint)
    path.chmod(0o640)
    base = run_once(path, NOW + DAY)
    assert base.cursors == {"a": "b"}
    assert not list(path.parent.glob("*stale*"))


@pytest.mark.parametrize("part", [0.25, 0.5, 0.75, 0.99])
def test_the_log_of_a_run_that_was_killed_in_a_checkpoint_belongs_to_it(path: Path, part: float) -> None:
    """Without its log the file is damaged, so its age cannot be told."""
    run_once(path)
    killed(path, checkpoint=False, events=MANY)
    tidied_in_part(path, part)
    assert run_once(path, NOW + 9 * DAY).cursors == {"a": "b"}
    assert healthy(path)
    assert not list(path.parent.glob("*stale*"))


# what is not ours ------------------------------------------------------------------------------------


def test_the_database_of_something_else_is_neither_changed_nor_closed_to_others(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (id)")
        connection.commit()
    path.chmod(0o644)
    before = path.read_bytes()
    for read_only in (False, True):
        with pytest.raises(LedgerError, match=r"has tables of another program \(bookmarks\); name another ledger"):
            open_at(path, read_only=read_only)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (before, 0o644)
    assert [file.name for file in path.parent.iterdir()] == ["acme.db"]


@pytest.mark.parametrize("content", [None, b"", b"to do: call Asha\n" * 100])
def test_a_link_to_what_is_no_ledger_is_refused(path: Path, content: bytes | None) -> None:
    target = path.with_name("theirs")
    if content is not None:
        target.write_bytes(content)
        target.chmod(0o644)
    path.symlink_to(target)
    with pytest.raises(LedgerError, match=r"is a link to|not a file|not a database"):
        open_at(path)
    assert target.exists() == (content is not None)
    if content is not None:
        assert (target.read_bytes(), target.stat().st_mode & 0o777) == (content, 0o644)


def test_a_link_to_a_ledger_is_that_ledger(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    run_once(tmp_path / "disk" / "real.db")
    link = tmp_path / "acme.db"
    link.symlink_to("disk/real.db")
    with open_at(link) as ledger:
        assert ledger.acquire(HERE, NOW, TERM, alive).ledger_id == ledger.load().ledger_id
        ledger.hold(HERE.token)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["acme.db", "disk"]


def test_a_copy_that_is_damaged_is_refused_with_what_to_do(path: Path) -> None:
    run_once(path)
    with open_at(path) as ledger:
        events = [Event(NOW, "seen", "us", "x" * 500, f"{number}") for number in range(200)]
        ledger.store(Changes(events=events), token=None)
    content = bytearray(path.read_bytes())
    content[-2 * 4096 :] = b"\xff" * 8192
    path.unlink()
    path.write_bytes(b"")
    path.write_bytes(content)
    copy = path.with_name("acme.db.backup-2026-05-18")
    copy.touch()
    with pytest.raises(LedgerError, match=rf"it is damaged; put its last copy back: syncer ledger restore {copy}"):
        run_once(path, NOW + DAY)


# a disk without room ---------------------------------------------------------------------------------


def test_a_disk_without_room_stores_nothing_and_locks_nobody_out_once_there_is_some(path: Path) -> None:
    with open_at(path) as ledger:
        ledger.acquire(current_owner("one"), NOW, TERM, random_bytes=RANDOM)
        limit = ledger._database.engine.pool.connect()
        limit.cursor().execute("PRAGMA max_page_count = 1").fetchall()
        limit.close()
        events = [Event(NOW, "seen", "us", "x" * 5000, "t")] * 20
        with pytest.raises(LedgerError, match="is full; there is no room left on the disk"):
            ledger.store(Changes(events=events), token="one")
        ledger.hold("one")
        ledger.release("one")
        limit = ledger._database.engine.pool.connect()
        limit.cursor().execute("PRAGMA max_page_count = 1000000").fetchall()
        limit.close()
        assert ledger.acquire(current_owner("two"), NOW, TERM).restored_at is None
        ledger.store(Changes(events=events), token="two")
        assert len(ledger.history("t")) == 20


@pytest.mark.parametrize("trouble", ["is still copied", "cannot be moved"])
def test_what_cannot_be_taken_over_now_is_left_as_it_is(
    path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """Nothing is left over, and the next look finds all of it."""
    path.write_bytes(b"a copy")
    inode = path.stat().st_ino
    copy = shutil.copyfile

    def copied(source: Path, target: Path) -> None:
        copy(source, target)
        with source.open("ab") as file:
            file.write(b", and more of it")

    def immovable(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        if trouble == "is still copied":
            patch.setattr(shutil, "copyfile", copied)
        else:
            patch.setattr(stale, "put_log_aside", immovable)
        stale.take_what_is_there(path)
    assert [file.name for file in path.parent.iterdir()] == ["acme.db"]
    assert path.stat().st_ino == inode
    stale.take_what_is_there(path)
    assert [file.name for file in path.parent.iterdir()] == ["acme.db"]
    assert path.stat().st_ino != inode


def test_where_a_ledger_lies_is_told_unless_it_is_not_ours(path: Path) -> None:
    assert locate("postgresql+psycopg://host/acme") is None
    missing = locate(f"sqlite:///{path}")
    assert missing is not None
    path.write_bytes(b"a shopping list" * 100)
    damaged = locate(f"sqlite:///{path}")
    assert damaged is not None
    assert missing.path == damaged.path == path
    (path.parent / "link.db").symlink_to("/dev/null")
    with pytest.raises(LedgerError, match=r"link\.db"):
        locate(f"sqlite:///{path.parent}/link.db")
