"""A second and an old ledger: all of it ends as one ledger, never lost, would have ended, or is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from adapters.sandbox import Call, Fault, Reply
from syncer.domain.report import Exit
from tests.support.lasting import unreachable
from tests.support.ledger_world import SYSTEMS, Worlds
from tests.support.scenario import attention, waiting

# two ledgers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("origin", SYSTEMS)
def test_two_ledgers_make_no_task_twice(worlds: Worlds, origin: str) -> None:
    world = worlds()
    for number in range(4):
        lead, contact, person = world.everywhere(f"Person{number}", f"+9198765432{number:02d}")
        if origin == "superfone":
            world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(hours=number + 1))
        elif origin == "reply":
            world.reply.person_creates(contact, "Call", world.due(hours=number + 1), "Ring")
        else:
            world.highlevel.person_creates(person, "Ring", world.due(hours=number + 1))
    for _ in range(6):
        for ledger in ("acme", "laptop"):
            world.use(ledger)
            world.wait(seconds=5)
            world.sync()

    assert world.open() == (4, 4, 4)


def test_the_younger_of_two_ledgers_stops_until_it_takes_over(worlds: Worlds) -> None:
    world = worlds()
    world.make("reply")
    world.runs()
    world.wait(minutes=5)
    world.use("laptop")
    world.runs()
    world.wait(minutes=30)
    world.make("highlevel", hours=9, title="See the flat")
    world.use("acme")
    assert world.runs().exit is Exit.DONE
    world.use("laptop")

    report = world.quiet(2)

    assert report.exit is Exit.PARTIAL
    assert ("superfone", "second_ledger") in attention(report)
    world.make("highlevel", hours=12, title="See the house")
    report = world.quiet(1)
    assert {item.reason.value for item in report.waiting} == {"second_ledger", "slot_taken"}, "no run will do it"
    planned = world.plan()
    assert (planned.exit, planned.operations) == (Exit.PARTIAL, ()), "a run would write nothing"


@pytest.mark.parametrize("origin", ["reply", "highlevel"])
@pytest.mark.parametrize("last", ["acme", "laptop"])
def test_completed_before_the_other_ledger_knew_the_copy_is_told(worlds: Worlds, origin: str, last: str) -> None:
    """To the other one it is history, so it makes a copy of its own. Only the first one can know that it was done."""
    world = worlds()
    world.everywhere()
    world.use("laptop")
    world.runs()
    task, lead = world.make(origin), world.superfone.leads()[0].id
    with unreachable(world.superfone):
        world.runs()
    world.use("acme")
    world.runs()
    (ours,) = world.superfone.open_tasks(lead)
    # Its copy carries the other ledger's marker.
    world.make("superfone", hours=30, title="Send the plan", reminder=True)
    world.superfone.person_completes(ours.id)
    world.wait(seconds=20)
    if origin == "reply":
        world.reply.person_reschedules(task, world.due(hours=9))
    else:
        world.highlevel.person_reschedules(task, world.due(hours=9))
    world.use("laptop")
    world.runs()
    assert len(world.superfone.open_tasks(lead)) == 2

    world.use("acme")
    report = world.runs()

    assert (origin, "done_or_reopened") in {(system, reason) for system, reason in attention(report)}
    world.use(last)
    world.quiet(2)


@pytest.mark.parametrize("origin", ["reply", "highlevel"])
@pytest.mark.parametrize("again", ["", "there", "moved", "superseded", "moved superseded"])
def test_what_another_ledger_made_of_our_copy_is_a_second_copy(worlds: Worlds, origin: str, again: str) -> None:
    """It takes our copy in Superfone for a task of its own, because it was made for a due that the task has no more."""
    world = worlds()
    world.without("highlevel" if origin == "reply" else "reply")
    task = world.make(origin)
    world.use("laptop")
    with unreachable(world.superfone):
        world.runs()
    world.use("acme")
    world.runs()
    getattr(world, origin).person_reschedules(task, world.due(hours=9))
    world.use("laptop")
    world.runs()
    assert sum(world.open()) == 3, "one copy in Superfone, and two of one task where it was made"
    lead = world.superfone.leads()[0].id
    if again == "there":
        getattr(world, origin).person_reschedules(task, world.due(hours=11))
    if "moved" in again:
        world.superfone.person_reschedules(world.superfone.open_tasks(lead)[0].id, world.due(hours=10))
    world.wait(seconds=10)
    if "superseded" in again:
        world.make("superfone", hours=30, title="Newer")

    world.use("acme")
    report = world.runs(2)

    assert (origin, "duplicate") in attention(report)


def test_what_another_ledger_copied_before_the_task_was_moved_is_its_copy(worlds: Worlds) -> None:
    """This ledger learns of the copy in Superfone and of the new due at the same time."""
    world = worlds()
    world.make("highlevel", hours=30, reminder=True)
    world.runs()
    moved = world.make("highlevel", hours=5, reminder=True)
    with unreachable(world.superfone):
        world.runs()
    world.use("laptop")
    world.runs(2)
    assert world.open() == (2, 2, 2)
    world.highlevel.person_reschedules(moved, world.due(hours=9))
    world.runs()

    world.use("acme")
    report = world.runs(2)

    assert world.open() == (2, 2, 2)
    assert attention(report) == set()
    assert ("superfone", "not_editable") in waiting(report)


def test_what_two_ledgers_made_in_one_moment_is_a_duplicate(worlds: Worlds) -> None:
    world = worlds()
    world.everywhere()
    world.runs()
    world.use("laptop")
    world.runs()
    world.make("superfone")
    world.use("acme")
    honest = world.reply.handle

    def while_the_other_creates(call: Call) -> Reply:
        world.reply.handle = honest  # type: ignore[method-assign]
        answer = honest(call)
        if world.reply.is_write(call):
            # The other ledger's request arrives in the same moment, with its own marker.
            text = world.reply.tasks()[-1].template["body"] or ""
            head, _, token = text.rpartition("syncer:")
            task = world.reply.tasks()[-1]
            world.reply.person_creates(
                str(task.contact_id), "Call", task.due_to, f"{head}syncer:1zzzzzzzzz:{token.split(':', 1)[1]}"
            )
        else:
            world.reply.handle = while_the_other_creates  # type: ignore[method-assign]
        return answer

    world.reply.handle = while_the_other_creates  # type: ignore[method-assign]
    world.sync()
    report = world.runs()

    assert world.open() == (1, 2, 1)
    assert ("reply", "duplicate") in attention(report)
    world.quiet(2)


@pytest.mark.parametrize("answer", ["read", "lost"])
def test_what_another_ledger_made_in_the_same_moment_is_known_before_the_list_shows_it(
    worlds: Worlds, answer: str
) -> None:
    """The contact's own list shows it first, and names no time. People moved the due meanwhile, so ours is replaced."""
    world = worlds()
    _, contact, _ = world.everywhere()
    world.runs()
    world.highlevel.lag = timedelta(minutes=5)
    call = world.make("reply")
    world.runs()
    made, due = world.highlevel_open()[0], next(task.due_to for task in world.reply_open())
    anothers = (made.body or "").replace((made.body or "").split(":")[1], "1zzzzzzzzz")
    world.highlevel.person_creates(made.contact, made.title, due, body=anothers)
    world.reply.person_reschedules(call, world.due(hours=9))
    world.reply.person_creates(contact, "ManualEmail", world.due(), "Mail the offer")
    if answer == "lost":
        world.superfone.fault = lambda call: Fault.LOST_ANSWER if world.superfone.is_write(call) else None

    world.runs()
    world.superfone.fault = lambda _call: None
    world.runs()
    world.wait(minutes=5)
    report = world.runs(2)

    assert world.open() == (1, 2, 3)
    assert ("highlevel", "duplicate") in attention(report)
    world.quiet(2)


