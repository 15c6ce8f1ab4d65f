"""What edits cost if there are none: no request, but for the texts that Reply's lists do not show."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from itertools import combinations

import pytest

from tests.simulation.actions import SYSTEMS
from tests.simulation.stage import SimulationStage

Calls = Counter[tuple[str, str, str]]
"""How often (CRM, method, path with ``*`` for ids)."""
TASKS = 4
TURN = ("reply", "GET", "/tasks/*")

pytestmark = pytest.mark.usefixtures("simulation")


def a_quiet_run(systems: tuple[str, ...], sync: str) -> Calls:
    """The requests of a run that finds nothing new, after runs that have written all there is to write."""
    stage = SimulationStage(0, {"sync": sync}, systems)
    try:
        phone = "+919876543210"
        stage.superfone.add_lead("Asha", [phone], ["asha@example.com"])
        contact = stage.reply.add_contact("Asha", "asha@example.com", phone)
        person = stage.highlevel.add_contact("Asha", "Rao", "asha@example.com", phone)
        for number in range(TASKS):
            due = stage.now().replace(microsecond=0) + timedelta(hours=5 + number)
            if "highlevel" not in systems or ("reply" in systems and number % 2):
                stage.reply.person_creates(contact, "Call", due, f"Ring {number}\nwords")
            else:
                stage.highlevel.person_creates(person, f"Meet {number}", due, "words")
        for _ in range(4):
            stage.run()
            stage.wait(120)
        before = {system: len(sandbox.calls) for system, sandbox in stage.sandboxes.items()}
        outcome = stage.run()
        assert outcome.report is not None
        assert not any(outcome.report.created.values())
        return Counter(
            (system, call.method, re.sub(r"/\d+|/\w{20}(?=/|$)", "/*", call.path))
            for system, sandbox in stage.sandboxes.items()
            for call, _ in sandbox.calls[before[system] :]
        )
    finally:
        stage.close()


@pytest.mark.parametrize("systems", [SYSTEMS, *combinations(SYSTEMS, 2)], ids="-".join)
def test_a_run_that_finds_nothing_new_costs_no_request_for_edits_but_the_turn_of_texts(
    systems: tuple[str, ...],
) -> None:
    on, off = a_quiet_run(systems, ""), a_quiet_run(systems, "edits = []")
    turn = on.pop(TURN, 0) - off.pop(TURN, 0)
    assert on == off
    assert on
    assert turn == (TASKS if "reply" in systems else 0)
