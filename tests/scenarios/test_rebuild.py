"""The ledger is lost, the CRMs are not: what we wrote is recognised, not written again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from unittest.mock import patch

import pytest

from adapters.sandbox import Call, Fault, Sandbox
from tests.support.scenario import PHONE, Make, Stage, attention, waiting

SYSTEMS = ("superfone", "reply", "highlevel")


def lost(world: Stage, *, tasks: int) -> None:
    """Lose the ledger; the next runs write nothing and know so many open tasks again."""
    world.lose_ledger()
    world.quiet(2)
    with world.open_ledger() as ledger:
        assert len(ledger.tasks(state="open")) == tasks


def unreachable(crm: Sandbox) -> AbstractContextManager[object]:
    """A CRM that cannot be reached for a while."""
    return patch.object(crm, "fault", lambda _call: Fault.NO_CONNECTION)


def no_single_task(call: Call) -> Fault | None:
    """Lists can be read, and no task by itself."""
    return Fault.ERROR_BEFORE if "/tasks/" in call.path and call.method == "GET" else None


def task_without_a_due(world: Stage) -> None:
    if not world.highlevel.contacts():
        world.everywhere()
    world.highlevel.person_creates(world.highlevel.contacts()[0].id, "Ring Asha", None, "about parking")


def task_in(world: Stage, system: str) -> None:
    if not world.superfone.leads():
        world.everywhere()
    lead, contact, person = (
        world.superfone.leads()[0].id,
        str(world.reply.contacts()[0].id),
        world.highlevel.contacts()[0].id,
    )
    if system == "superfone":
        world.superfone.person_creates(lead, "FIRST_CALL", world.due(), title="Ring Asha")
    elif system == "reply":
        world.reply.person_creates(contact, "Call", world.due(), "Ring Asha\nabout parking")
    else:
        world.highlevel.person_creates(person, "Ring Asha", world.due(), "about parking")


@pytest.mark.parametrize("twin_window", ["60s", "0"])
@pytest.mark.parametrize("done_in", SYSTEMS)
@pytest.mark.parametrize("origin", SYSTEMS)
def test_one_task_of_any_origin(stage: Make, origin: str, done_in: str, twin_window: str) -> None:
    world = stage(sync=f'twin_window = "{twin_window}"')
    task_in(world, origin)
    world.good()

    lost(world, tasks=1)
    assert world.open() == (1, 1, 1)

    world.complete_in(done_in)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()
    lost(world, tasks=0)


@pytest.mark.parametrize("origin", SYSTEMS)
def test_a_title_that_names_no_kind_takes_the_kind_from_superfone(stage: Make, origin: str) -> None:
    world = stage(highlevel='default_kind = "todo"')
    task_in(world, origin)
    world.good()

    lost(world, tasks=1)

    with world.open_ledger() as ledger:
        [view] = ledger.tasks()
    kinds = {"superfone": "first_call", "reply": "follow_up_call", "highlevel": "reminder"}
    assert view.task.kind == kinds[origin]


@pytest.mark.parametrize("twin_window", ["60s", "0"])
def test_what_waits_for_the_slot_waits_again(stage: Make, twin_window: str) -> None:
    world = stage(sync=f'twin_window = "{twin_window}"')
    _, contact, person = world.everywhere()
    for hours in (5, 2, 8):
        world.highlevel.person_creates(person, f"Call at {hours}", world.due(hours=hours))
    world.reply.person_creates(contact, "Meeting", world.due(hours=9), "See the flat")
    world.good()
    before = world.open()

    lost(world, tasks=4)

    assert world.open() == before == (1, 4, 4)
    world.complete_in("superfone")
    report = world.good()
    assert world.open() == (1, 3, 3)
    assert waiting(report) == {("superfone", "slot_taken")}
    world.quiet()


def test_a_task_that_a_person_superseded(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9), title="See the flat")
    world.good()

    lost(world, tasks=2)

    assert world.open() == (1, 2, 2)


def test_reminders_and_calls_of_one_person(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Ring")
    for hours in (4, 6, 6):
        world.reply.person_creates(contact, "ToDo", world.due(hours=hours), f"Note {hours}")
    world.good()
    assert world.open() == (4, 4, 4)

    world.lose_ledger()
    world.quiet(2)

    assert world.lane(lead).count("REMINDER") == 3
    assert world.open() == (4, 4, 4)


@pytest.mark.parametrize("twin_window", ["60s", "0"])
def test_a_task_without_a_due(stage: Make, twin_window: str) -> None:
    world = stage(sync=f'twin_window = "{twin_window}"')
    task_without_a_due(world)
    world.good()

    lost(world, tasks=1)

    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("twin_window", ["60s", "0"])
@pytest.mark.parametrize("late", SYSTEMS)
def test_a_task_without_a_due_where_one_crm_is_read_late(stage: Make, late: str, twin_window: str) -> None:
    world = stage(sync=f'twin_window = "{twin_window}"')
    task_without_a_due(world)
    world.good()
    world.lose_ledger()
    with unreachable(getattr(world, late)):
        world.again()

    world.again(3)

    assert world.open() == (1, 1, 1)
    with world.open_ledger() as ledger:
        assert len(ledger.tasks(state="open")) == 1
    world.quiet()


def test_a_task_without_a_due_waits_for_what_of_a_list_was_not_read(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)
    world.good()
    world.lose_ledger()

    with patch.object(world.reply, "fault", no_single_task):
        world.again(2)

    world.again(3)

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_task_without_a_due_waits_also_where_the_search_does_not_show_it_yet(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)
    world.good()
    world.highlevel.lag = timedelta(minutes=5)
    world.lose_ledger()
    with patch.object(world.reply, "fault", no_single_task):
        world.again(2)

    world.wait(minutes=5)
    world.again(3)

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_task_without_a_due_waits_for_no_crm_that_was_read_before(stage: Make) -> None:
    world = stage()
    world.everywhere()
    world.good()
    task_without_a_due(world)

    with unreachable(world.reply):
        world.again()

    assert world.open() == (1, 0, 1)


def test_a_task_without_a_due_waits_for_no_crm_that_keeps_no_markers(stage: Make) -> None:
    world = stage()
    task_without_a_due(world)

    with unreachable(world.superfone):
        world.again()

    assert world.open() == (0, 1, 1)


def test_a_task_that_was_closed_in_superfone_meanwhile(stage: Make) -> None:
    world = stage()
    task_in(world, "highlevel")
    world.good()
    world.lose_ledger()
    world.complete_in("superfone")

    report = world.again(3)

    # Nothing tells whether the origin was reopened since, so it is left alone and listed.
    assert world.open() == (0, 0, 1)
    assert attention(report) == {("highlevel", "done_or_reopened")}
    world.quiet(2)


def test_lost_before_a_completion_was_carried_on(stage: Make) -> None:
    world = stage()
    task_in(world, "superfone")
    world.good()
    world.complete_in("reply")
    world.lose_ledger()

    world.again(3)

    assert world.open() == (0, 0, 0)
    world.quiet(2)


def test_messages(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Sms", world.due(), "Send the plan")
    world.good()

    lost(world, tasks=1)
    assert world.open() == (0, 1, 1)

    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)


def test_history_is_history_again(stage: Make) -> None:
    world = stage()
    for name in range(3):
        task_in(world, SYSTEMS[name])
        world.good()
        world.complete_in(SYSTEMS[name - 1])
        world.good()
        world.loop.advance(60)
    assert world.open() == (0, 0, 0)

    lost(world, tasks=0)


def test_many_people(stage: Make) -> None:
    world = stage()
    for number in range(12):
        lead, contact, person = world.everywhere(f"Person{number}", f"+9198765{number:05d}")
        world.superfone.person_creates(lead, ("BOOKING", "FIRST_CALL", "REMINDER")[number % 3], world.due(hours=number))
        world.reply.person_creates(contact, "Call", world.due(hours=number + 20), f"Ring {number}")
        world.highlevel.person_creates(person, f"Ask {number}", world.due(hours=number + 40))
    world.good()
    before = world.open()

    lost(world, tasks=36)

    assert world.open() == before


def test_a_highlevel_copy_that_lost_its_marker(stage: Make) -> None:
    world = stage()
    task_in(world, "superfone")
    world.good()
    world.highlevel.person_rewrites(world.highlevel_open()[0].id, "my own words")

    lost(world, tasks=1)

    assert world.open() == (1, 1, 1)


def test_two_tasks_with_one_due_are_still_two_where_superfone_is_read_late(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    for about in ("price", "date"):
        world.highlevel.person_creates(person, f"Ring about the {about}", world.due(hours=20))
    world.good()
    before = world.open()
    world.lose_ledger()
    with unreachable(world.superfone):
        world.again()

    world.again(3)

    assert world.open() == before == (1, 2, 2)
    world.quiet()


def test_nothing_is_made_of_a_copy_whose_origin_is_yet_unread(stage: Make) -> None:
    """A copy in HighLevel does not tell that it is of an e-mail: what looks like a call would become one."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    before = world.open()
    world.lose_ledger()
    with unreachable(world.reply):
        report = world.again()
    assert waiting(report) == {("highlevel", "unread")}

    world.again(2)

    assert world.open() == before == (0, 1, 1)
    assert world.quiet().waiting == ()


