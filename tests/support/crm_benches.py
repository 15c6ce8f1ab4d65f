"""The hands of people in the three CRMs, for the conformance kit."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import SecretStr

from adapters.conformance import Bench, Shown
from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.http.sandbox_transport import SandboxTransport
from adapters.reply.adapter import ReplyAdapter
from adapters.reply.mapping import TYPES
from adapters.reply.sandbox import ReplySandbox
from adapters.reply.words import STATUS, Dialect
from adapters.sandbox import Sandbox
from adapters.superfone.adapter import SuperfoneAdapter
from adapters.superfone.sandbox import SuperfoneSandbox
from adapters.superfone.types import wire_type
from syncer.domain.model import Kind

KEY = 'a key/with+strange "signs" in it'
LOCAL = {"base_url": "http://127.0.0.1:1", "rate": "100000/s"}


class CrmBench(Bench):
    """What people do alike in all three."""

    crm: Any

    def __init__(self, crm: Sandbox, adapter: Any, **settings: Any) -> None:
        given = adapter.settings_model.model_validate({**LOCAL, **settings})
        self.crm = crm
        super().__init__(adapter(given, region="IN", transport=SandboxTransport(crm)), crm, secrets=(KEY,))

    def complete(self, task: str) -> None:
        self.crm.person_completes(task)

    def reopen(self, task: str) -> None:
        self.crm.person_reopens(task)

    def delete(self, task: str) -> None:
        self.crm.person_deletes(task)


class SuperfoneBench(CrmBench):
    """A Superfone account: its pages have 20 rows, whatever is asked for."""

    crm: SuperfoneSandbox
    state_field = "task_status"
    open_states = ("PENDING",)
    done_states = ("COMPLETE",)
    type_field = "type"
    page = 20

    def __init__(self, clock: Any, adapter: Any = SuperfoneAdapter, **settings: Any) -> None:
        super().__init__(SuperfoneSandbox(clock, api_key=KEY), adapter, api_key=SecretStr(KEY), **settings)

    def add_contact(self, name: str, email: str, phone: str) -> str:
        first, _, last = name.partition(" ")
        return str(self.crm.add_lead(first, [phone], [email], last_name=last))

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:
        raw_type = wire_type(kind, "REMINDER") or ""
        return str(self.crm.person_creates(contact, raw_type, due, title, closes_others=False))

    def tasks(self) -> Mapping[str, Shown]:
        every = [task for lead in self.crm.leads() for task in self.crm.tasks(lead.id)]
        return {
            str(task.id): Shown(str(task.lead), task.open, task.due, f"{task.title or ''}\n{task.note or ''}")
            for task in every
        }


class ReplyBench(CrmBench):
    """A Reply user whose pages are short, and whose lists come in no order."""

    crm: ReplySandbox
    state_field = "status"
    type_field = "taskType"
    strange_types = ("frobnicated", 77)
    contact_fields = ("contactId", "contact")
    page = 7
    throttled_for = 20

    def __init__(self, clock: Any, adapter: Any = ReplyAdapter, dialect: Dialect = "integers", **settings: Any) -> None:
        crm = ReplySandbox(clock, api_key=KEY, dialect=dialect, strict=True)
        crm.top_cap = self.page
        self.open_states, self.done_states, *others = ((STATUS.write(name, dialect),) for name in STATUS.names.values())
        self.cancelled_states = tuple(value for values in others for value in values)
        super().__init__(crm, adapter, api_key=SecretStr(KEY), dialect=dialect, **settings)

    def add_contact(self, name: str, email: str, phone: str) -> str:
        return self.crm.add_contact(name, email, phone)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:
        return self.crm.person_creates(contact, TYPES[kind], due, title)

    def tasks(self) -> Mapping[str, Shown]:
        return {
            str(task.id): Shown(
                str(task.contact_id), task.status == "New", task.due_to, str(task.template.get("body") or "")
            )
            for task in self.crm.tasks()
        }


class HighLevelBench(CrmBench):
    """A HighLevel location whose pages are short."""

    crm: HighLevelSandbox
    state_field = "completed"
    open_states = (False,)
    done_states = (True,)
    contact_fields = ("contactId",)
    deleted_field = "deleted"
    user = "ocQHyuzHvysMo5N5VsXc"
    page = 9
    no_task = "none0000000000000000"
    no_contact = "none0000000000000000"

    def __init__(self, clock: Any, adapter: Any = HighLevelAdapter) -> None:
        crm = HighLevelSandbox(clock, token=KEY)
        crm.page_clamp = crm.contact_page_clamp = self.page
        super().__init__(crm, adapter, token=SecretStr(KEY), location_id=crm.location_id)

    def add_contact(self, name: str, email: str, phone: str) -> str:
        first, _, last = name.partition(" ")
        return self.crm.add_contact(first, last, email, phone)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:  # noqa: ARG002 - it has no kinds
        return self.crm.person_creates(contact, title, due)

    def tasks(self) -> Mapping[str, Shown]:
        return {
            task.id: Shown(
                task.contact or "",
                not task.completed,
                datetime.fromisoformat(task.due) if task.due else None,
                f"{task.title}\n{task.body or ''}",
                task.assigned_to,
            )
            for task in self.crm.tasks()
            if not task.deleted
        }
