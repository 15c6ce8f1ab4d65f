"""A CRM may list tasks person by person, and have no lane: whole runs keep their promises there, too."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from adapters.conformance import Bench, KitWorld, WholeRuns, in_hours, whole
from adapters.conformance.trial import TITLE
from adapters.sandbox import Call, Fault
from syncer.contract.adapter import Capabilities, ListsTasks
from syncer.contract.errors import Refused
from syncer.domain.model import Kind, Listing, Reading, Record
from syncer.domain.reasons import Reason
from tests.adapters.conformance.test_todolist import TodoListBench
from tests.adapters.conformance.todolist.adapter import SYSTEM, Person, TodoListAdapter
from tests.adapters.conformance.todolist.sandbox import TodoListSandbox


class ByPersonAdapter(TodoListAdapter):
    """The to-do list, if it had no list of everybody's to-dos, and none of people."""

    @property
    def capabilities(self) -> Capabilities:
        return replace(
            super().capabilities,
            lists_tasks=ListsTasks.PER_CONTACT,
            lists_contacts=False,
            contact_keys=("phone",),
            watches_all_contacts=True,
            tells_changes=False,
        )

    async def list_tasks(self) -> Listing[Reading]:
        raise NotImplementedError

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        listing = await super().list_contact_tasks(contact)
        return replace(listing, rows=tuple(reversed(listing.rows)))

    async def list_changed(self, cursor: str | None) -> object:  # type: ignore[override]
        raise NotImplementedError

    async def list_contacts(self) -> Listing[Record]:
        raise NotImplementedError

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        if not key.startswith("+"):
            raise NotImplementedError
        listing = await self._list("/people", self._person)
        return tuple(row for row in listing.rows if key in row.phones)

    async def create_contact(self, record: Record) -> Record:
        if not record.phones:
            raise Refused("nobody can be made there without a number", system=SYSTEM)
        for phone in record.phones:
            for person in await self.find_contacts(phone):
                return person
        wanted = {"name": record.name, "email": next(iter(record.emails), None), "phone": record.phones[0]}
        return (await self._create("/people", wanted)).parse(Person).record(self._region)


RAVI: Final = ("Ravi", "ravi@example.com", "+919876500000")
AGAIN: Final = 3
"""Two people are looked up when a run reads, and one of them again when it writes."""


def ravi(world: KitWorld) -> tuple[str, str]:
    """Add a second person to both CRMs; the ids."""
    return world.bench.add_contact(*RAVI), world.partner.add_contact(*RAVI)


class TestByPerson(WholeRuns):
    """Whole runs beside another CRM."""

    def make(self) -> Bench:
        return TodoListBench(TodoListSandbox(self.now), ByPersonAdapter)

    @whole
    async def test_nothing_is_made_for_somebody_whose_tasks_could_not_be_read(self, world: KitWorld) -> None:
        """What somebody had written down in both CRMs was made once more, as if nothing had been there."""
        here, there = ravi(world)
        await world.settle()
        world.bench.add_task(here, Kind.TODO, in_hours(5), TITLE)
        for contact in (there, world.there):
            world.partner.person_creates(contact, Kind.TODO, in_hours(5), TITLE)
        world.bench.sandbox.fault = lambda call: Fault.ERROR_BEFORE if call.query.get("person") == here else None
        report = await world.sync()
        assert [(item.system, item.reason) for item in report.waiting if item.task] == [(SYSTEM, Reason.UNREAD)]
        assert {task.contact for task in world.bench.tasks().values()} == {here, world.contact}
        world.bench.sandbox.fault = lambda _call: None
        await world.settle()
        assert (len(world.bench.tasks()), len(world.partner.tasks)) == (2, 2)

    @whole
    async def test_somebody_who_is_found_when_a_task_is_to_be_made_is_read_before(self, world: KitWorld) -> None:
        """A number was looked up in vain, and then somebody added the person, with the task."""
        account = world._account
        table = account.connections[SYSTEM].model_copy(update={"create_missing_contacts": True})
        world._account = account.model_copy(update={"connections": {**account.connections, SYSTEM: table}})
        there = world.partner.add_contact(*RAVI)
        world.partner.person_creates(there, Kind.TODO, in_hours(5), TITLE)
        looked_up: list[Call] = []

        def arrives(call: Call) -> None:
            if call.path == "/people" and call.method == "GET":
                looked_up.append(call)
                if len(looked_up) == AGAIN:
                    world.bench.add_task(world.bench.add_contact(*RAVI), Kind.TODO, in_hours(5), TITLE)

        world.bench.sandbox.fault = arrives
        await world.settle()
        assert len(looked_up) >= AGAIN
        assert (len(world.bench.tasks()), len(world.partner.tasks)) == (1, 1)

    @whole
    async def test_one_task_that_cannot_be_understood_does_not_hold_up_others_for_ever(self, world: KitWorld) -> None:
        sandbox = world.bench.sandbox
        assert isinstance(sandbox, TodoListSandbox)
        strange = world.bench.add_task(world.contact, Kind.TODO, in_hours(7), "Something")
        sandbox.todos[strange] = replace(sandbox.todos[strange], done="perhaps")  # type: ignore[arg-type]
        world.partner.person_creates(world.there, Kind.TODO, in_hours(5), TITLE)
        await world.sync()
        assert len(world.bench.tasks()) == 1, "it may be the copy"
        for _ in range(3):
            await world.sync()
        assert len(world.bench.tasks()) == 2