def test_a_copy_of_another_ledger_is_not_what_our_lost_create_made(worlds: Worlds) -> None:
    """It tells that the other one wrote for this person. So a copy in Superfone, without a marker, is no new task."""
    world = worlds()
    world.make("superfone", reminder=True)
    world.reply.fault = lambda call: Fault.LOST_REQUEST if call.path == "/tasks" else None
    world.runs()
    world.reply.fault = lambda _call: None
    calls = [world.make("reply", hours=9) for _ in range(2)]
    world.wait(minutes=20)
    world.use("laptop")
    world.runs(2)
    for copy in world.highlevel_open():
        if any(f"reply:{call}" in (copy.body or "") for call in calls):
            world.highlevel.person_deletes(copy.id)
    world.use("acme")
    world.runs()
    assert len(world.reply_open()) == 3
    world.runs()
    world.quiet(2)


# an old ledger ---------------------------------------------------------------------------------------


def test_two_calls_of_one_due_made_since(worlds: Worlds) -> None:
    world = worlds()
    world.make("reply", hours=30, title="Old one")
    world.runs()
    world.copy()
    world.make("highlevel", title="Price")
    world.make("highlevel", title="Date")
    world.runs(2)
    before = world.open()
    world.put_back()

    world.quiet(3)

    assert world.open() == before == (1, 3, 3)


