"""The connection to one Superfone account.

Superfone documents two calls for leads and three for tasks. A lead is found by phone number only, tasks are listed for
one lead at a time, *complete* takes no task id, and nothing can be changed, reopened or deleted.
"""

from __future__ import annotations

from datetime import UTC, tzinfo
from typing import ClassVar, Final
from urllib.parse import quote

import structlog
from pydantic import JsonValue, ValidationError

from adapters.http.answers import ErrorBody
from adapters.http.client import MAX_PAGES, Answer, Http, Rule, Transport
from adapters.superfone.abilities import capabilities_of
from adapters.superfone.checks import run_checks
from adapters.superfone.mapping import contact_body, create_body, read_lead, read_task, unreadable
from adapters.superfone.settings import SuperfoneSettings
from adapters.superfone.types import SYSTEM, wire_type
from adapters.superfone.wire import (
    BAD_REQUEST,
    LeadAnswer,
    PageAnswer,
    TaskAnswer,
    TaskPage,
    WireRow,
    WireTask,
    describe,
    row_key,
)
from syncer.contract.adapter import Adapter, Capabilities, Check, Identity
from syncer.contract.errors import (
    AdapterError,
    Ambiguous,
    BadAnswer,
    Full,
    InDoubt,
    Missing,
    NothingOpen,
    Refused,
    Unavailable,
    WrongAccount,
)
from syncer.contract.unforeseen import not_understood
from syncer.domain.model import Draft, Kind, Listing, Reading, Record, State, TaskRef, Unreadable

# Superfone answers a larger page with an error, not with a shorter page.
PAGE_SIZE: Final = 20
REREADS: Final = 3

_API: Final = "/enterprise/api"

_NOBODY: Final = ("lead not found", "customer not found")
# Any other 404 is not documented. It may come from a wrong address, so it does not prove that a lead is missing.
RULES: Final = (
    Rule(400, NothingOpen, ("no open task",)),
    # Before the missing lead, which has the same status: a full account must not make a lead look deleted.
    Rule(404, Full, ("storage is full",)),
    Rule(404, Missing, _NOBODY),
    Rule(404, Refused),
)
# The answer to a lookup without a result is not documented, so both texts count, whatever their status.
_NO_LEAD: Final = (Rule(404, Missing, _NOBODY), Rule(BAD_REQUEST, Missing, _NOBODY))


def own_error(_status: int, body: ErrorBody) -> bool:
    """Whether the body is ``{"message": "<text>"}``, the only documented form of an error."""
    message = None if body is None else body.get("message")
    return isinstance(message, str) and bool(message.strip())


_log = structlog.get_logger("syncer.superfone")


