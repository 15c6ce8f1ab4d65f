"""Accounts in which no run has the time for everything: each kind of thing gets its turn all the same."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox import Fault
from tests.support.lasting import always, crowd, damage_in_reply, forbid, named, of_leads, of_tasks
from tests.support.scenario import Make, Stage, details, waiting

HOUR = 3600


def slow(world: Stage) -> None:
    """Let the CRMs take one request a second from now on."""
    text = world.account.path.read_text().replace('rate = "1000/s"', 'rate = "1/s"')
    world.account.path.write_text(text)
    world.reload()


def unread(world: Stage) -> int:
    """How many items could not be read when they were last tried."""
    with world.open_ledger(read_only=True) as ledger:
        return len(ledger.load().failing)


def busy(stage: Make) -> tuple[Stage, str]:
    """A world with more leads that have an open task than a run has time for, and one that has none."""
    world = stage(sync='run_limit = "30s"')
    quiet, *others = [lead for lead, _, _ in crowd(world, 41)]
    for lead in others:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    slow(world)
    return world, quiet


def test_a_quiet_lead_has_its_turn_though_those_with_open_tasks_take_all_the_time(stage: Make) -> None:
    world, quiet = busy(stage)
    world.superfone.person_creates(quiet, "BOOKING", world.due())

    world.again(2)

    assert world.open() == (41, 41, 41)


def test_a_lead_that_was_deleted_is_let_go_though_those_with_open_tasks_take_all_the_time(stage: Make) -> None:
    """That it is missing tells nothing before its number was asked for, too."""
    world = stage(sync='run_limit = "30s"')
    people = crowd(world, 41)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    lead, _, contact = people[5]
    world.highlevel.person_creates(contact, "Ring", world.due(hours=9))
    assert waiting(world.good()) == {("superfone", "slot_taken")}
    slow(world)
    world.superfone.person_deletes_lead(int(lead))

    assert waiting(world.again(6)) == {("superfone", "no_contact")}


def test_a_lead_that_failed_is_tried_again_though_those_with_open_tasks_take_all_the_time(stage: Make) -> None:
    world, _ = busy(stage)
    lead = world.superfone.leads()[5]
    honest = world.superfone.handle
    forbid(world, "superfone", of_leads([str(lead.id)]))
    world.again(4)
    assert unread(world)
    world.superfone.handle = honest  # type: ignore[method-assign]
    world.superfone.person_completes(world.superfone.open_tasks(lead.id)[0].id)

    world.again(2)

    assert world.open() == (39, 39, 39)


def test_copies_that_people_deleted_do_not_keep_new_tasks_from_being_read(stage: Make) -> None:
    """They are read again in each run, because they may come back, and there may be many of them."""
    world = stage(sync='run_limit = "60s"')
    [(lead, contact, _)] = crowd(world, 1)
    for number in range(60):
        world.superfone.person_creates(lead, "REMINDER", world.due(hours=number))
    world.good()
    for task in world.reply_open():
        world.reply.person_deletes(str(task.id))
    world.good()
    world.good()
    slow(world)
    world.reply.person_creates(contact, "Call", world.due())

    world.again(2)

    assert world.open() == (61, 1, 61)


def test_a_text_has_its_turn_though_reading_takes_all_its_time(stage: Make) -> None:
    world = stage(sync='run_limit = "30s"')
    [(_, contact, _)] = crowd(world, 1)
    old = world.reply.person_creates(contact, "ToDo", world.due(hours=90), body="Ring Asha")
    world.good()
    slow(world)
    for hour in range(60):
        world.reply.person_creates(contact, "ToDo", world.due(hours=hour), body=f"Ask {hour}")
    world.reply.person_edits_body(old, "Ring Meera")

    world.again(2)

    assert "Ring Meera" in {task.title for task in world.highlevel_open()}


@pytest.mark.parametrize("moved", [False, True])
def test_texts_have_their_turn_beside_tasks_that_cannot_be_read_for_good(stage: Make, moved: bool) -> None:
    """A run has a turn for only a few, and these would be in turn for ever."""
    world = stage()
    [(_, contact, _)] = crowd(world, 1)
    damaged = [
        world.reply.person_creates(contact, "ToDo", world.due(hours=hour), body=f"Ask {hour}") for hour in (1, 2)
    ]
    old = world.reply.person_creates(contact, "ToDo", world.due(hours=90), body="Ring Asha")
    world.good()
    forbid(world, "reply", of_tasks([str(task) for task in damaged]))
    if moved:
        # The list tells it, so they are to be read in each run.
        for task in damaged:
            world.reply.person_reschedules(str(task), world.due(hours=70))
    world.again(4)
    world.reply.person_edits_body(old, "Ring Meera")

    report = world.again(4)

    assert "Ring Meera" in {task.title for task in world.highlevel_open()}
    assert len(named(report, "reply", "failing")) == 2


def test_a_text_that_could_not_be_read_is_read_again_though_no_run_has_time_for_all_texts(stage: Make) -> None:
    world = stage(sync='run_limit = "30s"\ninterval = "300s"')
    [(_, contact, _)] = crowd(world, 1)
    damaged, *_ = [
        world.reply.person_creates(contact, "ToDo", world.due(hours=hour), body=f"Ask {hour}") for hour in range(20)
    ]
    world.good()
    slow(world)
    honest = world.reply.handle
    forbid(world, "reply", of_tasks([str(damaged)]))
    world.reply.person_edits_body(damaged, "Ring Meera")
    while not unread(world):
        world.good()
    world.reply.handle = honest  # type: ignore[method-assign]

    world.again(3)

    assert "Ring Meera" in {task.title for task in world.highlevel_open()}


@pytest.mark.parametrize("seconds", [6, 7, 8])
def test_what_a_create_closed_is_noticed_though_the_run_ends_with_it(stage: Make, seconds: int) -> None:
    """Somebody made a task just before our create, which closed it: this is told in the same run."""
    world = stage(sync=f'run_limit = "{seconds}s"')
    [(lead, contact, _)] = crowd(world, 1)
    world.good()
    slow(world)
    world.wait(minutes=1)
    world.reply.person_creates(contact, "Call", world.due(hours=1))
    theirs: list[int] = []
    world.meanwhile(
        "superfone", "create", lambda: theirs.append(world.superfone.person_creates(lead, "BOOKING", world.due()))
    )

    report = world.again()
    while not theirs and world.loop.time() < HOUR:
        report = world.again()

    assert len(report.incidents) == 1


@pytest.mark.parametrize("system", ["superfone", "highlevel"])
def test_a_short_run_finishes_some_of_its_writes_instead_of_beginning_them_all(stage: Make, system: str) -> None:
    """A create takes several requests. Where all take turns, the time may be over before any of them is sent."""
    world = stage(sync='run_limit = "12s"')
    people = crowd(world, 12)
    world.good()
    slow(world)
    for _, contact, _ in people:
        world.reply.person_creates(contact, "Call", world.due())

    world.again(6)

    assert world.count(system, "create") >= 3


def test_after_a_lost_ledger_a_short_run_reads_some_persons_to_the_end(stage: Make) -> None:
    """Nothing counts that was read of a person, before everything was."""
    world = stage(sync='run_limit = "20s"')
    for _, contact, _ in crowd(world, 10):
        for hour in range(3):
            world.reply.person_creates(contact, "ToDo", world.due(hours=hour))
    world.good()
    slow(world)
    world.lose_ledger()

    world.again(30)

    assert not {item.reason for item in world.again().waiting} & {"unread", "budget"}
    assert world.open() == (30, 30, 30)


def test_a_person_with_more_tasks_than_a_run_can_read_keeps_nobody_else_waiting(stage: Make) -> None:
    world = stage(sync='run_limit = "20s"')
    (_, many, _), *others = crowd(world, 5)
    for number in range(40):
        world.reply.person_creates(many, "ToDo", world.due(hours=1) + timedelta(minutes=number))
    for _, contact, _ in others:
        world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    world.good()
    slow(world)
    world.lose_ledger()

    world.again(12)

    for lead, _, _ in others:
        world.superfone.person_completes(world.superfone.open_tasks(lead)[0].id)
    world.again(6)
    done = {str(contact) for _, contact, _ in others}
    assert not done & {str(task.contact_id) for task in world.reply_open()}


def test_a_task_that_waits_for_one_that_nobody_can_read_is_told_in_each_run_and_copied_in_the_end(stage: Make) -> None:
    """No list shows it again, and a run has no time for every lead."""
    world = stage(sync='run_limit = "20s"')
    (_, known, _), *_, (lead, damaged, _) = crowd(world, 25)
    broken = world.reply.person_creates(damaged, "Call", world.due())
    damage_in_reply(world, str(broken))
    world.reply.person_creates(known, "Call", world.due(hours=5))
    world.good()
    slow(world)
    world.lose_ledger()
    theirs = world.superfone.person_creates(lead, "REMINDER", world.due(hours=2))

    reports = [world.again() for _ in range(20)]

    seen = [any(str(theirs) in item.detail for item in report.waiting) for report in reports]
    first = seen.index(True)
    assert seen[first:] == sorted(seen[first:], reverse=True), "once told, it is told until it is copied"
    assert world.open() == (2, 3, 2)


def test_a_task_that_waited_is_told_no_more_once_its_lead_is_deleted(stage: Make) -> None:
    world = stage()
    (_, known, _), (lead, damaged, _) = crowd(world, 2)
    damage_in_reply(world, str(world.reply.person_creates(damaged, "Call", world.due())))
    world.reply.person_creates(known, "Call", world.due(hours=5))
    world.good()
    world.lose_ledger()
    theirs = world.superfone.person_creates(lead, "REMINDER", world.due(hours=2))
    assert f"Superfone task {theirs}" in details(world.again())

    world.superfone.person_deletes_lead(lead)

    assert f"Superfone task {theirs}" not in details(world.again(2))


@pytest.mark.parametrize("seconds", [12, 20, 30])
def test_a_lead_that_answers_with_errors_is_told_after_three_runs_in_short_runs_too(stage: Make, seconds: int) -> None:
    """Its read is tried again with pauses, and those take longer than a short run has for it."""
    world = stage(sync=f'run_limit = "{seconds}s"')
    *_, (lead, _, _) = crowd(world, 3)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    slow(world)
    always(world, "superfone", of_leads([lead]), Fault.ERROR_BEFORE)

    report = world.again(4)

    assert len(named(report, "superfone", "failing")) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, None], ids=["error", "forbidden"])
def test_who_has_a_lead_that_cannot_be_read_keeps_nobody_waiting_after_a_lost_ledger(
    stage: Make, fault: Fault | None
) -> None:
    """All that can be read of such a person is read in vain, in each run anew."""
    world = stage(sync='run_limit = "20s"')
    (lead, ill, _), (_, well, _), *_ = crowd(world, 25)
    for hour in range(8):
        world.reply.person_creates(ill, "ToDo", world.due(hours=hour))
    for hour in range(4):
        world.reply.person_creates(well, "ToDo", world.due(hours=20 + hour))
    world.good()
    slow(world)
    world.lose_ledger()
    if fault is None:
        forbid(world, "superfone", of_leads([lead]))
    else:
        always(world, "superfone", of_leads([lead]), fault)
    world.reply.person_creates(well, "ToDo", world.due(hours=50), body="Ring Asha")

    world.again(25)

    assert "Ring Asha" in {task.title for task in world.highlevel_open()}


def test_after_a_lost_ledger_several_finished_tasks_that_nobody_can_read_are_given_up_in_turn(stage: Make) -> None:
    """A run has no time for all of their persons, and forgets none of the failures meanwhile."""
    world = stage(sync='run_limit = "20s"')
    people = [contact for _, contact, _ in crowd(world, 25)]
    damaged = []
    for contact in people[:3]:
        finished = [world.reply.person_creates(contact, "ToDo", world.due(hours=hour)) for hour in range(2)]
        for task in finished:
            world.reply.person_completes(task)
        damaged.append(str(finished[0]))
    for contact in (*people[:3], people[10]):
        world.reply.person_creates(contact, "ToDo", world.due(hours=20))
    world.good()
    slow(world)
    world.lose_ledger()
    forbid(world, "reply", of_tasks(damaged))
    for contact in people[:3]:
        world.reply.person_creates(contact, "ToDo", world.due(hours=50))

    world.again(40)

    assert world.open() == (7, 7, 7)


def test_operations_in_doubt_that_cannot_be_read_leave_time_for_everything_else(stage: Make) -> None:
    """Each takes as many requests as a read is tried, in every run."""
    world = stage(sync='run_limit = "30s"')
    people = crowd(world, 16)
    done = people[-1][0]
    world.superfone.person_creates(done, "BOOKING", world.due())
    world.good()
    for _, contact, _ in people[:15]:
        world.reply.person_creates(contact, "Call", world.due())
    world.fail("superfone", "create", Fault.LOST_REQUEST, times=15)
    world.again()
    slow(world)
    always(world, "superfone", of_leads([lead for lead, _, _ in people[:14]]), Fault.ERROR_BEFORE)
    world.superfone.person_completes(world.superfone.open_tasks(done)[0].id)

    world.again(10)

    assert world.open() == (1, 15, 15)
