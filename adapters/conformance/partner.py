"""A second CRM for whole runs: in memory, without a network, with everything that the engine knows of a CRM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import ClassVar

from syncer.contract.adapter import Adapter, Capabilities, Check, Completes, Identity, ListsTasks
from syncer.contract.errors import InDoubt, Missing, Moved, Refused
from syncer.domain.fields import TaskField, Value
from syncer.domain.model import Draft, Edit, Kind, Listing, Reading, Record, State, TaskRef

SYSTEM = "partner"


class PartnerWire:
    """Counts requests. There is no budget to wait for."""

    def __init__(self) -> None:
        self.reads = 0
        self.writes = 0
        self.outcomes: Counter[str] = Counter()
        self._fence: Callable[[], None] = lambda: None

    def budgets(self) -> dict[str, float]:
        return {}

    def waited(self) -> float:
        return 0.0

    def paused(self) -> float:
        return 0.0

    def set_deadline(self, seconds: float | None) -> None:
        """Nothing is waited for."""

    def set_fence(self, fence: Callable[[], None]) -> None:
        self._fence = fence

    def count_write(self) -> None:
        """Count a write that is about to be carried out."""
        # As the real client does: a run that has lost its lease must write nothing here, either.
        self._fence()
        self.writes += 1


class Partner(Adapter):
    """A CRM that keeps kinds, seconds and markers. ``tasks`` and ``contacts`` are what is there, by id.

    ``loses`` is how many of the next answers to writes are lost, after they were carried out.
    """

    system: ClassVar[str] = SYSTEM

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.wire: PartnerWire = PartnerWire()
        self.tasks: dict[str, Reading] = {}
        self.contacts: dict[str, Record] = {}
        self.loses = 0

    # people ----------------------------------------------------------------------------------------

    def add_contact(self, name: str, email: str, phone: str) -> str:
        """Somebody adds a contact; its id."""
        contact = f"c{len(self.contacts) + 1}"
        self.contacts[contact] = Record(SYSTEM, contact, name, (phone,), (email,))
        return contact

    def person_creates(self, contact: str, kind: Kind, due: datetime, title: str, body: str | None = None) -> str:
        """Somebody adds an open task; its id."""
        return self._add(contact, kind, due, title, body).remote_id

    def person_completes(self, task: str) -> None:
        """Somebody completes a task."""
        self.tasks[task] = replace(self.tasks[task], state=State.DONE, updated_at=self._clock())

    def person_edits(self, task: str, wanted: Mapping[TaskField, Value]) -> None:
        """Somebody changes these fields of a task."""
        values = {name.value: value for name, value in wanted.items()}
        self.tasks[task] = replace(self.tasks[task], updated_at=self._clock(), **values)  # type: ignore[arg-type]

    def open_tasks(self) -> list[Reading]:
        """What is open, oldest first."""
        return [task for task in self.tasks.values() if task.state is State.OPEN]

    # the adapter -----------------------------------------------------------------------------------

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            lists_tasks=ListsTasks.ALL,
            completes=Completes.TASK,
            creates=frozenset(Kind),
            completes_kinds=frozenset(Kind),
            edits=dict.fromkeys((TaskField.DUE, TaskField.TITLE, TaskField.BODY), frozenset(Kind)),
        )

    async def identity(self) -> Identity:
        return Identity("partner-1", "the partner")

    async def list_tasks(self) -> Listing[Reading]:
        self.wire.reads += 1
        return Listing(tuple(self.open_tasks()))

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        self.wire.reads += 1
        self._contact(contact)
        # Newest first, as the contract says.
        return Listing(tuple(task for task in reversed(self.tasks.values()) if task.contact == contact))

    async def get_task(self, ref: TaskRef) -> Reading:
        self.wire.reads += 1
        if ref.remote_id not in self.tasks:
            msg = f"there is no task {ref.remote_id}"
            raise Missing(msg, system=SYSTEM)
        return self.tasks[ref.remote_id]

    async def create_task(self, draft: Draft) -> Reading:
        self.wire.count_write()
        if draft.contact not in self.contacts:
            msg = f"there is no contact {draft.contact}"
            raise Refused(msg, system=SYSTEM)
        made = self._add(draft.contact, draft.kind, draft.due, draft.title, draft.body)
        self.tasks[made.remote_id] = replace(made, marker=draft.marker, assignee=draft.assignee)
        return self._answer(made.remote_id)

    async def complete_task(self, ref: TaskRef) -> Reading:
        self.wire.count_write()
        if ref.remote_id not in self.tasks:
            msg = f"there is no task {ref.remote_id}"
            raise Missing(msg, system=SYSTEM)
        self.person_completes(ref.remote_id)
        return self._answer(ref.remote_id)

    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        now = await self.get_task(ref)
        alike = self.capabilities.alike
        as_expected = all(alike(name, value, now.shown(name)) for name, value in edit.expected.items())
        if now.state is not State.OPEN or not as_expected:
            raise Moved(now)
        self.wire.count_write()
        self.person_edits(ref.remote_id, edit.wanted)
        return self._answer(ref.remote_id)

    async def list_contacts(self) -> Listing[Record]:
        self.wire.reads += 1
        return Listing(tuple(self.contacts.values()))

    async def get_contact(self, remote_id: str) -> Record:
        self.wire.reads += 1
        return self._contact(remote_id)

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        self.wire.reads += 1
        return tuple(one for one in self.contacts.values() if key in (*one.emails, *one.phones))

    async def create_contact(self, record: Record) -> Record:
        self.wire.count_write()
        contact = f"c{len(self.contacts) + 1}"
        self.contacts[contact] = replace(record, system=SYSTEM, remote_id=contact)
        return self.contacts[contact]

    async def check(self) -> list[Check]:
        return [Check("the partner", ok=True)]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _add(self, contact: str, kind: Kind, due: datetime, title: str, body: str | None) -> Reading:
        task, now = f"{len(self.tasks) + 1}", self._clock()
        self.tasks[task] = Reading(
            system=SYSTEM,
            remote_id=task,
            contact=contact,
            state=State.OPEN,
            kind=kind,
            raw_type=kind.value,
            title=title,
            body=body,
            due=due,
            created_at=now,
            updated_at=now,
        )
        return self.tasks[task]

    def _answer(self, task: str) -> Reading:
        if self.loses:
            self.loses -= 1
            msg = "the connection broke before the answer"
            raise InDoubt(msg, system=SYSTEM)
        return self.tasks[task]

    def _contact(self, contact: str) -> Record:
        if contact not in self.contacts:
            msg = f"there is no contact {contact}"
            raise Missing(msg, system=SYSTEM)
        return self.contacts[contact]
