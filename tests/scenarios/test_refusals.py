"""What stops one write: a refusal, a full account, a copy that somebody deleted."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from adapters.sandbox import Call, Fault, Reply, json_reply
from syncer.domain.report import Exit
from tests.support.scenario import Make, Stage, attention, details, name_of, waiting

SYSTEMS = ("superfone", "reply", "highlevel")


def refuse(world: Stage, system: str, name: str, status: int, words: str) -> Callable[[], None]:
    """From now on the CRM refuses this call; gives back what ends that."""
    sandbox = world.sandboxes[system]
    honest = sandbox.handle

    def handle(call: Call) -> Reply:
        return json_reply(status, {"message": words}) if name_of(system, call) == name else honest(call)

    def end() -> None:
        sandbox.handle = honest  # type: ignore[method-assign]

    sandbox.handle = handle  # type: ignore[method-assign]
    return end


# refusals --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(("status", "words"), [(400, "no such thing"), (404, "not here"), (422, "bad due")])
def test_a_refused_create_is_parked_with_the_crms_words(stage: Make, system: str, status: int, words: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        task = world.reply.person_creates(contact, "Call", world.due())
    else:
        task = str(world.superfone.person_creates(lead, "BOOKING", world.due()))
    end = refuse(world, system, "create", status, words)

    report = world.again()
    assert report.exit is Exit.PARTIAL
    assert (system, "refused") in attention(report)
    assert words in details(report)
    assert attention(world.quiet(2)) == {(system, "refused")}

    end()
    world.quiet()
    if system == "superfone":
        world.reply.person_reschedules(task, world.due(hours=9))
    else:
        world.superfone.person_reschedules(task, world.due(hours=9))
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


def ahead(world: Stage, monkeypatch: pytest.MonkeyPatch, **span: float) -> None:
    """Our clock, not that of the CRMs, is wrong from now on."""
    right = world.now
    monkeypatch.setattr(world, "now", lambda: right() + timedelta(**span))


def test_what_was_refused_while_the_clock_was_ahead_is_sent_once_more_only(
    stage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    due = world.due(hours=20)
    task = world.reply.person_creates(contact, "Call", due)
    refuse(world, "highlevel", "create", 400, "not today")
    ahead(world, monkeypatch, hours=1)
    world.again()
    monkeypatch.undo()
    world.reply.person_reschedules(task, due + timedelta(hours=9))

    report = world.again()

    assert attention(report) == {("highlevel", "refused")}
    assert attention(world.quiet(2)) == {("highlevel", "refused")}
    assert world.count("highlevel", "create") == 2


def test_what_is_refused_after_the_clock_was_set_back_is_not_sent_in_every_run(
    stage: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An earlier edit of the same copy was carried out while the clock was ahead."""
    world = stage()
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "Call", world.due(hours=20))
    ahead(world, monkeypatch, days=1)
    world.good()
    world.reply.person_reschedules(task, world.due(hours=9))
    world.good()
    monkeypatch.undo()
    refuse(world, "highlevel", "edit", 400, "not today")
    world.reply.person_reschedules(task, world.due(hours=12))
    world.again()

    assert ("highlevel", "refused") in attention(world.quiet(2))


def test_a_pause_that_a_wrong_clock_began_is_over(stage: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    world = stage()
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())
    world.fail("highlevel", "create", Fault.ERROR_BEFORE, times=99)
    ahead(world, monkeypatch, days=1)
    world.again(6)
    monkeypatch.undo()
    world.heal()

    world.again()

    assert world.open() == (1, 1, 1)


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_refused_write_is_freed_by_hand(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due())
    if system == "reply":
        world.reply.person_completes(str(world.reply_open()[0].id))
        world.superfone.person_creates(lead, "BOOKING", world.due())
    end = refuse(world, system, "create", 400, "not today")
    world.again()
    end()
    world.quiet()

    assert world.retry() == 1
    world.good()

    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


@pytest.mark.parametrize("system", ["reply", "highlevel"])
def test_a_refused_completion_is_parked_and_freed(stage: Make, system: str) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    end = refuse(world, system, "complete", 422, "not yours")
    world.complete_in("superfone")

    report = world.again()
    assert (system, "refused") in attention(report)
    world.quiet(2)

    end()
    assert world.retry() == 1
    world.good()
    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()


def test_a_refused_task_is_tried_again_when_only_its_text_changes(stage: Make) -> None:
    world = stage()
    _, _, person = world.everywhere()
    task = world.highlevel.person_creates(person, "Ring", world.due(), "Old text")
    end = refuse(world, "reply", "create", 422, "what a text")
    world.again()
    end()
    world.quiet()

    world.highlevel.person_rewrites(task, "New text")
    world.good()

    assert world.open() == (1, 1, 1)
    assert world.quiet().attention == ()


def test_a_refused_task_is_tried_again_when_its_contact_changes(stage: Make) -> None:
    world = stage()
    lead, _, person = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    end = refuse(world, "highlevel", "create", 422, "this contact is odd")
    world.again()
    end()
    world.quiet()

    world.highlevel.person_edits_contact(person, last="Mehta")
    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_a_type_that_the_account_may_not_create(stage: Make) -> None:
    world = stage()
    world.superfone.allowed_types = ("FOLLOW_UP_CALL",)
    lead, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Meeting", world.due(hours=2))
    world.reply.person_creates(contact, "Call", world.due(hours=4))

    world.again(2)

    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    report = world.quiet()
    assert attention(report) == {("superfone", "refused")}
    assert "Allowed: FOLLOW_UP_CALL" in details(report)


