"""Trials of editing: each declared field alone and together, nothing else, and nothing that is not declared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import combinations
from typing import Final

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.dues import is_kept, some_dues
from adapters.conformance.trial import (
    BODY,
    MARKER,
    TITLE,
    Trials,
    a_kind,
    draft,
    in_hours,
    must_raise,
    need,
    read_back,
    ref,
    some_tasks,
    somebody,
    trial,
)
from syncer.contract.errors import Missing, Moved, Refused
from syncer.domain.dues import DAY
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Edit, Kind, Reading, State
from syncer.domain.task_ids import Marker

_ASSIGNEE: Final = "u2"


def _wanted(*fields: TaskField) -> dict[TaskField, Value]:
    new: dict[TaskField, Value] = {
        # Days later, so that it is another due even in a CRM that keeps days only.
        TaskField.DUE: in_hours(70),
        # Some CRMs read braces as a variable, and others ``&`` as the beginning of an entity.
        TaskField.TITLE: "Ask about the {{price}}",
        TaskField.BODY: "Bring the plan\nand nothing else & more",
        TaskField.ASSIGNEE: _ASSIGNEE,
    }
    return {field: new[field] for field in fields}


def _edit(wanted: dict[TaskField, Value], before: Reading, kind: Kind, marker: Marker | None = MARKER) -> Edit:
    return Edit(wanted, {field: before.shown(field) for field in wanted}, kind, Trials.now(), marker)


def _choices(bench: Bench, kind: Kind) -> Iterator[tuple[TaskField, ...]]:
    """The fields that can be changed in a task of this kind, one by one and all together."""
    can = [field for field, kinds in bench.adapter.capabilities.edits.items() if kind in kinds]
    yield from combinations(can, 1)
    if len(can) > 1:
        yield tuple(can)


class EditingTrials(Trials):
    """Edit a task that is there."""

    @trial
    async def test_each_field_that_is_declared_can_be_changed_alone_and_together(self, bench: Bench) -> None:
        can, contact = bench.adapter.capabilities, somebody(bench)
        for kind in sorted(can.creates):
            for fields in _choices(bench, kind):
                made = await bench.adapter.create_task(draft(contact, kind))
                before = await read_back(bench, made.remote_id, contact)
                sent = len(bench.writes)
                wanted = _wanted(*fields)
                answer = await bench.adapter.edit_task(ref(bench, made.remote_id, contact), _edit(wanted, before, kind))
                need(len(bench.writes) == sent + 1, f"an edit must be one write, and was {len(bench.writes) - sent}")
                back = await read_back(bench, made.remote_id, contact)
                for reading, where in ((answer, "in the answer"), (back, "when read")):
                    self._check(bench, before, reading, wanted, where)

    @staticmethod
    def _check(bench: Bench, before: Reading, after: Reading, wanted: dict[TaskField, Value], where: str) -> None:
        can = bench.adapter.capabilities
        for field in TaskField:
            # All fields are compared: a request that replaces the whole task may lose what it does not name.
            value = wanted.get(field, before.shown(field))
            is_same = can.alike(field, after.shown(field), value)
            need(is_same, f"{field} {value!r} is {after.shown(field)!r} {where}, after {sorted(wanted)} were changed")
        need(
            after.state is State.OPEN and after.contact == before.contact, f"an edit changed more than it says {where}"
        )
        need(after.raw_type == before.raw_type, f"an edit changed the type {where}")
        need(after.marker == before.marker, f"the marker is {after.marker} {where}, and was {before.marker}")

    @trial
    async def test_an_edited_due_is_kept_as_declared(self, bench: Bench) -> None:
        can, kind, contact = bench.adapter.capabilities, a_kind(bench), somebody(bench)
        if kind not in can.edits.get(TaskField.DUE, ()):
            pytest.skip("no due can be changed there")
        task = bench.add_task(contact, kind, in_hours(100), TITLE)
        for wanted in some_dues(bench):
            before = await read_back(bench, task, contact)
            edit = _edit({TaskField.DUE: wanted}, before, kind)
            answer = await bench.adapter.edit_task(ref(bench, task, contact), edit)
            for due, where in ((bench.tasks()[task].due, "in the CRM"), (answer.due, "in the answer")):
                need(is_kept(can, due, wanted), f"a due that is changed to {wanted} is {due} {where}")

    @trial
    async def test_an_edit_changes_one_task_alone(self, bench: Bench) -> None:
        contact = somebody(bench)
        others = some_tasks(bench, contact)
        kind = a_kind(bench)
        for fields in _choices(bench, kind):
            made = await bench.adapter.create_task(draft(contact, kind))
            theirs = {task: bench.tasks()[task] for task in others}
            before = await read_back(bench, made.remote_id, contact)
            await bench.adapter.edit_task(ref(bench, made.remote_id, contact), _edit(_wanted(*fields), before, kind))
            need({task: bench.tasks()[task] for task in others} == theirs, "an edit changed another task")

    @trial
    async def test_what_is_not_declared_is_refused_before_it_is_sent(self, bench: Bench) -> None:
        can, contact = bench.adapter.capabilities, somebody(bench)
        for kind in sorted(can.creates) if can.edits else ():
            made = await bench.adapter.create_task(draft(contact, kind))
            before, sent = await read_back(bench, made.remote_id, contact), len(bench.writes)
            for field in set(TaskField) - {one for one, kinds in can.edits.items() if kind in kinds}:
                work = bench.adapter.edit_task(ref(bench, made.remote_id, contact), _edit(_wanted(field), before, kind))
                await must_raise(work, Refused, f"changing the {field} of a {kind}, which is not declared")
            need(len(bench.writes) == sent, "a change that is not declared was sent")

    @trial
    async def test_where_nothing_can_be_changed_there_is_no_such_call(self, bench: Bench) -> None:
        if bench.adapter.capabilities.edits:
            pytest.skip("fields can be changed")
        contact = somebody(bench)
        made = await bench.adapter.create_task(draft(contact, a_kind(bench)))
        calls = len(bench.calls)
        edit = _edit(_wanted(TaskField.DUE), made, a_kind(bench))
        with pytest.raises(NotImplementedError):
            await bench.adapter.edit_task(ref(bench, made.remote_id, contact), edit)
        need(len(bench.calls) == calls, "what is not declared must not be asked of the CRM")

    @trial
    async def test_what_is_not_as_expected_is_not_overwritten(self, bench: Bench) -> None:
        kind, contact = a_kind(bench), somebody(bench)
        others: dict[TaskField, Value] = {
            # Days later, as above.
            TaskField.DUE: in_hours(100),
            TaskField.TITLE: "Another title",
            TaskField.BODY: "Another text",
            TaskField.ASSIGNEE: "u9",
        }
        for fields in _choices(bench, kind):
            made = await bench.adapter.create_task(draft(contact, kind))
            sent = len(bench.writes)
            # Only the last field is expected wrongly. An adapter that compares the first one alone is found out.
            edit = Edit(_wanted(*fields), {fields[-1]: others[fields[-1]]}, kind, self.now(), MARKER)
            error = await must_raise(
                bench.adapter.edit_task(ref(bench, made.remote_id, contact), edit), Moved, "an unexpected value"
            )
            reading = error.reading if isinstance(error, Moved) else None
            need(reading is not None and reading.remote_id == made.remote_id, "Moved must carry what the task shows")
            need(len(bench.writes) == sent, "a task that is not as expected was overwritten")

    @trial
    async def test_a_closed_task_is_not_changed(self, bench: Bench) -> None:
        kind, contact = a_kind(bench), somebody(bench)
        for fields in _choices(bench, kind):
            made = await bench.adapter.create_task(draft(contact, kind))
            before = await read_back(bench, made.remote_id, contact)
            bench.complete(made.remote_id)
            sent = len(bench.writes)
            work = bench.adapter.edit_task(ref(bench, made.remote_id, contact), _edit(_wanted(*fields), before, kind))
            await must_raise(work, Moved, "changing a task that is closed")
            need(len(bench.writes) == sent, "a closed task was changed")

    @trial
    async def test_changing_what_is_not_there_is_missing(self, bench: Bench) -> None:
        kind, contact = a_kind(bench), somebody(bench)
        made = await bench.adapter.create_task(draft(contact, kind))
        sent = len(bench.writes)
        for fields in _choices(bench, kind):
            work = bench.adapter.edit_task(ref(bench, bench.no_task, contact), _edit(_wanted(*fields), made, kind))
            await must_raise(work, Missing, "changing a task that is not there")
        need(len(bench.writes) == sent, "a task that is not there was written to")

    @trial
    async def test_no_marker_is_put_where_none_was_and_none_is_asked_for(self, bench: Bench) -> None:
        kind, contact = a_kind(bench), somebody(bench)
        for fields in _choices(bench, kind):
            task = bench.add_task(contact, kind, in_hours(5), TITLE)
            before = await read_back(bench, task, contact)
            edit = _edit(_wanted(*fields), before, kind, marker=None)
            back = await bench.adapter.edit_task(ref(bench, task, contact), edit)
            need(back.marker is None, "an edit put a marker into a task that had none")

    @trial
    async def test_a_marker_that_people_removed_comes_back_with_the_text(self, bench: Bench) -> None:
        can, kind, contact = bench.adapter.capabilities, a_kind(bench), somebody(bench)
        if kind not in can.edits.get(TaskField.BODY, ()) or not can.reads_marker:
            pytest.skip("no text can be changed there")
        task = bench.add_task(contact, kind, in_hours(5), TITLE)
        before = await read_back(bench, task, contact)
        # An empty text, too: what is left then is the marker alone.
        for text in (BODY, "Other words", ""):
            edit = Edit(
                {TaskField.BODY: text}, {TaskField.BODY: before.shown(TaskField.BODY)}, kind, self.now(), MARKER
            )
            before = await bench.adapter.edit_task(ref(bench, task, contact), edit)
            need(before.marker == MARKER, f"the marker did not come back with the text {text!r}")
            need((before.body or "") == text, f"the text {text!r} came back as {before.body!r}")
            lines = bench.tasks()[task].text.count(MARKER.line)
            need(lines == 1, f"the marker stands there {lines} times")

    @trial
    async def test_what_is_read_twice_is_the_same(self, bench: Bench) -> None:
        """This holds for each field, also in the list. Fractions of a second do not make another due."""
        kind, contact = a_kind(bench), somebody(bench)
        made = await bench.adapter.create_task(draft(contact, kind))
        same = bench.adapter.capabilities.alike
        first, second = [await read_back(bench, made.remote_id, contact) for _ in range(2)]
        rows = [
            row for row in (await bench.adapter.list_contact_tasks(contact)).rows if row.remote_id == made.remote_id
        ]
        for field in TaskField:
            need(same(field, first.shown(field), second.shown(field)), f"{field} is another one when it is read again")
            need(
                same(field, made.shown(field), first.shown(field)), f"{field} was answered as another one than is read"
            )
        due = in_hours(5)
        need(all(same(TaskField.DUE, row.due, first.due) for row in rows), "a list shows another due")
        need(same(TaskField.DUE, due, due.replace(microsecond=400_000)), "fractions of a second make another due")
        # Two days: half a day later may still be the same day.
        apart = 48 if bench.adapter.capabilities.due_step >= DAY else 1
        need(not same(TaskField.DUE, due, in_hours(5 + apart)), f"two dues {apart} h apart are the same")
        need(not isinstance(first.due, datetime) or not same(TaskField.DUE, first.due, None), "no due is like one")
        need(same(TaskField.BODY, "a  b \r\n c", "a b\nc"), "white space makes another text")
        need(not same(TaskField.BODY, "a b", "a c"), "two texts are the same")
