"""A CRM may do much otherwise and be sane: the kit asks nothing of it that no promise needs.

This one answers completions with nothing, keeps days alone and no phone numbers, lets nobody be made, says *too many
requests* by a 503, has a form of errors of its own, cuts titles off, and answers a deleted to-do with 410.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, ClassVar

from adapters.conformance import AdapterConformance, Bench, WholeRuns
from adapters.http.client import Http, Limits, Rule
from adapters.sandbox import Call, Lie, Reply, json_reply
from syncer.contract.adapter import Capabilities
from syncer.contract.errors import AdapterError, BudgetSpent, InDoubt, Missing, Refused
from syncer.domain.dues import DAY, Dues
from syncer.domain.model import Kind, Reading, Record, TaskRef
from tests.adapters.conformance.test_todolist import TodoListBench
from tests.adapters.conformance.todolist.adapter import SYSTEM, TodoListAdapter
from tests.adapters.conformance.todolist.sandbox import SandboxTodo, TodoListSandbox


class OtherwiseSandbox(TodoListSandbox):
    """The to-do list, as another company would have made it."""

    told_as: ClassVar[Mapping[Lie, str]] = {"task": "id", "contact": "person", "due": "day"}

    def refused(self, status: int, words: str) -> Reply:
        return json_reply(status, {"fault": {"text": words}})

    def throttled(self) -> Reply:
        reply = self.refused(503, "QUERY_LIMIT_EXCEEDED")
        return replace(reply, headers={**reply.headers, "x-slow-down": "3"})

    def _put(self, todo: SandboxTodo) -> None:
        super()._put(replace(todo, text=todo.text[:80]))

    def handle(self, call: Call) -> Reply:
        reply = super().handle(call)
        if call.path.endswith("/done") and reply.status == 200:
            return Reply(204)
        gone = reply.status == 404 and call.path.startswith("/todos/")
        return replace(reply, status=410) if gone else reply


class OtherwiseAdapter(TodoListAdapter):
    """An adapter for that one."""

    def __init__(self, settings: Any, **about: Any) -> None:
        super().__init__(settings, **about)
        self._dues = Dues(DAY, about["zone"])
        self.wire = self._http = Http(
            system=SYSTEM,
            base_url=settings.base_url,
            headers={"Authorization": f"Bearer {settings.key.get_secret_value()}"},
            secrets=[settings.key.get_secret_value()],
            rates=settings.rate,
            rules=[Rule(503, BudgetSpent, ("query limit exceeded",)), Rule(410, Missing)],
            says=["fault.text"],
            own_error=lambda _status, body: body is not None and "fault" in body,
            limits=Limits(waits=("X-Slow-Down",)),
            transport=about["transport"],
        )

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, creates_contacts=False, title_kept=80)

    def _when(self, due: datetime) -> dict[str, str | None]:
        return super()._when(self._dues.of_day(self._dues.day(due)))

    async def complete_task(self, ref: TaskRef) -> Reading:
        await self._http.write("POST", f"/todos/{ref.remote_id}/done")
        try:
            return await self.get_task(ref)
        except AdapterError as error:
            raise InDoubt(error.words, system=SYSTEM, status=error.status) from error

    async def create_contact(self, record: Record) -> Record:
        raise Refused("nobody can be made there", system=record.system)


class OtherwiseBench(TodoListBench):
    """Its people have no phone numbers, and its to-dos no time."""

    keys = ("email",)

    def __init__(self, crm: TodoListSandbox) -> None:
        super().__init__(crm, OtherwiseAdapter)

    def add_contact(self, name: str, email: str, phone: str) -> str:  # noqa: ARG002 - it keeps none
        return self.crm.add_person(name, email)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:  # noqa: ARG002 - it has no kinds
        return self.crm.person_creates(contact, title, day=self.adapter.capabilities.dues.day(due))


class TestOtherwise(AdapterConformance, WholeRuns):
    """The same trials as for any other CRM."""

    def make(self) -> Bench:
        return OtherwiseBench(OtherwiseSandbox(self.now))
