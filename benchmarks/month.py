"""The memory of a daemon during a month.

``python -W ignore -m benchmarks.month [DAYS [MINUTES]]``: a daemon serves one account on a virtual clock, with this
pause between two runs (default 5 minutes; it must divide 10). People make and finish a task every ten minutes. It
prints its memory and the number of objects, for each hour of the first day and then for each day. A month takes
about half an hour, and with runs a minute apart two hours. The simulated CRMs have a process of their own, so that
their tasks are not counted.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil

from benchmarks.far_office import FarOffice
from tests.support.months import objects, serve_for
from tests.support.world import SECRETS

A_MONTH: Final = 30
"""In days."""
PAUSE: Final = 5
"""Minutes between two runs."""
_HOUR: Final = 60
_DAY: Final = 24


def main() -> None:
    """Serve for this many days and print."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else A_MONTH
    pause = int(sys.argv[2]) if len(sys.argv) > 2 else PAUSE
    runs = days * _DAY * _HOUR // pause
    os.environ |= SECRETS
    sys.stdout, told = Path(os.devnull).open("w", encoding="utf-8"), sys.stdout  # noqa: SIM115 - until the end
    process, began = psutil.Process(), time.monotonic()

    def look(run: int) -> None:
        hour, rest = divmod(run * pause, _HOUR)
        if rest == 0 and (hour <= _DAY or hour % _DAY == 0):
            megabytes = process.memory_info().rss / 2**20
            line = f"hour {hour:4}  {megabytes:7.1f} MiB  {objects():8,} objects  {time.monotonic() - began:6.0f} s"
            print(line, file=told, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        serve_for(Path(folder), runs, look, FarOffice, minutes=pause)


if __name__ == "__main__":
    main()
