"""Faults planted in the connections between modules: an argument, a field or a call that is left out.

Correct parts may be connected wrongly. Each fault names the tests that notice it. ``python -m tests.simulation.wiring
"two persons are merged, and the tasks of one stay behind"`` plants it and runs them. Without a name, all faults are
planted one after another.
"""

from __future__ import annotations

import os
import sys
from typing import Final

from tests.simulation.__main__ import prepare
from tests.simulation.history import make_history
from tests.simulation.mutants import WITHIN
from tests.simulation.planting import plant
from tests.simulation.play import play
from tests.simulation.wires import IN_A_RUN, Wire
from tests.simulation.wires_people import BY_PEOPLE
from tests.simulation.wires_quiet import QUIET
from tests.simulation.wires_unnoticed import UNNOTICED_ONCE

PLANTED: Final = "PLANTED_WIRE"
"""The variable that names the planted fault."""


WIRES: Final = (*IN_A_RUN, *UNNOTICED_ONCE, *QUIET, *BY_PEOPLE)


def plant_as_told() -> None:
    """Plant the fault of the parent process, if there is one. Tests call this in the processes that they start."""
    for wire in WIRES:
        if wire.name == os.environ.get(PLANTED):
            plant(wire.mutant)


def notice(wire: Wire) -> int:
    """Plant a fault in a child process and run its tests. Returns 0 if they notice it."""
    child = os.fork()
    if child == 0:
        status = 1
        # The commands that tests start are processes of their own.
        os.environ[PLANTED] = wire.name
        try:
            plant(wire.mutant)
            status = int(not (_tests_fail(wire.noticed_by.split()) if wire.noticed_by else _histories_fail()))
        finally:
            sys.stdout.flush()
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(ended)


def _tests_fail(nodes: list[str]) -> bool:
    import pytest

    quiet = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "--no-header", "--tb=no", "--assert=plain"]
    # A failed test may leave sockets open, which would be an error of the whole run.
    quiet += ["-p", "no:unraisableexception"]
    return pytest.main([*quiet, *nodes]) is pytest.ExitCode.TESTS_FAILED


def _histories_fail() -> bool:
    prepare()
    return any(play(make_history(seed)) is not None for seed in range(WITHIN))


def main() -> int:
    """The command line."""
    wanted = [wire for wire in WIRES if not sys.argv[1:] or wire.name in sys.argv[1:]]
    missed = []
    for wire in wanted:
        print(f"\n{wire.name}", flush=True)
        if notice(wire):
            missed.append(wire.name)
    print(f"{len(wanted)} planted, {len(missed)} unnoticed: {missed}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
