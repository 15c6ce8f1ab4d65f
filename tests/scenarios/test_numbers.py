"""Numbers that move: nothing goes to the wrong person, and what is odd is told."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.long_lists import PAGE
from tests.support.people import AMBIGUOUS, NEW, NOWHERE, RAVI, two_people
from tests.support.scenario import PHONE, Make, attention, details, waiting


def test_a_number_that_is_another_leads_by_now(stage: Make) -> None:
    """Superfone has no list of leads: who has the number is asked just before something is made for one."""
    world = stage()
    (lead, _, person), _ = two_people(world)
    other = world.superfone.add_lead("Meera", [], ["meera@example.com"])
    world.superfone.person_renumbers_lead(other, [PHONE])
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    report = world.again()

    assert world.lane(lead) == world.lane(other) == []
    assert ("superfone", AMBIGUOUS) in attention(report)
    assert ("superfone", AMBIGUOUS) in waiting(report)
    for named in (f"superfone:{lead}", f"superfone:{other}", f"highlevel:{person}", PHONE):
        assert named in details(report)
    made = world.open()
    world.quiet(3)

    world.superfone.person_renumbers_lead(lead, [PHONE])
    world.again(2, minutes=11)
    assert len(world.lane(lead)) == 1
    assert world.lane(other) == []
    assert world.open()[1:] == (1, 1)
    assert made[1:] in {(0, 1), (1, 1)}
    assert attention(world.quiet()) == set()


def test_a_lead_that_has_another_number_by_now(stage: Make) -> None:
    world = stage()
    (lead, _, person), _ = two_people(world)
    world.superfone.person_renumbers_lead(lead, [NEW])
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    report = world.again()
    assert world.lane(lead) == []
    assert f"superfone:{lead}" in details(report)
    assert PHONE in details(report)
    assert ("superfone", AMBIGUOUS) in attention(report) | waiting(report)
    world.quiet(3)

    world.superfone.person_renumbers_lead(lead, [PHONE, NEW])
    world.again(2)
    assert len(world.lane(lead)) == 1
    assert attention(world.quiet()) == set()


@pytest.mark.parametrize("crm", ["highlevel", "reply"])
def test_a_contact_that_got_another_persons_number(stage: Make, crm: str) -> None:
    world = stage()
    asha, ravi = two_people(world)
    if crm == "highlevel":
        world.highlevel.person_edits_contact(asha[2], phone=RAVI)
    else:
        world.reply.person_edits_contact(asha[1], phone=RAVI)
    task = world.highlevel.person_creates(asha[2], "Ring", world.due())

    report = world.good()

    assert world.open() == (0, 0, 1)
    assert waiting(report) == NOWHERE
    for named in (f"superfone:{asha[0]}", f"superfone:{ravi[0]}", RAVI):
        assert named in details(report)
    world.quiet(2)

    if crm == "highlevel":
        world.highlevel.person_edits_contact(asha[2], phone=PHONE)
    else:
        world.reply.person_edits_contact(asha[1], phone=PHONE)
    world.good()
    assert len(world.lane(asha[0])) == 1
    assert world.lane(ravi[0]) == []
    assert attention(world.quiet()) == set()
    world.highlevel.person_completes(task)
    world.good()
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("where", ["highlevel", "superfone"])
def test_a_number_that_moved_is_no_way_to_whose_it_was(stage: Make, where: str) -> None:
    """Asha's number is Ravi's by now, hers is another one: calling her old lead may reach him."""
    world = stage()
    asha, ravi = two_people(world)
    world.highlevel.person_edits_contact(asha[2], phone=NEW)
    world.highlevel.person_edits_contact(ravi[2], phone=PHONE)
    if where == "highlevel":
        world.highlevel.person_creates(asha[2], "Ring Asha", world.due())
    else:
        world.superfone.person_creates(asha[0], "FOLLOW_UP_CALL", world.due())

    report = world.again(3)

    assert world.open() == ((0, 0, 1) if where == "highlevel" else (1, 0, 0))
    assert {reason for _, reason in waiting(report)} == {AMBIGUOUS}
    for named in (f"superfone:{asha[0]}", f"highlevel:{ravi[2]}", PHONE):
        assert named in details(report)
    world.quiet(2)

    world.highlevel.person_edits_contact(asha[2], phone=PHONE)
    world.highlevel.person_edits_contact(ravi[2], phone=RAVI)
    world.again(3)
    assert world.open() == (1, 1, 1)
    assert world.lane(ravi[0]) == []
    assert attention(world.quiet()) == set()


def test_a_contact_that_has_another_number_and_nothing_else(stage: Make) -> None:
    """None of the keys that joined it is left: whoever it is by now, nothing goes on by the old link."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    person = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.good()
    world.highlevel.person_edits_contact(person, phone=NEW)
    world.highlevel.person_creates(person, "Ring", world.due())
    world.superfone.person_creates(lead, "BOOKING", world.due(hours=7))

    report = world.good()

    assert world.open() == (1, 0, 1)
    both = f"Asha (highlevel:{person}), Asha (superfone:{lead})"
    assert f"{both} are linked as one person, but no longer share" in details(report)
    world.quiet(2)

    world.highlevel.person_edits_contact(person, phone=PHONE)
    world.again(2)
    assert world.open() == (1, 0, 2)
    assert ("superfone", "slot_taken") in waiting(world.quiet())


