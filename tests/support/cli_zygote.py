"""A process that has imported everything and forks for each command: what `python -m syncer` does, seconds sooner.

Each line of standard input is a JSON object: ``args``, ``folder``, ``env``, and ``out``, a path that the files of the
command begin with: ``.stdout``, ``.stderr``, ``.pid`` and, when it has ended, ``.status``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpcore

import adapters.highlevel.adapter
import adapters.reply.adapter
import adapters.superfone.adapter
import syncer.cli.daemon
import syncer.web.app
import syncer.web.server
from syncer.cli import app
from syncer.cli.commands import check, explain, init, retry, runs, status, tasks
from syncer.ledger import sqlite

# A killed process loses nothing without waiting for the disk.
sqlite.SYNCHRONOUS = "OFF"  # type: ignore[misc]

WARM = (
    adapters,
    httpcore,
    syncer.cli.daemon,
    syncer.web.app,
    syncer.web.server,
    check,
    explain,
    init,
    retry,
    runs,
    status,
    tasks,
)


def supervise(order: dict[str, Any]) -> None:
    """Fork once more, and write down what becomes of it."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        become(order)
    write(order["out"] + ".pid", str(child))
    _, ended = os.waitpid(child, 0)
    write(order["out"] + ".status", str(os.waitstatus_to_exitcode(ended)))


def become(order: dict[str, Any]) -> None:
    """Be that command."""
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["env"])
    for number, mode, name in ((0, os.O_RDONLY, ".stdin"), (1, 0o1101, ".stdout"), (2, 0o1101, ".stderr")):
        os.dup2(os.open(order["out"] + name, mode, 0o600), number)
    sys.argv = ["syncer", *order["args"]]
    status = 1
    try:
        app.main()
    except SystemExit as left:
        status = left.code if isinstance(left.code, int) else int(left.code is not None)
    except BaseException as error:  # noqa: BLE001 - the interpreter's own last resort, which a fork does not reach
        sys.excepthook(type(error), error, error.__traceback__)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def write(path: str, text: str) -> None:
    """Whole, or not yet."""
    part = Path(path + ".part")
    part.write_text(text)
    part.rename(path)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    if "PLANTED_WIRE" in os.environ:
        from tests.simulation.wiring import plant_as_told

        plant_as_told()
    for line in sys.stdin:
        if os.fork() == 0:
            supervise(json.loads(line))
            os._exit(0)


if __name__ == "__main__":
    main()
