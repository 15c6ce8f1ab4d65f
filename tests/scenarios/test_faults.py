"""Whatever goes wrong with a write, nothing is done twice and nothing is lost."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from tests.support.scenario import Make, Stage, waiting

SYSTEMS = ("superfone", "reply", "highlevel")
CARRIED_OUT = (Fault.LOST_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE, Fault.TRUNCATED)
NOT_CARRIED_OUT = (Fault.LOST_REQUEST, Fault.ERROR_BEFORE)


def one_task(world: Stage, *, elsewhere_than: str) -> str:
    """A task of theirs in another CRM than the one that is to be written to; its lead."""
    lead, contact, _ = world.everywhere()
    if elsewhere_than == "superfone":
        world.reply.person_creates(contact, "Call", world.due())
    else:
        world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    return lead


def done_elsewhere(world: Stage, system: str) -> None:
    world.complete_in("reply" if system == "superfone" else "superfone")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", CARRIED_OUT)
def test_a_create_whose_answer_is_lost_is_found_by_reading(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.fail(system, "create", fault)

    report = world.again()

    assert world.open() == (1, 1, 1)
    assert report.exit is Exit.DONE
    assert report.created[system] == 1
    world.quiet(2)
    assert world.count(system, "create") == 1
    done_elsewhere(world, system)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", NOT_CARRIED_OUT)
def test_a_create_that_never_arrived_is_repeated_after_the_grace(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.fail(system, "create", fault)

    report = world.again()
    assert report.exit is Exit.PARTIAL
    assert (system, "in_doubt") in waiting(report)
    report = world.again(seconds=5)
    assert (system, "in_doubt") in waiting(report)
    assert world.count(system, "create") == 1

    world.good(seconds=40)
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    assert world.count(system, "create") == 2


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", CARRIED_OUT)
def test_a_create_that_cannot_be_settled_at_once_is_settled_later(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.fail(system, "create", fault)
    reading = "tasks" if system == "reply" else "tasks of contact"
    # Reads are tried four times; the ones before the create must work.
    world.afterwards(system, "create", lambda: world.fail(system, reading, Fault.ERROR_BEFORE, times=4))

    report = world.again()
    assert report.exit is Exit.PARTIAL
    assert (system, "in_doubt") in waiting(report)

    world.good(minutes=5)
    assert world.open() == (1, 1, 1)
    world.quiet(2)
    assert world.count(system, "create") == 1


@pytest.mark.parametrize("fault", NOT_CARRIED_OUT)
def test_history_that_cannot_be_read_holds_no_create_up(stage: Make, fault: Fault) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    for hours in range(1, 9):
        world.reply.person_completes(world.reply.person_creates(contact, "Call", world.due(hours=-hours)))
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.fail("reply", "create", fault)
    world.again()
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=4)

    world.good()
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("system", ["reply", "highlevel"])
@pytest.mark.parametrize("fault", CARRIED_OUT)
def test_what_a_lost_create_made_is_known_though_it_was_moved_and_closed(
    stage: Make, system: str, fault: Fault
) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.fail(system, "create", fault)

    def move_and_close() -> None:
        if system == "reply":
            [task] = world.reply_open()
            world.reply.person_reschedules(str(task.id), world.due(hours=50))
            world.reply.person_completes(str(task.id))
        else:
            [copy] = world.highlevel_open()
            world.highlevel.person_reschedules(copy.id, world.due(hours=50))
            world.highlevel.person_completes(copy.id)

    world.afterwards(system, "create", move_and_close)
    world.again()
    world.again()
    assert world.open() == (0, 0, 0)
    assert world.count(system, "create") == 1
    world.quiet(2)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", [*CARRIED_OUT, *NOT_CARRIED_OUT])
def test_a_completion_that_goes_wrong_closes_its_task_and_no_other(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    lead = one_task(world, elsewhere_than=system)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))
    world.good()
    before = world.open()
    world.wait(minutes=5)
    if system == "superfone":
        [call] = [task for task in world.reply_open() if task.task_type == "Call"]
        world.reply.person_completes(str(call.id))
    else:
        [task] = [task for task in world.superfone_open() if task.type != "REMINDER"]
        world.superfone.person_completes(task.id)
    world.fail(system, "complete", fault)

    world.again()
    world.again(3)

    assert world.open() == tuple(count - 1 for count in before)
    report = world.quiet(2)
    assert report.incidents == ()
    assert world.lane(lead).count("REMINDER") == 1
    assert world.count(system, "complete") == (1 if fault in CARRIED_OUT else 2)


@pytest.mark.parametrize("status", ["Archived", "Cancelled"])
def test_cancelled_by_them_while_our_completion_is_in_doubt_is_shown_so(stage: Make, status: str) -> None:
    world = stage()
    one_task(world, elsewhere_than="reply")
    world.good()
    done_elsewhere(world, "reply")
    world.fail("reply", "complete", Fault.LOST_REQUEST)
    world.again(seconds=5)
    [copy] = world.reply_open()
    world.reply.person_cancels(str(copy.id), status)

    world.good()

    with world.open_ledger(read_only=True) as ledger:
        assert ledger.counts().replicas["reply"] == {"cancelled": 1}
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("name", ["create", "complete"])
def test_no_connection_for_a_moment_is_no_failure(stage: Make, system: str, name: str) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    if name == "complete":
        world.good()
        done_elsewhere(world, system)
    world.fail(system, name, Fault.NO_CONNECTION, times=2)

    world.good()

    assert world.open() == ((1, 1, 1) if name == "create" else (0, 0, 0))
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("name", ["create", "complete"])
def test_no_connection_for_long_is_reported_and_made_up_for(stage: Make, system: str, name: str) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    if name == "complete":
        world.good()
        done_elsewhere(world, system)
    world.fail(system, name, Fault.NO_CONNECTION, times=99)

    report = world.again(2)
    assert report.exit is Exit.PARTIAL
    assert report.connections[system].state == "unavailable"
    assert {where for where, _ in waiting(report)} == {system}

    world.heal()
    world.good()
    assert world.open() == ((1, 1, 1) if name == "create" else (0, 0, 0))
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("name", ["tasks", "create", "complete"])
def test_throttled(stage: Make, system: str, name: str) -> None:
    world = stage()
    world.reply.retry_after = 20
    one_task(world, elsewhere_than=system)
    if name == "complete":
        world.good()
        done_elsewhere(world, system)
    if name == "tasks" and system == "superfone":
        name = "tasks of contact"
    world.fail(system, name, Fault.THROTTLED, times=3)

    world.good()

    assert world.open() == ((0, 0, 0) if name == "complete" else (1, 1, 1))
    world.quiet()


def test_reply_is_left_alone_for_as_long_as_it_asks(stage: Make) -> None:
    world = stage()
    world.reply.retry_after = 45
    one_task(world, elsewhere_than="reply")
    refused: list[float] = []
    world.fail("reply", "create", Fault.THROTTLED)
    world.meanwhile("reply", "create", lambda: refused.append(world.loop.time()))
    started = world.loop.time()

    world.good()

    assert refused[0] - started > 45
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_revoked_key_stops_one_connection_only(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    for name in ("identity", "find", "tasks", "tasks of contact", "contacts", "task", "contact", "create", "complete"):
        world.fail(system, name, Fault.UNAUTHORIZED, times=99)
    if system == "reply":
        world.highlevel.person_creates(person, "Ring", world.due(hours=1))
    else:
        world.reply.person_creates(contact, "ToDo", world.due(hours=1))
    before = dict(zip(SYSTEMS, world.open(), strict=True))

    report = world.again(2)

    assert report.exit is Exit.PARTIAL
    assert report.connections[system].state == "unauthorized"
    assert (system, "unauthorized") in waiting(report)
    now = dict(zip(SYSTEMS, world.open(), strict=True))
    assert now[system] == before[system]
    assert sum(now.values()) > sum(before.values()) or system == "reply"
    assert report.incidents == ()

    world.heal()
    world.good()
    assert len(set(world.open())) == 1 or waiting(world.quiet()) == {("superfone", "slot_taken")}
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("fault", "state"), [(Fault.UNAUTHORIZED, "unauthorized"), (Fault.NO_CONNECTION, "unavailable")]
)
def test_a_connection_that_fails_at_its_first_write(stage: Make, system: str, fault: Fault, state: str) -> None:
    """It may read and not write. A refused key says nothing of the task, which is tried with every run."""
    world = stage()
    one_task(world, elsewhere_than=system)
    world.fail(system, "create", fault, times=99)

    report = world.again()
    assert report.exit is Exit.PARTIAL
    assert report.connections[system].state == state
    report = world.again(6)
    assert (report.connections[system].state == state) is (fault is Fault.UNAUTHORIZED)

    world.heal()
    world.again(hours=2)
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
def test_done_while_one_key_is_revoked(stage: Make, system: str) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.good()
    done_elsewhere(world, system)
    for name in ("identity", "find", "tasks", "tasks of contact", "contacts", "complete"):
        world.fail(system, name, Fault.UNAUTHORIZED, times=99)

    report = world.again(2)
    assert report.exit is Exit.PARTIAL
    assert sum(world.open()) == 1
    assert waiting(report) == {(system, "unauthorized")}

    world.heal()
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.LOST_ANSWER, Fault.NO_CONNECTION])
def test_reads_that_fail_for_a_moment_are_repeated(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    for name in ("identity", "find", "tasks", "tasks of contact", "contacts", "task"):
        world.fail(system, name, fault, times=2)

    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("fault", [Fault.ERROR_BEFORE, Fault.GARBAGE, Fault.TRUNCATED, Fault.LOST_REQUEST])
def test_a_crm_that_cannot_be_read_is_left_as_it_is(stage: Make, system: str, fault: Fault) -> None:
    world = stage()
    one_task(world, elsewhere_than=system)
    world.good()
    for name in ("tasks", "tasks of contact"):
        world.fail(system, name, fault, times=99)

    report = world.again(3)
    assert report.exit is Exit.PARTIAL
    assert world.open() == (1, 1, 1)
    assert report.connections[system].state == "unavailable"
    assert report.connections[system].message
    done_elsewhere(world, system)
    world.again(2)
    others = {"superfone": 0, "reply": 0, "highlevel": 0, system: world.open()[SYSTEMS.index(system)]}
    assert dict(zip(SYSTEMS, world.open(), strict=True)) == others

    world.heal()
    world.again(2)
    assert world.open() == (0, 0, 0)
    world.quiet()
