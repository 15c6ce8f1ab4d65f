"""The answer to a write contradicts it: nothing is believed of it, and what became of the write is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.sandbox import Call, Fault, Reply
from tests.support.scenario import Make, Stage, name_of

Answer = dict[str, Any]


def answering(world: Stage, system: str, name: str, lie: Callable[[Answer], object]) -> None:
    """The next answer to such a call is changed by this."""
    sandbox = world.sandboxes[system]
    honest = sandbox.handle

    def handle(call: Call) -> Reply:
        reply = honest(call)
        if name_of(system, call) != name:
            return reply
        sandbox.handle = honest  # type: ignore[method-assign]
        body = json.loads(reply.body)
        told = next((body[key] for key in ("task", "data") if isinstance(body.get(key), dict)), body)
        lie(told)
        return replace(reply, body=json.dumps(body).encode())

    sandbox.handle = handle  # type: ignore[method-assign]


def words_of(world: Stage, what: str) -> list[str]:
    """What the histories say of these events."""
    with world.open_ledger() as ledger:
        events = [event for view in ledger.tasks() for event in ledger.history(view.task.id)]
    return [event.detail for event in events if event.what == what]


@pytest.mark.parametrize(
    ("system", "lie", "words"),
    [
        ("highlevel", {"dueDate": "2026-06-01T10:00:00Z"}, "it answered with a task that is due 2026-06-01T10:00:00Z"),
        ("highlevel", {"contactId": "stranger"}, "it answered with a task of contact stranger"),
        ("highlevel", {"title": "Ring Ravi", "body": ""}, "it answered with a task 'Ring Ravi'"),
        ("highlevel", {"completed": True}, "which is closed"),
        ("reply", {"id": 1}, "it answered with task 1, whose number is below that of one that was there before"),
        ("reply", {"dueTo": "2026-06-01T10:00:00Z"}, "it answered with a task that is due 2026-06-01T10:00:00Z"),
        ("superfone", {"id": 1}, "it answered with task 1, whose number is below that of one that was there before"),
        ("superfone", {"due_date": "2026-06-01T10:00:00Z"}, "it answered with a task that is due 2026-06-01T10:00:00Z"),
    ],
)
def test_a_create_is_in_doubt_whose_answer_shows_another_task(
    stage: Make, system: str, lie: Answer, words: str
) -> None:
    world = stage()
    lead, contact, other = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=2))
    world.good()
    assert world.open() == (1, 1, 1)
    answering(world, system, "create", lambda told: told.update(lie))
    if system == "highlevel":
        world.reply.person_creates(contact, "Call", world.due(), "Ring Asha")
    else:
        world.highlevel.person_creates(other, "Ring Asha", world.due())
    world.again(2)
    assert any(words in told for told in words_of(world, "in_doubt")), words_of(world, "in_doubt")
    assert world.open() == (2, 2, 2)
    world.quiet()


@pytest.mark.parametrize(("system", "lie"), [("highlevel", {"completed": False}), ("reply", {"status": "new"})])
def test_a_completion_after_which_the_task_is_open_as_before_was_not_carried_out(
    stage: Make, system: str, lie: Answer
) -> None:
    """Its due is as before, so it has not moved to a next date."""
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    copy = str((world.highlevel_open() if system == "highlevel" else world.reply_open())[0].id)
    world.superfone.person_completes(task)
    answering(world, system, "complete", lambda told: told.update(lie))
    reopens = world.highlevel.person_reopens if system == "highlevel" else world.reply.person_reopens
    world.afterwards(system, "complete", lambda: reopens(copy))
    world.again(2)
    assert "the answer shows the task still open" in words_of(world, "in_doubt")
    assert world.open() == (0, 0, 0)
    assert world.count(system, "complete") == 2
    world.quiet()


def test_a_completion_whose_answer_shows_the_next_date_is_done_and_the_next_date_is_a_new_task(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    task = world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    [copy] = world.highlevel_open()

    def recur(told: Answer) -> None:
        world.highlevel.person_reopens(copy.id)
        world.highlevel.person_reschedules(copy.id, world.due(days=7))
        told.update(next(one.api() for one in world.highlevel.tasks() if one.id == copy.id))

    world.superfone.person_completes(task)
    answering(world, "highlevel", "complete", recur)
    report = world.good()
    assert report.completed["highlevel"] == 1
    assert words_of(world, "completed")
    assert not words_of(world, "in_doubt")
    world.again(2)
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("field", ["due", "title"])
def test_an_edit_is_in_doubt_whose_answer_shows_the_value_as_before(stage: Make, field: str) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring Asha")
    world.good()
    [copy] = world.highlevel_open()
    before = copy.api()
    if field == "due":
        world.reply.person_reschedules(task, world.due(hours=9))
    else:
        world.reply.person_edits_body(task, "Ring Ravi")
    answering(world, "highlevel", "edit", lambda told: told.update(before))
    world.again(3)
    assert words_of(world, "in_doubt") == [f"the answer shows {field} as before"]
    after = world.highlevel_open()[0].api()
    assert [name for name in ("title", "dueDate") if after[name] != before[name]] == [
        {"due": "dueDate", "title": "title"}[field]
    ]
    assert world.count("highlevel", "edit") == 1
    world.quiet()


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_what_a_lost_answer_hides_is_counted_once(stage: Make, system: str) -> None:
    """In the report of the run that found out."""
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    else:
        task = str(world.superfone.person_creates(lead, "REMINDER", world.due()))
    counted = dict.fromkeys(("create", "complete"), 0)
    for action in counted:
        world.fail(system, action, Fault.LOST_ANSWER)
        if action == "complete":
            (world.reply if system == "superfone" else world.superfone).person_completes(task)
        for _ in range(3):
            report = world.again()
            counted[action] += {"create": report.created, "complete": report.completed}[action][system]
    assert counted == {"create": 1, "complete": 1}
    assert world.open() == (0, 0, 0)
    assert (world.count(system, "create"), world.count(system, "complete")) == (1, 1)
