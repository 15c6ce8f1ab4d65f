from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from syncer.domain.base import Changes
from syncer.domain.events import Event
from syncer.ledger import Busy, LeaseLost, Ledger, LedgerError, Locked, Owner, current_owner
from tests.support.ledgers import DATABASES, DAY, NOW, TERM, database_url

HERE = Owner("here", "machine", 1, 100.0)
THERE = Owner("there", "another machine", 2, 200.0)
SOMETHING = Changes(cursors={"a": "b"})


def test_whoever_is_in_the_way_is_named() -> None:
    busy = Busy(THERE, datetime(2026, 5, 19, 8, 30, tzinfo=UTC))
    assert str(busy) == "process 2 on another machine is running this account (lease until 2026-05-19T08:30:00Z)"
    assert str(Busy(THERE)) == "process 2 on another machine is running this account"
    assert str(LeaseLost()) == "the lease was lost: another process runs this account now, so this run ends"


@pytest.fixture(params=DATABASES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database_url(request.param, tmp_path) as found:
        yield found


@pytest.fixture
def postgresql_url(tmp_path: Path) -> Iterator[str]:
    with database_url("postgresql", tmp_path) as found:
        yield found


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    with Ledger.open(url, name="acme", clock=lambda: NOW) as opened:
        yield opened


def alive(_owner: Owner) -> bool:
    return True


def dead(_owner: Owner) -> bool:
    return False


def expiry(ledger: Ledger) -> datetime:
    with pytest.raises(Busy) as caught:
        ledger.acquire(replace(THERE, token="asks"), NOW, TERM, alive)
    assert caught.value.expires_at is not None
    return caught.value.expires_at


def test_a_held_lease_is_busy_and_says_who_holds_it(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    with pytest.raises(Busy, match="process 1 on machine") as caught:
        ledger.acquire(THERE, NOW + TERM / 2, TERM, alive)
    assert (caught.value.owner, caught.value.expires_at) == (HERE, NOW + TERM)


def test_the_holder_may_take_its_lease_again(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.acquire(HERE, NOW + TERM / 2, TERM, alive)
    assert expiry(ledger) == NOW + TERM / 2 + TERM


def test_a_released_lease_is_free(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.release("not mine")
    with pytest.raises(Busy):
        ledger.acquire(THERE, NOW, TERM, alive)
    ledger.release("here")
    ledger.acquire(THERE, NOW, TERM, alive)


@pytest.mark.parametrize("token", ["here", "not mine", None])
def test_a_run_ends_and_gives_its_lease_back_in_one_step(ledger: Ledger, token: str | None) -> None:
    ledger.acquire(HERE, NOW, TERM, alive, run="run1")
    ledger.finish_run("run1", NOW, "ok", {}, token=token)
    [run] = ledger.runs()
    assert run.status == "ok"
    if token == "here":
        ledger.acquire(THERE, NOW, TERM, alive)
        ledger.release("here")
    with pytest.raises(Busy):
        ledger.acquire(HERE if token == "here" else THERE, NOW, TERM, alive)


def test_an_expired_lease_is_taken_wherever_its_owner_is(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.acquire(THERE, NOW + TERM, TERM, alive)
    with pytest.raises(LeaseLost):
        ledger.renew("here", NOW + TERM, TERM)


def test_a_dead_owner_on_the_same_machine_loses_its_lease_at_once(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.acquire(replace(HERE, token="next", pid=3), NOW, TERM, dead)


def test_nobody_can_tell_whether_an_owner_elsewhere_is_dead(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    with pytest.raises(Busy):
        ledger.acquire(THERE, NOW, TERM, dead)


def test_a_live_owner_is_asked_for_as_it_was_stored(ledger: Ledger) -> None:
    asked: list[Owner] = []
    ledger.acquire(replace(HERE, started=1234567.89), NOW, TERM, alive)
    ledger.acquire(replace(HERE, token="next"), NOW, TERM, lambda owner: bool(asked.append(owner)))  # type: ignore[func-returns-value]
    assert asked == [replace(HERE, started=1234567.89)]


def test_renewing_moves_the_end(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.renew("here", NOW + TERM / 2, TERM)
    assert expiry(ledger) == NOW + TERM / 2 + TERM


def test_storing_extends_the_lease(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.store(SOMETHING, token="here", now=NOW + TERM / 2)
    assert expiry(ledger) == NOW + TERM / 2 + TERM
    assert ledger.load().cursors == {"a": "b"}


@pytest.mark.parametrize("held", [True, False])
def test_without_the_lease_nothing_is_stored(ledger: Ledger, *, held: bool) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.release("here")
    if held:
        ledger.acquire(THERE, NOW, TERM, alive)
    with pytest.raises(LeaseLost):
        ledger.store(SOMETHING, token="here")
    assert ledger.load().cursors == {}


def test_a_lease_that_expired_is_good_until_somebody_takes_it(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    ledger.store(SOMETHING, token="here", now=NOW + 3 * TERM)
    assert expiry(ledger) == NOW + 4 * TERM


@pytest.mark.parametrize("taken", [True, False])
def test_a_process_that_slept_past_its_term_asks_whether_it_still_holds_the_lease(url: str, *, taken: bool) -> None:
    times = [NOW]
    slept, other = (Ledger.open(url, name="acme", clock=lambda: times[-1]) for _ in range(2))
    with slept, other:
        slept.acquire(HERE, NOW, TERM, alive)
        times.append(NOW + TERM / 2)
        slept.hold("here")
        assert expiry(other) == NOW + TERM, "the database was not asked"
        times.append(NOW + 2 * TERM)
        if taken:
            other.acquire(THERE, times[-1], TERM, alive)
            with pytest.raises(LeaseLost):
                slept.hold("here")
        else:
            slept.hold("here")
            assert expiry(other) == NOW + 3 * TERM


def test_at_the_instant_at_which_its_term_ends_a_lease_may_be_another_ones(url: str) -> None:
    times = [NOW]
    slow, other = (Ledger.open(url, name="acme", clock=lambda: times[-1]) for _ in range(2))
    with slow, other:
        slow.acquire(HERE, NOW, TERM, alive)
        times.append(NOW + TERM)
        other.acquire(THERE, times[-1], TERM, alive)
        with pytest.raises(LeaseLost):
            slow.hold("here")


def test_of_two_runs_in_one_process_each_asks_for_its_own_lease(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW - 2 * TERM, TERM, alive)
    ledger.acquire(THERE, NOW, TERM, alive)
    with pytest.raises(LeaseLost):
        ledger.hold("here")
    ledger.release("here")
    ledger.hold("there")


def test_a_lease_that_somebody_took_out_of_the_ledger_is_missed_at_once(ledger: Ledger) -> None:
    ledger.acquire(HERE, NOW, TERM, alive)
    with ledger._database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM lease")
    with pytest.raises(LeaseLost):
        ledger.hold("here")


class Clocks:
    """A wall clock that people set, and one that nobody sets."""

    def __init__(self) -> None:
        self.wall, self.steady = NOW, 1000.0

    def open(self, url: str) -> Ledger:
        return Ledger.open(url, name="acme", clock=lambda: self.wall, steady=lambda: self.steady)


NEIGHBOUR = replace(HERE, token="neighbour", pid=3)


@pytest.mark.parametrize("jump", [timedelta(days=3650), timedelta(hours=-1)])
def test_on_one_machine_a_clock_that_is_set_makes_neither_two_owners_nor_none(url: str, jump: timedelta) -> None:
    clocks = Clocks()
    with clocks.open(url) as one, clocks.open(url) as two:
        one.acquire(HERE, clocks.wall, TERM, alive)
        clocks.wall += jump
        with pytest.raises(Busy):
            two.acquire(NEIGHBOUR, clocks.wall, TERM, alive)
        one.hold("here")
        clocks.steady += TERM.total_seconds()
        two.acquire(NEIGHBOUR, clocks.wall, TERM, alive)
        with pytest.raises(LeaseLost):
            one.hold("here")


def test_a_lease_that_a_fast_clock_took_elsewhere_is_waited_for_no_longer_than_a_term(ledger: Ledger) -> None:
    ledger.acquire(THERE, NOW + 3650 * DAY, TERM, alive)
    for instant in (NOW, NOW + TERM / 2):
        with pytest.raises(Busy):
            ledger.acquire(HERE, instant, TERM, alive)
    ledger.acquire(HERE, NOW + TERM, TERM, alive)


def test_who_lives_elsewhere_keeps_its_lease_whatever_its_clock_says(ledger: Ledger) -> None:
    ahead = 3650 * DAY
    ledger.acquire(THERE, NOW + ahead, TERM, alive)
    for step in range(5):
        with pytest.raises(Busy):
            ledger.acquire(HERE, NOW + step * TERM / 2, TERM, alive)
        ledger.renew("there", NOW + ahead + step * TERM / 2, TERM)


def test_whoever_ran_before_the_host_was_started_anew_is_dead(tmp_path: Path) -> None:
    before, after = (Owner(boot, f"host/{boot}/4026531836", 1, 100.0) for boot in ("boot 1", "boot 2"))
    another = replace(before, machine="other/boot 1/4026531836")
    with Ledger.open(f"sqlite:///{tmp_path / 'acme.db'}", name="acme", clock=lambda: NOW) as ledger:
        ledger.acquire(before, NOW, TERM, alive)
        ledger.acquire(after, NOW, TERM, alive)
        ledger.release("boot 2")
        ledger.acquire(another, NOW, TERM, alive)
        with pytest.raises(Busy):
            ledger.acquire(after, NOW, TERM, alive)


def test_a_run_of_this_process_that_ended_without_giving_its_lease_back_locks_nobody_out(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_given: object, **_more: object) -> None:
        raise LedgerError("no room")

    ledger.acquire(current_owner("one"), NOW, TERM)
    with pytest.raises(Busy):
        ledger.acquire(current_owner("two"), NOW, TERM)
    with monkeypatch.context() as patch:
        patch.setattr(ledger._database, "writing", full)
        with pytest.raises(LedgerError, match="no room"):
            ledger.release("one")
    ledger.acquire(current_owner("two"), NOW, TERM)


def test_a_token_is_checked_by_a_ledger_that_did_not_take_the_lease(url: str) -> None:
    with Ledger.open(url, name="acme") as one, Ledger.open(url, name="acme") as two:
        one.acquire(HERE, NOW, TERM, alive)
        two.store(SOMETHING, token="here")
        with pytest.raises(LeaseLost):
            two.store(SOMETHING, token="there")


CHILD = """
import sys
from datetime import UTC, datetime, timedelta
from syncer.ledger import Ledger, current_owner
ledger = Ledger.open(sys.argv[1], name="acme")
ledger.acquire(current_owner("child"), datetime.fromisoformat(sys.argv[2]), timedelta(days=1))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_loses_its_lease_at_once(url: str) -> None:
    with Ledger.open(url, name="acme") as ledger:
        child = subprocess.Popen(  # noqa: S603 - our own interpreter
            [sys.executable, "-c", CHILD, url, NOW.isoformat()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        with child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"held\n"
            with pytest.raises(Busy, match=f"process {child.pid}"):
                ledger.acquire(current_owner("parent"), NOW, TERM)
            child.kill()
        ledger.acquire(current_owner("parent"), NOW, TERM)


def in_threads(number: int, work: Any) -> list[Any]:
    gate = threading.Barrier(number)

    def start(index: int) -> Any:
        gate.wait()
        return work(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(start, range(number)))


def test_of_many_that_ask_at_once_one_gets_the_lease(ledger: Ledger) -> None:
    def ask(index: int) -> bool:
        try:
            ledger.acquire(replace(HERE, token=f"{index}", pid=index), NOW, TERM, alive)
        except Busy:
            return False
        return True

    assert sum(in_threads(5, ask)) == 1


def test_writers_wait_for_each_other(url: str) -> None:

    def write(index: int) -> None:
        with Ledger.open(url, name="acme") as ledger:
            for step in range(5):
                ledger.store(Changes(events=[Event(NOW, "seen", "us", f"{index} {step}", "01A")]), token=None)

    in_threads(4, write)
    with Ledger.open(url, name="acme") as ledger:
        assert len(ledger.history("01A")) == 20


def test_a_ledger_that_stays_locked_says_so(url: str) -> None:
    with Ledger.open(url, name="acme") as one, Ledger.open(url, name="acme") as two:
        began = time.monotonic()
        with one._database.writing(), pytest.raises(Locked, match="another process keeps it locked"):
            two.acquire(HERE, NOW, TERM, alive, patience=0)
        assert time.monotonic() - began < 1.5, "it waited as long as it does for a transaction"
        two.acquire(HERE, NOW, TERM, alive, patience=0)
        ask = "SHOW lock_timeout" if url.startswith("postgresql") else "PRAGMA busy_timeout"
        with two._database.writing() as connection:
            waits = connection.exec_driver_sql(ask).scalar()
    assert waits in {2000, "2s"}, "the other transactions do not wait as before"


def test_the_lease_of_a_server_is_reckoned_by_its_clock_alone(postgresql_url: str) -> None:
    one, two = (Ledger.open(postgresql_url, name="acme") for _ in range(2))
    with one, two:
        now = datetime.now(UTC)
        one.acquire(HERE, now, TERM, alive)
        for wrong in (now - DAY, now - DAY, now + DAY, now + DAY):
            with pytest.raises(Busy):
                two.acquire(THERE, wrong, TERM, alive)
        one.hold("here")


def test_a_machine_that_vanishes_while_it_writes_locks_nobody_out(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncer.ledger.connect.ABANDONED", "300ms")
    one, two = (Ledger.open(postgresql_url, name="acme", clock=lambda: NOW) for _ in range(2))
    with one, two, pytest.raises(LedgerError, match="idle-in-transaction timeout"), one._database.writing():
        two.acquire(HERE, NOW, TERM, alive)
    with Ledger.open(postgresql_url, name="acme") as ledger, ledger._database.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM lease").scalar() == 1


def test_a_server_that_was_started_anew_is_no_crash(postgresql_url: str) -> None:
    one, two = (Ledger.open(postgresql_url, name="acme", clock=lambda: NOW) for _ in range(2))
    with one, two:
        one.acquire(HERE, NOW, TERM, alive)
        with one._database.reading() as connection:
            process = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with two._database.reading() as connection:
            connection.exec_driver_sql("SELECT pg_terminate_backend(%s, 5000)", (process,))
        one.store(SOMETHING, token="here")
        assert two.load().cursors == {"a": "b"}
