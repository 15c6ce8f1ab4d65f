"""What the oracle expects of two machines that serve the same account, each with its own ledger."""

from __future__ import annotations

import pytest

from tests.simulation.actions import Act, Action, Freeze, History, Make, Run
from tests.simulation.play import play

SETTINGS = (("superfone", 'slot = "earliest_due"'), ("sync", 'cancelled = "keep"'))
OURS, ANOTHER = Run(), Run(ledger=1)
pytestmark = pytest.mark.usefixtures("simulation")


def kept(*actions: Action) -> bool:
    """Whether every law is kept."""
    return play(History(1, SETTINGS, skew=0, page=0, counted=True, actions=actions)) is None


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_twin_that_changed_before_another_machine_read_it_is_another_task_there(system: str) -> None:
    twins = Make("reply", person=2, kind=78, minutes=2303, twin_in="highlevel")
    change = Act("reschedule", system, which=0, minutes=1949)
    assert kept(OURS, ANOTHER, twins, OURS, change, ANOTHER)
    assert kept(twins, OURS, Run(((19, change),), ledger=1))


@pytest.mark.parametrize("moment", [58, 60, 62, 64])
def test_a_machine_writes_on_while_another_process_took_the_lease_of_the_other_machines_ledger(moment: int) -> None:
    first, new = (Make("reply", person=1, kind=83, minutes=minutes) for minutes in (3311, 1311))
    assert kept(first, OURS, ANOTHER, new, Run(((moment, Freeze(400)),), ledger=2))
