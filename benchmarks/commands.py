"""The CPU time of commands that only read a ledger, compared with ``syncer --help``.

``python -m benchmarks.commands [TASKS]``: with a ledger of this many open tasks (default 1,000).
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.account import BenchAccount
from benchmarks.crms import crms
from benchmarks.runs import QUIET

TASKS: Final = 1_000
TIMES: Final = 5
"""How often each command is run. The fastest one counts, because the others may have been disturbed."""
MODULES: Final = (
    "syncer.cli.app",
    "syncer.config.loader",
    "syncer.ledger.looking",
    "syncer.ledger.store",
    "syncer.engine.run",
)


def seconds(*arguments: str) -> float:
    """Return the CPU seconds of Python with these arguments."""
    return min(_once(arguments) for _ in range(TIMES))


def _once(arguments: tuple[str, ...]) -> float:
    # An installed program has its bytecode, whatever this environment says about writing some.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True, env=environment)  # noqa: S603 - our own program
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


async def prepare(folder: Path, tasks: int) -> tuple[Path, str]:
    """Return an account file whose ledger had a run, and the id of one of its tasks."""
    with crms(tasks, settled=True) as url:
        account = BenchAccount(folder, url, QUIET)
        await account.settle()
        await account.run()
        rows = (await account.adapters()["reply"].list_tasks()).rows
        return account.file, rows[0].place


def main() -> None:
    tasks = int(sys.argv[1]) if len(sys.argv) > 1 else TASKS
    with tempfile.TemporaryDirectory() as folder:
        file, task = asyncio.run(prepare(Path(folder), tasks))
        os.environ["SYNCER_CONFIG"] = str(file)
        alone = seconds("-m", "syncer", "--help")
        print(f"syncer --help: {alone:.3f} s")
        for command in (["status"], ["status", "--json"], ["explain", task], ["tasks", "--json"]):
            took = seconds("-m", "syncer", *command)
            print(f"syncer {command[0]}: {took / alone:.1f} times as long ({took:.3f} s), {tasks} open tasks")
    nothing = seconds("-c", "")
    for module in MODULES:
        print(f"import {module}: {(seconds('-c', f'import {module}') - nothing) / alone:.1f} times --help")


if __name__ == "__main__":
    main()
