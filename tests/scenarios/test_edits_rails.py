"""More edits than one run may make, or most copies of a CRM changed at once: nothing is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from adapters.sandbox import Fault
from syncer.engine.run import Options
from tests.support.editing import edits, shift_dues
from tests.support.scenario import Make, Stage, attention, waiting


def crowd(world: Stage, count: int) -> list[str]:
    _, _, person = world.everywhere()
    tasks = [world.highlevel.person_creates(person, f"Ring {n}", world.due(hours=5 + n), "text") for n in range(count)]
    world.good()
    return tasks


def test_more_edits_than_allowed_stop_the_run_and_nothing_is_taken_over(stage: Make) -> None:
    world = stage(sync="max_edits_per_run = 2", highlevel='default_kind = "todo"')
    tasks = crowd(world, 5)
    for task in tasks[:3]:
        world.highlevel.person_retitles(task, f"{task} new")
    world.wait(minutes=1)
    for _ in range(2):
        stopped = world.sync()
        assert int(stopped.exit) == 3
        assert "--allow-edits 3" in stopped.message
    assert edits(world) == []
    assert sum(world.good(Options(allow_edits=3)).edited.values()) == 3
    world.quiet()


def test_what_a_stopped_run_did_not_take_over_is_reported_as_overwritten_only_once_it_is(stage: Make) -> None:
    world = stage(sync="max_edits_per_run = 1", highlevel='default_kind = "todo"')
    tasks = crowd(world, 3)
    for task in tasks:
        world.highlevel.person_retitles(task, f"{task} new")
    world.highlevel.person_reschedules(tasks[0], world.due(hours=30))
    copy = next(copy for copy in world.superfone_open() if copy.due.hour == world.due(hours=5).hour)
    world.wait(seconds=5)
    world.superfone.person_reschedules(copy.id, world.due(hours=40))
    world.wait(minutes=1)
    stopped = [world.sync() for _ in range(2)]
    assert [(int(report.exit), report.overwritten) for report in stopped] == [(3, ()), (3, ())]
    assert [one.field for one in world.good(Options(allow_edits=10)).overwritten] == ["due"]


def test_what_was_closed_before_a_run_that_edits_stopped_is_a_new_task_once_it_is_open_again(stage: Make) -> None:
    world = stage(sync="max_edits_per_run = 1", highlevel='default_kind = "todo"')
    tasks = crowd(world, 3)
    for task in tasks[1:]:
        world.highlevel.person_retitles(task, f"{task} new")
    world.highlevel.person_completes(tasks[0])
    world.wait(minutes=1)
    assert int(world.sync().exit) == 3
    world.highlevel.person_reopens(tasks[0])

    report = world.good(Options(allow_edits=4))

    assert (report.completed["reply"], report.created["reply"]) == (1, 1)
    assert sum(report.edited.values()) == 2
    world.quiet()


def test_a_twin_that_was_read_in_a_run_that_edits_stopped_is_not_made_again_once_deleted(stage: Make) -> None:
    world = stage(sync="max_edits_per_run = 1", highlevel='default_kind = "todo"')
    tasks = crowd(world, 2)
    _, contact, person = world.everywhere("Ravi", "+919876543211")
    due = world.due(hours=9)
    world.highlevel.person_creates(person, "Ring Ravi", due)
    for task in tasks:
        world.highlevel.person_retitles(task, f"{task} new")
    world.wait(minutes=1)
    assert int(world.sync().exit) == 3
    twin = world.reply.person_creates(contact, "ToDo", due, "Ring Ravi")
    world.wait(minutes=1)
    assert int(world.sync().exit) == 3
    world.reply.person_deletes(twin)

    for _ in range(2):
        report = world.good(Options(allow_edits=4))

    assert report.created["reply"] == 0
    assert ("reply", "replica_missing") in attention(report)


def test_a_twin_that_took_the_place_of_our_copy_does_not_break_a_run_that_edits_stopped(stage: Make) -> None:
    """People wrote the call down once more in Superfone, which closed our copy of it there."""
    world = stage(sync="max_edits_per_run = 1")
    tasks = crowd(world, 2)
    lead, _, person = world.everywhere("Ravi", "+919876543211")
    due = world.due(hours=9)
    world.highlevel.person_creates(person, "Call Ravi", due)
    world.good()
    for task in tasks:
        world.highlevel.person_retitles(task, f"{task} new")
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", due)
    for _ in range(2):
        world.wait(minutes=1)
        assert int(world.sync().exit) == 3

    world.good(Options(allow_edits=4))

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    world.quiet()


def test_most_copies_that_change_at_once_stop_a_run_that_settles_a_create_for_their_contact_too(stage: Make) -> None:
    world = stage(highlevel='default_kind = "todo"')
    crowd(world, 20)
    contact = str(world.reply.tasks()[0].contact_id)
    world.reply.person_creates(contact, "ToDo", world.due(hours=3), "New one")
    world.fail("highlevel", "create", Fault.LOST_ANSWER)
    # The list is read once before the create.
    world.fail("highlevel", "tasks of contact", Fault.ERROR_BEFORE, times=30, skip=1)
    assert ("highlevel", "in_doubt") in waiting(world.again())
    world.heal()
    shift_dues(world)
    assert int(world.again().exit) == 3
    assert edits(world) == []
    del world.highlevel.handle
    world.good()
    world.quiet()


def test_most_copies_that_change_at_once_stop_a_run_that_settles_a_completion_in_their_lane_too(stage: Make) -> None:
    world = stage(highlevel='default_kind = "todo"')
    crowd(world, 22)
    [lead] = world.superfone.leads()
    newest = world.superfone.open_tasks(lead.id)[0]
    before = {task.id: task.due for task in world.highlevel_open()}
    done = next(task for task in world.highlevel_open() if datetime.fromisoformat(task.due or "") == newest.due)
    world.highlevel.person_completes(done.id)
    world.fail("superfone", "complete", Fault.LOST_ANSWER)
    world.afterwards(
        "superfone", "complete", lambda: world.fail("superfone", "tasks of contact", Fault.ERROR_BEFORE, times=30)
    )
    assert ("superfone", "in_doubt") in waiting(world.again())
    world.heal()

    def shift(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            row["due_date"] = (datetime.fromisoformat(row["due_date"]) + timedelta(hours=5, minutes=30)).isoformat()

    world.mangle("superfone", "tasks of contact", shift)
    assert int(world.again().exit) == 3
    assert {task.id: task.due for task in world.highlevel_open()} == {
        task: due for task, due in before.items() if task != done.id
    }
    del world.superfone.handle
    world.good()
    world.quiet()


def test_most_copies_that_change_at_once_stop_the_run(stage: Make) -> None:
    world = stage(highlevel='default_kind = "todo"')
    tasks = crowd(world, 20)
    shift_dues(world)
    world.wait(minutes=1)
    for _ in range(2):
        stopped = world.sync()
        assert int(stopped.exit) == 3
        assert "20 of 20 open tasks in HighLevel" in stopped.message
        assert "--allow-edits 20" in stopped.message
    assert edits(world) == []
    assert len(tasks) == 20
    del world.highlevel.handle
    world.quiet()
