"""A completion is carried on once, also if the ledger or an answer is lost meanwhile."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make, Stage, attention


def test_what_waits_in_the_lane_to_be_completed_is_not_made_again(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    note = world.reply.person_creates(contact, "ToDo", world.due(hours=3), "Note")
    world.good()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9), title="newer")
    world.good()
    world.reply.person_completes(note)
    world.good()
    assert world.open() == (2, 1, 1)

    world.lose_ledger()
    world.again(3)

    assert world.open() == (2, 1, 1)


def test_a_twin_that_was_finished_while_the_ledger_was_lost_makes_the_task_done(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=3), title="Note")
    world.reply.person_creates(contact, "ToDo", world.due(hours=3), "Note")
    world.good()
    assert world.open() == (1, 1, 1)

    world.lose_ledger()
    world.complete_in("reply")
    world.again(3)

    assert world.open() == (0, 0, 0)


def test_the_twin_of_a_copy_that_was_finished_while_the_ledger_was_lost_is_not_copied_again(stage: Make) -> None:
    """HighLevel does not tell when a finished task was created, so it may as well be a later call."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), title="Ring")
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.good()
    assert world.open() == (1, 1, 1)

    world.lose_ledger()
    world.complete_in("highlevel")
    world.again(2)
    report = world.quiet()

    assert world.open() == (0, 1, 0)
    assert attention(report) == {("reply", "done_or_reopened")}


def _moves_on(world: Stage, system: str, remote_id: str) -> None:
    """An automation opens a completed task again, with its next date."""
    due = world.due(days=7)
    if system == "superfone":
        world.superfone.person_reopens(remote_id)
        world.superfone.person_reschedules(remote_id, due)
    elif system == "reply":
        world.reply.person_reopens(remote_id)
        world.reply.person_reschedules(remote_id, due)
    else:
        world.highlevel.person_reopens(remote_id)
        world.highlevel.person_reschedules(remote_id, due)


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_the_next_date_of_a_recurring_task_is_not_completed_though_the_answer_was_lost(
    stage: Make, system: str
) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    if system == "highlevel":
        world.reply.person_creates(contact, "Call", world.due(), "Ring")
    else:
        world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    copies = {
        "superfone": str(world.superfone_open()[0].id),
        "reply": str(world.reply_open()[0].id),
        "highlevel": world.highlevel_open()[0].id,
    }
    world.afterwards(system, "complete", lambda: _moves_on(world, system, copies[system]))
    world.fail(system, "complete", Fault.LOST_ANSWER)
    world.complete_in("reply" if system == "highlevel" else "highlevel")

    world.again(4)

    assert world.open() == (1, 1, 1)
    assert world.count(system, "complete") == 1
    world.quiet(2)
