"""HighLevel, simulated from its documentation and from public knowledge.

Not simulated, because nothing here uses it: creating recurring tasks, contact filters and sorting, tags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from adapters.highlevel.sandbox_contacts import Contacts
from adapters.highlevel.sandbox_oauth import TokenDesk
from adapters.highlevel.sandbox_store import (
    CompletedBody,
    ContactSearchBody,
    CreateContactBody,
    CreateTaskBody,
    Refusal,
    SandboxTask,
    SearchHistory,
    TaskSearchBody,
    UpdateTaskBody,
    checked,
    checked_due,
    is_after,
    make_id,
    refusal,
    wire_instant,
)
from adapters.highlevel.wire import SYSTEM
from adapters.instants import read_iso
from adapters.sandbox import Call, Lie, Reply, Sandbox, json_reply

VERSION: Final = "2021-07-28"
SCOPES: Final = frozenset({"contacts.readonly", "contacts.write", "locations/tasks.readonly", "users.readonly"})
_NO_WRITES: Final = ("/tasks/search", "/contacts/search", "/oauth/token")


class HighLevelSandbox(Contacts, Sandbox):
    """One HighLevel location.

    ``lag`` is how far the task search lags; reads of one item, or of one contact's tasks, never lag. ``search_status``
    is the status of a task search (really 201, documented as 200). ``page_clamp`` is the largest page, whatever is
    requested. ``task_cursors`` adds ``searchAfter`` to rows; ``deleted_rows`` shows deleted tasks in the search;
    ``nested_rows`` wraps task rows in lists, as the published API document says. ``needs_title_and_due`` rejects an
    update without both, as older client code expects. ``scopes`` are the token's.
    ``remaining`` and ``daily_remaining`` are told in every answer. The
    rest is in `Contacts`.
    """

    system: ClassVar[str] = SYSTEM
    told_as: ClassVar[Mapping[Lie, str]] = {"task": "id", "contact": "contactId", "due": "dueDate"}

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        token: str = "highlevel-token",  # noqa: S107 - the simulated CRM's own key, no secret
        location_id: str = "ve9EPM428h8vShlRW1KT",
    ) -> None:
        Sandbox.__init__(self, clock)
        Contacts.__init__(self, clock, location_id)
        self.token = token
        self.lag = timedelta(0)
        self.search_status = 201
        self.page_clamp = 500
        self.task_cursors = True
        self.deleted_rows = True
        self.nested_rows = self.needs_title_and_due = False
        self.oauth = TokenDesk(clock, location_id)
        self.scopes = SCOPES
        self.team = [{"id": "tesTUcmRxWrjqzJS8EjkxNKting", "name": "Asha Rao", "email": "Asha@example.com"}]
        self.remaining = 99
        self.daily_remaining = 199_999
        self._tasks: dict[str, SearchHistory[SandboxTask]] = {}

    # What people and automations do.

    def person_deletes_contact(self, contact: str) -> None:
        """Somebody deletes a contact and all its tasks."""
        self._put_contact(self._contacts[contact].now, deleted=True)
        for task in self.tasks():
            if task.contact == contact:
                self._put_task(task.id, deleted=True)

    def person_creates(
        self,
        contact: str | None,
        title: str,
        due: datetime | None = None,
        body: str | None = None,
        *,
        every: timedelta | None = None,
    ) -> str:
        """Somebody adds a task, with or without a contact; returns its id. ``every`` makes it recurring."""
        return self._add_task(contact, title, wire_instant(due) if due else None, body, None, every=every).id

    def person_completes(self, task: str) -> None:
        """Somebody completes a task. A recurring one is open again, at its next date."""
        self._put_task(task, **self.task(task).completing())

    def person_reopens(self, task: str) -> None:
        """Somebody reopens a task."""
        self._put_task(task, completed=False)

    def person_retitles(self, task: str, title: str) -> None:
        """Somebody changes the title of a task."""
        self._put_task(task, title=title)

    def person_rewrites(self, task: str, body: str | None) -> None:
        """Somebody changes the text of a task."""
        self._put_task(task, body=body)

    def person_reschedules(self, task: str, due: datetime | None) -> None:
        """Somebody changes or removes the due of a task."""
        self._put_task(task, due=wire_instant(due) if due else None)

    def person_assigns(self, task: str, user: str | None) -> None:
        """Somebody assigns a task to a user, or to nobody."""
        self._put_task(task, assigned_to=user)

    def person_moves(self, task: str, contact: str | None) -> None:
        """Somebody moves a task to another contact, or to none. This changes its path."""
        self._put_task(task, contact=contact)

    def person_deletes(self, task: str) -> None:
        """Somebody deletes a task. It remains with ``deleted`` set."""
        self._put_task(task, deleted=True)

    def person_restores(self, task: str) -> None:
        """Somebody restores a deleted task, which is possible for 60 days after a bulk deletion."""
        self._put_task(task, deleted=False)

    def shows(self, task: str) -> bool:
        """Whether the search shows this task as open by now, with whatever contact."""
        seen = self._tasks[task].as_of(self.clock() - self.lag)
        return seen is not None and not (seen.completed or seen.deleted)

    def tasks(self) -> list[SandboxTask]:
        """All tasks as they are now, deleted ones included, oldest first."""
        return [history.now for history in self._tasks.values()]

    def task(self, task: str) -> SandboxTask:
        """One task as it is now."""
        return self._tasks[task].now

    # What the API answers.

    def is_write(self, call: Call) -> bool:
        """True for every call except GET, the two searches and the renewal of tokens."""
        return call.method != "GET" and not call.path.endswith(_NO_WRITES)

    def unauthorized(self) -> Reply:
        return self._signed(refusal(401, "Invalid token: access token is invalid"))

    def throttled(self) -> Reply:
        """A 429. No body and no ``Retry-After`` are documented, only the interval of the rate."""
        reply = self._signed(refusal(429, "Too Many Requests"))
        return replace(reply, headers={**reply.headers, "X-RateLimit-Remaining": "0"})

    def refused(self, status: int, words: str) -> Reply:
        return self._signed(refusal(status, words))

    def forbidden(self) -> Reply:
        return self.refused(403, "Forbidden resource")

    def handle(self, call: Call) -> Reply:
        """Answer one call. It is checked in this order: token, version, address, scope, body."""
        if (call.method, call.path) == ("POST", "/oauth/token"):
            return self._signed(self.oauth.answer(call))
        key = call.headers.get("authorization", "").removeprefix("Bearer ")
        if key != self.token and not self.oauth.opens(key):
            return self.unauthorized()
        try:
            self._check_version(call)
            reply = self._route(call)
        except Refusal as refused:
            reply = refused.reply
        return self._signed(reply)

    def _check_version(self, call: Call) -> None:
        version = call.headers.get("version")
        if version != VERSION:
            raise Refusal(401, "version header is invalid" if version else "version header was not found.")

    def _route(self, call: Call) -> Reply:
        # Some of HighLevel's paths end with a slash.
        match (call.method, *call.path.strip("/").split("/")):
            case ("POST", "locations", location, "tasks", "search"):
                self._need("locations/tasks.readonly", location)
                return self._search_tasks(checked(TaskSearchBody, call.json()))
            case ("GET", "users"):
                self._need("users.readonly", call.query.get("locationId", ""))
                return json_reply(200, {"users": self.team})
            case ("POST", "contacts", "search"):
                self._need("contacts.readonly")
                return self._search_contacts(checked(ContactSearchBody, call.json()))
            case ("GET", "contacts", "search", "duplicate"):
                self._need("contacts.readonly")
                return self._find_duplicate(call)
            case ("POST", "contacts"):
                self._need("contacts.write")
                return self._create_contact(checked(CreateContactBody, call.json()))
            case ("GET", "contacts", contact):
                self._need("contacts.readonly")
                return json_reply(200, {"contact": self._contact(contact).api(self.location_id)})
            case (method, "contacts", contact, "tasks", *rest):
                self._need("contacts.readonly" if method == "GET" else "contacts.write")
                return self._route_task(call, contact, rest)
        raise _no_route(call)

    def _route_task(self, call: Call, contact: str, rest: list[str]) -> Reply:
        match (call.method, *rest):
            case ("GET",):
                self._contact(contact)
                rows = [task.api() for task in self.tasks() if task.contact == contact and not task.deleted]
                return json_reply(200, {"tasks": rows})
            case ("POST",):
                body = checked(CreateTaskBody, call.json())
                self._contact(contact)
                due = checked_due(body.due_date)
                task = self._add_task(contact, body.title, due, body.body, body.assigned_to, completed=body.completed)
                return json_reply(201, {"task": self.told(task.api(), lambda: (one.api() for one in self.tasks()))})
            case ("GET", task_id):
                return self._task_reply(self._task(contact, task_id))
            case ("PUT", task_id):
                update = checked(UpdateTaskBody, call.json())
                if self.needs_title_and_due and None in (update.title, update.due_date):
                    raise Refusal(422, ["title should not be empty", "dueDate should not be empty"])
                return self._task_reply(self._put_task(self._task(contact, task_id).id, **_changes(update)))
            case ("PUT", task_id, "completed"):
                # With `false` it reopens, as a public probe has found.
                done = checked(CompletedBody, call.json())
                task = self._task(contact, task_id)
                changes = task.completing() if done.completed else {"completed": False}
                return self._task_reply(self._put_task(task.id, **changes))
            case ("DELETE", task_id):
                self._put_task(self._task(contact, task_id).id, deleted=True)
                # HighLevel spells it so.
                return json_reply(200, {"succeded": True})
        raise _no_route(call)

    def _search_tasks(self, body: TaskSearchBody) -> Reply:
        # Probes found new tasks missing in the search, and reopened ones still completed, for some seconds.
        moment = self.clock() - self.lag
        seen = [task for history in self._tasks.values() if (task := history.as_of(moment)) is not None]
        tasks = sorted((task for task in seen if self._fits(task, body)), key=lambda task: task.cursor, reverse=True)
        # Not in the official schema, and known from two public clients. Paging by `skip` over rows that move skips
        # some.
        if body.search_after is not None:
            after = body.search_after
            tasks = [task for task in tasks if is_after(task.cursor[: len(after)], after)]
        page = tasks[body.skip :][: min(body.limit, self.page_clamp)]
        rows: list[Any] = [
            task.row(self.location_id, self._mark(task.cursor) if self.task_cursors else None) for task in page
        ]
        return json_reply(self.search_status, {"tasks": [[row] for row in rows] if self.nested_rows else rows})

    def _fits(self, task: SandboxTask, body: TaskSearchBody) -> bool:
        return (
            (self.deleted_rows or not task.deleted)
            and body.completed in {None, task.completed}
            and (body.contact_id is None or task.contact in body.contact_id)
            and (body.assigned_to is None or task.assigned_to in body.assigned_to)
            and body.query.lower() in task.title.lower()
        )

    def _task(self, contact: str, task: str) -> SandboxTask:
        self._contact(contact)
        history = self._tasks.get(task)
        # The path names the contact. So a task that moved to another one is not found here, though it exists.
        if history is None or history.now.deleted or history.now.contact != contact:
            raise Refusal(self.missing_status, f"Task with id {task} not found")
        return history.now

    def _task_reply(self, task: SandboxTask) -> Reply:
        return json_reply(200, {"task": task.api()})

    def _add_task(
        self,
        contact: str | None,
        title: str,
        due: str | None,
        body: str | None,
        assigned_to: str | None,
        *,
        completed: bool = False,
        every: timedelta | None = None,
    ) -> SandboxTask:
        now = self.clock()
        task = SandboxTask(
            make_id(f"{self.location_id}:task", len(self._tasks)),
            contact,
            title,
            body and self.stores_text(body),
            due and wire_instant(self.stores_due(read_iso(due))),
            assigned_to,
            now,
            now,
            completed,
            every=every,
        )
        self._tasks[task.id] = SearchHistory(now, task)
        return task

    def _put_task(self, task: str, **changes: Any) -> SandboxTask:
        history, now = self._tasks[task], self.clock()
        if changes.get("body"):
            changes["body"] = self.stores_text(changes["body"])
        if changes.get("due"):
            changes["due"] = wire_instant(self.stores_due(read_iso(changes["due"])))
        return history.put(now, replace(history.now, updated=now, **changes))

    def _need(self, scope: str, location: str | None = None) -> None:
        if scope not in self.scopes:
            # Public client code says that a missing scope is a 401, not a 403.
            raise Refusal(401, "The token is not authorized for this scope.")
        if location is not None:
            self._own_location(location)

    def _signed(self, reply: Reply) -> Reply:
        """The headers of every answer, with the requests left of both rates."""
        budgets = {
            "X-RateLimit-Max": "100",
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Interval-Milliseconds": "10000",
            "X-RateLimit-Limit-Daily": "200000",
            "X-RateLimit-Daily-Remaining": str(self.daily_remaining),
        }
        return replace(reply, headers={**reply.headers, **budgets})


def _changes(update: UpdateTaskBody) -> dict[str, object]:
    """The fields that an update changes. Unset fields stay as they are."""
    named = {
        "title": update.title,
        "body": update.body,
        "completed": update.completed,
        "assigned_to": update.assigned_to,
        "due": None if update.due_date is None else checked_due(update.due_date),
    }
    # How a field is cleared is not documented, so it cannot be done here.
    return {name: value for name, value in named.items() if value is not None}


def _no_route(call: Call) -> Refusal:
    return Refusal(404, f"Cannot {call.method} {call.path}")
