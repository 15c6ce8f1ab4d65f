"""HighLevel's shapes, paging and settings: the pure parts, mostly by properties."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.base import AdapterError, BadAnswer
from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.paging import CONTACT_PAGE, ContactPager, Pager, TaskPager
from adapters.highlevel.settings import HighLevelSettings
from adapters.highlevel.wire import WireTask, format_instant, parse_instant, plain_text, task_body, task_reading
from syncer.model import Kind, Reading, Record, Unreadable, split_marker
from tests.highlevel_kit import DUE, LOCATION, MARKED, TASK, draft, ref, using

KEYS = [
    "task", "tasks", "id", "_id", "title", "body", "completed", "dueDate", "contactId", "assignedTo", "deleted",
    "searchAfter", "dateAdded", "updatedAt", "contact", "contacts", "email", "phone", "additionalEmails", "firstName",
    "name", "meta", "message", "statusCode",
]  # fmt: skip
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["T1", "C1", "2026-05-19T08:30:00Z", "2026-13-45", "9999-12-31T23:59:59-14:00", "+919876543210"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=8),
    max_leaves=30,
)
SHAPED = (
    st.fixed_dictionaries({"task": VALUES})
    | st.fixed_dictionaries({"tasks": st.lists(VALUES, max_size=4)})
    | st.fixed_dictionaries({"contact": VALUES, "new": st.booleans()})
    | st.fixed_dictionaries({"contacts": st.lists(VALUES, max_size=4), "total": st.integers()})
    | st.fixed_dictionaries({"message": VALUES, "meta": VALUES})
)
ANSWERS = st.one_of(VALUES, SHAPED).map(lambda value: json.dumps(value).encode()) | st.binary(max_size=40)
STATUSES = st.sampled_from([200, 200, 201, 400, 401, 404, 422])


async def everything(adapter: HighLevelAdapter) -> list[object]:
    """Each method's result, or the error that it is allowed to raise."""
    found: list[object] = []
    record = Record("reply", "41", "Asha", ("+919876543210",), ("asha@example.com",))
    for call in (
        adapter.list_tasks(),
        adapter.list_contact_tasks("C1"),
        adapter.get_task(ref("T1", "C1")),
        adapter.create_task(draft("C1")),
        adapter.complete_task(ref("T1", "C1")),
        adapter.list_contacts(),
        adapter.get_contact("C1"),
        adapter.find_contacts("+919876543210"),
        adapter.create_contact(record),
        adapter.check(),
    ):
        try:
            found.append(await call)
        except AdapterError as error:
            found.append(error)
    return found


@given(ANSWERS, STATUSES)
@example(b"[" * 100_000, 200)
@example(b'{"tasks": [' + b"9" * 5000 + b"]}", 200)
@example(b'{"tasks": [{"id": ' + b"9" * 5000 + b"}]}", 200)
@example(b'{"task": {"id": "\\ud800", "completed": false}}', 200)
@example(b'{"tasks": [{"id": "T1", "searchAfter": [NaN, Infinity]}]}', 200)
@example(b'{"contact": {"id": "C1", "email": "\xc3\x28"}}', 200)
def test_no_answer_breaks_the_adapter(content: bytes, status: int) -> None:
    transport = httpx.MockTransport(lambda _request: httpx.Response(status, content=content))
    results = using(transport, everything)
    assert len(results) == 10


@given(VALUES)
def test_a_row_is_read_or_refused(row: Any) -> None:
    try:
        task = WireTask.model_validate(row)
    except ValidationError:
        return
    reading = task_reading(task, kind=Kind.TODO, contact="C1", whole=True)
    assert isinstance(reading, Reading)
    assert reading.remote_id
    assert reading.due is None or reading.due.utcoffset() == timedelta(0)


@given(st.dictionaries(st.sampled_from(KEYS), SCALARS, max_size=6))
def test_unknown_keys_change_nothing(extra: dict[str, Any]) -> None:
    known = TASK | {"body": "text"}
    noisy = {f"x{name}": value for name, value in extra.items()} | known
    assert WireTask.model_validate(noisy) == WireTask.model_validate(known)


INSTANTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])).filter(
    lambda moment: datetime.min.replace(tzinfo=UTC) + timedelta(days=1) < moment
)


@given(INSTANTS)
def test_instants_come_back_to_the_millisecond(moment: datetime) -> None:
    text = format_instant(moment)
    assert text.endswith("Z")
    assert ("." in text) == (moment.microsecond >= 1000)
    assert parse_instant(text) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (None, None),
        ("", None),
        ("2021-07-08T02:30:00.000Z", datetime(2021, 7, 8, 2, 30, tzinfo=UTC)),
        ("2021-07-08T08:00:00+05:30", datetime(2021, 7, 8, 2, 30, tzinfo=UTC)),
        ("2021-07-08T02:30:00", datetime(2021, 7, 8, 2, 30, tzinfo=UTC)),
        ("2021-07-08", datetime(2021, 7, 8, tzinfo=UTC)),
    ],
)
def test_instants_are_read_in_utc(text: object, moment: datetime | None) -> None:
    assert parse_instant(text) == moment


@pytest.mark.parametrize("value", ["soon", 1625711400, True, [], "0001-01-01T00:00:00+14:00"])
def test_what_is_no_instant(value: object) -> None:
    with pytest.raises(ValueError, match="ISO 8601"):
        parse_instant(value)


@given(st.text(alphabet=st.characters(exclude_characters="<>\r", exclude_categories=["Cs"]), max_size=60))
def test_a_text_that_we_write_is_read_back(text: str) -> None:
    assume(split_marker(text)[1] is None)
    sent = task_body(draft("C1", body=text))
    task = WireTask.model_validate(TASK | {"body": sent["body"]})
    reading = task_reading(task, kind=Kind.TODO, contact=None, whole=True)
    assert reading.marker == MARKED
    assert reading.body == (text.strip() or None)


@pytest.mark.parametrize(
    "body",
    [
        f"one\n two\nsyncer:{MARKED}",
        f"one\r\n two\r\nsyncer:{MARKED}\r\n",
        f"<p>one</p><p> two</p><p>syncer:{MARKED}</p>",
        f"<div>one<br> two</div><div><span style='x'>syncer:{MARKED}</span></div>",
        f"one<br/> two<br />syncer:{MARKED}&nbsp;",
    ],
)
def test_an_editor_hides_neither_text_nor_marker(body: str) -> None:
    assert split_marker(plain_text(body)) == ("one\n two", MARKED)


def test_text_that_only_looks_like_html_is_left_alone() -> None:
    assert plain_text("a < b > c & <asha@example.com> &amp;") == "a < b > c & <asha@example.com> &amp;"


def read_all(pager: Pager, rows: list[dict[str, object]], clamp: int, *, limit: int) -> int:
    """Put a whole list through a pager; how many requests that took."""
    requests, more = 0, True
    while more:
        requests += 1
        asks: Any = pager.asks
        after = asks.get("searchAfter")
        start = after[0] + 1 if after else asks.get("skip", (asks.get("page", 1) - 1) * min(clamp, limit))
        more = pager.take(rows[start : start + min(clamp, limit)])
    return requests


