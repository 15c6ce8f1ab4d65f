"""``syncer ledger``: copies, and which ledger is the account's."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from syncer.domain import ledger_ids
from syncer.domain.base import Base
from syncer.ledger import Ledger
from tests.support.cli_kit import PATIENCE, Served, until


def base_of(path: Path) -> Base:
    with Ledger.open(f"sqlite:///{path}", name="acme", read_only=True) as ledger:
        return ledger.load()


def ledger_of(served: Served) -> Path:
    return served.folder / "acme.db"


def test_a_copy_is_made_while_the_daemon_runs_and_put_back_when_it_does_not(served: Served) -> None:
    _, _, contact = served.person()
    served.task(contact)
    daemon = served.start("sync", "--json")
    until(lambda: len(daemon.stdout.splitlines()) >= 1)
    made = served.do("ledger", "backup", "copy.db", "--json")
    assert made.status == 0, made.stderr
    copy = served.folder / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert len(base_of(copy).tasks) == 1
    refused = served.do("ledger", "restore", "copy.db")
    assert refused.status == 4
    assert "stop it first, then type this again" in refused.stderr
    served.task(contact, "Call again")
    until(lambda: len(base_of(ledger_of(served)).tasks) == 2)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143

    before = base_of(ledger_of(served)).ledger_id
    done = served.do("ledger", "restore", "copy.db", "--json")
    assert done.status == 0, done.stderr
    assert len(base_of(Path(done.answer["kept"])).tasks) == 2
    assert len(base_of(ledger_of(served)).tasks) == 1
    assert served.do("sync", "--once").status == 0
    after = base_of(ledger_of(served))
    assert after.restored_at is not None
    assert after.ledger_id > before


def test_the_daily_copy_lies_beside_the_ledger(served: Served) -> None:
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    assert served.do("sync", "--once").status == 0
    copies = [file.name for file in served.folder.glob("acme.db.backup-*")]
    assert copies in ([f"acme.db.backup-{day}"], [f"acme.db.backup-{datetime.now(UTC):%Y-%m-%d}"])
    restored = served.do("ledger", "restore", copies[0])
    assert restored.status == 0
    assert "; the former ledger is kept as " in restored.stdout


def test_take_over_makes_it_the_first_of_all(served: Served) -> None:
    served.do("sync", "--once")
    before = base_of(ledger_of(served)).ledger_id
    done = served.do("ledger", "take-over", "--json")
    assert done.status == 0, done.stderr
    after = base_of(ledger_of(served)).ledger_id
    assert after == done.answer["ledger_id"] < before
    assert ledger_ids.parse(after) >= ledger_ids.parse(before)


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_what_is_no_ledger_is_left_alone(served: Served, command: str) -> None:
    served.do("sync", "--once")
    before = ledger_of(served).read_bytes()
    file = served.folder / "notes.txt"
    file.write_text("to do: call Asha\n" * 300)
    file.chmod(0o644)
    with closing(sqlite3.connect(served.folder / "other.db")) as other:
        other.execute("CREATE TABLE bookmarks (id)")
    (served.folder / "link").symlink_to("notes.txt")
    for name in ("notes.txt", "other.db", "link", "none/here.db", *(["none.db"] if command == "restore" else [])):
        done = served.do("ledger", command, name)
        assert done.status == 2, (name, done.stderr)
        assert name.split("/")[0] in done.stderr
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("to do: call Asha\n" * 300, 0o644)
    assert ledger_of(served).read_bytes() == before


def test_the_ledger_of_another_account_is_refused(served: Served) -> None:
    served.do("sync", "--once")
    copy = served.folder / "copy.db"
    shutil.copyfile(ledger_of(served), copy)
    with closing(sqlite3.connect(copy)) as other:
        other.execute("UPDATE cursor SET value = 'somebody else' WHERE name = 'identity:reply'")
        other.commit()
    done = served.do("ledger", "restore", "copy.db")
    assert done.status == 2
    assert "is the ledger of another account: there [reply] is somebody else" in done.stderr


def test_a_backup_replaces_a_backup_of_its_account_and_no_other_ledger(served: Served) -> None:
    """Of two accounts in one folder, the name of the other one's ledger is typed soon."""
    served.person()
    served.configure("one", file="one.toml")
    served.configure("two", file="two.toml", elsewhere=True)
    for name in ("one", "two"):
        assert served.do("sync", "--once", "-c", f"{name}.toml").status == 0
    before = (served.folder / "two.db").read_bytes()
    done = served.do("ledger", "backup", "two.db", "-c", "one.toml")
    assert done.status == 2
    assert "two.db is a ledger that a program uses, and not a backup" in done.stderr
    assert (served.folder / "two.db").read_bytes() == before
    for _ in range(2):
        assert served.do("ledger", "backup", "copy.db", "-c", "one.toml").status == 0
    with closing(sqlite3.connect(served.folder / "one.db")) as ledger, ledger:
        ledger.execute("UPDATE cursor SET value = 'somebody else' WHERE name = 'identity:reply'")
    done = served.do("ledger", "backup", "copy.db", "-c", "one.toml")
    assert done.status == 2
    assert "copy.db is the ledger of another account" in done.stderr


