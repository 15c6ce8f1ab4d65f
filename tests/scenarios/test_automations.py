"""Answers and automations that lie: no copy moves, and nothing is made without end."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from adapters.sandbox import Call, Fault, Reply
from tests.support.ledger_world import Worlds
from tests.support.scenario import Make, attention


def test_an_answer_with_the_id_of_another_task_moves_no_copy(worlds: Worlds) -> None:
    world = worlds()
    world.make("highlevel", hours=50, title="Theirs")
    world.runs()
    theirs = world.highlevel_open()[0]
    world.make("superfone", hours=3, title="Ring")
    honest = world.highlevel.handle

    def lying(call: Call) -> Reply:
        answer = honest(call)
        if call.method == "POST" and call.path.endswith("/tasks"):
            made = world.highlevel.tasks()[-1].id
            body = answer.body.replace(made.encode(), theirs.id.encode())
            return replace(answer, body=body)
        return answer

    world.highlevel.handle = lying  # type: ignore[method-assign]
    world.runs(3)
    world.highlevel.handle = honest  # type: ignore[method-assign]
    world.finish("superfone", str(world.superfone.open_tasks(world.superfone.leads()[0].id)[0].id))
    world.runs(2)

    assert theirs.id in {task.id for task in world.highlevel_open()}
    assert len(world.highlevel_open()) == 1


def test_our_copy_beside_a_finished_one_that_cannot_be_read_is_finished_with_its_task(worlds: Worlds) -> None:
    world = worlds()
    world.make("highlevel", hours=50, title="Another")
    world.runs()
    contact = str(world.reply.contacts()[0].id)
    due = world.now() + timedelta(hours=7)
    theirs = world.reply.person_creates(contact, "Call", due, "Theirs")
    world.reply.person_completes(theirs)
    world.reply.lasting.append(("", rf".*/tasks/{theirs}(/.*)?", Fault.FORBIDDEN))
    ours = world.make("highlevel", hours=3, title="Ring")
    honest = world.reply.handle

    def lying(call: Call) -> Reply:
        answer = honest(call)
        if call.method == "POST" and call.path.endswith("/tasks"):
            made = str(world.reply.tasks()[-1].id)
            return replace(answer, body=answer.body.replace(made.encode(), theirs.encode()))
        return answer

    world.reply.handle = lying  # type: ignore[method-assign]
    world.runs()
    world.reply.handle = honest  # type: ignore[method-assign]
    assert ("reply", "duplicate") in attention(world.runs())
    world.finish("highlevel", ours)
    assert ("reply", "refused") in attention(world.runs())
    world.reply.lasting.clear()
    world.wait(hours=2)
    world.runs(2)

    assert len(world.reply_open()) == 1
    assert attention(world.quiet()) == set()


@pytest.mark.parametrize("with_text", [False, True])
def test_an_automation_that_copies_our_copies_is_stopped(worlds: Worlds, with_text: bool) -> None:
    world = worlds()
    world.make("superfone")
    copied: set[str] = set()
    contact = str(world.reply.contacts()[0].id)

    def automation() -> None:
        for task in world.highlevel_open():
            if task.id not in copied:
                copied.add(task.id)
                text = f"{task.title}\n{task.body}" if with_text else task.title
                assert task.due is not None
                world.reply.person_creates(contact, "Call", world.now().fromisoformat(task.due), text)

    reports = []
    for _ in range(12):
        reports.append(world.runs())
        world.wait(seconds=5)
        automation()

    assert ("reply", "duplicate" if with_text else "loop") in attention(reports[-1])
    assert len(world.highlevel_open()) <= 5
    assert len(world.reply_open()) <= 6
    world.quiet(3)


def test_a_person_may_make_three_tasks_that_are_alike(worlds: Worlds) -> None:
    world = worlds(sync='twin_window = "0"')
    for _ in range(3):
        world.make("reply", reminder=True, title="Water")
        world.wait(seconds=2)
    world.runs(2)
    assert world.open() == (3, 3, 3)
    assert world.quiet().attention == ()


@pytest.mark.parametrize(("reopened", "dated"), [("reply", True), ("highlevel", True), ("highlevel", False)])
def test_automations_that_finish_our_copies_and_reopen_the_task_are_stopped(
    stage: Make, reopened: str, dated: bool
) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    due = world.due(days=3) if dated else None
    if reopened == "highlevel":
        task = world.highlevel.person_creates(person, "Ring", due)
    else:
        task = world.reply.person_creates(contact, "Call", world.due(days=3), "Ring")
    reports = []
    for _ in range(12):
        reports.append(world.again(2))
        if reopened == "highlevel":
            world.complete_in("reply")
            world.again()
            if world.highlevel.task(task).completed:
                world.highlevel.person_reopens(task)
        else:
            world.complete_in("highlevel")
            world.again()
            if all(str(one.id) != task for one in world.reply_open()):
                world.reply.person_reopens(task)

    assert (reopened, "loop") in attention(reports[-1])
    assert len(world.highlevel.tasks()) + len(world.reply.tasks()) <= 6
    world.quiet(3)


def test_people_may_reopen_a_task_three_times_a_day(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due(days=3))
    world.good()
    for _ in range(2):
        world.complete_in("reply")
        world.again(2)
        assert world.open() == (0, 0, 0)
        world.highlevel.person_reopens(task)
        assert attention(world.again(2)) == set()
        assert world.open() == (1, 1, 1)