@pytest.mark.parametrize("mirrored", [False, True], ids=["", "mirrored"])
@pytest.mark.parametrize("hours", [2, 90])
def test_which_of_two_with_one_marker_is_ours_is_not_guessed(stage: Make, hours: int, mirrored: bool) -> None:
    """People duplicate a task with its text; ours is told by what it was made from, once that can be read."""
    world = stage()
    _, contact, person = world.everywhere()
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    copy = world.highlevel_open()[0]
    world.highlevel.person_creates(person, "Ring about it", world.due(hours=hours), copy.body)
    if mirrored:
        world.good()
    world.lose_ledger()
    with unreachable(world.reply):
        report = world.again()
    assert ("highlevel", "unread") in waiting(report)

    world.again(2)

    assert world.open() == (1, 2, 2)
    assert world.quiet().waiting == ()


def mail_and_its_duplicate(world: Stage) -> None:
    """A task of Reply's, our copy in HighLevel, a duplicate of that with its text, a lost ledger, a late search."""
    _, contact, person = world.everywhere()
    world.highlevel.lag = timedelta(minutes=5)
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    world.good()
    copy = world.highlevel_open()[0]
    world.highlevel.person_creates(person, "Ring about it", world.due(hours=90), copy.body)
    world.lose_ledger()


