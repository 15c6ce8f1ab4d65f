"""A task that people gave to another contact in their CRM: it was entered for the wrong person."""

from __future__ import annotations

import pytest

from adapters.sandbox import Fault
from tests.support.ledger_world import Worlds
from tests.support.parts import look
from tests.support.scenario import Make, attention, waiting
from tests.support.two_persons import OTHER, Two

MOVED = "other_contact"


@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_it_is_the_other_contacts_task_and_its_copies_are_told(stage: Make, origin: str) -> None:
    world = stage()
    two = Two(world, origin)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    report = world.again(3)

    assert two.open() == ((1, 1, 0), (1, 1, 1))
    assert {reason for _, reason in attention(report)} == {MOVED}
    world.quiet(2)


@pytest.mark.parametrize("runs", [0, 1, 3])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_a_lost_ledger_makes_nothing_again_for_the_first_contact(stage: Make, origin: str, runs: int) -> None:
    world = stage()
    two = Two(world, origin)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    if runs:
        world.again(runs)
    world.lose_ledger()
    report = world.again(4)

    asha, ravi = two.open()
    assert asha == (1, 1, 0)
    assert max(ravi) == 1
    assert MOVED in {reason for _, reason in attention(report)}
    world.quiet(2)


def test_what_is_done_for_one_contact_is_not_done_for_the_other(stage: Make) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)

    reply = next(task for task in world.reply_open() if str(task.contact_id) == two.asha[1])
    world.reply.person_completes(str(reply.id))
    report = world.again(2)
    assert two.open() == ((0, 0, 0), (1, 1, 1))
    assert attention(report) == set()

    world.highlevel.person_completes(two.copy)
    world.again(2)
    assert two.open() == ((0, 0, 0), (0, 0, 0))


def test_one_that_is_still_to_be_done_for_both_is_made_again(stage: Make) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)
    assert world.retry()
    world.again(2)
    assert two.open() == ((1, 1, 1), (1, 1, 1))
    assert attention(world.quiet(2)) == set()


@pytest.mark.parametrize("runs", [1, 3])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_one_that_comes_back_is_one_with_its_copies_again(stage: Make, origin: str, runs: int) -> None:
    world = stage()
    two = Two(world, origin)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(runs)
    world.highlevel.person_moves(two.copy, two.asha[2])
    world.again(3)
    asha, ravi = two.open()
    assert asha == (1, 1, 1)
    assert ravi == ((0, 0, 0) if runs == 1 else (1, 1, 0))
    world.reply.person_completes(str(next(t for t in world.reply_open() if str(t.contact_id) == two.asha[1]).id))
    world.again(2)
    assert two.open()[0] == (0, 0, 0)
    assert two.open()[1] == ravi


def test_a_copy_that_leaves_while_an_edit_is_in_doubt_gets_no_value_that_was_typed_since(stage: Make) -> None:
    world = stage()
    two = Two(world, "reply")
    world.reply.person_reschedules(two.task, world.due(hours=40))
    world.fail("highlevel", "edit", Fault.ERROR_BEFORE)
    # It cannot be read either, so the request stays in doubt.
    world.fail("highlevel", "task", Fault.ERROR_BEFORE, times=9)
    world.again(1)
    before = world.highlevel.task(two.copy).due
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(1)
    world.heal()
    world.again(1)
    world.reply.person_reschedules(two.task, world.due(hours=60))
    world.again(4)
    assert world.highlevel.task(two.copy).due == before
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    world.quiet(2)


def test_copies_that_are_moved_with_it_stay_its_copies(stage: Make) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.reply.person_moves(str(world.reply_open()[0].id), two.ravi[1])
    world.again(3)
    assert two.open() == ((1, 0, 0), (1, 1, 1))
    world.quiet(2)


def test_a_message_that_follows_its_copy_to_another_contact_is_one_with_it_again(stage: Make) -> None:
    """There is no copy of it in Reply, which takes no messages from us."""
    world = stage()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    mail = world.reply.person_creates(asha[1], "ManualEmail", world.due(), body="Write")
    world.good()
    world.highlevel.person_moves(world.highlevel_open()[0].id, ravi[2])
    world.again(3)
    world.reply.person_moves(mail, ravi[1])
    report = world.again(3)
    assert world.open() == (0, 1, 1)
    assert attention(report) == set()

    world.reply.person_completes(mail)
    world.again(2)
    assert world.open() == (0, 0, 0)


def test_a_copy_that_is_moved_after_it_is_a_second_copy_there(stage: Make) -> None:
    world = stage()
    two = Two(world)
    old = str(world.reply_open()[0].id)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)
    world.reply.person_moves(old, two.ravi[1])
    report = world.again(3)
    assert two.open() == ((1, 0, 0), (1, 2, 1))
    assert {reason for _, reason in attention(report)} == {MOVED, "duplicate"}
    world.quiet(2)