def test_completions_go_on_where_creates_are_stopped(stage: Make) -> None:
    world = stage()
    asha, _ = two_people(world)
    task = world.highlevel.person_creates(asha[2], "Ring", world.due())
    world.good()
    assert world.open() == (1, 1, 1)
    world.highlevel.person_edits_contact(asha[2], phone=RAVI)
    world.highlevel.person_creates(asha[2], "Ring again", world.due(hours=9))
    assert world.good().incidents == ()

    world.highlevel.person_completes(task)
    report = world.good()

    assert world.open() == (0, 0, 1)
    assert waiting(report) == NOWHERE
    world.quiet()


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("crm", ["superfone", "reply"])
def test_a_contact_of_a_long_list_is_read_again_before_anything_is_made_by_it(stage: Make, crm: str) -> None:
    """Its list was read seconds ago and is not due: the number that it lost since would still lead to a lead."""
    world = stage()
    for number in range(PAGE + 1):
        world.highlevel.add_contact("", "", f"person{number}@example.com")
    asha, _ = two_people(world)
    listed = world.count("highlevel", "contacts")
    world.highlevel.person_edits_contact(asha[2], phone=RAVI, email="ravi@example.com")
    if crm == "superfone":
        world.superfone.person_creates(asha[0], "REMINDER", world.due())
    else:
        world.reply.person_creates(asha[1], "ToDo", world.due())

    report = world.again(seconds=5)

    assert world.count("highlevel", "contacts") == listed
    assert world.highlevel_open() == []
    assert "highlevel" in {system for system, reason in waiting(report) if reason == AMBIGUOUS}
    assert f"highlevel:{asha[2]}" in details(report)
    world.quiet(seconds=5)


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE])
def test_a_lead_that_cannot_be_asked_for_gets_nothing_now_and_holds_up_nobody(stage: Make, fault: Fault) -> None:
    world = stage()
    asha, ravi = two_people(world)
    world.highlevel.person_creates(asha[2], "Ring Asha", world.due())
    world.highlevel.person_creates(ravi[2], "Ring Ravi", world.due(hours=6))
    world.fail("superfone", "find", fault, times=50)

    world.again()
    assert world.superfone_open() == []
    assert len(world.reply_open()) == 2

    world.heal()
    world.again(2)
    assert world.open() == (2, 2, 2)
    world.quiet()


def test_a_task_that_a_race_closed_is_put_back_by_whatever_link(stage: Make) -> None:
    """It only comes back to where it was."""
    world = stage()
    asha, _ = two_people(world)
    call = world.reply.person_creates(asha[1], "Call", world.due())
    world.good()
    world.reply.person_completes(call)
    world.meanwhile(
        "superfone",
        "complete",
        lambda: world.superfone.person_creates(asha[0], "REMINDER", world.due(hours=3)),
    )
    assert world.again().incidents
    world.highlevel.person_edits_contact(asha[2], phone=RAVI)

    world.again(3)

    assert world.lane(asha[0]) == ["REMINDER"]
    assert world.quiet().incidents == ()


def test_a_number_that_moved_to_somebody_new_is_given_to_nobody(stage: Make) -> None:
    """Ravi's Reply contact comes while Asha's has his number: he is joined with his own lead, not with Asha."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    person = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.good()
    world.highlevel.person_edits_contact(person, phone=RAVI)
    ravi = world.superfone.add_lead("Ravi", [RAVI])
    contact = world.reply.add_contact("Ravi", "ravi@example.com", RAVI)
    world.reply.person_creates(contact, "Call", world.due())

    world.again(2)

    assert world.lane(lead) == []
    assert len(world.lane(ravi)) == 1
    assert world.highlevel_open() == []
    world.quiet(2)


def test_a_lead_is_asked_for_once_before_what_is_made_and_not_at_all_in_quiet_runs(stage: Make) -> None:
    world = stage()
    (_, _, person), _ = two_people(world)
    asked = world.count("superfone", "find")
    world.quiet(3)
    assert world.count("superfone", "find") == asked
    world.highlevel.person_creates(person, "Remind Asha", world.due())
    world.highlevel.person_creates(person, "Remind Asha again", world.due(hours=9))
    world.good()
    assert world.count("superfone", "find") == asked + 1
