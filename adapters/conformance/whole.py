"""Trials of whole runs: the engine between the author's CRM and another one, run after run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.conformance.bench import Bench
from adapters.conformance.trial import (
    BODY,
    LONG_TITLE,
    TITLE,
    Trials,
    Trouble,
    a_kind,
    hand,
    in_hours,
    need,
    read_back,
    ref,
    trial,
)
from adapters.conformance.world import KitWorld
from adapters.sandbox import Fault
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Edit, Reading, State

_Any = TypeVar("_Any", bound=Trials)


def whole(test: Callable[[_Any, KitWorld], Coroutine[Any, Any, None]]) -> Callable[[_Any], None]:
    """Make an asynchronous test of a `KitWorld` a plain test."""

    async def run(trials: _Any, bench: Bench) -> None:
        with tempfile.TemporaryDirectory() as folder:
            await test(trials, KitWorld(bench, Path(folder)))

    # Not by `functools.wraps`, which would show pytest the world as the name of a fixture.
    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return trial(run)


class WholeRuns(Trials):
    """Subclass it beside `AdapterConformance`, with the same ``make``."""

    @whole
    async def test_a_task_of_this_crm_is_copied_once(self, world: KitWorld) -> None:
        bench = world.bench
        task = bench.add_task(world.contact, a_kind(bench), in_hours(5), TITLE)
        await world.settle()
        due = bench.tasks()[task].due
        copies = [copy.due for copy in world.partner.open_tasks()]
        need(
            copies == [due], f"a task that is due at {due} must have one copy, due then; the copies are due at {copies}"
        )

    @whole
    async def test_a_task_of_another_crm_is_copied_here_once(self, world: KitWorld) -> None:
        bench, due = world.bench, in_hours(5)
        world.partner.person_creates(world.there, a_kind(bench), due, TITLE, BODY)
        await world.settle()
        shown = list(world.open_here().values())
        need(len(shown) == 1, f"a task of another CRM must be copied here once; {len(shown)} tasks are open here")
        same = bench.adapter.capabilities.dues.same
        need(same(shown[0].due, due), f"a task that is due at {due} is due here at {shown[0].due}")
        need(TITLE in shown[0].text, f"the copy does not show the title: {shown[0].text!r}")
        need(len(world.partner.tasks) == 1, "the copy was copied back")

    @whole
    async def test_what_is_done_here_is_done_there(self, world: KitWorld) -> None:
        world.partner.person_creates(world.there, a_kind(world.bench), in_hours(5), TITLE)
        await world.settle()
        world.bench.complete(next(iter(world.open_here())))
        await world.settle()
        need(not world.partner.open_tasks(), "the copy was completed here, and the task is still open there")

    @whole
    async def test_what_is_done_there_is_done_here(self, world: KitWorld) -> None:
        bench = world.bench
        task = bench.add_task(world.contact, a_kind(bench), in_hours(5), TITLE)
        await world.settle()
        copy = world.partner.open_tasks()[0]
        world.partner.person_completes(copy.remote_id)
        await world.settle()
        can = bench.adapter.capabilities
        if copy.kind in can.completes_kinds:
            need(not bench.tasks()[task].open, "the copy was completed, and the task is still open here")
        else:
            need(bench.tasks()[task].open, f"{copy.kind} is not in completes_kinds, and was completed")

    @whole
    async def test_a_lost_answer_makes_no_second_task(self, world: KitWorld) -> None:
        bench = world.bench
        world.partner.person_creates(world.there, a_kind(bench), in_hours(5), TITLE)
        bench.sandbox.fault = Trouble(Fault.LOST_ANSWER, bench.sandbox.is_write, times=1)
        await world.settle()
        need(len(bench.tasks()) == 1, f"the answer to a create was lost, and {len(bench.tasks())} tasks are there")

    @whole
    async def test_a_lost_answer_closes_nothing_else(self, world: KitWorld) -> None:
        bench = world.bench
        task = bench.add_task(world.contact, a_kind(bench), in_hours(5), TITLE)
        await world.settle()
        world.partner.person_completes(world.partner.open_tasks()[0].remote_id)
        bench.sandbox.fault = Trouble(Fault.LOST_ANSWER, bench.sandbox.is_write, times=1)
        await world.settle()
        need(not world.partner.open_tasks(), "after a lost answer a completed task came back")
        done = a_kind(bench) in bench.adapter.capabilities.completes_kinds
        need(bench.tasks()[task].open != done, "after a lost answer the task is not as it should be")
        need(len(bench.tasks()) == 1, "after a lost answer there is a second task")

    @whole
    async def test_what_somebody_wrote_down_in_both_is_one_task(self, world: KitWorld) -> None:
        """Each CRM keeps the due as exactly as it can: to the second, the minute or the day."""
        bench = world.bench
        task = bench.add_task(world.contact, a_kind(bench), in_hours(5), TITLE)
        reading = await read_back(bench, task, world.contact)
        world.partner.person_creates(world.there, reading.kind, in_hours(5), TITLE)
        await world.settle()
        counts = (len(bench.tasks()), len(world.partner.tasks))
        need(counts == (1, 1), f"the same task stood in both CRMs, and now they have {counts}")

    @whole
    async def test_what_is_due_on_a_day_and_that_afternoon_is_one_task(self, world: KitWorld) -> None:
        bench, due = world.bench, in_hours(24)
        day = bench.adapter.capabilities.dues.day(due)
        tasks: list[str] = []
        hand(lambda: tasks.append(bench.add_task_of_day(world.contact, day, TITLE)), "make a task that is due on a day")
        reading = await read_back(bench, tasks[0], world.contact)
        world.partner.person_creates(world.there, reading.kind, due, TITLE)
        await world.settle()
        counts = (len(bench.tasks()), len(world.partner.tasks))
        need(counts == (1, 1), f"the same task stood in both CRMs, and now they have {counts}")

    @whole
    async def test_a_lost_ledger_doubles_nothing(self, world: KitWorld) -> None:
        bench = world.bench
        world.partner.person_creates(world.there, a_kind(bench), in_hours(50), TITLE)
        await world.settle()
        before = world.writes
        await world.lose_ledger()
        await world.settle()
        need(world.writes == before, "the ledger was lost, and the tasks were written again")
        open_there = [task for task in world.partner.tasks.values() if task.state is State.OPEN]
        need((len(world.open_here()), len(open_there)) == (1, 1), "the ledger was lost, and the tasks are doubled")

    @whole
    async def test_a_long_title_is_cut_off_nowhere_else(self, world: KitWorld) -> None:
        """Not even after a lost ledger, when nothing but the titles tells which of them people typed."""
        world.partner.person_creates(world.there, a_kind(world.bench), in_hours(50), LONG_TITLE)
        await world.settle()
        await world.lose_ledger()
        before = world.writes
        await world.settle()
        (title,) = [task.title for task in world.partner.open_tasks()]
        words = "the ledger was lost, and a long title that is cut off here was taken for an edit: declare `title_kept`"
        need(title == LONG_TITLE and world.writes == before, words)

    @whole
    async def test_what_is_edited_there_is_edited_here(self, world: KitWorld) -> None:
        bench, kind, wanted = world.bench, a_kind(world.bench), _edits(world.bench)
        task = world.partner.person_creates(world.there, kind, in_hours(50), TITLE, BODY)
        await world.settle()
        world.partner.person_edits(task, wanted)
        await world.settle()
        (copy,) = world.open_here()
        _shows(bench, await read_back(bench, copy, world.contact), wanted, "here")
        need(len(world.partner.tasks) == 1, "an edit made a second task")

    @whole
    async def test_what_is_edited_here_is_edited_there(self, world: KitWorld) -> None:
        bench, kind, wanted = world.bench, a_kind(world.bench), _edits(world.bench)
        task = bench.add_task(world.contact, kind, in_hours(50), TITLE)
        await world.settle()
        before = await read_back(bench, task, world.contact)
        expected = {name: before.shown(name) for name in wanted}
        # As another program would do it, which has no lease to lose.
        bench.adapter.wire.set_fence(lambda: None)
        edit = Edit(wanted, expected, kind, self.now())
        after = await bench.adapter.edit_task(ref(bench, task, world.contact), edit)
        await world.settle()
        (copy,) = world.partner.open_tasks()
        _shows(bench, copy, {name: after.shown(name) for name in wanted}, "there")
        need(len(bench.tasks()) == 1, "an edit made a second task")


def _edits(bench: Bench) -> dict[TaskField, Value]:
    """A change of each field that can be changed in both CRMs."""
    edits = bench.adapter.capabilities.edits
    new: dict[TaskField, Value] = {
        TaskField.DUE: in_hours(100),
        TaskField.TITLE: "Another title",
        TaskField.BODY: "Another text",
    }
    can = {name: value for name, value in new.items() if a_kind(bench) in edits.get(name, ())}
    if not can:
        pytest.skip("nothing can be changed there")
    return can


def _shows(bench: Bench, copy: Reading, wanted: Mapping[TaskField, Value], where: str) -> None:
    __tracebackhide__ = True
    for name, value in wanted.items():
        is_there = bench.adapter.capabilities.alike(name, value, copy.shown(name))
        need(is_there, f"{name} was changed to {value!r}, and is {copy.shown(name)!r} {where}")
