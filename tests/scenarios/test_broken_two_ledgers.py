"""Two ledgers that write in the same moment: what both made is told, and neither makes a third copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sandbox import Call
from adapters.superfone.sandbox_store import API_USER
from tests.support.ledger_world import Ledgers
from tests.support.scenario import attention
from tests.support.world import SECRETS


@pytest.fixture(name="world")
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledgers]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    world = Ledgers(tmp_path, seed=0)
    yield world
    world.close()


@pytest.mark.parametrize("origin", ["reply", "highlevel"])
def test_what_two_ledgers_made_at_once_in_superfone_is_one_task(world: Ledgers, origin: str) -> None:
    """The second create closes what the first one made: a copy of ours, which nobody needs to have put back."""
    world.make(origin)
    lead = world.superfone.leads()[0].id
    due = world.due(hours=5)

    def other_ledger(call: Call) -> None:
        if world.superfone.is_write(call):
            world.superfone.before = lambda _call: None
            world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due, by=API_USER)

    world.superfone.before = other_ledger
    world.wait(minutes=1)
    report = world.sync()

    assert not report.incidents
    world.quiet(3)
    assert world.open() == (1, 1, 1)
    assert not attention(report)
