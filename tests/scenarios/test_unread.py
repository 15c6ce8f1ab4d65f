"""What cannot be read, for a moment or for good: it is named, and delays nothing but itself."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from tests.support.lasting import always, crowd, forbid, named, of_leads
from tests.support.scenario import Make, attention, name_of, waiting

# for a moment ----------------------------------------------------------------------------------------


def test_a_task_that_cannot_be_read_is_named(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due())
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=4)

    report = world.good()
    assert report.attention == ()
    assert [(item.system, item.reason) for item in report.waiting] == [("reply", "unread")]
    assert f"task {task}: " in report.waiting[0].detail

    world.good()
    assert world.open() == (1, 1, 1)
    report = world.quiet()
    assert (report.attention, report.waiting) == ((), ())


def test_an_origin_outside_its_route_is_missed_too(stage: Make) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ManualEmail", world.due())
    world.good()
    world.reply.person_deletes(task)
    world.quiet()

    assert attention(world.quiet()) == {("reply", "replica_missing")}
    assert world.open() == (0, 0, 1)


def test_a_copy_that_is_there_again_and_finished_is_finished_everywhere(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    copy = world.highlevel_open()[0].id
    world.highlevel.person_completes(copy)
    world.highlevel.person_deletes(copy)
    world.quiet()
    assert attention(world.quiet()) == {("highlevel", "replica_missing")}

    world.highlevel.person_restores(copy)
    world.good()

    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()


# for good: leads -------------------------------------------------------------------------------------


@pytest.mark.parametrize("runs", [0, 3], ids=["since then", "long since"])
def test_a_lead_is_known_to_be_deleted_though_the_only_other_one_always_fails(stage: Make, runs: int) -> None:
    """That one's number still leads to it, so the CRM has not lost everybody."""
    world = stage()
    lead, contact, _ = world.everywhere()
    other, _, _ = world.everywhere("Ravi", "+919876543211")
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    always(world, "superfone", of_leads([str(other)]), Fault.ERROR_BEFORE)
    if runs:
        world.again(runs)

    world.superfone.person_deletes_lead(lead)
    world.reply.person_creates(contact, "Call", world.due(hours=3))
    world.again(3)

    assert ("superfone", "no_contact") in waiting(world.quiet())


@pytest.mark.parametrize(
    ("fault", "count", "first"),
    [
        (Fault.ERROR_BEFORE, 1, 0),
        (Fault.GARBAGE, 2, 0),
        (Fault.ERROR_BEFORE, 3, 0),
        (Fault.GARBAGE, 3, 37),
        (Fault.LOST_REQUEST, 10, 0),
        (Fault.ERROR_BEFORE, 10, 15),
    ],
)
def test_leads_that_always_fail_delay_nobody_else(stage: Make, fault: Fault, count: int, first: int) -> None:
    """The first of the leads, the last, or some between: forty of them, the others are served in the same run."""
    world = stage()
    people = crowd(world, 40)
    broken = [lead for lead, _, _ in people[first : first + count]]
    sound = [lead for lead, _, _ in people if lead not in broken]
    tasks = [world.superfone.person_creates(lead, "BOOKING", world.due()) for lead in (*broken, *sound[::5])]
    world.good()
    assert len(world.highlevel_open()) == len(tasks)
    always(world, "superfone", of_leads(broken), fault)
    world.loop.advance(60)
    for task in tasks:
        world.superfone.person_completes(task)

    report = world.good()

    left = count
    assert world.open() == (0, left, left)
    assert report.connections["superfone"].state == "ok"
    assert ("superfone", "unread") in waiting(report)
    world.again()
    report = world.good()
    told = named(report, "superfone", "unreadable" if fault is Fault.GARBAGE else "failing")
    assert sorted(told) == sorted(line for lead in broken for line in told if f"the tasks of contact {lead}: " in line)
    assert len(told) == count
    assert not {where for where in waiting(report) if where[1] == "unread"}

    # New work of the others goes through, run after run.
    _, contact, _ = people[0 if first else -1]
    for hours in (1, 2):
        world.reply.person_creates(contact, "ToDo", world.due(hours=hours))
        assert world.good().created["superfone"] == 1


def test_a_lead_that_can_be_read_again_is_served_and_forgotten(stage: Make) -> None:
    world = stage()
    (lead, _, _), _ = crowd(world, 2)
    task = world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    honest = world.superfone.fault
    always(world, "superfone", of_leads([lead]), Fault.ERROR_BEFORE)
    world.loop.advance(60)
    world.superfone.person_completes(task)
    world.again(4)
    assert world.open() == (0, 1, 1)
    with world.open_ledger(read_only=True) as ledger:
        [failing] = ledger.load().failing.values()
        assert (failing.what, failing.key, failing.failures) == ("lane", lead, 4)

    world.superfone.fault = honest
    report = world.good()

    assert world.open() == (0, 0, 0)
    assert report.attention == ()
    with world.open_ledger(read_only=True) as ledger:
        assert ledger.load().failing == {}


def test_a_run_of_failures_is_counted_in_a_row(stage: Make) -> None:
    world = stage()
    (lead, _, _), (_, contact, _) = crowd(world, 2)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.reply.person_creates(contact, "Call", world.due())
    world.good()
    honest = world.superfone.fault
    for _ in range(3):
        always(world, "superfone", of_leads([lead]), Fault.ERROR_BEFORE)
        assert world.again(2).attention == ()
        world.superfone.fault = honest
        world.good()


