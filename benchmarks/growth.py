"""How CPU and memory grow with the number of tasks, for a first run and for a run that finds nothing new.

``python -m benchmarks.growth [SMALL LARGE ...]``: numbers of tasks (default 1,000 and 10,000). Each run has its own
process. If the CPU grows much more than the tasks, something walks over everything for each task. First runs are made
with a tenth of the tasks, because they send about six requests for each task.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, NamedTuple

from benchmarks.account import BenchAccount
from benchmarks.crms import crms
from benchmarks.runs import QUIET

SIZES: Final = (1_000, 10_000)
FIRST_OF: Final = 10
_SPAWN: Final = multiprocessing.get_context("spawn")


class Cost(NamedTuple):
    """The CPU seconds of one run, and the peak memory of its process in MiB."""

    seconds: float
    peak: float


def first_run(folder: Path, url: str, tasks: int) -> Cost:
    """Make the run that copies every task into the two other CRMs."""
    seconds, report = asyncio.run(BenchAccount(folder, url).run(creates=3 * tasks))
    if sum(report.created.values()) != 2 * tasks:
        msg = f"{sum(report.created.values())} copies were made of {tasks} tasks"
        raise AssertionError(msg)
    return _cost(seconds)


def settle(folder: Path, url: str, _tasks: int) -> Cost:
    """Fill the ledger as earlier runs would have done, and make the run that notes the rest."""
    account = BenchAccount(folder, url, QUIET)
    asyncio.run(account.settle())
    seconds, _ = asyncio.run(account.run())
    return _cost(seconds)


def nothing_new(folder: Path, url: str, _tasks: int) -> Cost:
    """Make a run that finds nothing new."""
    seconds, report = asyncio.run(BenchAccount(folder, url, QUIET).run())
    if report.waiting or report.attention or sum(c.writes for c in report.connections.values()):
        msg = f"it was not quiet: {report}"
        raise AssertionError(msg)
    return _cost(seconds)


def _cost(seconds: float) -> Cost:
    return Cost(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _apart(work: Callable[[Path, str, int], Cost], folder: Path, url: str, tasks: int) -> Cost:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_send, args=(theirs, work, folder, url, tasks))
    process.start()
    theirs.close()
    cost: Cost = ours.recv()
    process.join()
    return cost


def _send(pipe: Connection, work: Callable[[Path, str, int], Cost], folder: Path, url: str, tasks: int) -> None:
    pipe.send(work(folder, url, tasks))


def measure(tasks: int) -> dict[str, Cost]:
    """Return what each kind of run costs with this many tasks."""
    found = {}
    with tempfile.TemporaryDirectory() as folder, crms(tasks // FIRST_OF) as url:
        found["first run"] = _apart(first_run, Path(folder), url, tasks // FIRST_OF)
    with tempfile.TemporaryDirectory() as folder, crms(tasks, settled=True) as url:
        _apart(settle, Path(folder), url, tasks)
        found["nothing new"] = _apart(nothing_new, Path(folder), url, tasks)
    return found


def main() -> None:
    sizes = [int(number) for number in sys.argv[1:]] or SIZES
    before: dict[str, Cost] = {}
    for tasks in sizes:
        costs = measure(tasks)
        for what, cost in costs.items():
            number = tasks // FIRST_OF if what == "first run" else tasks
            grown = f", {cost.seconds / before[what].seconds:.1f} times the CPU" if what in before else ""
            print(
                f"{what}, {number} tasks: {cost.seconds:.2f} s of CPU, {cost.peak:.0f} MiB at most{grown}", flush=True
            )
        before = costs


if __name__ == "__main__":
    main()
