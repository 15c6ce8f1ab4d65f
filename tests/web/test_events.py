"""Deliveries: refused in order, counted once, stored as contacts, and never too many."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from syncer.ledger import HintBook, Ledger
from syncer.ledger import hints as hint_books
from syncer.ledger.hints import CONTACT, KNOWN_FOR, Delivered, NoRoom
from syncer.web.events import inbox, intake
from tests.adapters.test_events import EVENT, KEY, pem, signed
from tests.support.clock import START
from tests.support.shown_page import ShownPage
from tests.support.world import World

EVENTS = """[events]
superfone_secret = "env:HOOK"
reply_secret = "env:HOOK"
highlevel = true
highlevel_public_key = "file:key.pem"
"""
SUPERFONE = {"Authorization": "Bearer hook-secret"}


@pytest.fixture
def world(tmp_path: Path, simulation: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("HOOK", "hook-secret")
    (tmp_path / "key.pem").write_text(pem(KEY))
    world = World(tmp_path, more=EVENTS)
    world.sync()
    yield world
    world.close()


def lead(number: int) -> bytes:
    return json.dumps({"event": "TASK_CREATE", "contact_id": number}).encode()


def waiting(world: World) -> list[tuple[str, str]]:
    with world.open_ledger() as ledger:
        return [(hint.system, hint.key) for hint in HintBook(ledger).waiting(100)]


def counted(shown: ShownPage) -> dict[tuple[str, str, str], float]:
    samples = [sample for family in shown.site.metrics.events.collect() for sample in family.samples]
    return {
        (sample.labels["account"], sample.labels["system"], sample.labels["outcome"]): sample.value
        for sample in samples
        if sample.name == "syncer_events_total"
    }


def test_an_event_is_stored_answered_and_wakes_the_daemon(shown: ShownPage, world: World) -> None:
    headers, body = signed(EVENT)
    assert shown.client.post("/events/acme/highlevel", content=body, headers=headers).status_code == 202
    assert shown.client.post("/events/acme/superfone", content=lead(7), headers=SUPERFONE).status_code == 202
    called = json.dumps({"event": {"type": "contact_called", "id": "u"}, "contact_fields": {"id": 5}})
    assert shown.client.post("/events/acme/reply/hook-secret", content=called).status_code == 202
    assert waiting(world) == [("highlevel", "c1"), ("superfone", "7"), ("reply", "5")]
    assert shown.wishes.woken == ["acme"] * 3
    assert shown.wishes.runs == []


def test_what_is_wrong_is_refused_in_order_and_counted_once(shown: ShownPage, world: World) -> None:
    headers, body = signed(EVENT)
    elsewhere = signed({**EVENT, "locationId": "x"})
    large = {"Content-Length": str(intake.LARGEST + 1)}
    post = shown.client.post
    wrong: list[tuple[str, dict[str, Any], int]] = [
        ("/events/nobody/highlevel", {"headers": large}, 404),
        ("/events/acme/othercrm", {"headers": large}, 404),
        ("/events/acme/highlevel/more", {"content": body, "headers": headers}, 404),
        ("/events/acme/reply/wrong", {"headers": large}, 404),
        ("/events/acme/highlevel", {"headers": large}, 413),
        ("/events/acme/highlevel", {"headers": {"Content-Length": str(intake.LARGEST)}}, 401),
        ("/events/acme/highlevel", {"headers": {"Content-Length": "-1"}}, 413),
        ("/events/acme/superfone", {"content": b"x" * (intake.LARGEST + 1)}, 413),
        ("/events/acme/highlevel", {"content": b"not json"}, 401),
        ("/events/acme/superfone", {"content": lead(1), "headers": {"Authorization": "guess"}}, 401),
        ("/events/acme/superfone", {"content": b"not json", "headers": SUPERFONE}, 400),
        ("/events/acme/highlevel", dict(zip(("headers", "content"), elsewhere, strict=True)), 400),
    ]
    for path, more, status in wrong:
        assert post(path, **more).status_code == status, path
    assert waiting(world) == []
    assert shown.wishes.woken == []
    found = counted(shown)
    assert sum(found.values()) == len(wrong)
    assert found["", "", "not_found"] == 1
    assert found["acme", "", "not_found"] == 1, "what others write into an address is no label"
    assert found["acme", "highlevel", "not_understood"] == 1


def test_a_repetition_is_known_for_seven_days(shown: ShownPage, world: World) -> None:
    headers, body = signed(EVENT)

    def deliver() -> int:
        return shown.client.post("/events/acme/highlevel", content=body, headers=headers).status_code

    assert [deliver(), deliver()] == [202, 409]
    with world.open_ledger() as ledger:
        book = HintBook(ledger)
        book.done(book.waiting(10))
    world.wait(days=6)
    assert deliver() == 409
    assert waiting(world) == []
    world.wait(days=2)
    other = signed({**EVENT, "webhookId": "w2"})
    assert shown.client.post("/events/acme/highlevel", content=other[1], headers=other[0]).status_code == 202
    assert deliver() == 202


def test_superfone_has_no_id_of_a_delivery(shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never known, and what is said twice within two seconds is looked at once."""

    def deliver() -> int:
        return shown.client.post("/events/acme/superfone", content=lead(7), headers=SUPERFONE).status_code

    assert [deliver(), deliver(), deliver()] == [202] * 3
    assert waiting(world) == [("superfone", "7")]
    assert shown.wishes.woken == ["acme"]
    monkeypatch.setattr(intake, "SAME_WITHIN", 0.0)
    assert deliver() == 202
    assert shown.wishes.woken == ["acme"] * 2


