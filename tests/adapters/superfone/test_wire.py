"""Superfone's shapes, read and written without a network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from adapters.instants import read_iso
from adapters.superfone.abilities import capabilities_of
from adapters.superfone.mapping import contact_body, create_body, read_lead, read_task, unreadable
from adapters.superfone.settings import SuperfoneSettings
from adapters.superfone.types import CREATABLE, KINDS, wire_type
from adapters.superfone.wire import WireLead, WireRow, WireTask, read_id, row_key
from syncer.domain.model import MESSAGE_KINDS, Kind, Record, State
from tests.support.superfone_kit import DUE, NOW, PHONE, draft, settings

SAMPLE: dict[str, Any] = {
    "id": 4521,
    "org_id": 42,
    "customer_id": 12345,
    "title": "Initial intro call",
    "type": "FIRST_CALL",
    "due_date": "2026-05-15T10:00:00.000Z",
    "notify_at": "2026-05-15T10:00:00.000Z",
    "notify": True,
    "task_status": "COMPLETE",
    "status": "COMPLETE",
    "assignee_user_id": 678,
    "created_by": 678,
    "updated_by": 679,
    "created_at": "2026-05-14T09:00:00.000Z",
    "updated_at": "2026-05-15T10:30:00.000Z",
}

ZONES = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
INSTANTS = st.datetimes(datetime(1990, 1, 1), datetime(2200, 1, 1), timezones=ZONES)  # noqa: DTZ001


def test_the_documented_sample() -> None:
    reading = read_task(WireTask.model_validate(SAMPLE), "12345")
    assert reading.key == ("superfone", "4521")
    assert (reading.state, reading.kind, reading.raw_type) == (State.DONE, Kind.FIRST_CALL, "FIRST_CALL")
    assert (reading.contact, reading.title, reading.exclusive) == ("12345", "Initial intro call", True)
    assert reading.due == reading.notify_at == datetime(2026, 5, 15, 10, tzinfo=UTC)
    assert reading.created_at == datetime(2026, 5, 14, 9, tzinfo=UTC)
    assert reading.updated_at == datetime(2026, 5, 15, 10, 30, tzinfo=UTC)
    assert (reading.assignee, reading.created_by, reading.updated_by) == ("678", "678", "679")
    assert (reading.body, reading.marker) == (None, None)


@pytest.mark.parametrize("raw_type", KINDS)
def test_every_type_there_and_back(raw_type: str) -> None:
    reading = read_task(WireTask.model_validate({**SAMPLE, "type": raw_type}), "12345")
    assert wire_type(reading.kind, "REMINDER") == raw_type
    assert reading.exclusive is (raw_type != "REMINDER")


@pytest.mark.parametrize(("raw_type", "exclusive"), [("DEMO", True), ("", True), ("Reminder ", False)])
def test_unknown_types_are_kept_verbatim(raw_type: str, exclusive: bool) -> None:
    reading = read_task(WireTask.model_validate({**SAMPLE, "type": raw_type}), "12345")
    assert (reading.raw_type, reading.exclusive) == (raw_type, exclusive)
    assert reading.kind is (Kind.TODO if exclusive else Kind.REMINDER)


@pytest.mark.parametrize(("status", "state"), [("PENDING", State.OPEN), ("complete", State.DONE)])
def test_states(status: str, state: State) -> None:
    assert WireTask.model_validate({**SAMPLE, "task_status": status}).task_status is state


@pytest.mark.parametrize(
    "broken",
    [
        {"task_status": "SNOOZED"},
        {"task_status": None},
        {"task_status": True},
        {"id": None},
        {"id": True},
        {"id": -1},
        {"id": 4567.5},
        {"id": "abc"},
        {"id": 2**63},
        {"id": int("9" * 400)},
        {"type": None},
        {"type": 5},
        {"due_date": "tomorrow"},
        {"due_date": 17000000},
        {"due_date": "2026-02-30T00:00:00Z"},
        {"created_at": []},
        {"updated_by": {"id": 5}},
        {"org_id": "mine"},
    ],
)
def test_what_matters_is_never_guessed(broken: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        WireTask.model_validate({**SAMPLE, **broken})


def test_what_does_not_matter_is_forgiven() -> None:
    odd = {"title": 5, "notify_at": "soon", "assignee_user_id": {"id": 5}, "status": 7, "colour": [1]}
    reading = read_task(WireTask.model_validate({**SAMPLE, **odd}), "12345")
    assert (reading.title, reading.notify_at, reading.assignee) == (None, None, None)


def test_nulls_and_blank_titles() -> None:
    nulls = dict.fromkeys(("title", "due_date", "notify_at", "assignee_user_id", "created_by", "updated_by"))
    reading = read_task(WireTask.model_validate({**SAMPLE, **nulls}), "12345")
    assert (reading.title, reading.due, reading.created_by) == (None, None, None)
    assert read_task(WireTask.model_validate({**SAMPLE, "title": "  "}), "12345").title is None


@given(st.integers(0, 2**63 - 1))
def test_ids_survive(number: int) -> None:
    assert read_id(number) == read_id(str(number)) == str(number)


def test_the_body_of_a_create() -> None:
    assert create_body(draft(12345, body="Bring two copies."), "BOOKING") == {
        "type": "BOOKING",
        "due_date": "2026-05-20T15:00:00Z",
        "customer_note": "Ask for the contract\nBring two copies.",
    }
    assert "customer_note" not in create_body(draft(12345, title=" ", body=""), "BOOKING")
    late = draft(12345, due=DUE.replace(microsecond=250_999))
    assert create_body(late, "BOOKING")["due_date"] == "2026-05-20T15:00:00.250Z"


@pytest.mark.parametrize(
    ("notify_at", "sent"),
    [
        (None, False),
        (NOW, False),
        (NOW + timedelta(minutes=1), False),
        (NOW + timedelta(minutes=1, seconds=1), True),
        (DUE, True),
        (DUE + timedelta(seconds=1), False),
    ],
)
def test_a_notification_is_sent_only_where_it_is_allowed(notify_at: datetime | None, sent: bool) -> None:
    assert ("notify_at" in create_body(draft(12345, notify_at=notify_at), "BOOKING")) is sent


@given(INSTANTS, INSTANTS, INSTANTS)
def test_a_sent_notification_is_always_legal(now: datetime, notify_at: datetime, due: datetime) -> None:
    body = create_body(draft(1, now=now, notify_at=notify_at, due=due), "BOOKING")
    if "notify_at" in body:
        assert now < read_iso(body["notify_at"]) <= read_iso(body["due_date"])


def test_the_body_of_a_new_lead() -> None:
    record = Record("highlevel", "x", "Asha van Dyk", (PHONE,), ("asha@example.com",))
    assert contact_body(record, PHONE) == {
        "customer_phone": PHONE,
        "create_customer_if_customer_phone_not_found": True,
        "first_name": "Asha",
        "last_name": "van Dyk",
        "email": ["asha@example.com"],
    }
    assert set(contact_body(Record("highlevel", "x", "", (PHONE,)), PHONE)) == {
        "customer_phone",
        "create_customer_if_customer_phone_not_found",
    }


def test_the_record_of_a_lead() -> None:
    lead = WireLead.model_validate(
        {
            "id": 9007199254740993,
            "first_name": "Asha",
            "last_name": None,
            "email": ["Asha@Example.com", "no address", None, "asha@example.com"],
            "phones": [
                {"phone": "98765 43210", "customer_id": 1},
                {"phone": None},
                {"phone": "12"},
                None,
                "02223456789",
            ],
        }
    )
    assert read_lead(lead, "IN") == Record(
        "superfone", "9007199254740993", "Asha", (PHONE, "+912223456789"), ("asha@example.com",)
    )


@pytest.mark.parametrize(
    ("email", "emails"), [(None, ()), ("a@b.co", ("a@b.co",)), ([], ()), ({"a": 1}, ()), (["A@B.co"], ("a@b.co",))]
)
def test_the_shapes_of_an_email(email: object, emails: tuple[str, ...]) -> None:
    lead = WireLead.model_validate({"id": 1, "business_name": "Acme", "email": email, "phones": None})
    assert read_lead(lead, "IN") == Record("superfone", "1", "Acme", (), emails)


def test_rows_that_cannot_be_read_are_told_apart() -> None:
    assert row_key(0, {"id": 5}) == row_key(7, {"id": "5", "title": "x"}) == "5"
    assert row_key(0, None) != row_key(1, None)
    assert unreadable({"id": 5, "x": 1}, "why", "7").remote_id == "5"
    lost = unreadable(["x"], "why", "7")
    assert (lost.remote_id, lost.detail, lost.received, lost.contact) == (None, "why", '["x"]', "7")


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", 0, "1969-12-31T19:00:00-05:00", "9999-12-31T23:59:59.999Z"])
def test_dates_that_stand_for_none_are_none(date: object) -> None:
    dates = dict.fromkeys(("due_date", "notify_at", "updated_at"), date)
    reading = read_task(WireTask.model_validate({**SAMPLE, **dates}), "12345")
    assert (reading.due, reading.notify_at, reading.updated_at) == (None, None, None)
    with pytest.raises(ValidationError):
        WireRow.model_validate({**SAMPLE, "created_at": date})


def test_a_title_is_one_clean_line() -> None:
    task = WireTask.model_validate({**SAMPLE, "title": " Call\r\n\x1b[31mnow\u202e "})
    assert read_task(task, "12345").title == "Call now"


def test_settings_have_the_documented_defaults() -> None:
    made = SuperfoneSettings.model_validate({"api_key": SecretStr("k")})
    assert made.base_url == "https://prod-api.superfone.co.in/superfone"
    assert (made.discovery, made.slot, made.superseded, made.todo_type) == (
        "contacts",
        "earliest_due",
        "keep",
        "REMINDER",
    )
    assert (made.supersede_window, made.lead_recheck) == (timedelta(seconds=2), timedelta(hours=24))
    assert made.create_missing_contacts is False
    assert [str(rate) for rate in made.rate] == ["5/1s"]


@pytest.mark.parametrize("wrong", [{"slot": "later"}, {"todo_type": "EMAIL"}, {"lead_recheck": "soon"}, {"colour": 1}])
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        settings(**wrong)


def test_capabilities_follow_the_settings() -> None:
    plain = capabilities_of(settings())
    assert plain.creates == CREATABLE == frozenset(Kind) - MESSAGE_KINDS
    assert plain.exclusive == CREATABLE - {Kind.REMINDER, Kind.TODO}
    assert plain.completes_kinds == frozenset(Kind)
    assert (plain.gets_task, plain.reads_marker, plain.lists_contacts, plain.listing_lags) == (False,) * 4
    assert plain.contact_keys == ("phone",)
    assert plain.watches_all_contacts
    assert plain.lane is not None
    assert (plain.lane.replace_later, plain.lane.superseded_is_done) == (True, False)
    other = capabilities_of(
        settings(
            slot="hold",
            superseded="complete",
            supersede_window="5s",
            discovery="linked",
            todo_type="FOLLOW_UP_CALL",
            lead_recheck="1h",
        )
    )
    assert other.exclusive == CREATABLE - {Kind.REMINDER}
    assert other.lane is not None
    assert (other.lane.replace_later, other.lane.superseded_is_done) == (False, True)
    assert other.lane.supersede_window == timedelta(seconds=5)
    assert (other.watches_all_contacts, other.contact_recheck) == (False, timedelta(hours=1))
