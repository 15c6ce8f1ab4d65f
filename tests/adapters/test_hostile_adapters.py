"""Whatever a CRM answers, an adapter gives a result or an error of its contract, after a bounded number of requests."""

from __future__ import annotations

import itertools
import json
from datetime import UTC
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import adapters.highlevel.paging
import adapters.reply.lists
import adapters.superfone.adapter
from adapters.reply.mapping import read_text, write_text
from syncer.contract.errors import AdapterError, BadAnswer, InDoubt
from syncer.domain.model import Listing, Reading, Record, State
from tests.support import highlevel_kit, reply_world, superfone_kit
from tests.support.hostile import (
    CALLS,
    DATES,
    GOOD,
    HEADERS,
    MARKER,
    RAW,
    STATUSES,
    TEXTS,
    ask,
    bodies,
    broken,
    encode,
    places,
    saying,
    values,
)
from tests.support.strategies import marker_of

FEWER = settings(max_examples=settings().max_examples // 2)
SYSTEMS = tuple(CALLS)
STATES = {"task_status", "status", "completed", "deleted"}
MOST = 50
"""Requests of one call: four attempts of what may be repeated, four readings of a list that moves."""


@pytest.mark.parametrize("system", SYSTEMS)
@FEWER
@given(data=st.data(), status=st.sampled_from(STATUSES), headers=st.sampled_from(HEADERS), body=bodies())
def test_any_status_with_any_body(
    system: str, data: st.DataObject, status: int, headers: dict[str, str], body: bytes
) -> None:
    call = data.draw(st.sampled_from(sorted(CALLS[system])))

    _outcome, requests = ask(system, call, saying(status, body, headers))

    assert requests <= MOST


@pytest.mark.parametrize("system", SYSTEMS)
@FEWER
@given(data=st.data(), junk=values())
def test_a_good_answer_with_junk_in_one_place(system: str, data: st.DataObject, junk: Any) -> None:
    call = data.draw(st.sampled_from(sorted(GOOD[system])))
    good = GOOD[system][call]
    path = data.draw(st.sampled_from(sorted(places(good), key=repr)))

    outcome, requests = ask(system, call, saying(200, encode(broken(good, path, junk))))

    assert requests <= MOST
    rows = outcome.rows if isinstance(outcome, Listing) else (outcome,)
    if not STATES & set(path) and call != "complete":
        assert all(row.state is State.OPEN for row in rows if isinstance(row, Reading))


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("body", RAW)
def test_no_listing_is_read_out_of_bytes_that_are_none(system: str, body: bytes) -> None:
    outcome, _ = ask(system, "tasks of contact", saying(200, body))

    assert isinstance(outcome, (BadAnswer, Listing))
    if isinstance(outcome, Listing):
        assert outcome.rows == ()
        assert outcome.unreadable


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("write", ["create", "complete"])
def test_a_success_that_cannot_be_read_leaves_a_write_in_doubt(system: str, write: str) -> None:
    for body in RAW:
        outcome, requests = ask(system, write, saying(200, body))

        assert isinstance(outcome, InDoubt), body[:40]
        assert requests == 1


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("write", ["create", "complete"])
@pytest.mark.parametrize("headers", [some for some in HEADERS if "Content-Encoding" not in some])
def test_a_redirect_is_no_answer_wherever_it_leads(system: str, write: str, headers: dict[str, str]) -> None:
    outcome, requests = ask(system, write, saying(302, b"elsewhere", headers))

    assert isinstance(outcome, InDoubt)
    assert requests == 1


def test_an_account_that_cannot_be_found_is_no_missing_task() -> None:
    outcome, _ = ask("reply", "identity", saying(404, b'{"message": "not here"}'))

    assert isinstance(outcome, BadAnswer)


# rows ------------------------------------------------------------------------------------------------


def task_rows(system: str, *rows: dict[str, Any]) -> bytes:
    if system == "superfone":
        return encode(superfone_kit.page(list(rows)))
    return encode(reply_world.page(*rows) if system == "reply" else {"tasks": list(rows)})


def task_row(system: str, number: int) -> dict[str, Any]:
    if system == "superfone":
        return {**superfone_kit.ROW, "id": number}
    return reply_world.row(number) if system == "reply" else {**highlevel_kit.TASK, "id": f"T{number}"}


STRICT = {
    "superfone": ("id", "type", "task_status", "due_date", "created_at", "updated_at", "customer_id", "updated_by"),
    "reply": ("id", "taskType", "status", "dueTo", "isScheduled", "contact"),
    "highlevel": ("id", "completed", "dueDate", "contactId", "deleted"),
}


@pytest.mark.parametrize(("system", "field"), [(system, field) for system in SYSTEMS for field in STRICT[system]])
@pytest.mark.parametrize("junk", [-1.5, float("nan"), [[]], {"a": 1}])
def test_a_row_that_cannot_be_read_is_named_and_spoils_no_other(system: str, field: str, junk: object) -> None:
    bad = {**task_row(system, 2), field: junk}

    listing, _ = ask(system, "tasks of contact", saying(200, task_rows(system, task_row(system, 1), bad)))

    assert isinstance(listing, Listing)
    assert [row.remote_id for row in listing.rows] == ["T1" if system == "highlevel" else "1"]
    (unread,) = listing.unreadable
    assert field in unread.detail
    assert unread.received
    if field != "id":
        assert unread.remote_id == ("T2" if system == "highlevel" else "2")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    "junk", [True, False, -1, 0.5, 7.0, "", " ", "a b", "1/2", "../1", "x" * 200, 10**80, None, [1]]
)
def test_no_task_has_such_an_id(system: str, junk: object) -> None:
    bad = {**task_row(system, 2), "id": junk}

    listing, _ = ask(system, "tasks of contact", saying(200, task_rows(system, task_row(system, 1), bad)))

    assert isinstance(listing, Listing)
    assert len(listing.rows) == len(listing.unreadable) == 1


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_due_is_an_instant_in_utc_or_none_or_the_row_is_unreadable(system: str) -> None:
    field = {"superfone": "due_date", "reply": "dueTo", "highlevel": "dueDate"}[system]
    dates: tuple[object, ...] = (*DATES, 0, 1779179400, 1e400, -1, True, [], {})

    for date in dates:
        body = task_rows(system, {**task_row(system, 1), field: date})
        listing, _ = ask(system, "tasks of contact", saying(200, body))

        assert isinstance(listing, Listing)
        assert len(listing.rows) + len(listing.unreadable) == 1
        dues = [row.due for row in listing.rows]
        none = date in (0, -1) or str(date)[:5] in ("0000-", "0001-", "9999-", "10000")
        assert all(due is None if none else due is not None and due.tzinfo is UTC for due in dues), date


