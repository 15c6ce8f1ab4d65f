"""What is under way: how much of how much, and for how long yet; bars on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
import structlog

from syncer.cli import progress_bars
from syncer.cli.progress_bars import lines_of, logged_progress, shown_progress
from syncer.contract.adapter import Listed
from syncer.contract.settings import Rate
from syncer.engine.progress import Progress, Work, least_seconds
from tests.cli.test_screens import Terminal, bare
from tests.support.clock import run_virtual

RATES = (Rate(5, 1.0), Rate(100, 60.0))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test moves."""
    now = [1000.0]
    monkeypatch.setattr("syncer.engine.progress.time.monotonic", lambda: now[0])
    return now


def test_the_slowest_of_all_rates_counts() -> None:
    assert [least_seconds(number, RATES) for number in (0, 1, 5, 6, 100, 101, 501)] == [0, 0, 0, 1, 19, 60, 300]
    assert least_seconds(9, ()) == 0


def test_what_is_left_takes_as_long_as_the_rate_says_and_never_less_than_so_far(clock: list[float]) -> None:
    work = Work("superfone", "reading", 1000, (Rate(5, 1.0),), began=1000.0)
    assert work.seconds_left == 199
    work.done, clock[0] = 100, 1020.0
    assert work.seconds_left == 180
    clock[0] = 1200.0
    assert work.seconds_left == 1800
    assert Work("a", "b", 10, began=1000.0).seconds_left is None
    assert Work("a", "b", 0, counted=lambda: 7, began=1000.0).seconds_left is None


def test_a_piece_of_work_is_told_once_it_takes_longer_than_a_second(clock: list[float]) -> None:
    progress = Progress({"superfone": (Rate(5, 1.0),)})
    assert lines_of("acme", progress) == []
    progress("reading the CRMs")
    with progress.work("superfone", "reading the tasks of contacts", 5000) as work:
        assert lines_of("acme", progress) == ["acme: reading the CRMs"]
        work.done, clock[0] = 120, 1024.0
        with progress.work("reply", "reading its lists", counted=lambda: 7):
            clock[0] = 1025.5
            assert lines_of("acme", progress) == [
                "acme: Superfone: reading the tasks of contacts: 120 of 5,000, about 17.3 min left",
                "acme: Reply.io: reading its lists: 7 requests so far",
            ]
    assert lines_of("acme", progress) == ["acme: reading the CRMs"]


def test_a_list_whose_length_the_crm_tells_is_told_by_its_rows(clock: list[float]) -> None:
    """What is left is counted in requests, each of a whole page."""
    progress = Progress({"highlevel": (Rate(1, 10.0),)})
    listed = [None, Listed(500, 5_000, 500), Listed(5_001, 5_000, 500)]
    with progress.work("highlevel", "reading its lists", counted=lambda: 1, listed=lambda: listed[0]):
        clock[0] = 1010.0
        assert lines_of("acme", progress) == ["acme: HighLevel: reading its lists: 1 request so far"]
        del listed[0]
        assert lines_of("acme", progress) == ["acme: HighLevel: reading its lists: 500 of 5,000, about 1.5 min left"]
        del listed[0]
        assert lines_of("acme", progress) == ["acme: HighLevel: reading its lists: 5,001 of 5,001, about 0 s left"]


def test_without_a_terminal_there_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_bars, "EVERY", 0.01)
    told: list[str] = []
    monkeypatch.setattr(progress_bars, "complain", told.append)
    with shown_progress("acme", {}, shown=True) as progress:
        progress("reading the CRMs")
        while not told:
            time.sleep(0.001)
    assert set(told) == {"acme: reading the CRMs"}
    with shown_progress("acme", {}, shown=False) as progress:
        progress("reading the CRMs")
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_are_bars_which_leave_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: list[float]
) -> None:
    fake = Terminal()
    monkeypatch.setattr("sys.stderr", fake)
    for name, value in {"TERM": "xterm", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    with (
        shown_progress("acme", {}, shown=True) as progress,
        shown_progress("beta", {}, shown=True) as other,
        progress.work("reply", "creating tasks", 40) as work,
    ):
        other("opening the ledger")
        work.done, clock[0] = 10, 1002.0
        board = progress_bars._BOARD
        assert board._live is not None
        board._live.refresh()
        shown = bare(fake.getvalue())
        assert "acme: Reply.io: creating tasks" in shown
        assert "10 of 40, about 6 s left" in shown
        assert "beta: opening the ledger" in shown
    assert progress_bars._BOARD._live is None
    assert capsys.readouterr().out == ""


def test_a_daemon_logs_what_takes_its_time(clock: list[float]) -> None:
    account: Any = SimpleNamespace(name="acme", connections={"reply": SimpleNamespace(rate=(Rate(1, 1.0),))})

    async def work() -> None:
        async with logged_progress(account) as progress:
            with progress.work("reply", "creating tasks", 40) as under_way:
                under_way.done, clock[0] = 10, 1002.0
                await asyncio.sleep(25)

    with structlog.testing.capture_logs() as told:
        run_virtual(work())
    about = {"account": "acme", "system": "reply", "what": "creating tasks", "done": 10, "total": 40, "left_s": 29}
    assert told == [{"event": "run.under_way", "log_level": "info", **about}] * 2
