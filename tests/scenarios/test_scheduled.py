"""Tasks that Reply carries out by itself at their start, and sequences that nothing may be written into.

A new due can move the start of a task in Reply, and at its start Reply sends a scheduled message to the customer.
"""

from __future__ import annotations

from tests.support.scenario import PHONE, Make, Stage, attention, waiting

FIXED = ("reply", "not_editable")


def message(world: Stage) -> tuple[str, str]:
    """An e-mail to be written in Reply, and its copy in HighLevel: (Reply's task, HighLevel's)."""
    _, contact, _ = world.everywhere()
    start = world.due(hours=20)
    task = world.reply.person_creates(contact, "ManualEmail", world.due(hours=30), "Dear Asha", start=start)
    world.good()
    [copy] = world.highlevel_open()
    return task, copy.id


def schedule(world: Stage, task: str, *, scheduled: bool = True) -> None:
    """Somebody lets Reply send it by itself, or no longer."""
    [mine] = [one for one in world.reply.tasks() if str(one.id) == task]
    mine.is_scheduled = scheduled


def test_a_message_that_was_scheduled_since_is_never_sent_at_another_time(stage: Make) -> None:
    world = stage()
    task, copy = message(world)
    schedule(world, task)
    [before] = [(one.start_at, one.due_to) for one in world.reply_open()]
    world.highlevel.person_reschedules(copy, world.due(hours=2))

    assert waiting(world.good()) == {FIXED}

    assert [(one.start_at, one.due_to) for one in world.reply_open()] == [before]
    world.quiet(2)
    schedule(world, task, scheduled=False)
    assert waiting(world.good()) == set()
    assert world.count("reply", "edit") == 1


def test_a_message_that_is_scheduled_just_before_we_write_is_not_written(stage: Make) -> None:
    world = stage()
    task, copy = message(world)
    world.highlevel.person_reschedules(copy, world.due(hours=2))
    # The first read is that of a text in its turn, the second one that of the edit.
    world.meanwhile("reply", "task", lambda: schedule(world, task), skip=1)

    before = world.count("reply", "task")

    world.again()

    assert world.count("reply", "task") == before + 2, "it is not tried once more in this run"
    assert world.count("reply", "edit") == 0
    report = world.quiet(3)
    assert waiting(report) == {FIXED}
    assert attention(report) == set()
    world.reply.person_completes(task)
    world.good()
    assert world.highlevel_open() == []


def test_a_message_that_was_scheduled_before_it_was_copied_is_not_copied(stage: Make) -> None:
    world = stage()
    contact = world.reply.add_contact("Asha", "asha@example.com", PHONE)
    task = world.reply.person_creates(contact, "ManualEmail", world.due(), "Dear Asha")
    world.good()
    schedule(world, task)
    world.highlevel.add_contact("Asha", "", "asha@example.com", PHONE)

    assert waiting(world.quiet(2)) == {("highlevel", "scheduled")}

    schedule(world, task, scheduled=False)
    world.good()
    assert len(world.highlevel_open()) == 1
    world.quiet()


def test_a_due_travels_into_a_task_of_a_read_only_sequence(stage: Make) -> None:
    """The setting is about completing it, which would let the sequence go on."""
    world = stage(reply='sequence_tasks = "read_only"')
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=30), sequence=77)
    world.good()
    [copy] = world.highlevel_open()
    earlier = world.due(hours=2)
    world.highlevel.person_reschedules(copy.id, earlier)

    assert waiting(world.good()) == set()

    assert [task.due_to for task in world.reply_open()] == [earlier]
    world.quiet()


def test_a_message_that_was_scheduled_is_known_after_a_lost_ledger_and_finishes_its_copy(stage: Make) -> None:
    world = stage()
    task, copy = message(world)
    schedule(world, task)
    world.good()
    world.lose_ledger()

    assert attention(world.quiet(3)) == set()
    world.highlevel.person_reschedules(copy, world.due(hours=2))
    assert waiting(world.good()) == {FIXED}
    assert world.count("reply", "edit") == 0
    world.reply.person_completes(task)
    world.good()

    assert world.highlevel_open() == []
    world.quiet()
