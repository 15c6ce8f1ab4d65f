"""What a ledger is called, whether it is a copy, and the copies that we make."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from syncer.domain import ledger_ids
from syncer.domain.base import Changes
from syncer.domain.cursors import COMPANY, OTHER_LEDGER
from syncer.domain.ledger_ids import new, parse, taking_over
from syncer.engine import opening
from syncer.ledger import (
    Busy,
    FilePlace,
    Ledger,
    LedgerError,
    Locked,
    Owner,
    copy_ledger,
    make_daily_copy,
    place,
    put_ledger_back,
    stale,
)
from syncer.ledger.backup import Ended
from tests.support.ledgers import (
    DATABASES,
    DAY,
    HERE,
    NOW,
    RANDOM,
    TERM,
    alive,
    database_url,
    killed,
    open_at,
    run_once,
    swapped_in,
    written_over,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "acme.db"


# ids -------------------------------------------------------------------------------------------------


def test_ids_sort_by_when_their_ledgers_were_made() -> None:
    instants = [NOW + timedelta(seconds=step) for step in (-(10**8), -1, 0, 1, 10**6, 10**9, 10**10)]
    ids = [new(at, RANDOM).id for at in instants]
    assert ids == sorted(ids)
    assert all(len(one) == ledger_ids.LENGTH and one.isalnum() and one.islower() for one in ids)
    assert [parse(one) for one in ids] == [at.replace(microsecond=0) for at in instants]


def test_who_took_over_comes_before_all_others_and_the_latest_first() -> None:
    first, second = (taking_over(at, RANDOM) for at in (NOW, NOW + DAY))
    long_ago = new(datetime(1970, 1, 1, tzinfo=UTC), RANDOM)
    assert second.id < first.id < long_ago.id < new(NOW - 8000 * DAY, RANDOM).id
    assert (first.made_at, second.made_at) == (NOW.replace(microsecond=0), (NOW + DAY).replace(microsecond=0))


@pytest.mark.parametrize("text", ["", "1hp3w0w0a", "1hp3w0w0aaa", "1HP3W0W0AA", "1hp3w0w0al", "1hp3w0w0a-"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a ledger's id"):
        parse(text)


# copies ----------------------------------------------------------------------------------------------


def test_a_ledger_gets_its_id_with_its_first_run_and_keeps_it(path: Path) -> None:
    first = run_once(path)
    assert first.ledger_made_at == NOW.replace(microsecond=0)
    later = run_once(path, NOW + DAY)
    assert (later.ledger_id, later.restored_at) == (first.ledger_id, None)
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        assert ledger.load().ledger_id == first.ledger_id
        assert ledger.load().cursors == {}


def elsewhere(path: Path, copy: Path) -> None:
    path.rename(path.with_suffix(".old"))
    shutil.copyfile(copy, path)


@pytest.mark.parametrize("put_back", [swapped_in, written_over, elsewhere])
def test_an_old_copy_that_is_put_back_is_another_ledger(path: Path, put_back: Callable[[Path, Path], None]) -> None:
    first = run_once(path)
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    run_once(path, NOW + DAY)
    put_back(path, copy)
    now = NOW + 2 * DAY
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        assert ledger.foresee(now, RANDOM).restored_at == now
        assert ledger.load().restored_at is None, "to look is not to change"
    restored = run_once(path, now)
    assert (restored.restored_at, restored.ledger_made_at) == (now, now.replace(microsecond=0))
    assert restored.ledger_id != first.ledger_id
    after = run_once(path, now + DAY)
    assert (after.ledger_id, after.restored_at) == (restored.ledger_id, now)


def test_whom_a_crm_did_not_know_when_an_old_copy_was_made_it_is_asked_for_again(path: Path) -> None:
    asked = NOW + DAY / 2
    with Ledger.open(f"sqlite:///{path}", name="acme", clock=lambda: NOW) as ledger:
        ledger.acquire(HERE, NOW, TERM, alive, random_bytes=RANDOM)
        ledger.store(Changes(lookups={("superfone", "+919876543210"): asked}), token=HERE.token)
        ledger.release(HERE.token)
    assert set(run_once(path, NOW + DAY).lookups.values()) == {asked}
    copy = path.with_suffix(".copy")
    shutil.copyfile(path, copy)
    run_once(path, NOW + 2 * DAY)
    swapped_in(path, copy)
    assert run_once(path, NOW + 3 * DAY).lookups == {}


def test_a_copy_on_another_machine_is_another_ledger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run_once(path)
    monkeypatch.setattr(place, "_machine", lambda: "another")
    moved = run_once(path, NOW + DAY)
    assert moved.restored_at == NOW + DAY
    assert moved.ledger_id > first.ledger_id


@pytest.mark.parametrize("noted", [None, b"", b"\xff\xfe", b"9" * 100, b"-1", b"1e9"])
def test_a_note_that_is_missing_or_damaged_says_nothing_and_is_made_again(path: Path, noted: bytes | None) -> None:
    run_once(path)
    side = path.with_name("acme.db.last")
    assert (side.read_bytes(), side.stat().st_mode & 0o777) == (b"1 -1 -1\n", 0o600)
    side.unlink()
    if noted is not None:
        side.write_bytes(noted)
    assert run_once(path, NOW + DAY).restored_at is None
    assert side.read_bytes().startswith(b"2 ")


def test_a_note_that_is_a_link_is_neither_read_nor_followed(path: Path) -> None:
    run_once(path)
    side, other = path.with_name("acme.db.last"), path.with_name("other")
    side.unlink()
    other.write_text("99")
    side.symlink_to(other)
    assert run_once(path, NOW + DAY).restored_at is None
    assert (other.read_text(), side.is_symlink()) == ("99", True)


def test_a_new_ledger_where_another_one_was_lost_is_no_copy(path: Path) -> None:
    for day in range(3):
        run_once(path, NOW + day * DAY)
    path.unlink()
    made = run_once(path, NOW + 3 * DAY)
    assert (made.restored_at, made.ledger_made_at) == (None, (NOW + 3 * DAY).replace(microsecond=0))
    assert run_once(path, NOW + 4 * DAY).restored_at is None


@pytest.mark.parametrize("kind", DATABASES)
def test_a_ledger_that_takes_over_sorts_first(kind: str, tmp_path: Path) -> None:
    with database_url(kind, tmp_path) as url, Ledger.open(url, name="acme", clock=lambda: NOW) as ledger:
        before = ledger.acquire(HERE, NOW, TERM, alive, random_bytes=RANDOM)
        other = Owner("there", "another machine", 2, 200.0)
        with pytest.raises(Busy):
            ledger.take_over(other, NOW, alive, RANDOM)
        ledger.store(Changes(cursors={OTHER_LEDGER: "1kqzxq0abc", COMPANY: "1", "a": "b"}), token=HERE.token)
        ledger.release(HERE.token)
        own = ledger.take_over(other, NOW + DAY, alive, RANDOM)
        after = ledger.acquire(HERE, NOW + DAY, TERM, alive, random_bytes=RANDOM)
        assert (after.ledger_id, after.ledger_made_at, after.restored_at) == (own.id, own.made_at, None)
        assert after.ledger_id < before.ledger_id
        assert after.cursors == {OTHER_LEDGER: "", COMPANY: "", "a": "b"}


def test_what_a_run_stores_does_not_touch_the_ledgers_own_values(path: Path) -> None:
    first = run_once(path)
    with Ledger.open(f"sqlite:///{path}", name="acme") as ledger:
        ledger.store(Changes(cursors={"a": "b"}), token=None)
        base = ledger.load()
    assert (base.ledger_id, base.cursors) == (first.ledger_id, {"a": "b"})


# copies that we make ---------------------------------------------------------------------------------


def test_a_copy_holds_what_is_still_in_the_log_and_knows_that_it_is_one(path: Path) -> None:
    with open_at(path) as ledger:
        first = ledger.acquire(HERE, NOW, TERM, alive, random_bytes=RANDOM)
        ledger.store(Changes(cursors={"a": "b"}), token=HERE.token)
        copy_ledger(path, path.with_name("copy.db"))
    assert [file.name for file in path.parent.glob("copy.db*")] == ["copy.db"]
    copied = run_once(path.with_name("copy.db"), NOW)
    assert (copied.cursors, copied.restored_at) == ({"a": "b"}, NOW)
    assert copied.ledger_id != first.ledger_id


def test_two_daily_copies_are_kept(path: Path) -> None:
    run_once(path)
    (path.parent / "acme.db.backup-notes").write_text("mine")
    place = FilePlace(path)
    days = [(NOW + number * DAY).date() for number in range(4)]
    for day in days:
        assert make_daily_copy(place, day) is not None
        assert make_daily_copy(place, day) is None
    assert [file.name for file in place.backups()] == [f"acme.db.backup-{day}" for day in days[-2:]]
    assert (path.parent / "acme.db.backup-notes").exists()
    make_daily_copy(place, (NOW + 3650 * DAY).date())
    make_daily_copy(place, days[0])
    make_daily_copy(place, days[1])
    assert [file.name for file in place.backups()] == [f"acme.db.backup-{day}" for day in days[:2]]


def test_a_copy_that_somebody_ends_leaves_nothing_behind(path: Path) -> None:
    run_once(path)
    with pytest.raises(Ended):
        copy_ledger(path, path.with_name("copy.db"), ended=lambda: True)
    assert not list(path.parent.glob("*copy.db*"))


def test_of_a_damaged_ledger_no_copy_is_made_over_a_good_one(path: Path) -> None:
    run_once(path)
    copy = path.with_name("copy.db")
    copy_ledger(path, copy)
    before = copy.read_bytes()
    content = bytearray(path.read_bytes())
    content[3 * 4096 : 5 * 4096] = b"\xff" * 8192
    path.write_bytes(content)
    with pytest.raises(LedgerError, match=r"damaged|malformed"):
        copy_ledger(path, copy)
    assert copy.read_bytes() == before
    kept = put_ledger_back(copy, FilePlace(path))
    assert kept is not None
    assert kept.read_bytes() == content
    assert run_once(path, NOW + DAY).restored_at == NOW + DAY


def test_what_is_put_back_brings_its_log_and_leaves_none_of_the_other(path: Path) -> None:
    run_once(path)
    killed(path, checkpoint=True)
    source = path.with_name("source.db")
    for name in ("", "-wal"):
        shutil.copyfile(f"{path}{name}", f"{source}{name}")
    with open_at(path) as ledger:
        ledger.store(Changes(cursors={"c": "later"}), token=None)
    killed(path, checkpoint=True, run="two")
    kept = put_ledger_back(source, FilePlace(path))
    assert kept is not None
    assert stale.log_of(kept).stat().st_size > 0
    assert not stale.log_of(path).exists()
    assert run_once(path, NOW + DAY).cursors == {"a": "b"}


def test_a_copy_is_put_where_no_ledger_is(path: Path) -> None:
    first = run_once(path)
    copy = path.with_name("copy.db")
    copy_ledger(path, copy)
    for file in path.parent.glob("acme.db*"):
        file.unlink()
    assert put_ledger_back(copy, FilePlace(path)) is None
    assert path.exists()
    later = run_once(path, NOW + DAY)
    assert (later.ledger_id != first.ledger_id, later.restored_at) == (True, NOW + DAY)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files away")
def test_what_root_puts_back_or_copies_over_stays_its_owners(path: Path) -> None:
    """The daemon, which runs as that user, could not open its ledger any more."""
    run_once(path)
    copy = path.with_name("copy.db")
    copy_ledger(path, copy)
    for file in (path, copy):
        os.chown(file, 65534, 65534)
    copy_ledger(path, copy)
    put_ledger_back(copy, FilePlace(path))
    assert [file.stat().st_uid for file in (path, copy)] == [65534, 65534]


def test_nothing_is_put_back_under_who_has_it_open(path: Path) -> None:
    run_once(path)
    copy_ledger(path, path.with_name("copy.db"))
    with open_at(path) as ledger:
        ledger.load()
        with pytest.raises(Locked):
            put_ledger_back(path.with_name("copy.db"), FilePlace(path))
    assert not list(path.parent.glob("*before-restore*"))


def test_a_copy_that_is_broken_off_has_deleted_its_draft_when_its_run_ends() -> None:
    """The process ends without waiting for its threads."""
    tidied: list[bool] = []

    def copy(*, ended: Callable[[], bool]) -> None:
        while not ended():
            time.sleep(0.001)
        time.sleep(0.05)
        tidied.append(True)
        raise Ended

    async def cancelled() -> None:
        making = asyncio.ensure_future(opening._until_ended(copy))
        await asyncio.sleep(0.02)
        making.cancel()
        with suppress(asyncio.CancelledError):
            await making
        assert tidied

    asyncio.run(cancelled())
