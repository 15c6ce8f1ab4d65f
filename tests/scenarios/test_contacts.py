"""Who is who across three CRMs: by phone number and e-mail, never by a guess."""

from __future__ import annotations

import pytest

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
    assert {item["title"] for item in report.as_json()["waiting"]} == {"Order tea", "To-do"}
    world.quiet()
