"""An error of ours with one person's tasks stops nobody else's work, and is told."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox import Fault
from syncer.engine.own_errors import MOST
from syncer.reconcile import merge as merging
from syncer.reconcile import plan as planning
from syncer.reconcile import rebuild as rebuilding
from syncer.reconcile.merging import Merging
from syncer.reconcile.standing import Standing
from tests.support.own_errors import BOOKING, booked, failing, people, raise_for
from tests.support.parts import look
from tests.support.scenario import Make, attention


def begin_breaks(bug: pytest.MonkeyPatch, *contacts: str) -> None:
    """No task of these contacts can be begun."""
    raise_for(bug, Merging, "begin", contacts, lambda _work, reading, **_: reading.contact)


def known_breaks(bug: pytest.MonkeyPatch, contact: str) -> None:
    """Known copies of this contact cannot be compared."""
    raise_for(bug, merging._Known, "_known", contact, lambda _self, _replica, reading: reading.contact)


def plan_breaks(bug: pytest.MonkeyPatch, title: str) -> None:
    """Tasks with this title cannot be planned."""
    raise_for(bug, planning._Planner, "plan_task", title, lambda _self, task: task.title)


def lane_breaks(bug: pytest.MonkeyPatch, lead: str) -> None:
    """Nothing that is read of this lead can be merged."""
    raise_for(
        bug, merging, "look_at_closed", lead, lambda work: lead if lead in work.inputs.seen["superfone"].lanes else ""
    )


def test_whoever_cannot_be_merged_is_left_out_and_the_others_go_on(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = booked(stage)
    with monkeypatch.context() as bug:
        begin_breaks(bug, persons[1][0])
        report = world.good()
        assert world.open() == (3, 2, 2)
        assert failing(report) == [(None, "superfone")]
        assert len(own_errors) == 1
        assert f"superfone:{persons[1][0]}" in own_errors[0]
        report = world.quiet()
        assert failing(report) == [(None, "superfone")]
        assert len(own_errors) == 2

    world.good()
    assert world.open() == (3, 3, 3)
    assert failing(world.quiet()) == []


def test_what_people_do_meanwhile_is_done_once_the_error_is_corrected(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = booked(stage, 2)
    world.again(2)
    assert world.open() == (2, 2, 2)
    world.complete_in("reply")
    with monkeypatch.context() as bug:
        known_breaks(bug, persons[0][1])
        report = world.good()
        assert world.open() == (1, 0, 1)
        assert [task for task, _ in failing(report)] != [None]
        assert len(failing(report)) == 1
        # What is told is the same in each run, and it is what `explain` and `status` find.
        assert failing(world.quiet()) == failing(report)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()
    assert len(own_errors) == 2


def test_who_cannot_be_judged_while_the_crms_are_read_is_left_out_of_all_that_follows(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """Whose tasks are to be read in full is decided by what merge asks, too."""
    world, persons = booked(stage)
    with monkeypatch.context() as bug:
        raise_for(bug, Standing, "_link", persons[1][0], lambda _self, reading: reading.contact)
        report = world.good()
        assert world.open() == (3, 2, 2)
        assert len(failing(report)) == len(own_errors) == 1
        assert len(failing(world.quiet())) == 1
    world.good()
    assert world.open() == (3, 3, 3)
    assert failing(world.quiet()) == []


def test_whoever_cannot_be_planned_is_left_out_and_the_others_go_on(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage)
    for number, (_, _, contact) in enumerate(persons):
        world.highlevel.person_creates(contact, f"Ring {number}", world.due())
    with monkeypatch.context() as bug:
        plan_breaks(bug, "Ring 0")
        plan = world.plan()
        assert len(failing(plan)) == 1
        assert plan.operations is not None
        assert {one.title for one in plan.operations} == {"Ring 1", "Ring 2"}
        report = world.good()
        assert world.open() == (2, 2, 3)
        assert len(failing(report)) == 1
        assert len(own_errors) == 2
        assert len(failing(world.quiet())) == 1
    world.good()
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_many_may_fail_but_not_everybody(stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]) -> None:
    world, persons = booked(stage, MOST + 3)
    with monkeypatch.context() as bug:
        begin_breaks(bug, *(lead for lead, _, _ in persons[: MOST + 1]))
        # This is no single person's error.
        with pytest.raises(KeyError):
            world.sync()
        assert world.written() == []
        assert own_errors == []
    with monkeypatch.context() as bug:
        begin_breaks(bug, *(lead for lead, _, _ in persons[:MOST]))
        report = world.good()
        assert len(failing(report)) == len(own_errors) == MOST
        assert world.open() == (MOST + 3, 3, 3)
    world.good()
    assert world.open() == (MOST + 3,) * 3


def test_an_error_that_is_nobodys_ends_the_run(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage)
    world.superfone.person_creates(persons[0][0], BOOKING, world.due())
    raise_for(monkeypatch, merging, "note_ledgers", "everybody", lambda _work: "everybody")
    with pytest.raises(KeyError):
        world.sync()
    assert own_errors == []
    assert world.written() == []


def test_who_cannot_be_rebuilt_after_a_lost_ledger_gets_no_second_copy(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = booked(stage)
    world.again(2)
    assert world.open() == (3, 3, 3)
    world.lose_ledger()
    conclude = rebuilding._Conclusion.store
    with monkeypatch.context() as bug:

        def store(self: Any) -> None:
            if any(row.contact in persons[2] for row in self._group.readings):
                msg = "a bug"
                raise AssertionError(msg)
            conclude(self)

        bug.setattr(rebuilding._Conclusion, "store", store)
        for _ in range(3):
            report = world.good()
            assert world.open() == (3, 3, 3)
            # Its three copies, none of which is known.
            assert len(failing(report)) == 3
    world.again(2)
    assert world.open() == (3, 3, 3)
    assert failing(world.quiet()) == []
    world.complete_in("reply")
    world.again(2)
    assert world.open() == (0, 0, 0)
    assert own_errors


def test_who_is_left_out_does_not_count_as_read(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """A finished copy is looked for only once, when a person's tasks are read for the first time."""
    world, persons = people(stage, 1)
    world.highlevel.person_creates(persons[0][2], "Ring", world.due())
    world.again(2)
    assert world.open() == (1, 1, 1)
    world.complete_in("superfone")
    world.lose_ledger()
    with monkeypatch.context() as bug:
        begin_breaks(bug, persons[0][2])
        raise_for(bug, merging, "rebuild", "everybody", lambda _work, _link: "everybody")
        assert failing(world.good())
        with world.open_ledger() as ledger:
            assert not ledger.load().visits.keys() & {("superfone", persons[0][0])}
    report = world.again(3)
    # As after any lost ledger.
    assert world.open() == (0, 0, 1)
    assert attention(report) == {("highlevel", "done_or_reopened")}
    assert own_errors


