"""The to-do list itself, in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, ClassVar

from adapters.sandbox import Call, Lie, Reply, Sandbox, json_reply


@dataclass(frozen=True, slots=True)
class SandboxTodo:
    """One to-do; its fields are those of the wire."""

    id: str
    person: str
    text: str
    note: str | None
    due: datetime | None
    day: date | None = None
    owner: str | None = None
    done: bool = False

    def shown(self) -> dict[str, Any]:
        """The to-do as every call gives it: a due to the minute, a day without a time."""
        told = {name: getattr(self, name) for name in ("id", "person", "owner", "text", "note", "done")}
        due = self.due.astimezone(UTC).isoformat(timespec="minutes") if self.due else None
        return told | {"due": due, "day": self.day.isoformat() if self.day else None, "trashed": False}


class TodoListSandbox(Sandbox):
    """One to-do list. ``page`` is the most rows of one answer."""

    system: ClassVar[str] = "todolist"
    told_as: ClassVar[Mapping[Lie, str]] = {"task": "id", "contact": "person", "due": "due"}

    def __init__(self, clock: Callable[[], datetime], *, key: str = "todolist-key") -> None:
        super().__init__(clock)
        self.key = key
        self.page = 50
        self.todos: dict[str, SandboxTodo] = {}
        self.people: dict[str, dict[str, Any]] = {}
        self._made = 0
        self._changes: list[str] = []

    def is_write(self, call: Call) -> bool:
        """Everything but reading."""
        return call.method != "GET"

    def unauthorized(self) -> Reply:
        return self.refused(401, "who are you?")

    def throttled(self) -> Reply:
        reply = self.refused(429, "too many requests")
        return replace(reply, headers={**reply.headers, "retry-after": "3"})

    def handle(self, call: Call) -> Reply:
        """Answer one call."""
        if call.headers.get("authorization") != f"Bearer {self.key}":
            return self.unauthorized()
        try:
            return self._route(call, call.path.strip("/").split("/"))
        except KeyError as error:
            return self.refused(404, f"there is no {error.args[0]}")

    def _route(self, call: Call, parts: list[str]) -> Reply:
        match call.method, *parts:
            case "GET", "me":
                return json_reply(200, {"account": "home1"})
            case "GET", "todos":
                return self._paged(call, self._todos(call.query))
            case "GET", "changes":
                return self._changed(call.query.get("since"))
            case "GET", "todos", todo:
                return json_reply(200, self.todos[todo].shown())
            case "POST", "todos":
                made = self._create(call.json()).shown()
                return json_reply(201, self.told(made, lambda: [todo.shown() for todo in self.todos.values()]))
            case "PATCH", "todos", todo:
                self._edit(todo, call.json())
                return json_reply(200, self.todos[todo].shown())
            case "POST", "todos", todo, "done":
                self.person_completes(todo)
                return json_reply(200, self.todos[todo].shown())
            case "GET", "people":
                return self._paged(call, self._people(call.query.get("email")))
            case "POST", "people":
                return json_reply(201, self.people[self.add_person(**call.json())])
            case "GET", "people", person:
                return json_reply(200, self.people[person])
        return self.refused(404, f"there is no {call.path}")

    def _todos(self, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        """The to-dos of one person, those that are open, or all."""
        every = [todo.shown() for todo in self.todos.values()]
        if wanted.get("done") == "false":
            every = [todo for todo in every if not todo["done"]]
        return [todo for todo in every if wanted.get("person", todo["person"]) == todo["person"]]

    def _people(self, email: str | None) -> list[dict[str, Any]]:
        every = self.people.values()
        return [one for one in every if email is None or (one["email"] or "").lower() == email.lower()]

    def _paged(self, call: Call, rows: Iterable[Mapping[str, Any]]) -> Reply:
        """A page begins after an id, so that rows that come or go move no others."""
        after = int(call.query.get("after", "0"))
        left = [row for row in rows if int(row["id"][1:]) > after]
        more = len(left) > self.page
        return json_reply(200, {"items": left[: self.page], "next": left[self.page - 1]["id"][1:] if more else None})

    def _create(self, sent: Mapping[str, Any]) -> SandboxTodo:
        person = self.people[sent["person"]]["id"]
        todo = self.person_creates(person, sent["text"], note=sent["note"], owner=sent["owner"], **_when(sent))
        return self.todos[todo]

    def _edit(self, todo: str, sent: Mapping[str, Any]) -> None:
        """What is not sent stays as it is."""
        text = {name: sent[name] for name in ("text", "note") if name in sent}
        self._put(replace(self.todos[todo], **text, **(_when(sent) if "day" in sent else {})))

    def _changed(self, since: str | None) -> Reply:
        """A page of changes, numbered from the first one on."""
        begin = len(self._changes) if since is None else int(since)
        people = self._changes[begin : begin + self.page]
        return json_reply(200, {"people": people, "next": str(begin + len(people)), "latest": str(len(self._changes))})

    def _put(self, todo: SandboxTodo) -> None:
        minute = todo.due.replace(second=0, microsecond=0) if todo.due else None
        self.todos[todo.id] = replace(todo, due=minute)
        self._changes.append(todo.person)

    def add_person(self, name: str, email: str | None = None, phone: str | None = None) -> str:
        """Somebody adds a person; the id."""
        person = self._new_id("p")
        self.people[person] = {"id": person, "name": name, "email": email, "phone": phone}
        return person

    def person_creates(
        self,
        person: str,
        text: str,
        due: datetime | None = None,
        note: str | None = None,
        *,
        day: date | None = None,
        owner: str | None = None,
    ) -> str:
        """Somebody writes a to-do down; its id. Seconds are cut off."""
        todo = SandboxTodo(self._new_id("t"), person, text, note, due, day, owner)
        self._put(todo)
        return todo.id

    def person_completes(self, todo: str) -> None:
        """Somebody ticks a to-do off."""
        self._put(replace(self.todos[todo], done=True))

    def person_reopens(self, todo: str) -> None:
        """Somebody takes the tick away."""
        self._put(replace(self.todos[todo], done=False))

    def person_deletes(self, todo: str) -> None:
        """Somebody strikes a to-do out for good."""
        self._changes.append(self.todos.pop(todo).person)

    def _new_id(self, letter: str) -> str:
        self._made += 1
        return f"{letter}{self._made}"


def _when(sent: Mapping[str, Any]) -> dict[str, Any]:
    """The due that was sent: an instant or a day, or neither."""
    due, day = sent.get("due"), sent.get("day")
    return {"due": due and datetime.fromisoformat(due), "day": day and date.fromisoformat(day)}
