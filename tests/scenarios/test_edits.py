"""A call that is moved to Thursday is moved everywhere: once, to each copy that can show it, and nothing else flows."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.support.editing import body_of, dues, edits, everywhere
from tests.support.scenario import Make, attention, waiting


@pytest.mark.parametrize("where", ["highlevel", "reply", "superfone"])
def test_a_due_that_is_moved_anywhere_is_moved_everywhere_once(stage: Make, where: str) -> None:
    world = stage()
    task, copy, ours = everywhere(world)
    later = world.due(hours=30)
    if where == "highlevel":
        world.highlevel.person_reschedules(task, later)
    elif where == "reply":
        world.reply.person_reschedules(str(copy.id), later)
    else:
        world.superfone.person_reschedules(ours, later)

    report = world.good()

    assert dues(world) == {later}
    assert world.open() == (1, 1, 1)
    assert sum(report.edited.values()) == 2
    assert report.overwritten == ()
    world.quiet(3)


def test_title_and_text_reach_copies_that_have_a_place_for_them(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.highlevel.person_retitles(task, "Ring twice")
    world.highlevel.person_rewrites(task, "Bring the {{plan}}\nand prices")
    assert not waiting(world.good())
    assert body_of(copy) == ["Ring twice", "Bring the {\u2060{plan}\u2060}", "and prices"]
    assert str(copy.template["body"]).count("syncer:") == 1
    world.quiet(2)

    marked = str(copy.template["body"]).split("\n")
    world.reply.person_edits_body(str(copy.id), "\n".join(["Meet", "At noon", marked[-1]]))
    world.good()
    now = world.highlevel.task(task)
    assert (now.title, now.body) == ("Meet", "At noon")
    world.quiet(2)


def test_an_edit_is_planned_with_old_and_new_values(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    old, later = copy.due_to, world.due(hours=30)
    world.highlevel.person_reschedules(task, later)
    world.wait(minutes=1)
    operations = [operation.as_json() for operation in world.plan().operations or ()]
    assert {(one["system"], one["action"]) for one in operations} == {("reply", "edit"), ("superfone", "edit")}
    assert all(one["changes"] == {"due": [f"{old:%FT%TZ}", f"{later:%FT%TZ}"]} for one in operations)
    assert edits(world) == []


def test_what_a_field_is_that_does_not_travel_stays_as_it_is(stage: Make) -> None:
    world = stage(sync='edits = ["title"]')
    task, copy, _ = everywhere(world)
    was = copy.due_to
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.highlevel.person_retitles(task, "Meet")
    world.good()
    assert (copy.due_to, body_of(copy)[0]) == (was, "Meet")
    world.configure(sync="")
    world.quiet(2)


def test_different_fields_do_not_conflict(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    later = world.due(hours=30)
    world.highlevel.person_retitles(task, "Meet")
    world.reply.person_reschedules(str(copy.id), later)
    report = world.good()
    assert (dues(world), body_of(copy)[0], report.overwritten) == ({later}, "Meet", ())
    world.quiet(2)


def test_of_two_dues_the_later_one_wins_where_both_tell_and_the_other_is_told_once(stage: Make) -> None:
    world = stage()
    task, _, ours = everywhere(world)
    first, second = world.due(hours=30), world.due(hours=40)
    world.highlevel.person_reschedules(task, first)
    world.wait(seconds=5)
    world.superfone.person_reschedules(ours, second)
    report = world.good()
    assert dues(world) == {second}
    [told] = [one.as_json() for one in report.overwritten]
    assert (told["system"], told["field"], told["value"], told["by"]) == (
        "highlevel",
        "due",
        f"{first:%FT%TZ}",
        "superfone",
    )
    assert (told["title"], told["contact"]) == ("Ring", "Asha Rao")
    assert world.quiet(2).overwritten == ()


def test_where_one_does_not_tell_when_the_origins_counts(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    [other] = world.highlevel_open()
    first, second = world.due(hours=30), world.due(hours=40)
    world.reply.person_reschedules(task, first)
    world.wait(seconds=5)
    world.highlevel.person_reschedules(other.id, second)
    report = world.good()
    assert [(one.system, one.value, one.by) for one in report.overwritten] == [
        ("highlevel", f"{second:%FT%TZ}", "reply")
    ]
    assert first in dues(world)
    assert datetime.fromisoformat(world.highlevel.task(other.id).due or "") == first
    world.quiet(2)


def test_a_made_up_due_never_flows_back(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", None)
    world.good()
    world.quiet(2)
    assert world.highlevel.task(task).due is None
    [copy] = world.reply_open()
    later = world.due(hours=30)
    world.reply.person_reschedules(str(copy.id), later)
    world.good()
    assert dues(world) == {later}
    world.quiet(2)


def test_a_due_that_is_taken_away_stays_elsewhere(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    was = copy.due_to
    world.highlevel.person_reschedules(task, None)
    world.quiet(3)
    assert (copy.due_to, world.highlevel.task(task).due) == (was, None)


def test_a_copy_of_ours_in_superfone_is_made_again_and_stays_ours(stage: Make) -> None:
    world = stage()
    task, _, ours = everywhere(world)
    for hours in (30, 40):
        later = world.due(hours=hours)
        world.highlevel.person_reschedules(task, later)
        report = world.good()
        assert (dues(world), report.edited["superfone"], report.created["superfone"]) == ({later}, 1, 0)
        assert not report.incidents
    assert world.open() == (1, 1, 1)
    assert world.superfone_open()[0].id != ours
    world.quiet(2)


def test_a_reminder_of_ours_and_a_task_of_theirs_in_superfone_keep_their_due(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    reminder = world.highlevel.person_creates(person, "Ring", world.due())
    world.configure(highlevel='default_kind = "reminder"')
    world.good()
    theirs = world.superfone.person_creates(lead, "BOOKING", world.due(hours=9))
    world.good()
    [copy] = [task for task in world.highlevel_open() if task.id != reminder]
    world.highlevel.person_reschedules(reminder, world.due(hours=30))
    world.highlevel.person_reschedules(copy.id, world.due(hours=31))
    report = world.good()
    assert [(item.system, item.reason.value) for item in report.waiting] == [("superfone", "not_editable")] * 2
    assert world.superfone.task(theirs).due != world.due(hours=31)
    world.quiet(2)
    world.superfone.person_reschedules(theirs, world.due(hours=50))
    world.good()
    assert datetime.fromisoformat(world.highlevel.task(copy.id).due or "") == world.superfone.task(theirs).due


def test_with_keep_nothing_is_made_again(stage: Make) -> None:
    world = stage(superfone='reschedule = "keep"')
    task, _, ours = everywhere(world)
    world.highlevel.person_reschedules(task, world.due(hours=30))
    report = world.good()
    assert waiting(report) == {("superfone", "not_editable")}
    assert [one.id for one in world.superfone_open()] == [ours]


def test_the_text_of_a_sequence_is_never_touched_and_its_due_travels(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due(), "Hi {{firstName}}", sequence=7)
    world.good()
    [copy] = world.highlevel_open()
    world.highlevel.person_retitles(copy.id, "Ring")
    world.highlevel.person_reschedules(copy.id, world.due(hours=30))
    report = world.good()
    assert ("reply", "not_editable") in waiting(report)
    [mine] = world.reply_open()
    assert (str(mine.id), mine.template["body"]) == (task, "Hi {{firstName}}")
    assert dues(world) == {mine.due_to}


@pytest.mark.parametrize("at_once", [True, False])
def test_a_copy_that_is_open_again_gets_what_the_task_took_while_it_was_closed(stage: Make, at_once: bool) -> None:
    world = stage(sync='cancelled = "keep"')
    task, copy, _ = everywhere(world)
    world.reply.person_cancels(str(copy.id))
    world.good()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(task, later)
    world.highlevel.person_retitles(task, "Ring twice")
    if not at_once:
        world.good()
    world.reply.person_reopens(str(copy.id))
    reports = [world.good(), world.good()]
    assert dues(world) == {later}
    assert body_of(copy)[0] == "Ring twice"
    assert not any(report.overwritten for report in reports)
    world.quiet(2)


def test_a_due_that_we_made_up_is_not_written_to_an_origin_that_is_there_again(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", None)
    world.good()
    world.highlevel.person_deletes(task)
    world.quiet(2)
    world.highlevel.person_restores(task)
    world.quiet(2)
    assert world.open() == (1, 1, 1)


def test_an_edit_beside_a_closing_counts_where_the_task_stays_open(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    first = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    later = world.due(hours=30)
    world.superfone.person_reschedules(first, later)
    world.wait(seconds=10)
    world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9))
    world.again(2)
    assert sum(task.due_to == later for task in world.reply_open()) == 1
    world.quiet(2)


def test_a_task_that_is_done_is_not_edited(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.highlevel.person_reschedules(task, world.due(hours=30))
    world.highlevel.person_completes(task)
    world.good()
    assert edits(world) == []
    assert copy.status == "Finished"
    world.quiet()


def test_a_deleted_copy_closes_the_others_only_where_that_is_set(stage: Make) -> None:
    for sync, expected in (("", (1, 1, 0)), ('deleted = "close"', (0, 0, 0))):
        world = stage(sync=sync)
        task, _, _ = everywhere(world)
        world.highlevel.person_deletes(task)
        world.again(3)
        assert world.open() == expected


@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_what_people_restore_after_deleting_it_has_closed_the_others_is_a_new_task(stage: Make, origin: str) -> None:
    """Nobody did it, so it is not completed with the task that ended."""
    world = stage(sync='deleted = "close"')
    if origin == "highlevel":
        everywhere(world)
    else:
        _, contact, _ = world.everywhere()
        world.reply.person_creates(contact, "Call", world.due(), "Ring")
        world.good()
    [deleted] = world.highlevel_open()
    world.highlevel.person_deletes(deleted.id)
    world.again(3)
    assert world.open() == (0, 0, 0)
    world.highlevel.person_restores(deleted.id)

    world.again(2)

    assert world.open() == (1, 1, 1)
    assert [task.id for task in world.highlevel_open()] == [deleted.id]
    world.quiet(2)
    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("done", [False, True])
def test_nothing_is_sent_to_a_copy_that_people_deleted(stage: Make, done: bool) -> None:
    """The first run that misses it writes to the other copies only, and the second one has made sure."""
    world = stage()
    task, copy, _ = everywhere(world)
    world.highlevel.person_deletes(task)
    if done:
        world.reply.person_completes(str(copy.id))
    else:
        world.reply.person_reschedules(str(copy.id), world.due(hours=30))

    first = world.good()

    assert waiting(first) == {("highlevel", "next_run")}
    assert attention(world.quiet()) == (set() if done else {("highlevel", "replica_missing")})


def test_a_marker_that_people_removed_comes_back_with_the_text_and_an_origin_gets_none(stage: Make) -> None:
    world = stage()
    task, copy, _ = everywhere(world)
    world.reply.person_edits_body(str(copy.id), "Meet\nAt noon")
    world.good()
    assert "syncer:" not in (world.highlevel.task(task).body or "")
    world.highlevel.person_rewrites(task, "At one")
    world.good()
    assert str(copy.template["body"]).startswith("Meet\nAt one\nsyncer:")
    assert "syncer:" not in (world.highlevel.task(task).body or "")
    world.quiet(2)
