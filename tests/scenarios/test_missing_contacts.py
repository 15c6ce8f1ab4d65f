"""Contacts that a CRM lacks: made where the account says so, once, whatever goes wrong."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import PHONE, Make, attention, details, waiting


def test_nobody_is_made_by_a_key_that_two_share(stage: Make) -> None:
    world = stage(superfone="create_missing_contacts = true")
    one = world.highlevel.add_contact("Ram", "", "ram@example.com", PHONE)
    other = world.highlevel.add_contact("Rama", "", "rama@example.com", PHONE)
    world.highlevel.person_creates(one, "Ring Ram", world.due())
    world.highlevel.person_creates(other, "Ring Rama", world.due(hours=9))

    report = world.good()

    assert not world.superfone.leads()
    assert waiting(report) == {("superfone", "ambiguous_contact"), ("reply", "no_contact")}
    assert one in details(report)
    assert other in details(report)
    world.quiet(2)

    world.highlevel.person_edits_contact(other, phone="+919876500001")
    world.again(2)
    assert world.open() == (2, 0, 2)


def test_missing_contacts_are_made_in_every_crm_that_is_told_to(stage: Make) -> None:
    create = "create_missing_contacts = true"
    world = stage(superfone=create, reply=create, highlevel=create)
    lead = world.superfone.add_lead("Asha", [PHONE], ["asha@example.com"])
    other = world.highlevel.add_contact("Ravi", "", "ravi@example.com", "+919876543211")
    third = world.reply.add_contact("Meera", "meera@example.com", "+919876543212")
    world.highlevel.add_contact("Bait", "", "bait@example.com", "+919876543219")
    world.reply.add_contact("Asha", "asha2@example.com", PHONE)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.highlevel.person_creates(other, "Ring", world.due())
    world.reply.person_creates(third, "Call", world.due())

    report = world.good()
    if report.waiting:
        world.good()

    assert world.open() == (3, 3, 3)
    assert len(world.superfone.leads()) == 3
    assert len(world.reply.contacts()) == 3
    assert len(world.highlevel.contacts()) == 4
    world.quiet(2)


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_a_missing_contact_is_made_once_for_several_tasks(stage: Make, system: str) -> None:
    world = stage(**{system: "create_missing_contacts = true"})
    lead = 0 if system == "superfone" else world.superfone.add_lead("Asha", [PHONE], ["asha@example.com"])
    contact = "" if system == "reply" else world.reply.add_contact("Asha", "asha@example.com", PHONE)
    person = "" if system == "highlevel" else world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    if person:
        world.highlevel.person_creates(person, "Ring", world.due())
    if lead:
        world.superfone.person_creates(lead, "REMINDER", world.due())
    if contact:
        world.reply.person_creates(contact, "Meeting", world.due())

    world.again(2)

    places = {"superfone": world.superfone.leads, "reply": world.reply.contacts, "highlevel": world.highlevel.contacts}
    assert [len(found()) for found in places.values()] == [1, 1, 1]
    assert world.open()[1:] == (2, 2)
    world.quiet()


def test_a_contact_without_a_key_that_reply_needs_is_parked_with_words(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    lead = world.superfone.add_lead("Asha", [PHONE])
    contact = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.superfone.person_creates(lead, "BOOKING", world.due())

    world.again()

    assert world.open() == (1, 0, 1)
    report = world.quiet()
    assert ("reply", "refused") in attention(report)

    world.highlevel.person_edits_contact(contact, email="asha@example.com")
    world.again(2)
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.GATEWAY_404])
def test_whatever_goes_wrong_a_missing_contact_is_made_once(stage: Make, system: str, fault: Fault) -> None:
    world = stage(**{system: "create_missing_contacts = true"})
    for name, phone in (("Asha", PHONE), ("Ravi", "+919876543211")):
        if system != "superfone":
            lead = world.superfone.add_lead(name, [phone], [f"{name}@example.com"])
            world.superfone.person_creates(lead, "BOOKING", world.due())
        if system != "reply":
            world.reply.add_contact(name, f"{name}@example.com", phone)
        if system != "highlevel":
            person = world.highlevel.add_contact(name, "", f"{name}@example.com", phone)
            if system == "superfone":
                world.highlevel.person_creates(person, "Ring", world.due())
    world.fail(system, "new contact", fault)

    report = world.again()
    assert report.incidents == ()
    if fault in {Fault.GARBAGE, Fault.TRUNCATED, Fault.ERROR_AFTER, Fault.ERROR_BEFORE}:
        assert dict(zip(("superfone", "reply", "highlevel"), world.open(), strict=True))[system] >= 1
    world.again(2)

    assert world.open() == (2, 2, 2)
    assert len(world.superfone.leads()) == len(world.reply.contacts()) == len(world.highlevel.contacts()) == 2
    world.quiet()


def test_a_new_contact_that_arrives_late_is_not_made_twice(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring", world.due())
    world.highlevel.person_creates(person, "Ring again", world.due(days=2))
    world.fail("reply", "new contact", Fault.LOST_REQUEST)

    world.again()
    for _ in range(6):
        report = world.again(seconds=4)
    assert world.reply.contacts() == ()
    assert ("reply", "in_doubt") in waiting(report)

    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.good(seconds=4)
    world.good()
    assert len(world.reply.contacts()) == 1
    assert world.open()[1:] == (2, 2)
    world.quiet()


def test_a_new_contact_that_never_arrived_is_made_again(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    person = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(person, "Ring", world.due())
    world.fail("reply", "new contact", Fault.LOST_REQUEST)

    world.again()
    assert world.reply.contacts() == ()
    world.good(seconds=31)

    assert world.open()[1:] == (1, 1)
    world.quiet()


def test_a_new_lead_that_arrives_late_is_looked_for_though_no_task_needs_it_any_more(stage: Make) -> None:
    world = stage(superfone="create_missing_contacts = true")
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    call = world.reply.person_creates(contact, "Call", world.due())
    world.fail("superfone", "new contact", Fault.LOST_REQUEST)
    world.again()
    world.reply.person_completes(call)
    world.again(seconds=4)

    lead = world.superfone.add_lead("Asha", [PHONE])
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()

    assert world.open()[:2] == (1, 1)
    asked = world.count("superfone", "find")
    world.quiet(2)
    assert world.count("superfone", "find") == asked


def test_a_lead_that_does_not_fit_into_a_full_account_waits(stage: Make) -> None:
    world = stage(superfone="create_missing_contacts = true")
    world.superfone.storage_full = True
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.reply.person_creates(contact, "Call", world.due(days=2))

    world.again()
    sent = world.count("superfone", "new contact")
    report = world.again(2)
    assert world.count("superfone", "new contact") == sent + 2
    assert waiting(report) == {("superfone", "storage_full"), ("highlevel", "no_contact")}
    assert report.attention == ()

    world.superfone.storage_full = False
    world.again(2)
    assert world.open() == (1, 1, 0)
    world.quiet()


def test_a_lead_that_was_not_searched_for_is_not_said_to_be_missing(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    _, other, _ = world.everywhere("Ravi", "+919876543222")
    world.reply.person_creates(other, "Call", world.due(), "Ring")
    # Another lead is found, so the CRM can be used.
    world.fail("superfone", "find", Fault.THROTTLED, times=2000, skip=1)

    world.sync()
    assert waiting(world.sync()) == {("superfone", "contact_unread")}

    world.heal()
    world.again(2)
    assert world.open() == (2, 2, 2)
    world.quiet(2)
