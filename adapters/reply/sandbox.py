"""Reply.io v3, simulated from its documentation.

Attributes decide what is not documented: ``finished_status`` is the answer to completing a closed task, ``order`` the
order of lists, ``auth`` which of the two headers is accepted, ``words`` whether enumerations are read in both dialects
or in one. The API cannot create a second contact with the same e-mail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal, TypeVar

from adapters.reply.mapping import SYSTEM
from adapters.reply.sandbox_input import (
    Problem,
    TaskWords,
    fields,
    filter_tests,
    invalid,
    new_task,
    no_route,
    start_before,
    whole_number,
    window,
)
from adapters.reply.sandbox_store import CONTACT_FIELDS, SandboxContact, SandboxTask
from adapters.reply.words import CALL_RESOLUTION, TASK_TYPE, Dialect
from adapters.sandbox import Call, Lie, Reply, Sandbox, json_reply

_T = TypeVar("_T", SandboxTask, SandboxContact)


class ReplySandbox(Sandbox):
    """One Reply user, with that user's tasks and contacts.

    Ids are text in the ``person_`` methods, as in the adapter. ``top_cap`` limits the size of pages. ``executed`` has
    the tasks that were really sent to customers; it must stay empty. The answer to a second contact with the same
    e-mail is not documented: here it is a 409, unless ``namesakes`` is set.
    """

    system: ClassVar[str] = SYSTEM
    told_as: ClassVar[Mapping[Lie, str]] = {"task": "id", "contact": "contactId", "due": "dueTo"}

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        api_key: str = "reply-key",
        user_id: int = 41,
        dialect: Dialect = "integers",
        auth: Literal["either", "x-api-key", "bearer"] = "either",
        strict: bool = False,
        order: Literal["id", "reversed", "shuffled"] = "id",
        seed: int = 0,
    ) -> None:
        super().__init__(clock)
        self.api_key = api_key
        self.user_id = user_id
        self.dialect: Dialect = dialect
        self.words = TaskWords(dialect, strict)
        self.auth = auth
        self.order = order
        self.seed = seed
        self.top_cap = 1000
        self.finished_status = 400
        self.retry_after = 20
        self.namesakes = False
        self.executed: list[str] = []
        self.team = [{"userId": user_id, "displayName": "Asha", "email": "asha@example.com", "teamId": 7}]
        self._tasks: dict[int, SandboxTask] = {}
        self._contacts: dict[int, SandboxContact] = {}
        self._last_id = 1000

    def is_write(self, call: Call) -> bool:
        """True for everything except GET and the two filters."""
        return call.method != "GET" and not call.path.endswith("/filter")

    def unauthorized(self) -> Reply:
        """A 401 has no body."""
        return Reply(401, b"", {"www-authenticate": "Bearer", "content-length": "0"})

    def throttled(self) -> Reply:
        """A 429 is a problem object with ``Retry-After`` in seconds."""
        reply = Problem(429, "rateLimit.exceeded", "Rate limit exceeded").reply
        return Reply(reply.status, reply.body, {**reply.headers, "retry-after": str(self.retry_after)})

    def refused(self, status: int, words: str) -> Reply:
        """Every error with a body is a problem object."""
        return Problem(status, "request.invalid", words).reply

    def forbidden(self) -> Reply:
        """A 403 is a problem object. Its code for a single task is not documented."""
        return Problem(403, "forbidden", "The task is not accessible").reply

    def handle(self, call: Call) -> Reply:
        """Answer one call; paths are relative to the base URL."""
        if not self._authorized(call):
            return self.unauthorized()
        try:
            return self._route(call, [part for part in call.path.split("/") if part])
        except Problem as problem:
            return problem.reply

    def _authorized(self, call: Call) -> bool:
        # Older pages of the documentation show the first header, and newer ones the second.
        by_key = call.headers.get("x-api-key") == self.api_key and self.auth != "bearer"
        by_bearer = call.headers.get("authorization") == f"Bearer {self.api_key}" and self.auth != "x-api-key"
        return by_key or by_bearer

    def _route(self, call: Call, parts: list[str]) -> Reply:
        match call.method, parts:
            case "GET", ["whoami"]:
                return json_reply(200, {"userId": self.user_id})
            case "GET", ["whoami", "team-users"]:
                return json_reply(200, self.team)
            case _, ["tasks", *rest]:
                return self._route_tasks(call, rest)
            case _, ["contacts", *rest]:
                return self._route_contacts(call, rest)
        raise no_route(call)

    def _route_tasks(self, call: Call, parts: list[str]) -> Reply:
        match call.method, parts:
            case "GET", []:
                return self._page(call, self._tasks.values(), self._row)
            case "POST", ["filter"]:
                return self._page(call, self._filtered(fields(call)), self._row)
            case "POST", []:
                # The status of this answer is not documented.
                made = self._whole(self._create(fields(call)))
                return json_reply(201, self.told(made, lambda: map(self._whole, self.tasks())))
            case "GET", [task_id]:
                return self._shown(self._task(task_id), content=call.query.get("includeContent") == "true")
            case "PUT", [task_id]:
                return self._shown(self._replace(self._task(task_id), fields(call)))
            case "POST", [task_id, "complete"]:
                return self._shown(self._complete(self._task(task_id), fields(call)))
            case "POST", [task_id, "execute"]:
                return self._shown(self._execute(self._task(task_id)))
        raise no_route(call)

    def _route_contacts(self, call: Call, parts: list[str]) -> Reply:
        match call.method, parts:
            case "GET", []:
                return self._page(call, self._searched(call.query), SandboxContact.shown)
            case "POST", ["filter"]:
                term = str(fields(call).get("searchTerm") or "")
                found = [contact for contact in self._contacts.values() if contact.has(term) or not term]
                # No other list has a total.
                return self._page(call, found, SandboxContact.shown, totalCount=len(found))
            case "POST", []:
                return json_reply(201, self._create_contact(fields(call)).shown())
            case "GET", [contact_id]:
                return json_reply(200, self._contact(contact_id).shown())
        raise no_route(call)

    def _page(self, call: Call, found: Iterable[_T], show: Callable[[_T], dict[str, Any]], **more: int) -> Reply:
        top, skip = window(call.query)
        rows = sorted(found, key=self._sort_key)
        # Rows are counted from the start. A task that is finished meanwhile moves the later ones up, and one of them is
        # skipped.
        end = skip + min(top, self.top_cap)
        return json_reply(200, {"items": [show(row) for row in rows[skip:end]], "hasMore": end < len(rows), **more})

    def _sort_key(self, row: SandboxTask | SandboxContact) -> int:
        match self.order:
            case "id":
                return row.id
            case "reversed":
                return -row.id
        # The order of lists is not documented. An odd factor shuffles the ids, and never makes two of them equal.
        return (row.id + self.seed) * 2654435761 % 2**32

    def _shown(self, task: SandboxTask, *, content: bool = False) -> Reply:
        return json_reply(200, self._whole(task, content=content))

    def _whole(self, task: SandboxTask, *, content: bool = False) -> dict[str, Any]:
        return task.whole(self.dialect, self._contact_of(task), content=content)

    def _row(self, task: SandboxTask) -> dict[str, Any]:
        return task.row(self.dialect, self._contact_of(task))

    def _contact_of(self, task: SandboxTask) -> SandboxContact | None:
        return None if task.contact_id is None else self._contacts.get(task.contact_id)

    def _task(self, task_id: str | int) -> SandboxTask:
        task = self._tasks.get(whole_number(str(task_id)) or 0)
        if task is None:
            # It may also mean that the key must not see the task. The code is a guess, by the documented form.
            raise Problem(404, "task.notFound", f"Task {task_id} was not found")
        return task

    def _contact(self, contact_id: str | int) -> SandboxContact:
        contact = self._contacts.get(whole_number(str(contact_id)) or 0)
        if contact is None:
            raise Problem(404, "contact.notFound", f"Contact {contact_id} was not found")
        return contact

    def _new_id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _filtered(self, sent: Mapping[str, Any]) -> list[SandboxTask]:
        tests = filter_tests(sent, self.words, self.clock())
        return [task for task in self._tasks.values() if all(test(task) for test in tests)]

    def _create(self, sent: Mapping[str, Any]) -> SandboxTask:
        if sent.get("contactId") is not None and whole_number(str(sent["contactId"])) not in self._contacts:
            raise invalid("/contactId", "is no contact")
        # A create names no assignee: the task goes to the user of the key.
        task = new_task(sent, self.words, task_id=self._last_id + 1, user_id=self.user_id, now=self.clock())
        self._tasks[self._new_id()] = task
        self._store(task, task.template["body"], task.due_to)
        return task

    def _replace(self, task: SandboxTask, sent: Mapping[str, Any]) -> SandboxTask:
        """Replace the whole task. Only a new task can be replaced; a sequence's task keeps its type and contact.

        The answers to other requests are not documented.
        """
        if task.status != "New":
            raise Problem(self.finished_status, "task.cannotUpdate", f"Task {task.id} is {task.status}")
        new = new_task(sent, self.words, task_id=task.id, user_id=task.assigned_user_id, now=task.created_at)
        if new.contact_id is not None and new.contact_id not in self._contacts:
            raise invalid("/contactId", "is no contact")
        if task.sequence_id is not None and (new.task_type, new.contact_id) != (task.task_type, task.contact_id):
            raise invalid("/taskType", "and contactId of a sequence's task cannot change")
        # All of them, whatever the request leaves out: what is not sent back is lost.
        for name in ("task_type", "start_at", "due_to", "contact_id", "template", "linkedin_type"):
            setattr(task, name, getattr(new, name))
        self._store(task, task.template["body"], task.due_to)
        return task

    def _store(self, task: SandboxTask, body: str, due: datetime) -> None:
        task.template = {**task.template, "body": self.stores_text(body)}
        task.due_to = self.stores_due(due)

    def _complete(self, task: SandboxTask, sent: Mapping[str, Any]) -> SandboxTask:
        resolution = self.words.read(CALL_RESOLUTION, sent, "callResolution")
        if not isinstance(sent.get("finishProspectInSequence", False), bool):
            raise invalid("/finishProspectInSequence", "must be true or false")
        self._finish(task)
        task.resolution = resolution
        return task

    def _execute(self, task: SandboxTask) -> SandboxTask:
        if task.task_type not in {"ManualEmail", "Sms"}:
            raise Problem(400, "task.cannotExecute", "only manual e-mails and SMS can be executed")
        self._finish(task)
        # The real CRM sends the message now.
        self.executed.append(str(task.id))
        return task

    def _finish(self, task: SandboxTask) -> None:
        if task.status != "New":
            raise Problem(self.finished_status, "task.cannotComplete", f"Task {task.id} is {task.status}")
        task.finish(self.clock(), self._contact_of(task))

    def _searched(self, query: Mapping[str, str]) -> list[SandboxContact]:
        # A phone number is no parameter here. Only the filter finds it, as a part of any field.
        wanted = {
            field: query[name] for name, field in (("email", "email"), ("linkedIn", "linkedInUrl")) if name in query
        }
        return [
            contact
            for contact in self._contacts.values()
            if all((contact.fields[field] or "").casefold() == value.casefold() for field, value in wanted.items())
        ]

    def _create_contact(self, sent: Mapping[str, Any]) -> SandboxContact:
        for name, value in sent.items():
            if name in CONTACT_FIELDS and not isinstance(value, str | None):
                raise invalid(f"/{name}", "must be text")
        if not sent.get("firstName"):
            raise invalid("/firstName", "is required")
        if not sent.get("email") and not sent.get("linkedInUrl"):
            raise invalid("/email", "or linkedInUrl is required")
        if sent.get("email") and not self.namesakes and self._searched({"email": sent["email"]}):
            raise Problem(409, "contact.alreadyExists", "A contact with this e-mail exists")
        return self._add_contact(**sent)

    def _add_contact(self, **given: Any) -> SandboxContact:
        contact = SandboxContact.with_fields(self._new_id(), given)
        self._contacts[contact.id] = contact
        return contact

    def tasks(self) -> tuple[SandboxTask, ...]:
        """All tasks, oldest first."""
        return tuple(self._tasks.values())

    def contacts(self) -> tuple[SandboxContact, ...]:
        """All contacts, oldest first."""
        return tuple(self._contacts.values())

    def add_contact(self, name: str, email: str | None = None, phone: str | None = None) -> str:
        """Add a contact and return its id."""
        first, _, last = name.partition(" ")
        return str(self._add_contact(firstName=first, lastName=last or None, email=email, phone=phone).id)

    def person_edits_contact(self, contact: str, **fields: str | None) -> None:
        """Somebody changes fields of a contact, by Reply's names: ``email``, ``phone``."""
        self._contact(contact).fields.update(fields)

    def person_deletes_contact(self, contact: str) -> None:
        """Somebody deletes a contact. Its tasks stay, without a contact."""
        # What becomes of the tasks is not documented.
        gone = self._contacts.pop(self._contact(contact).id)
        for task in self._tasks.values():
            if task.contact_id == gone.id:
                task.contact_id = None

    def person_creates(
        self,
        contact: str | None,
        task_type: str,
        due: datetime,
        body: str = "Ask about the visit",
        *,
        sequence: int | None = None,
        scheduled: bool = False,
        start: datetime | None = None,
        every: timedelta | None = None,
    ) -> str:
        """Somebody, or the sequence with this id, creates a task; returns its id. ``task_type`` is such as ``"Call"``.

        ``every`` makes it recurring: when it is completed, its dates move on by this time.
        """
        task_id = self._new_id()
        self._tasks[task_id] = SandboxTask(
            id=task_id,
            task_type=TASK_TYPE.read(task_type) or task_type,
            start_at=start or start_before(due, self.clock()),
            due_to=due,
            created_at=self.clock(),
            assigned_user_id=self.user_id,
            contact_id=None if contact is None else self._contact(contact).id,
            template={"body": body, "subject": None, "attachmentIdList": []},
            creation_source="User" if sequence is None else "Sequence",
            sequence_id=sequence,
            is_scheduled=scheduled,
            every=every,
        )
        self._store(self._tasks[task_id], body, due)
        return str(task_id)

    def person_completes(self, task_id: str, *, failed: bool = False) -> None:
        """Somebody completes a task, or its execution fails."""
        task = self._task(task_id)
        task.finish(self.clock(), self._contact_of(task))
        task.is_failed = failed

    def person_cancels(self, task_id: str, status: str = "Cancelled") -> None:
        """A task becomes ``Cancelled``, ``Archived`` or ``SequenceDetached``."""
        self._task(task_id).status = status

    def person_reschedules(self, task_id: str, due: datetime) -> None:
        """Somebody changes the due, and also the start if it would be after the due."""
        task = self._task(task_id)
        task.due_to = self.stores_due(due)
        task.start_at = start_before(due, task.start_at)

    def person_edits_body(self, task_id: str, body: str) -> None:
        """Somebody changes the text."""
        task = self._task(task_id)
        self._store(task, body, task.due_to)

    def person_assigns(self, task_id: str, user: int) -> None:
        """Somebody reassigns a task to another user."""
        self._task(task_id).assigned_user_id = user

    def person_moves(self, task_id: str, contact: str | None) -> None:
        """Somebody gives a task to another contact, or to none."""
        self._task(task_id).contact_id = None if contact is None else self._contact(contact).id

    def person_reopens(self, task_id: str) -> None:
        """Somebody reopens a task."""
        task = self._task(task_id)
        task.status, task.finished_at, task.is_failed = "New", None, False

    def person_deletes(self, task_id: str) -> None:
        """Somebody deletes a task."""
        del self._tasks[self._task(task_id).id]
