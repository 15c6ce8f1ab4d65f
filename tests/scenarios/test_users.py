"""``[[users]]`` changes while tasks are open, and names users whom a CRM does not know."""

from __future__ import annotations

import pytest

from adapters.highlevel.sandbox_store import refusal
from adapters.sandbox import Call, Fault, Reply
from tests.support.editing import USERS
from tests.support.scenario import PHONE, Make, Stage, attention, details, waiting

REFUSED = ("highlevel", "refused")
RENAMED = USERS.replace('"Asha"', '"Asha Rao"').replace('"Ravi"', '"Ravi Kumar"')


class Strangers:
    """HighLevel rejects every write that assigns a task to this user."""

    def __init__(self, world: Stage, user: str, *, status: int = 422, words: str = "assignedTo is no user") -> None:
        self.refused = 0
        self._crm, self._honest, self._user = world.highlevel, world.highlevel.handle, user
        self._reply = refusal(status, words)
        world.highlevel.handle = self._handle  # type: ignore[method-assign]

    def _handle(self, call: Call) -> Reply:
        if not (self._crm.is_write(call) and self._user in str(call)):
            return self._honest(call)
        self.refused += 1
        return self._reply


def in_reply_alone(world: Stage) -> str:
    """A task of Asha's in Reply, whose person no other CRM has yet."""
    contact = world.reply.add_contact("Meera", "meera@example.com", PHONE)
    return world.reply.person_creates(contact, "ToDo", world.due(), "Ring")


def whose(world: Stage) -> list[str | None]:
    return [one.assigned_to for one in world.highlevel_open()]


@pytest.mark.parametrize("before", [USERS, ""])
def test_whoever_was_renamed_or_added_in_the_file_gets_the_copies_that_are_made_later(stage: Make, before: str) -> None:
    world = stage(more=before)
    in_reply_alone(world)
    world.good()
    world.configure(more=RENAMED)
    world.quiet()
    world.highlevel.add_contact("Meera", "", "meera@example.com", PHONE)

    world.good()

    assert whose(world) == ["userAsha"]
    world.quiet(2)


def test_a_renamed_user_gets_what_was_owed_before(stage: Make) -> None:
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    world.fail("highlevel", "edit", Fault.ERROR_BEFORE)
    world.reply.person_assigns(task, 42)
    world.again()
    world.heal()
    world.configure(more=RENAMED)

    world.again(2)

    assert whose(world) == ["userRavi"]
    world.quiet(2)


def test_whom_people_chose_in_a_copy_stays_who_it_is_by_another_name(stage: Make) -> None:
    """Reply cannot be told that the task is Ravi's, so its own task is still Asha's."""
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    [copy] = world.highlevel_open()
    world.highlevel.person_assigns(copy.id, "userRavi")
    assert waiting(world.good()) == {("reply", "not_editable")}
    world.configure(more=RENAMED)
    assert waiting(world.quiet(2)) == {("reply", "not_editable")}
    world.highlevel.person_deletes(copy.id)
    world.again(2)
    world.retry()

    world.again(2)

    assert whose(world) == ["userRavi"]


@pytest.mark.parametrize(("status", "words"), [(422, "assignedTo is no user"), (400, "User not found")])
def test_a_user_whom_the_crm_does_not_know_costs_no_copy(stage: Make, status: int, words: str) -> None:
    world = stage(more=USERS)
    strangers = Strangers(world, "userAsha", status=status, words=words)
    in_reply_alone(world)
    world.highlevel.add_contact("Meera", "", "meera@example.com", PHONE)
    world.good()
    assert whose(world) == [None]

    report = world.again(2)

    assert attention(report) == {REFUSED}
    assert words in details(report)
    refused = strangers.refused
    assert attention(world.quiet(3)) == {REFUSED}
    assert strangers.refused == refused
    world.configure(more=USERS.replace("userAsha", "userMeera"))
    assert attention(world.good()) == set()
    assert whose(world) == ["userMeera"]
    world.quiet(2)


def test_a_user_whom_the_crm_does_not_know_keeps_no_other_field(stage: Make) -> None:
    world = stage(more=USERS)
    _, contact, _ = world.everywhere()
    task = world.reply.person_creates(contact, "ToDo", world.due(), "Ring")
    world.good()
    Strangers(world, "userRavi")
    for hours in (30, 40):
        world.reply.person_assigns(task, 42)
        later = world.due(hours=hours)
        world.reply.person_reschedules(task, later)
        report = world.again(2)
        assert [(one.due or "")[:19] for one in world.highlevel_open()] == [f"{later:%FT%T}"]
        assert REFUSED in attention(report)
    assert whose(world) == ["userAsha"]
    world.quiet(2)
