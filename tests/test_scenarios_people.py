"""Numbers that move, offices, and keys that are none: nothing goes to the wrong person, and what is odd is told."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from adapters.base import Ambiguous
from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.paging import CONTACT_PAGE
from adapters.sandbox import Fault
from tests.scenario import PHONE, Make, Stage, attention, details, waiting
from tests.scenario import make_stages as _stage  # noqa: F401 - the fixture `stage`

RAVI = "+919876543211"
NEW = "+919876543219"
OFFICE = "+912223456789"
AMBIGUOUS = "ambiguous_contact"
NOWHERE = {("superfone", AMBIGUOUS), ("reply", AMBIGUOUS)}


def two_people(world: Stage) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Asha and Ravi, each in all three CRMs, and everything known."""
    asha, ravi = world.everywhere(), world.everywhere("Ravi", RAVI)
    world.good()
    return asha, ravi


# numbers that move -----------------------------------------------------------------------------------


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
    assert f"highlevel:{person}, superfone:{lead} are linked as one person, but no longer share" in details(report)
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


@pytest.mark.parametrize("crm", ["superfone", "reply"])
def test_a_contact_of_a_long_list_is_read_again_before_anything_is_made_by_it(stage: Make, crm: str) -> None:
    """Its list was read seconds ago and is not due: the number that it lost since would still lead to a lead."""
    world = stage()
    for number in range(CONTACT_PAGE + 1):
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


# offices ---------------------------------------------------------------------------------------------


def test_an_office_has_one_number_for_many(stage: Make) -> None:
    world = stage()
    world.superfone.add_lead("Front desk", [OFFICE], ["desk@example.com"])
    people = [world.highlevel.add_contact(name, "", f"{name}@example.com", OFFICE) for name in ("asha", "ravi")]
    contact = world.reply.add_contact("Asha", "asha@example.com", OFFICE)
    world.highlevel.person_creates(people[0], "Ring Asha", world.due())
    world.highlevel.person_creates(people[1], "Ring Ravi", world.due(hours=9))

    report = world.good()

    assert [str(task.contact_id) for task in world.reply_open()] == [contact]
    assert world.open() == (0, 1, 2)
    assert waiting(report) == {("superfone", "no_contact"), ("reply", "no_contact")}
    assert report.attention == ()
    world.quiet(2)


def test_an_offices_number_joins_who_has_no_other_email(stage: Make) -> None:
    world = stage()
    world.superfone.add_lead("Asha", [OFFICE])
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", OFFICE)
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    world.good()

    assert world.open() == (1, 0, 1)
    world.quiet()


# keys that are none ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "written",
    ["0000000000", "+910000000000", "9999999999", "1234567890", "+91 12345 67890", "+91 98765 43210 x12", "98765"],
)
def test_dirty_keys_join_nobody(stage: Make, written: str) -> None:
    world = stage()
    world.superfone.add_lead("Ravi", [written])
    world.reply.add_contact("Ravi", "ravi@example.com", written)
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", written)
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    report = world.good()

    assert world.open() == (0, 0, 1)
    assert waiting(report) == {("superfone", "no_contact"), ("reply", "no_contact")}
    assert report.attention == ()
    assert world.count("superfone", "find") == 0
    world.quiet()


@pytest.mark.parametrize(("written", "phone"), [("919876543210", PHONE), ("14155550123", "+14155550123")])
def test_international_numbers_need_no_plus(stage: Make, written: str, phone: str) -> None:
    world = stage()
    world.superfone.add_lead("Asha", [phone])
    world.reply.add_contact("Asha", "asha@example.com", phone)
    person = world.highlevel.add_contact("Asha", "", "", written)
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


# lists that shift while they are read ----------------------------------------------------------------


def shifting(world: Stage, crm: str) -> tuple[str, str]:
    """Asha and a second contact with her number, on two pages of a list; a contact before them can be deleted."""
    if crm == "reply":
        world.reply.top_cap = 2
        first = world.reply.add_contact("Gone", "gone@example.com")
        asha = world.reply.add_contact("Asha", "asha@example.com", PHONE)
        twin = world.reply.add_contact("Asha", "asha2@example.com", PHONE)
        world.reply.add_contact("Last", "last@example.com")
        world.afterwards("reply", "contacts", lambda: world.reply.person_deletes_contact(first))
        return asha, twin
    world.highlevel.contact_page_clamp, world.highlevel.contact_cursors = 2, False
    first = world.highlevel.add_contact("Gone", "", "gone@example.com")
    asha = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    twin = world.highlevel.add_contact("Asha", "", "asha2@example.com", PHONE)
    world.highlevel.add_contact("Last", "", "last@example.com")
    world.afterwards("highlevel", "contacts", lambda: world.highlevel.person_deletes_contact(first))
    return asha, twin


