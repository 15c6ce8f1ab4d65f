"""A task that people give to one contact after another, or in parts."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from adapters.sandbox import Fault
from tests.support.editing import USERS
from tests.support.ledger_world import Worlds
from tests.support.scenario import Make, Stage, attention
from tests.support.two_persons import OTHER, Two

MOVED = "other_contact"
THIRD = "+919876543255"


def give(world: Stage, system: str, copy: str, ids: tuple[str, str, str]) -> None:
    """Somebody gives the copy to this person's contact."""
    if system == "highlevel":
        world.highlevel.person_moves(copy, ids[2])
    else:
        world.reply.person_moves(copy, ids[1])


@pytest.mark.parametrize("runs", [0, 1, 3])
@pytest.mark.parametrize("system", ["highlevel", "reply"])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_a_lost_ledger_makes_nothing_again_for_whoever_had_it_in_between(
    stage: Make, origin: str, system: str, runs: int
) -> None:
    world = stage()
    two = Two(world, origin)
    given = two.copy if system == "highlevel" else str(world.reply_open()[0].id)
    give(world, system, given, two.ravi)
    world.again(3)
    assert two.open()[1] == (1, 1, 1)
    give(world, system, given, two.asha)
    if runs:
        world.again(runs)
    world.lose_ledger()
    report = world.again(4)
    assert two.open() == ((1, 1, 1), (1, 1, 0) if system == "highlevel" else (1, 0, 1))
    assert MOVED in {reason for _, reason in attention(report)}
    world.quiet(2)


@pytest.mark.parametrize("runs", [0, 1, 2, 3])
@pytest.mark.parametrize("first", ["highlevel", "reply"])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_copies_that_come_to_a_contact_one_after_the_other_are_one_task_there(
    stage: Make, origin: str, first: str, runs: int
) -> None:
    """Once the first one has got a copy there, the second one is too many."""
    world = stage()
    two = Two(world, origin)
    meera = world.everywhere("Meera", THIRD)
    copies = {"highlevel": two.copy, "reply": str(world.reply_open()[0].id)}
    away, second = (next(system for system in copies if system != one) for one in (origin, first))
    give(world, away, copies[away], meera)
    world.again(3)
    give(world, first, copies[first], two.ravi)
    if runs:
        world.again(runs)
    give(world, second, copies[second], two.ravi)
    world.again(4)
    asha, ravi = two.open()
    assert asha == (1, 0, 0)
    assert ravi == ((1, 1, 1) if runs < 2 else (1, 2, 1) if first == "highlevel" else (1, 1, 2))
    world.quiet(2)


@pytest.mark.parametrize("assigned", [False, True])
def test_whom_reply_put_into_our_copy_is_not_the_assignee_for_the_other_contact(stage: Make, assigned: bool) -> None:
    """Reply gives what we make to the user of the key. Nobody chose that user."""
    world = stage(more=USERS)
    two = Two(world)
    if assigned:
        world.highlevel.person_assigns(two.copy, "userRavi")
        world.again(2)
    world.reply.person_moves(str(world.reply_open()[0].id), two.ravi[1])
    world.again(4)
    assert two.open() == ((1, 0, 1), (1, 1, 1))
    for _ in range(2):
        [new] = [task for task in world.highlevel_open() if task.contact == two.ravi[2]]
        assert new.assigned_to is None
        world.highlevel.person_deletes(new.id)
        world.again(2)
        world.retry()
        world.again(2)
    world.quiet(2)


def test_whom_reply_put_there_is_not_the_assignee_though_the_title_was_changed_meanwhile(stage: Make) -> None:
    world = stage(more=USERS)
    two = Two(world)
    copy = str(world.reply_open()[0].id)
    world.reply.person_moves(copy, two.ravi[1])
    world.again()
    world.reply.person_edits_body(copy, "Ring twice")
    world.fail("highlevel", "create", Fault.ERROR_BEFORE, times=9)
    world.again()
    world.heal()
    world.again(4)
    assert two.open() == ((1, 0, 1), (1, 1, 1))
    [new] = [task for task in world.highlevel_open() if task.contact == two.ravi[2]]
    assert new.assigned_to is None
    world.quiet(2)


