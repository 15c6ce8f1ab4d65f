"""HighLevel's shapes, paging and settings: the pure parts, mostly by properties."""

from __future__ import annotations

import json
from datetime import timedelta, timezone
from typing import Any

import httpx
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.mapping import task_body, task_reading
from adapters.highlevel.paging import CONTACT_PAGE, ContactPager, Pager, TaskPager
from adapters.highlevel.settings import SEARCHED, HighLevelSettings, KindRule, compile_expression
from adapters.highlevel.wire import WireTask
from adapters.text import body_text, plain_text
from syncer.contract.errors import AdapterError, BadAnswer
from syncer.domain.model import Kind, Reading, Record, Unreadable
from syncer.domain.task_ids import split_marker
from tests.support.highlevel_kit import DUE, LOCATION, MARKER, TASK, draft, ref, using

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


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00", 0, "1969-12-31T19:00:00-05:00", "9999-12-31T23:59:59.999Z"])
def test_dates_that_stand_for_none_are_none(date: object) -> None:
    task = WireTask.model_validate(TASK | dict.fromkeys(("dueDate", "dateAdded", "updatedAt"), date))
    reading = task_reading(task, kind=Kind.TODO, contact=None, whole=True)
    assert (reading.due, reading.created_at, reading.updated_at) == (None, None, None)


def test_a_title_is_one_clean_line() -> None:
    task = WireTask.model_validate(TASK | {"title": " Call\r\n\x1b[31mnow\u202e "})
    assert task_reading(task, kind=Kind.TODO, contact=None, whole=True).title == "Call now"


@given(st.text(alphabet=st.characters(exclude_characters="<>\r", exclude_categories=["Cs"]), max_size=60))
def test_a_text_that_we_write_is_read_back(text: str) -> None:
    assume(split_marker(body_text(text))[1] is None)
    sent = task_body(draft("C1", body=text))
    task = WireTask.model_validate(TASK | {"body": sent["body"]})
    reading = task_reading(task, kind=Kind.TODO, contact=None, whole=True)
    assert reading.marker == MARKER
    assert reading.body == (body_text(text).strip() or None)


@pytest.mark.parametrize(
    "body",
    [
        f"one\n two\n{MARKER.line}",
        f"one\r\n two\r\n{MARKER.line}\r\n",
        f"<p>one</p><p> two</p><p>{MARKER.line}</p>",
        f"<div>one<br> two</div><div><span style='x'>{MARKER.line}</span></div>",
        f"one<br/> two<br />{MARKER.line}&nbsp;",
    ],
)
def test_an_editor_hides_neither_text_nor_marker(body: str) -> None:
    assert split_marker(plain_text(body)) == ("one\n two", MARKER)


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
    rows: list[dict[str, object]] = [
        {"id": f"T{n}"} | ({"searchAfter": [n, f"T{n}"]} if cursors else {}) for n in range(count)
    ]
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
    rows: list[dict[str, object]] = [{"id": f"C{n}", "searchAfter": [n, f"C{n}"]} for n in range(12_003)]
    assert read_all(ContactPager(CONTACT_PAGE), rows, 500, limit=CONTACT_PAGE) == 26


def test_a_cursor_that_cannot_be_sent_back_is_none() -> None:
    cursors: tuple[object, ...] = ([], "x", [[1]], [{}], [float("nan")], None, [1], [1, "T2"], [[1], "T1"])
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
        ("kind_rules", [{"match": "(", "kind": "todo"}], r"'\(' is not a regular expression"),
        ("kind_rules", [{"match": "a{99999999999999999999}", "kind": "todo"}], "is not a regular expression"),
        (
            "kind_rules",
            [{"match": r"(a)\1", "kind": "todo"}],
            "has a back-reference, which cannot be matched in linear",
        ),
        ("kind_rules", [{"match": "(?P<x>a)(?P=x)", "kind": "todo"}], "has a back-reference"),
        ("kind_rules", [{"match": "a(?=b)", "kind": "todo"}], "looks ahead or behind"),
        ("kind_rules", [{"match": "(?<!a)b", "kind": "todo"}], "looks ahead or behind"),
        ("kind_rules", [{"match": "(a{1000}){1000}", "kind": "todo"}], "invalid repetition size"),
        ("kind_rules", [{"match": "\ud800", "kind": "todo"}], "is not a regular expression"),
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


def test_a_wrong_rule_writes_nothing_to_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="back-reference"):
        compile_expression(r"(a)\1")
    assert capfd.readouterr() == ("", "")


def test_a_rule_that_would_backtrack_is_matched_at_once() -> None:
    rule = KindRule(match=compile_expression(r"^(x|x|xx)*$|(x+x+)+y"), kind=Kind.CALLBACK)
    assert not rule.match.found_in("x" * 500 + "!" + "x" * 100_000)
    assert not compile_expression("b").found_in("a" * SEARCHED + "b")
    assert compile_expression("b").found_in("a" * (SEARCHED - 1) + "b")


def test_a_draft_is_due_in_utc() -> None:
    local = DUE.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert task_body(draft("C1", due=local))["dueDate"] == "2026-05-19T10:30:00Z"