@pytest.mark.parametrize("crm", ["reply", "highlevel"])
def test_a_list_of_contacts_that_shifts_while_it_is_read_joins_nobody(stage: Make, crm: str) -> None:
    """A contact is deleted between two pages: the first of the next page moves up, out of sight."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    asha, twin = shifting(world, crm)
    world.superfone.person_creates(lead, "BOOKING", world.due())

    report = world.good()

    assert sum(world.open()) == 1
    assert (crm, AMBIGUOUS) in waiting(report)
    assert f"{crm}:{asha}" in details(report)
    assert f"{crm}:{twin}" in details(report)


def test_a_long_list_is_read_again(stage: Make) -> None:
    world = stage()
    world.highlevel.contact_page_clamp = 500
    for number in range(501):
        world.highlevel.add_contact("", "", f"person{number}@example.com")
    world.good()
    listed = world.count("highlevel", "contacts")
    world.good(seconds=10)
    assert world.count("highlevel", "contacts") == listed
    world.good(seconds=31)
    assert world.count("highlevel", "contacts") > listed
    listed = world.count("highlevel", "contacts")
    world.good(days=400)
    listed = world.count("highlevel", "contacts")
    world.again(1, days=-400)
    assert world.count("highlevel", "contacts") > listed, "what lies ahead was written while the clock was wrong"


# contacts that are to be made ------------------------------------------------------------------------


def test_the_contact_found_just_before_it_is_made_is_somebody_elses(stage: Make) -> None:
    """Meanwhile a person gave the number, as a second one, to a lead that is another person's."""
    world = stage(superfone="create_missing_contacts = true")
    ravi, _, _ = world.everywhere("Ravi", RAVI)
    world.good()
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.meanwhile("superfone", "find", lambda: world.superfone.person_renumbers_lead(ravi, [RAVI, PHONE]), skip=1)

    report = world.again()

    assert len(world.superfone.leads()) == 1
    assert world.lane(ravi) == []
    assert AMBIGUOUS in {reason for _, reason in attention(report)}
    assert f"superfone:{ravi}" in details(report)
    assert ("superfone", AMBIGUOUS) in waiting(report)
    world.quiet(3)


