"""The three CRMs keep the adapter contract, and adapters that say one thing and do another are found out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import SecretStr

from adapters.conformance import AdapterConformance, Bench, Shown
from adapters.highlevel.adapter import HighLevelAdapter
from adapters.highlevel.sandbox import HighLevelSandbox
from adapters.highlevel.settings import HighLevelSettings
from adapters.reply.adapter import ReplyAdapter
from adapters.reply.mapping import TYPES
from adapters.reply.sandbox import ReplySandbox
from adapters.reply.settings import ReplySettings
from adapters.reply.wire import Dialect
from adapters.sandbox import SandboxTransport
from adapters.superfone.adapter import SuperfoneAdapter
from adapters.superfone.sandbox import SuperfoneSandbox
from adapters.superfone.settings import SuperfoneSettings
from adapters.superfone.wire import wire_type
from syncer.model import Kind

KEY = 'a key/with+strange "signs" in it'
LOCAL = {"base_url": "http://127.0.0.1:1", "rate": "100000/s"}


class SuperfoneBench(Bench):
    """A Superfone account: its pages have 20 rows, whatever is asked for."""

    state_field = "task_status"
    page = 20

    def __init__(self, clock: Any, adapter: type[SuperfoneAdapter] = SuperfoneAdapter, **settings: Any) -> None:
        self.crm = SuperfoneSandbox(clock, api_key=KEY)
        given = SuperfoneSettings.model_validate({"api_key": SecretStr(KEY), **LOCAL, **settings})
        super().__init__(adapter(given, region="IN", transport=SandboxTransport(self.crm)), self.crm, secrets=(KEY,))

    def add_contact(self, name: str, email: str, phone: str) -> str:
        first, _, last = name.partition(" ")
        return str(self.crm.add_lead(first, [phone], [email], last_name=last))

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:
        raw_type = wire_type(kind, "REMINDER") or ""
        return str(self.crm.person_creates(contact, raw_type, due, title, closes_others=False))

    def complete(self, task: str) -> None:
        self.crm.person_completes(task)

    def reopen(self, task: str) -> None:
        self.crm.person_reopens(task)

    def delete(self, task: str) -> None:
        self.crm.person_deletes(task)

    def tasks(self) -> Mapping[str, Shown]:
        every = [task for lead in self.crm.leads() for task in self.crm.tasks(lead.id)]
        return {
            str(task.id): Shown(str(task.lead), task.open, task.due, f"{task.title or ''}\n{task.note or ''}")
            for task in every
        }


class ReplyBench(Bench):
    """A Reply user whose pages are short, and whose lists come in no order."""

    state_field = "status"
    page = 7

    def __init__(
        self, clock: Any, adapter: type[ReplyAdapter] = ReplyAdapter, dialect: Dialect = "integers", **settings: Any
    ) -> None:
        self.crm = ReplySandbox(clock, api_key=KEY, dialect=dialect, strict=True)
        self.crm.top_cap = self.page
        given = ReplySettings.model_validate({"api_key": SecretStr(KEY), "dialect": dialect, **LOCAL, **settings})
        super().__init__(adapter(given, region="IN", transport=SandboxTransport(self.crm)), self.crm, secrets=(KEY,))

    def add_contact(self, name: str, email: str, phone: str) -> str:
        return self.crm.add_contact(name, email, phone)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:
        return self.crm.person_creates(contact, TYPES[kind], due, title)

    def complete(self, task: str) -> None:
        self.crm.person_completes(task)

    def reopen(self, task: str) -> None:
        self.crm.person_reopens(task)

    def delete(self, task: str) -> None:
        self.crm.person_deletes(task)

    def tasks(self) -> Mapping[str, Shown]:
        return {
            str(task.id): Shown(
                str(task.contact_id), task.status == "New", task.due_to, str(task.template.get("body") or "")
            )
            for task in self.crm.tasks()
        }


class HighLevelBench(Bench):
    """A HighLevel location whose pages are short."""

    state_field = "completed"
    page = 9
    no_task = "none0000000000000000"
    no_contact = "none0000000000000000"

    def __init__(self, clock: Any, adapter: type[HighLevelAdapter] = HighLevelAdapter, **settings: Any) -> None:
        self.crm = HighLevelSandbox(clock, token=KEY)
        self.crm.page_clamp = self.crm.contact_page_clamp = self.page
        given = HighLevelSettings.model_validate(
            {"token": SecretStr(KEY), "location_id": self.crm.location_id, **LOCAL, **settings}
        )
        super().__init__(adapter(given, region="IN", transport=SandboxTransport(self.crm)), self.crm, secrets=(KEY,))

    def add_contact(self, name: str, email: str, phone: str) -> str:
        first, _, last = name.partition(" ")
        return self.crm.add_contact(first, last, email, phone)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:  # noqa: ARG002 - it has no kinds
        return self.crm.person_creates(contact, title, due)

    def complete(self, task: str) -> None:
        self.crm.person_completes(task)

    def reopen(self, task: str) -> None:
        self.crm.person_reopens(task)

    def delete(self, task: str) -> None:
        self.crm.person_deletes(task)

    def tasks(self) -> Mapping[str, Shown]:
        return {
            task.id: Shown(
                task.contact or "",
                not task.completed,
                datetime.fromisoformat(task.due) if task.due else None,
                f"{task.title}\n{task.body or ''}",
            )
            for task in self.crm.tasks()
            if not task.deleted
        }


class TestSuperfone(AdapterConformance):
    def make(self) -> Bench:
        return SuperfoneBench(self.now)


class TestSuperfoneTodosInTheSlot(AdapterConformance):
    """A setting that changes what is exclusive."""

    def make(self) -> Bench:
        return SuperfoneBench(self.now, todo_type="FOLLOW_UP_CALL")


class TestReplyInIntegers(AdapterConformance):
    def make(self) -> Bench:
        return ReplyBench(self.now)


class TestReplyInStrings(AdapterConformance):
    """By the other header, and with a setting that makes every completion read before it writes."""

    def make(self) -> Bench:
        bench = ReplyBench(self.now, dialect="strings", auth="bearer", call_resolution="positive")
        bench.crm.order = "reversed"
        bench.crm.finished_status = 409
        return bench


class TestHighLevel(AdapterConformance):
    def make(self) -> Bench:
        return HighLevelBench(self.now)


class TestHighLevelThatLags(AdapterConformance):
    """Its search is late; it is paged by counting, and uses the other one of the two statuses each time."""

    def make(self) -> Bench:
        bench = HighLevelBench(self.now)
        bench.crm.lag = timedelta(seconds=20)
        bench.crm.task_cursors = bench.crm.contact_cursors = False
        bench.crm.search_status = 200
        bench.crm.missing_status = 404
        return bench
