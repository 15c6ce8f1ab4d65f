"""Planted faults: small changes of the engine that break a law, each of which the simulation must notice.

A mutant is a change of a module's text, made in a process of its own. ``python -m tests.simulation.mutants "a lost
answer is repeated"`` plays seeds until one breaks its law. Without a name, names are read from standard input.
"""

from __future__ import annotations

import os
import sys
import traceback

from tests.simulation.__main__ import prepare
from tests.simulation.disk import ledger_file
from tests.simulation.history import make_history
from tests.simulation.mutations import MUTANTS
from tests.simulation.planting import plant
from tests.simulation.play import play

END = "the hunt ended: "
WITHIN = 60
"""How many seeds are played, from 0 on."""


def hunt(name: str) -> int:
    """Play seeds until one notices the fault. Returns 0 if one does, else 1."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    plant(mutant)
    for seed in range(WITHIN):
        violation = play(make_history(seed, without=mutant.without, also=mutant.having))
        if violation is not None:
            print(f"seed {seed}: {str(violation).splitlines()[0]}")
            if violation.law == mutant.breaks:
                return 0
    print(f"no break of {mutant.breaks} was noticed within {WITHIN} seeds")
    return 1


def serve() -> None:
    """Test the fault that each line of standard input names, in a fork of a process that has imported everything."""
    play(make_history(0))
    # A child process must not share a database connection with its parent.
    ledger_file().database.dispose()
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                status = hunt(line.strip())
            except BaseException:  # noqa: BLE001 - the interpreter's own last resort, which a fork does not reach
                traceback.print_exc(file=sys.stdout)
            sys.stdout.flush()
            os._exit(status)
        _, ended = os.waitpid(child, 0)
        print(f"{END}{os.waitstatus_to_exitcode(ended)}", flush=True)


if __name__ == "__main__":
    prepare()
    if sys.argv[1:]:
        sys.exit(hunt(sys.argv[1]))
    serve()
