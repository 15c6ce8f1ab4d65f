"""Everything of one person is read, in every CRM, where that is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox import Fault, Reply
from syncer.domain.model import Reading, State
from syncer.domain.task_ids import Marker
from syncer.engine import observe
from syncer.engine.context import RunContext
from syncer.engine.observe_persons import CLOSED_READ
from syncer.reconcile.standing import Standing
from tests.support.scenario import Make, Stage, attention, name_of, waiting

Runs = list[RunContext]


@pytest.fixture(name="runs")
def everything_of_asha(monkeypatch: pytest.MonkeyPatch) -> Runs:
    """Asks for everything of whom Superfone calls Asha; the runs that asked."""
    seen: Runs = []

    def persons(standing: Standing) -> list[str]:
        base = standing._base
        return [base.links[key] for key, record in base.records.items() if record.name == "Asha"][:1]

    honest = observe.observe

    async def noted(context: RunContext, **given: Any) -> None:
        seen.append(context)
        await honest(context, **given)

    monkeypatch.setattr(Standing, "persons_to_read", persons)
    monkeypatch.setattr("syncer.engine.run.observe", noted)
    return seen


def person_in(runs: Runs, system: str) -> tuple[Reading, ...] | None:
    """What the last run read of the one person."""
    persons = runs[-1].seen[system].persons
    assert len(persons) < 2
    return next(iter(persons.values()), None)


def history(world: Stage) -> dict[str, str]:
    """Asha, with one task of theirs that is done in each CRM, and Ravi, whom nobody asks for."""
    lead, contact, person = world.everywhere()
    world.everywhere("Ravi", "+919876543211")
    done = {
        "superfone": str(world.superfone.person_creates(lead, "REMINDER", world.due())),
        "reply": world.reply.person_creates(contact, "Call", world.due()),
        "highlevel": world.highlevel.person_creates(person, "Ring", world.due(hours=9)),
    }
    world.superfone.person_completes(int(done["superfone"]))
    world.reply.person_completes(done["reply"])
    world.highlevel.person_completes(done["highlevel"])
    return done


def test_closed_tasks_are_read_whole_of_that_person_alone(stage: Make, runs: Runs) -> None:
    world = stage()
    done = history(world)
    world.good()

    world.good()

    for system, task in done.items():
        [reading] = person_in(runs, system) or ()
        assert (reading.remote_id, reading.state, reading.whole) == (task, State.DONE, True)
    assert world.written() == []


def test_open_and_closed_ones_and_of_many_closed_ones_the_newest(stage: Make, runs: Runs) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    closed = [world.reply.person_creates(contact, "Call", world.due(hours=n)) for n in range(1, CLOSED_READ + 6)]
    for task in closed:
        world.reply.person_completes(task)
    world.reply.person_creates(contact, "ToDo", world.due())
    world.good()

    read = {row.remote_id: row.whole for row in person_in(runs, "reply") or ()}

    assert len(read) == CLOSED_READ + 6
    assert [task for task in closed if not read[task]] == closed[:5]


def test_the_origin_that_a_marker_names_is_read_whole_though_a_sequence_made_it(stage: Make, runs: Runs) -> None:
    world = stage()
    _, contact, person = world.everywhere()
    tasks = [world.reply.person_creates(contact, "Call", world.due(), sequence=7) for _ in range(2)]
    for task in tasks:
        world.reply.person_completes(task)
    marker = Marker("1k2m9ab3xq", f"reply:{tasks[0]}")
    world.highlevel.person_creates(person, "Ring", world.due(), marker.line)
    world.again()

    assert {row.remote_id: row.whole for row in person_in(runs, "reply") or ()} == {tasks[0]: True, tasks[1]: False}


@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE])
def test_a_person_of_whom_one_task_cannot_be_read_is_unread_for_three_runs(
    stage: Make, runs: Runs, fault: Fault
) -> None:
    world = stage()
    task = history(world)["reply"]
    world.reply.fault = lambda call: fault if call.path == f"/tasks/{task}" else None

    found = []
    for _ in range(3):
        report = world.good()
        found.append(person_in(runs, "reply"))

    assert found[:2] == [None, None]
    [row] = found[2] or ()
    assert (row.remote_id, row.whole) == (task, False)
    assert {reason for _, reason in attention(report)} == {"failing" if fault is Fault.ERROR_BEFORE else "unreadable"}
    assert person_in(runs, "highlevel") is not None


def test_a_person_whom_one_crm_has_is_read_in_full_in_the_first_run(stage: Make, runs: Runs) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "asha@example.com", "+919876543210")
    world.reply.person_creates(contact, "Call", world.due())

    world.sync()

    assert person_in(runs, "reply") is not None


def test_a_person_whose_list_cannot_be_read_is_unread(stage: Make, runs: Runs) -> None:
    world = stage()
    history(world)
    world.good()
    world.fail("highlevel", "tasks of contact", Fault.ERROR_BEFORE, times=4)

    report = world.good()

    assert person_in(runs, "highlevel") is None
    assert person_in(runs, "reply") is not None
    assert ("highlevel", "unread") in waiting(report)


def test_a_person_with_a_row_that_nobody_understands(stage: Make, runs: Runs) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    for _ in range(2):
        world.reply.person_completes(world.reply.person_creates(contact, "Call", world.due()))

    def edit(answer: Any) -> None:
        if len(answer["items"]) == 2:
            answer["items"][0]["status"] = "Sleeping"

    world.mangle("reply", "tasks", edit)
    found = []
    for _ in range(3):
        world.good()
        found.append(len(person_in(runs, "reply") or ()))

    assert found == [0, 0, 1]


def test_a_person_whom_a_crm_no_longer_has_has_no_tasks_there(stage: Make, runs: Runs) -> None:
    world = stage()
    history(world)
    world.good()
    honest = world.highlevel.handle
    gone = Reply(404, b'{"message": "Contact not found"}')
    world.highlevel.handle = (  # type: ignore[method-assign]
        lambda call: gone if name_of("highlevel", call) == "tasks of contact" else honest(call)
    )

    world.good()

    assert person_in(runs, "highlevel") == ()