def test_the_contact_found_just_before_it_is_made_is_two(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    def two() -> None:
        world.reply.add_contact("Asha", "asha@example.com")
        world.reply.add_contact("Asha too", "asha@example.com")

    world.afterwards("highlevel", "task", two)
    world.afterwards("highlevel", "tasks of contact", two)

    report = world.again()

    assert len(world.reply.contacts()) in {2, 4}
    assert world.reply_open() == []
    assert AMBIGUOUS in {reason for _, reason in attention(report)}
    world.quiet(3)


def test_an_office_that_is_found_just_before_a_lead_is_made_is_not_the_person(stage: Make) -> None:
    world = stage(superfone="create_missing_contacts = true")
    desk = world.superfone.add_lead("Front desk", [OFFICE], ["desk@example.com"])
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", OFFICE)
    world.highlevel.person_creates(person, "Ring Asha", world.due())

    report = world.again()

    assert world.open() == (0, 0, 1)
    assert len(world.superfone.leads()) == 1
    assert ("superfone", AMBIGUOUS) in waiting(report)
    assert f"superfone:{desk}" in details(report)
    world.quiet(3)


def test_a_crm_that_cannot_tell_when_a_contact_is_to_be_made(stage: Make) -> None:
    """Nothing is made, it is told in the CRM's words, and tried again when the person's keys change."""
    world = stage(highlevel="create_missing_contacts = true")
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.reply.person_creates(contact, "Call", world.due())
    refusal = Ambiguous("contact c9 has this number as a second one", system="highlevel")

    with patch.object(HighLevelAdapter, "create_contact", side_effect=refusal) as asked:
        report = world.again()
        assert ("highlevel", AMBIGUOUS) in attention(report)
        assert "contact c9 has this number as a second one" in details(report)
        assert ("highlevel", "refused") not in attention(world.quiet(3))
        assert asked.call_count == 1
        world.good(hours=1)
        assert asked.call_count == 2
        world.reply.person_edits_contact(contact, phone=NEW)
        world.good()
        assert asked.call_count == 3
    assert world.highlevel.contacts() == []

    world.reply.person_edits_contact(contact, phone=PHONE)
    world.good()
    assert world.open()[1:] == (1, 1)
    world.quiet()


@pytest.mark.parametrize("create", ["true", "false"])
def test_a_crm_that_cannot_tell_when_a_contact_is_looked_for(stage: Make, create: str) -> None:
    world = stage(highlevel=f"create_missing_contacts = {create}")
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.reply.person_creates(contact, "Call", world.due())
    refusal = Ambiguous("contact c9 has this number as a second one", system="highlevel")

    with patch.object(HighLevelAdapter, "find_contacts", side_effect=refusal):
        for report in (world.good(), world.quiet(3)):
            assert ("highlevel", AMBIGUOUS) in attention(report)
            assert ("highlevel", AMBIGUOUS) in waiting(report)
            assert "contact c9 has this number as a second one" in details(report)
    assert world.highlevel.contacts() == []


def test_nobody_is_made_by_a_link_that_contradicts_itself(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    lead = world.superfone.add_lead("Asha", [PHONE])
    person = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.good()
    world.highlevel.person_edits_contact(person, phone=NEW, email="new@example.com")
    world.superfone.person_creates(lead, "BOOKING", world.due())

    world.good()

    assert world.reply.contacts() == ()
    world.quiet(2)


# contacts that go ------------------------------------------------------------------------------------


def test_a_deleted_contact_that_a_search_still_finds_joins_nobody(stage: Make) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.good()
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    found: dict[str, Any] = {"id": person, "email": "asha@example.com", "phone": PHONE}
    world.highlevel.person_deletes_contact(person)
    world.mangle("highlevel", "find", lambda answer: answer.update(contact=found))
    world.reply.person_creates(contact, "Call", world.due())

    report = world.good()

    assert world.open() == (0, 1, 0)
    assert ("highlevel", "no_contact") in waiting(report)
    world.quiet(2)


@pytest.mark.parametrize("crm", ["reply", "highlevel"])
def test_a_task_that_is_open_while_its_contact_is_gone(stage: Make, crm: str) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    if crm == "reply":
        world.reply.person_creates(contact, "Call", world.due())
        world.reply.person_deletes_contact(contact)
    else:
        task = world.highlevel.person_creates(person, "Ring", world.due())
        world.highlevel.person_deletes_contact(person)
        world.highlevel.person_restores(task)
    other = world.everywhere("Ravi", RAVI)
    world.highlevel.person_creates(other[2], "Ring Ravi", world.due(hours=9))

    report = world.good()

    assert len(world.lane(other[0])) == 1
    assert (crm, "contact_unread") in waiting(report) or not world.quiet().attention
    world.quiet(2)


def test_who_was_joined_by_a_contact_that_is_gone_is_one_person_still(stage: Make) -> None:
    """A lead with a number, a Reply contact with an e-mail: the HighLevel contact that had both is deleted."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    contact = world.reply.add_contact("Asha", "asha@example.com")
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.again(2)
    newcomer = world.highlevel.add_contact("Asha", "Rao", "", PHONE)
    assert newcomer in details(world.quiet())
    world.highlevel.person_deletes_contact(person)
    world.highlevel.person_deletes_contact(newcomer)
    world.again(2)
    world.reply.person_creates(contact, "Call", world.due())

    world.again(3)

    assert sorted(world.lane(lead)) == ["FOLLOW_UP_CALL", "REMINDER"]
    assert {reason for _, reason in attention(world.quiet())} <= {"replica_missing"}


# two persons turn out to be one ----------------------------------------------------------------------


@pytest.mark.parametrize("lead_first", [True, False])
@pytest.mark.parametrize("same_due", [True, False])
def test_two_persons_with_open_tasks_turn_out_to_be_one(stage: Make, lead_first: bool, same_due: bool) -> None:
    """Which of them is older decides nothing; the lead's slot is still theirs, and no task has two copies."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    contact = world.reply.add_contact("Asha", "asha@example.com")
    person = world.highlevel.add_contact("Asha", "", "", PHONE)
    dues = (world.due(hours=5), world.due(hours=5 if same_due else 8))

    def in_superfone() -> None:
        world.superfone.person_creates(lead, "FOLLOW_UP_CALL", dues[0])

    def in_reply() -> None:
        world.reply.person_creates(contact, "Call", dues[1])

    for make in (in_superfone, in_reply) if lead_first else (in_reply, in_superfone):
        make()
        world.good()
    world.quiet()

    world.highlevel.person_edits_contact(person, email="asha@example.com")
    world.again(2)

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert len(world.reply_open()) == len(world.highlevel_open()) == 2
    assert ("superfone", "slot_taken") in waiting(world.quiet(2))

    world.superfone.person_completes(world.superfone.open_tasks(lead)[0].id)
    world.again(2)
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.complete_in("reply")
    world.again(2)
    assert world.open() == (0, 0, 0)
    assert world.quiet().incidents == ()


def test_two_persons_that_are_one_by_now_are_not_taken_apart_again(stage: Make) -> None:
    """The e-mail that joined them is removed: nothing moves, nothing new is made, completions go on."""
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    contact = world.reply.add_contact("Asha", "asha@example.com")
    person = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.reply.person_creates(contact, "ToDo", world.due(hours=9))
    world.good()
    world.highlevel.person_edits_contact(person, email="asha@example.com")
    world.again(2)
    assert world.open() == (2, 2, 2)

    world.highlevel.person_edits_contact(person, email="")
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=7))
    report = world.good()
    assert world.open() == (3, 2, 2)
    assert waiting(report) == {("reply", AMBIGUOUS), ("highlevel", AMBIGUOUS)}
    world.quiet(2)

    world.complete_in("reply")
    world.again(2)
    assert world.open() == (1, 0, 0) or ("superfone", "newer_above") in waiting(world.quiet())
    assert world.open()[1:] == (0, 0)