@pytest.mark.parametrize("broken", [False, True])
def test_of_several_accounts_one_must_be_named(served: Served, broken: bool) -> None:
    """A file with a typing error may be the one that is meant, so the other one's ledger must not be touched."""
    served.configure("one", file="one.toml")
    served.configure("two", file="two.toml", elsewhere=True)
    (served.folder / "config.toml").unlink()
    if broken:
        (served.folder / "two.toml").write_text("[")
    done = served.do("ledger", "take-over", "--config", ".")
    assert done.status == 2
    assert done.stderr.count("with: --config") == 1
    assert not (served.folder / "one.db").exists()


def test_a_new_ledger_beside_one_of_the_same_crm_accounts_is_told(served: Served) -> None:
    """Somebody has renamed the account: its history seems to be gone."""
    served.person()
    first = served.do("sync", "--once", "--json")
    assert "message" not in first.answer
    assert served.do("ledger", "backup", "copy.db").status == 0
    served.configure("renamed")
    planned, done = (served.do(*words, "--json").answer for words in (["plan"], ["sync", "--once"]))
    for answer in (planned, done):
        assert f'set [ledger] url = "sqlite:///{ledger_of(served)}" in config.toml' in answer["message"]
    assert "message" not in served.do("sync", "--once", "--json").answer


def test_it_is_told_after_a_first_run_that_was_killed_too(served: Served) -> None:
    """The first run has the most to write, so it is the one that somebody ends."""
    _, _, contact = served.person()
    assert served.do("sync", "--once").status == 0
    served.configure("renamed")
    served.task(contact)
    with served.hold_first_write() as hold:
        first = served.start("sync", "--once")
        assert hold.arrived.wait(PATIENCE)
        first.send(signal.SIGKILL)
    until(lambda: first.ended)
    assert (
        f'set [ledger] url = "sqlite:///{ledger_of(served)}"' in served.do("sync", "--once", "--json").answer["message"]
    )
    assert "message" not in served.do("sync", "--once", "--json").answer


def test_the_ledger_of_an_account_on_another_server_is_nobody_elses(served: Served) -> None:
    served.person()
    served.configure("one", file="one.toml")
    served.configure("two", file="two.toml", elsewhere=True)
    assert served.do("sync", "--once", "-c", "one.toml").status == 0
    assert "message" not in served.do("sync", "--once", "--json", "-c", "two.toml").answer


def removed(path: Path, _copy: Path) -> None:
    for file in path.parent.glob("acme.db*"):
        file.unlink()


def moved_over(path: Path, copy: Path) -> None:
    copy.rename(path)


def copied_over(path: Path, copy: Path) -> None:
    shutil.copyfile(copy, path)


@pytest.mark.parametrize("swap", [removed, moved_over, copied_over], ids=lambda swap: swap.__name__)
def test_a_daemon_whose_ledger_is_swapped_goes_on_with_what_is_there(
    served: Served, swap: Callable[[Path, Path], None]
) -> None:
    # By then whatever was sent before has arrived.
    served.configure(sync='doubt_grace = "0s"')
    _, _, contact = served.person()
    served.do("sync", "--once")
    assert served.do("ledger", "backup", "copy.db").status == 0
    served.task(contact)
    daemon = served.start("sync", "--json")
    until(lambda: len(daemon.stdout.splitlines()) >= 2)
    ledger, copy = ledger_of(served), served.folder / "copy.db"
    swap(ledger, copy)
    told = len(daemon.stdout.splitlines())
    until(lambda: len(daemon.stdout.splitlines()) >= told + 3)
    assert daemon.answers[-1]["status"] == "ok"
    assert len(base_of(ledger).tasks) == 1
    if swap is not copied_over:
        # What is copied over it is noticed only if it is older than the file, not than what its log adds.
        assert (base_of(ledger).restored_at is not None) == (swap is moved_over)
    daemon.send(signal.SIGTERM)
    assert daemon.status == 143
    assert [len(served.reply.tasks()), len(served.highlevel.tasks())] == [1, 1]
    with closing(sqlite3.connect(ledger)) as opened:
        assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_daemon_whose_ledger_is_locked_waits_and_ends_when_it_is_told(served: Served) -> None:
    served.person()
    daemon = served.start("sync", "--json")
    until(lambda: len(daemon.stdout.splitlines()) >= 1)
    with closing(sqlite3.connect(ledger_of(served), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        daemon.send(signal.SIGTERM)
        assert daemon.status == 143
        assert time.monotonic() - began < 10
