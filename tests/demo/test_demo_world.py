"""The demo's world and its journal: a seed or a journal gives the same world again, and people act in it."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.sandbox import Call, Fault
from syncer.demo.crowd import populate
from syncer.demo.desks import DeskTask, NotPossible, read_due
from syncer.demo.world import JOURNAL, DemoWorld, Journal, JournalError, Setup
from tests.support.clock import START

KEYS = {"superfone": "sf-key", "reply": "re-key", "highlevel": "hl-key"}


def shown(world: DemoWorld) -> list[DeskTask]:
    return [task for desk in world.desks.values() for task in desk.tasks()]


def test_a_seed_always_makes_the_same_world() -> None:
    worlds = [DemoWorld(KEYS, clock=lambda: START) for _ in range(3)]
    for world, seed in zip(worlds, (3, 3, 4), strict=True):
        populate(world, seed)
    assert shown(worlds[0]) == shown(worlds[1]) != shown(worlds[2])
    assert len([task for task in shown(worlds[0]) if task.open]) <= 12


def test_a_seed_always_makes_the_same_faults() -> None:
    call = Call("GET", "/tasks")

    def faults(seed: int) -> list[Fault | None]:
        world = DemoWorld(KEYS, clock=lambda: START)
        world.storm(seed, lambda: None)
        return [world.reply.fault(call) for _ in range(300)]

    assert faults(1) == faults(1) != faults(2)
    assert 10 < len([fault for fault in faults(1) if fault is not None]) < 50
    assert len(set(faults(1))) == 8


def test_a_journal_gives_the_same_world_again(tmp_path: Path) -> None:
    moments = iter(START + timedelta(seconds=number) for number in range(1000))
    journal = Journal.begin(tmp_path / JOURNAL, Setup(port=1, keys=KEYS))
    world = DemoWorld(KEYS, clock=lambda: next(moments), journal=journal)
    populate(world, 5)
    for task in [task for task in shown(world) if task.open][:4]:
        world.act(task.system, "edit", task=task.id, title="Ring", due="3d")
        world.act(task.system, "complete", task=task.id)
    lead = next(iter(world.desks["superfone"].contacts()))
    body = b'{"type": "BOOKING", "due_date": "2026-06-01T10:00:00Z", "customer_note": "Booked"}'
    call = Call("POST", f"/enterprise/api/lead/{lead}/task", {}, {"x-api-key": KEYS["superfone"]}, body)
    assert world.superfone.exchange(call).status == 200

    found = Journal.find(tmp_path)
    assert found is not None
    again = DemoWorld(KEYS, clock=lambda: START, journal=found)
    assert shown(again) == shown(world)
    assert again.superfone.tasks(lead) == world.superfone.tasks(lead)
    assert again.highlevel.tasks() == world.highlevel.tasks()


def test_an_unfinished_line_of_the_journal_is_cut_off(tmp_path: Path) -> None:
    journal = Journal.begin(tmp_path / JOURNAL, Setup(port=1, keys=KEYS))
    DemoWorld(KEYS, clock=lambda: START, journal=journal).act("reply", "add", name="Asha", email="asha@example.com")
    with journal.path.open("a") as file:
        file.write('{"at": "2026-05-19T08')
    world = DemoWorld(KEYS, clock=lambda: START, journal=journal)
    world.act("reply", "add", name="Bilal", email="bilal@example.com")
    assert list(DemoWorld(KEYS, journal=journal).desks["reply"].contacts().values()) == ["Asha", "Bilal"]


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    assert Journal.find(tmp_path) is None
    (tmp_path / JOURNAL).write_text("mine\n")
    with pytest.raises(JournalError, match="not a sandbox's journal"):
        Journal.find(tmp_path)
    (tmp_path / JOURNAL).write_text(Setup(port=1, keys=KEYS).model_dump_json() + "\nmine\n")
    journal = Journal.find(tmp_path)
    assert journal is not None
    with pytest.raises(JournalError, match="line 2"):
        DemoWorld(KEYS, journal=journal)


@pytest.mark.parametrize(
    ("system", "verb", "fields", "words"),
    [
        ("reply", "create", {"contact": "Nobody"}, "0 contacts of Reply.io are called Nobody; there are: Asha Rao"),
        ("reply", "create", {"contact": "Asha", "type": "Visit"}, "has these types of tasks: ToDo, Call"),
        ("highlevel", "create", {"contact": "Asha", "type": "Call"}, "types of tasks: none"),
        ("reply", "create", {"contact": "Asha", "due": "soon"}, "a due is a time from now"),
        ("reply", "create", {"title": "x"}, "contact: Field required; create takes contact, title, type, due"),
        ("reply", "dance", {}, "people can add, create"),
        ("superfone", "complete", {"task": "9"}, "Superfone has no task 9"),
        ("highlevel", "edit", {"task": "9", "due": "2d"}, "HighLevel has no task 9"),
    ],
)
def test_people_are_told_what_is_not_possible(system: str, verb: str, fields: dict[str, str], words: str) -> None:
    world = DemoWorld(KEYS, clock=lambda: START)
    for desk in world.desks:
        world.act(desk, "add", name="Asha Rao", email="asha@example.com", phone="+919876543210")
    with pytest.raises(NotPossible, match=re.escape(words)):
        world.act(system, verb, **fields)


def test_people_complete_cancel_and_reopen_what_is_there() -> None:
    world = DemoWorld(KEYS, clock=lambda: START)
    world.act("reply", "add", name="Asha Rao", email="asha@example.com")
    task = world.act("reply", "create", contact="Asha")
    with pytest.raises(NotPossible, match="is New"):
        world.act("reply", "reopen", task=task)
    world.act("reply", "cancel", task=task)
    with pytest.raises(NotPossible, match="is Cancelled"):
        world.act("reply", "complete", task=task)
    world.act("reply", "reopen", task=task)
    world.act("reply", "complete", task=task)
    assert world.desks["reply"].task(task).state == "Finished"


@pytest.mark.parametrize("system", KEYS)
def test_people_move_a_task_and_give_it_another_title(system: str) -> None:
    world = DemoWorld(KEYS, clock=lambda: START)
    desk = world.desks[system]
    world.act(system, "add", name="Asha Rao", email="asha@example.com", phone="+919876543210")
    task = world.act(system, "create", contact="Asha", title="Ring", due="5h")
    with pytest.raises(NotPossible, match="an edit needs a title or a due"):
        world.act(system, "edit", task=task)
    assert world.act(system, "edit", task=task, due="2d") == task
    assert (desk.task(task).title, desk.task(task).due) == ("Ring", f"{START + timedelta(days=2):%F %H:%MZ}")
    world.act(system, "edit", task=task, title="Meet")
    assert (desk.task(task).title, desk.task(task).due) == ("Meet", f"{START + timedelta(days=2):%F %H:%MZ}")
    world.act(system, "complete", task=task)
    with pytest.raises(NotPossible, match=f"task {task} is "):
        world.act(system, "edit", task=task, due="3d")


def test_a_due_is_a_time_from_now_or_an_instant() -> None:
    assert read_due("5h", START) == START + timedelta(hours=5)
    assert read_due("2026-05-20T10:00:00+05:30", START).isoformat() == "2026-05-20T04:30:00+00:00"
    assert read_due("2026-05-20T10:00", START).isoformat() == "2026-05-20T10:00:00+00:00"
