"""Run ranges of seeds on all cores: ``python -m tests.simulation --seeds 0..1000``.

A failure prints its seed, the shortest history that still fails, and the command that replays it in words.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from time import monotonic

import structlog
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from syncer.ledger import sqlite
from tests.simulation.account import SECRETS
from tests.simulation.dimensions import DIMENSIONS
from tests.simulation.history import make_history
from tests.simulation.play import play
from tests.simulation.shrink import shrink

CHUNK = 10
TELL_EVERY = 1000


def prepare(*, for_good: bool = True) -> None:
    """Set up a process that plays histories. ``for_good`` is faster and cannot be undone."""
    os.environ.update(SECRETS)
    # No history has a power cut, so nothing has to reach the disk.
    sqlite.SYNCHRONOUS = "OFF"  # type: ignore[misc]
    silent = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=silent, cache_logger_on_first_use=for_good)


def failures(seeds: range, without: str = "", also: tuple[str, ...] = ()) -> list[tuple[int, str]]:
    """Return the seeds that break a law, each with the violation."""
    found = []
    for seed in seeds:
        violation = play(make_history(seed, without=without, also=also))
        if violation is not None:
            found.append((seed, str(violation)))
    return found


def replay(seed: int, *, shrunk: bool, without: str = "", also: tuple[str, ...] = ()) -> bool:
    """Print one history in words, shortened first if asked. Returns whether it breaks a law."""
    history = make_history(seed, without=without, also=also)
    if shrunk:
        broken = play(history)
        law = broken and broken.law
        history = shrink(history, lambda shorter: getattr(play(shorter), "law", None) == law)
        print(f"seed {seed}, shrunk to {len(history.actions)} actions; settings {dict(history.settings)}")
    violation = play(history, print)
    print(f"\nseed {seed}: {violation or 'every law was kept'}")
    return violation is not None


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", default="0..1000", help="a range A..B, B not included")
    parser.add_argument("--replay", type=int, metavar="SEED", help="tell one history step by step")
    parser.add_argument("--shrink", action="store_true", help="with --replay: its shortest failing part")
    parser.add_argument("--without", choices=("twins", "markers"), default="", help="take this net away")
    parser.add_argument("--with", dest="also", action="append", choices=DIMENSIONS, default=[], help="have this in all")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    prepare()
    also = tuple(given.also)
    if given.replay is not None:
        return int(replay(given.replay, shrunk=given.shrink, without=given.without, also=also))
    first, _, last = given.seeds.partition("..")
    return _all(range(int(first), int(last)), given.jobs, given.without, also)


def _all(seeds: range, jobs: int, without: str, also: tuple[str, ...]) -> int:
    started = monotonic()
    broken: list[tuple[int, str]] = []
    work = partial(failures, without=without, also=also)
    columns = (TextColumn("histories"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with (
        Progress(*columns, disable=not sys.stderr.isatty()) as bar,
        ProcessPoolExecutor(jobs, initializer=prepare) as pool,
    ):
        task = bar.add_task("", total=len(seeds))
        for part, found in zip(_parts(seeds), pool.map(work, _parts(seeds)), strict=True):
            bar.advance(task, len(part))
            if bar.disable and part.start // TELL_EVERY < part.stop // TELL_EVERY:
                print(f"up to seed {part.stop}: {len(broken) + len(found)} broke a law", flush=True)
            broken += found
            for seed, law in found:
                print(f"seed {seed}: {law.splitlines()[0]}", flush=True)
    rate = len(seeds) / (monotonic() - started)
    print(f"{len(seeds)} histories, {rate:.1f} a second on {jobs} cores: {len(broken)} broke a law")
    if broken:
        seed = broken[0][0]
        again = (f" --without {without}" if without else "") + "".join(f" --with {name}" for name in also)
        command = f"python -m tests.simulation --replay {seed} --shrink{again}"
        print(f"\nthe first of them, made as short as it gets ({command}):\n")
        replay(seed, shrunk=True, without=without, also=also)
    return int(bool(broken))


def _parts(seeds: range) -> Iterator[range]:
    for start in range(seeds.start, seeds.stop, CHUNK):
        yield range(start, min(start + CHUNK, seeds.stop))


if __name__ == "__main__":
    sys.exit(main())
