"""Runs for the contacts that a CRM told of do not take over what a limit keeps a whole run from."""

from __future__ import annotations

from datetime import timedelta

from adapters.sandbox import Fault
from syncer.domain.base import Changes
from syncer.domain.cursors import BY_SHIFT, OTHER_LEDGER, PART_EDITS, STOPPED
from syncer.domain.ledger_ids import new
from syncer.domain.report import Exit
from syncer.engine.opening import seeded_bytes
from syncer.engine.run import Options
from syncer.reconcile.guard import Limits
from tests.support.editing import edits, shift_dues
from tests.support.lasting import crowd
from tests.support.parts import look
from tests.support.scenario import Make, Stage


def one_each(stage: Make, people: int) -> tuple[Stage, list[str]]:
    """A world in which so many people have a to-do that is in all CRMs, and their contacts in HighLevel."""
    world = stage(highlevel='default_kind = "todo"')
    contacts = [contact for _, _, contact in crowd(world, people)]
    for number, contact in enumerate(contacts):
        world.highlevel.person_creates(contact, f"Ask {number}", world.due(hours=24 + number))
    world.good()
    return world, contacts


def test_most_copies_that_change_at_once_stop_small_runs_too(stage: Make) -> None:
    """As in a whole run: what was read is not believed, and stops the next run as well."""
    world = stage(highlevel='default_kind = "todo"')
    _, _, contact = world.everywhere()
    for number in range(20):
        world.highlevel.person_creates(contact, f"Ask {number}", world.due(hours=24 + number))
    world.good()
    shift_dues(world)
    assert look(world, "highlevel", contact).report["edited"] == {}
    assert int(world.sync().exit) == Exit.LIMIT
    assert edits(world) == []


def test_after_a_run_that_a_shift_stopped_a_small_run_takes_no_edit_over(stage: Make) -> None:
    world, contacts = one_each(stage, 20)
    shift_dues(world)
    world.wait(minutes=1)
    assert int(world.sync().exit) == Exit.LIMIT
    assert look(world, "highlevel", contacts[0]).report["edited"] == {}
    assert edits(world) == []
    del world.highlevel.handle
    world.highlevel.person_reschedules(world.highlevel_open()[0].id, world.due(hours=90))
    world.good()
    assert edits(world) == ["reply edit"], "once the CRM answers as before, what people change travels again"
    world.quiet()


def test_many_small_runs_do_not_take_over_what_a_whole_run_would_stop_at(stage: Make) -> None:
    """Each of them sees a few copies. Once they had taken over half of a shift, no whole run would notice the rest."""
    world, contacts = one_each(stage, 30)
    shift_dues(world)

    parts = [look(world, "highlevel", contact) for contact in contacts[:20]]

    assert 0 < len(edits(world)) <= 10
    assert [len(part.unknown) for part in parts[-10:]] == [1] * 10, "the others are left to a whole run"
    assert int(world.again().exit) == Exit.LIMIT
    assert int(world.again().exit) == Exit.LIMIT
    del world.highlevel.handle
    world.good()
    world.quiet()
    assert look(world, "highlevel", contacts[0]).unknown == []


def test_a_whole_run_that_could_not_read_a_crm_gives_small_runs_no_room_there(stage: Make) -> None:
    """It cannot have seen whether most copies there read as edited, so it has allowed nothing."""
    world, contacts = one_each(stage, 40)
    shift_dues(world)

    for turn in range(3):
        for contact in contacts[turn * 12 : turn * 12 + 12]:
            look(world, "highlevel", contact)
        world.fail("highlevel", "tasks", Fault.ERROR_BEFORE, times=10)
        world.again()
        world.heal()

    assert 0 < len(edits(world)) <= 10
    assert int(world.again().exit) == Exit.LIMIT


def test_a_whole_run_that_could_not_read_a_crm_lifts_no_stop_of_a_shift(stage: Make) -> None:
    world, contacts = one_each(stage, 20)
    shift_dues(world)
    assert int(world.again().exit) == Exit.LIMIT
    world.fail("highlevel", "tasks", Fault.ERROR_BEFORE, times=10)
    world.again()
    world.heal()

    for contact in contacts[:5]:
        look(world, "highlevel", contact)

    assert edits(world) == []
    del world.highlevel.handle
    world.again()
    world.highlevel.person_reschedules(world.highlevel_open()[0].id, world.due(hours=90))
    assert sum(sum(look(world, "highlevel", one).report["edited"].values()) for one in contacts) == 1


def test_a_whole_run_that_could_read_no_lead_lifts_no_stop_of_a_shift(stage: Make) -> None:
    """Superfone has no list of all tasks, whose absence would tell."""
    world, _ = one_each(stage, 20)
    shift_dues(world)
    assert int(world.again().exit) == Exit.LIMIT
    del world.highlevel.handle

    def stopped() -> str:
        with world.open_ledger(read_only=True) as ledger:
            return ledger.load().cursors.get(STOPPED, "")

    world.fail("superfone", "tasks of contact", Fault.ERROR_BEFORE, times=500)
    world.again()
    assert stopped() == BY_SHIFT
    world.heal()
    world.good()
    assert stopped() == ""


