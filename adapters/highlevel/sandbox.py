"""HighLevel, simulated from its documentation and from what is publicly known of it.

Left out, because nothing here sends it: tokens, users, recurring tasks, contact filters and sorting, tags.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from adapters.highlevel.sandbox_store import (
    CompletedBody,
    ContactSearchBody,
    CreateTaskBody,
    History,
    Refusal,
    SandboxContact,
    SandboxTask,
    TaskSearchBody,
    UpdateTaskBody,
    UpsertBody,
    checked,
    checked_due,
    make_id,
    refusal,
    same_phone,
    wire_instant,
)
from adapters.highlevel.wire import SYSTEM
from adapters.sandbox import Call, Reply, Sandbox, json_reply

VERSION: Final = "2021-07-28"
SCOPES: Final = frozenset({"contacts.readonly", "contacts.write", "locations/tasks.readonly"})
PAGE_REACH: Final = 10_000
_SEARCHES: Final = ("/tasks/search", "/contacts/search")


class HighLevelSandbox(Sandbox):
    """One HighLevel location.

    ``lag`` and ``contact_lag`` are how far the task search and the contact search are behind; reads of one thing, or of
    one contact's tasks, never lag. ``search_status`` is what a task search answers (201 in the field, 200 in the
    documentation). ``page_clamp`` and ``contact_page_clamp`` are the most rows of a page, whatever is asked for.
    ``task_cursors`` and ``contact_cursors`` put ``searchAfter`` on rows; ``deleted_rows`` shows deleted tasks in the
    search; ``nested_rows`` wraps task rows in lists, as the published document has them. ``missing_status`` is the
    status for an unknown task or contact (400 in the field). ``duplicates_refused`` makes an upsert that
    finds somebody a 400. ``scopes`` are the token's. ``remaining`` and ``daily_remaining`` are told in every answer.
    """

    system: ClassVar[str] = SYSTEM

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        token: str = "highlevel-token",  # noqa: S107 - the simulated CRM's own key, no secret
        location_id: str = "ve9EPM428h8vShlRW1KT",
    ) -> None:
        super().__init__(clock)
        self.token = token
        self.location_id = location_id
        self.lag = timedelta(0)
        self.contact_lag = timedelta(0)
        self.search_status = 201
        self.page_clamp = 500
        self.contact_page_clamp = 500
        self.task_cursors = True
        self.contact_cursors = True
        self.deleted_rows = True
        self.nested_rows = False
        self.missing_status = 400
        self.duplicates_refused = False
        self.scopes = SCOPES
        self.remaining = 99
        self.daily_remaining = 199_999
        self._tasks: dict[str, History[SandboxTask]] = {}
        self._contacts: dict[str, History[SandboxContact]] = {}

    # What people and automations do.

    def add_contact(self, first: str = "", last: str = "", email: str = "", phone: str = "") -> str:
        """Somebody adds a contact; its id."""
        now = self.clock()
        contact = SandboxContact(self._new_id("contact"), now, now, first, last, email, phone)
        self._contacts[contact.id] = History(now, contact)
        return contact.id

    def person_edits_contact(self, contact: str, **fields: str) -> None:
        """Somebody changes ``first``, ``last``, ``email`` or ``phone``."""
        self._put_contact(self._contacts[contact].now, **fields)

    def person_deletes_contact(self, contact: str) -> None:
        """Somebody deletes a contact and all its tasks."""
        self._put_contact(self._contacts[contact].now, deleted=True)
        for task in self.tasks():
            if task.contact == contact:
                self._put_task(task.id, deleted=True)

    def person_creates(
        self, contact: str | None, title: str, due: datetime | None = None, body: str | None = None
    ) -> str:
        """Somebody adds a task, to a contact or to none; its id."""
        return self._add_task(contact, title, wire_instant(due) if due else None, body, None).id

    def person_completes(self, task: str) -> None:
        """Somebody ticks a task off."""
        self._put_task(task, completed=True)

    def person_reopens(self, task: str) -> None:
        """Somebody takes the tick away again."""
        self._put_task(task, completed=False)

    def person_retitles(self, task: str, title: str) -> None:
        """Somebody gives a task another title."""
        self._put_task(task, title=title)

    def person_rewrites(self, task: str, body: str | None) -> None:
        """Somebody gives a task another text."""
        self._put_task(task, body=body)

    def person_reschedules(self, task: str, due: datetime | None) -> None:
        """Somebody moves a task's due, or takes it away."""
        self._put_task(task, due=wire_instant(due) if due else None)

    def person_assigns(self, task: str, user: str | None) -> None:
        """Somebody gives a task to a user, or to none."""
        self._put_task(task, assigned_to=user)

    def person_moves(self, task: str, contact: str | None) -> None:
        """Somebody gives a task to another contact, or to none: its path changes."""
        self._put_task(task, contact=contact)

    def person_deletes(self, task: str) -> None:
        """Somebody deletes a task; a tombstone stays."""
        self._put_task(task, deleted=True)

    def person_restores(self, task: str) -> None:
        """Somebody restores a deleted task. HighLevel's documentation: possible for 60 days after a bulk deletion."""
        self._put_task(task, deleted=False)

    def tasks(self) -> list[SandboxTask]:
        """Every task as it is now, deleted ones too, oldest first."""
        return [history.now for history in self._tasks.values()]

    def task(self, task: str) -> SandboxTask:
        """One task as it is now."""
        return self._tasks[task].now

    def contacts(self) -> list[SandboxContact]:
        """Every contact as it is now, deleted ones too, oldest first."""
        return [history.now for history in self._contacts.values()]

    # What the API answers.

    def is_write(self, call: Call) -> bool:
        """Every call but a GET and the two searches."""
        return call.method != "GET" and not call.path.endswith(_SEARCHES)

    def unauthorized(self) -> Reply:
        return self._signed(refusal(401, "Invalid token: access token is invalid"))

    def throttled(self) -> Reply:
        """HighLevel's documentation has no body of a 429 and no ``Retry-After``, only the interval of its window."""
        reply = self._signed(refusal(429, "Too Many Requests"))
        return replace(reply, headers={**reply.headers, "X-RateLimit-Remaining": "0"})

    def handle(self, call: Call) -> Reply:
        """Answer one call; what is wrong with it is told in the order token, version, address, scope, body."""
        if call.headers.get("authorization") != f"Bearer {self.token}":
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
        match (call.method, *call.path.strip("/").split("/")):
            case ("POST", "locations", location, "tasks", "search"):
                self._need("locations/tasks.readonly", location)
                return self._search_tasks(checked(TaskSearchBody, call.json()))
            case ("POST", "contacts", "search"):
                self._need("contacts.readonly")
                return self._search_contacts(checked(ContactSearchBody, call.json()))
            case ("GET", "contacts", "search", "duplicate"):
                self._need("contacts.readonly")
                return self._find_duplicate(call)
            case ("POST", "contacts", "upsert"):
                self._need("contacts.write")
                return self._upsert(checked(UpsertBody, call.json()))
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
                return self._task_reply(task, 201)
            case ("GET", task_id):
                return self._task_reply(self._task(contact, task_id))
            case ("PUT", task_id):
                update = checked(UpdateTaskBody, call.json())
                return self._task_reply(self._put_task(self._task(contact, task_id).id, **_changes(update)))
            case ("PUT", task_id, "completed"):
                done = checked(CompletedBody, call.json())
                return self._task_reply(self._put_task(self._task(contact, task_id).id, completed=done.completed))
            case ("DELETE", task_id):
                self._put_task(self._task(contact, task_id).id, deleted=True)
                return json_reply(200, {"succeded": True})
        raise _no_route(call)

    def _search_tasks(self, body: TaskSearchBody) -> Reply:
        moment = self.clock() - self.lag
        seen = [task for history in self._tasks.values() if (task := history.as_of(moment)) is not None]
        tasks = sorted((task for task in seen if self._fits(task, body)), key=lambda task: task.cursor, reverse=True)
        if body.search_after is not None:
            tasks = [task for task in tasks if _is_after(task.cursor, body.search_after)]
        page = tasks[body.skip :][: min(body.limit, self.page_clamp)]
        rows: list[Any] = [task.row(self.location_id, cursor=self.task_cursors) for task in page]
        return json_reply(self.search_status, {"tasks": [[row] for row in rows] if self.nested_rows else rows})

    def _fits(self, task: SandboxTask, body: TaskSearchBody) -> bool:
        return (
            (self.deleted_rows or not task.deleted)
            and body.completed in {None, task.completed}
            and (body.contact_id is None or task.contact in body.contact_id)
            and (body.assigned_to is None or task.assigned_to in body.assigned_to)
            and body.query.lower() in task.title.lower()
        )

    def _search_contacts(self, body: ContactSearchBody) -> Reply:
        self._own_location(body.location_id)
        if body.page is not None and body.search_after is not None:
            raise Refusal(422, ["page and searchAfter must not be used together"])
        page = body.page or 1
        if page * body.page_limit > PAGE_REACH:
            raise Refusal(422, [f"page reaches the first {PAGE_REACH} records only"])
        moment = self.clock() - self.contact_lag
        seen = [contact for history in self._contacts.values() if (contact := history.as_of(moment)) is not None]
        found = [one for one in seen if not one.deleted and _matches(one, body.query)]
        found.sort(key=lambda contact: contact.cursor, reverse=True)
        rest = (
            found if body.search_after is None else [one for one in found if _is_after(one.cursor, body.search_after)]
        )
        size = min(body.page_limit, self.contact_page_clamp)
        rows = [one.row(self.location_id, cursor=self.contact_cursors) for one in rest[(page - 1) * size :][:size]]
        return json_reply(200, {"contacts": rows, "total": len(found)})

    def _find_duplicate(self, call: Call) -> Reply:
        if "locationId" not in call.query:
            raise Refusal(422, ["locationId should not be empty"])
        self._own_location(call.query["locationId"])
        found = self._lookup(call.query.get("email", ""), call.query.get("number", ""))
        return json_reply(200, {"contact": found.api(self.location_id) if found else None})

    def _upsert(self, body: UpsertBody) -> Reply:
        self._own_location(body.location_id)
        if not body.email and not body.phone:
            raise Refusal(400, "email or phone is required")
        found = self._lookup(body.email or "", body.phone or "")
        if found and self.duplicates_refused:
            raise _clash(found, "email" if found.email.lower() == (body.email or "").lower() else "phone")
        contact = found or self._contacts[self.add_contact()].now
        contact = self._put_contact(contact, **body.names(), **self._free_keys(contact, body))
        return json_reply(200, {"new": found is None, "contact": contact.api(self.location_id)})

    def _free_keys(self, contact: SandboxContact, body: UpsertBody) -> dict[str, str]:
        """HighLevel's documentation: a key that belongs to a second contact is dropped."""
        keys = {"email": body.email or "", "phone": body.phone or ""}
        owners = {"email": self._lookup(keys["email"], ""), "phone": self._lookup("", keys["phone"])}
        return {name: key for name, key in keys.items() if key and owners[name] in {None, contact}}

    def _lookup(self, email: str, phone: str) -> SandboxContact | None:
        """HighLevel's documentation: e-mail first, then phone."""
        known = [contact for contact in self.contacts() if not contact.deleted]
        by_email = [one for one in known if email and one.email.lower() == email.lower()]
        by_phone = [one for one in known if same_phone(one.phone, phone)]
        return next(iter(by_email + by_phone), None)

    def _contact(self, contact: str) -> SandboxContact:
        history = self._contacts.get(contact)
        if history is None or history.now.deleted:
            raise Refusal(self.missing_status, f"Contact with id {contact} not found")
        return history.now

    def _task(self, contact: str, task: str) -> SandboxTask:
        self._contact(contact)
        history = self._tasks.get(task)
        if history is None or history.now.deleted or history.now.contact != contact:
            raise Refusal(self.missing_status, f"Task with id {task} not found")
        return history.now

    def _task_reply(self, task: SandboxTask, status: int = 200) -> Reply:
        return json_reply(status, {"task": task.api()})

    def _add_task(
        self,
        contact: str | None,
        title: str,
        due: str | None,
        body: str | None,
        assigned_to: str | None,
        *,
        completed: bool = False,
    ) -> SandboxTask:
        now = self.clock()
        task = SandboxTask(self._new_id("task"), contact, title, body, due, assigned_to, now, now, completed)
        self._tasks[task.id] = History(now, task)
        return task

    def _put_task(self, task: str, **changes: Any) -> SandboxTask:
        history, now = self._tasks[task], self.clock()
        return history.put(now, replace(history.now, updated=now, **changes))

    def _put_contact(self, contact: SandboxContact, **changes: Any) -> SandboxContact:
        now = self.clock()
        return self._contacts[contact.id].put(now, replace(contact, updated=now, **changes))

    def _need(self, scope: str, location: str | None = None) -> None:
        if scope not in self.scopes:
            raise Refusal(401, "The token is not authorized for this scope.")
        if location is not None:
            self._own_location(location)

    def _own_location(self, location: str) -> None:
        if location != self.location_id:
            raise Refusal(403, "The token does not have access to this location.")

    def _new_id(self, what: str) -> str:
        count = len(self._tasks) if what == "task" else len(self._contacts)
        return make_id(f"{self.location_id}:{what}", count)

    def _signed(self, reply: Reply) -> Reply:
        """HighLevel's documentation: every answer tells what is left of both budgets."""
        budgets = {
            "X-RateLimit-Max": "100",
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Interval-Milliseconds": "10000",
            "X-RateLimit-Limit-Daily": "200000",
            "X-RateLimit-Daily-Remaining": str(self.daily_remaining),
        }
        return replace(reply, headers={**reply.headers, **budgets})


def _changes(update: UpdateTaskBody) -> dict[str, object]:
    """What an update names; an unset field stays as it is."""
    named = {
        "title": update.title,
        "body": update.body,
        "completed": update.completed,
        "assigned_to": update.assigned_to,
        "due": None if update.due_date is None else checked_due(update.due_date),
    }
    return {name: value for name, value in named.items() if value is not None}


def _clash(contact: SandboxContact, field: str) -> Refusal:
    meta = {"contactId": contact.id, "matchingField": field, "contactName": contact.name}
    return Refusal(400, "This location does not allow duplicated contacts.", meta=meta)


def _no_route(call: Call) -> Refusal:
    return Refusal(404, f"Cannot {call.method} {call.path}")


def _matches(contact: SandboxContact, query: str) -> bool:
    return query.lower() in f"{contact.name} {contact.email} {contact.phone}".lower()


def _is_after(cursor: list[object], mark: list[Any]) -> bool:
    """Whether a row comes after the one with this mark, newest first."""
    try:
        return cursor < mark
    except TypeError:
        raise Refusal(422, ["searchAfter is invalid"]) from None
