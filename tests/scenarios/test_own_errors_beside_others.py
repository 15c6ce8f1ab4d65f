"""An error of ours with one person's tasks that has to do with somebody else's."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from syncer.domain.model import Reading
from syncer.reconcile import merge as merging
from syncer.reconcile.merging import Merging
from tests.support.own_errors import BOOKING, failing, people, raise_for
from tests.support.scenario import Make


def test_a_doubt_that_cannot_be_settled_beside_a_task_on_another_persons_contact(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """Whoever is left out before the CRMs are read may be connected with somebody by what is read then."""
    world, persons = people(stage)
    first, second, third = persons
    lead = first[0]
    world.highlevel.person_creates(first[2], "Ring", world.due())
    world.fail("superfone", "create", Fault.LOST_REQUEST)
    world.again()
    with monkeypatch.context() as bug:

        def whose(work: Merging) -> str:
            seen = work.inputs.seen
            alone = not any(seen[system].readings for system in ("reply", "highlevel"))
            return lead if alone and seen["superfone"].lanes.get(lead) else ""

        raise_for(bug, merging, "look_at_closed", lead, whose)
        world.fail("superfone", "create", Fault.LOST_ANSWER)
        world.again()
        world.reply.person_moves(str(world.reply_open()[0].id), second[1])
        world.highlevel.person_creates(third[2], "Ring", world.due())
        report = world.again(2)
        assert {system for _, system in failing(report)} == {"highlevel", "reply"}
        assert world.open() == (2, 2, 2)
    world.again(4)
    assert world.open() == (3, 2, 3)
    assert not failing(world.quiet())
    assert own_errors


def test_an_error_that_shows_only_beside_what_others_tasks_tell_is_still_one_persons(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """A marker in one person's task tells of a lost ledger, and from then on another one's cannot be begun."""
    world, persons = people(stage, 5)
    world.highlevel.person_creates(persons[0][2], "Ring", world.due())
    world.again(2)
    world.lose_ledger()
    for lead, _, _ in persons[1:]:
        world.superfone.person_creates(lead, BOOKING, world.due())
    lead = persons[3][0]
    with monkeypatch.context() as bug:

        def whose(work: Merging, reading: Reading, **_: object) -> str | None:
            return reading.contact if work.standing.has_forerunner else None

        raise_for(bug, Merging, "begin", lead, whose)
        assert failing(world.good()) == [(None, "superfone")]
        assert own_errors[0].endswith(f"superfone:{lead}")
        assert world.open() == (5, 4, 4)
    world.good()
    assert world.open() == (5, 5, 5)
    assert not failing(world.quiet())