def test_what_people_copy_for_another_contact_with_its_marker_is_that_contacts_task(stage: Make) -> None:
    world = stage()
    two = Two(world, "reply")
    world.wait(minutes=30)
    copy = world.highlevel.task(two.copy)
    due = datetime.fromisoformat(copy.due or "")
    world.highlevel.person_creates(two.ravi[2], copy.title, due=due, body=copy.body)
    report = world.again(3)
    assert two.open() == ((1, 1, 1), (1, 1, 1))
    assert attention(report) == set()


@pytest.mark.parametrize("system", ["highlevel", "reply"])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_an_old_ledger_that_cannot_read_the_first_contact_makes_nothing_again_for_the_other(
    worlds: Worlds, origin: str, system: str
) -> None:
    """It still takes the task for the first one's, and the copies that were made since for nobody's."""
    world = worlds()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    if origin == "highlevel":
        world.highlevel.person_creates(asha[2], "Ring", world.due())
    else:
        world.reply.person_creates(asha[1], "Call", world.due(), "Ring")
    world.runs(2)
    world.copy()
    if system == "highlevel":
        world.highlevel.person_moves(world.highlevel_open()[0].id, ravi[2])
    else:
        world.reply.person_moves(str(world.reply_open()[0].id), ravi[1])
    world.runs(4)
    there = world.open()
    world.put_back()
    world.superfone.fault = lambda call: Fault.ERROR_BEFORE if f"/lead/{asha[0]}/" in call.path else None
    world.runs(5)
    assert world.open() == there
    world.superfone.fault = lambda _call: None
    world.runs(5)
    assert world.open() == there
    world.quiet(2)


def test_a_message_is_one_with_its_copy_though_that_does_not_show_its_kind(worlds: Worlds) -> None:
    world = worlds()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    mail = world.reply.person_creates(asha[1], "ManualEmail", world.due(), "Write")
    world.runs(2)
    world.copy()
    world.reply.person_moves(mail, ravi[1])
    world.runs(4)
    assert world.open() == (0, 1, 2)
    world.put_back()
    world.superfone.fault = lambda call: Fault.ERROR_BEFORE if f"/lead/{asha[0]}/" in call.path else None
    world.runs(5)
    world.superfone.fault = lambda _call: None
    report = world.runs(5)
    assert world.open() == (0, 1, 2)
    assert len(report.attention) == 1
    world.reply.person_completes(mail)
    world.runs(2)
    assert world.open() == (0, 0, 1)
    world.quiet(2)


def test_what_is_typed_before_the_two_go_to_two_contacts_stays_with_the_one_in_which_it_was_typed(stage: Make) -> None:
    world = stage()
    two = Two(world, "reply")
    meera = world.everywhere("Meera", THIRD)
    before = world.highlevel.task(two.copy).due
    give(world, "highlevel", two.copy, two.ravi)
    world.reply.person_reschedules(two.task, world.due(hours=40))
    give(world, "reply", two.task, meera)
    world.again(5)
    assert two.open() == ((1, 0, 0), (1, 1, 1))
    assert world.highlevel.task(two.copy).due == before
    world.quiet(2)


def test_what_goes_with_its_copy_while_the_search_lags_gets_no_second_copy(stage: Make) -> None:
    world = stage()
    two = Two(world, "reply")
    world.again()
    world.highlevel.lag = timedelta(seconds=90)
    give(world, "reply", two.task, two.ravi)
    give(world, "highlevel", two.copy, two.ravi)
    world.again(2, seconds=20)
    world.again(5)
    assert two.open() == ((1, 0, 0), (1, 1, 1))
    world.quiet(2)
