"""What an answer means, and that nothing that is answered can break the adapter."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox import Fault
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.errors import (
    AdapterError,
    BadAnswer,
    BudgetSpent,
    Forbidden,
    Full,
    InDoubt,
    Missing,
    NothingOpen,
    NotSent,
    Refused,
    Unauthorized,
    Unavailable,
)
from syncer.domain.model import Listing, Reading, Record
from tests.support.clock import run_virtual
from tests.support.superfone_kit import (
    DUE,
    PHONE,
    ROW,
    Work,
    add,
    against,
    answering,
    complete,
    create,
    find,
    listing,
    page,
    saying,
    within,
)

WRITES = [create, complete]
FAILURES: list[tuple[Work, int, str, type[AdapterError]]] = [
    (create, 400, "lead_id must be a number", Refused),
    (create, 400, "Request body is empty", Refused),
    (create, 400, "type is required", Refused),
    (create, 400, 'type "X" is not available for creation. Allowed: REMINDER', Refused),
    (create, 400, "due_date is required", Refused),
    (create, 404, "Lead not found", Refused),
    (create, 404, "Lead storage is full", Full),
    (create, 404, "lead STORAGE is full. Upgrade your plan", Full),
    (create, 404, "Cannot POST /x", Refused),
    (create, 422, "odd", Refused),
    (complete, 400, "lead_id must be a number", Refused),
    (complete, 400, "No open task found for this lead", NothingOpen),
    (complete, 400, "no open task found for this lead.", NothingOpen),
    (complete, 404, "Lead not found", Refused),
    (listing, 400, "lead_id must be a number", BadAnswer),
    (listing, 400, "page_size must be a positive integer", BadAnswer),
    (listing, 400, "page_size cannot exceed 20", BadAnswer),
    (listing, 404, "Lead not found", Missing),
    (listing, 404, "lead not found!", Missing),
    (listing, 404, "<html>no such page</html>", BadAnswer),
    (add, 422, "odd", Refused),
    (find, 422, "odd", Refused),
    (find, 302, "elsewhere", Unavailable),
    *(
        (work, 401, "UnAuthorized, Please Provide Valid API Key", Unauthorized)
        for work in (find, listing, *WRITES, add)
    ),
    *((work, 403, "no", Forbidden) for work in (find, listing, *WRITES)),
    *((work, 503, "busy", InDoubt) for work in WRITES),
    *((work, 503, "busy", Unavailable) for work in (find, listing)),
    *((work, 429, "slow down", BudgetSpent) for work in (find, listing, *WRITES)),
]


@pytest.mark.parametrize(("work", "status", "message", "error"), FAILURES)
def test_what_an_answer_means(work: Work, status: int, message: str, error: type[AdapterError]) -> None:
    with pytest.raises(error) as caught:
        against(saying(status, {"message": message}), work)
    assert type(caught.value) is error
    assert (caught.value.status, caught.value.system) == (status, "superfone")
    assert message in caught.value.words or status == 429


@pytest.mark.parametrize(
    ("fault", "read", "write"),
    [
        (Fault.NO_CONNECTION, Unavailable, NotSent),
        (Fault.LOST_REQUEST, Unavailable, InDoubt),
        (Fault.LOST_ANSWER, Unavailable, InDoubt),
        (Fault.ERROR_BEFORE, Unavailable, InDoubt),
        (Fault.ERROR_AFTER, Unavailable, InDoubt),
        (Fault.GARBAGE, BadAnswer, InDoubt),
        (Fault.TRUNCATED, BadAnswer, InDoubt),
        (Fault.UNAUTHORIZED, Unauthorized, Unauthorized),
        (Fault.THROTTLED, BudgetSpent, BudgetSpent),
    ],
)
def test_faults(room: SuperfoneSandbox, fault: Fault, read: type[AdapterError], write: type[AdapterError]) -> None:
    room.person_creates(12345, "BOOKING", DUE)
    room.fault = lambda _call: fault
    for reading in (find, listing):
        with pytest.raises(read):
            within(room, reading)
    room.calls.clear()
    for writing in (create, complete):
        with pytest.raises(write):
            within(room, writing)
    if write is InDoubt:
        assert len(room.calls) == 2


def test_the_key_is_in_no_error() -> None:
    with pytest.raises(Unauthorized) as caught:
        against(saying(401, {"message": "superfone-key is wrong"}), find)
    assert "superfone-key" not in caught.value.words


FIELDS = st.sampled_from([*ROW, "data", "rows", "total_pages", "total_items", "phones", "phone", "email", "message"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["PENDING", "COMPLETE", "2026-05-19T08:30:00Z", PHONE, 12345, 42])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=12
)
SPOILT_ROW = st.builds(
    lambda changes: {**ROW, **changes}, st.dictionaries(st.sampled_from([*ROW]), SCALARS, max_size=2)
)
SPOILT_PAGE = st.builds(
    lambda rows, pages, items: page(rows, pages=pages, items=items),
    st.lists(ANYTHING | SPOILT_ROW, max_size=4),
    st.integers(-1, 4),
    st.integers(-1, 6),
)
ANSWERS = (
    ANYTHING.map(json.dumps)
    | st.builds(lambda data: json.dumps({"data": data}), ANYTHING | SPOILT_ROW)
    | SPOILT_PAGE.map(json.dumps)
    | st.text(max_size=20)
)


@given(ANSWERS.map(str.encode) | st.binary(max_size=20), st.sampled_from([200, 200, 200, 201, 204, 302, 400, 404, 422]))
def test_whatever_is_answered_is_data_or_an_adapter_error(content: bytes, status: int) -> None:
    async def main() -> None:
        for work in (find, listing, create, complete, add):
            async with answering(saying(status, content)) as adapter:
                try:
                    answer = await work(adapter)
                except AdapterError:
                    continue
                assert isinstance(answer, (tuple, Listing, Reading, Record))

    run_virtual(main())


@given(SPOILT_PAGE)
def test_every_row_is_either_read_or_listed_as_unreadable(body: dict[str, Any]) -> None:
    try:
        tasks = against(saying(200, body), listing)
    except AdapterError:
        return
    ids = [row.remote_id for row in (*tasks.rows, *tasks.unreadable) if row.remote_id is not None]
    assert len(ids) == len(set(ids))
    assert len(tasks.rows) + len(tasks.unreadable) >= body["data"]["total_items"]
    assert list(tasks.rows) == sorted(tasks.rows, key=lambda task: (task.created_at, int(task.remote_id)), reverse=True)