# nothing open, says the lane -------------------------------------------------------------------------

NOTHING_OPEN = (400, "No open task found for this lead")


def test_nothing_is_created_while_the_top_is_to_be_completed_and_cannot_be(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.reply.person_creates(contact, "Call", world.due(hours=1))
    world.good()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))
    end = refuse(world, "superfone", "complete", *NOTHING_OPEN)

    world.again(2)
    assert world.lane(lead) == ["BOOKING"]
    assert world.count("superfone", "create") == 0

    end()
    world.good()
    assert world.lane(lead) == ["FOLLOW_UP_CALL"]
    assert world.open() == (1, 1, 1)
    world.quiet()


def test_nothing_open_is_no_failure_and_is_asked_again_in_every_run(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.complete_in("reply")
    end = refuse(world, "superfone", "complete", *NOTHING_OPEN)

    for run in range(1, 8):
        assert world.again().attention == ()
        assert world.count("superfone", "complete") == run

    end()
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()


# a full account --------------------------------------------------------------------------------------


def test_a_full_account_is_tried_with_one_create_a_run(stage: Make) -> None:
    world = stage()
    world.superfone.storage_full = True
    people = [world.everywhere(f"Person{number}", f"+9198765{number:05d}") for number in range(3)]
    for _, contact, _ in people:
        world.reply.person_creates(contact, "Call", world.due(hours=30))

    report = world.again()
    assert world.count("superfone", "create") <= 3
    assert ("superfone", "storage_full") in waiting(report)
    sent = world.count("superfone", "create")
    for run in (1, 2, 3):
        report = world.good()
        assert world.count("superfone", "create") == sent + run
        assert waiting(report) == {("superfone", "storage_full")}
        assert len([item for item in report.waiting if item.system == "superfone"]) == 3
        assert report.attention == ()

    world.superfone.storage_full = False
    world.again(2)
    assert world.open() == (3, 3, 3)
    world.quiet()


def test_however_often_an_account_is_full_nothing_is_wrong_with_the_task(stage: Make) -> None:
    world = stage()
    world.superfone.storage_full = True
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "Call", world.due(hours=30))
    for number in range(1, 7):
        report = world.good(hours=2)
        assert world.count("superfone", "create") == number
        assert waiting(report) == {("superfone", "storage_full")}

    world.wait(hours=2)
    assert world.plan().attention == ()


def test_a_full_account_still_completes(stage: Make) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    world.superfone.storage_full = True
    world.reply.person_creates(contact, "ToDo", world.due(hours=30))
    world.again()
    [copy] = [task for task in world.reply_open() if task.task_type == "Meeting"]
    world.reply.person_completes(str(copy.id))

    world.good()

    assert world.open() == (0, 1, 1)
    assert waiting(world.good()) == {("superfone", "storage_full")}


# copies that are gone --------------------------------------------------------------------------------


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_copy_that_somebody_deleted_is_missed_and_not_made_again(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, _ = world.everywhere()
    if system == "superfone":
        world.reply.person_creates(contact, "Call", world.due())
    else:
        world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    if system == "superfone":
        world.superfone.person_deletes(world.superfone_open()[0].id)
    elif system == "reply":
        world.reply.person_deletes(str(world.reply_open()[0].id))
    else:
        world.highlevel.person_deletes(world.highlevel_open()[0].id)
    world.quiet()

    report = world.quiet(2)
    assert attention(report) == {(system, "replica_missing")}
    assert sum(world.open()) == 2

    assert world.retry() == 1
    world.good()
    assert world.open() == (1, 1, 1)
    assert world.quiet(2).attention == ()


@pytest.mark.parametrize("system", SYSTEMS)
def test_an_origin_that_somebody_deleted_closes_nothing(stage: Make, system: str) -> None:
    world = stage()
    lead, contact, person = world.everywhere()
    if system == "superfone":
        world.superfone.person_deletes(
            _settled(world, lambda: world.superfone.person_creates(lead, "BOOKING", world.due()))
        )
    elif system == "reply":
        world.reply.person_deletes(_settled(world, lambda: world.reply.person_creates(contact, "Call", world.due())))
    else:
        world.highlevel.person_deletes(
            _settled(world, lambda: world.highlevel.person_creates(person, "Ring", world.due()))
        )

    report = world.quiet(3)

    assert sum(world.open()) == 2
    assert attention(report) == {(system, "replica_missing")}
    world.complete_in("reply" if system != "reply" else "highlevel")
    world.good()
    assert world.open() == (0, 0, 0)
    assert world.quiet().attention == ()


def _settled(world: Stage, create: Callable[[], Any]) -> Any:
    made = create()
    world.good()
    return made


def test_a_copy_that_comes_back_is_the_same_copy(stage: Make) -> None:
    world = stage()
    lead, _, _ = world.everywhere()
    world.superfone.person_creates(lead, "BOOKING", world.due())
    world.good()
    copy = world.highlevel_open()[0].id
    world.highlevel.person_deletes(copy)
    world.quiet(2)
    world.highlevel.person_restores(copy)

    report = world.quiet(2)

    assert report.attention == ()
    assert world.open() == (1, 1, 1)
    world.complete_in("superfone")
    world.good()
    assert world.open() == (0, 0, 0)
    world.quiet()
