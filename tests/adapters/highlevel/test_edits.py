"""HighLevel's update: what is written is read as the same, and the marker's line neither grows nor appears."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.highlevel.mapping import task_body, task_changes, task_reading, with_required
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.wire import WireTask
from adapters.text import same_text_value
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Draft, Edit, Kind, Reading
from syncer.domain.task_ids import Marker
from tests.support.highlevel_kit import DUE, HighLevelClock, asking, ref
from tests.support.texts import bodies, titles

NOW = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
MARKER = Marker("1k2m9ab3xq", "reply:7")
OFFSETS = ("Z", ".000Z", ".123Z", "+00:00", "+05:30")


def shown(**wire: Any) -> Reading:
    task = WireTask.model_validate({"id": "t1", "completed": False, "contactId": "c1", **wire})
    return task_reading(task, kind=Kind.TODO, contact=None, whole=True)


def changed(before: dict[str, Any], wanted: dict[TaskField, Any], marker: Marker | None = None) -> dict[str, Any]:
    return {**before, **task_changes(Edit(wanted, {}, Kind.TODO, NOW, marker), shown(**before))}


def made(title: str, body: str) -> dict[str, Any]:
    draft = Draft(MARKER, "c1", Kind.TODO, title, body, NOW, NOW)
    return {name: value for name, value in task_body(draft).items() if name != "completed"}


@given(titles, bodies, titles, bodies, st.booleans(), st.booleans())
def test_what_is_written_is_read_as_the_same(
    old_title: str, old_body: str, title: str, body: str, is_copy: bool, marked: bool
) -> None:
    before = made(old_title, old_body) if is_copy else {"title": old_title, "body": old_body}
    wanted = {TaskField.TITLE: title, TaskField.BODY: body}
    wire = changed(before, wanted, MARKER if marked else None)
    after = shown(**wire)
    assert same_text_value(TaskField.TITLE, after.title, title)
    assert same_text_value(TaskField.BODY, after.body or "", body)
    assert wire["body"].count("syncer:1k2m9ab3xq") == int(is_copy or marked)
    again = shown(**changed(wire, wanted, MARKER if marked else None))
    assert same_text_value(TaskField.BODY, again.body or "", body)


@given(titles, bodies)
def test_what_an_editor_makes_of_it_is_no_edit(title: str, body: str) -> None:
    """Its lines in paragraphs, as an editor writes them; a copy's own marker among them."""
    wire = made(title, body)
    lines = str(wire["body"]).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    edited = "".join(f"<p>{line}</p>\r\n" for line in lines.replace("\r\n", "\n").split("\n"))
    assert same_text_value(TaskField.BODY, shown(**wire).body or "", shown(**{**wire, "body": edited}).body or "")
    assert shown(**{**wire, "body": edited}).marker == MARKER


@given(st.integers(0, 10**9).map(lambda ms: NOW + timedelta(milliseconds=ms)), st.sampled_from(OFFSETS))
def test_a_due_is_the_same_with_and_without_fractions_and_offsets(due: datetime, notation: str) -> None:
    wire = changed({"title": "x"}, {TaskField.DUE: due})
    back = datetime.fromisoformat(wire["dueDate"])
    local = back + timedelta(hours=5, minutes=30) if notation == "+05:30" else back
    written = local.replace(tzinfo=None, microsecond=0).isoformat() + notation
    assert same_text_value(TaskField.DUE, due, shown(title="x", dueDate=written).due)


def test_only_what_changed_is_sent_and_title_and_due_where_that_is_refused() -> None:
    before = shown(title="Ring", dueDate="2026-05-20T08:30:00.000Z", body="x")
    edit = Edit({TaskField.ASSIGNEE: "u2"}, {}, Kind.TODO, NOW)
    changes = task_changes(edit, before)
    assert changes == {"assignedTo": "u2"}
    assert with_required(changes, before) == {"title": "Ring", "dueDate": "2026-05-20T08:30:00Z", "assignedTo": "u2"}


@pytest.mark.parametrize("field", list(TaskField))
def test_a_highlevel_that_asks_for_title_and_due_gets_them_as_they_are(field: TaskField) -> None:
    sandbox = HighLevelSandbox(HighLevelClock())
    asha = sandbox.add_contact("Asha")
    task = sandbox.person_creates(asha, "Ring", DUE, "text")
    sandbox.needs_title_and_due = True
    new: dict[TaskField, Value] = {
        TaskField.DUE: DUE + timedelta(days=2),
        TaskField.TITLE: "Meet",
        TaskField.BODY: "x",
        TaskField.ASSIGNEE: "u2",
    }
    edit = Edit({field: new[field]}, {}, Kind.TODO, NOW)
    answer = asking(sandbox, lambda adapter: adapter.edit_task(ref(task, asha), edit))
    assert answer.shown(field) == new[field]
    puts = [call.json() for call, _ in sandbox.calls if call.method == "PUT"]
    assert {"title", "dueDate"} <= puts[-1].keys()
    assert answer.title == ("Meet" if field is TaskField.TITLE else "Ring")
