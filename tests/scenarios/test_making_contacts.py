"""Contacts that are to be made, and contacts that go."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.sandbox_store import CreateContactBody, refusal
from adapters.sandbox import Call, Fault, Reply, json_reply
from syncer.contract.errors import Ambiguous, Refused
from tests.support.lasting import always, crowd, forbid
from tests.support.people import AMBIGUOUS, NEW, OFFICE, RAVI
from tests.support.scenario import PHONE, Make, attention, details, name_of, waiting

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


class RefusesAndMakes:
    """HighLevel once makes a contact and answers that it was refused. For some seconds no search finds the contact."""

    def __init__(self, crm: HighLevelSandbox, monkeypatch: pytest.MonkeyPatch, *, hidden: float) -> None:
        self._create, self._find, self._crm = crm._create_contact, crm._find_duplicate, crm
        self._hidden = timedelta(seconds=hidden)
        self._made_at: datetime | None = None
        crm.contact_lag = self._hidden
        crm.duplicates_refused = False
        monkeypatch.setattr(crm, "_create_contact", self._creates)
        monkeypatch.setattr(crm, "_find_duplicate", self._finds)

    def _creates(self, body: CreateContactBody) -> Reply:
        reply = self._create(body)
        if self._made_at is not None:
            return reply
        self._made_at = self._crm.clock()
        return refusal(422, ["the contact could not be processed"])

    def _finds(self, call: Call) -> Reply:
        if self._made_at is not None and self._crm.clock() < self._made_at + self._hidden:
            return json_reply(200, {"contact": None})
        return self._find(call)


@pytest.mark.parametrize("hidden", [0, 90])
def test_a_contact_that_was_made_though_it_was_refused_is_not_made_again(
    stage: Make, monkeypatch: pytest.MonkeyPatch, hidden: float
) -> None:
    """The person's second task asked for the contact once more, in the same run."""
    world = stage(highlevel="create_missing_contacts = true")
    RefusesAndMakes(world.highlevel, monkeypatch, hidden=hidden)
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    for hours in (5, 6):
        world.reply.person_creates(contact, "Call", world.due(hours=hours), f"Call {hours}")

    report = world.again()

    assert (("highlevel", "refused") in attention(report)) is bool(hidden)
    world.again(3)
    assert len(world.highlevel.contacts()) == 1
    assert world.open()[1:] == (2, 2)
    world.quiet()


def test_a_contact_that_is_refused_is_asked_for_once_in_a_run(stage: Make) -> None:
    world = stage(highlevel="create_missing_contacts = true")
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    for hours in (5, 6, 7):
        world.reply.person_creates(contact, "Call", world.due(hours=hours), f"Call {hours}")

    with patch.object(HighLevelAdapter, "create_contact", side_effect=Refused("no", system="highlevel")) as asked:
        report = world.again()
        assert asked.call_count == 1
        assert [item.reason.value for item in report.attention] == ["refused"] * 3
        world.reply.person_edits_contact(contact, phone=NEW)
        world.again()
        assert asked.call_count == 2
    world.highlevel.add_contact("Asha", "", "asha@example.com")
    world.good()
    assert world.open()[1:] == (3, 3)


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


@pytest.mark.parametrize("crm", ["reply", "highlevel"])
@pytest.mark.parametrize("create", [True, False])
def test_a_contact_that_was_deleted_is_none(stage: Make, crm: str, create: bool) -> None:
    """Its CRM does not have it any more, so what is still to be made there waits for one, or one is made."""
    world = stage(**{crm: f"create_missing_contacts = {str(create).lower()}"})
    _, contact, person = world.everywhere()
    world.good()
    if crm == "reply":
        world.reply.person_deletes_contact(contact)
        task = partial(world.highlevel.person_creates, person, "Ring")
    else:
        world.highlevel.person_deletes_contact(person)
        task = partial(world.reply.person_creates, contact, "Call")
    for hours in (5, 6):
        task(world.due(hours=hours))

    report = world.again(2)

    assert ((crm, "no_contact") in waiting(report)) is not create
    assert attention(report) == set()
    assert world.open()[1:] == ((2, 2) if create else (0, 2) if crm == "reply" else (2, 0))
    world.quiet(2)
    if not create:
        there = world.reply.add_contact if crm == "reply" else partial(world.highlevel.add_contact, "Asha")
        there("Asha", "asha@example.com")
        world.again(2)
        assert world.open()[1:] == (2, 2)


@pytest.mark.parametrize("crm", ["reply", "highlevel"])
def test_a_contact_that_is_deleted_just_before_a_create_is_none(stage: Make, crm: str) -> None:
    world = stage(**{crm: "create_missing_contacts = true"})
    _, contact, person = world.everywhere()
    world.good()
    if crm == "reply":
        world.highlevel.person_creates(person, "Ring", world.due())
        world.meanwhile(crm, "create", lambda: world.reply.person_deletes_contact(contact))
    else:
        world.reply.person_creates(contact, "Call", world.due())
        world.meanwhile(crm, "create", lambda: world.highlevel.person_deletes_contact(person))

    assert attention(world.again()) == {(crm, "refused")}

    assert attention(world.again(2)) == set()
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("cause", ["forbidden", "not found out"])
@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_one_contact_that_cannot_be_made_holds_up_no_other_task(stage: Make, system: str, cause: str) -> None:
    world = stage(**{system: "create_missing_contacts = true"})
    asha = world.superfone.add_lead("Asha", [PHONE], ["asha@example.com"])
    # A lead is found by the number of a contact elsewhere.
    if system == "reply":
        world.highlevel.add_contact("Asha", "Rao", "asha@example.com", PHONE)
    else:
        world.reply.add_contact("Asha", "asha@example.com", PHONE)
    world.superfone.person_creates(asha, "BOOKING", world.due(hours=1))
    for number, (lead, _, _) in enumerate(crowd(world, 20)):
        world.superfone.person_creates(lead, "BOOKING", world.due(hours=2 + number))
    if cause == "forbidden":
        forbid(world, system, lambda call: name_of(system, call) == "new contact")
    else:
        always(world, system, lambda call: "asha@" in str(call.query), Fault.ERROR_BEFORE)

    report = world.again()

    assert world.open()[1 if system == "reply" else 2] == 20
    assert report.connections[system].state == "ok"
    report = world.again(6)
    assert {reason for _, reason in attention(report)} == {"failing"}


def test_a_key_that_may_make_no_contacts_is_asked_once_a_run(stage: Make) -> None:
    world = stage(reply="create_missing_contacts = true")
    for number in range(20):
        phone = f"+9198765{number:05d}"
        person = world.highlevel.add_contact(f"P{number}", "", f"p{number}@example.com", phone)
        world.highlevel.person_creates(person, "Ring", world.due(hours=number))
    forbid(world, "reply", lambda call: name_of("reply", call) == "new contact")

    world.again()

    # Several are under way at the same time.
    assert 0 < world.count("reply", "new contact") <= 8
    del world.reply.handle
    world.again(2)
    assert len(world.reply_open()) == 20
