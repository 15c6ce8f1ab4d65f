"""Planted faults: small changes of the engine that break a law, each of which the simulation must notice.

A mutant is a change of a module's text, made in a process of its own. ``python -m tests.simulation.mutants "a lost
answer is repeated"`` plays seeds until one breaks its law. Without a name, names are read from standard input.

Most hunts begin with the seed that noticed the fault last, see `NOTED`. Where that one does not notice it any more, all
others follow, so an old file costs time and nothing else. ``--note`` writes it anew.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import traceback
from pathlib import Path

from tests.simulation.__main__ import prepare
from tests.simulation.disk import ledger_file
from tests.simulation.history import make_history
from tests.simulation.mutations import MUTANTS
from tests.simulation.planting import plant
from tests.simulation.play import play

END = "the hunt ended: "
WITHIN = 60
"""How many seeds are played, from 0 on."""


NOTED = Path(__file__).with_name("noticed_at.json")
"""The seed with which a hunt begins, by the fault's name; seed 0 for all others."""


def search(name: str) -> int | None:
    """Play seeds until one notices the fault, and return that one. Call it once a process: the fault stays planted."""
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    plant(mutant)
    first: int = json.loads(NOTED.read_text("utf-8")).get(name, 0)
    seeds: tuple[int, ...] = (first, *range(WITHIN))
    for seed in seeds:
        violation = play(make_history(seed, without=mutant.without, also=mutant.having))
        if violation is not None:
            print(f"seed {seed}: {str(violation).splitlines()[0]}")
            if violation.law == mutant.breaks:
                return seed
    print(f"no break of {mutant.breaks} was noticed within {WITHIN} seeds")
    return None


def hunt(name: str) -> int:
    """Return 0 if the fault is noticed, else 1."""
    return int(search(name) is None)


def note() -> None:
    """Write down which seeds notice the faults."""
    names = [mutant.name for mutant in MUTANTS]
    with multiprocessing.get_context("fork").Pool(maxtasksperchild=1) as pool:
        seeds = pool.map(search, names, chunksize=1)
    noted = {name: seed for name, seed in sorted(zip(names, seeds, strict=True)) if seed}
    NOTED.write_text(json.dumps(noted, indent=2) + "\n", "utf-8")


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
    if sys.argv[1:] == ["--note"]:
        note()
        sys.exit()
    if sys.argv[1:]:
        sys.exit(hunt(sys.argv[1]))
    serve()
