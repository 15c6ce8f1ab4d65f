"""Contacts that come late, are deleted and made again, are merged, or stand in a list too long to be read often."""

from __future__ import annotations

from datetime import timedelta
from unittest.mock import patch

import pytest

from adapters.sandbox import json_reply
from syncer.domain.report import Exit
from tests.support.long_lists import PAGE
from tests.support.scenario import PHONE, Make, attention, details, name_of, waiting


def test_a_contact_that_is_added_later_gets_its_tasks(stage: Make) -> None:
    world = stage()
    contact = world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)
    world.highlevel.person_creates(contact, "Ring Asha", world.due())
    report = world.good()
    assert waiting(report) == {("superfone", "no_contact"), ("reply", "no_contact")}
    assert "highlevel:" in details(report)
    world.quiet(2)

    world.reply.add_contact("Asha", "asha@example.com")
    world.good()
    assert world.open() == (0, 1, 1)
    world.quiet()

    world.superfone.add_lead("Asha", [PHONE])
    world.quiet(hours=23)
    world.good(hours=1)
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_contact_that_was_deleted_and_made_again(stage: Make) -> None:
    """Or merged into another one: what is gone stands in nobody's way."""
    world = stage()
    lead, person, contact = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    world.highlevel.person_deletes_contact(contact)
    world.again(2)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=7))
    again = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    world.highlevel.person_creates(again, "Remind Asha", world.due(hours=9))
    world.again(3)

    report = world.quiet()

    assert ("highlevel", "ambiguous_contact") not in attention(report) | waiting(report)
    assert [task.contact for task in world.highlevel_open()] == [again, again]
    assert world.open()[:2] == (3, 3)
    assert {str(task.contact_id) for task in world.reply.tasks()} == {person}
    assert attention(report) == {("highlevel", "replica_missing")}


