"""The process that holds a lease, and whether it still runs."""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from time import clock_gettime, monotonic
from typing import Final

_PROC: Final = Path("/proc")
_SAME_START: Final = 0.01
_PARTS: Final = 3
LEASE_TERM: Final = timedelta(minutes=2)
"""How long a lease lasts after it was renewed, if nobody can check whether its owner still runs."""
CLOCK_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", None)


@dataclass(frozen=True, slots=True)
class Owner:
    """One process that holds, or wants, the lease.

    ``token`` is new each time the lease is taken. ``machine`` names the host, its boot and its process namespace,
    because a process id is unique only there. ``started`` tells processes with the same id apart. It is the number of
    clock ticks since the boot on Linux, and of seconds since 1970 elsewhere, and is compared within one machine only.
    """

    token: str
    machine: str
    pid: int
    started: float

    @property
    def host(self) -> str:
        """The name of the owner's host."""
        return self.machine.partition("/")[0]

    @property
    def process(self) -> tuple[str, int, float]:
        """The part that all leases of one process share."""
        return (self.machine, self.pid, self.started)

    def is_of_an_earlier_boot(self, now: Owner) -> bool:
        """Whether this owner ran on the same host as ``now``, before the last reboot, so that it has ended."""
        mine, yours = self.machine.split("/"), now.machine.split("/")
        return len(mine) == len(yours) == _PARTS and mine[0] == yours[0] and mine[1] != yours[1]


def steady_clock() -> float:
    """Return seconds of a clock that is never set, also runs while the machine sleeps, and is the same for one boot."""
    return clock_gettime(CLOCK_BOOTTIME) if CLOCK_BOOTTIME is not None else monotonic()


def current_owner(token: str) -> Owner:
    """Return this process as an owner."""
    pid = os.getpid()
    return Owner(token, _machine(), pid, _own_start(pid))


def process_alive(owner: Owner) -> bool:
    """Whether the owner's process still runs and is the one that took the lease. Only for owners on this machine."""
    started = _started(owner.pid)
    if started is None:
        return _hidden(owner.pid)
    # Process ids are used again, so the time of the start has to be the same one.
    return abs(started - owner.started) < _SAME_START


@cache
def _machine() -> str:
    # In a container the ids of processes begin anew, so its namespace is part of the name.
    parts = [socket.gethostname(), _line(_PROC / "sys/kernel/random/boot_id"), _namespace()]
    return "/".join(part for part in parts if part)


@cache
def _own_start(pid: int) -> float:
    return _started(pid) or 0.0


def _line(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _namespace() -> str:
    try:
        return str((_PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return ""


def _started(pid: int) -> float | None:
    """Return when the process started, or ``None`` if it does not exist, is a zombie, or is hidden."""
    if (_PROC / "self/stat").exists():
        # Ticks since the boot stay the same when the clock is set. psutil's creation time changes with it, so a
        # process that still runs would be taken for another one.
        fields = _stat_fields(pid)
        # A zombie has ended. It only waits until its parent asks how.
        return None if not fields or fields[0] in "ZX" else float(fields[19])
    return _psutil_started(pid)


def _stat_fields(pid: int) -> list[str]:
    try:
        text = (_PROC / str(pid) / "stat").read_bytes().decode("utf-8", "replace")
    except OSError:
        return []
    # The second field is the command's name in brackets, which may itself contain spaces and brackets.
    return text.rpartition(")")[2].split()


def _psutil_started(pid: int) -> float | None:
    # Used only without /proc, because the import takes longer than opening a ledger.
    psutil = import_module("psutil")
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.Error:
        return None


def _hidden(pid: int) -> bool:
    """Whether the process exists, although we have no permission to see it. Then nobody may take its lease."""
    # Zero and below would address groups of processes.
    if os.name != "posix" or pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (ProcessLookupError, OverflowError):
        return False
    return False
