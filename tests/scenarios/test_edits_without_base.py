"""After a lost or an old ledger nothing tells what copies showed before. Where they differ, they are one task again."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.support.editing import USERS, body_of, dues, everywhere
from tests.support.ledger_world import Ledgers, Worlds
from tests.support.scenario import PHONE, Make, Stage, waiting


def _called(world: Stage, title: str | None = None) -> tuple[int, str, str]:
    """A call of Superfone with its two copies: (its id, Reply's, HighLevel's)."""
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), title=title)
    world.good()
    return task, str(world.reply_open()[0].id), world.highlevel_open()[0].id


def with_a_later_copy(worlds: Worlds) -> Ledgers:
    """A task of Superfone whose copy in HighLevel was made after the ledger was copied."""
    world = worlds()
    lead = world.superfone.add_lead("Asha", [PHONE], ["asha@example.com"])
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), title="Ring")
    world.runs(2)
    world.copy()
    world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    world.runs(2)
    return world


def test_what_a_copy_takes_over_from_the_origin_reaches_the_third_one_too(worlds: Worlds) -> None:
    """The old ledger knows the third copy, and not the one that was moved."""
    world = with_a_later_copy(worlds)
    assert world.open() == (1, 1, 1)
    world.put_back()
    [moved] = world.highlevel_open()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(moved.id, later)

    world.runs(2)
    report = world.quiet()

    assert [copy.due_to for copy in world.reply_open()] == [later]
    assert waiting(report) == {("superfone", "not_editable")}


def test_what_is_typed_in_a_known_copy_is_not_undone_by_one_that_nobody_changed(worlds: Worlds) -> None:
    world = with_a_later_copy(worlds)
    world.put_back()
    later = world.due(hours=30)
    world.reply.person_reschedules(str(world.reply_open()[0].id), later)

    world.runs(2)
    world.quiet()

    assert [copy.due_to for copy in world.reply_open()] == [later]
    assert [datetime.fromisoformat(copy.due or "") for copy in world.highlevel_open()] == [later]


@pytest.mark.parametrize("where", ["reply", "highlevel"])
def test_a_text_for_a_task_whose_crm_has_none_reaches_the_other_copy(stage: Make, where: str) -> None:
    world = stage()
    _, copy, other = _called(world, "Ring")
    world.lose_ledger()
    if where == "reply":
        marker = str(world.reply_open()[0].template["body"]).split("\n")[-1]
        world.reply.person_edits_body(copy, f"Ring\nBring the plan\n{marker}")
    else:
        world.highlevel.person_rewrites(other, f"Bring the plan\n{world.highlevel.task(other).body}")

    world.again(2)
    world.quiet(2)

    assert body_of(world.reply_open()[0]) == ["Ring", "Bring the plan"]
    assert (world.highlevel.task(other).body or "").startswith("Bring the plan\n")


@pytest.mark.parametrize("where", ["reply", "highlevel"])
def test_a_title_for_a_task_that_has_none_reaches_the_other_copy(stage: Make, where: str) -> None:
    world = stage()
    _, copy, other = _called(world)
    world.lose_ledger()
    if where == "reply":
        marker = str(world.reply_open()[0].template["body"]).split("\n")[-1]
        world.reply.person_edits_body(copy, f"Ring twice\n{marker}")
    else:
        world.highlevel.person_retitles(other, "Ring twice")

    reports = [world.again(), world.again()]
    world.quiet(2)

    assert (body_of(world.reply_open()[0]), world.highlevel.task(other).title) == (["Ring twice"], "Ring twice")
    assert not any(report.overwritten for report in reports)


def test_titles_that_we_made_up_stay_as_they_are(stage: Make) -> None:
    """Each has the name that its CRM has for the person."""
    world = stage()
    _called(world)
    world.lose_ledger()
    assert world.quiet(3).overwritten == ()


def test_a_copy_in_superfone_that_cannot_follow_a_moved_origin_is_listed(stage: Make) -> None:
    world = stage()
    task, _, _ = everywhere(world)
    world.lose_ledger()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(task, later)

    world.again(2)
    report = world.quiet(2)

    assert waiting(report) == {("superfone", "not_editable")}
    assert [copy.due_to for copy in world.reply_open()] == [later]


def test_a_text_that_the_origin_got_meanwhile_reaches_a_copy_that_has_none(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.good()
    world.lose_ledger()
    world.reply.person_edits_body(task, "Ring\nBring the plan")

    world.again(2)
    world.quiet(2)

    [copy] = world.highlevel_open()
    assert (copy.body or "").startswith("Bring the plan\n")
    assert len(dues(world)) == 1


def test_only_what_somebody_typed_is_told_as_overwritten(stage: Make) -> None:
    """The third copy shows what the origin does, and nobody has typed it there."""
    world = stage()
    task, _, copy = _called(world, "Ring")
    world.lose_ledger()
    world.wait(minutes=1)
    world.highlevel.person_reschedules(copy, world.due(hours=30))

    reports = [world.again(), world.again()]

    told = [(one.system, one.by) for report in reports for one in report.overwritten]
    assert told == [("superfone", "highlevel")]
    assert world.superfone.task(task).open


@pytest.mark.parametrize("changed", ["origin", "copy"])
def test_an_assignee_that_differs_after_a_lost_ledger_is_the_origins_and_told(stage: Make, changed: str) -> None:
    """Reply does not tell when a task was changed, so the origin's value counts."""
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    [copy] = world.highlevel_open()
    assert copy.assigned_to == "userAsha"
    world.lose_ledger()
    if changed == "origin":
        world.reply.person_assigns(task, 42)
    else:
        world.highlevel.person_assigns(copy.id, "userRavi")

    reports = [world.again(), world.again()]

    told = [(one.system, one.field, one.value, one.by) for report in reports for one in report.overwritten]
    lost, kept = ("userAsha", "userRavi") if changed == "origin" else ("userRavi", "userAsha")
    assert told == [("highlevel", "assignee", {"userAsha": "Asha", "userRavi": "Ravi"}[lost], "reply")]
    assert world.highlevel.task(copy.id).assigned_to == kept
    assert world.quiet(2).overwritten == ()


