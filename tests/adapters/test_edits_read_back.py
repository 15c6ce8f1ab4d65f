"""What an adapter writes into its simulated CRM is read as the same, whatever that makes of texts and dues."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.http.sandbox_transport import SandboxTransport
from adapters.reply.sandbox import ReplySandbox
from adapters.superfone.sandbox import SuperfoneSandbox
from syncer.contract.adapter import Adapter
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Draft, Edit, Kind, Reading, TaskRef
from syncer.domain.task_ids import Marker
from tests.support.editors import EDITORS
from tests.support.hostile import connect
from tests.support.texts import bodies, titles

NOW = datetime(2026, 5, 19, 8, 30, tzinfo=UTC)
MARKER = Marker("1k2m9ab3xq", "reply:7")
PREFIX = {"superfone": "/superfone", "reply": "/v3", "highlevel": ""}
PHONE = "+919876543210"
Room = SuperfoneSandbox | ReplySandbox | HighLevelSandbox

dues = st.integers(1, 10**10).map(lambda microseconds: NOW + timedelta(hours=1, microseconds=microseconds))


def a_room(system: str, editor: str, *, whole_seconds: bool) -> tuple[Room, str]:
    """A simulated CRM with this editor, and a contact there."""
    room: Room
    if system == "superfone":
        room = SuperfoneSandbox(lambda: NOW)
        return room, str(room.add_lead("Asha", [PHONE]))
    room = ReplySandbox(lambda: NOW) if system == "reply" else HighLevelSandbox(lambda: NOW)
    room.stores_text = EDITORS[editor]
    if whole_seconds:
        room.stores_due = lambda due: due.replace(microsecond=0)
    return room, room.add_contact("Asha", email="asha@example.com", phone=PHONE)


async def read(adapter: Adapter, ref: TaskRef) -> Reading:
    """The task, by itself or, where its CRM has no such read, from its contact's list."""
    if ref.system != "superfone":
        return await adapter.get_task(ref)
    listed = await adapter.list_contact_tasks(ref.contact)
    return next(row for row in listed.rows if row.remote_id == ref.remote_id)


async def written(adapter: Adapter, contact: str, draft: Draft, wanted: dict[TaskField, Value]) -> list[Reading]:
    """Create a task, edit it where that is possible, and read it twice: the answer and both readings."""
    try:
        answer = await adapter.create_task(draft)
        ref = TaskRef(adapter.system, answer.remote_id, contact)
        if adapter.capabilities.edits:
            before = await adapter.get_task(ref)
            expected = {field: before.shown(field) for field in wanted}
            answer = await adapter.edit_task(ref, Edit(wanted, expected, draft.kind, NOW, draft.marker))
        return [answer, await read(adapter, ref), await read(adapter, ref)]
    finally:
        await adapter.aclose()


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
@given(titles, bodies, dues, titles, bodies, dues, st.sampled_from(sorted(EDITORS)), st.booleans())
def test_what_is_written_and_read_back_is_the_same_and_no_edit(
    system: str,
    old_title: str,
    old_body: str,
    old_due: datetime,
    title: str,
    body: str,
    due: datetime,
    editor: str,
    whole_seconds: bool,
) -> None:
    room, contact = a_room(system, editor, whole_seconds=whole_seconds)
    adapter = connect(system, SandboxTransport(room, prefix=PREFIX[system]))
    can = adapter.capabilities
    draft = Draft(MARKER, contact, Kind.FOLLOW_UP_CALL, old_title, old_body, old_due, NOW)
    wanted: dict[TaskField, Value] = {TaskField.TITLE: title, TaskField.BODY: body, TaskField.DUE: due}
    readings = asyncio.run(written(adapter, contact, draft, wanted))
    sent = wanted if can.edits else {TaskField.DUE: old_due}
    for field, value in sent.items():
        for reading in readings:
            assert can.alike(field, value, reading.shown(field)), (field, value, reading.shown(field))
        assert can.alike(field, readings[0].shown(field), readings[2].shown(field))
