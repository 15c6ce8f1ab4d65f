"""A copy in a CRM without markers, whose origin was finished before this ledger saw either: nothing is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.sandbox import Fault
from syncer.domain.reasons import Reason
from tests.support.ledger_world import Ledgers
from tests.support.scenario import attention
from tests.support.world import SECRETS


@pytest.fixture(name="world")
def make_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledgers]:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    world = Ledgers(tmp_path, seed=0, more='[[highlevel.kind_rules]]\nmatch = "Remind"\nkind = "reminder"')
    yield world
    world.close()


@pytest.mark.parametrize("reminder", [True, False])
def test_what_the_other_ledger_copied_and_somebody_finished_does_not_come_back(world: Ledgers, reminder: bool) -> None:
    """The second ledger is killed after its first create, which has no marker; then the origin is finished."""
    world.make("highlevel", hours=9, title="Ring first")
    world.runs(2)
    world.finish("highlevel", world.highlevel_open()[0].id)
    world.runs(2)
    assert world.open() == (0, 0, 0)
    world.use("laptop")
    world.runs(2)
    task = world.make("highlevel", reminder=reminder)
    world.reply.fault = lambda call: Fault.ERROR_BEFORE if world.reply.is_write(call) else None
    world.runs()
    assert world.open() == (1, 0, 1)
    world.finish("highlevel", task)
    world.reply.fault = lambda _call: None
    world.use("acme")

    report = world.quiet(3)

    assert world.open() == (1, 0, 0)
    assert attention(report) == {("superfone", Reason.DONE_OR_REOPENED)}


@pytest.mark.parametrize("sequence", [None, 7])
def test_with_two_crms_a_lost_ledger_brings_back_nothing_that_was_finished(
    world: Ledgers, sequence: int | None
) -> None:
    """Of what a sequence made and somebody finished, its list alone is read."""
    world.without("highlevel")
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due(), "Ring Asha", sequence=sequence)
    world.runs(2)
    assert world.open() == (1, 1, 0)
    world.finish("reply", task)
    world.use("new")

    report = world.quiet(3)

    assert world.open() == (1, 0, 0)
    assert attention(report) == {("superfone", Reason.DONE_OR_REOPENED)}
