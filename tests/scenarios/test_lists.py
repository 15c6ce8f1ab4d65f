"""Long lists, lists that break off, rows that nobody understands, and a search that is behind."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from tests.support.scenario import Make, Stage, attention, waiting


def people(world: Stage, count: int) -> list[tuple[str, str, str]]:
    return [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(count)]


# paging ----------------------------------------------------------------------------------------------


def test_a_lead_with_more_tasks_than_a_page(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    for hours in range(1, 46):
        task = world.superfone.person_creates(lead, "REMINDER", world.due(hours=hours))
        if hours % 3 == 0:
            world.superfone.person_completes(task)

    world.good()
    assert world.open() == (30, 30, 30)
    world.quiet()

    oldest = world.superfone.open_tasks(lead)[-1]
    world.superfone.person_completes(oldest.id)
    world.good()
    assert world.open() == (29, 29, 29)
    world.quiet()


@pytest.mark.parametrize("order", ["id", "reversed", "shuffled"])
def test_reply_gives_its_tasks_and_contacts_page_by_page(stage: Make, order: str) -> None:
    world = stage()
    world.reply.top_cap = 4
    world.reply.order = order  # type: ignore[assignment]
    for _, contact, _ in people(world, 11):
        world.reply.person_creates(contact, "Call", world.due())

    world.good()
    assert world.open() == (11, 11, 11)
    world.quiet()

    world.reply.person_completes(str(world.reply_open()[7].id))
    world.good()
    assert world.open() == (10, 10, 10)
    world.quiet()


@pytest.mark.parametrize("cursors", [True, False])
def test_highlevel_gives_fewer_rows_than_asked_for(stage: Make, cursors: bool) -> None:
    world = stage()
    world.highlevel.page_clamp = world.highlevel.contact_page_clamp = 3
    world.highlevel.task_cursors = world.highlevel.contact_cursors = cursors
    for _, _, person in people(world, 8):
        world.highlevel.person_creates(person, "Ring", world.due())

    world.good()

    assert world.open() == (8, 8, 8)
    world.quiet()


def test_more_than_a_hundred_highlevel_tasks(stage: Make) -> None:
    world = stage(superfone='slot = "hold"')
    _, _, person = world.everywhere()
    for number in range(103):
        world.highlevel.person_creates(person, f"Call {number}", world.due(hours=1 + number))

    report = world.good()
    assert world.open() == (1, 103, 103)
    assert len(report.waiting) == 102
    world.quiet()

    world.complete_in("highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize(("status", "nested", "tombstones"), [(200, True, False), (201, False, True)])
def test_highlevels_search_in_both_forms(stage: Make, status: int, nested: bool, tombstones: bool) -> None:
    world = stage()
    world.highlevel.search_status, world.highlevel.nested_rows = status, nested
    world.highlevel.deleted_rows = tombstones
    _, _, person = world.everywhere()
    gone = world.highlevel.person_creates(person, "Never mind", world.due(hours=1))
    world.highlevel.person_creates(person, "Ring", world.due())
    world.highlevel.person_deletes(gone)

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


# lists that break off --------------------------------------------------------------------------------


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_list_that_breaks_off_counts_as_unread(stage: Make, system: str) -> None:
    world = stage()
    world.reply.top_cap = 2
    world.highlevel.page_clamp = 2
    for lead, _, _ in people(world, 5):
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    newest = world.superfone_open()[0]
    world.superfone.person_completes(newest.id)
    world.wait(seconds=30)
    world.superfone.person_creates(newest.lead, "FIRST_CALL", world.due(hours=9))
    written = world.count(system, "create")
    for _ in range(3):
        world.fail(system, "tasks", Fault.ERROR_BEFORE, skip=1, times=99)
        report = world.again()
        world.heal()
        assert report.exit is Exit.PARTIAL
        assert report.connections[system].state == "unavailable"

    assert world.count(system, "create") == written
    assert report.incidents == ()
    world.good()
    assert world.open() == (5, 5, 5)
    world.quiet()


def test_a_superfone_list_that_breaks_off_says_nothing_of_its_lead(stage: Make) -> None:
    world = stage()
    (lead, _, _), (other, contact, _) = people(world, 2)
    for hours in range(1, 26):
        world.superfone.person_creates(lead, "REMINDER", world.due(hours=hours))
    world.good()
    assert world.open() == (25, 25, 25)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.reply.person_creates(contact, "Call", world.due())
    second_pages = world.count("superfone", "tasks of contact")

    def break_off(answer: Any) -> None:
        if answer["data"]["current_page"] == 2:
            answer["data"]["rows"] = "nothing"

    world.mangle("superfone", "tasks of contact", break_off)
    report = world.again(2)

    assert world.count("superfone", "tasks of contact") > second_pages
    assert ("superfone", "unreadable") in attention(report)
    assert world.lane(other) == ["FOLLOW_UP_CALL"]
    assert len(world.highlevel_open()) == 26
    assert report.incidents == ()


# rows that nobody understands ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damage",
    [
        {"status": "Sleeping"},
        {"status": 99},
        {"dueTo": "tomorrow"},
        {"id": {"a": 1}},
        {"contact": 7},
        {"isScheduled": "maybe"},
    ],
)
def test_a_reply_row_that_nobody_understands_is_listed_and_the_rest_goes_on(
    stage: Make, damage: dict[str, object]
) -> None:
    world = stage()
    (_, one, _), (_, two, _) = people(world, 2)
    world.reply.person_creates(one, "Call", world.due())
    world.reply.person_creates(two, "Call", world.due())

    def edit(answer: Any) -> None:
        answer["items"][0].update(damage)

    honest = world.reply.handle
    world.mangle("reply", "tasks", edit)
    report = world.good()

    assert ("reply", "unreadable") in attention(report)
    assert world.open() == (1, 2, 1)
    world.quiet()
    world.reply.handle = honest  # type: ignore[method-assign]
    world.good()
    assert world.open() == (2, 2, 2)
    assert attention(world.quiet()) == set()


@pytest.mark.parametrize("damage", [{"_id": None}, {"title": 7}, {"completed": "yes"}, {"dueDate": "soon"}])
def test_a_highlevel_row_that_nobody_understands(stage: Make, damage: dict[str, object]) -> None:
    world = stage()
    (_, _, one), (_, _, two) = people(world, 2)
    world.highlevel.person_creates(one, "Ring", world.due())
    world.highlevel.person_creates(two, "Ring", world.due())

    def edit(answer: Any) -> None:
        if answer["tasks"]:
            answer["tasks"][0].update(damage)

    honest = world.highlevel.handle
    world.mangle("highlevel", "tasks", edit)
    report = world.good()

    assert ("highlevel", "unreadable") in attention(report)
    assert world.open() == (1, 1, 2)
    world.quiet()
    world.highlevel.handle = honest  # type: ignore[method-assign]
    world.good()
    assert world.open() == (2, 2, 2)
    world.quiet()


@pytest.mark.parametrize("damage", [{"task_status": "SNOOZED"}, {"created_at": None}, {"id": "x"}, {"type": None}])
def test_a_superfone_row_that_nobody_understands_stops_its_lane_only(stage: Make, damage: dict[str, object]) -> None:
    world = stage()
    (lead, one, _), (other, two, _) = people(world, 2)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.reply.person_creates(one, "ToDo", world.due())
    world.reply.person_creates(two, "ToDo", world.due())

    def edit(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            if row["customer_id"] == int(lead):
                row.update(damage)

    honest = world.superfone.handle
    world.mangle("superfone", "tasks of contact", edit)
    report = world.good()

    assert ("superfone", "unreadable") in attention(report)
    assert ("superfone", "unread") in waiting(report)
    assert (world.lane(lead), world.lane(other)) == (["BOOKING"], ["REMINDER"])
    assert len(world.highlevel_open()) == 3
    world.quiet()
    world.superfone.handle = honest  # type: ignore[method-assign]
    world.good()
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_a_row_that_nobody_understands_just_before_our_write_stops_it_and_is_named(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    world.reply.person_creates(contact, "ToDo", world.due())
    damaged: list[str] = []

    def edit(answer: Any) -> None:
        if damaged:
            answer["data"]["rows"][0]["task_status"] = "SNOOZED"
        damaged.append("from the second reading on")

    honest = world.superfone.handle
    world.mangle("superfone", "tasks of contact", edit)
    report = world.again()

    assert len(damaged) > 1
    assert ("superfone", "unreadable") in attention(report)
    assert world.lane(lead) == ["REMINDER"]
    world.superfone.handle = honest  # type: ignore[method-assign]
    world.good()
    assert world.lane(lead) == ["REMINDER", "REMINDER"]


def test_an_unknown_reply_type_is_a_todo(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Fax", world.due())

    report = world.good()

    assert world.superfone_open()[0].type == "REMINDER"
    assert report.attention == ()
    world.quiet()


def test_a_contact_that_nobody_understands_is_listed(stage: Make) -> None:
    world = stage()
    people(world, 2)
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())

    def edit(answer: Any) -> None:
        answer["items"][0]["id"] = None

    world.mangle("reply", "contacts", edit)
    report = world.good()

    assert ("reply", "unreadable") in attention(report)
    assert world.open() == (1, 1, 1)
    world.quiet()


# a search that is behind -----------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [3, 30])
def test_a_search_that_is_behind_makes_no_doubles(stage: Make, minutes: int) -> None:
    world = stage()
    world.highlevel.lag = timedelta(minutes=minutes)
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(3)

    world.superfone.person_completes(task)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet(3)
    world.quiet(minutes=minutes)
    world.quiet(2)


def test_done_in_highlevel_is_seen_when_the_search_catches_up(stage: Make) -> None:
    world = stage()
    world.highlevel.lag = timedelta(minutes=5)
    _, _, person = world.everywhere()
    # A list that shows no text at all would have each task read by itself, in turn.
    task = world.highlevel.person_creates(person, "Ring", world.due(), "Ask")
    world.quiet()
    world.good(minutes=5)
    assert world.open() == (1, 1, 1)

    world.highlevel.person_completes(task)
    world.quiet(2)
    assert world.open() == (1, 1, 0)
    world.good(minutes=5)
    assert world.open() == (0, 0, 0)
    world.quiet(2, minutes=3)


def test_made_and_done_behind_the_searchs_back(stage: Make) -> None:
    world = stage()
    world.highlevel.lag = timedelta(minutes=5)
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due())
    world.quiet()
    world.highlevel.person_completes(task)

    world.quiet(minutes=5)
    world.quiet(2, minutes=3)

    assert world.open() == (0, 0, 0)


def test_a_lost_create_under_a_search_that_is_behind(stage: Make) -> None:
    world = stage()
    world.highlevel.lag = timedelta(minutes=30)
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.fail("highlevel", "create", Fault.LOST_ANSWER)

    world.again()

    assert world.open() == (1, 1, 1)
    world.quiet(2, minutes=20)


def test_a_contact_search_that_is_behind(stage: Make) -> None:
    world = stage(highlevel="create_missing_contacts = true")
    world.highlevel.contact_lag = timedelta(minutes=30)
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())

    world.again(2)

    assert world.open() == (1, 1, 1)
    assert len(world.highlevel.contacts()) == 1
    world.quiet(2, minutes=20)


def test_a_twin_that_the_search_does_not_show_yet(stage: Make) -> None:
    world = stage()
    world.highlevel.lag = timedelta(minutes=5)
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet(2, minutes=4)