@given(st.integers(0, 60), st.integers(1, 30), st.booleans(), st.booleans())
def test_every_list_is_read_to_its_end(count: int, clamp: int, cursors: bool, contacts: bool) -> None:
    rows: list[dict[str, object]] = [{"id": f"T{n}"} | ({"searchAfter": [n]} if cursors else {}) for n in range(count)]
    pager = ContactPager(20) if contacts else TaskPager(20)
    requests = read_all(pager, rows, clamp, limit=20)
    assert pager.rows == count
    assert requests == -(-count // min(clamp, 20)) + 1


@pytest.mark.parametrize(("count", "clamp"), [(9_999, 500), (9_501, 500), (9_950, 100)])
def test_contacts_without_cursors_up_to_ten_thousand(count: int, clamp: int) -> None:
    pager = ContactPager(CONTACT_PAGE)
    read_all(pager, [{"id": f"C{n}"} for n in range(count)], clamp, limit=CONTACT_PAGE)
    assert pager.rows == count


@pytest.mark.parametrize("clamp", [500, 100])
def test_contacts_without_cursors_beyond_that_are_no_list(clamp: int) -> None:
    rows: list[dict[str, object]] = [{"id": f"C{n}"} for n in range(10_000)]
    with pytest.raises(BadAnswer, match="10000"):
        read_all(ContactPager(CONTACT_PAGE), rows, clamp, limit=CONTACT_PAGE)


def test_cursors_have_no_such_end() -> None:
    rows: list[dict[str, object]] = [{"id": f"C{n}", "searchAfter": [n]} for n in range(12_003)]
    assert read_all(ContactPager(CONTACT_PAGE), rows, 500, limit=CONTACT_PAGE) == 26


def test_a_cursor_that_cannot_be_sent_back_is_none() -> None:
    cursors: tuple[object, ...] = ([], "x", [[1]], [{}], [float("nan")], None)
    for cursor in cursors:
        pager = TaskPager(100)
        assert pager.take([{"id": "T1", "searchAfter": cursor}])
        assert pager.asks == {"skip": 1}


def test_unreadable_rows_are_values() -> None:
    async def talk(adapter: HighLevelAdapter) -> tuple[Unreadable, ...]:
        return (await adapter.list_contact_tasks("C1")).unreadable

    content = b'{"tasks": [{"id": "T1", "title": "highlevel-token"}]}'
    (row,) = using(httpx.MockTransport(lambda _request: httpx.Response(200, content=content)), talk)
    assert row.remote_id == "T1"
    assert "highlevel-token" not in row.received


def test_settings_have_the_documented_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIGHLEVEL_TOKEN", "t")
    made = HighLevelSettings.model_validate(
        {
            "token": "env:HIGHLEVEL_TOKEN",
            "location_id": LOCATION,
            "kind_rules": [{"match": "(?i)\\bcall ?back\\b", "kind": "callback"}],
        }
    )
    assert made.base_url == "https://services.leadconnectorhq.com"
    assert [(rate.requests, rate.seconds) for rate in made.rate] == [(100, 10), (200_000, 86_400)]
    assert (made.default_kind, made.create_missing_contacts) == (Kind.FOLLOW_UP_CALL, False)
    assert [made.kind_of(title) for title in ("Callback", "Call", None)] == [
        Kind.CALLBACK,
        Kind.FOLLOW_UP_CALL,
        Kind.FOLLOW_UP_CALL,
    ]


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("location_id", "", "location id"),
        ("location_id", "a/b", "location id"),
        ("kind_rules", [{"match": "(", "kind": "todo"}], r"'\(' is no regular expression"),
        ("kind_rules", [{"match": "a{99999999999999999999}", "kind": "todo"}], "is no regular expression"),
        ("kind_rules", [{"match": 7, "kind": "todo"}], "expected a regular expression"),
        ("kind_rules", [{"match": "x", "kind": "party"}], "kind"),
        ("kind_rules", [{"match": "x", "kind": "todo", "title": "x"}], "title"),
        ("default_kind", "party", "default_kind"),
        ("colour", "red", "colour"),
    ],
)
def test_settings_that_are_wrong(monkeypatch: pytest.MonkeyPatch, field: str, value: object, complaint: str) -> None:
    monkeypatch.setenv("HIGHLEVEL_TOKEN", "t")
    with pytest.raises(ValidationError, match=complaint):
        HighLevelSettings.model_validate({"token": "env:HIGHLEVEL_TOKEN", "location_id": LOCATION, field: value})


def test_a_draft_is_due_in_utc() -> None:
    local = DUE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert task_body(draft("C1", due=local))["dueDate"] == "2026-05-19T10:30:00Z"
