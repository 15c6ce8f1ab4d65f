"""One task that several people wrote down is one task; what only looks like it is another; history stays history."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import Make, waiting


def test_twins_in_all_three_crms_are_one_task(stage: Make) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    world.superfone.person_creates(lead, "FIRST_CALL", world.due())
    world.reply.person_creates(contact, "Call", world.due(hours=5, seconds=40), "Ring Asha")
    world.highlevel.person_creates(person, "Ring Asha!", world.due(hours=5, seconds=-20))

    report = world.good()

    assert sum(report.created.values()) == 0
    assert world.open() == (1, 1, 1)
    world.quiet(2)

    world.complete_in("highlevel")
    report = world.good()
    assert dict(report.completed) == {"superfone": 1, "reply": 1, "highlevel": 0}
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_twin_that_comes_later_is_adopted(stage: Make) -> None:
    world = stage(more='[routes]\nfollow_up_call = ["superfone", "reply"]\n')
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    assert world.open() == (1, 1, 0)
    world.highlevel.person_creates(person, "Ring Asha", world.superfone_open()[0].due)

    world.quiet(2)

    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize(
    ("settings", "titles", "seconds"),
    [
        ({}, ("Ring Asha", "Ask about the flat"), 0),
        ({}, ("Ring Asha", "Ring Asha"), 61),
        ({"sync": "twin_window = 0"}, ("Ring Asha", "Ring Asha"), 0),
    ],
)
def test_no_twins(stage: Make, settings: dict[str, str], titles: tuple[str, str], seconds: int) -> None:
    world = stage(**settings)
    _, contact, person = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=5), titles[0])
    world.highlevel.person_creates(person, titles[1], world.due(hours=5, seconds=seconds))

    report = world.good()

    assert world.open() == (1, 2, 2)
    assert waiting(report) == {("superfone", "slot_taken")}
    world.quiet(2)


def test_kinds_that_do_not_fit_are_no_twins(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.reply.person_creates(contact, "ToDo", world.due())

    world.good()

    assert world.open() == (2, 2, 2)
    world.quiet()


@pytest.mark.parametrize(("raw_type", "task_type"), [("BOOKING", "Meeting"), ("REMINDER", "ToDo")])
def test_compatible_kinds_are_twins(stage: Make, raw_type: str, task_type: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, raw_type, world.due())
    world.reply.person_creates(contact, task_type, world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_of_two_candidates_neither_is_the_twin(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.reply.person_creates(contact, "Call", world.due(), "Ring Asha")
    world.reply.person_creates(contact, "Call", world.due(), "Ring Asha")

    world.good()

    assert world.open() == (1, 3, 3)
    world.quiet(2)


def test_other_peoples_tasks_are_no_twins(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    _, _, other = world.everywhere("Ravi", "+919876543211")
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.highlevel.person_creates(other, "Ring", world.due())

    world.good()

    assert world.open() == (2, 2, 2)
    world.quiet()


def test_what_is_closed_when_first_seen_is_history(stage: Make) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    done = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.superfone.person_completes(done)
    world.reply.person_completes(world.reply.person_creates(contact, "Call", world.due(hours=2)))
    world.reply.person_cancels(world.reply.person_creates(contact, "Meeting", world.due(hours=3)))
    world.highlevel.person_completes(world.highlevel.person_creates(person, "Old", world.due(hours=4)))
    world.wait(hours=1)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_a_superfone_task_superseded_before_we_came_is_history(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.superfone.person_creates(lead, "SITE_VISIT", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet(2)


def test_made_and_done_between_two_runs_is_history(stage: Make) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    world.quiet()
    world.reply.person_completes(world.reply.person_creates(contact, "Call", world.due()))
    world.highlevel.person_completes(world.highlevel.person_creates(person, "Quick", world.due()))

    world.quiet(2)

    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("status", ["Cancelled", "Archived", "SequenceDetached"])
@pytest.mark.parametrize("cancelled", ["close", "keep"])
def test_a_task_that_reply_cancelled(stage: Make, status: str, cancelled: str) -> None:
    world = stage(sync=f'cancelled = "{cancelled}"')
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.good()
    world.reply.person_cancels(task, status)

    report = world.good()

    if cancelled == "close":
        assert world.open() == (0, 0, 0)
        assert report.waiting == ()
    else:
        assert world.open() == (1, 0, 1)
        assert waiting(report) == {("reply", "closed_there")}
    world.quiet(2)
    if cancelled == "keep":
        world.complete_in("superfone")
        world.good()
        assert world.open() == (0, 0, 0)
        world.quiet()


def test_a_failed_execution_is_cancelled_not_done(stage: Make) -> None:
    world = stage(sync='cancelled = "keep"')
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Sms", world.due())
    world.good()
    world.reply.person_completes(task, failed=True)

    world.good()

    assert world.open() == (0, 0, 1)
    world.quiet()


def test_our_own_copy_cancelled_in_reply(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.reply.person_cancels(str(world.reply_open()[0].id))

    world.good()

    assert world.open() == (0, 0, 0)
    with world.open_ledger() as ledger:
        [view] = ledger.tasks()
        assert view.task.state == "cancelled"
        assert any("cancelled" in event.detail for event in ledger.history(view.task.id))
    world.quiet()


def test_scheduled_tasks_run_by_themselves(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ManualEmail", world.due(), sequence=77, scheduled=True)

    report = world.good()

    assert world.open() == (0, 1, 0)
    assert waiting(report) == {("reply", "scheduled")}
    world.quiet()
    world.reply.person_completes(task)
    assert world.quiet().waiting == ()


def test_a_sequences_tasks_may_be_read_only(stage: Make) -> None:
    world = stage(reply='sequence_tasks = "read_only"')
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), sequence=77)
    world.good()
    world.complete_in("superfone")

    report = world.good()

    assert world.open() == (0, 1, 0)
    assert waiting(report) == {("reply", "sequence_read_only")}
    world.quiet(2)
    world.complete_in("reply")
    assert world.quiet().waiting == ()


def test_reopened_in_highlevel_is_a_new_task(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)
    world.highlevel.person_reopens(task)

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)

    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_reopened_in_reply_is_a_new_task(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    [copy] = world.reply_open()
    world.complete_in("superfone")
    world.good()
    world.reply.person_reopens(str(copy.id))

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_reopened_in_superfone_is_a_new_task(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.superfone.person_completes(task)
    world.good()
    assert world.open() == (0, 0, 0)
    world.superfone.person_reopens(task)

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("superseded", ["keep", "complete"])
def test_the_text_of_a_copy_that_was_reopened_makes_no_task_of_the_one_that_is_done(
    stage: Make, superseded: str
) -> None:
    """Once people reopened all copies, the ledger still knows that it made them of a task that was open."""
    world = stage(superfone=f'superseded = "{superseded}"')
    lead, _, contact = world.everywhere()
    task = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), title="Call Asha")
    world.good()
    (copy,), (other,) = world.reply.tasks(), world.highlevel.tasks()
    if superseded == "complete":
        world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9), title="Visit")
    else:
        world.superfone.person_completes(task)
    world.good()
    world.reply.person_reopens(str(copy.id))
    world.highlevel.person_reopens(other.id)
    world.good()
    shown = world.open()

    pasted = world.highlevel.person_creates(contact, "Send the plan", world.due(hours=5), body=other.body)
    report = world.good()

    assert report.attention == ()
    assert world.open()[1:] == (shown[1] + 1, shown[2] + 1)
    assert ("superfone", "closed_there") not in waiting(report)
    with world.open_ledger() as ledger:
        assert f"highlevel:{pasted}" in {known.task.id for known in ledger.tasks(state="open")}
    world.quiet(2)


def test_another_title_is_another_task_though_a_clock_that_is_fast_says_that_it_was_made_later(stage: Make) -> None:
    """In the first run what Superfone shows may be our copy, but not where it has a title of theirs."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(), "Send the prices")
    world.wait(minutes=1)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=5, minutes=-1), title="Ask for the plan")

    world.good()

    assert world.open() == (2, 2, 2)
    world.quiet()


@pytest.mark.parametrize(
    ("twins", "down"),
    [
        (("superfone", "highlevel"), ("superfone", "reply")),
        (("superfone", "reply"), ("superfone", "highlevel")),
        (("reply", "highlevel"), ("superfone", "highlevel")),
    ],
)
def test_twins_are_one_task_again_though_a_lost_ledger_could_read_one_of_them_only(
    stage: Make, twins: tuple[str, str], down: tuple[str, str]
) -> None:
    """What could be read became a task of its own."""
    world = stage()
    lead, contact, person = world.everywhere()
    due = world.due()
    if "superfone" in twins:
        world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due, title="Ring")
    if "reply" in twins:
        world.reply.person_creates(contact, "Call", due, "Ring")
    if "highlevel" in twins:
        world.highlevel.person_creates(person, "Ring", due)
    world.good()
    assert world.open() == (1, 1, 1)
    world.lose_ledger()
    for system in down:
        for name in ("tasks", "tasks of contact", "task"):
            world.fail(system, name, Fault.ERROR_BEFORE, times=100)
    world.again()
    world.heal()

    world.quiet(3)

    world.complete_in("highlevel")
    world.again(2)
    assert world.open() == (0, 0, 0)