class SuperfoneAdapter(Adapter):
    """The adapter for Superfone's Enterprise API.

    ``region`` is the country of phone numbers without a country code. ``expected_identity`` is the organisation that
    the ledger belongs to. If it is ``None``, the first answer with an organisation sets it. An answer of another
    organisation raises `WrongAccount`, whichever method received it.
    """

    system: ClassVar[str] = SYSTEM
    settings_model: ClassVar[type[SuperfoneSettings]] = SuperfoneSettings

    def __init__(
        self, settings: SuperfoneSettings, *, region: str, zone: tzinfo = UTC, transport: Transport | None = None
    ) -> None:
        del zone  # Not needed: Superfone's dues are instants.
        self.expected_identity: str | None = None
        self._settings = settings
        self._region = region
        key = settings.api_key.get_secret_value()
        self._http = Http(
            system=SYSTEM,
            # An account file may have the address with or without this part. With two of them each call would be a 404.
            base_url=settings.base_url.removesuffix(_API) + _API,
            headers={"x-api-key": key},
            secrets=(key,),
            rates=settings.rate,
            rules=RULES,
            own_error=own_error,
            transport=transport,
        )
        self.wire = self._http
        self._capabilities = capabilities_of(settings)

    @property
    def capabilities(self) -> Capabilities:
        """What Superfone can do with this connection's settings."""
        return self._capabilities

    def raw_type(self, kind: Kind) -> str:
        return wire_type(kind, self._settings.todo_type) or ""

    async def identity(self) -> Identity:
        """The organisation, once an answer has named it. Sends no request.

        No call of Superfone returns the owner of a key, but every lead and task has its organisation.
        """
        known = self.expected_identity
        return Identity(
            known, f"organisation {known}" if known else "its name is known once a lead or a task has been read"
        )

    async def find_contacts(self, key: str) -> tuple[Record, ...]:
        """The lead with this primary or secondary phone number; empty if there is none.

        Superfone does not document the answer for a missing lead. A success without a lead counts as one, and so do the
        texts of its other calls, ``Lead not found`` and ``Customer not found``. Raises `Ambiguous` if the lead that is
        found does not have the number.
        """
        if not key.startswith("+"):
            raise NotImplementedError("Superfone finds leads by phone number only")
        try:
            answer = await self._http.read("GET", "/lead", params={"phone": key})
        except (Missing, Refused) as error:
            if not any(rule.fits(error.status or 0, error.words) for rule in _NO_LEAD):
                raise
            _log.debug("lead.none", status=error.status, words=error.words)
            return ()
        return tuple(self._carrying(record, key) for record in self._leads(answer))

    async def create_contact(self, record: Record) -> Record:
        """The lead with one of these phone numbers; it is created if there is none.

        An existing lead is not changed. Superfone has one call to create and to update, which compares the primary
        number only, so the lead is looked up first. Raises `Refused` without a phone number, `Ambiguous` if the numbers
        belong to several leads.
        """
        # All numbers: a lead that has one as a secondary number would be made a second time.
        leads = [lead for phone in record.phones if (lead := await self._only_lead(phone)) is not None]
        if len({lead.remote_id for lead in leads}) > 1:
            raise _several(tuple(leads))
        if leads:
            return leads[0]
        if not record.phones:
            msg = "Superfone keeps contacts by phone number, and this one has none"
            raise Refused(msg, system=SYSTEM)
        # It becomes the primary number, the only one that this call would compare.
        phone = record.phones[0]
        answer = await self._write("/lead", contact_body(record, phone))
        created = self._created_lead(answer, phone)
        return created or await self._find_again(phone)

    async def list_contact_tasks(self, contact: str) -> Listing[Reading]:
        """All open and closed tasks of a lead, each once, newest first.

        A page has at most 20 rows; pages are counted from 1. A task that is created meanwhile moves the other rows. So
        the list is read again, up to three times, if its total changes or if it has fewer rows than its total. Raises
        `Missing` for an unknown lead, `BadAnswer`, `Unavailable`.
        """
        # Half a list is worse than none: a task that was passed over would look closed.
        for _ in range(1 + REREADS):
            rows = await self._whole_list(contact)
            if rows is not None:
                return self._listing(rows, contact)
        msg = f"the tasks of lead {contact} could not be read completely: the list changed, or rows were missing"
        raise Unavailable(msg, system=SYSTEM)

    async def create_task(self, draft: Draft) -> Reading:
        """Create a task. Fields that the answer leaves out are taken from the request.

        Raises `InDoubt` if the answer has no id. A full account and an unknown lead both answer 404: the text
        ``Lead storage is full`` raises `Full`, any other text `Refused`.
        """
        raw_type = wire_type(draft.kind, self._settings.todo_type)
        if raw_type is None:
            msg = f"Superfone has no task type for {draft.kind.label}"
            raise Refused(msg, system=SYSTEM)
        body = create_body(draft, raw_type)
        try:
            answer = await self._write(_tasks_of(draft.contact), body)
        except Refused as error:
            if error.status != BAD_REQUEST or body.pop("notify_at", None) is None:
                raise
            # By Superfone's clock it may be too late to notify. A task without its notification is better than none.
            answer = await self._write(_tasks_of(draft.contact), body)
        # A task that was just made is open, whether the answer says so or not.
        sent: dict[str, JsonValue] = {"type": raw_type, "due_date": body["due_date"], "task_status": "PENDING"}
        return self._written(answer, draft.contact, sent)

    async def complete_task(self, ref: TaskRef) -> Reading:
        """Complete the lead's newest open task, and return the task that was closed.

        The request has no task id, so another task than ``ref`` may be closed: the caller has to compare. A second
        request closes the next task. Raises `NothingOpen`, `Refused` for an unknown lead, and `InDoubt` if the answer
        has no closed task.
        """
        answer = await self._write(f"{_tasks_of(ref.contact)}/complete", None)
        # Nothing is taken from the request, which names no task: only the answer tells what was closed.
        closed = self._written(answer, ref.contact, {})
        # Something may have been closed all the same, so the lane has to be read.
        if closed.state is not State.DONE:
            msg = f"the answer to a completion says that task {closed.remote_id} is open"
            raise InDoubt(msg, system=SYSTEM, status=answer.status)
        return closed

    async def check(self) -> list[Check]:
        """Look up a number that nobody has, then list the tasks of a lead that may not exist. Both are harmless."""
        return await run_checks(self.find_contacts, self._page)

    async def list_tasks(self) -> Listing[Reading]:
        """Not available: raises `NotImplementedError`."""
        raise NotImplementedError("Superfone lists tasks lead by lead only")

    async def get_task(self, ref: TaskRef) -> Reading:
        """Not available: raises `NotImplementedError`."""
        raise NotImplementedError("Superfone cannot give one task; list the tasks of its lead")

    async def list_contacts(self) -> Listing[Record]:
        """Not available: raises `NotImplementedError`."""
        raise NotImplementedError("Superfone has no list of leads; find them by phone number")

    async def get_contact(self, remote_id: str) -> Record:
        """Not available: raises `NotImplementedError`."""
        raise NotImplementedError("Superfone cannot give a lead by its id; find it by phone number")

    async def aclose(self) -> None:
        """Close the connection pool."""
        await self._http.aclose()

    async def _write(self, path: str, body: object | None) -> Answer:
        try:
            return await self._http.write("POST", path, json=body)
        # Here the lead is unknown. `Missing` would say that the task does not exist.
        except Missing as error:
            raise Refused(error.words, system=SYSTEM, status=error.status) from error

    def _written(self, answer: Answer, lead: str, sent: dict[str, JsonValue]) -> Reading:
        """The task in the answer to a write; missing fields are as sent. Raises `InDoubt` if it cannot be read."""
        # An empty field says no more than a missing one, and must not hide what was sent.
        data = {name: value for name, value in answer.parse(TaskAnswer).data.items() if value is not None}
        try:
            task = WireTask.model_validate({**sent, **data})
        except ValidationError as error:
            raise InDoubt(describe(error), system=SYSTEM, status=answer.status) from None
        self._recognise(task.org_id)
        if not task.belongs_to(lead):
            msg = f"the answer for lead {lead} has a task of lead {task.customer_id}"
            raise InDoubt(msg, system=SYSTEM, status=answer.status)
        return read_task(task, lead)

    async def _whole_list(self, lead: str) -> dict[str, JsonValue] | None:
        """All rows of the list by their keys, or ``None`` if the list changed while it was read."""
        first = await self._page(lead, 1)
        rows = _keyed(first)
        for number in range(2, first.total_pages + 1):
            if number > MAX_PAGES:
                msg = f"the tasks of lead {lead} do not end after {MAX_PAGES} pages"
                raise BadAnswer(msg, system=SYSTEM)
            page = await self._page(lead, number)
            # A new task has moved the rows from page to page, so one may have been skipped.
            if page.total_items != first.total_items:
                return None
            more = _keyed(page)
            # A page past the end may repeat the last rows.
            if more.keys() <= rows.keys():
                break
            rows |= more
        # One task made and one removed leave the total as it was, and still hide a row.
        return rows if len(rows) >= first.total_items else None

    async def _page(self, lead: str, number: int) -> TaskPage:
        params = {"page": number, "page_size": PAGE_SIZE}
        try:
            answer = await self._http.read("GET", _tasks_of(lead), params=params, page=True)
        except Refused as error:
            # A rejected page is no evidence about the lead or its tasks.
            raise BadAnswer(error.words, system=SYSTEM, status=error.status) from error
        return answer.parse(PageAnswer).data

    def _listing(self, rows: dict[str, JsonValue], lead: str) -> Listing[Reading]:
        read = [self._read_row(row, lead) for row in rows.values()]
        tasks = [row for row in read if isinstance(row, Reading)]
        # *complete* closes the newest one, so the order must not depend on the server's. Of two with the same time, the
        # larger id is the newer task.
        tasks.sort(key=lambda task: (task.created_at, int(task.remote_id)), reverse=True)
        return Listing(tuple(tasks), tuple(row for row in read if isinstance(row, Unreadable)))

    def _read_row(self, row: JsonValue, lead: str) -> Reading | Unreadable:
        try:
            return self._understood(row, lead)
        except ValidationError as error:
            return unreadable(row, describe(error), lead)
        except AdapterError:
            raise
        except Exception as error:  # noqa: BLE001 - one row that we cannot handle must not cost the others
            return unreadable(row, not_understood(error, f"{SYSTEM}: a task of lead {lead}"), lead)

    def _understood(self, row: JsonValue, lead: str) -> Reading | Unreadable:
        task = WireRow.model_validate(row)
        self._recognise(task.org_id)
        if not task.belongs_to(lead):
            return unreadable(row, f"it is in the list of lead {lead} and belongs to lead {task.customer_id}", lead)
        return read_task(task, lead)

    def _leads(self, answer: Answer) -> list[Record]:
        leads = answer.parse(LeadAnswer).data
        for lead in leads:
            self._recognise(lead.org_id)
        return [read_lead(lead, self._region) for lead in leads]

    def _carrying(self, record: Record, phone: str) -> Record:
        """The record, if it has this number. A lead without any readable number is accepted."""
        if not record.phones:
            # Superfone found it by this number, so one that we cannot read is no contradiction.
            return Record(record.system, record.remote_id, record.name, (phone,), record.emails)
        if phone not in record.phones:
            msg = f"Superfone finds lead {record.remote_id} by {phone}, which that lead does not show"
            raise Ambiguous(msg, contacts=(record.remote_id,), system=SYSTEM)
        return record

    async def _only_lead(self, phone: str) -> Record | None:
        found = await self.find_contacts(phone)
        if len(found) > 1:
            raise _several(found)
        return found[0] if found else None

    def _created_lead(self, answer: Answer, phone: str) -> Record | None:
        """The lead, if the answer to its creation contains it. Superfone does not document this answer."""
        try:
            created = self._leads(answer)
        # The lead may have been created although the answer cannot be read. It is looked up next.
        except InDoubt:
            return None
        return next((record for record in created if phone in record.phones), None)

    async def _find_again(self, phone: str) -> Record:
        """Look up the lead that was just created by its number. Raises `InDoubt` if it is not found."""
        try:
            found = await self._only_lead(phone)
        except (Unavailable, BadAnswer, Refused) as error:
            raise InDoubt(error.words, system=SYSTEM, status=error.status) from error
        if found is None:
            msg = "the lead was created, but it is not found by its phone number"
            raise InDoubt(msg, system=SYSTEM)
        return found

    def _recognise(self, organisation: str | None) -> None:
        """Remember the first organisation; raise `WrongAccount` for any other one."""
        if organisation is None:
            return
        if self.expected_identity is None:
            self.expected_identity = organisation
        elif organisation != self.expected_identity:
            raise WrongAccount(self.expected_identity, organisation, system=SYSTEM)


def _several(leads: tuple[Record, ...]) -> Ambiguous:
    ids = tuple(dict.fromkeys(lead.remote_id for lead in leads))
    return Ambiguous(f"several leads have these numbers: {', '.join(ids)}", contacts=ids, system=SYSTEM)


def _tasks_of(lead: str) -> str:
    return f"/lead/{quote(lead, safe='')}/task"


def _keyed(page: TaskPage) -> dict[str, JsonValue]:
    return {row_key(index, row): row for index, row in enumerate(page.rows)}