def test_a_task_on_another_persons_contact_is_left_out_with_both(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """Else the row of the one whose task is hidden would become a new task, and be copied."""
    world, persons = people(stage)
    first, second, _ = persons
    world.highlevel.person_creates(first[2], "Ring", world.due())
    world.again(2)
    assert world.open() == (1, 1, 1)
    task = world.reply_open()[0]
    world.reply.person_moves(str(task.id), second[1])
    with monkeypatch.context() as bug:
        known_breaks(bug, first[2])
        report = world.good()
        assert len(failing(report)) >= 1
        world.quiet()
        assert world.open() == (1, 1, 1)
    world.again(3)
    world.quiet()
    assert own_errors


def test_an_operation_under_way_stays_in_doubt_and_is_not_sent_again(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage, 2)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Ring", world.due())
    with monkeypatch.context() as bug:
        # After the create, the lane is listed again and merged.
        world.afterwards("superfone", "create", lambda: lane_breaks(bug, persons[0][0]))
        report = world.again()
        assert report.exit == 1
        assert len(failing(report)) == 1
        assert world.open() == (2, 1 if world.count("reply", "create") == 1 else 2, 2)
        creates = world.count("superfone", "create")
        for _ in range(3):
            report = world.again()
            assert len(failing(report)) == 1
        assert world.count("superfone", "create") == creates == 2
    world.again(3)
    assert world.open() == (2, 2, 2)
    world.quiet()
    assert own_errors


def test_a_doubt_that_cannot_be_settled_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage, 2)
    world.highlevel.person_creates(persons[0][2], "Ring", world.due())
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    world.again()
    world.highlevel.person_creates(persons[1][2], "Ring", world.due())
    with monkeypatch.context() as bug:
        lane_breaks(bug, persons[0][0])
        report = world.again(2)
        assert len(failing(report)) == 1
        assert world.lane(persons[1][0])
        assert world.count("superfone", "create") == 2
    world.again(2)
    assert world.open() == (2, 2, 2)
    world.quiet()
    assert own_errors


def test_an_event_of_a_failing_person_is_left_to_the_whole_run(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage, 2)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Ring", world.due())
    world.again(3)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Visit", world.due(hours=7))
    with monkeypatch.context() as bug:
        begin_breaks(bug, persons[0][2])
        part = look(world, "highlevel", persons[0][2], persons[1][2])
        assert [hint.key for hint in part.unknown] == [persons[0][2]]
        assert sum(part.report["created"].values()) >= 1
        assert len(own_errors) == 1
        assert "highlevel" in {system for _, system in failing(world.good())}
    world.again(2)
    assert not failing(world.quiet())


def test_two_contacts_that_become_one_person_meanwhile(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world = stage()
    world.superfone.add_lead("Asha", ["+919876543210"], [])
    contact = world.highlevel.add_contact("Asha", "Rao", "", "+919876543210")
    other = world.reply.add_contact("Asha", "asha@example.com", "")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.reply.person_creates(other, "Meeting", world.due(hours=7))
    world.again(2)
    with monkeypatch.context() as bug:
        known_breaks(bug, contact)
        assert len(failing(world.good())) == 1
        world.reply.person_edits_contact(other, phone="+919876543210")
        # The one whose task cannot be compared is both of them by now.
        assert len(failing(world.good())) == 2
    world.again(3)
    assert world.open() == (1, 2, 2)
    world.quiet()
    assert len(own_errors) == 2


@pytest.mark.parametrize("function", ["begin", "known", "plan"])
def test_a_process_that_is_killed_beside_such_an_error_loses_nothing(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str], function: str
) -> None:
    for step in range(1, 200, 4):
        world, persons = people(stage, 2)
        for _, contact, _ in persons:
            world.reply.person_creates(contact, "ToDo", world.due(), body="Ring")
        if function == "known":
            world.again(2)
            world.complete_in("highlevel")
        with monkeypatch.context() as bug:
            match function:
                case "begin":
                    begin_breaks(bug, persons[0][1])
                case "known":
                    known_breaks(bug, persons[0][2])
                case _:
                    plan_breaks(bug, "Ring")
            ended = not world.sync_until_killed(step)
            assert failing(world.again())
        world.again(3)
        assert world.open() == ((0, 0, 0) if function == "known" else (2, 2, 2))
        world.quiet()
        if ended:
            break
    assert own_errors
