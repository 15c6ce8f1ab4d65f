"""A lead's tasks: pages that move, rows that cannot be read, totals that cannot be."""

from __future__ import annotations

import httpx
import pytest

from adapters.sandbox import Call, Fault, Reply
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.errors import BadAnswer, Unavailable
from syncer.domain.model import Kind, Listing
from tests.support.superfone_kit import (
    DUE,
    ROW,
    against,
    listing,
    page,
    saying,
    within,
)


def test_a_long_list_is_read_whole_newest_first(room: SuperfoneSandbox) -> None:
    made = [str(room.person_creates(12345, "REMINDER", DUE)) for _ in range(45)]
    tasks = within(room, listing)
    assert [task.remote_id for task in tasks.rows] == made[::-1]
    assert tasks.unreadable == ()
    assert [call.query for call, _ in room.calls] == [{"page": str(number), "page_size": "20"} for number in (1, 2, 3)]


def test_an_empty_list_takes_one_request(room: SuperfoneSandbox) -> None:
    assert within(room, listing) == Listing(())
    assert len(room.calls) == 1


def test_a_list_that_moves_is_read_again(room: SuperfoneSandbox) -> None:
    made = [room.person_creates(12345, "REMINDER", DUE) for _ in range(25)]

    def somebody_adds(call: Call, _reply: Reply) -> None:
        if len(room.calls) == 0:
            made.append(room.person_creates(12345, "REMINDER", DUE))

    room.after = somebody_adds
    tasks = within(room, listing)
    assert [task.remote_id for task in tasks.rows] == [str(task) for task in made[::-1]]
    assert [call.query["page"] for call, _ in room.calls] == ["1", "2", "1", "2"]


def test_a_row_lost_between_pages_is_noticed_though_the_total_is_the_same(room: SuperfoneSandbox) -> None:
    """One was added and an older one deleted while page 1 was on its way: page 2 repeats one and lacks one."""
    made = [room.person_creates(12345, "REMINDER", DUE) for _ in range(25)]

    def somebody_acts(call: Call, _reply: Reply) -> None:
        if len(room.calls) == 0:
            room.person_deletes(made.pop(0))
            made.append(room.person_creates(12345, "REMINDER", DUE))

    room.after = somebody_acts
    tasks = within(room, listing)
    assert [task.remote_id for task in tasks.rows] == [str(task) for task in made[::-1]]


def test_a_list_that_never_stands_still_is_unavailable(room: SuperfoneSandbox) -> None:
    for _ in range(25):
        room.person_creates(12345, "REMINDER", DUE)
    room.after = lambda _call, _reply: void(room.person_creates(12345, "REMINDER", DUE))
    with pytest.raises(Unavailable, match="could not be read completely"):
        within(room, listing)
    assert len(room.calls) == 8


def void(_value: object) -> None:
    """Forget a value, where a hook must give none."""


def test_a_page_that_fails_fails_the_list(room: SuperfoneSandbox) -> None:
    for _ in range(25):
        room.person_creates(12345, "REMINDER", DUE)
    room.fault = lambda call: Fault.ERROR_BEFORE if call.query.get("page") == "2" else None
    with pytest.raises(Unavailable):
        within(room, listing)
    room.fault = lambda call: Fault.GARBAGE if call.query.get("page") == "2" else None
    with pytest.raises(BadAnswer):
        within(room, listing)


def test_nonsense_totals_end() -> None:
    """A server that counts a billion pages, then gives nothing, or always the same."""
    rows = [ROW, {**ROW, "id": 4568}]

    def empty_later(request: httpx.Request) -> httpx.Response:
        shown = rows if request.url.params["page"] == "1" else []
        return httpx.Response(200, json=page(shown, pages=10**9, items=2))

    assert len(against(empty_later, listing).rows) == 2
    assert len(against(saying(200, page(rows, pages=10**9)), listing).rows) == 2
    for nonsense in ([*rows, None], [None, None, 5]):
        with pytest.raises(Unavailable):
            against(saying(200, page(nonsense, pages=10**9, items=10**9)), listing)


def test_rows_that_cannot_be_read_do_not_hide_the_others() -> None:
    rows = [
        {**ROW, "id": 1, "task_status": "SNOOZED"},
        ROW,
        None,
        None,
        {**ROW, "id": "x"},
        {**ROW, "id": 2, "created_at": None},
        {**ROW, "id": 3, "customer_id": 777},
        {**ROW, "id": 4, "type": "DEMO"},
    ]
    tasks = against(saying(200, page(rows)), listing)
    assert [(task.remote_id, task.kind, task.raw_type) for task in tasks.rows] == [
        ("4567", Kind.BOOKING, "BOOKING"),
        ("4", Kind.TODO, "DEMO"),
    ]
    assert [row.remote_id for row in tasks.unreadable] == ["1", None, None, None, "2", "3"]
    assert {row.contact for row in tasks.unreadable} == {"12345"}
    assert "PENDING" in tasks.unreadable[0].detail
    assert "SNOOZED" in tasks.unreadable[0].received
    assert "777" in tasks.unreadable[-1].detail


def test_an_unsorted_list_is_sorted_by_creation_then_id() -> None:
    later = "2026-05-19T08:30:00.001Z"
    rows = [{**ROW, "id": 9}, {**ROW, "id": 10}, {**ROW, "id": 2, "created_at": later}]
    assert [task.remote_id for task in against(saying(200, page(rows)), listing).rows] == ["2", "10", "9"]


@pytest.mark.parametrize(
    "body",
    [b"<html>", {}, {"data": []}, {"data": {"rows": []}}, page([]) | {"data": None}, page([], pages=-1), b"[]"],
)
def test_an_envelope_that_cannot_be_read(body: object) -> None:
    with pytest.raises(BadAnswer):
        against(saying(200, body), listing)
