"""Whole runs between CRMs that answer garbage: nothing is concluded from it, and nothing of it stays."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings

from adapters.sandbox import Call, Fault, Reply
from syncer.domain.model import State
from syncer.domain.operations import Action, OpState
from syncer.domain.reasons import Reason
from syncer.domain.report import Exit
from syncer.reconcile.plan import make_plan
from tests.support.hostile import Garbler, encode, garble
from tests.support.scenario import Make, Stage, attention, details, waiting
from tests.support.strategies import (
    CAPABILITIES,
    LANE,
    PLAIN,
    POLICY,
    TYPED,
    a_base,
    a_reading,
    a_replica,
    a_task,
    an_operation,
    at,
    merged,
    seen_of,
)

SYSTEMS = ("superfone", "reply", "highlevel")
SEEDS = range(settings().max_examples // 12)
RECHECK = 'lead_recheck = "1m"'


def people(world: Stage) -> dict[str, tuple[str, str, str]]:
    """Three people, each with one task of theirs, in another CRM each."""
    found = {
        name: world.everywhere(name, f"+91987654321{number}") for number, name in enumerate(("Asha", "Ravi", "Mina"))
    }
    world.superfone.person_creates(found["Asha"][0], "FOLLOW_UP_CALL", world.due(hours=5))
    world.reply.person_creates(found["Ravi"][1], "Call", world.due(hours=6))
    world.highlevel.person_creates(found["Mina"][2], "Ring about the plan", world.due(hours=7))
    return found


def open_of(world: Stage, ids: tuple[str, str, str]) -> tuple[int, int, int]:
    """How many open tasks one person has in each CRM."""
    return (
        sum(task.lead == int(ids[0]) for task in world.superfone_open()),
        sum(str(task.contact_id) == ids[1] for task in world.reply_open()),
        sum(task.contact == ids[2] for task in world.highlevel_open()),
    )


def count(world: Stage) -> tuple[int, int, int]:
    """How many tasks there are in each CRM, open or not."""
    superfone = sum(len(world.superfone.tasks(lead.id)) for lead in world.superfone.leads())
    return superfone, len(world.reply.tasks()), len(world.highlevel.tasks())


@pytest.mark.parametrize("seed", SEEDS)
def test_garbage_closes_nothing_doubles_nothing_and_leaves_nothing_behind(stage: Make, seed: int) -> None:
    world = stage(seed=seed, superfone=RECHECK)
    garbler = Garbler(seed, share=0.0)
    for sandbox in world.sandboxes.values():
        garble(sandbox, garbler)
    found = people(world)
    if seed % 2:
        world.good()
    garbler.share = 0.15 * (1 + seed % 4)

    for _ in range(4):
        report = world.again()
        assert report.exit in {Exit.DONE, Exit.PARTIAL}, garbler.spoilt
        for name, ids in found.items():
            here = open_of(world, ids)
            assert max(here) == 1, (name, here, garbler.spoilt)
        assert max(count(world)) <= 3, garbler.spoilt
    world.loop.advance(60)
    world.reply.person_completes(str(next(t.id for t in world.reply_open() if str(t.contact_id) == found["Ravi"][1])))
    world.again()
    garbler.share = 0.0
    world.again(3, hours=2)

    assert open_of(world, found["Asha"]) == open_of(world, found["Mina"]) == (1, 1, 1), garbler.spoilt
    assert open_of(world, found["Ravi"]) == (0, 0, 0), garbler.spoilt
    # What was done before it could be mirrored has no copy.
    assert max(count(world)) == 3, garbler.spoilt
    assert world.quiet().attention == ()


@pytest.mark.parametrize("seed", SEEDS[::2])
def test_from_garbage_alone_nothing_is_written(stage: Make, seed: int) -> None:
    world = stage(seed=seed)
    people(world)
    world.good()
    there = count(world)
    garbler = Garbler(seed, share=1.0)
    for sandbox in world.sandboxes.values():
        garble(sandbox, garbler)

    for _ in range(4):
        report = world.again()
        assert report.exit in {Exit.DONE, Exit.PARTIAL}, garbler.spoilt

    assert count(world) == there, garbler.spoilt
    assert world.open() == (3, 3, 3), garbler.spoilt


# what cannot be read is named ------------------------------------------------------------------------


def spoil_row(world: Stage, system: str, remote_id: str, field: str, junk: object) -> None:
    """From now on, this task's rows, and the task itself, have junk in one field."""

    def spoil(value: Any) -> None:
        if isinstance(value, list):
            for inner in value:
                spoil(inner)
        elif isinstance(value, dict):
            if str(value.get("id", value.get("_id"))) == remote_id and field in value:
                value[field] = junk
            for inner in value.values():
                spoil(inner)

    names = {
        "superfone": ("tasks of contact",),
        "reply": ("tasks", "task"),
        "highlevel": ("tasks", "task", "tasks of contact"),
    }
    for name in names[system]:
        world.mangle(system, name, spoil)


