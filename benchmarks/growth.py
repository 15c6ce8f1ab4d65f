"""What the first run and a run that finds nothing new cost as an account grows.

``python -m benchmarks.growth [SMALL LARGE]``: CPU seconds of the engine at two numbers of tasks, and their ratio. The
three CRMs are sandboxes in the same process, on a clock that jumps; the time that they take themselves is left out.
A ratio well above that of the tasks means that something looks at everything for each single task.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import structlog

from adapters.sandbox import Call, Reply, Sandbox
from syncer.domain.report import Report
from syncer.engine.run import Options
from tests.support.world import SECRETS, World

SIZES: Final = (1_000, 5_000)
QUIET_RUNS: Final = 4
"""The cheapest of them counts, the others may have been disturbed; the first one still has something to store."""
SETTINGS: Final = {"sync": 'run_limit = "0s"'}


class Bench(World):
    """A world that knows how much of the CPU its sandboxes took."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, **SETTINGS)
        self.in_sandboxes = 0.0
        for sandbox in self.sandboxes.values():
            sandbox.handle = self._timed(sandbox)  # type: ignore[method-assign]

    def _timed(self, sandbox: Sandbox) -> Callable[[Call], Reply]:
        honest = sandbox.handle

        def handle(call: Call) -> Reply:
            began = time.process_time()
            try:
                return honest(call)
            finally:
                self.in_sandboxes += time.process_time() - began

        return handle

    def fill(self, tasks: int) -> None:
        """So many people who are in all three CRMs, each with one task, made in turn in one of these."""
        for number in range(tasks):
            lead, contact, other = self.everywhere(f"Asha{number}", f"+9198{number:08d}")
            due = self.due(hours=5 + number % 100)
            if number % 3 == 0:
                self.superfone.person_creates(lead, "FOLLOW_UP_CALL", due)
            elif number % 3 == 1:
                self.reply.person_creates(contact, "Call", due, f"Ring {number}")
            else:
                self.highlevel.person_creates(other, f"Ring {number}", due)

    def timed_run(self, tasks: int) -> tuple[float, Report]:
        """One run: the CPU seconds that the engine took for it, and its report."""
        self.wait(minutes=1)
        self.in_sandboxes, began = 0.0, time.process_time()
        report = self.sync(Options(allow_creates=3 * tasks))
        return time.process_time() - began - self.in_sandboxes, report


def measure(tasks: int) -> dict[str, float]:
    """The CPU seconds of each kind of run with so many tasks."""
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.fill(tasks)
        first, report = bench.timed_run(tasks)
        made = sum(report.created.values())
        settled = bench.writes()
        quiet = min(bench.timed_run(tasks)[0] for _ in range(QUIET_RUNS))
        if (made, bench.writes()) != (2 * tasks, settled):
            msg = f"{made} copies were made of {tasks} tasks, and {bench.writes() - settled} writes followed"
            raise AssertionError(msg)
        bench.close()
    return {"first run": first, "nothing new": quiet}


def main() -> None:
    small, large = (int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else SIZES
    os.environ.update(SECRETS)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    few, many = measure(small), measure(large)
    print(f"CPU seconds of the engine; the tasks grow {large / small:.1f} times")
    for what, seconds in few.items():
        grown = many[what] / seconds
        print(f"{what}: {small} tasks {seconds:.2f} s, {large} tasks {many[what]:.2f} s, {grown:.1f} times")


if __name__ == "__main__":
    main()
