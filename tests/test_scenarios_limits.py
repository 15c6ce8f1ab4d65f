"""What stops a run or a write: limits, refusals, a full account, time, another account on the other side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.base import WrongAccount
from adapters.sandbox import Call, Fault, Reply, json_reply
from syncer.report import Exit
from syncer.run import Options
from tests.scenario import Make, Stage, attention, details, name_of, waiting
from tests.scenario import make_stages as _stage  # noqa: F401 - the fixture `stage`

SYSTEMS = ("superfone", "reply", "highlevel")


def some(world: Stage, count: int) -> list[tuple[str, str, str]]:
    people = [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(count)]
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    return people


def refuse(world: Stage, system: str, name: str, status: int, words: str) -> Callable[[], None]:
    """From now on the CRM refuses this call; gives back what ends that."""
    sandbox = world.sandboxes[system]
    honest = sandbox.handle

    def handle(call: Call) -> Reply:
        return json_reply(status, {"message": words}) if name_of(system, call) == name else honest(call)

    def end() -> None:
        sandbox.handle = honest  # type: ignore[method-assign]

    sandbox.handle = handle  # type: ignore[method-assign]
    return end


# limits ----------------------------------------------------------------------------------------------


def test_too_many_creates_stop_the_run_before_its_first_write(stage: Make) -> None:
    world = stage(sync="max_creates_per_run = 5")
    some(world, 3)

    report = world.again()

    assert (report.exit, report.status) == (Exit.LIMIT, "stopped")
    assert world.written() == []
    assert "--allow-creates 6" in report.message
    assert report.operations is not None
    assert len(report.operations) == 6
    assert world.again().exit is Exit.LIMIT

    world.good(Options(allow_creates=6))
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_too_many_completions_stop_the_run_before_its_first_write(stage: Make) -> None:
    world = stage(sync="max_completions_per_run = 3")
    some(world, 2)
    world.good()
    written = world.written()
    world.complete_in("superfone")

    report = world.again()

    assert report.exit is Exit.LIMIT
    assert "--allow-completions 4" in report.message
    assert world.written() == written
    world.good(Options(allow_completions=4))
    assert world.open() == (0, 0, 0)
    world.quiet()


def test_exactly_as_many_as_allowed_is_allowed(stage: Make) -> None:
    world = stage(sync="max_creates_per_run = 6")
    some(world, 3)
    world.good()
    assert world.open() == (3, 3, 3)


def test_a_plan_writes_nothing_anywhere(stage: Make) -> None:
    world = stage()
    some(world, 2)

    report = world.plan()

    assert world.written() == []
    assert report.operations is not None
    assert {(op.system, op.action) for op in report.operations} == {("reply", "create"), ("highlevel", "create")}
    world.good()
    assert world.open() == (2, 2, 2)


# refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("status", "words"), [(400, "no such thing"), (404, "not here"), (422, "bad due")])
def test_a_refused_create_is_parked_with_the_crms_words(stage: Make, system: str, status: int, words: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        task = world.reply.person_creates(contact, "Call", world.due())
    else:
        task = str(world.superfone.person_creates(lead, "BOOKING", world.due()))
    end = refuse(world, system, "create", status, words)

    report = world.again()
    assert report.exit is Exit.PARTIAL
    assert (system, "refused") in attention(report)
    assert words in details(report)
    assert attention(world.quiet(2)) == {(system, "refused")}

    end()
    world.quiet()
    if system == "superfone":
        world.reply.person_reschedules(task, world.due(hours=9))
    else:
        world.superfone.person_reschedules(task, world.due(hours=9))
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_refused_write_is_freed_by_hand(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())
    if system == "reply":
        world.reply.person_completes(str(world.reply_open()[0].id))
        world.superfone.person_creates(lead, "BOOKING", world.due())
    end = refuse(world, system, "create", 400, "not today")
    world.again()
    end()
    world.quiet()

    assert world.retry() == 1
    world.good()

    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_refused_completion_is_parked_and_freed(stage: Make, system: str) -> None:
    world = stage()
    some(world, 1)
    world.good()
    end = refuse(world, system, "complete", 422, "not yours")
    world.complete_in("superfone")

    report = world.again()
    assert (system, "refused") in attention(report)
    world.quiet(2)

    end()
    assert world.retry() == 1
    world.good()
    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()


def test_a_refused_task_is_tried_again_when_its_contact_changes(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    end = refuse(world, "highlevel", "create", 422, "this contact is odd")
    world.again()
    end()
    world.quiet()

    world.highlevel.person_edits_contact(person, last="Mehta")
    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_type_that_the_account_may_not_create(stage: Make) -> None:
    world = stage()
    world.superfone.allowed_types = ("FOLLOW_UP_CALL",)
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Meeting", world.due(hours=2))
    world.reply.person_creates(contact, "Call", world.due(hours=4))

    world.again(2)

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    report = world.quiet()
    assert attention(report) == {("superfone", "refused")}
    assert "Allowed: FOLLOW_UP_CALL" in details(report)


# a full account --------------------------------------------------------------------------------------


def test_a_full_account_holds_creates_for_an_hour(stage: Make) -> None:
    world = stage()
    world.superfone.storage_full = True
    people = [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(3)]
    for _, contact, _ in people:
        world.reply.person_creates(contact, "Call", world.due(hours=30))

    report = world.again()
    assert world.count("superfone", "create") <= 3
    assert ("superfone", "storage_full") in waiting(report)
    sent = world.count("superfone", "create")
    report = world.quiet(3)
    assert waiting(report) == {("superfone", "storage_full")}
    assert report.attention == ()

    world.again(minutes=61)
    assert world.count("superfone", "create") > sent

    world.superfone.storage_full = False
    world.quiet()
    assert world.retry() >= 1
    world.good()
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_a_full_account_still_completes(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.superfone.storage_full = True
    world.reply.person_creates(contact, "ToDo", world.due(hours=30))
    world.again()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))

    world.good()

    assert world.open() == (0, 1, 1)
    world.quiet()


# copies that are gone --------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_copy_that_somebody_deleted_is_missed_and_not_made_again(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        world.reply.person_creates(contact, "Call", world.due())
    else:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    if system == "superfone":
        world.superfone.person_deletes(world.superfone_open()[0].id)
    elif system == "reply":
        world.reply.person_deletes(str(world.reply_open()[0].id))
    else:
        world.highlevel.person_deletes(world.highlevel_open()[0].id)
    world.quiet()

    report = world.quiet(2)
    assert attention(report) == {(system, "replica_missing")}
    assert sum(world.open()) == 2

    assert world.retry() == 1
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.quiet(2).attention == ()


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_origin_that_somebody_deleted_closes_nothing(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    if system == "superfone":
        world.superfone.person_deletes(
            _settled(world, lambda: world.superfone.person_creates(lead, "BOOKING", world.due()))
        )
    elif system == "reply":
        world.reply.person_deletes(_settled(world, lambda: world.reply.person_creates(contact, "Call", world.due())))
    else:
        world.highlevel.person_deletes(
            _settled(world, lambda: world.highlevel.person_creates(person, "Ring", world.due()))
        )

    report = world.quiet(3)

    assert sum(world.open()) == 2
    assert attention(report) == {(system, "replica_missing")}
    world.complete_in("reply" if system != "reply" else "highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()


def _settled(world: Stage, create: Callable[[], Any]) -> Any:
    made = create()
    world.good()
    return made


def test_a_copy_that_comes_back_is_the_same_copy(stage: Make) -> None:
    world = stage()
    some(world, 1)
    world.good()
    copy = world.highlevel_open()[0].id
    world.highlevel.person_deletes(copy)
    world.quiet(2)
    world.highlevel.person_restores(copy)

    report = world.quiet(2)

    assert report.attention == ()
    assert world.open() == (1, 1, 1)
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


# another account -------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_another_account_on_the_other_side_is_refused(stage: Make, system: str) -> None:
    world = stage()
    some(world, 1)
    world.good()
    written = world.written()
    if system == "superfone":
        world.superfone.org_id = 43
    elif system == "reply":
        world.reply.user_id = 99
    else:
        world.highlevel.location_id = "another0location0000"
        text = world.account.path.read_text().replace("ve9EPM428h8vShlRW1KT", "another0location0000")
        world.account.path.write_text(text)
        world.reload()
    world.complete_in("superfone")

    for _ in range(2):
        world.wait(minutes=1)
        with pytest.raises(WrongAccount):
            world.sync()

    assert world.written() == written


# time and budgets ------------------------------------------------------------------------------------


def test_a_run_ends_in_time_and_the_next_one_goes_on(stage: Make) -> None:
    world = stage(sync='run_limit = "2s"')
    some(world, 20)
    seen = set()
    for _ in range(40):
        report = world.again()
        seen |= waiting(report)
        assert report.duration_s < 5
        if not report.waiting and world.open() == (20, 20, 20):
            break

    assert world.open() == (20, 20, 20)
    assert ("reply", "budget") in seen or ("highlevel", "budget") in seen
    world.quiet()


def test_completions_go_before_creates(stage: Make) -> None:
    world = stage()
    people = some(world, 4)
    world.good()
    world.superfone.person_completes(world.superfone.open_tasks(people[0][0])[0].id)
    for _, contact, _ in people:
        world.reply.person_creates(contact, "ToDo", world.due(hours=1))
    start = len(world.highlevel.calls)

    world.good()

    sent = [name_of("highlevel", call) for call, _ in world.highlevel.calls[start:] if world.highlevel.is_write(call)]
    assert sent == ["complete", "create", "create", "create", "create"]
    world.quiet()


def test_a_large_first_run_under_a_small_budget_goes_on_over_several_runs(stage: Make) -> None:
    world = stage(sync='run_limit = "30s"')
    text = world.account.path.read_text().replace('rate = "1000/s"', 'rate = "1/s"')
    world.account.path.write_text(text)
    world.reload()
    some(world, 30)

    for _ in range(30):
        report = world.again()
        assert report.exit is Exit.DONE
        assert report.duration_s < 35
        if world.open() == (30, 30, 30):
            break

    assert world.open() == (30, 30, 30)
    world.quiet(2)


def test_quiet_leads_are_read_in_turn(stage: Make) -> None:
    world = stage(sync='run_limit = "60s"', superfone="")
    text = world.account.path.read_text().replace('rate = "1000/s"', 'rate = "1/s"', 1)
    world.account.path.write_text(text)
    world.reload()
    people = [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(60)]
    world.again(6)
    world.superfone.person_creates(people[59][0], "BOOKING", world.due())
    world.superfone.person_creates(people[0][0], "BOOKING", world.due())

    world.again(6)

    assert world.open() == (2, 2, 2)


def test_no_limit_is_no_limit(stage: Make) -> None:
    world = stage(sync="run_limit = 0")
    some(world, 3)
    world.fail("reply", "create", Fault.THROTTLED, times=3)
    world.good()
    assert world.open() == (3, 3, 3)
