"""Random histories keep the laws, and every planted fault is noticed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.simulation.dimensions import DIMENSIONS
from tests.simulation.history import make_history
from tests.simulation.mutants import END
from tests.simulation.mutations import MUTANTS
from tests.simulation.planting import Mutant
from tests.simulation.play import play
from tests.simulation.shrink import shrink

PART = 5
RANGES = [*((first * PART, "") for first in range(5)), (0, "twins"), (0, "markers")]
# The other dimensions are played with their planted faults.
WITHOUT_A_FAULT = sorted(DIMENSIONS.keys() - {name for mutant in MUTANTS for name in mutant.having})

pytestmark = pytest.mark.usefixtures("simulation")


@pytest.mark.parametrize(("first", "without"), RANGES)
def test_no_history_breaks_a_law(first: int, without: str) -> None:
    for seed in range(first, first + PART):
        violation = play(make_history(seed, without=without))
        assert violation is None, f"python -m tests.simulation --replay {seed} --shrink: {violation}"


@pytest.fixture(scope="module")
def hunter() -> Iterator[subprocess.Popen[str]]:
    """A process that has imported everything and hunts for mutants."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation.mutants"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        yield process


@pytest.mark.parametrize("name", WITHOUT_A_FAULT)
def test_a_history_with_a_dimension_can_be_played(name: str) -> None:
    violation = play(make_history(0, also=(name,)))
    assert violation is None, violation


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_noticed(hunter: subprocess.Popen[str], mutant: Mutant) -> None:
    assert hunter.stdin is not None
    assert hunter.stdout is not None
    print(mutant.name, file=hunter.stdin, flush=True)
    said: list[str] = []
    for line in hunter.stdout:
        said.append(line)
        if line.startswith(END):
            break
    assert said[-1] == f"{END}0\n", "".join(said)


def test_a_history_is_the_same_every_time() -> None:
    def story(seed: int) -> list[str]:
        told: list[str] = []
        play(make_history(seed), told.append)
        return told

    assert story(7) == story(7)


def test_a_failing_history_is_made_as_short_as_it_gets() -> None:
    def fails(history: object) -> bool:
        told: list[str] = []
        play(history, told.append)  # type: ignore[arg-type]
        return any("complete" in line for line in told)

    shrunk = shrink(make_history(3), fails)
    assert fails(shrunk)
    assert len(shrunk.actions) <= 3
