"""Who is who across three CRMs: by phone number and e-mail, never by a guess."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.scenario import PHONE, Make, attention, details, waiting

NOWHERE = {("superfone", "no_contact"), ("reply", "no_contact")}


@pytest.mark.parametrize("written", ["98765 43210", "098765-43210", "+91 98765 43210", "00919876543210"])
def test_national_numbers_on_every_side(stage: Make, written: str) -> None:
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    world.reply.add_contact("Asha", "asha@example.com", written)
    contact = world.highlevel.add_contact("Asha", "", "", written)
    world.highlevel.person_creates(contact, "Ring Asha", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    world.quiet()
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_who_was_found_by_a_key_has_it_however_it_is_shown(stage: Make) -> None:
    """A lead that shows no number: Superfone itself has said whose it is."""
    world = stage()
    world.mangle("superfone", "find", lambda answer: answer["data"].update(phones=[], email=[]))
    _, _, person = world.everywhere()
    world.highlevel.person_creates(person, "Ring Asha", world.due())
    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_another_region_reads_the_same_digits_otherwise(stage: Make) -> None:
    world = stage()
    world.superfone.add_lead("Asha", ["+12015550123"])
    contact = world.highlevel.add_contact("Asha", "", "", "(201) 555-0123")
    world.highlevel.person_creates(contact, "Ring Asha", world.due())

    report = world.good()

    assert waiting(report) == NOWHERE
    assert world.open() == (0, 0, 1)
    world.quiet()


def test_a_second_number_of_a_lead_counts(stage: Make) -> None:
    world = stage()
    lead = world.superfone.add_lead("Asha", ["+919876500001", PHONE])
    world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.superfone.person_creates(lead, "BOOKING", world.due())

    report = world.good()

    assert world.open() == (1, 1, 0)
    assert waiting(report) == {("highlevel", "no_contact")}
    world.quiet()


def test_by_email_alone(stage: Make) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "Asha@Example.com")
    world.highlevel.add_contact("Asha", "", "asha@example.com", "")
    world.reply.person_creates(contact, "Call", world.due())

    report = world.good()

    assert world.open() == (0, 1, 1)
    assert waiting(report) == {("superfone", "no_contact")}
    world.quiet()


def test_numbers_that_are_none_join_nobody(stage: Make) -> None:
    world = stage()
    world.reply.add_contact("Asha", "asha@example.com", "12345")
    contact = world.highlevel.add_contact("Ravi", "", "", "12345")
    world.highlevel.person_creates(contact, "Ring", world.due())

    report = world.good()

    assert waiting(report) == NOWHERE
    assert report.attention == ()
    world.quiet()


def test_a_lead_that_is_not_there_is_asked_for_once_a_day(stage: Make) -> None:
    world = stage()
    world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    for _ in range(5):
        world.quiet()
    assert world.count("superfone", "find") == 1
    world.quiet(hours=25)
    assert world.count("superfone", "find") == 2


def test_the_pause_between_two_searches_for_a_lead_is_a_setting(stage: Make) -> None:
    world = stage(superfone='lead_recheck = "2m"')
    contact = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(contact, "Ring Asha", world.due())
    world.good()
    world.superfone.add_lead("Asha", [PHONE])

    world.again(3)

    assert world.open() == (1, 0, 1)
    world.quiet()


def test_a_search_from_before_the_clock_was_set_back_does_not_count(stage: Make) -> None:
    world = stage()
    world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.good(days=400)
    world.superfone.add_lead("Asha", [PHONE])

    world.again(1, days=-400)

    assert world.count("superfone", "find") == 2


@pytest.mark.parametrize("no_lead", ["404", "400", "null"])
def test_however_superfone_says_that_there_is_no_lead(stage: Make, no_lead: str) -> None:
    world = stage()
    world.superfone.no_lead = no_lead  # type: ignore[assignment]
    contact = world.highlevel.add_contact("Asha", "", "", PHONE)
    world.highlevel.person_creates(contact, "Ring Asha", world.due())

    assert waiting(world.good()) == NOWHERE
    world.quiet()


def test_a_key_that_names_two_contacts_joins_nothing(stage: Make) -> None:
    world = stage()
    lead = world.superfone.add_lead("Asha", [PHONE])
    one = world.highlevel.add_contact("Asha", "", "", PHONE)
    two = world.highlevel.add_contact("Asha", "Rao", "", PHONE)
    world.superfone.person_creates(lead, "BOOKING", world.due())

    report = world.good()

    assert world.open() == (1, 0, 0)
    assert ("highlevel", "ambiguous_contact") in waiting(report)
    assert "ambiguous_contact" in {reason for _, reason in attention(report)}
    assert one in details(report)
    assert two in details(report)
    world.quiet(2)

    world.highlevel.person_edits_contact(two, phone="+911111111111")
    world.again(3)
    assert len([task for task in world.highlevel_open() if task.contact == one]) == 1
    assert attention(world.quiet()) == set()


def test_ambiguous_by_phone_but_not_by_email(stage: Make) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.reply.add_contact("Ravi", "ravi@example.com", PHONE)
    world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.reply.person_creates(contact, "Call", world.due())

    world.good()

    assert world.open()[1:] == (1, 1)
    world.quiet()


def test_who_was_linked_stays_linked_and_the_newcomer_is_listed(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    newcomer = world.highlevel.add_contact("Asha", "Again", "asha@example.com", PHONE)

    report = world.quiet()
    assert newcomer in details(report)
    assert "ambiguous_contact" in {reason for _, reason in attention(report)}

    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    assert world.open() == (2, 2, 2)
    assert {task.contact for task in world.highlevel_open()} == {person}
    world.quiet()

    world.highlevel.person_deletes_contact(newcomer)
    assert attention(world.quiet(3)) == set()


def test_a_newcomers_own_task_waits_and_is_not_given_to_the_other(stage: Make) -> None:
    world = stage()
    world.everywhere()
    world.good()
    newcomer = world.highlevel.add_contact("Asha", "Again", "asha@example.com", PHONE)
    world.highlevel.person_creates(newcomer, "Ring", world.due())

    report = world.good()

    assert world.open() == (0, 0, 1)
    assert waiting(report) == {("superfone", "ambiguous_contact"), ("reply", "ambiguous_contact")}
    world.quiet()


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


def test_leads_of_quiet_contacts_are_watched(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.quiet()
    world.superfone.person_creates(lead, "BOOKING", world.due())

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_leads_of_contacts_without_a_task_may_be_left_alone(stage: Make) -> None:
    world = stage(superfone='discovery = "linked"')
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.quiet(2)
    assert world.count("superfone", "find") == 0

    world.reply.person_creates(contact, "Call", world.due())
    world.good()

    assert world.open() == (2, 2, 2)
    world.quiet()


def test_a_task_of_nobody_is_listed(stage: Make) -> None:
    world = stage()
    world.highlevel.person_creates(None, "Order tea", world.due())
    world.reply.person_creates(None, "ToDo", world.due())

    report = world.good()

    assert world.open() == (0, 1, 1)
    assert waiting(report) == {("highlevel", "without_contact"), ("reply", "without_contact")}
    world.quiet()