@pytest.mark.parametrize(
    ("system", "field"),
    [
        ("superfone", "task_status"),
        ("superfone", "created_at"),
        ("reply", "status"),
        ("reply", "dueTo"),
        ("highlevel", "dueDate"),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_the_report_names_the_row_and_the_rest_goes_on(stage: Make, system: str, field: str, known: bool) -> None:
    world = stage()
    found = people(world)
    if known:
        world.good()
    mine = {
        "superfone": [str(task.id) for task in world.superfone_open()],
        "reply": [str(task.id) for task in world.reply_open()],
        "highlevel": [task.id for task in world.highlevel_open()],
    }[system][0]
    spoil_row(world, system, mine, field, {"junk": [1]})
    newcomer = world.everywhere("Dina", "+919876543219")
    world.highlevel.person_creates(newcomer[2], "Ring Dina", world.due(hours=9))

    report = world.again()

    assert (system, "unreadable") in attention(report)
    assert mine in details(report)
    assert f"{field}: " in details(report)
    assert open_of(world, newcomer) == (1, 1, 1)
    everyone = (*found.values(), newcomer)
    assert all(max(open_of(world, ids)) == 1 for ids in everyone)
    if known:
        assert world.open() == (4, 4, 4)


@pytest.mark.parametrize("status", [404, 400, 302, 418, 600])
def test_an_account_that_cannot_be_found_stops_its_connection_only(stage: Make, status: int) -> None:
    world = stage()
    found = people(world)
    garble(world.reply, lambda call, reply: Reply(status, b"no") if call.path == "/whoami" else reply)

    report = world.again()

    assert report.exit is Exit.PARTIAL
    assert report.connections["reply"].state == "unavailable"
    assert open_of(world, found["Asha"]) == (1, 0, 1)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("location", ["mailto:asha@example.com", "http://xn--a/"])
def test_a_redirect_to_nowhere_is_no_crash(stage: Make, system: str, location: str) -> None:
    world = stage()
    people(world)
    garble(world.sandboxes[system], lambda _call, _reply: Reply(302, b"elsewhere", {"location": location}))

    report = world.again()

    assert report.exit in {Exit.DONE, Exit.PARTIAL}
    assert system in {where for where, _ in attention(report)} | {where for where, _ in waiting(report)}


# extremes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"])
def test_instants_at_the_ends_of_the_calendar(stage: Make, date: str) -> None:
    world = stage()
    found = people(world)

    def edit(answer: Any) -> None:
        for row in answer["data"]["rows"]:
            row.update(created_at=date, updated_at=date, due_date=date, notify_at=date, task_status="COMPLETE")

    world.mangle("superfone", "tasks of contact", edit)

    report = world.again(2)

    assert report.exit in {Exit.DONE, Exit.PARTIAL}
    assert max(open_of(world, found["Ravi"])) == 1


def test_titles_and_bodies_that_nobody_would_write(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    odd = ["a\0b", "{{contact.name}}", "x" * 100_000, "<p>Ring</p><br>", "syncer:" + "Z" * 26, "‮‏", "\n\n", "'; DROP"]
    for number, text in enumerate(odd):
        world.highlevel.person_creates(person, text, world.due(hours=number + 1), text)

    world.good()
    world.again(2)

    assert world.open()[1:] == (len(odd), len(odd))
    events = world.quiet(2)
    assert events.attention == ()


def test_a_doubt_is_not_settled_by_a_list_with_a_row_that_cannot_be_read(stage: Make) -> None:
    world = stage()
    found = people(world)
    world.fail("highlevel", "create", Fault.LOST_ANSWER, times=2)
    blind = True

    def edit(call: Call, reply: Reply) -> Reply:
        rows_of_one = call.method == "GET" and call.path.endswith("/tasks")
        return replace(reply, body=encode({"tasks": [{"id": []}]})) if blind and rows_of_one else reply

    garble(world.highlevel, edit)
    world.again(3)
    assert all(open_of(world, ids)[2] <= 1 for ids in found.values())

    blind = False
    world.again(2, hours=2)

    assert all(open_of(world, ids) == (1, 1, 1) for ids in found.values())
    world.quiet()


def test_what_a_create_in_doubt_may_have_made_is_no_new_task_of_theirs() -> None:
    task = a_task()
    doubt = an_operation(task, PLAIN, Action.CREATE, OpState.IN_DOUBT, due=task.due)
    base = a_base(task, replicas=[a_replica(task, LANE)], operations=[doubt])
    damaged = a_reading(PLAIN, "new", due=task.due, title="Call", body="its marker is lost")
    other = a_reading(PLAIN, "other", due=at(hours=9), title="Call")

    result = merged(base, seen_of(damaged, other))

    assert result.changes.replicas.keys() == {other.key}
    assert [(item.system, item.reason) for item in result.waiting] == [(PLAIN, Reason.IN_DOUBT)]


def test_a_thousand_tasks_of_one_contact_in_two_crms_are_compared_in_no_time() -> None:
    rows = [
        a_reading(system, f"{system}{number}", due=at(hours=number), title=f"Task {number}")
        for system in (TYPED, PLAIN)
        for number in range(1_000)
    ]
    # The last one has two candidates, and so is nobody's twin.
    seen = seen_of(*rows, a_reading(PLAIN, "again", due=at(hours=999), title="Task 999"))

    result = merged(a_base(), seen)
    plan = make_plan(result.base, seen, CAPABILITIES, POLICY, (), now=at())

    assert len(result.base.tasks) == 1_002
    assert len(result.base.replicas) == 2_001
    assert {operation.system for operation in plan.operations} >= {LANE}


def test_closures_at_the_ends_of_the_calendar_are_no_reason_to_fail() -> None:
    ends = [at().replace(year=year) for year in (1, 9999)]
    ends = [ends[0].replace(month=1, day=1, hour=0, minute=0), ends[1].replace(month=12, day=31, hour=23, minute=59)]
    rows = [
        a_reading(LANE, f"{number}", created_at=end, updated_at=end, state=State.DONE, due=end)
        for number, end in enumerate(ends * 2)
    ]

    assert merged(a_base(), seen_of(*rows)).base.tasks == {}
    assert ends[1] - ends[0] > timedelta(days=365 * 9000)
