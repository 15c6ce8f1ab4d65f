"""A CRM that lists contact by contact, and says whose tasks changed since a cursor."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.sandbox import Fault
from adapters.superfone.adapter import SuperfoneAdapter
from syncer.contract.adapter import Capabilities, Changed
from syncer.contract.errors import Refused
from syncer.engine import run
from syncer.reconcile.merging import Merging
from tests.support.own_errors import raise_for
from tests.support.scenario import Make, Stage


class Log:
    """Whose tasks changed, in order. A cursor is a number of changes; those before ``kept`` have expired."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self.kept = 0

    async def list_changed(self, _adapter: SuperfoneAdapter, cursor: str | None) -> Changed:
        """The contacts since the cursor."""
        since = len(self.changes) if cursor is None else int(cursor)
        if since < self.kept:
            raise Refused("the cursor has expired", system="superfone")
        return Changed(frozenset(self.changes[since:]), str(len(self.changes)))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    log = Log()

    def tells(adapter: SuperfoneAdapter) -> Capabilities:
        return replace(adapter._capabilities, tells_changes=True)

    async def list_changed(adapter: SuperfoneAdapter, cursor: str | None) -> Changed:
        return await log.list_changed(adapter, cursor)

    monkeypatch.setattr(SuperfoneAdapter, "capabilities", property(tells))
    monkeypatch.setattr(SuperfoneAdapter, "list_changed", list_changed)
    return log


def two_people(stage: Make) -> tuple[Stage, str, str]:
    world = stage()
    leads = [world.everywhere(f"Person{number}", f"+9198765{number:05d}")[0] for number in range(2)]
    world.again(2)
    return world, leads[0], leads[1]


def test_quiet_contacts_are_read_only_once_their_crm_names_them(stage: Make, log: Log) -> None:
    world, first, _ = two_people(stage)
    before = world.count("superfone", "tasks of contact")
    world.quiet()
    assert world.count("superfone", "tasks of contact") == before

    world.superfone.person_creates(first, "BOOKING", world.due())
    log.changes.append(first)
    world.good()

    assert world.open() == (1, 1, 1)
    world.quiet()


def test_what_a_crm_names_and_cannot_be_read_is_named_again(stage: Make, log: Log) -> None:
    world, first, _ = two_people(stage)
    world.superfone.person_creates(first, "BOOKING", world.due())
    log.changes.append(first)
    world.fail("superfone", "tasks of contact", Fault.ERROR_BEFORE, times=20)
    world.again()
    world.heal()

    world.good()

    assert world.open() == (1, 1, 1)


def test_after_a_cursor_that_has_expired_everybody_is_read_in_turn(stage: Make, log: Log) -> None:
    world, first, second = two_people(stage)
    world.superfone.person_creates(first, "BOOKING", world.due())
    log.changes += [first, second]
    log.kept = 2

    world.good()

    assert world.open() == (1, 1, 1)


def test_what_was_not_stored_is_named_again(stage: Make, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that ends between reading and storing has not taken in what its CRM named."""
    world, first, _ = two_people(stage)
    world.superfone.person_creates(first, "BOOKING", world.due())
    log.changes.append(first)

    def full(*_arguments: object, **_named: object) -> None:
        msg = "full"
        raise OSError(msg)

    with monkeypatch.context() as trouble:
        trouble.setattr(run, "take_in", full)
        with pytest.raises(OSError, match="full"):
            world.sync()

    world.again()
    assert world.open() == (1, 1, 1)


def test_whoever_is_left_out_is_named_again(
    stage: Make, log: Log, monkeypatch: pytest.MonkeyPatch, own_errors: list[str]
) -> None:
    world, first, _ = two_people(stage)
    world.superfone.person_creates(first, "BOOKING", world.due())
    log.changes.append(first)
    with monkeypatch.context() as bug:
        raise_for(bug, Merging, "begin", first, lambda _work, reading, **_: reading.contact)
        world.again(2)
        assert len(own_errors) == 2
        assert world.open() == (1, 0, 0)

    world.again()
    assert world.open() == (1, 1, 1)