@pytest.mark.parametrize(("many", "by_event"), [(False, False), (True, False), (True, True)])
def test_a_contact_that_was_merged_into_another_takes_all_with_it(stage: Make, many: bool, by_event: bool) -> None:
    """The CRM merges two contacts of a person while the tasks are read, and the list of contacts is read but rarely."""
    world = stage()
    for number in range(1600 if many else 0):
        world.highlevel.add_contact(f"Nobody {number}", "", f"nobody{number}@example.com", "")
    two = Two(world)
    double = world.highlevel.add_contact("Asha", "", "", "+919876543233")
    world.good()

    def merge() -> None:
        world.highlevel.person_moves(two.copy, double)
        world.highlevel.person_deletes_contact(two.asha[2])
        world.highlevel.person_edits_contact(double, phone="+919876543210")

    world.meanwhile("highlevel", "tasks", merge)
    world.again()
    if by_event:
        look(world, "highlevel", double)
        look(world, "highlevel", two.asha[2])
    world.again(3)
    assert world.open() == (1, 1, 1)
    assert world.lane(two.asha[0]) == ["FOLLOW_UP_CALL"]


def test_a_copy_that_came_back_counts_as_moved_anew(stage: Make) -> None:
    """A contact may be merged into another each time, so that nothing follows from what one run sees."""
    world = stage()
    two = Two(world)
    for _ in range(2):
        world.highlevel.person_moves(two.copy, two.ravi[2])
        world.quiet()
        world.highlevel.person_moves(two.copy, two.asha[2])
        world.quiet()
    requests = world.count("highlevel", "contact")
    world.quiet(2)
    assert world.count("highlevel", "contact") == requests
    assert two.open() == ((1, 1, 1), (0, 0, 0))