def test_of_a_crm_that_reads_as_shifted_a_small_run_believes_nothing(stage: Make) -> None:
    world, contacts = one_each(stage, 20)
    shift_dues(world)
    assert int(world.again().exit) == Exit.LIMIT
    world.highlevel.person_creates(contacts[0], "Ask anew", world.due(hours=200))
    look(world, "highlevel", contacts[0])
    with world.open_ledger(read_only=True) as ledger:
        assert len(ledger.load().tasks) == 20


def test_edits_that_a_limit_keeps_back_are_not_counted_as_taken_over(stage: Make) -> None:
    world, contacts = one_each(stage, 20)
    world.highlevel.person_reschedules(world.highlevel_open()[0].id, world.due(hours=90))
    for contact in contacts:
        look(world, "highlevel", contact, limits=Limits(500, 500, 0))
    with world.open_ledger(read_only=True) as ledger:
        counted = [name for name in ledger.load().cursors if name.startswith(PART_EDITS)]
    assert (counted, edits(world)) == ([], [])


def test_a_whole_run_gives_small_runs_room_for_more_edits(stage: Make) -> None:
    world = stage(highlevel='default_kind = "todo"')
    _, _, contact = world.everywhere()
    tasks = [world.highlevel.person_creates(contact, f"Ask {n}", world.due(hours=24 + n)) for n in range(20)]
    world.good()
    for turn in range(4):
        for task in tasks[turn * 3 : turn * 3 + 3]:
            world.highlevel.person_reschedules(task, world.due(hours=90 + turn))
        assert look(world, "highlevel", contact).report["edited"] == {"reply": 3}
        world.quiet()


def test_small_runs_do_nothing_of_what_a_limit_has_kept_a_whole_run_from(stage: Make) -> None:
    world = stage(sync="max_completions_per_run = 3")
    contacts = []
    for number in range(2):
        _, _, contact = world.everywhere(f"Person{number}", f"+9198765{number:05d}")
        world.highlevel.person_creates(contact, f"Ask {number}", world.due())
        contacts.append(contact)
    world.good()
    world.complete_in("highlevel")
    assert int(world.again().exit) == Exit.LIMIT
    for contact in contacts:
        assert look(world, "highlevel", contact, limits=Limits(500, 3)).report["completed"] == {}
    assert world.open() == (2, 2, 0)
    world.good(Options(allow_completions=4))
    assert world.open() == (0, 0, 0)
    world.highlevel.person_creates(contacts[0], "Ask again", world.due())
    assert look(world, "highlevel", contacts[0]).report["created"] == {"superfone": 1, "reply": 1}
    world.quiet()


def test_the_younger_of_two_ledgers_writes_nothing_in_a_small_run_either(stage: Make) -> None:
    world, contacts = one_each(stage, 1)
    with world.open_ledger() as ledger:
        ledger.store(
            Changes(cursors={OTHER_LEDGER: new(world.now() - timedelta(days=9), seeded_bytes(1)).id}), token=None
        )
    task = world.highlevel.person_creates(contacts[0], "Ask anew", world.due())

    part = look(world, "highlevel", contacts[0])

    assert part.report["created"] == {}
    assert world.open() == (1, 1, 2)
    with world.open_ledger(read_only=True) as ledger:
        assert f"highlevel:{task}" in ledger.load().tasks, "it may have to go on alone one day"


def test_who_is_left_to_a_whole_run_does_not_count_as_read(stage: Make) -> None:
    world, contacts = one_each(stage, 2)
    left, other = sorted({task.lead for task in world.superfone_open()})
    with world.open_ledger(read_only=True) as ledger:
        before = ledger.load().visits
    first = min(world.highlevel_open(), key=lambda task: task.due or "")
    world.highlevel.person_reschedules(first.id, world.due(hours=90))
    copy = min(world.reply_open(), key=lambda task: str(task.due_to))
    world.reply.person_reschedules(str(copy.id), world.due(hours=91))
    world.highlevel.person_creates(contacts[1], "Ask anew", world.due())

    part = look(world, "highlevel", *contacts)

    assert len(part.unknown) == 1
    with world.open_ledger(read_only=True) as ledger:
        after = ledger.load().visits
    moved = {key for key in after if after[key] != before.get(key)}
    assert moved == {("superfone", str(other))}, left


def test_where_a_new_task_cannot_be_read_a_small_run_makes_nothing(stage: Make) -> None:
    """It may be the very task that is to be copied there."""
    world = stage()
    _, contact, person = world.everywhere()
    world.good()
    world.highlevel.person_creates(person, "Ring", world.due())
    world.reply.person_creates(contact, "Call", world.due(), "Ring")
    world.fail("reply", "task", Fault.ERROR_BEFORE, times=20)

    part = look(world, "highlevel", person)

    assert part.report["created"].get("reply", 0) == 0
    world.heal()
    world.again(2)
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_of_whom_a_write_is_in_doubt_is_left_to_a_whole_run(stage: Make) -> None:
    """It reads closed tasks as well, and tells what became of the write before anything else is done."""
    world = stage(sync='doubt_grace = "5m"')
    _, _, contact = world.everywhere()
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.fail("reply", "create", Fault.LOST_REQUEST)
    world.again()
    world.highlevel.person_creates(contact, "Ask", world.due(hours=50))
    written = world.written()
    part = look(world, "highlevel", contact)
    assert [hint.key for hint in part.unknown] == [contact]
    assert world.written() == written
    world.again(2, minutes=5)
    assert len(world.reply_open()) == 2
    world.quiet()
