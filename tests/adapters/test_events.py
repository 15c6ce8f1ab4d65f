"""What each CRM delivers: signatures, secrets, and what is understood of it."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.highlevel.events import HighLevelEvents
from adapters.reply.events import ReplyEvents
from adapters.superfone.events import SuperfoneEvents
from syncer.contract.events import EventReader, Forged, NotUnderstood, Told

LOCATION = "ve9EPM428h8vShlRW1KT"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
OLD_KEY = generate_private_key(65537, 2048)
EVENT = {"type": "TaskCreate", "locationId": LOCATION, "id": "task1", "contactId": "c1", "webhookId": "w1"}


def pem(key: Any) -> str:
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


HIGHLEVEL = HighLevelEvents(location_id=LOCATION, public_key=pem(KEY))
SUPERFONE = SuperfoneEvents(secret="hook-secret", header="X-Hook")
REPLY = ReplyEvents(secret="reply-secret")


def signed(event: object, key: Ed25519PrivateKey = KEY) -> tuple[dict[str, str], bytes]:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    return {"x-ghl-signature": base64.b64encode(key.sign(body)).decode()}, body


def test_highlevel_names_the_contact() -> None:
    assert HIGHLEVEL.read(*signed(EVENT)) == Told(contacts=("c1",), delivery="w1")
    inside = {"webhookId": "w2", "data": {**EVENT, "contactId": "c2"}}
    assert HIGHLEVEL.read(*signed(inside)) == Told(contacts=("c2",), delivery="w2")


def test_highlevel_often_forgets_the_contact_and_names_the_task() -> None:
    event = {name: value for name, value in EVENT.items() if name != "contactId"}
    assert HIGHLEVEL.read(*signed(event)) == Told(tasks=("task1",), delivery="w1")


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "locationId": "another"},
        {**EVENT, "type": "ContactCreate"},
        {**EVENT, "type": None},
        {**EVENT, "type": ["TaskCreate"]},
        {**EVENT, "type": {"is": "TaskCreate"}},
        {"type": "TaskCreate", "locationId": LOCATION},
        {**EVENT, "id": "", "contactId": {"a": 1}},
        {**EVENT, "id": "x" * 300, "contactId": None},
        [EVENT],
        b"not json",
        b"[" * 5000,
        b"\xff\xfe",
        b"",
    ],
)
def test_highlevel_well_signed_and_not_understood(event: object) -> None:
    with pytest.raises(NotUnderstood):
        HIGHLEVEL.read(*signed(event))


def test_highlevel_forged() -> None:
    headers, body = signed(EVENT)
    wrong = [
        ({}, body),
        (headers, body + b" "),
        (signed(EVENT, OTHER)[0], body),
        ({"x-ghl-signature": "N/A"}, body),
        ({"x-ghl-signature": "not base64 é"}, body),
        ({"x-ghl-signature": base64.b64encode(b"short").decode()}, body),
    ]
    for headers, sent in wrong:
        with pytest.raises(Forged):
            HIGHLEVEL.read(headers, sent)


def test_highlevels_older_signature_counts_only_where_the_new_one_is_not_there() -> None:
    reader = HighLevelEvents(location_id=LOCATION, public_key=pem(OLD_KEY))
    body = json.dumps(EVENT).encode()
    old = {"x-wh-signature": base64.b64encode(OLD_KEY.sign(body, PKCS1v15(), SHA256())).decode()}
    assert reader.read(old, body).contacts == ("c1",)
    assert reader.read({**old, "x-ghl-signature": "N/A"}, body).contacts == ("c1",)
    for headers, sent in (
        ({**old, "x-ghl-signature": base64.b64encode(bytes(64)).decode()}, body),
        (old, body + b" "),
        ({"x-wh-signature": base64.b64encode(bytes(512)).decode()}, body),
    ):
        with pytest.raises(Forged):
            reader.read(headers, sent)


def test_highlevels_own_keys_can_be_read() -> None:
    with pytest.raises(Forged):
        HighLevelEvents(location_id=LOCATION).read(*signed(EVENT))


@pytest.mark.parametrize("value", ["hook-secret", "Bearer hook-secret", "bearer  hook-secret "])
def test_superfone_shows_the_secret_with_or_without_bearer(value: str) -> None:
    body = json.dumps({"event": "TASK_CHANGE", "contact_id": 4711, "updated_key": "task_status"}).encode()
    assert SUPERFONE.read({"x-hook": value}, body) == Told(contacts=("4711",))
    written = SuperfoneEvents(secret="Bearer hook-secret", header="x-hook")
    assert written.read({"x-hook": value}, body) == Told(contacts=("4711",))


@pytest.mark.parametrize(
    ("phones", "told"),
    [
        ([{"phone": "+919876543210", "customer_id": 1}, {"phone": "98765 43211"}], ("+919876543210", "98765 43211")),
        ([{"phone": "+919876543210"}] * 2, ("+919876543210",)),
        ([{"phone": str(number)} for number in range(1000)], ("0", "1", "2", "3", "4")),
        ([{"phone": None}, {"phone": "9" * 1000}, 7, {}], ()),
        ({"phone": "+919876543210"}, ()),
        (None, ()),
    ],
)
def test_superfone_tells_a_leads_numbers(phones: object, told: tuple[str, ...]) -> None:
    body = json.dumps({"event": "CUSTOMER_CREATE", "contact_id": 4711, "contact_phones": phones}).encode()
    assert SUPERFONE.read({"x-hook": "hook-secret"}, body) == Told(contacts=("4711",), phones=told)


@pytest.mark.parametrize("value", [None, "", "Bearer", "hook-secre", "hook-secret2", "\xff"])
def test_superfone_forged(value: str | None) -> None:
    with pytest.raises(Forged):
        SUPERFONE.read({} if value is None else {"x-hook": value}, b"{}")


@pytest.mark.parametrize(
    "event",
    [
        {"event": "ALL_CALLS", "contact_id": 1},
        {"event": "TASK_CREATE"},
        {"event": "CUSTOMER_CREATE", "contact_id": True},
        {"event": 3, "contact_id": 1},
        {},
    ],
)
def test_superfone_not_understood(event: object) -> None:
    with pytest.raises(NotUnderstood):
        SUPERFONE.read({"x-hook": "hook-secret"}, json.dumps(event).encode())


def test_reply_has_its_secret_in_the_address() -> None:
    body = json.dumps({"event": {"type": "contact_called", "id": "uuid"}, "contact_fields": {"id": 5}}).encode()
    assert REPLY.is_address("reply-secret")
    assert not any(REPLY.is_address(rest) for rest in ("", "reply", "reply-secret/", "é"))
    assert REPLY.read({}, body) == Told(contacts=("5",), delivery="uuid")
    for other in (b"{}", b'{"event": {"type": "x"}}', b'{"event": "x", "contact_fields": {"id": 5}}'):
        with pytest.raises(NotUnderstood):
            REPLY.read({}, other)


@pytest.mark.parametrize("reader", [HIGHLEVEL, SUPERFONE])
def test_the_others_have_no_more_in_their_address(reader: EventReader) -> None:
    assert reader.is_address("")
    assert not reader.is_address("x")
