"""A CRM that is taken out of the account file while tasks are open, and put in again."""

from __future__ import annotations

import re

import pytest

from syncer.engine.run import Options
from syncer.engine.saved_plan import SavedAccount
from tests.support.scenario import Make, Stage, waiting


def take_out(world: Stage, system: str) -> str:
    """Take a CRM out of the account file. Returns the file as it was."""
    before = world.account.path.read_text()
    world.account.path.write_text(re.sub(rf"\[{system}\]\n(?:(?!\[).*\n)*", "", before))
    world.reload()
    assert system not in world.account.connections
    return before


def put_in(world: Stage, file: str) -> None:
    world.account.path.write_text(file)
    world.reload()


def from_everywhere(world: Stage) -> None:
    """A reminder from each CRM, with copies in the others."""
    lead, contact, person = world.everywhere()
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=30))
    world.reply.person_creates(contact, "ToDo", world.due(hours=40), "From Reply")
    world.highlevel.person_creates(person, "From HighLevel", world.due(hours=50))
    world.good()
    assert world.open() == (3, 3, 3)


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_what_people_change_meanwhile_travels_and_is_caught_up_on(stage: Make, system: str) -> None:
    world = stage(highlevel='default_kind = "todo"')
    from_everywhere(world)
    file = take_out(world, system)
    world.good()
    for number, reply in enumerate(world.reply_open() if system != "reply" else ()):
        world.reply.person_reschedules(str(reply.id), world.due(hours=60 + number))
    for number, task in enumerate(world.highlevel_open() if system == "reply" else ()):
        world.highlevel.person_reschedules(task.id, world.due(hours=60 + number))
    world.again(3)
    assert world.good().attention == ()
    put_in(world, file)
    world.again(3)
    assert world.open() == (3, 3, 3)
    dues = {task.due_to for task in world.reply_open()}
    assert len(dues) == 3
    assert {task.due for task in world.highlevel_open()} == {f"{due:%Y-%m-%dT%H:%M:%S.000Z}" for due in dues}


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_what_people_finish_reopen_and_make_meanwhile_is_carried_over_too(stage: Make, system: str) -> None:
    world = stage(highlevel='default_kind = "todo"')
    from_everywhere(world)
    file = take_out(world, system)
    where = "reply" if system != "reply" else "highlevel"
    world.complete_in(where)
    world.good()
    lead, contact, person = world.everywhere("Ravi", "+919876543211")
    due = world.due(hours=20)
    world.superfone.person_creates(lead, "REMINDER", due)
    world.reply.person_creates(contact, "ToDo", due, "Ring")
    world.highlevel.person_creates(person, "Ring", due)
    world.again(2)
    put_in(world, file)
    world.again(3)
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_an_edit_of_a_saved_plan_in_a_crm_that_was_taken_out_is_left_out_and_named(stage: Make) -> None:
    world = stage(highlevel='default_kind = "todo"')
    from_everywhere(world)
    for task in world.highlevel_open():
        world.highlevel.person_retitles(task.id, "Ring twice")
    world.wait(minutes=1)
    planned = world.plan()
    operations = [one.as_json() for one in planned.operations or ()]
    assert ("reply", "edit") in {(one["system"], one["action"]) for one in operations}
    plan = {"account": "acme", "run": planned.run, "made_at": planned.started_at, "operations": operations}
    take_out(world, "reply")

    report = world.good(Options(select=SavedAccount.model_validate(plan).select))

    assert ("reply", "moved") in waiting(report)
