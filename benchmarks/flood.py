"""Many events at once for a daemon in a process of its own, which goes on with its runs.

``python -m benchmarks.flood [DELIVERIES] [FILES]``: the number of deliveries (default 10,000), each on its own
connection, and how many files and sockets the daemon may have open (default 1,024, as on most systems).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Final

import psutil

from benchmarks.account import BenchAccount
from benchmarks.crms import crms

DELIVERIES: Final = 10_000
FILES: Final = 1_024
PEOPLE: Final = 300
TASKS: Final = 30
PATIENCE: Final = 120.0
BEAT: Final = 0.1
"""Seconds between two checks of the daemon."""
EVENTS: Final = '[events]\nsuperfone_secret = "env:HOOK"\n'


class Daemon:
    """``syncer sync --listen`` for one account that accepts events and runs every second."""

    def __init__(self, account: Path, files: int) -> None:
        self._out = account.with_suffix(".out")
        self._err = account.with_suffix(".err")
        account.write_text(account.read_text().replace("[sync]\n", '[sync]\ninterval = "1s"\n') + EVENTS)
        command = [sys.executable, "-m", "syncer", "sync", "--json", "--listen", "127.0.0.1:0"]
        environment = os.environ | {"SYNCER_CONFIG": str(account), "HOOK": "hook-secret"}
        with self._out.open("w") as out, self._err.open("w") as err:
            before = resource.getrlimit(resource.RLIMIT_NOFILE)
            # A child process inherits our limits.
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
            try:
                self._process = subprocess.Popen(command, env=environment, stdout=out, stderr=err)  # noqa: S603
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        self.seen = psutil.Process(self._process.pid)

    async def port(self) -> int:
        """Return the port, after the first run."""
        await self.next_run(0)
        found = re.search(r"http://127\.0\.0\.1:(\d+)", self._err.read_text())
        if found is None:
            raise AssertionError(self._err.read_text())
        return int(found[1])

    def runs(self) -> list[dict[str, object]]:
        """Return the reports of its whole runs."""
        return [json.loads(line) for line in self._out.read_text().splitlines() if line.endswith("}")]

    async def next_run(self, known: int) -> None:
        """Wait until there are more than ``known`` reports."""
        for _ in range(int(PATIENCE / BEAT)):
            if len(self.runs()) > known:
                return
            await asyncio.sleep(BEAT)
        msg = "no run ended any more"
        raise AssertionError(msg)

    def end(self) -> int:
        self._process.terminate()
        return self._process.wait(PATIENCE)


async def deliver(port: int, number: int) -> str:
    """Make one delivery on its own connection. Returns the status, or the name of the error."""
    body = json.dumps({"event": "TASK_UPDATE", "contact_id": number % PEOPLE, "number": number}).encode()
    head = (
        f"POST /events/bench/superfone HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: hook-secret\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                writer.write(head.encode() + body)
                await writer.drain()
                return (await reader.readline()).decode().split(" ")[1]
            finally:
                writer.close()
    except (OSError, TimeoutError, IndexError) as error:
        return type(error).__name__


async def watch(daemon: Daemon, gaps: list[float], peak: list[int]) -> None:
    """Note the daemon's memory, and the seconds between the ends of its runs."""
    known, since = len(daemon.runs()), time.monotonic()
    while True:
        await asyncio.sleep(BEAT)
        peak.append(daemon.seen.memory_info().rss)
        if (now := len(daemon.runs())) > known:
            gaps.append(time.monotonic() - since)
            known, since = now, time.monotonic()


async def flood(folder: Path, url: str, deliveries: int, files: int) -> None:
    daemon = Daemon(BenchAccount(folder, url).file, files)
    try:
        port = await daemon.port()
        gaps: list[float] = []
        memory = [daemon.seen.memory_info().rss]
        cpu, before, began = sum(daemon.seen.cpu_times()[:2]), len(daemon.runs()), time.monotonic()
        watching = asyncio.create_task(watch(daemon, gaps, memory))
        answers = Counter(await asyncio.gather(*(deliver(port, number) for number in range(deliveries))))
        took = time.monotonic() - began
        spent = sum(daemon.seen.cpu_times()[:2]) - cpu
        # The next run shows how long runs had to wait.
        await daemon.next_run(before)
        watching.cancel()
        during = Counter(str(report["status"]) for report in daemon.runs()[before:])
        print(f"{deliveries} deliveries, {files} files: {dict(answers)} within {took:.1f} s")
        longest = max([*gaps, time.monotonic() - began if not gaps else 0.0])
        print(f"CPU of the daemon: {spent:.1f} s, with runs {dict(during)}, {longest:.1f} s apart at most")
        print(f"memory: {memory[0] >> 20} MiB before, {max(memory) >> 20} MiB at most")
    finally:
        print(f"exit status {daemon.end()}")


def main() -> None:
    deliveries = int(sys.argv[1]) if len(sys.argv) > 1 else DELIVERIES
    files = int(sys.argv[2]) if len(sys.argv) > 2 else FILES
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, deliveries + 500), hard))
    with tempfile.TemporaryDirectory() as folder, crms(TASKS) as url:
        asyncio.run(flood(Path(folder), url, deliveries, files))


if __name__ == "__main__":
    main()