def test_an_assignee_that_was_changed_later_than_the_origin_after_a_lost_ledger_stays(stage: Make) -> None:
    world = stage(more=USERS)
    world.superfone.add_lead("Asha", [PHONE], assignee=678)
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    world.superfone.person_creates(world.superfone.leads()[0].id, "FOLLOW_UP_CALL", world.due())
    world.good()
    [copy] = world.highlevel_open()
    assert copy.assigned_to == "userAsha"
    world.lose_ledger()
    world.wait(minutes=1)
    world.highlevel.person_assigns(copy.id, "userRavi")
    reports = [world.again(), world.again()]
    told = [(one.system, one.field, one.value, one.by) for report in reports for one in report.overwritten]
    assert told == [("superfone", "assignee", "Asha", "highlevel")]
    assert world.highlevel.task(copy.id).assigned_to == "userRavi"
    assert waiting(world.quiet(2)) == {("reply", "not_editable")}


@pytest.mark.parametrize("user", ["stranger", None])
def test_a_copy_that_is_nobodys_after_a_lost_ledger_stays_so(stage: Make, user: str | None) -> None:
    """Whoever is unmapped or removed leaves the others as they are; and whom Reply chose was typed by nobody."""
    world = stage(more=USERS)
    _, contact, person = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    task = world.highlevel.person_creates(person, "Go", world.due(hours=9))
    world.highlevel.person_assigns(task, "userRavi")
    world.good()
    [copy] = [one for one in world.highlevel_open() if one.id != task]
    world.highlevel.person_assigns(copy.id, user)
    world.quiet()
    world.lose_ledger()
    reports = [world.quiet(), world.quiet(2)]
    assert [one for report in reports for one in report.overwritten] == []
    assert world.highlevel.task(copy.id).assigned_to == user
