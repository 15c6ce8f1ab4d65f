"""The connections between modules: scenarios in which what one part says must reach another, and planted faults."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from adapters.sandbox import Fault
from syncer.domain.report import Exit
from syncer.engine.run import Options
from syncer.ledger import LeaseLost, owner
from tests.simulation.mutations import MUTANTS
from tests.simulation.planting import Mutant, changed_codes
from tests.simulation.wires import Wire
from tests.simulation.wiring import WIRES
from tests.support.long_lists import PAGE
from tests.support.scenario import Make, attention, waiting

MADE = "create_missing_contacts = true"
QUICK = ("to allow no create allows all", "a process of another boot of this host counts as alive")


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_each_planted_fault_has_its_place(wire: Wire) -> None:
    assert changed_codes(wire.mutant)


@pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
def test_each_planted_fault_names_tests_that_are_there(wire: Wire) -> None:
    for node in wire.noticed_by.split(" tests/"):
        file, _, test = node.removeprefix("tests/").partition("::")
        assert f"def {test.partition('[')[0]}" in (Path(__file__).parents[1] / file).read_text("utf-8")


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_has_its_place(mutant: Mutant) -> None:
    assert changed_codes(mutant)


def test_faults_in_the_wiring_are_noticed() -> None:
    command = [sys.executable, "-W", "ignore", "-m", "tests.simulation.wiring", *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stdout


def test_two_persons_with_open_tasks_are_merged(stage: Make) -> None:
    """Two who were strangers turn out to be one: in the same run the tasks of both are everywhere."""
    world = stage()
    contact = world.highlevel.add_contact("Asha", "Rao", "", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    other = world.reply.add_contact("Asha Rao", "asha@example.com", None)
    world.reply.person_creates(other, "Call", world.due(hours=3), body="Ask about the roof")
    world.good()
    world.highlevel.person_edits_contact(contact, email="asha@example.com")
    world.good()
    assert world.open() == (0, 2, 2)


def test_a_row_without_a_title_leaves_the_title(stage: Make) -> None:
    """Reply's list shows no text: what was read of it before is made of the task where its contact turns up later."""
    world = stage()
    lead = world.superfone.add_lead("Asha", ["+919876500001"], [])
    contact = world.reply.add_contact("Asha Rao", "asha@example.com", "+919876500001")
    world.reply.person_creates(contact, "ToDo", world.due(), body="Ask about the roof")
    world.good()
    world.good()
    world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.good()
    assert [task.title for task in world.highlevel_open()] == ["Ask about the roof"]
    assert lead


def test_who_is_found_twice_just_before_is_not_taken(stage: Make) -> None:
    world = stage(reply=MADE)
    lead, contact = world.superfone.add_lead("Asha", ["+919876500001"], ["asha@example.com"]), ""
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())

    def two_come_in_between() -> None:
        world.reply.add_contact("Asha Rao", "asha@example.com", "+919876500001")
        world.reply.add_contact("Asha Roy", "asha@example.com", "+919876500001")

    world.meanwhile("reply", "contacts", two_come_in_between, skip=2)
    world.again(3)

    assert world.reply_open() == []
    assert lead