def test_a_lead_that_was_deleted_and_made_again(stage: Make) -> None:
    """Its number is all that both have in common: what waits for it, and what is retried, comes to the new one."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Known")
    other, _, _ = world.everywhere("Ravi", "+919876543211")
    world.superfone.person_creates(other, "BOOKING", world.due(hours=4))
    world.good()
    world.superfone.person_deletes_lead(lead)
    world.reply.person_creates(contact, "ToDo", world.due(hours=9), "New")
    assert ("superfone", "no_contact") in waiting(world.again(2))

    again = world.superfone.add_lead("Asha", ["+919876543210"])
    world.again(2, hours=25)
    assert world.lane(again) == ["REMINDER"]
    world.retry()
    world.again(2)
    assert sorted(world.lane(again)) == ["FOLLOW_UP_CALL", "REMINDER"]
    world.quiet(2)
    world.complete_in("superfone")
    world.again(2)
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_a_lead_that_only_seems_to_be_gone_is_kept(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=3), "Known")
    world.good()
    with patch.object(world.superfone, "has_lead", return_value=False):
        world.again()
        with patch.object(world.superfone, "lead_by_phone", return_value=None):
            world.again(3)
    world.reply.person_creates(contact, "ToDo", world.due(hours=9), "New")
    world.again(2)
    assert sorted(world.lane(lead)) == ["FOLLOW_UP_CALL", "REMINDER"]
    world.quiet(2)
    world.complete_in("reply")
    world.again(2)
    assert world.open() == (0, 0, 0)
    assert world.lane(lead) == []


@pytest.mark.parametrize("merged_first", [True, False])
def test_a_task_that_went_along_with_a_merged_contact_and_is_done_there(stage: Make, merged_first: bool) -> None:
    """HighLevel gives the tasks of a merged contact to the one that stays."""
    world = stage()
    _, contact, one = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.good()
    [copy] = world.highlevel_open()
    stays = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    world.highlevel.person_moves(copy.id, stays)
    world.highlevel.person_deletes_contact(one)
    if merged_first:
        world.again(2)
        assert world.open() == (1, 1, 1)
    world.highlevel.person_completes(copy.id)

    world.again(3)

    assert world.open() == (0, 0, 0), task
    assert world.quiet().attention == ()


@pytest.mark.parametrize("crm", ["reply", "highlevel"])
def test_a_task_that_has_no_copy_yet_goes_to_the_contact_that_it_is_given_to(stage: Make, crm: str) -> None:
    """It was on a contact that no other CRM has, and waited for that one."""
    world = stage()
    _, contact, person = world.everywhere("Ravi", "+919876543211")
    if crm == "reply":
        task = world.reply.person_creates(world.reply.add_contact("Asha", "asha@example.com"), "Call", world.due())
    else:
        asha = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "")
        task = world.highlevel.person_creates(asha, "Ring", world.due())
    assert ("superfone", "no_contact") in waiting(world.good())
    if crm == "reply":
        world.reply.person_moves(task, contact)
    else:
        world.highlevel.person_moves(task, person)

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)


def test_a_crm_that_is_no_longer_connected_makes_nobody_ambiguous(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    double = world.highlevel.add_contact("Asha", "Again", "asha@example.com", PHONE)
    world.reply.person_creates(contact, "Call", world.due())
    assert double in details(world.good())
    world.account.path.write_text(world.account.path.read_text().split("[highlevel]")[0])
    world.reload()

    world.again(2)

    assert len(world.lane(lead)) == 1
    assert attention(world.quiet()) == set()


@pytest.mark.usefixtures("small_pages")
def test_a_contact_that_was_added_since_the_list_was_read_is_asked_for(stage: Make) -> None:
    world = stage()
    for number in range(PAGE + 1):
        world.highlevel.add_contact("", "", f"person{number}@example.com")
    world.good()
    listed = world.count("highlevel", "contacts")
    world.highlevel.add_contact("Asha", "", "asha@example.com")
    contact = world.reply.add_contact("Asha", "asha@example.com")
    world.reply.person_creates(contact, "Call", world.due())

    world.good(seconds=10)

    assert world.count("highlevel", "contacts") == listed
    assert world.open() == (0, 1, 1)
    world.quiet()


@pytest.mark.usefixtures("small_pages")
def test_contacts_that_are_ambiguous_for_long_are_asked_for_in_turn(stage: Make) -> None:
    world = stage()
    pairs = [
        [world.highlevel.add_contact(name, "", f"person{number}@example.com") for name in ("Asha", "Ravi")]
        for number in range(40)
    ]
    for number in range(40):
        world.reply.add_contact("Meera", f"person{number}@example.com")
    world.good()
    listed, before = world.count("highlevel", "contacts"), world.count("highlevel", "contact")
    doubtful = {f"/contacts/{contact}" for pair in pairs for contact in pair}
    for number in range(12):
        email = f"new{number}@example.com"
        world.reply.add_contact("New", email)
        world.highlevel.person_creates(world.highlevel.add_contact("New", "", email), "Ring", world.due(hours=number))
        world.good(seconds=5)
        assert len(world.reply_open()) == number + 1
    assert world.count("highlevel", "contacts") == listed
    assert world.count("highlevel", "contact") - before <= 12 * 2 + 50

    with patch("syncer.engine.observe_contacts.CONTACTS_EVERY", timedelta(hours=1)):
        for number in range(3):
            world.wait(minutes=11)
            world.highlevel.person_creates(world.highlevel.add_contact("", "", f"more{number}@example.com"), "Ring")
            world.good()
    assert doubtful <= {call.path for call, _ in world.highlevel.calls}
    assert world.count("highlevel", "contacts") == listed


@pytest.mark.usefixtures("small_pages")
def test_contacts_that_are_ambiguous_are_not_asked_for_with_every_run_that_a_limit_stops(stage: Make) -> None:
    world = stage(sync="max_creates_per_run = 0")
    for number in range(20):
        world.highlevel.add_contact("Asha", "", f"person{number}@example.com")
        world.highlevel.add_contact("Ravi", "", f"person{number}@example.com")
        world.reply.add_contact("Meera", f"person{number}@example.com")
    world.good()
    before = world.count("highlevel", "contact")
    for number in range(8):
        email = f"new{number}@example.com"
        world.reply.add_contact("New", email)
        world.highlevel.person_creates(world.highlevel.add_contact("New", "", email), "Ring", world.due(hours=number))
        assert world.again(seconds=2).exit is Exit.LIMIT
    assert world.count("highlevel", "contact") - before <= 8 + 40


def test_a_lead_that_is_gone_and_was_the_only_one_in_use(stage: Make) -> None:
    """Others that Superfone knows are read after it: only then can it be let go."""
    world = stage()
    lead, contact, _ = world.everywhere()
    world.everywhere("Ravi", "+919876543219")
    world.reply.person_creates(contact, "Call", world.due())
    world.good()
    world.superfone.person_deletes_lead(lead)

    world.again(4)
    world.reply.person_creates(contact, "ToDo", world.due(hours=9))

    assert waiting(world.again(2)) == {("superfone", "no_contact")}


def test_a_refusal_that_superfone_does_not_document_is_not_believed_for_a_day(stage: Make) -> None:
    world = stage()
    world.everywhere()
    contact = world.highlevel.add_contact("Ravi", "Rao", "ravi@example.com", "+919876543211")
    world.highlevel.person_creates(contact, "Ring Ravi", world.due())
    world.superfone.add_lead("Ravi", ["+919876543211"])
    honest = world.superfone.handle
    refusal = json_reply(400, {"message": "phone is malformed"})
    world.superfone.handle = lambda call: refusal if name_of("superfone", call) == "find" else honest(call)  # type: ignore[method-assign]
    world.again()
    world.superfone.handle = honest  # type: ignore[method-assign]
    assert world.open() == (0, 0, 1)
    world.again(2)
    assert world.open() == (1, 0, 1)


def test_a_lead_that_is_found_after_two_contacts_were_merged_is_that_persons_at_once(stage: Make) -> None:
    """Its number named both contacts until the one that is gone is read. Only then is its task seen to be a twin."""
    world = stage(superfone='lead_recheck = "1m"')
    double, stays = (world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE) for _ in range(2))
    world.good()
    world.highlevel.person_deletes_contact(double)
    lead = world.superfone.add_lead("Asha", [PHONE])
    world.highlevel.person_creates(stays, "Ring", world.due())
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), "Ring")

    world.again(3)

    assert (len(world.superfone_open()), len(world.highlevel_open())) == (1, 1)
    assert attention(world.quiet()) == set()
