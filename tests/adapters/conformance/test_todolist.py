"""The example of the documentation: a fourth CRM keeps the contract, and syncs with two of ours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from adapters.conformance import AdapterConformance, Bench, KitWorld, Shown, WholeRuns, in_hours, whole
from adapters.http.sandbox_transport import SandboxTransport
from adapters.sandbox import Sandbox
from syncer.config import registry
from syncer.config.loader import load_account
from syncer.domain.model import Kind
from tests.adapters.conformance.todolist.adapter import SYSTEM, TodoListAdapter, TodoListSettings
from tests.adapters.conformance.todolist.sandbox import TodoListSandbox
from tests.support.world import SECRETS
from tests.support.world import World as OurWorld

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/adding-a-crm.md").read_text("utf-8")
SOURCES = [
    ROOT / "tests/adapters/conformance/todolist/adapter.py",
    ROOT / "tests/adapters/conformance/todolist/sandbox.py",
    Path(__file__),
]


class TodoListBench(Bench):
    """Hands in the to-do list, and short pages."""

    state_field = "done"
    open_states = (False,)
    done_states = (True,)
    strange_states = (*Bench.strange_states, 1, "yes")
    contact_fields = ("person",)
    deleted_field = "trashed"
    throttled_for = 3
    user = "ravi"
    page = 5

    def __init__(self, crm: TodoListSandbox, adapter: Any = TodoListAdapter) -> None:
        self.crm = crm
        crm.page = self.page
        settings = TodoListSettings(key=SecretStr(crm.key))
        zone = ZoneInfo("Asia/Kolkata")
        adapter = adapter(settings, region="IN", zone=zone, transport=SandboxTransport(crm))
        super().__init__(adapter, crm, secrets=(crm.key,))

    def add_contact(self, name: str, email: str, phone: str) -> str:
        return self.crm.add_person(name, email, phone)

    def add_task(self, contact: str, kind: Kind, due: datetime, title: str) -> str:  # noqa: ARG002 - it has no kinds
        return self.crm.person_creates(contact, title, due)

    def add_task_of_day(self, contact: str, day: date, title: str) -> str:
        return self.crm.person_creates(contact, title, day=day)

    def complete(self, task: str) -> None:
        self.crm.person_completes(task)

    def reopen(self, task: str) -> None:
        self.crm.person_reopens(task)

    def delete(self, task: str) -> None:
        self.crm.person_deletes(task)

    def tasks(self) -> Mapping[str, Shown]:
        of_day = self.adapter.capabilities.dues.of_day
        return {
            todo.id: Shown(
                todo.person,
                not todo.done,
                of_day(todo.day) if todo.day else todo.due,
                f"{todo.text}\n{todo.note or ''}",
                todo.owner,
            )
            for todo in self.crm.todos.values()
        }


class TestTodoList(AdapterConformance, WholeRuns):
    """Every trial of the kit, and whole runs beside another CRM."""

    def make(self) -> Bench:
        return TodoListBench(TodoListSandbox(self.now))

    @whole
    async def test_a_reopened_to_do_is_copied_again(self, world: KitWorld) -> None:
        task = world.bench.add_task(world.contact, Kind.TODO, in_hours(5), "Buy the flowers")
        await world.settle()
        world.bench.complete(task)
        await world.settle()
        world.bench.reopen(task)
        await world.settle()
        assert [copy.title for copy in world.partner.open_tasks()] == ["Buy the flowers"]


ACCOUNT = """
[account]
name = "acme"
[superfone]
api_key = "env:SUPERFONE_API_KEY"
base_url = "http://127.0.0.1:1"
rate = "1000/s"
[reply]
api_key = "env:REPLY_API_KEY"
base_url = "http://127.0.0.1:2"
rate = "1000/s"
[todolist]
key = "env:TODOLIST_KEY"
base_url = "http://127.0.0.1:4"
rate = "1000/s"
{todolist}
"""


class TodoListWorld(OurWorld):
    """Two of our CRMs, a to-do list, and the engine."""

    def configure(self, **settings: str) -> None:
        self.todolist = TodoListSandbox(self.now)
        self._file = self._folder / "acme.toml"
        self._file.write_text(ACCOUNT.format(todolist=settings.get(SYSTEM, "")))
        self.account = load_account(self._file)

    @property
    def sandboxes(self) -> Mapping[str, Sandbox]:
        return {"superfone": self.superfone, "reply": self.reply, SYSTEM: self.todolist}

    def open_todos(self) -> list[str]:
        return [todo.text for todo in self.todolist.todos.values() if not todo.done]

    def somebody(self) -> tuple[int, str, str]:
        """One person in all three: lead, Reply contact, person of the to-do list."""
        phone, email = "+919876543210", "asha@example.com"
        return (
            self.superfone.add_lead("Asha", [phone]),
            self.reply.add_contact("Asha Rao", email, phone),
            self.todolist.add_person("Asha Rao", email, phone),
        )


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TodoListWorld]:
    point = EntryPoint(SYSTEM, "tests.adapters.conformance.todolist.adapter:TodoListAdapter", registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", EntryPoints([point]).select)
    for name, value in {**SECRETS, "TODOLIST_KEY": "todolist-key"}.items():
        monkeypatch.setenv(name, value)
    made = TodoListWorld(tmp_path)
    yield made
    made.close()


def settle(world: TodoListWorld) -> None:
    """Run until nothing is left to do, and once more, in which nothing may be written."""
    for _ in range(3):
        report = world.sync()
        assert report.status == "ok"
        assert not [*report.attention, *report.incidents]
        world.wait(minutes=1)
    before = world.writes()
    world.sync()
    assert world.writes() == before


def test_a_task_of_the_to_do_list_goes_everywhere_and_is_done_everywhere(world: TodoListWorld) -> None:
    lead, _contact, person = world.somebody()
    todo = world.todolist.person_creates(person, "Buy the flowers", world.due(hours=3), "red ones")
    settle(world)
    assert [(task.type, task.due, task.note) for task in world.superfone.open_tasks(lead)] == [
        ("REMINDER", world.todolist.todos[todo].due, "Buy the flowers\nred ones")
    ]
    (copy,) = world.reply.tasks()
    assert (copy.task_type, copy.status) == ("ToDo", "New")
    world.todolist.person_completes(todo)
    settle(world)
    assert not world.superfone.open_tasks(lead)
    assert world.reply.tasks()[0].status == "Finished"


def test_a_person_that_it_lacks_is_waited_for_or_made(world: TodoListWorld) -> None:
    contact = world.reply.add_contact("Ravi Iyer", "ravi@example.com", "+919876500000")
    world.reply.person_creates(contact, "Call", world.due(hours=8), "Ask about the flat")
    assert (SYSTEM, "no_contact") in {(item.system, item.reason.value) for item in world.sync().waiting}
    world._file.write_text(ACCOUNT.format(todolist="create_missing_contacts = true"))
    world.reload()
    world.wait(minutes=1)
    settle(world)
    assert [person["email"] for person in world.todolist.people.values()] == ["ravi@example.com"]
    assert world.open_todos() == ["Ask about the flat"]


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
def test_the_code_of_the_page_is_the_code_that_is_tested(block: str) -> None:
    """Parts may be left out where the page says ``# …``; what is there stands in one of the files, in that order."""
    parts = [part.strip("\n") for part in re.split(r"^ *# …\n", block, flags=re.MULTILINE)]
    assert any(_has(source.read_text("utf-8"), parts) for source in SOURCES)


def _has(text: str, parts: list[str]) -> bool:
    start = 0
    for part in parts:
        start = text.find(part, start)
        if start < 0:
            return False
        start += len(part)
    return True


def test_the_page_names_the_group_that_is_looked_at() -> None:
    assert f'[project.entry-points."{registry.GROUP}"]' in PAGE
    assert f'{SYSTEM} = "' in PAGE
