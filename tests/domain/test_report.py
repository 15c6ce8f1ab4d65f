"""The report of a run or a plan as programs read it: its names are part of the public interface."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from syncer.domain import redact
from syncer.domain.reasons import Item, Reason
from syncer.domain.report import ConnectionReport, Cost, Exit, OperationReport, Overwrite, Report, TaskName
from syncer.domain.snapshot import ConnectionState

AT = datetime(2026, 5, 19, 8, 30, 0, 999_999, tzinfo=UTC)
WAITS = Item("reply:1", "superfone", Reason.SLOT_TAKEN, "behind another one")
UNREAD = Item(None, "highlevel", Reason.UNREAD, "")
CREATE = OperationReport("reply:1", "superfone", "create", "todo", "Asha", AT, "created in Reply.io", "Ring")
EDIT = replace(CREATE, action="edit", remote_id="7", sources=("reply:1",), content="ab", changes={"due": (None, "x")})
RUN = Report(
    "acme",
    "01A",
    AT,
    1.23456,
    Exit.DONE,
    created={"superfone": 1},
    completed={"reply": 2},
    edited={"highlevel": 3},
    connections={
        "reply": ConnectionReport(ConnectionState.OK, 3, 2, 1),
        "superfone": ConnectionReport(ConnectionState.UNAVAILABLE, 1, 0, 4, "the-key-not-shown is busy"),
    },
    waiting=(WAITS,),
    attention=(UNREAD,),
    incidents=(Item("reply:2", "superfone", Reason.CLOSED_BY_RACE, "the-key-not-shown"),),
    overwritten=(Overwrite("reply:1", "reply", "title", "the-key-not-shown", "highlevel", TaskName("Ring", "Asha")),),
    known_as={WAITS: TaskName("Ring", "Asha")},
)


@pytest.fixture(autouse=True)
def _a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "_secrets", redact.Secrets())
    redact.protect("the-key-not-shown")


def test_a_run_is_told_with_these_names() -> None:
    nobody = {"title": "", "contact": ""}
    assert RUN.as_json() == {
        "account": "acme",
        "run": "01A",
        "status": "ok",
        "exit": 0,
        "started_at": "2026-05-19T08:30:00Z",
        "duration_s": 1.235,
        "created": {"superfone": 1},
        "completed": {"reply": 2},
        "edited": {"highlevel": 3},
        "connections": {
            "reply": {"state": "ok", "reads": 3, "writes": 2, "open": 1},
            "superfone": {
                "state": "unavailable",
                "reads": 1,
                "writes": 0,
                "open": 4,
                "message": f"{redact.MASK} is busy",
            },
        },
        "waiting": [
            {
                "task": "reply:1",
                "system": "superfone",
                "reason": "slot_taken",
                "detail": "behind another one",
                "title": "Ring",
                "contact": "Asha",
            }
        ],
        "attention": [
            {"task": None, "system": "highlevel", "reason": "unread", "detail": Reason.UNREAD.sentence, **nobody}
        ],
        "incidents": [
            {"task": "reply:2", "system": "superfone", "reason": "closed_by_race", "detail": redact.MASK, **nobody}
        ],
        "overwritten": [
            {
                "task": "reply:1",
                "system": "reply",
                "field": "title",
                "value": redact.MASK,
                "by": "highlevel",
                "title": "Ring",
                "contact": "Asha",
            }
        ],
    }


def test_a_plan_is_told_with_its_operations_and_their_cost() -> None:
    plan = replace(RUN, operations=(CREATE, EDIT), cost={"reply": Cost(3, 1.5, 0.25)})
    told = plan.as_json()
    create: dict[str, Any] = {
        "task": "reply:1",
        "system": "superfone",
        "action": "create",
        "kind": "todo",
        "contact": "Asha",
        "due": "2026-05-19T08:30:00Z",
        "reason": "created in Reply.io",
        "title": "Ring",
        "remote_id": None,
        "sources": [],
        "content": "",
    }
    edit = {
        "action": "edit",
        "remote_id": "7",
        "sources": ["reply:1"],
        "content": "ab",
        "changes": {"due": [None, "x"]},
    }
    assert told["operations"] == [create, {**create, **edit}]
    assert told["cost"] == {"reply": {"requests": 3, "seconds": 1.5, "budget_share": 0.25}}
    assert told.keys() == RUN.as_json().keys() - {"created", "completed", "edited"} | {"operations", "cost"}


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (Exit.DONE, "ok"),
        (Exit.PARTIAL, "partial"),
        (Exit.LIMIT, "stopped"),
        (Exit.SIGINT, "stopped"),
        (Exit.SIGTERM, "stopped"),
    ],
)
def test_a_status_is_a_word_for_each_end(end: Exit, status: str) -> None:
    told = replace(RUN, exit=end, message="the-key-not-shown stopped it").as_json()
    assert (told["status"], told["exit"], told["message"]) == (status, int(end), f"{redact.MASK} stopped it")


def test_a_run_that_a_limit_stopped_tells_what_it_would_have_done_and_that_it_did_nothing() -> None:
    stopped = replace(RUN, exit=Exit.LIMIT, created={"superfone": 0}, operations=(CREATE,))
    told: dict[str, Any] = stopped.as_json()
    assert (told["created"], len(told["operations"])) == ({"superfone": 0}, 1)


def test_delays_are_told_by_crm_in_their_order() -> None:
    told = replace(RUN, delays=(("reply", 3.04), ("superfone", 0.06), ("reply", 1.0))).as_json()
    assert told["delays"] == {"reply": [3.0, 1.0], "superfone": [0.1]}
    assert "delays" not in RUN.as_json()
