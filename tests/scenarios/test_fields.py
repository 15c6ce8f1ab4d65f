"""What a copy says: titles, texts, dues and people; and what never travels."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.scenario import PHONE, Make, waiting

USERS = """
[[users]]
name = "Asha"
superfone = 678
reply = 41
highlevel = "userAsha000000000001"
"""


def test_edits_of_the_origin_steer_what_is_made_later(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    theirs = world.superfone.person_creates(lead, "BOOKING", world.due())
    task = world.highlevel.person_creates(person, "Ring", world.due(), "Old text")
    world.good()
    later = world.due(hours=30)
    world.highlevel.person_retitles(task, "Ring twice")
    world.highlevel.person_rewrites(task, "New text")
    world.highlevel.person_reschedules(task, later)
    world.good()
    world.quiet()

    world.superfone.person_completes(theirs)
    world.good()

    [made] = world.superfone_open()
    assert made.due == later
    assert (made.note or "").startswith("Ring twice")
    world.quiet()


def test_a_search_that_is_behind_brings_no_old_due_back(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.good()
    later = world.due(hours=30)
    world.highlevel.person_reschedules(task, later)
    world.good()
    world.highlevel.lag = timedelta(minutes=2, seconds=30)

    world.quiet()

    with world.open_ledger(read_only=True) as ledger:
        assert [view.task.due for view in ledger.tasks()] == [later]


def test_a_text_rewritten_in_highlevel_is_followed(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    theirs = world.superfone.person_creates(lead, "BOOKING", world.due())
    task = world.highlevel.person_creates(person, "Ring", world.due(), "Old text")
    world.good()
    world.highlevel.person_rewrites(task, "New text")
    world.good()

    world.superfone.person_completes(theirs)
    world.good()

    assert world.superfone_open()[0].note == "Ring\nNew text"


def test_a_copy_that_people_changed_is_closed_with_its_task(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    due = world.due()
    world.superfone.person_creates(lead, "BOOKING", due)
    world.good()
    [copy], [other] = world.reply_open(), world.highlevel_open()
    world.reply.person_reschedules(str(copy.id), due + timedelta(hours=3))
    world.highlevel.person_retitles(other.id, "Mine")
    world.highlevel.person_rewrites(other.id, "no marker any more")
    world.good()
    world.quiet(2)

    assert world.superfone_open()[0].due == due
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_missing_due_is_made_up_and_never_flows_back(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    seen = world.due(days=1, minutes=1)
    task = world.highlevel.person_creates(person, "Ring")

    world.good()

    [made], [copy] = world.superfone_open(), world.reply_open()
    assert abs(made.due - seen) < timedelta(seconds=10)
    assert made.due == copy.due_to
    assert world.highlevel.task(task).due is None
    world.quiet(2)

    world.highlevel.person_reschedules(task, world.due(hours=3))
    world.good()
    world.quiet(2)


def test_the_default_due_is_a_setting(stage: Make) -> None:
    world = stage(sync='default_due = "2h"')
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring")

    world.good()

    assert world.superfone_open()[0].due - world.now() < timedelta(hours=2, seconds=1)
    world.quiet()


def test_variables_are_not_filled_in_by_reply(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ask {{firstName}}", world.due(), "about {{ email }}")

    world.good()

    [copy] = world.reply_open()
    assert "{{" not in copy.template["body"]
    assert "}}" not in copy.template["body"]
    world.complete_in("reply")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_markers_stay_where_they_are(stage: Make) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due(), title="Sign")
    world.reply.person_creates(contact, "ToDo", world.due(), "Bring keys\nall of them")
    world.highlevel.person_creates(person, "Ring", world.due(hours=9), "gently")

    world.good()

    assert not any("syncer:" in (task.note or "") for task in world.superfone_open())
    for task in world.reply_open():
        assert task.template["body"].count("syncer:") in {0, 1}
    ours = [task for task in world.highlevel_open() if "syncer:" in (task.body or "")]
    assert len(ours) == 2
    assert all((task.body or "").splitlines()[-1].startswith("syncer:") for task in ours)
    with world.open_ledger() as ledger:
        assert not any("syncer:" in (view.task.body or "") for view in ledger.tasks())
    world.quiet()


@pytest.mark.parametrize("copied_in", ["highlevel", "reply"])
def test_a_copy_that_somebody_made_with_its_marker_is_a_new_task(stage: Make, copied_in: str) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(), title="Sign")
    world.good()
    text = world.highlevel_open()[0].body or ""
    if copied_in == "highlevel":
        world.highlevel.person_creates(person, "Sign, again", world.due(hours=9), text)
    else:
        world.reply.person_creates(contact, "ToDo", world.due(hours=9), f"Sign, again\n{text}")

    world.good()

    assert world.open() == (2, 2, 2)
    markers = [(task.body or "").strip() for task in world.highlevel_open() if task.title == "Sign"]
    assert len(set(markers)) == len(markers)
    world.quiet(2)

    again = [task for task in world.highlevel_open() if task.title != "Sign"]
    world.highlevel.person_completes(again[0].id)
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_marker_on_another_persons_task_is_ignored(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    _, _, other = world.everywhere("Ravi", "+919876543211")
    world.superfone.person_creates(lead, "BOOKING", world.due(), title="Sign")
    world.good()
    world.highlevel.person_creates(other, "Sign", world.due(hours=9), world.highlevel_open()[0].body)

    world.good()

    assert world.open() == (2, 2, 2)
    world.quiet()


def test_people_are_mapped(stage: Make) -> None:
    world = stage(more=USERS)
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    assert world.highlevel_open()[0].assigned_to == "userAsha000000000001"
    world.quiet()

    task = world.highlevel.person_creates(person, "Ring", world.due(hours=9))
    world.highlevel.person_assigns(task, "nobodyWeKnow00000001")
    world.good()
    assert world.open() == (1, 2, 2)
    world.quiet()


def test_an_unmapped_assignee_is_no_assignee(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())

    world.good()

    assert world.highlevel_open()[0].assigned_to is None
    world.quiet()


def test_titles_are_made_where_there_are_none(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "SITE_VISIT", world.due())

    world.good()

    assert world.highlevel_open()[0].title.startswith("Site visit Asha")
    assert world.reply_open()[0].template["body"].startswith("Site visit Asha\nsyncer:")


def test_a_title_names_the_person_as_any_crm_does(stage: Make) -> None:
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    world.highlevel.add_contact("", "", "", PHONE)
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())

    world.good()

    assert world.highlevel_open()[0].title == "Follow-up call Asha"


@pytest.mark.parametrize("hours", [-3, 0])
def test_a_task_that_is_overdue_already(stage: Make, hours: int) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring", world.due(hours=hours, seconds=1))
    world.reply.person_creates(contact, "Meeting", world.due(hours=hours, seconds=1))

    report = world.good()

    assert world.open() == (1, 2, 2)
    assert waiting(report) == {("superfone", "slot_taken")}
    world.quiet()


def test_strange_texts_go_through(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    title, body = "Ünïcode — 電話 🙂 <b>&amp;</b>", "line one\r\n\r\n<p>syncer: not a marker</p>\n{% if %}"
    world.highlevel.person_creates(person, title, world.due(), body)

    world.good()

    assert (world.superfone_open()[0].note or "").startswith(title)
    world.quiet(2)


@pytest.mark.parametrize("blank", [" ", "\xa0", "  ", "\t"])
def test_what_people_type_behind_the_marker_travels_without_it(stage: Make, blank: str) -> None:
    """An editor opens a text with the cursor at its end, which is the end of our line."""
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring\nBring the plan")
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    world.highlevel.person_rewrites(copy.id, f"{copy.body}{blank}and the prices")
    world.good()
    world.quiet(2)
    assert origin.template["body"] == "Ring\nBring the plan\nand the prices"

    world.lose_ledger()
    world.again(3)

    assert world.open() == (1, 1, 1)
    assert "syncer:" not in str(origin.template["body"])


@pytest.mark.parametrize("blank", [" ", "\xa0", "\u200b"])
def test_a_blank_behind_the_marker_is_no_edit(stage: Make, blank: str) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring\nBring the plan")
    world.good()
    [origin], [copy] = world.reply_open(), world.highlevel_open()
    world.highlevel.person_rewrites(copy.id, f"{copy.body}{blank}")
    world.quiet(2)
    assert origin.template["body"] == "Ring\nBring the plan"
