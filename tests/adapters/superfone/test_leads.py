"""Leads: found by phone, created where they are missing."""

from __future__ import annotations

from typing import Literal

import httpx
import pytest

from adapters.sandbox import Fault
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.errors import Ambiguous, BadAnswer, Full, InDoubt, Refused
from syncer.domain.model import Record
from tests.support.clock import run_virtual
from tests.support.superfone_kit import (
    BASE,
    LEAD,
    PHONE,
    add,
    against,
    answering,
    find,
    sandbox,
    saying,
    within,
)


@pytest.mark.parametrize("suffix", ["", "/", "/enterprise/api", "/enterprise/api/"])
def test_the_plus_of_a_number_and_the_path_go_out_as_documented(suffix: str) -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={"data": LEAD})

    async def main() -> None:
        async with answering(respond, base_url=BASE + suffix) as adapter:
            await adapter.find_contacts(PHONE)

    run_virtual(main())
    assert [request.url.raw_path for request in seen] == [b"/superfone/enterprise/api/lead?phone=%2B919876543210"]
    assert seen[0].headers["x-api-key"] == "superfone-key"


@pytest.mark.parametrize("phone", [PHONE, "+912223456789"])
def test_a_lead_is_found_by_any_of_its_numbers(room: SuperfoneSandbox, phone: str) -> None:
    found = within(room, lambda adapter: adapter.find_contacts(phone))
    assert found == (Record("superfone", "12345", "Asha", (PHONE, "+912223456789"), ("asha@example.com",)),)


@pytest.mark.parametrize("way", ["404", "400", "null"])
def test_no_lead_is_none(room: SuperfoneSandbox, way: Literal["404", "400", "null"]) -> None:
    room.no_lead = way
    assert within(room, lambda adapter: adapter.find_contacts("+14155550100")) == ()


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, {"data": None, "message": "success"}),
        (200, {"data": {}}),
        (200, {"data": []}),
        (200, {"data": [None, {}]}),
        (200, {"message": "success"}),
        (404, {"message": "Lead not found"}),
        (404, {"message": "lead NOT found!"}),
        (400, {"message": "Customer not found"}),
        (400, {"message": "Lead not found."}),
    ],
)
def test_every_way_to_say_that_there_is_no_lead(status: int, body: object) -> None:
    assert against(saying(status, body), find) == ()


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "whatever"),
        (404, "Not Found"),
        (404, "Lead storage is full"),
        (400, "phone is malformed"),
        (400, "phone is required"),
        (400, "Request body is empty"),
        (400, "No open task found for this lead"),
        (400, "Lead group not found"),
        (422, "Lead not found"),
    ],
)
def test_any_other_refusal_says_nothing_about_a_lead(status: int, words: str) -> None:
    """What is believed here is believed for a day."""
    with pytest.raises(Refused) as caught:
        against(saying(status, {"message": words}), find)
    assert caught.value.words == words


def test_a_success_that_is_not_superfones_says_nothing() -> None:
    for body in ({}, {"status": "maintenance"}, {"message": "try later"}):
        with pytest.raises(BadAnswer):
            against(saying(200, body), find)


def test_several_leads_are_all_given() -> None:
    two = [LEAD, {**LEAD, "id": 6, "phones": []}]
    found = against(saying(200, {"data": two}), find)
    assert [(record.remote_id, record.phones) for record in found] == [("12345", (PHONE,)), ("6", (PHONE,))]


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {"data": 5},
        {"data": "none"},
        {"data": {"first_name": "Asha"}},
        {"data": [LEAD, 7]},
        [],
        b"",
    ],
)
def test_a_lookup_that_cannot_be_understood(body: object) -> None:
    with pytest.raises(BadAnswer):
        against(saying(200, body), find)


def test_a_lead_that_does_not_show_the_number_is_ambiguous() -> None:
    other = {"data": {**LEAD, "phones": [{"phone": "+14155550100"}]}}
    for work in (find, add):
        with pytest.raises(Ambiguous, match="12345") as caught:
            against(saying(200, other), work)
        assert caught.value.contacts == ("12345",)


