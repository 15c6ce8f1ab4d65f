"""The ledger is lost, and a person exists twice: what may be a copy waits until people have corrected that."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.support.scenario import Make, Stage, attention, waiting

SYSTEMS = ("superfone", "reply", "highlevel")
TWICE = pytest.mark.parametrize("twice", ["reply", "highlevel"])


def again(world: Stage, system: str) -> str:
    """Add the only contact of Reply or HighLevel once more, with its keys. Returns the new one's id."""
    if system == "reply":
        [contact] = world.reply.contacts()
        return world.reply.add_contact("Asha", contact.fields["email"], contact.fields["phone"])
    [person] = world.highlevel.contacts()
    return world.highlevel.add_contact("Asha", email=person.email, phone=person.phone)


def deleted(world: Stage, system: str, contact: str) -> None:
    """A person deletes the contact."""
    (world.reply if system == "reply" else world.highlevel).person_deletes_contact(contact)


def copied(stage: Make, origin: str, number: int = 1) -> Stage:
    """Equal tasks of the only person, with their copies."""
    world = stage()
    lead, contact, person = world.everywhere()
    for _ in range(number):
        if origin == "superfone":
            world.superfone.person_creates(lead, "REMINDER", world.due())
        elif origin == "reply":
            world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
        else:
            world.highlevel.person_creates(person, "Remind", world.due())
    world.good()
    return world


@TWICE
@pytest.mark.parametrize("origin", SYSTEMS)
@pytest.mark.parametrize("number", [1, 2])
def test_the_copies_of_a_person_who_exists_twice_wait_until_it_is_clear_whose_they_are(
    stage: Make, origin: str, twice: str, number: int
) -> None:
    """Equal tasks are told apart by their markers, too."""
    world = copied(stage, origin, number)
    before = world.open()
    world.lose_ledger()
    second = again(world, twice)
    read = []
    for _ in range(3):
        report = world.quiet()
        assert ("reply" if origin != "reply" else "highlevel", "ambiguous_contact") in waiting(report)
        assert "unread" not in {reason for _, reason in waiting(report)}
        read.append(world.count("highlevel", "tasks of contact"))
    assert read[0] > 0
    assert read[2] == read[1], "nothing new can be learned as long as the person exists twice"
    deleted(world, twice, second)
    world.quiet(3)
    assert world.open() == before
    with world.open_ledger(read_only=True) as ledger:
        assert len(ledger.tasks(state="open")) == number


@TWICE
@pytest.mark.parametrize("origin", ["reply", "highlevel"])
def test_copies_wait_for_a_namesake_whose_finished_task_they_may_be_a_copy_of(
    stage: Make, origin: str, twice: str
) -> None:
    """Nothing shows the origin any more: the lists name open tasks only."""
    world = copied(stage, origin)
    world.complete_in(origin)
    world.lose_ledger()
    second = again(world, twice)
    assert ("superfone", "ambiguous_contact") in waiting(world.quiet(2))
    deleted(world, twice, second)
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


@TWICE
@pytest.mark.parametrize("origin", ["reply", "highlevel"])
def test_a_copy_in_a_lane_that_was_finished_while_it_waited_is_not_made_again(
    stage: Make, origin: str, twice: str
) -> None:
    world = copied(stage, origin)
    world.lose_ledger()
    second = again(world, twice)
    world.quiet()
    world.complete_in("superfone")
    world.quiet()
    deleted(world, twice, second)
    world.good()
    report = world.quiet()
    # The origin may have been reopened after that, so people decide.
    assert world.open() == ((0, 1, 0) if origin == "reply" else (0, 0, 1))
    assert attention(report) == {(origin, "done_or_reopened")}


@TWICE
def test_a_task_that_another_ledger_copied_to_a_second_contact_of_its_person_gets_no_copy_on_the_first(
    stage: Make, twice: str
) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.good()
    second = again(world, twice)
    world.good()
    due = world.due(hours=30)
    marker = f"syncer:1zzzzzzzzz:superfone:{world.superfone.person_creates(lead, 'REMINDER', due)}"
    if twice == "reply":
        copy = world.reply.person_creates(second, "ToDo", due, f"Remind\n{marker}")
    else:
        copy = world.highlevel.person_creates(second, "Remind", due, marker)
    world.superfone.person_creates(lead, "REMINDER", world.due(hours=9))

    report = world.again()

    assert world.open() == (2, 2, 2), "the other task is not delayed"
    assert (twice, "ambiguous_contact") in waiting(report)
    world.quiet(2)
    (world.reply if twice == "reply" else world.highlevel).person_deletes(copy)
    deleted(world, twice, second)
    world.good()
    world.quiet()
    assert world.open() == (2, 2, 2)


def test_a_due_that_was_made_up_is_not_written_to_an_origin_that_is_found_only_later(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", None)
    world.good()
    world.highlevel.lag = timedelta(minutes=7)
    again(world, "highlevel")
    world.lose_ledger()
    world.quiet()
    world.highlevel.lag = timedelta(0)
    world.again(3)
    assert world.highlevel.task(task).due is None
