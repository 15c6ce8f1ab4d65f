"""Reply's whole replacement: what did not change goes back as it came, and what is written is read as the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.reply.edits import check_fields, replacement, rewritten, same_in_reply
from adapters.reply.mapping import read_text, to_reading, write_text
from adapters.reply.wire import WireTask
from syncer.contract.errors import Refused
from syncer.domain.fields import TaskField
from syncer.domain.model import Edit, Kind
from syncer.domain.task_ids import Marker
from tests.support.texts import bodies, titles

NOW = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
DUE = NOW + timedelta(days=1)
MARKER = Marker("1k2m9ab3xq", "highlevel:7")
RAW = {
    "id": 5,
    "taskType": 2,
    "status": 0,
    "startAt": "2026-05-19T08:00:00.1234567Z",
    "dueTo": "2026-05-20T08:30:00+05:30",
    "contactId": 9,
    "linkedInTaskType": None,
    "assignedUserId": 41,
    "template": {"body": "Ring {{firstName}}\nBring the plan", "subject": "Visit", "attachmentIdList": [3, 4]},
}


def edit(wanted: dict[TaskField, Any], marker: Marker | None = None) -> Edit:
    return Edit(wanted, {}, Kind.FOLLOW_UP_CALL, NOW, marker)


def replaced(wanted: dict[TaskField, Any], **changes: Any) -> dict[str, Any]:
    raw = {**RAW, **changes}
    return replacement(raw, WireTask.model_validate(raw), edit(wanted), "integers")


def title_of(text: str) -> dict[TaskField, Any]:
    return {TaskField.TITLE: text}


def body_of(text: str) -> dict[TaskField, Any]:
    return {TaskField.BODY: text}


def test_all_that_is_not_changed_is_sent_back_as_it_was_read() -> None:
    sent = replaced({TaskField.DUE: DUE + timedelta(hours=1)})
    assert sent == {
        "taskType": 2,
        "startAt": RAW["startAt"],
        "dueTo": "2026-05-20T09:30:00Z",
        "contactId": 9,
        "template": RAW["template"],
    }
    assert replaced(title_of("Meet"))["dueTo"] == RAW["dueTo"]


def test_a_start_that_the_new_due_would_be_before_is_moved() -> None:
    sent = replaced({TaskField.DUE: NOW - timedelta(days=3)})
    assert sent["startAt"] == "2026-05-16T08:29:00Z"
    assert sent["dueTo"] == "2026-05-16T08:30:00Z"


def test_lines_that_say_the_same_keep_their_variables_and_others_are_neutralised() -> None:
    text = rewritten("Ring {{firstName}}\nBring {{plan}}\nand prices", edit(body_of("Bring {{plan}}\nand {{more}}")))
    assert text == "Ring {{firstName}}\nBring {{plan}}\nand {\u2060{more}\u2060}"
    text = rewritten("Ring {{firstName}}\nBring {{plan}}", edit(title_of("Meet {{you}}")))
    assert text == "Meet {\u2060{you}\u2060}\nBring {{plan}}"


def test_html_stays_html_where_its_lines_can_be_told_apart() -> None:
    raw = "<div><p><b>Ring</b> {{firstName}}</p><p>Bring <i>the plan</i></p><p>old</p></div>"
    text = rewritten(raw, edit(body_of("Bring the plan\nnew & more")))
    assert text == ("<div><p><b>Ring</b> {{firstName}}</p><p>Bring <i>the plan</i></p><p>new &amp; more</p>")
    assert read_text(text)[:2] == ("Ring {{firstName}}", "Bring the plan\nnew & more")


@pytest.mark.parametrize(
    ("raw", "body", "text"),
    [
        ("Ring<br>Bring<br>Ask", "Bring\nAsk\nnew", "Ring<br>Bring<br>Ask<br>new<br>"),
        ("Ring<br>Bring<br>Ask", "Ask\nBring", "Ring<br>Ask<br>Bring<br>"),
        ("<p>Ring</p>Ask", "Ask\nnew", "<p>Ring</p>Ask<p>new</p>"),
    ],
)
def test_a_last_line_of_html_without_an_end_stays_a_line_of_its_own(raw: str, body: str, text: str) -> None:
    assert rewritten(raw, edit(body_of(body))) == text
    assert read_text(text)[:2] == ("Ring", body)


def test_a_text_without_a_title_stays_one() -> None:
    """Without a first line of its own, the first line of the body would be read as a title that somebody typed."""
    for raw in ("", "\n", "<p></p>"):
        text = rewritten(raw, edit(body_of("Ask\nfor prices")))
        assert read_text(text)[:2] == (None, "Ask\nfor prices")
        again = rewritten(text, edit(body_of("Ask")))
        assert read_text(again)[:2] == (None, "Ask")
        assert read_text(rewritten(again, edit(title_of("Ring"))))[:2] == ("Ring", "Ask")


def test_a_task_without_a_text_can_be_moved_and_no_text_for_customers_is_made_up() -> None:
    due = {TaskField.DUE: DUE}
    assert read_text(replaced(due, template={"body": ""})["template"]["body"]) == (None, None, None)
    for change in ({"taskType": 5}, {"sequenceId": 7}, {"creationSource": 1}):
        assert replaced(due, template={"body": ""}, **change)["template"] == {"body": ""}


def test_a_marker_behind_other_words_is_not_taken_for_the_whole_line() -> None:
    text = rewritten(f"Ring<div>{MARKER.line}</div>", edit(title_of("Meet")))
    assert read_text(text) == ("Meet", None, MARKER)
    for typed in (f"Ring\nold\n{MARKER.line} and more", f"<p>Ring</p><p>old</p><p>{MARKER.line} and more</p>"):
        assert read_text(typed) == ("Ring", "old\nand more", MARKER)
        assert rewritten(typed, edit(title_of("Meet"), MARKER)) == f"Meet\nold\nand more\n{MARKER.line}"
    assert read_text(rewritten(f"<br>\nold\n{MARKER.line}", edit(body_of("new")))) == ("<br>", "new", MARKER)


def test_an_origin_gets_no_marker_and_a_copy_keeps_or_gets_its_own() -> None:
    new = body_of("new")
    assert rewritten("Ring\nold", edit(new)) == "Ring\nnew"
    assert rewritten(f"Ring\nold\n{MARKER.line}", edit(new)) == f"Ring\nnew\n{MARKER.line}"
    assert rewritten("Ring\nold", edit(new, MARKER)) == f"Ring\nnew\n{MARKER.line}"
    twice = rewritten(rewritten(f"Ring\nold\n{MARKER.line}", edit(new, MARKER)), edit(body_of("newer"), MARKER))
    assert twice.count("syncer:") == 1


@pytest.mark.parametrize(
    ("change", "words"), [({"sequenceId": 7}, "customer"), ({"taskType": 7}, "customer"), ({"taskType": 8}, "customer")]
)
def test_what_goes_to_a_customer_is_never_changed(change: dict[str, Any], words: str) -> None:
    reading = to_reading(WireTask.model_validate({**RAW, **change}), whole=True)
    check_fields(edit({TaskField.DUE: DUE}), reading)
    for wanted in (title_of("x"), body_of("x")):
        with pytest.raises(Refused, match=words):
            check_fields(edit(wanted), reading)


def test_an_assignee_cannot_be_changed() -> None:
    with pytest.raises(Refused, match="assignee"):
        check_fields(edit({TaskField.ASSIGNEE: "3"}), to_reading(WireTask.model_validate(RAW), whole=True))


raws = st.one_of(
    st.tuples(titles, bodies).map(lambda both: write_text(*both, MARKER.line, label="Call")),
    st.tuples(titles, bodies).map("\n".join),
    st.lists(
        st.sampled_from(["<p>Ring {{you}}</p>", "<div>a<br>b</div>", "<ul><li>x</li></ul>", "plain &amp; so\n"])
    ).map("".join),
)


@given(raws, titles, bodies, st.sampled_from([(True, False), (False, True), (True, True)]), st.booleans())
def test_what_is_written_is_read_as_the_same(
    raw: str, title: str, body: str, which: tuple[bool, bool], marked: bool
) -> None:
    wanted = {**(title_of(title) if which[0] else {}), **(body_of(body) if which[1] else {})}
    before = read_text(raw)
    text = rewritten(raw, edit(wanted, MARKER if marked else None))
    after = read_text(text)
    assert same_in_reply(TaskField.TITLE, after[0], title if which[0] else before[0] or "Follow-up call") or (
        before[0] is None and not which[0]
    )
    if which[1] or before[0] is not None:
        assert same_in_reply(TaskField.BODY, after[1] or "", body if which[1] else before[1] or "")
    assert text.count("syncer:1k2m9ab3xq") <= 1
    if marked or before[2] is not None:
        assert after[2] is not None


@given(raws)
def test_what_is_read_twice_is_the_same(raw: str) -> None:
    title, body, _ = read_text(raw)
    assert same_in_reply(TaskField.TITLE, title, read_text(raw)[0])
    assert same_in_reply(TaskField.BODY, body or "", read_text(raw)[1] or "")