def test_a_whole_crm_that_is_out_of_order_is_not_told_lead_by_lead(stage: Make) -> None:
    world = stage()
    for lead, _, _ in crowd(world, 30):
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    honest = world.superfone.fault
    always(world, "superfone", lambda _call: True, Fault.ERROR_BEFORE)

    for _ in range(4):
        report = world.again()
        assert report.exit is Exit.PARTIAL
        assert report.connections["superfone"].state == "unavailable"
        assert not named(report, "superfone", "failing")

    world.superfone.fault = honest
    world.complete_in("highlevel")
    report = world.good()
    assert world.open() == (0, 0, 0)
    assert report.attention == ()


def test_more_failing_leads_than_stop_a_connection_find_their_place(stage: Make) -> None:
    """Thirty of forty, the first in order: the run stops before the others' turn, the next begins with them."""
    world = stage()
    people = crowd(world, 40)
    for lead, _, _ in people:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    always(world, "superfone", of_leads([lead for lead, _, _ in people[:30]]), Fault.ERROR_BEFORE)
    world.complete_in("highlevel")

    world.again(2)

    assert len(world.superfone_open()) == 30
    assert world.good().connections["superfone"].state == "ok"


@pytest.mark.parametrize("count", [1, 3, 5])
def test_writes_in_doubt_for_leads_that_always_fail_delay_nobody_else(stage: Make, count: int) -> None:
    world = stage()
    people = crowd(world, 8)
    for _, contact, _ in people[:count]:
        world.reply.person_creates(contact, "Call", world.due())
    world.good()
    broken = [lead for lead, _, _ in people[:count]]
    world.complete_in("reply")
    world.fail("superfone", "complete", Fault.LOST_REQUEST, times=count)
    always(world, "superfone", of_leads(broken), Fault.ERROR_BEFORE)
    world.again()

    for number, (_, contact, _) in enumerate(people[count:]):
        world.reply.person_creates(contact, "ToDo", world.due(hours=1))
        report = world.again()
        assert report.connections["superfone"].state == "ok"
        assert len(world.superfone_open()) == count + number + 1


@pytest.mark.parametrize("system", ["reply", "highlevel"])
@pytest.mark.parametrize("name", ["tasks", "contacts"])
def test_a_list_that_is_forbidden_stops_its_connection_only(stage: Make, system: str, name: str) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    forbid(world, system, lambda call: name_of(system, call) == name)
    world.complete_in("superfone")

    report = world.again()

    assert report.exit is Exit.PARTIAL
    assert report.connections[system].state == "unauthorized"
    other = "highlevel" if system == "reply" else "reply"
    assert report.completed[other] == 1


def test_what_waits_for_a_crm_that_was_never_read_has_the_name_that_people_know(stage: Make) -> None:
    world = stage()
    lead, _, contact = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.highlevel.person_creates(contact, "Ask about the budget", world.due())
    world.good()
    world.lose_ledger()
    forbid(world, "reply", lambda _call: True)

    found = world.again().as_json()["waiting"]

    titles = {item["title"] for item in found if item["task"] is None}
    assert titles == {"Booking", "Ask about the budget", "Booking Asha Rao"}
    assert all(item["contact"].startswith("Asha") for item in found)


def test_whoever_cannot_be_read_is_named(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.good()
    forbid(world, "superfone", lambda call: call.path.endswith("/task") and lead in call.path)
    crowd(world, 3)
    world.superfone.person_creates(lead, "BOOKING", world.due())
    reports = [world.again() for _ in range(4)]
    items = [item for item in reports[-1].as_json()["attention"] if item["reason"] == "failing"]
    assert [item["contact"] for item in items] == ["Asha"]


def test_leads_that_are_all_forbidden_stop_superfone(stage: Make) -> None:
    world = stage()
    for lead, _, _ in crowd(world, 4):
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    forbid(world, "superfone", lambda call: call.path.endswith("/task"))

    report = world.again()

    assert report.connections["superfone"].state == "unauthorized"
    assert report.exit is Exit.PARTIAL


def test_a_contact_that_cannot_be_asked_for_delays_no_other(stage: Make) -> None:
    world = stage()
    crowd(world, 12)
    always(
        world, "superfone", lambda call: call.query.get("phone", "").endswith(("00003", "00007")), Fault.ERROR_BEFORE
    )
    for contact in world.reply.contacts():
        world.reply.person_creates(str(contact.id), "Call", world.due())

    report = world.good()

    assert len(world.superfone_open()) == 10
    world.good()
    told = named(world.good(), "superfone", "failing")
    assert [line.split(":")[0] for line in told] == [f"the contact with +9198765{n:05d}" for n in (3, 7)]
    assert report.connections["superfone"].state == "ok"


def test_the_tasks_of_a_lead_that_is_found_after_a_failure_are_read_at_once(stage: Make) -> None:
    """The number was asked for in vain before, so it stands behind all others; what it leads to does not wait."""
    world = stage()
    lead, _, _ = world.everywhere()
    always(world, "superfone", lambda call: name_of("superfone", call) == "find", Fault.ERROR_BEFORE)
    world.again()
    world.superfone.fault = lambda _call: None
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())

    report = world.good()

    assert world.open() == (1, 1, 1)
    assert report.waiting == ()
    world.quiet()
