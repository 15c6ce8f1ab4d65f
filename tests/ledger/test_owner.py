"""Who holds a lease: whether that process is alive, as far as another one can tell."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from syncer.ledger import Owner, current_owner, process_alive
from syncer.ledger import owner as owners

HERE = Owner("here", "machine", 1, 100.0)


def alive(_owner: Owner) -> bool:
    return True


def test_this_process_is_alive_and_named_in_full() -> None:
    owner = current_owner("mine")
    assert (owner.token, owner.pid) == ("mine", os.getpid())
    assert owner.machine
    assert process_alive(owner)
    assert current_owner("other") == replace(owner, token="other")


def test_a_process_that_got_the_same_id_is_another_one() -> None:
    owner = current_owner("mine")
    assert not process_alive(replace(owner, started=owner.started - 1))


def test_a_process_that_ended_is_dead_even_before_it_is_reaped() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not process_alive(Owner("t", "m", child.pid, 0.0))
    child.wait()
    assert not process_alive(Owner("t", "m", child.pid, 0.0))


def test_a_process_that_may_not_be_seen_counts_as_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(owners, "_started", lambda _pid: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert process_alive(HERE)


def test_no_group_of_processes_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_pid: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(owners, "_started", lambda _pid: None)
    monkeypatch.setattr(os, "kill", refuse)
    assert not process_alive(replace(HERE, pid=0))
    assert not process_alive(replace(HERE, pid=-1))


@pytest.mark.parametrize(
    ("machine", "earlier"),
    [
        ("here/boot-1/7", True),
        ("here/boot-2/7", False),
        ("there/boot-1/7", False),
        ("here/boot-1", False),
        ("here", False),
    ],
)
def test_whoever_ran_before_the_last_reboot_has_ended(machine: str, *, earlier: bool) -> None:
    """Only the same host can tell: of another one, or of one that names no boot, nobody knows."""
    now = replace(HERE, machine="here/boot-2/7")
    assert replace(HERE, machine=machine).is_of_an_earlier_boot(now) is earlier


def test_where_there_is_no_proc_psutil_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(owners, "_PROC", tmp_path)
    # Its name and start are found out once, and must not be without /proc for the tests that follow.
    monkeypatch.setattr(owners, "_machine", lambda: "machine")
    monkeypatch.setattr(owners, "_own_start", owners._started)
    owner = current_owner("mine")
    assert owner.started > 1_000_000_000
    assert process_alive(owner)
    assert not process_alive(replace(owner, started=owner.started - 1))
    assert not process_alive(replace(owner, pid=2**22 + 1))
