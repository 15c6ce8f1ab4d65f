"""A task that a newer one closed in the lane was superseded, not done."""

from __future__ import annotations

import pytest

from tests.support.lanes import TAKEN, calls, slot
from tests.support.scenario import Make, waiting


@pytest.mark.parametrize("sibling_actor", [True, False])
@pytest.mark.parametrize("theirs_first", [True, False])
def test_superseded_by_a_person_is_not_done(stage: Make, theirs_first: bool, sibling_actor: bool) -> None:
    world = stage()
    world.superfone.sibling_actor = sibling_actor
    lead, _, contact = world.everywhere()
    if theirs_first:
        world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due(), title="First")
    else:
        world.highlevel.person_creates(contact, "First", world.due())
    world.good()
    newer = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9), title="Second")

    report = world.good()

    assert world.open() == (1, 2, 2)
    assert sum(report.completed.values()) == 0
    assert waiting(report) == {TAKEN}
    assert report.incidents == ()
    world.quiet(2)

    world.superfone.person_completes(newer)
    world.good()
    assert slot(world) == ["First"]
    assert world.open() == (1, 1, 1)
    world.quiet(2)


@pytest.mark.parametrize("sibling_actor", [True, False])
def test_superseded_by_a_person_is_done_where_the_file_says_so(stage: Make, sibling_actor: bool) -> None:
    world = stage(superfone='superseded = "complete"')
    world.superfone.sibling_actor = sibling_actor
    lead, _, contact = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    newer = world.superfone.person_creates(lead, "SITE_VISIT", world.due(hours=9))

    world.good()
    assert world.open() == (1, 1, 1)
    assert world.superfone.task(newer).open
    world.quiet()

    world.superfone.person_completes(newer)
    world.good()
    calls(world, contact, 5)
    world.good()
    calls(world, contact, 2)
    world.good()
    assert world.open() == (1, 2, 2)
    world.quiet()


def test_done_by_one_and_followed_at_once_by_anothers_new_task(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    first = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.superfone.person_completes(first, by=700)
    world.wait(seconds=1)
    world.superfone.person_creates(lead, "SITE_VISIT", world.due(), by=701)

    report = world.good()

    assert dict(report.completed) == {"superfone": 0, "reply": 1, "highlevel": 1}
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_done_and_followed_by_a_new_task_a_little_later(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    first = world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.superfone.person_completes(first)
    world.wait(seconds=5)
    world.superfone.person_creates(lead, "SITE_VISIT", world.due())

    report = world.good()

    assert dict(report.completed) == {"superfone": 0, "reply": 1, "highlevel": 1}
    assert world.open() == (1, 1, 1)
    world.quiet()


@pytest.mark.parametrize("superseded", ["keep", "complete"])
def test_superseded_by_a_person_just_before_our_reminder_is_created(stage: Make, superseded: str) -> None:
    """A reminder closes nothing, so this was no accident of ours, and nothing is put back over the newer task."""
    world = stage(superfone=f'superseded = "{superseded}"')
    world.superfone.sibling_actor = False
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "FOLLOW_UP_CALL", world.due())
    world.good()
    world.reply.person_creates(contact, "ToDo", world.due(hours=8), "Remind")
    world.meanwhile("superfone", "create", lambda: world.superfone.person_creates(lead, "BOOKING", world.due(hours=9)))

    report = world.again()
    world.again(2)

    assert report.incidents == ()
    assert world.lane(lead) == ["REMINDER", "BOOKING"]
    assert world.open() == ((2, 3, 3) if superseded == "keep" else (2, 2, 2))
    world.quiet()
