"""Reply's words, texts and times: the pure parts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.reply.mapping import (
    EARLIEST_START,
    KINDS,
    TYPES,
    contact_creation,
    creation,
    read_text,
    start,
    write_text,
)
from adapters.reply.wire import instant
from adapters.reply.words import CALL_RESOLUTION, CREATION_SOURCE, LINKEDIN_TYPE, STATUS, TASK_TYPE, Vocabulary
from adapters.text import body_text, title_text
from syncer.contract.errors import Refused
from syncer.domain.model import Kind, Record
from tests.support.reply_world import MARKER, draft
from tests.support.strategies import marker_of

LINE = MARKER.line
WORDS: list[tuple[Vocabulary, int, str]] = [
    (TASK_TYPE, 0, "toDo"),
    (TASK_TYPE, 2, "call"),
    (TASK_TYPE, 4, "meeting"),
    (TASK_TYPE, 5, "linkedIn"),
    (TASK_TYPE, 7, "manualEmail"),
    (TASK_TYPE, 8, "sms"),
    (TASK_TYPE, 9, "whatsApp"),
    (STATUS, 0, "new"),
    (STATUS, 1, "finished"),
    (STATUS, 3, "cancelled"),
    (STATUS, 4, "archived"),
    (STATUS, 5, "sequenceDetached"),
    (CREATION_SOURCE, 0, "user"),
    (CREATION_SOURCE, 1, "sequence"),
    (CREATION_SOURCE, 2, "meeting"),
    (LINKEDIN_TYPE, 0, "message"),
    (LINKEDIN_TYPE, 1, "connect"),
    (LINKEDIN_TYPE, 2, "inMail"),
    (LINKEDIN_TYPE, 3, "viewProfile"),
    (CALL_RESOLUTION, 0, "positive"),
    (CALL_RESOLUTION, 1, "toCall"),
    (CALL_RESOLUTION, 2, "negative"),
]

lines = st.text().map(lambda text: body_text(text).strip())
titles = lines.map(lambda text: title_text(text) or "").filter(bool)
instants = st.datetimes(timezones=st.just(UTC))
pieces = st.sampled_from(
    [
        "{",
        "}",
        "{{",
        "}}",
        "%",
        "#",
        "{{firstName}}",
        "{% if %}",
        "\n",
        "\r\n",
        " ",
        "<p>",
        "</p>",
        "<br>",
        "a",
        "&amp;",
    ]
)
marks = st.sampled_from(
    [LINE, f"\n{LINE}\n", f"<p>{LINE}</p>", "<br>", "sync", "er:", LINE.removeprefix("syncer:"), "\r\n", " ", "x"]
)


@pytest.mark.parametrize(("vocabulary", "number", "word"), WORDS)
def test_both_dialects_are_read_in_any_case_and_one_is_written(vocabulary: Vocabulary, number: int, word: str) -> None:
    name = vocabulary.read(number)
    assert name is not None
    assert {vocabulary.read(form) for form in (str(number), word, word.upper(), name, f" {word} ")} == {name}
    assert vocabulary.write(name, "integers") == number
    assert vocabulary.write(name, "strings") == word


@pytest.mark.parametrize("value", [6, 10**30, -1, "", "done", "0x0", "²", True, None, 0.0, [], {}])
def test_what_is_not_documented_has_no_word(value: object) -> None:
    assert STATUS.read(value) is None


def test_every_type_has_a_kind_and_every_kind_a_type_of_its_family() -> None:
    assert set(KINDS) == set(TASK_TYPE.names.values())
    assert set(TYPES) == set(Kind)
    assert all(KINDS[TYPES[kind]].compatible(kind) for kind in Kind if kind is not Kind.REMINDER)
    assert KINDS["Call"] is Kind.FOLLOW_UP_CALL
    assert KINDS["Meeting"] is Kind.SITE_VISIT
    assert KINDS["ToDo"] is Kind.TODO


@given(title=titles, body=st.none() | lines)
def test_what_was_written_is_read_back(title: str, body: str | None) -> None:
    text = write_text(title, body, LINE, label="Call back")
    assert read_text(text) == (title, body or None, MARKER)
    assert read_text(text.replace("\n", "\r\n")) == read_text(text)


@given(title=st.lists(pieces).map("".join), body=st.lists(pieces).map("".join))
def test_no_template_is_left_and_reading_is_stable(title: str, body: str) -> None:
    text = write_text(title, body, LINE, label="Call back")
    assert not any(braces in text for braces in ("{{", "}}", "{%", "%}", "{#", "#}"))
    read_title, read_body, marker = read_text(text)
    assert marker == MARKER
    assert read_title
    again = write_text(read_title, read_body, LINE, label="Call back")
    assert read_text(again) == (read_title, read_body, marker)


@given(title=st.lists(marks).map("".join), body=st.lists(marks).map("".join))
def test_another_tasks_marker_is_never_copied(title: str, body: str) -> None:
    own = marker_of("highlevel:Zx8~2")
    assert read_text(write_text(title, body, own.line, label="Call back"))[2] == own


def test_a_task_without_a_title_gets_its_kinds_label() -> None:
    assert write_text(f"{LINE}\n", None, LINE, label="Call back") == f"Call back\n{LINE}"


@pytest.mark.parametrize(
    "text",
    [
        f"<p>Call &amp; greet</p><p>Bring the plan</p><p>{LINE}</p>",
        f"<div>Call &amp; greet</div>\r\n<div>Bring <b>the</b>&nbsp;plan</div>\r\n<div>{LINE}</div>",
        f"Call &amp; greet<br>Bring the plan<br/>{LINE}",
        f"<p>Call &amp; greet<br />\nBring the plan<br />\n<span style='x'>{LINE}</span></p>",
        f"Call &#38; greet\nBring the plan\n  {LINE}  ",
        f"Call & greet\nBring the plan\n{LINE}\n\n",
    ],
)
def test_an_editors_html_is_read_as_lines(text: str) -> None:
    assert read_text(text) == ("Call & greet", "Bring the plan", MARKER)


@pytest.mark.parametrize("text", [None, "", "  \n", "<p></p>", "<br>"])
def test_an_empty_text_has_no_title(text: str | None) -> None:
    assert read_text(text) == (None, None, None)


def test_a_style_is_neither_title_nor_body() -> None:
    text = f"<html><head><style>p {{ color: red }}</style></head><body><p>Call</p><p>me</p><p>{LINE}</p></body></html>"
    assert read_text(text) == ("Call", "me", MARKER)
    assert read_text("<style>p { color: red }</style><p>Call \x1b[31mnow</p>") == ("Call now", None, None)


def test_a_comparison_is_no_html() -> None:
    assert read_text("2 < 3 and 5 > 4") == ("2 < 3 and 5 > 4", None, None)


@given(due=instants, now=instants)
def test_the_start_is_before_the_due_or_the_draft_is_refused(due: datetime, now: datetime) -> None:
    if due <= EARLIEST_START:
        with pytest.raises(Refused, match="before 2015"):
            start(due, now)
    else:
        assert EARLIEST_START <= start(due, now) < due


def test_the_start_is_now_or_a_minute_before_an_earlier_due() -> None:
    now = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
    assert start(now + timedelta(days=3), now) == now
    assert start(now - timedelta(days=3), now) == now - timedelta(days=3, minutes=1)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_can_be_created_in_both_dialects(kind: Kind) -> None:
    integers, strings = (creation(draft("7", kind=kind), dialect) for dialect in ("integers", "strings"))
    assert TASK_TYPE.read(integers["taskType"]) == TASK_TYPE.read(strings["taskType"]) == TYPES[kind]
    assert isinstance(integers["taskType"], int)
    assert isinstance(strings["taskType"], str)
    assert ("linkedInTaskType" in integers) is (kind is Kind.LINKEDIN)
    assert integers["contactId"] == 7


def test_instants_are_written_in_utc() -> None:
    assert instant(datetime.fromisoformat("2026-05-19T14:00:00.5+05:30")) == "2026-05-19T08:30:00.500000Z"


@pytest.mark.parametrize(
    ("record", "request_body"),
    [
        (
            Record("reply", "", "Asha B C", ("+919876543210",), ("asha@example.com",)),
            {"firstName": "Asha", "lastName": "B C", "email": "asha@example.com", "phone": "+919876543210"},
        ),
        (Record("reply", "", " ", (), ("ben@example.com",)), {"firstName": "ben", "email": "ben@example.com"}),
        (Record("reply", "", "", ("+919876543210",)), {"firstName": "+919876543210", "phone": "+919876543210"}),
    ],
)
def test_a_contact_always_has_a_first_name(record: Record, request_body: dict[str, str]) -> None:
    assert contact_creation(record) == request_body


def test_what_people_type_before_a_colon_is_no_marker_and_stays_as_they_typed_it() -> None:
    assert write_text("Ring", "syncer: see the manual", LINE, label="Call") == f"Ring\nsyncer: see the manual\n{LINE}"
    twice = f"syncer: see the manual\n{LINE}"
    assert write_text("Ring", twice, LINE, label="Call") == f"Ring\nsyncer: see the manual\n{LINE}"
