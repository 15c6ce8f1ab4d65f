"""Offices, keys that are none, and persons that turn out to be one: what is odd is told, and nobody is guessed."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.people import AMBIGUOUS, NEW, OFFICE
from tests.support.scenario import PHONE, Make, Stage, attention, details, waiting

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
