"""A create whose answer shows another task than was made: no copy becomes that task, and none is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from adapters.sandbox import Call, Reply
from syncer.domain.model import Unreadable
from syncer.domain.snapshot import Seen
from tests.support.scenario import Make, Stage, name_of

Lie = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]

LIES: dict[str, Lie] = {
    "its id": lambda made, other: {**made, "id": other["id"]},
    "its id and state": lambda made, other: {**made, "id": other["id"], "completed": True},
    "all of it": lambda _made, other: other,
    "all of it, and our due": lambda made, other: {**other, "dueDate": made["dueDate"]},
}


def lying(world: Stage, remote_id: str, lie: Lie) -> None:
    """From now on, HighLevel answers a create with something of this task."""
    honest = world.highlevel.handle

    def handle(call: Call) -> Reply:
        reply = honest(call)
        if name_of("highlevel", call) != "create":
            return reply
        other = next(task.api() for task in world.highlevel.tasks() if task.id == remote_id)
        made = json.loads(reply.body)["task"]
        return replace(reply, body=json.dumps({"task": lie(made, other)}).encode())

    world.highlevel.handle = handle  # type: ignore[method-assign]


@pytest.mark.parametrize("says", LIES)
@pytest.mark.parametrize("whose", ["theirs", "a stranger's"])
def test_an_answer_that_shows_a_task_closed_before_any_run(stage: Make, says: str, whose: str) -> None:
    """Its id is no number, and no list of open tasks ever showed it."""
    world = stage()
    lead, _, contact = world.everywhere("Asha", "+919876500001")
    stranger = world.everywhere("Ravi", "+919876500002")[2]
    old = world.highlevel.person_creates(contact if whose == "theirs" else stranger, "Long ago", world.due(hours=-9))
    world.highlevel.person_completes(old)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    lying(world, old, LIES[says])
    world.again(4)
    assert world.open() == (1, 1, 1)

    world.highlevel.person_completes(world.highlevel_open()[0].id)
    world.again(2)
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("says", [says for says in LIES if says != "its id"])
def test_what_an_answer_itself_contradicts_is_found_in_the_same_run(stage: Make, says: str) -> None:
    """So that nothing is lost of what people do next."""
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    stranger = world.everywhere("Ravi", "+919876500002")[2]
    old = world.highlevel.person_creates(stranger, "Long ago", world.due(hours=-9))
    world.highlevel.person_completes(old)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    lying(world, old, LIES[says])
    world.good()
    world.highlevel.person_completes(world.highlevel_open()[0].id)
    world.good()
    assert world.open() == (0, 0, 0)


@pytest.mark.parametrize("says", LIES)
def test_an_answer_that_shows_a_task_whose_closing_is_long_known(stage: Make, says: str) -> None:
    """A stranger's, which is not read before anything is made for somebody else."""
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    stranger = world.everywhere("Ravi", "+919876500002")[2]
    old = world.highlevel.person_creates(stranger, "Long ago", world.due(hours=9))
    world.good()
    world.complete_in("highlevel")
    world.again(2, days=1)
    world.superfone.person_creates(lead, "REMINDER", world.due())
    lying(world, old, LIES[says])
    world.good()
    world.highlevel.person_completes(world.highlevel_open()[0].id)
    world.good()
    assert world.open() == (0, 0, 0)


def test_a_row_that_cannot_be_understood_was_there_before_our_create() -> None:
    seen = Seen(unreadable=[Unreadable("reply", "1004", "a due that is none")])
    assert seen.has("1004")
    assert not seen.has("1005")


def test_a_create_whose_answer_names_a_task_of_another_lead_is_found_in_its_own(stage: Make) -> None:
    """The other lead's tasks cannot be read, so nothing but the lane's next list tells that the answer errs."""
    world = stage()
    _, _, contact = world.everywhere("Asha", "+919876500001")
    stranger = world.everywhere("Ravi", "+919876500002")[0]
    unread = world.superfone.person_creates(stranger, "REMINDER", world.due(hours=-9))
    honest = world.superfone.handle

    def handle(call: Call) -> Reply:
        if f"/lead/{stranger}/" in call.path:
            return Reply(503, b"Service Unavailable", {"content-type": "text/plain"})
        reply = honest(call)
        if name_of("superfone", call) != "create":
            return reply
        body = json.loads(reply.body)
        made = body.get("data", body)
        return replace(reply, body=json.dumps({**body, "data": {**made, "id": int(unread)}}).encode())

    world.superfone.handle = handle  # type: ignore[method-assign]
    world.highlevel.person_creates(contact, "Call Asha", world.due())
    world.again(3, minutes=2)
    [copy] = [task for task in world.superfone_open() if str(task.id) != str(unread)]
    world.superfone.person_completes(copy.id)
    world.again(2)
    assert not world.highlevel_open()
