"""What systemd is told: readiness, signs of life, the end; and nothing where it does not listen."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from syncer.cli.systemd import Systemd
from tests.support.cli_kit import PATIENCE, Served
from tests.support.clock import run_virtual


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
        ours.bind(str(tmp_path / "notify"))
        ours.settimeout(PATIENCE)
        yield ours


def test_a_daemon_says_that_it_is_ready_that_it_lives_and_that_it_stops(
    served: Served, listener: socket.socket
) -> None:
    served.person()
    env = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "300000"}
    daemon = served.start("sync", **env)
    assert listener.recv(4096) == b"READY=1\nSTATUS=serving acme"
    assert [listener.recv(4096) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    daemon.send(signal.SIGTERM)
    told = [listener.recv(4096)]
    while b"STOPPING=1" not in told[-1]:
        told.append(listener.recv(4096))
    assert daemon.status == 143


def test_a_daemon_that_cannot_begin_is_never_ready(served: Served, listener: socket.socket) -> None:
    assert served.do("sync", SF_KEY="", NOTIFY_SOCKET=listener.getsockname()).status == 2
    listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        listener.recv(4096)


def test_signs_of_life_come_three_times_in_the_time_that_it_waits(tmp_path: Path, listener: socket.socket) -> None:
    async def live() -> None:
        systemd = Systemd({"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "3000000"})
        task = asyncio.ensure_future(systemd.stay_alive())
        await asyncio.sleep(9.5)
        task.cancel()

    run_virtual(live())
    listener.setblocking(False)
    told = 0
    while True:
        try:
            listener.recv(4096)
        except BlockingIOError:
            break
        told += 1
    assert told == 10


@pytest.mark.parametrize(
    "env",
    [
        {},
        {"WATCHDOG_USEC": "1000000"},
        {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "x"},
        {"NOTIFY_SOCKET": "@nobody-listens-there"},
    ],
)
def test_where_nobody_listens_nothing_goes_wrong(env: dict[str, str]) -> None:
    systemd = Systemd(env)
    systemd.ready("serving acme")
    systemd.stopping()
    run_virtual(systemd.stay_alive())


def test_a_watchdog_of_another_process_is_none_of_ours() -> None:
    assert Systemd({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": "1"}).watchdog == 0
    assert Systemd({"WATCHDOG_USEC": "1000000", "WATCHDOG_PID": str(os.getpid())}).watchdog == 1