def test_to_allow_none_allows_none(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.wait(minutes=1)
    assert world.sync(Options(allow_creates=0)).exit is Exit.LIMIT
    assert world.written() == []

    world.good()
    world.complete_in("superfone")
    written = world.written()
    assert world.sync(Options(allow_completions=0)).exit is Exit.LIMIT
    assert world.written() == written
    assert contact


@pytest.mark.usefixtures("small_pages")
def test_a_long_contact_list_is_read_again(stage: Make) -> None:
    world = stage()
    for number in range(PAGE + 20):
        world.highlevel.add_contact(f"Person{number}", "Rao", f"p{number}@example.com", f"+9198765{number:05d}")
    world.good()
    lists = world.count("highlevel", "contacts")
    world.good(hours=1)
    assert world.count("highlevel", "contacts") > lists


def test_what_a_reading_settles_and_what_it_shows_both_stand_in_the_history(stage: Make) -> None:
    """A lane that is read after a lost answer shows what our create made and what it closed; one step stores both."""
    world = stage()
    lead, _, contact = world.everywhere("Asha", "+919876500001")
    world.highlevel.person_creates(contact, "Ring", world.due())
    world.fail("superfone", "create", Fault.LOST_ANSWER)
    world.again(2)
    with world.open_ledger() as ledger:
        words = [event.detail for task in ledger.tasks() for event in ledger.history(task.task.id)]
    assert "created; its answer was lost, and reading showed it" in words, words
    assert lead


def test_which_leads_were_read_outlives_the_run(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    with world.open_ledger() as ledger:
        assert ("superfone", str(lead)) in ledger.load().visits


def test_the_grace_is_a_setting(stage: Make) -> None:
    world = stage(sync='doubt_grace = "5m"')
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.fail("reply", "create", Fault.LOST_REQUEST)
    world.again()
    world.good(minutes=2)
    assert world.reply_open() == []
    world.good(minutes=4)
    assert len(world.reply_open()) == 1


def test_a_run_that_lost_its_lease_stores_nothing(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())

    def another_takes_the_lease() -> None:
        with world.open_ledger() as ledger:
            ledger.release(ledger._token or "")

    world.afterwards("reply", "tasks", another_takes_the_lease)
    with pytest.raises(LeaseLost):
        world.again()
    assert world.written() == []
    with world.open_ledger() as ledger:
        assert ledger.load().tasks == {}


def test_the_marker_of_a_done_task_turns_up_again(stage: Make) -> None:
    """Somebody copies a copy of ours, marker and all, after the task was done: that is another task."""
    world = stage()
    lead, _, contact = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.good()
    copy = world.highlevel_open()[0]
    world.complete_in("superfone")
    world.good()
    world.again(2, days=1)
    world.highlevel.person_creates(contact, "Once more", world.due(hours=9), body=copy.body)
    world.again(2)
    assert world.open() == (1, 1, 1)
    with world.open_ledger() as ledger:
        assert sorted(view.task.state for view in ledger.tasks()) == ["done", "open"]
    world.quiet()


def test_what_our_completion_hit_is_told_though_it_is_ours(stage: Make) -> None:
    """They complete what we meant just before we do, and our request closes the reminder of ours below it."""
    world = stage()
    lead, contact, _ = world.everywhere("Asha", "+919876500001")
    world.reply.person_creates(contact, "ToDo", world.due(), body="First")
    world.good()
    second = world.reply.person_creates(contact, "ToDo", world.due(hours=3), body="Second")
    world.good()
    newest = world.superfone.open_tasks(lead)[0].id
    world.reply.person_completes(second)
    world.meanwhile("superfone", "complete", lambda: world.superfone.person_completes(newest))
    assert world.again().incidents
    world.again(2)
    assert world.open() == (1, 1, 1)


def test_what_is_in_doubt_stands_in_the_history(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere("Asha", "+919876500001")
    world.superfone.person_creates(lead, "REMINDER", world.due())
    world.fail("reply", "create", Fault.LOST_ANSWER)
    world.again()
    with world.open_ledger() as ledger:
        words = [event.what for task in ledger.tasks() for event in ledger.history(task.task.id)]
    assert "in_doubt" in words


def test_whom_another_person_has_is_not_taken(stage: Make) -> None:
    """Whoever is found just before somebody would be made may be linked to another person by now."""
    world = stage(reply=MADE)
    contact = world.highlevel.add_contact("Asha", "Rao", "asha@example.com", "+919876500001")
    other = world.highlevel.add_contact("Ravi", "Rao", "", "+919876500002")
    taken = world.reply.add_contact("Ravi Rao", "ravi@example.com", "+919876500002")
    world.good()
    world.highlevel.person_creates(contact, "Ring", world.due())

    def gets_the_address() -> None:
        next(one for one in world.reply.contacts() if str(one.id) == taken).fields["email"] = "asha@example.com"

    world.meanwhile("reply", "contacts", gets_the_address, skip=2)
    report = world.again()
    assert [task.contact_id for task in world.reply_open()] == [], (waiting(report), attention(report))
    assert other


def test_another_boot_is_another_machine() -> None:
    owner._machine.cache_clear()
    first = owner.current_owner("a")
    owner._machine.cache_clear()
    with patch.object(owner, "_line", lambda _path: "another-boot"):
        second = owner.current_owner("b")
    owner._machine.cache_clear()
    assert first.machine != second.machine
    assert replace(first, machine="") != second
