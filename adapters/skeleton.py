"""Where the author of an adapter begins: a class that says, method by method, what is to be written.

Write ``class YourAdapter(AdapterSkeleton)``, run the kit, and write what its one failing test asks for, until nothing
of the skeleton is left; then make it a subclass of `syncer.contract.adapter.Adapter` itself. What the CRM cannot do is
not declared, and keeps raising `NotImplementedError`.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

from syncer.contract.adapter import Adapter, Capabilities, Check, Identity
from syncer.contract.settings import ConnectionSettings
from syncer.domain.model import Draft, Listing, Reading, Record, TaskRef

# In the order in which the kit's one failing test asks for them.
STEPS: Final = {
    "wire": "in `__init__` make an `adapters.http.client.Http` with the settings' address, key and rates, and keep it "
    "as `self.wire`: every request goes through it",
    "capabilities": "say what your CRM can do; the page docs/adding-a-crm.md explains each of them",
    "identity": "read whose account the key opens, and give its id: a key of another account is refused by it",
    "list_contacts": "read all contacts, to the last page or not at all, each as a `Record` with its keys in one form",
    "get_contact": "read one contact by its id; raise `Missing` where the CRM says that there is none",
    "find_contacts": "find the contacts that show this e-mail or phone number, and nobody else",
    "create_contact": "find the contact with these keys, else make it, in one write; never change one that is there",
    "list_contact_tasks": "read one contact's tasks, open and closed; raise `Missing` for a contact that is not there",
    "list_tasks": "read every open task of the account, to the last page or not at all",
    "get_task": "read one task; raise `Missing` where the CRM says that there is none",
    "create_task": "make one task in one write, the marker's line last in its text, and give the answer as it was read",
    "complete_task": "complete one task in one write, and give the answer as it was read",
    "list_changed": "name the contacts whose tasks changed since the cursor, or do not declare `tells_changes`",
    "edit_task": "read the task, change the wanted fields in one write, and nothing else; or do not declare `edits`",
    "check": "try by one harmless read each what a run needs, and say what to do where it fails; raise nothing",
}
"""The methods in the order in which they are best written, each with what it has to do."""


class Unwritten(NotImplementedError):
    """A method of an adapter is not written yet. The message says what it has to do."""

    def __init__(self, name: str) -> None:
        super().__init__(f"write `{name}`: {STEPS[name]}")


class AdapterSkeleton(Adapter):
    """An adapter in which no method is written yet."""

    system: ClassVar[str] = ""
    settings_model: ClassVar[type[ConnectionSettings]] = ConnectionSettings

    def __init__(self, settings: Any, *, region: str, zone: Any, transport: Any = None) -> None:
        """Keep what is needed. ``region`` is for phone numbers, ``zone`` for days; the `Http` gets ``transport``."""

    @property
    def capabilities(self) -> Capabilities:
        raise Unwritten("capabilities")

    async def identity(self) -> Identity:
        raise Unwritten("identity")

    async def list_contacts(self) -> Listing[Record]:
        raise Unwritten("list_contacts")

    async def get_contact(self, remote_id: str) -> Record:
        raise Unwritten("get_contact")

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        raise Unwritten("find_contacts")

    async def create_contact(self, record: Record) -> Record:
        raise Unwritten("create_contact")

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        raise Unwritten("list_contact_tasks")

    async def list_tasks(self) -> Listing[Reading]:
        raise Unwritten("list_tasks")

    async def get_task(self, ref: TaskRef) -> Reading:
        raise Unwritten("get_task")

    async def create_task(self, draft: Draft) -> Reading:
        raise Unwritten("create_task")

    async def complete_task(self, ref: TaskRef) -> Reading:
        raise Unwritten("complete_task")

    async def check(self) -> list[Check]:
        raise Unwritten("check")

    async def aclose(self) -> None:
        """Close the connection pool, once there is one."""