def test_what_is_said_again_may_be_news_and_is_looked_at_later(
    shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake.Intake, "_is_repeated", lambda *_: True)
    monkeypatch.setattr(intake, "SAME_WITHIN", 0.01)

    woken = asyncio.Event()
    monkeypatch.setattr(shown.wishes, "wake", lambda _: woken.set())

    async def deliver_twice() -> None:
        transport = httpx.ASGITransport(app=shown.client.app)
        async with asyncio.timeout(20), httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            for _ in range(2):
                answer = await client.post("/events/acme/superfone", content=lead(7), headers=SUPERFONE)
                assert answer.status_code == 202
            await woken.wait()

    asyncio.run(deliver_twice())
    assert waiting(world) == [("superfone", "7")]


def test_an_account_without_events_has_no_such_address(tmp_path: Path, simulation: None) -> None:
    world = World(tmp_path)
    shown = ShownPage(world)
    headers, body = signed(EVENT)
    assert shown.client.post("/events/acme/highlevel", content=body, headers=headers).status_code == 404
    assert shown.client.get("/events/acme/highlevel").status_code == 405
    world.close()


def test_many_at_once_are_a_few_writes(shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    parts: list[int] = []
    store = HintBook.store

    def counting(book: HintBook, new: Sequence[Delivered], now: datetime) -> list[bool]:
        parts.append(len(new))
        return store(book, new, now)

    monkeypatch.setattr(HintBook, "store", counting)

    async def flood() -> list[int]:
        transport = httpx.ASGITransport(app=shown.client.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            urls = [client.post("/events/acme/superfone", content=lead(n % 50), headers=SUPERFONE) for n in range(400)]
            return [answer.status_code for answer in await asyncio.gather(*urls)]

    assert set(asyncio.run(flood())) == {202}
    assert len(waiting(world)) == 50
    assert len(parts) < 100


def test_what_cannot_be_stored_is_said(shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hint_books, "MOST", 2)
    post = [shown.client.post("/events/acme/superfone", content=lead(n), headers=SUPERFONE) for n in range(3)]
    assert [answer.status_code for answer in post] == [202, 202, 503]
    monkeypatch.setattr(intake, "SAME_WITHIN", 0.0)
    again = shown.client.post("/events/acme/superfone", content=lead(0), headers=SUPERFONE)
    assert again.status_code == 202, "whoever waits already needs no room"
    monkeypatch.setattr(inbox, "MOST", 0)
    assert shown.client.post("/events/acme/superfone", content=lead(0), headers=SUPERFONE).status_code == 503
    assert counted(shown)["acme", "superfone", "full"] == 2


def test_whoever_waits_is_answered_whatever_happens(
    shown: ShownPage, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_book: HintBook, _new: Sequence[Delivered], _now: datetime) -> list[bool]:
        raise OSError("too many open files")

    monkeypatch.setattr(HintBook, "store", broken)
    assert shown.client.post("/events/acme/superfone", content=lead(0), headers=SUPERFONE).status_code == 503


def test_a_hint_that_comes_again_while_it_is_looked_at_stays(tmp_path: Path) -> None:
    with Ledger.open(f"sqlite:///{tmp_path / 'a.db'}", name="a") as ledger:
        book = HintBook(ledger)
        one = Delivered("reply", ((CONTACT, "5"),), None)
        book.store([one], START)
        looked = book.waiting(10)
        book.store([one], START + timedelta(seconds=1))
        book.done(looked)
        assert [hint.key for hint in book.waiting(10)] == ["5"]
        book.done(book.waiting(10))
        assert book.waiting(10) == []
        twice = Delivered("reply", ((CONTACT, "5"),), "d")
        assert book.store([twice, twice], START) == [True, False]
        assert book.store([twice], START + KNOWN_FOR) == [False]


def test_no_room_stores_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hint_books, "MOST", 1)
    with Ledger.open(f"sqlite:///{tmp_path / 'a.db'}", name="a") as ledger:
        book = HintBook(ledger)
        two = [Delivered("reply", ((CONTACT, str(n)),), f"d{n}") for n in range(2)]
        with pytest.raises(NoRoom):
            book.store(two, START)
        assert book.waiting(10) == []
        assert book.store(two[:1], START) == [True]


def test_a_hint_that_is_put_off_comes_after_the_others_and_keeps_its_time(tmp_path: Path) -> None:
    """Tasks that nobody can find yet must not keep all others waiting."""
    with Ledger.open(f"sqlite:///{tmp_path / 'a.db'}", name="a") as ledger:
        book = HintBook(ledger)
        for number, key in enumerate("123"):
            book.store([Delivered("highlevel", ((CONTACT, key),), None)], START + timedelta(seconds=number))
        first = book.waiting(2)

        book.put_off(first)

        assert [(hint.key, hint.received_at) for hint in book.waiting(3)] == [
            (key, START + timedelta(seconds=number)) for key, number in (("3", 2), ("1", 0), ("2", 1))
        ]
        book.put_off(first)
        assert [hint.key for hint in book.waiting(1)] == ["3"], "what was looked at is another hint by now"