@pytest.mark.parametrize("word", ["PENDING ", "DONE", "open", "", 7, -1, None, True, [0]])
def test_a_state_that_nobody_knows_is_never_guessed(word: object) -> None:
    for system, field in (("superfone", "task_status"), ("reply", "status")):
        bad = {**task_row(system, 1), field: word}
        listing, _ = ask(system, "tasks of contact", saying(200, task_rows(system, bad)))
        assert isinstance(listing, Listing)
        assert all(row.state == "open" for row in listing.rows)
        assert len(listing.rows) == (word == "PENDING " and system == "superfone")


@pytest.mark.parametrize("text", TEXTS)
def test_texts_of_every_shape_are_read_and_can_be_stored(text: str) -> None:
    whole = {**reply_world.WHOLE, "template": {"body": text}}
    reading, _ = ask("reply", "task", saying(200, encode(whole)))
    other, _ = ask(
        "highlevel", "task", saying(200, encode({"task": {**highlevel_kit.TASK, "title": text, "body": text}}))
    )

    for found in (reading, other):
        assert isinstance(found, Reading)
        assert "\0" not in f"{found.title}{found.body}"
        assert f"{found.title}{found.body}".encode()


def test_a_backslash_before_u0000_is_what_somebody_wrote() -> None:
    title = "C:\\u0000 and \0"

    reading, _ = ask("highlevel", "task", saying(200, encode({"task": {**highlevel_kit.TASK, "title": title}})))

    assert isinstance(reading, Reading)
    assert reading.title == "C:\\u0000 and �"


@pytest.mark.parametrize("cut", [b"\\ud83d", b"\\uDCDE", b"\\ud83d\\ud83d\\udcde", b"\xf0\x9f\x93"])
def test_half_a_character_costs_no_other_task(cut: bytes) -> None:
    """What a program leaves that cuts texts to a length, an emoji in two."""
    rows = [{**task_row("highlevel", number), "title": f"Ring {number}"} for number in (1, 2)]
    body = encode({"tasks": rows}).replace(b"Ring 1", b"Ring \\\\ud83d " + cut)

    listing, _ = ask("highlevel", "tasks of contact", saying(200, body))

    assert isinstance(listing, Listing)
    assert not listing.unreadable
    titles = [row.title or "" for row in listing.rows]
    assert titles[0].startswith("Ring \\ud83d \ufffd")
    assert titles[1] == "Ring 2"