@pytest.mark.parametrize("lead_first", [True, False])
def test_who_is_not_read_yet_is_not_so_under_another_name_either(stage: Make, lead_first: bool) -> None:
    """A marker says that something was written that the ledger does not know; then the two persons become one."""
    world = stage()
    people: list[str] = []

    def in_superfone() -> None:
        lead = world.superfone.add_lead("Asha", [PHONE])
        people.append(world.highlevel.add_contact("Asha", "", "", PHONE))
        world.superfone.person_creates(lead, "REMINDER", world.due())

    def in_reply() -> None:
        contact = world.reply.add_contact("Asha", "asha@example.com")
        world.reply.person_creates(contact, "Call", world.due(hours=9))

    for make in (in_superfone, in_reply) if lead_first else (in_reply, in_superfone):
        make()
        world.good()
    person = people[0]
    world.fail("superfone", "tasks of contact", Fault.ERROR_BEFORE, times=1000)
    body = "as agreed\n\nsyncer:0000000001:superfone:99"
    told = world.highlevel.person_creates(person, "Ring", world.due(hours=7), body=body)
    assert ("highlevel", "unread") in waiting(world.again())

    world.highlevel.person_deletes(told)
    world.highlevel.person_edits_contact(person, email="asha@example.com")
    report = world.again(2)
    assert world.open() == (1, 1, 1)
    assert {("reply", "unread"), ("highlevel", "unread")} <= waiting(report)

    world.heal()
    world.again(3)
    assert world.open() == (2, 2, 2)
    assert attention(world.quiet()) == set()


# contacts that their CRM merges ----------------------------------------------------------------------


@pytest.mark.parametrize("first", ["the double", "everybody"])
def test_a_task_goes_with_the_contact_that_its_own_was_merged_into(stage: Make, first: str) -> None:
    """Entered twice, and merged later: the task is the other contact's by then, and so that person's."""
    world = stage()
    asha = world.everywhere()
    if first == "everybody":
        world.good()
    double = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    task = world.highlevel.person_creates(double, "Ring", world.due())
    assert ("reply", AMBIGUOUS) in waiting(world.again(2))
    assert world.open() == (0, 0, 1)

    world.highlevel.person_moves(task, asha[2])
    world.highlevel.person_deletes_contact(double)
    world.again(3)

    assert world.open() == (1, 1, 1)
    assert world.lane(asha[0]) == ["FOLLOW_UP_CALL"]
    assert attention(world.quiet()) == set()
    world.complete_in("reply")
    world.again(2)
    assert world.open() == (0, 0, 0)


def test_a_task_whose_contact_is_gone_stays_its_persons(stage: Make) -> None:
    """Nobody else has it: it is not nobody's task for that."""
    world = stage()
    asha = world.everywhere()
    task = world.highlevel.person_creates(asha[2], "Ring", world.due())
    world.good()
    world.highlevel.person_deletes_contact(asha[2])
    world.highlevel.person_restores(task)
    other = world.highlevel.add_contact("Meera", "", "", NEW)
    world.again(3)
    assert world.open() == (1, 1, 1)
    world.highlevel.person_moves(task, other)
    world.again(2)
    assert world.open() == (1, 1, 1)
    world.complete_in("superfone")
    world.again(2)
    assert world.open() == (0, 0, 0)
