"""An error of ours with one person, wherever a run meets it: while it links, reads, settles or sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import adapters.highlevel.adapter
import adapters.reply.adapter
import adapters.superfone.adapter
from adapters.sandbox import Fault
from syncer.domain.report import Exit, Report
from syncer.engine import apply as applying
from syncer.engine import edits as editing
from syncer.engine import linking, observe_items, settle, writes
from syncer.engine.own_errors import MOST
from syncer.ledger.errors import Conflict
from syncer.reconcile import contact_linking, reading_list
from tests.support.own_errors import failing, people, raise_for
from tests.support.parts import look
from tests.support.scenario import Make, Stage, attention

Persons = list[tuple[str, str, str]]
Plant = Callable[[pytest.MonkeyPatch, tuple[str, str, str]], None]


def busy(stage: Make) -> tuple[Stage, Persons]:
    """Three persons, each with three tasks that are everywhere, of which people change something."""
    world, persons = people(stage)
    for number, (lead, contact, other) in enumerate(persons):
        world.superfone.person_creates(lead, "BOOKING", world.due(hours=5 + number))
        world.highlevel.person_creates(other, f"Ring {number}", world.due(hours=3 + number))
        world.reply.person_creates(contact, "ToDo", world.due(hours=9 + number), body=f"Note {number}")
    world.again(3)
    for number, (_, contact, other) in enumerate(persons):
        for task in world.highlevel_open():
            if task.contact == other and task.title == f"Ring {number}":
                world.highlevel.person_retitles(task.id, f"Ring again {number}")
        for row in world.reply_open():
            if str(row.contact_id) == contact and "Note" in str(row.template):
                world.reply.person_completes(str(row.id))
        world.highlevel.person_creates(other, f"Visit {number}", world.due(hours=20 + number))
        world.highlevel.person_edits_contact(other, email=f"person{number}@example.com")
    return world, persons


def of(world: Stage, person: tuple[str, str, str]) -> tuple[int, int, int]:
    """How many open tasks a person has in each CRM."""
    lead, contact, other = person
    return (
        len(world.superfone.open_tasks(lead)),
        sum(str(row.contact_id) == contact for row in world.reply_open()),
        sum(task.contact == other for task in world.highlevel_open()),
    )


def named(*ids: str) -> Callable[..., str | None]:
    """Return one of these ids if an argument has it."""

    def whose(*arguments: Any) -> str | None:
        for one in arguments:
            for name in ("contact", "key", "remote_id", "id"):
                if str(getattr(one, name, None)) in ids:
                    return ids[0]
            if isinstance(one, str) and one in ids:
                return ids[0]
        return None

    return whose


def everything(bug: pytest.MonkeyPatch, owner: Any, name: str, person: tuple[str, str, str]) -> None:
    raise_for(bug, owner, name, person[0], named(*person))


SENDING: dict[str, Plant] = {
    "what a create asks for": lambda bug, who: everything(bug, writes.Requests, "_draft", who),
    "the operation itself": lambda bug, who: raise_for(
        bug, writes.Requests, "operation", who, lambda _self, _planned, contact: contact
    ),
    "the answer to a create": lambda bug, who: everything(bug, writes, "created", who),
    "what the ledger refuses": lambda bug, who: raise_for(
        bug, writes.Requests, "_draft", who[0], named(*who), Conflict("the ledger", "two open copies in one CRM")
    ),
    "the answer to a completion": lambda bug, who: everything(bug, writes, "completed", who),
    "the answer to an edit": lambda bug, who: everything(bug, editing, "edited", who),
    "what a copy is owed": lambda bug, who: raise_for(
        bug, editing, "_possible", who, lambda _context, _task, replica: replica.contact
    ),
    "whether it is the same person": lambda bug, who: raise_for(
        bug, applying, "still_one_person", who, lambda _context, _connection, contact: contact
    ),
    "whether a lane has work": lambda bug, who: raise_for(
        bug, applying._Applier, "_has_work", who, lambda _self, lane, _action: lane[1]
    ),
}


@pytest.mark.parametrize("place", SENDING)
def test_who_cannot_be_written_to_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str], place: str
) -> None:
    world, persons = busy(stage)
    with monkeypatch.context() as bug:
        SENDING[place](bug, persons[1])
        report = world.again()
        assert report.exit is Exit.PARTIAL
        assert failing(report)
        world.again()
    others = {of(world, person) for person in (persons[0], persons[2])}
    assert len(others) == 1
    world.again(2)
    assert {of(world, person) for person in persons} == others
    world.again(2)
    world.quiet()
    assert sorted(task.title for task in world.highlevel_open() if "Ring" in task.title) == [
        f"Ring again {number}" for number in range(3)
    ]
    assert all(any(contact in told for contact in persons[1]) for told in own_errors)


def test_more_who_cannot_be_written_to_than_a_few_end_the_run(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage, MOST + 3)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Ring", world.due())
    with monkeypatch.context() as bug:
        raise_for(bug, writes.Requests, "_draft", "everybody", lambda *_: "everybody")
        with pytest.raises(KeyError):
            world.sync()
        assert world.written() == []
        assert len(own_errors) == MOST
    world.again(2)
    assert world.open() == (MOST + 3,) * 3


@pytest.mark.parametrize("system", ["superfone", "reply", "highlevel"])
def test_a_doubt_that_raises_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str], system: str
) -> None:
    world, persons = busy(stage)
    for what in ("create", "complete", "edit"):
        world.fail(system, what, Fault.LOST_ANSWER, times=9)
    world.again()
    world.heal()
    with monkeypatch.context() as bug:
        for name in ("settle_create", "_settle_complete", "_settle_lane_complete", "_settle_edit"):
            raise_for(bug, settle, name, persons[1], lambda _context, _connection, operation: operation.contact)
        world.again(2)
        assert of(world, persons[0]) == of(world, persons[2])
    world.again(3)
    assert of(world, persons[0]) == of(world, persons[1]) == of(world, persons[2])
    world.quiet()


READING: dict[str, Plant] = {
    "an item": lambda bug, who: raise_for(
        bug, observe_items, "_read_lane", who, lambda _context, _connection, item, _gone: item.key
    ),
    "a row that says something new": lambda bug, who: raise_for(
        bug, reading_list, "says_something_new", who, lambda _base, row, *_: row.contact
    ),
    "a row of a list": lambda bug, who: raise_for(
        bug, observe_items, "says_something_new", who, lambda _base, row, *_: row.contact
    ),
    "a copy that is not listed": lambda bug, who: raise_for(
        bug, reading_list, "link_of", who, lambda _base, record: record[1]
    ),
}


@pytest.mark.parametrize("place", READING)
def test_who_cannot_be_read_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str], place: str
) -> None:
    world, persons = busy(stage)
    before = of(world, persons[1])
    with monkeypatch.context() as bug:
        READING[place](bug, persons[1])
        reports: list[Report] = [world.again() for _ in range(2)]
        assert all(failing(report) for report in reports)
        assert of(world, persons[1]) == before
        assert of(world, persons[0]) == of(world, persons[2]) != before
    world.again(3)
    assert of(world, persons[0]) == of(world, persons[1]) == of(world, persons[2])
    assert not failing(world.quiet())
    assert own_errors


def test_who_cannot_be_linked_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Ring", world.due())
    sound = contact_linking.link_records

    def broken(records: Any, *arguments: Any, **named: Any) -> Any:
        if any(record.remote_id in persons[1] for record in records.values()):
            msg = "a bug"
            raise KeyError(msg)
        return sound(records, *arguments, **named)

    with monkeypatch.context() as bug:
        bug.setattr(linking, "link_records", broken)
        for _ in range(3):
            report = world.good()
            assert failing(report)
            assert world.open() == (2, 2, 3)
        plan = world.plan()
        assert failing(plan)
    world.again(2)
    assert world.open() == (3, 3, 3)
    assert not failing(world.quiet())


def test_who_can_be_linked_no_more_stays_as_they_are(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    """Also somebody without any task is told of, and what changed of them is linked once it can be."""
    world, persons = people(stage)
    world.again(2)
    world.highlevel.person_edits_contact(persons[1][2], email="new@example.com")
    other = world.reply.add_contact("Asha", "new@example.com", "")
    sound = contact_linking.link_records

    def broken(records: Any, *arguments: Any, **named: Any) -> Any:
        if ("highlevel", persons[1][2]) in records:
            msg = "a bug"
            raise KeyError(msg)
        return sound(records, *arguments, **named)

    with monkeypatch.context() as bug:
        bug.setattr(linking, "link_records", broken)
        for _ in range(2):
            assert failing(world.good())
    assert not failing(world.good())
    # The new contact has the e-mail of a person who has another contact in Reply already.
    assert ("reply", "ambiguous_contact") in attention(world.quiet()), other


ADAPTERS = {
    "superfone": (adapters.superfone.adapter, "read_task"),
    "reply": (adapters.reply.adapter, "to_reading"),
    "highlevel": (adapters.highlevel.adapter, "task_reading"),
}


@pytest.mark.parametrize("system", ADAPTERS)
def test_an_adapter_that_raises_for_one_persons_tasks_holds_up_nobody_else(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str], system: str
) -> None:
    world, persons = busy(stage)
    module, name = ADAPTERS[system]
    with monkeypatch.context() as bug:
        ids = {
            *persons[1],
            *(str(task.id) for task in world.superfone_open() if str(task.lead) == persons[1][0]),
            *(str(row.id) for row in world.reply_open() if str(row.contact_id) == persons[1][1]),
            *(task.id for task in world.highlevel_open() if task.contact == persons[1][2]),
        }
        raise_for(bug, module, name, tuple(ids), lambda task, *_: task.id)
        for _ in range(3):
            report = world.again()
            connections: Any = report.as_json()["connections"]
            assert {one["state"] for one in connections.values()} == {"ok"}
            told = [item.detail for item in report.attention if item.reason == "unreadable"]
            assert any("unexpected KeyError" in detail for detail in told)
        assert of(world, persons[0]) == of(world, persons[2])
    world.again(4)
    assert of(world, persons[0]) == of(world, persons[1]) == of(world, persons[2])
    world.quiet()
    assert own_errors


def test_an_adapter_that_raises_for_a_whole_list_costs_its_crm_alone(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = people(stage)
    for _, _, contact in persons:
        world.highlevel.person_creates(contact, "Ring", world.due())

    async def list_tasks(_self: Any) -> None:
        msg = "a bug"
        raise KeyError(msg)

    with monkeypatch.context() as bug:
        bug.setattr(adapters.reply.adapter.ReplyAdapter, "list_tasks", list_tasks)
        report = world.again(2)
        assert report.exit is Exit.PARTIAL
        assert report.as_json()["connections"]["reply"]["state"] == "unavailable"
        assert world.open() == (3, 0, 3)
    world.again(2)
    assert world.open() == (3, 3, 3)
    assert len(own_errors) == 2


def test_an_event_of_somebody_for_whom_anything_raises_is_left_to_the_whole_run(
    stage: Make, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, persons = busy(stage)
    with monkeypatch.context() as bug:
        everything(bug, writes.Requests, "_draft", persons[0])
        part = look(world, "highlevel", persons[0][2], persons[1][2])
        assert sum(part.report["created"].values()) >= 1
        assert own_errors
    world.again(3)
    assert of(world, persons[0]) == of(world, persons[1]) == of(world, persons[2])
    assert not failing(world.quiet())
