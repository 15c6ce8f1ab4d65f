"""The connection to one HighLevel location.

In HighLevel a task belongs to a contact, and is read and written under it. One search lists the tasks of the whole
location. The search lags behind writes, so nothing is concluded from a row of it alone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, tzinfo
from typing import Any, ClassVar, Final, TypeVar

from adapters.highlevel.abilities import CAPABILITIES
from adapters.highlevel.checks import run_checks
from adapters.highlevel.contacts import ContactCalls
from adapters.highlevel.mapping import (
    contact_record,
    task_body,
    task_changes,
    task_reading,
    understood,
    with_required,
)
from adapters.highlevel.oauth import TokenCalls
from adapters.highlevel.paging import (
    CONTACT_PAGE,
    CONTACT_SEARCH,
    TASK_PAGE,
    ContactPager,
    Pager,
    Rows,
    TaskPager,
    contact_rows,
    task_rows,
    task_search,
)
from adapters.highlevel.paths import task_of, tasks_of
from adapters.highlevel.settings import HighLevelSettings
from adapters.highlevel.team import read_team
from adapters.highlevel.wire import (
    SYSTEM,
    CreatedTask,
    CreatedTaskAnswer,
    TaskAnswer,
    TaskRows,
    WireContact,
    WireTask,
    own_error,
    row_key,
)
from adapters.http.client import Answer, Http, Limits, Rule, Transport, Window
from adapters.http.paging import until_still
from adapters.text import same_text_value
from syncer.contract.adapter import Adapter, Capabilities, Check, Identity, TeamMember
from syncer.contract.errors import AdapterError, BadAnswer, Forbidden, InDoubt, Missing, Moved, Refused
from syncer.domain.model import Draft, Edit, Listing, Reading, Record, State, TaskRef, Unreadable

# Version v3 has the same calls for tasks, but renames fields of contacts and tokens.
API_VERSION: Final = "2021-07-28"
# The interval of HighLevel's rate. No ``Retry-After`` is documented.
THROTTLE_WAIT: Final = 10.0

# A missing location or a wrong address does not mean that the task or the contact is missing.
_NOT_THERE: Final = ("not found", "does not exist", "doesn't exist")
_ELSEWHERE: Final = ("location",)
RULES: Final = (
    # According to public client code, a missing scope is a 401.
    Rule(401, Forbidden, ("not authorized for this scope",)),
    # An unknown route, and not an unknown task: as `Missing`, it would make tasks look deleted.
    Rule(404, Refused, ("cannot get /", "cannot post /", "cannot put /")),
    # According to public probes, an unknown id is answered with 400 rather than 404.
    Rule(400, Missing, _NOT_THERE, unless=_ELSEWHERE),
    Rule(422, Missing, _NOT_THERE, unless=_ELSEWHERE),
)


# Each answer has the number of requests left in the interval and in the day.
LIMITS: Final = Limits(
    windows=(
        Window("X-RateLimit-Remaining", "X-RateLimit-Interval-Milliseconds", unit=0.001),
        Window("X-RateLimit-Daily-Remaining"),
    )
)

_T = TypeVar("_T", Reading, Record)


class HighLevelAdapter(Adapter):
    """The adapter for HighLevel's API 2021-07-28.

    ``region`` is the country of phone numbers without a country code. ``expected_identity`` is the location that the
    ledger belongs to. It is not used here, because the settings name the location.
    """

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[HighLevelSettings]] = HighLevelSettings

    def __init__(
        self, settings: HighLevelSettings, *, region: str, zone: tzinfo = UTC, transport: Transport | None = None
    ) -> None:
        del zone  # Not needed: HighLevel's dues are instants.
        self.expected_identity: str | None = None
        self._settings = settings
        self._region = region
        self._task_search = task_search(settings.location_id)
        self._shows_texts, self._capabilities = False, CAPABILITIES
        token = None if settings.token is None else settings.token.get_secret_value()
        # A client of its own renews the tokens: its calls carry no ``Version``, and must not wait for a token
        # themselves.
        self._tokens = None if token is not None else TokenCalls(settings, transport)
        self._http = Http(
            system=SYSTEM,
            base_url=settings.base_url,
            headers={"Version": API_VERSION, **({} if token is None else {"Authorization": f"Bearer {token}"})},
            secrets=() if token is None else (token,),
            authorization=None if self._tokens is None else self._tokens.authorization,
            rates=settings.rate,
            rules=RULES,
            own_error=own_error,
            limits=LIMITS,
            throttle_wait=THROTTLE_WAIT,
            transport=transport,
        )
        self.wire = self._http
        self._contacts = ContactCalls(self._http, settings.location_id, region)

    @property
    def capabilities(self) -> Capabilities:
        """What HighLevel can do. The settings do not change it, and its list of tasks may turn out to show no texts."""
        return self._capabilities

    async def identity(self) -> Identity:
        """The location of the settings; nothing is sent, as every call names it or is bound to it."""
        return Identity(self._settings.location_id, f"location {self._settings.location_id}")

    async def list_tasks(self) -> Listing[Reading]:
        """All open tasks of the location, each once. Rows are never whole, because the search lags.

        Deleted and completed rows are left out, although only open ones were requested. A row without a contact has
        ``contact=None``. Raises `Unavailable`, `Unauthorized`, and `BadAnswer` for a list that breaks off, repeats
        itself or is rejected.
        """
        found = await until_still(self._scan_tasks)
        # That the rows of a search have texts is not documented.
        self._capabilities = replace(CAPABILITIES, lists_texts=self._shows_texts or not found)
        rows = tuple(row for row in found if isinstance(row, Reading))
        return Listing(rows, tuple(row for row in found if isinstance(row, Unreadable)))

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """All open and closed tasks of one contact, whole, in HighLevel's order. They have no time of creation.

        The list is one answer without pages. Raises `Missing` for an unknown contact.
        """
        answer = await self._http.read("GET", tasks_of(contact), page=True)
        return _listing(answer.parse(TaskRows).rows(), lambda raw: self._task_row(raw, contact), contact)

    async def get_task(self, ref: TaskRef) -> Reading:
        """One task, whole. Raises `Missing` if it is deleted or unknown, or belongs to another contact.

        The contact is taken from the answer. It may differ from the one in ``ref``.
        """
        answer = await self._http.read("GET", task_of(ref))
        task = answer.parse(TaskAnswer).task
        if task.id != ref.remote_id:
            msg = f"asked for task {ref.remote_id}, the answer has task {task.id}"
            raise BadAnswer(msg, system=SYSTEM, status=answer.status)
        # HighLevel may still answer with a task that was deleted.
        if task.deleted:
            msg = f"task {task.id} is deleted"
            raise Missing(msg, system=SYSTEM, status=answer.status)
        return self._reading(task, ref.contact)

    async def create_task(self, draft: Draft) -> Reading:
        """Create an open task for the draft's contact, and return the task in the answer.

        If that is rejected, it is created without its assignee, whom HighLevel may not know. Raises `Refused` for an
        unknown contact, `InDoubt` for a success without a readable task.
        """
        try:
            answer = await self._http.write("POST", tasks_of(draft.contact), json=task_body(draft))
        # `Missing` would be said of the task, which does not exist yet.
        except (Missing, Refused) as error:
            if draft.assignee:
                return await self.create_task(replace(draft, assignee=None))
            raise Refused(error.words, system=SYSTEM, status=error.status) from error
        return self._reading(answer.parse(CreatedTaskAnswer).task, draft.contact)

    async def complete_task(self, ref: TaskRef) -> Reading:
        """Complete this task. It does no harm if the task is completed already.

        If the answer says that the task is open, it is read again: a recurring task may have moved to its next date.
        Raises `Missing` for an unknown task or contact, `InDoubt` if that read fails.
        """
        # Its own call and not an update, so that no other field can change with it.
        answer = await self._http.write("PUT", f"{task_of(ref)}/completed", json={"completed": True})
        task = answer.parse(TaskAnswer).task
        if task.id != ref.remote_id:
            # Some task was changed, and only a read can tell which.
            msg = f"asked to complete task {ref.remote_id}, the answer has task {task.id}"
            raise InDoubt(msg, system=SYSTEM, status=answer.status)
        if task.completed:
            return self._reading(task, ref.contact)
        try:
            return await self.get_task(ref)
        except AdapterError as error:
            msg = f"the answer to a completion says that task {task.id} is open; reading it again failed: {error.words}"
            raise InDoubt(msg, system=SYSTEM, status=answer.status) from error

    async def edit_task(self, ref: TaskRef, edit: Edit) -> Reading:
        """Change these fields. If that is rejected, try again with the title and the due that were just read."""
        before = await self.get_task(ref)
        moved = any(not same_text_value(name, value, before.shown(name)) for name, value in edit.expected.items())
        # HighLevel has no version of a task. Only this read keeps us from overwriting what people just typed.
        if moved or before.state is not State.OPEN:
            raise Moved(before)
        # Only these fields: what people type into another one meanwhile is not overwritten.
        changes = task_changes(edit, before)
        try:
            answer = await self._http.write("PUT", task_of(ref), json=changes)
        except Refused:
            if (all_fields := with_required(changes, before)) == changes:
                raise
            answer = await self._http.write("PUT", task_of(ref), json=all_fields)
        task = answer.parse(TaskAnswer).task
        if task.id != ref.remote_id:
            msg = f"asked to change task {ref.remote_id}, the answer has task {task.id}"
            raise InDoubt(msg, system=SYSTEM, status=answer.status)
        return self._reading(task, ref.contact)

    async def list_contacts(self) -> Listing[Record]:
        """All contacts of the location, each once. Raises like `list_tasks`, and if rows are missing."""
        total = 0

        async def scan() -> tuple[dict[str, Any], bool]:
            nonlocal total
            body = {"locationId": self._settings.location_id, "pageLimit": CONTACT_PAGE}
            pager = ContactPager(CONTACT_PAGE)
            rows = {row_key(row): row async for row in self._pages(CONTACT_SEARCH, body, pager, contact_rows)}
            total = pager.total or 0
            # The total shows a contact that the pages passed over.
            return rows, pager.may_have_moved or len(rows) < total

        rows = await until_still(scan)
        if len(rows) < total:
            msg = f"HighLevel counts {total} contacts, but its list has only {len(rows)}"
            raise BadAnswer(msg, system=SYSTEM)
        return _listing(rows, self._contact_row)

    async def get_contact(self, remote_id: str) -> Record:
        """One contact. Raises `Missing` if it is deleted or unknown."""
        return await self._contacts.get(remote_id)

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The contact that HighLevel finds by this key; at most one. See `ContactCalls.find`."""
        return await self._contacts.find(key)

    async def create_contact(self, record: Record) -> Record:
        """Create the contact. One that is there already is returned unchanged. See `ContactCalls.create`."""
        return await self._contacts.create(record)

    async def check(self) -> list[Check]:
        """Read one task and one contact; what can be read harmlessly does not prove ``contacts.write``."""
        oauth = self._tokens is not None
        return await run_checks(self._http, self._settings.location_id, oauth=oauth)

    async def list_team(self) -> tuple[TeamMember, ...]:
        """The location's users; needs the scope ``users.readonly``."""
        return await read_team(self._http, self._settings.location_id)

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        if self._tokens is not None:
            await self._tokens.aclose()

    async def _scan_tasks(self) -> tuple[dict[str, Any], bool]:
        pager, self._shows_texts = TaskPager(TASK_PAGE), False
        # Open tasks only, for the finished ones grow without end. A known task that is not in the list is read by
        # itself.
        pages = self._pages(self._task_search, {"completed": False, "limit": TASK_PAGE}, pager, task_rows)
        # Understood at once: as they come, the rows of a large list take much memory.
        rows = {row_key(row): understood(row, self._open_row) async for row in pages}
        return rows, pager.may_have_moved

    async def _pages(
        self, path: str, body: Mapping[str, object], pager: Pager, rows_of: Callable[[Answer], Rows]
    ) -> AsyncIterator[Any]:
        """The rows of a whole list. A rejected page raises `BadAnswer`, because it says nothing about a task."""
        more, self.listed = True, None
        while more:
            try:
                answer = await self._http.read("POST", path, json={**body, **pager.asks}, page=True)
            except (Missing, Refused) as error:
                raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error
            page = rows_of(answer)
            for row in page.rows:
                yield row
            more = pager.take(page.rows, page.total)
            self.listed = pager.listed() if more else None

    def _reading(self, task: CreatedTask, contact: str | None, *, whole: bool = True) -> Reading:
        return task_reading(task, kind=self._settings.kind_of(task.title), contact=contact, whole=whole)

    def _open_row(self, raw: Any) -> Reading | None:
        task = WireTask.model_validate(raw)
        self._shows_texts |= "body" in raw
        # The index may show a task that was closed or deleted a moment ago.
        return None if task.deleted or task.completed else self._reading(task, None, whole=False)

    def _task_row(self, raw: object, contact: str) -> Reading | None:
        task = WireTask.model_validate(raw)
        return None if task.deleted else self._reading(task, contact)

    def _contact_row(self, raw: object) -> Record | None:
        contact = WireContact.model_validate(raw)
        return None if contact.deleted else contact_record(contact, region=self._region)


def _listing(raws: list[Any], read: Callable[[Any], _T | None], contact: str | None = None) -> Listing[_T]:
    """Each row once, as it was read last. Rows that cannot be understood are listed separately."""
    rows: dict[str, _T | None] = {}
    unreadable: dict[str, Unreadable] = {}
    for raw in raws:
        key, row = row_key(raw), understood(raw, read, contact)
        if isinstance(row, Unreadable):
            unreadable[key] = row
        else:
            rows[key] = row
    return Listing(tuple(row for row in rows.values() if row is not None), tuple(unreadable.values()))