@pytest.mark.parametrize("origin", SYSTEMS)
def test_two_reminders_of_one_due_made_since(worlds: Worlds, origin: str) -> None:
    world = worlds()
    world.everywhere()
    world.runs()
    world.copy()
    for title in ("Price", "Date"):
        world.make(origin, title=title, reminder=True)
        world.wait(seconds=1)
    world.runs(2)
    before = world.open()
    world.put_back()

    world.quiet(3)

    assert world.open() == before == (2, 2, 2)


def test_replaced_since_in_superfone_is_not_done(worlds: Worlds) -> None:
    world = worlds(superfone='superseded = "complete"')
    world.make("reply", hours=9)
    world.runs()
    world.copy()
    world.make("highlevel", hours=2, title="Sooner")
    world.runs(2)
    before = world.open()
    world.put_back()

    world.quiet(3)

    assert world.open() == before == (1, 2, 2)


@pytest.mark.parametrize("reopened", ["origin", "copy"])
def test_reopened_since_stays_open(worlds: Worlds, reopened: str) -> None:
    world = worlds()
    call = world.make("reply")
    world.runs()
    world.copy()
    world.finish("reply", call)
    world.runs()
    if reopened == "origin":
        world.reply.person_reopens(call)
    else:
        world.highlevel.person_reopens(world.highlevel.tasks()[0].id)
    world.runs(2)
    before = world.open()
    world.put_back()

    world.quiet(3)

    assert world.open() == before == (1, 1, 1)


def test_put_back_since_is_not_done(worlds: Worlds) -> None:
    world = worlds()
    lead, _, _ = world.everywhere()
    world.runs()
    world.make("reply", hours=9)
    honest = world.superfone.handle

    def just_before(call: Call) -> Reply:
        if world.superfone.is_write(call):
            world.superfone.handle = honest  # type: ignore[method-assign]
            world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=3), title="Visit")
            world.wait(seconds=3)
        return honest(call)

    world.superfone.handle = just_before  # type: ignore[method-assign]
    world.runs()
    world.copy()
    world.runs(3)
    before = world.open()
    assert before == (1, 2, 2)
    world.put_back()

    world.quiet(3)

    assert world.open() == before


def test_an_old_ledger_is_not_believed_before_all_was_read(worlds: Worlds) -> None:
    world = worlds()
    call = world.make("reply")
    world.runs()
    world.copy()
    world.finish("reply", call)
    world.runs()
    world.reply.person_reopens(call)
    world.put_back()

    report = world.quiet(3)

    assert world.open() == (0, 1, 0)
    assert ("reply", "done_or_reopened") in attention(report)


def test_an_old_ledger_waits_for_what_may_have_been_sent_before_it_was_put_back(worlds: Worlds) -> None:
    """A request without an answer may arrive up to `doubt_grace` later, and the copy does not know of it."""
    world = worlds()
    world.everywhere()
    world.runs()
    world.copy()
    world.runs()
    world.make("reply")
    world.put_back()

    report = world.quiet(1)
    assert ("reply", "unread") in waiting(report)
    world.wait(seconds=30)
    world.sync()

    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("deed", ["finish", "move"])
def test_what_people_do_is_listed_while_an_old_ledger_waits(worlds: Worlds, deed: str) -> None:
    world = worlds()
    call = world.make("highlevel")
    world.runs()
    world.copy()
    world.runs()
    world.put_back()
    if deed == "finish":
        world.finish("highlevel", call)
    else:
        world.highlevel.person_reschedules(call, world.due(hours=30))

    report = world.quiet(1)

    assert waiting(report) == {("highlevel", "unread")}
    world.runs()
    assert waiting(world.quiet()) == set()