def test_what_the_search_does_not_show_yet_is_told_apart_by_what_the_others_show(stage: Make) -> None:
    world = stage()
    mail_and_its_duplicate(world)

    world.again()

    assert world.open() == (1, 2, 2)
    world.quiet(2)


def test_nothing_is_made_beside_what_the_search_does_not_show_yet_and_cannot_be_told_apart(stage: Make) -> None:
    world = stage()
    mail_and_its_duplicate(world)
    world.superfone.person_creates(world.superfone.leads()[0].id, "SITE_VISIT", world.due(hours=50), title="Visit")
    with patch.object(world.reply, "fault", no_single_task):
        report = world.again()

    assert ("highlevel", "unread") in waiting(report)
    assert world.open() == (1, 1, 2)
    world.wait(minutes=5)
    world.again(3)
    assert world.open() == (1, 3, 3)
    world.quiet()


def test_who_is_known_in_one_crm_alone_is_read_elsewhere_first_too(stage: Make) -> None:
    """The ledger is lost while Superfone is down: the copy in HighLevel is all that there is of this person."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    world.highlevel.add_contact("Asha", "", "", PHONE)
    task = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    assert world.open() == (1, 0, 1)
    world.superfone.person_reschedules(task, world.due(hours=30))
    world.lose_ledger()
    world.fail("superfone", "find", Fault.ERROR_BEFORE, times=1000)
    world.again(2)
    world.heal()
    world.again(3, minutes=11)
    assert world.open() == (1, 0, 1)
    world.superfone.person_completes(task)
    world.again(2)
    assert world.open() == (0, 0, 0)