def test_numbers_of_two_leads_make_nothing(room: SuperfoneSandbox) -> None:
    other = room.add_lead("Ravi", ["+14155550100"])
    before = room.leads()
    with pytest.raises(Ambiguous) as caught:
        within(room, lambda adapter: adapter.create_contact(Record("reply", "x", "Asha", (PHONE, "+14155550100"))))
    assert caught.value.contacts == ("12345", str(other))
    assert room.leads() == before


def test_an_email_is_no_key_here(room: SuperfoneSandbox) -> None:
    with pytest.raises(NotImplementedError):
        within(room, lambda adapter: adapter.find_contacts("asha@example.com"))


@pytest.mark.parametrize("answers", [True, False])
def test_a_missing_lead_is_created(answers: bool) -> None:
    room = sandbox()
    room.upsert_gives_lead = answers
    record = Record("highlevel", "x", "Asha van Dyk", (PHONE, "+912223456789"), ("asha@example.com",))
    made = within(room, lambda adapter: adapter.create_contact(record))
    assert made == Record("superfone", "12345", "Asha van Dyk", (PHONE,), ("asha@example.com",))
    assert len(room.leads()) == 1


def test_an_existing_lead_is_found_and_left_alone(room: SuperfoneSandbox) -> None:
    record = Record("highlevel", "x", "Mira", ("+912223456789",))
    made = within(room, lambda adapter: adapter.create_contact(record))
    assert (made.remote_id, made.name) == ("12345", "Asha")
    assert [call.method for call, _ in room.calls] == ["GET"]


def test_a_lead_with_any_of_the_numbers_is_not_made_again(room: SuperfoneSandbox) -> None:
    record = Record("highlevel", "x", "Asha", ("+14155550100", "+912223456789"))
    made = within(room, lambda adapter: adapter.create_contact(record))
    assert made.remote_id == "12345"
    assert len(room.leads()) == 1


def test_a_garbled_answer_to_a_creation_is_settled_by_looking() -> None:
    room = sandbox()
    room.fault = lambda call: Fault.GARBAGE if call.method == "POST" else None
    assert within(room, add).remote_id == "12345"


def test_a_lead_that_cannot_be_found_again_is_in_doubt() -> None:
    def respond(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"data": None})

    with pytest.raises(InDoubt) as caught:
        against(respond, add)
    assert caught.value.system == "superfone"


@pytest.mark.parametrize(("status", "words"), [(400, "phone is malformed"), (404, "no such page"), (503, "busy")])
def test_a_lookup_that_is_refused_after_a_creation_leaves_doubt(status: int, words: str) -> None:
    """The lead may be there: that nothing was made is not what was said."""
    asked: list[str] = []

    def respond(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        if request.method == "POST":
            return httpx.Response(200, json={"data": None})
        if "POST" in asked:
            return httpx.Response(status, json={"message": words})
        return httpx.Response(404, json={"message": "Lead not found"})

    with pytest.raises(InDoubt) as caught:
        against(respond, add)
    assert (caught.value.system, caught.value.status, caught.value.words) == ("superfone", status, words)


def test_a_lookup_that_fails_after_a_creation_leaves_doubt() -> None:
    room = sandbox()
    room.upsert_gives_lead = False
    room.fault = lambda _call: Fault.ERROR_BEFORE if len(room.calls) > 1 else None
    with pytest.raises(InDoubt):
        within(room, add)


def test_contacts_that_cannot_be_created(room: SuperfoneSandbox) -> None:
    with pytest.raises(Refused):
        within(room, lambda adapter: adapter.create_contact(Record("highlevel", "x", "Asha", (), ("a@b.co",))))
    with pytest.raises(Ambiguous, match="several leads"):
        against(saying(200, {"data": [LEAD, {**LEAD, "id": 6}]}), add)
    empty = sandbox()
    empty.storage_full = True
    with pytest.raises(Full):
        within(empty, add)
