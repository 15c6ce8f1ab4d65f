"""A first run, and a run that finds nothing new, compared with a loop that only sends the same requests.

``python -m benchmarks.runs [FIRST QUIET]``: with this many tasks for each of the two (default 2,000 and 20,000).
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from benchmarks.account import BenchAccount, bare
from benchmarks.crms import crms

SIZES: Final = (2_000, 20_000)
QUIET: Final = ("reply", "highlevel")


async def first_run(tasks: int) -> None:
    """Measure the run that copies every task into the two other CRMs."""
    with tempfile.TemporaryDirectory() as folder, crms(tasks) as url:
        account = BenchAccount(Path(folder), url)
        seconds, report = await account.run(creates=3 * tasks)
        if sum(report.created.values()) != 2 * tasks:
            msg = f"{sum(report.created.values())} copies were made of {tasks} tasks"
            raise AssertionError(msg)
        alone = await bare(account.sent)
        print(
            f"first run, {tasks} tasks: {len(account.sent) / tasks:.2f} requests a task,"
            f" {seconds / alone:.2f} times the CPU of a loop of as many requests"
            f" ({seconds:.2f} s, {alone:.2f} s)"
        )
        for (system, method), number in sorted(_kinds(account).items()):
            print(f"  {system} {method}: {number / tasks:.2f} a task")


async def quiet_run(tasks: int) -> None:
    """Measure a run that finds nothing new."""
    with tempfile.TemporaryDirectory() as folder, crms(tasks, settled=True) as url:
        account = BenchAccount(Path(folder), url, QUIET)
        await account.settle()
        await account.run()
        seconds, report = await account.run()
        if report.waiting or report.attention or sum(c.writes for c in report.connections.values()):
            msg = f"it was not quiet: {report}"
            raise AssertionError(msg)
        alone = await bare(account.sent)
        print(
            f"nothing new, {tasks} open tasks: {len(account.sent)} requests,"
            f" {seconds / alone:.2f} times the CPU of a loop of the same pages ({seconds:.2f} s, {alone:.2f} s)"
        )
        for kind, number in sorted(_pages(account).items()):
            print(f"  {kind}: {number}")


def _kinds(account: BenchAccount) -> Counter[tuple[str, str]]:
    return Counter((urlsplit(one.url).path.split("/")[1], one.method) for one in account.sent)


def _pages(account: BenchAccount) -> Counter[str]:
    return Counter(urlsplit(one.url).path for one in account.sent)


def main() -> None:
    first, quiet = (int(number) for number in sys.argv[1:3]) if len(sys.argv) > 2 else SIZES
    if first:
        asyncio.run(first_run(first))
    if quiet:
        asyncio.run(quiet_run(quiet))


if __name__ == "__main__":
    main()