def test_of_keys_that_are_given_twice_the_last_one_counts() -> None:
    body = json.dumps({"task": highlevel_kit.TASK}).replace('"completed": false', '"completed": 1, "completed": true')

    reading, _ = ask("highlevel", "task", saying(200, body.encode()))

    assert isinstance(reading, Reading)
    assert reading.state == "done"


@FEWER
@given(st.sampled_from(TEXTS), st.sampled_from(TEXTS))
def test_a_copied_text_never_carries_a_marker_but_ours(title: str, body: str) -> None:
    written = write_text(title, body, MARKER.line, label="Call")

    assert written.count(f"\n{MARKER.line}") == 1
    assert read_text(written)[2] == MARKER


# size ------------------------------------------------------------------------------------------------


def test_markers_within_markers_are_taken_out_in_one_go() -> None:
    nested = MARKER.line
    for _ in range(2_000):
        nested = f"syn<p>{nested}</p>cer:{MARKER.line.removeprefix('syncer:')}"

    other = marker_of("highlevel:Zx8")
    written = write_text("Ring", nested, other.line, label="Call")

    assert read_text(written)[2] == other


@pytest.mark.parametrize("piece", ["<", "<p ", "{{", "</p>\n", f"{MARKER.line}\n"])
def test_a_text_of_a_megabyte(piece: str) -> None:
    text = piece * (1_000_000 // len(piece))

    reading, _ = ask("reply", "task", saying(200, encode({**reply_world.WHOLE, "template": {"body": text}})))
    other, _ = ask("highlevel", "task", saying(200, encode({"task": {**highlevel_kit.TASK, "title": text}})))

    assert isinstance(reading, Reading)
    assert isinstance(other, Reading)


def test_a_contact_with_hundreds_of_numbers() -> None:
    phones = [{"phone": f"+9198{number:08d}"} for number in range(500)]
    lead = {**superfone_kit.LEAD, "phones": [*phones, *superfone_kit.LEAD["phones"], None, 7, {"phone": [1]}]}  # type: ignore[misc]

    found, _ = ask("superfone", "find", saying(200, encode({"data": lead})))

    assert isinstance(found, tuple)
    assert isinstance(found[0], Record)
    assert len(found[0].phones) == 501


def test_ten_thousand_tasks_of_one_contact() -> None:
    rows = [task_row("superfone", number) for number in range(1, 10_001)]

    def answer(request: httpx.Request) -> httpx.Response:
        first = (int(request.url.params["page"]) - 1) * 20
        return httpx.Response(
            200, content=encode(superfone_kit.page(rows[first : first + 20], pages=500, items=10_000))
        )

    listing, requests = ask("superfone", "tasks of contact", answer)

    assert isinstance(listing, Listing)
    assert len(listing.rows) == 10_000
    assert requests == 500
    for system in ("reply", "highlevel"):
        many = task_rows(system, *(task_row(system, number) for number in range(1, 10_001)))
        listing, _ = ask(system, "tasks of contact", saying(200, many))
        assert isinstance(listing, Listing)
        assert len(listing.rows) == 10_000


@pytest.mark.parametrize(
    ("system", "call"), [("superfone", "tasks of contact"), ("reply", "tasks"), ("highlevel", "tasks")]
)
@pytest.mark.parametrize("cursors", [True, False])
def test_a_list_without_an_end_is_given_up(
    system: str, call: str, cursors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (adapters.superfone.adapter, adapters.reply.lists, adapters.highlevel.paging):
        monkeypatch.setattr(module, "MAX_PAGES", 30)
    numbers = itertools.count(1)

    def answer(_request: httpx.Request) -> httpx.Response:
        number = next(numbers)
        row = task_row(system, number)
        if system == "superfone":
            return httpx.Response(200, content=encode(superfone_kit.page([row], pages=10**9, items=10**9)))
        if system == "reply":
            return httpx.Response(200, content=encode(reply_world.page(row, more=True)))
        cursor = {"searchAfter": [number]} if cursors else {}
        return httpx.Response(200, content=encode({"tasks": [{**row, **cursor}]}))

    outcome, requests = ask(system, call, answer)

    assert isinstance(outcome, AdapterError)
    assert requests <= 31