def test_what_was_typed_before_it_moved_reaches_its_old_copies_once_they_are_freed(stage: Make) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_retitles(two.copy, "Ring twice")
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again(3)
    [left] = [task for task in world.reply_open() if str(task.contact_id) == two.asha[1]]
    assert "Ring twice" not in str(left.template["body"])
    assert world.retry()
    world.again(3)
    titles = {str(task.template["body"]).split("\n")[0] for task in world.reply_open()}
    assert titles | {task.title for task in world.highlevel_open()} == {"Ring twice"}
    assert two.open() == ((1, 1, 1), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("step", range(1, 14))
def test_a_process_that_is_killed_meanwhile_doubles_nothing(stage: Make, step: int) -> None:
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    world.again()
    world.wait(minutes=1)
    world.sync_until_killed(step)
    world.again(3)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_run_for_one_of_the_two_contacts_leaves_them_what_is_theirs(stage: Make, after: int) -> None:
    """It reads one person, and the task's other copies are another one's."""
    world = stage()
    two = Two(world)
    world.highlevel.person_moves(two.copy, two.ravi[2])
    if after:
        world.again(after)
    look(world, "highlevel", two.ravi[2])
    look(world, "highlevel", two.asha[2])
    look(world, "reply", two.ravi[1])
    look(world, "superfone", two.asha[0])
    asha, ravi = two.open()
    assert asha == (1, 1, 0)
    assert max(ravi) == 1
    world.again(3)
    assert two.open() == ((1, 1, 0), (1, 1, 1))
    world.quiet(2)


@pytest.mark.parametrize("lost", [None, 0, 3])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_one_that_is_given_to_another_contact_in_reply(stage: Make, origin: str, lost: int | None) -> None:
    world = stage()
    two = Two(world, origin)
    world.reply.person_moves(str(world.reply_open()[0].id), two.ravi[1])
    for _ in range(lost or 0):
        world.again()
    if lost is not None:
        world.lose_ledger()
    report = world.again(4)
    asha, ravi = two.open()
    assert asha == (1, 0, 1)
    assert max(ravi) == 1
    assert ravi == (1, 1, 1) or lost is not None
    assert MOVED in {reason for _, reason in attention(report)}
    world.quiet(2)


@pytest.mark.parametrize("to", ["nobody", "superfone"])
def test_one_that_is_given_to_somebody_whom_not_every_crm_knows(stage: Make, to: str) -> None:
    world = stage()
    two = Two(world)
    meera = world.highlevel.add_contact("Meera", "", "meera@example.com", "+919876543255")
    if to == "superfone":
        world.superfone.add_lead("Meera", ["+919876543255"], [])
    world.good()
    world.highlevel.person_moves(two.copy, meera)
    report = world.again(3)
    assert world.open() == ((2 if to == "superfone" else 1), 1, 1)
    assert {reason for _, reason in attention(report)} == {MOVED}
    assert ("reply", "no_contact") in waiting(report)
    world.complete_in("highlevel")
    world.again(2)
    assert world.open() == (1, 1, 0)
    assert two.open()[0] == (1, 1, 0)


def test_what_is_left_alone_is_free_again_once_it_is_given_to_a_third_contact(stage: Make) -> None:
    world = stage()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    meera = world.everywhere("Meera", "+919876543255")
    mail = world.reply.person_creates(asha[1], "ManualEmail", world.due(), "Write")
    world.good()
    world.highlevel.person_moves(world.highlevel_open()[0].id, ravi[2])
    assert {reason for _, reason in attention(world.again(3))} == {MOVED}
    world.reply.person_moves(mail, meera[1])
    report = world.again(3)
    assert attention(report) == set()
    assert sorted(task.contact or "" for task in world.highlevel_open()) == sorted([ravi[2], meera[2]])
    world.quiet(2)


@pytest.mark.parametrize("superseded", [False, True])
@pytest.mark.parametrize("runs", [0, 1, 3])
@pytest.mark.parametrize("system", ["highlevel", "reply"])
def test_a_lost_ledger_makes_no_copy_again_of_which_only_one_was_moved(
    stage: Make, system: str, runs: int, superseded: bool
) -> None:
    world = stage()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    world.superfone.person_creates(int(asha[0]), "FOLLOW_UP_CALL", world.due())
    world.good()
    if system == "highlevel":
        world.highlevel.person_moves(world.highlevel_open()[0].id, ravi[2])
    else:
        world.reply.person_moves(str(world.reply_open()[0].id), ravi[1])
    if runs:
        world.again(runs)
    if superseded:
        world.superfone.person_creates(int(asha[0]), "BOOKING", world.due(hours=50))
    world.lose_ledger()
    report = world.again(4)
    reply = sum(str(task.contact_id) == asha[1] for task in world.reply_open()) - superseded
    highlevel = sum(task.contact == asha[2] for task in world.highlevel_open()) - superseded
    assert (reply, highlevel) == ((1, 0) if system == "highlevel" else (0, 1))
    assert MOVED in {reason for _, reason in attention(report)}
    world.quiet(2)


@pytest.mark.parametrize("runs", [0, 1, 3])
@pytest.mark.parametrize("system", ["highlevel", "reply"])
@pytest.mark.parametrize("origin", ["highlevel", "reply"])
def test_a_lost_ledger_that_reads_what_was_finished_for_the_other_contact_makes_nothing_of_the_rest(
    stage: Make, origin: str, system: str, runs: int
) -> None:
    world = stage()
    two = Two(world, origin)
    given = two.copy if system == "highlevel" else str(world.reply_open()[0].id)
    # Finished tasks are read only of persons who have an open one.
    world.reply.person_creates(two.ravi[1], "Call", world.due(hours=30), "Ring Ravi")
    world.good()
    crm, contact = (world.highlevel, two.ravi[2]) if system == "highlevel" else (world.reply, two.ravi[1])
    crm.person_moves(given, contact)
    if runs:
        world.again(runs)
    crm.person_completes(given)
    world.lose_ledger()
    report = world.again(4)
    left = (1, 1, 0) if system == "highlevel" else (1, 0, 1)
    assert two.open()[0] == left
    assert MOVED in {reason for _, reason in attention(report)}
    world.quiet(2)


@pytest.mark.parametrize("origin", ["highlevel", "reply"])
@pytest.mark.parametrize("runs", [0, 1, 4])
def test_an_old_copy_of_the_ledger_doubles_nothing(worlds: Worlds, origin: str, runs: int) -> None:
    world = worlds()
    asha, ravi = world.everywhere(), world.everywhere("Ravi", OTHER)
    if origin == "highlevel":
        world.highlevel.person_creates(asha[2], "Ring", world.due())
    else:
        world.reply.person_creates(asha[1], "Call", world.due(), "Ring")
    world.runs(2)
    world.copy()
    world.highlevel.person_moves(world.highlevel_open()[0].id, ravi[2])
    if runs:
        world.runs(runs)
    world.put_back()
    report = world.runs(5)
    reply = [str(task.contact_id) for task in world.reply_open()]
    highlevel = [task.contact for task in world.highlevel_open()]
    assert (sorted(reply), highlevel) == (sorted([asha[1], ravi[1]]), [ravi[2]])
    assert [len(world.superfone.open_tasks(lead)) for lead in (asha[0], ravi[0])] == [1, 1]
    assert {reason for _, reason in attention(report)} == {MOVED}
