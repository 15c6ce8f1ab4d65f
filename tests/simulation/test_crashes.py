"""A run is killed at a transaction or a request and started again: the end state is the same, then nothing is sent."""

from __future__ import annotations

import os

import pytest

from tests.simulation.crashes import SCENARIOS, Crash, Scenario

STEP = int(os.environ.get("SYNCER_CRASH_STEP", "9"))
"""Every which moment of a run is tried. 1 tries all, which takes minutes."""

pytestmark = pytest.mark.usefixtures("simulation")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_killed_and_started_again(scenario: Scenario) -> None:
    undisturbed = Crash(scenario)
    moments = undisturbed.run()
    wanted = undisturbed.rest()
    undisturbed.close()
    assert moments > 5
    for moment in range(1 + SCENARIOS.index(scenario) % STEP, moments + 1, STEP):
        crash = Crash(scenario)
        crash.run(killed_at=moment)
        assert crash.rest(wanted) == wanted, f"killed at moment {moment} of {moments}"
        crash.close()
